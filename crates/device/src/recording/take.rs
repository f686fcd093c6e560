//! Walks a whole device, in its second context too.

use snmp::{Engine, Oid, WalkLimits};

use crate::reader::{Access, Context, Read, ReadError, reread, walk_all};
use crate::snapshot::Snapshot;

/// What a device said, all of it.
#[derive(Clone, Debug)]
pub struct Recording {
    /// Everything in the usual context.
    pub said: Snapshot,
    /// What it says in another context, with that one's name.
    pub context: Option<(String, Snapshot)>,
    /// The reading that told which credential and version work.
    pub read: Read,
    /// The walk ended before the end of the tree: by a limit, a fault of the device, or time.
    pub incomplete: bool,
}

/// Most of what one device may say: some hold thousands of lines of logs.
const LIMITS: (usize, u32) = (60_000, 20_000);

/// Reads the device once, then walks all of it.
///
/// # Errors
/// As [`crate::read`]; a walk that breaks off is [`Recording::incomplete`], not an error.
pub async fn record(engine: &Engine, access: &Access) -> Result<Recording, ReadError> {
    let read = reread(engine, access, &crate::Known::default()).await?;
    let limits = WalkLimits { rows: LIMITS.0, exchanges: LIMITS.1, bytes: 64 << 20, ..WalkLimits::default() };
    let root = Oid::of("1.3.6.1");
    let (said, mut incomplete) = walk_all(engine, access, &read.known, None, &root, &limits).await?;
    let mut context = None;
    if let (Context::Answers(name), None) = (&read.known.context, &access.context) {
        let (more, cut) = walk_all(engine, access, &read.known, Some(name), &root, &limits).await?;
        incomplete |= cut;
        context = Some((name.clone(), more));
    }
    Ok(Recording { said, context, read, incomplete })
}
