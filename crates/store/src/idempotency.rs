//! Repeats of a POST: a key, the hash of the request and the reply, kept in the transaction of the effect itself.
//! Two requests with one key at the same time: the second waits for the first and then gets its reply.

use crate::{Result, Tx, params};

crate::sql! {
    TAKE = "insert into idempotency_keys (tenant, key, request_hash, until_at) values ($1, $2, $3, $4)
        on conflict (tenant, key) do update set request_hash = excluded.request_hash, reply = null,
            until_at = excluded.until_at where idempotency_keys.until_at <= $5
        returning key";
    FIND = "select request_hash, reply from idempotency_keys where tenant = $1 and key = $2";
    KEEP = "update idempotency_keys set reply = $1 where tenant = $2 and key = $3";
    FORGET = "delete from idempotency_keys where until_at <= $1";
}

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repeat {
    /// First use: do the work, then [`keep`] the reply in the same transaction.
    First,
    /// Done before: give this reply again.
    Again(Vec<u8>),
    /// The key was used for another request.
    Mismatch,
}

/// Takes a key for a request; commit the transaction before any reply, also before one from memory. `until_at` and `now` in µs; an expired key counts as new.
pub async fn take(tx: &mut Tx, tenant: &str, key: &str, hash: &[u8], now: i64, until_at: i64) -> Result<Repeat> {
    if tx.query_opt(&TAKE, &params![tenant, key, hash, until_at, now]).await?.is_some() {
        return Ok(Repeat::First);
    }
    let row = tx.query_one(&FIND, &params![tenant, key]).await?;
    if row.get::<Vec<u8>>(0)? != hash {
        return Ok(Repeat::Mismatch);
    }
    Ok(row.get::<Option<Vec<u8>>>(1)?.map_or(Repeat::First, Repeat::Again))
}

/// Keeps the reply of the first use.
pub async fn keep(tx: &mut Tx, tenant: &str, key: &str, reply: &[u8]) -> Result<()> {
    tx.execute(&KEEP, &params![reply, tenant, key]).await.map(drop)
}

/// Forgets keys that ended before `now` (µs); how many.
pub async fn forget(tx: &mut Tx, now: i64) -> Result<u64> {
    tx.execute(&FORGET, &params![now]).await
}
