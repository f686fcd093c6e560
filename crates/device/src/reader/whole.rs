//! Walks everything that a device has, by a way in that an earlier reading found.

use snmp::{Engine, Oid, Target, WalkLimits};
use tokio::time::Instant;

use super::access::{Access, Known};
use super::error::ReadError;
use super::ways::{in_context, tried, ways};
use crate::snapshot::Snapshot;

/// Everything below `root`, in the context that the call names, else in that of the access; and whether it ended
/// before its time.
pub(crate) async fn walk_all(
    engine: &Engine,
    access: &Access,
    known: &Known,
    context: Option<&str>,
    root: &Oid,
    limits: &WalkLimits,
) -> Result<(Snapshot, bool), ReadError> {
    let started = Instant::now();
    let mut ways = ways(access, known)?;
    ways.truncate(1);
    let security = in_context(&ways[0].security, context.or(access.context.as_deref()));
    let patience = access.timeout.min(std::time::Duration::from_secs(3));
    let target = Target::new(access.address, security).patience(patience, 2);
    match tokio::time::timeout(access.timeout, engine.walk(&target, root, limits)).await {
        Ok(Ok(walk)) => Ok((walk.rows.into_iter().collect(), walk.incomplete)),
        Ok(Err(source)) if source.is_silence() => Err(ReadError::Silent(tried(access, &ways, started.elapsed()))),
        Ok(Err(source)) => {
            let source = Box::new(source);
            Err(ReadError::Refused { tried: tried(access, &ways, started.elapsed()), source })
        }
        Err(_) => Err(ReadError::Silent(tried(access, &ways, started.elapsed()))),
    }
}
