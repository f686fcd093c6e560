//! Logs that devices and agents upload: part by part, each on the disk before it is acknowledged, found again wherever it was cut;
//! under its hash among the blobs once it is whole. Bounded in size, in number, and in time.

use serde::Serialize;
use store::{Sha256, Tx, View, params};
use wire::monitor::UploadState;

use crate::ctx::Ctx;
use crate::devices::{DeviceId, tenant_of};
use crate::error::{Error, Kind, Result};
use crate::ids::OrgId;
use crate::platform::Platform;
use crate::{AgentId, Micros, Role};

/// Largest log: four times what fills one (seed: 512 KB).
pub const MOST_BYTES: u64 = 2 * 1024 * 1024;
/// Uploads that a device may begin in a day.
const MOST_A_DAY: i64 = 8;
const DAY: i64 = 86_400 * 1_000_000;
/// What was not finished by then is given up, µs.
const PATIENCE: i64 = 7 * DAY;
/// Days that whole ones are kept where nobody says otherwise.
const KEPT_DAYS: i64 = 180;

store::sql! {
    FIND = "select u.size_bytes, u.whole from uploads u where u.tenant = $1 and u.sender = $2 and u.sha256 = $3";
    /// Also locks it, so that two parts of one log follow each other.
    BEGIN = "insert into uploads as known (tenant, sender, sha256, size_bytes, whole, began_at, touched_at)
        values ($1, $2, $3, 0, false, $4, $4)
        on conflict (tenant, sender, sha256) do update
        set touched_at = excluded.touched_at
        returning size_bytes, whole, began_at";
    BEGUN = "select count(*) from uploads where tenant = $1 and sender = $2 and began_at > $3";
    PART = "insert into upload_parts (tenant, sender, sha256, start_at, body) values ($1, $2, $3, $4, $5)";
    GROWN = "update uploads set size_bytes = $4, whole = $5 where tenant = $1 and sender = $2 and sha256 = $3";
    PARTS = "select p.body
        from upload_parts p
        where p.tenant = $1 and p.sender = $2 and p.sha256 = $3
        order by p.start_at";
    DROP_PARTS = "delete from upload_parts where tenant = $1 and sender = $2 and sha256 = $3";
    DROP = "delete from uploads where tenant = $1 and sender = $2 and sha256 = $3";
    OF_DEVICE = "select u.sha256
        from uploads u
        join monitors m on m.tenant = u.tenant and m.id = u.sender
        where u.tenant = $1 and m.device = $2 and u.sha256 = $3 and u.whole = true";
    OF_SENDER = "select u.sha256, u.size_bytes, u.touched_at
        from uploads u
        where u.tenant = $1 and u.sender = $2 and u.whole = true
        order by u.touched_at desc, u.sha256
        limit 20";
    OVER = "select u.tenant, u.sender, u.sha256, u.whole
        from uploads u
        where u.whole = false and u.touched_at < $1
          or u.whole = true and u.touched_at < $2 - 86400000000 * coalesce((
            select r.days from retention_rules r where r.tenant = u.tenant and r.class = 'service'
          ), $3)
        limit 500";
    /// Whether anybody else has the same bytes.
    SHARED = "select count(*) from uploads u where u.sha256 = $1 and u.whole = true";
}

/// What a part led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uploaded {
    /// It was taken.
    Taken(UploadState),
    /// It does not begin where the log ends so far; go on from there.
    Elsewhere(UploadState),
}

/// How much of a log is here; `None`: nothing.
///
/// # Errors
/// `Forbidden` for anyone but a registered device or an agent.
pub async fn upload_state(ctx: &Ctx, name: Sha256) -> Result<Option<UploadState>> {
    let sender = ctx.require_sender()?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let row = tx.query_opt(&FIND, &params![ctx.home, sender, name.to_string()]).await?;
    row.map(|row| Ok(UploadState { offset: row.get(0)?, whole: row.get(1)? })).transpose()
}

/// Takes a part that begins at `offset`; `last`: the log ends with it, and must then have the hash that names it.
///
/// # Errors
/// `Forbidden` for anyone but a registered device or an agent, `TooMany` for one that began too many today, `Invalid` for a log that
/// is too large, or whose bytes are not those of its name: all of it is forgotten then.
pub async fn upload(ctx: &Ctx, name: Sha256, offset: u64, part: Vec<u8>, last: bool) -> Result<Uploaded> {
    let sender = ctx.require_sender()?;
    let key = || params![ctx.home, sender, name.to_string()];
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let row = tx.query_one(&BEGIN, &params![ctx.home, sender, name.to_string(), ctx.now]).await?;
    let (size, whole, began): (u64, bool, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
    if whole {
        tx.commit().await?;
        return Ok(Uploaded::Taken(UploadState { offset: size, whole }));
    }
    let begun: i64 = tx.query_one(&BEGUN, &params![ctx.home, sender, ctx.now.0 - DAY]).await?.get(0)?;
    if began == ctx.now.0 && begun > MOST_A_DAY {
        return Err(Error::new(Kind::TooMany, "too much was uploaded today"));
    }
    if offset != size {
        tx.commit().await?;
        return Ok(Uploaded::Elsewhere(UploadState { offset: size, whole }));
    }
    let grown = size + part.len() as u64;
    if grown > MOST_BYTES {
        forget(tx, ctx.home, sender, name).await?;
        return Err(Error::invalid("log", format!("a log has at most {MOST_BYTES} bytes")));
    }
    if !last {
        if !part.is_empty() {
            tx.execute(&PART, &params![ctx.home, sender, name.to_string(), bytes(offset), part]).await?;
        }
        tx.execute(&GROWN, &params![ctx.home, sender, name.to_string(), bytes(grown), false]).await?;
        tx.commit().await?;
        return Ok(Uploaded::Taken(UploadState { offset: grown, whole: false }));
    }
    let mut log = Vec::with_capacity(usize::try_from(grown).unwrap_or(0));
    for row in tx.query(&PARTS, &key()).await? {
        log.extend(row.get::<Vec<u8>>(0)?);
    }
    log.extend(part);
    if Sha256::of(&log) != name {
        forget(tx, ctx.home, sender, name).await?;
        return Err(Error::invalid("log", "its bytes are not those of its name; it begins anew"));
    }
    // The writer is not held while the disk takes the blob; who comes meanwhile finds the log as it was.
    drop(tx);
    ctx.platform.blobs().put(log).await?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let row = tx.query_one(&BEGIN, &params![ctx.home, sender, name.to_string(), ctx.now]).await?;
    if !row.get::<bool>(1)? {
        tx.execute(&GROWN, &params![ctx.home, sender, name.to_string(), bytes(grown), true]).await?;
        tx.execute(&DROP_PARTS, &key()).await?;
    }
    tx.commit().await?;
    Ok(Uploaded::Taken(UploadState { offset: grown, whole: true }))
}

fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

async fn forget(mut tx: Tx, tenant: OrgId, sender: AgentId, name: Sha256) -> Result<()> {
    let key = params![tenant, sender, name.to_string()];
    tx.execute(&DROP_PARTS, &key).await?;
    tx.execute(&DROP, &key).await?;
    Ok(tx.commit().await?)
}

/// The bytes of a log that a device uploaded.
///
/// # Errors
/// `NotFound` when the device is not visible, or uploaded no such log.
pub async fn log(ctx: &Ctx, device: DeviceId, name: &str) -> Result<Vec<u8>> {
    ctx.require(Role::User, "read logs of devices")?;
    let missing = || Error::not_found("log");
    let name: Sha256 = name.parse().map_err(|_| missing())?;
    let tenant = tenant_of(ctx, device).await?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    tx.query_opt(&OF_DEVICE, &params![tenant, device, name.to_string()]).await?.ok_or_else(missing)?;
    drop(tx);
    Ok(ctx.platform.blobs().get(name).await?)
}

/// A log that an agent uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgentLog {
    /// Its name: the SHA-256 of its bytes, hex.
    pub sha256: String,
    /// Its size.
    pub size_bytes: i64,
    /// When it came.
    pub at: Micros,
}

/// The last logs of an agent, newest first.
pub(crate) async fn logs_of(tx: &mut Tx, org: OrgId, agent: AgentId) -> Result<Vec<AgentLog>> {
    let rows = tx.query(&OF_SENDER, &params![org, agent]).await?;
    rows.iter().map(|row| Ok(AgentLog { sha256: row.get(0)?, size_bytes: row.get(1)?, at: row.get(2)? })).collect()
}

/// Gives up what was not finished, and drops what is kept long enough; returns how many.
///
/// # Errors
/// When the database or the blobs refuse.
pub async fn expire_uploads(platform: &Platform) -> Result<u64> {
    let now = platform.now().0;
    let all = View::All("uploads of all organisations end");
    let mut tx = platform.db().read(&all).await?;
    let rows = tx.query(&OVER, &params![now - PATIENCE, now, KEPT_DAYS]).await?;
    drop(tx);
    for row in &rows {
        let (tenant, sender, name): (OrgId, AgentId, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let Ok(hash) = name.parse::<Sha256>() else { continue };
        forget(platform.db().write(&View::tenant(&tenant.to_string())).await?, tenant, sender, hash).await?;
        let mut tx = platform.db().read(&all).await?;
        if row.get::<bool>(3)? && tx.query_one(&SHARED, &params![name]).await?.get::<i64>(0)? == 0 {
            drop(tx);
            platform.blobs().delete(hash).await?;
        }
    }
    Ok(rows.len() as u64)
}
