//! Repeats of a POST: the first reply is kept for 24 h under the key that the client chose, and given again.
//! `begin` before the work, `finish` after it; a key that is being worked on is refused, not done twice.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use store::View;
use store::idempotency::{self, Repeat};

use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::ids::Hex;

/// How long a reply is kept.
pub const KEPT: Duration = Duration::from_secs(24 * 3_600);
/// A key whose work never finished is free again after this long.
const ABANDONED: Duration = Duration::from_secs(60);
/// Largest reply that is kept, bytes; a larger one is remembered as done, without its text.
const MAX_REPLY: usize = 256 * 1024;

/// What a door has to do with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// Do the work, then [`finish`] (or [`abandon`] if it failed without effect).
    Work(Key),
    /// Give this reply again.
    Again(Vec<u8>),
}

/// A key that is being worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String, Vec<u8>);

/// Takes the key that came with a request. `request` is what must be equal in a repeat: method, path and body.
///
/// # Errors
/// `Invalid` for a key that is empty or longer than 255 bytes; `Conflict` when it was used for another request, or when
/// the first request is still running.
pub async fn begin(ctx: &Ctx, key: &str, request: &[u8]) -> Result<Begin> {
    if key.is_empty() || key.len() > 255 || key.chars().any(char::is_control) {
        return Err(Error::invalid("Idempotency-Key", "the key has 1 to 255 visible characters"));
    }
    // The actor is part of the key: nobody gets a reply that was another's.
    let key = format!("{}:{}:{key}", ctx.actor.kind(), ctx.actor.id());
    let key = Hex(digest(&SHA256, key.as_bytes()).as_ref()).to_string();
    let hash = digest(&SHA256, request).as_ref().to_vec();
    let mut tx = ctx.db().write(&view(ctx)).await?;
    let until = (ctx.now + ABANDONED).0;
    let taken = idempotency::take(&mut tx, &ctx.home.to_string(), &key, &hash, ctx.now.0, until).await?;
    let running = || Error::conflict("a request with this Idempotency-Key is still running; ask again in a moment");
    if taken == Repeat::First {
        // An empty reply marks "running" for those who come before the end.
        idempotency::keep(&mut tx, &ctx.home.to_string(), &key, &[]).await?;
    }
    // Also without a change: what was read may be of a transaction that is not on the disk yet.
    tx.commit().await?;
    match taken {
        Repeat::Mismatch => Err(Error::conflict("this Idempotency-Key was used for another request")),
        Repeat::Again(reply) if reply.is_empty() => Err(running()),
        Repeat::Again(reply) => Ok(Begin::Again(reply)),
        Repeat::First => Ok(Begin::Work(Key(key, hash))),
    }
}

/// Keeps the reply for repeats.
///
/// # Errors
/// When the database refuses.
pub async fn finish(ctx: &Ctx, key: &Key, reply: &[u8]) -> Result<()> {
    let reply = if reply.is_empty() || reply.len() > MAX_REPLY { b"null" } else { reply };
    let mut tx = ctx.db().write(&view(ctx)).await?;
    put(&mut tx, ctx, key, (ctx.now + KEPT).0).await?;
    idempotency::keep(&mut tx, &ctx.home.to_string(), &key.0, reply).await?;
    Ok(tx.commit().await?)
}

/// Frees the key of work that failed and left nothing behind.
///
/// # Errors
/// When the database refuses.
pub async fn abandon(ctx: &Ctx, key: &Key) -> Result<()> {
    let mut tx = ctx.db().write(&view(ctx)).await?;
    put(&mut tx, ctx, key, ctx.now.0).await?;
    Ok(tx.commit().await?)
}

/// Takes the key anew with another end: the end of the first taking always counts as passed.
async fn put(tx: &mut store::Tx, ctx: &Ctx, key: &Key, until: i64) -> Result<()> {
    idempotency::take(tx, &ctx.home.to_string(), &key.0, &key.1, i64::MAX, until).await?;
    Ok(())
}

fn view(ctx: &Ctx) -> View {
    View::tenant(&ctx.home.to_string())
}
