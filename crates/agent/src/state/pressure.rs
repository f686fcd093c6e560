//! What happens when the server is away for very long: status messages that a newer one has overtaken are shed,
//! oldest first. Counters are never shed. Beyond the hard limit nothing new but counters is taken; it stays at the device.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use store::{Sql, params};

use super::{outbox::Outbox, statement};
use crate::{
    clock::wall_ms,
    error::Result,
    stats::{add, set},
};

/// Bytes of waiting messages above which superseded ones are shed.
pub(crate) const SOFT_BYTES: u64 = 256 << 20;
/// Bytes above which only counters are taken.
pub(crate) const HARD_BYTES: u64 = 2 * SOFT_BYTES;
/// Age above which superseded messages are shed whatever their size.
const SOFT_AGE_MS: i64 = 14 * 86_400_000;
/// Most messages that one call sheds, so that polling never waits long.
const STEP: i64 = 1_000;

static OVERTAKEN: Sql = statement(
    "agent::outbox::overtaken",
    "select seq, length(message)
     from outbox
     where (taken_at < $1 or $2 = 1)
       and (kind in (64, 65, 67)
         or kind = 4 and exists (
             select 1 from outbox later
             where later.subject = outbox.subject and later.kind = 4 and later.seq > outbox.seq))
     order by seq
     limit $3",
);
static GONE: Sql = statement("agent::outbox::shed", "delete from outbox where seq = $1");

/// How full the outbox is.
#[derive(Debug, Default)]
pub(crate) struct Pressure {
    depth: AtomicU64,
    bytes: AtomicU64,
}

impl Pressure {
    pub(crate) fn new(depth: u64, bytes: u64) -> Self {
        Self { depth: depth.into(), bytes: bytes.into() }
    }

    /// Messages that wait.
    pub(crate) fn depth(&self) -> usize {
        usize::try_from(self.depth.load(Relaxed)).unwrap_or(usize::MAX)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    pub(crate) fn grew(&self, messages: usize, bytes: u64) {
        self.depth.fetch_add(messages as u64, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn shrank(&self, messages: usize, bytes: u64) {
        let less = |by: u64| move |now: u64| Some(now.saturating_sub(by));
        let _ = self.depth.fetch_update(Relaxed, Relaxed, less(messages as u64));
        let _ = self.bytes.fetch_update(Relaxed, Relaxed, less(bytes));
    }

    /// Whether only counters may be taken now.
    pub(crate) fn is_hard(&self) -> bool {
        self.bytes() > HARD_BYTES
    }
}

impl Outbox {
    /// Sheds what has been overtaken, if there is cause to. Returns how many messages went. Call it now and then.
    pub(crate) async fn shed(&self, soft_bytes: u64) -> Result<usize> {
        let full = self.pressure.bytes() > soft_bytes;
        let mut tx = self.state.write().await?;
        let values = params![wall_ms() - SOFT_AGE_MS, i64::from(full), STEP];
        let rows = tx.query(&OVERTAKEN, &values).await?;
        let (mut seqs, mut bytes) = (Vec::new(), 0_u64);
        for row in rows {
            seqs.push(row.get::<i64>(0)?);
            bytes += row.get::<u64>(1)?;
        }
        if seqs.is_empty() {
            return Ok(0);
        }
        let shed = seqs.len();
        tx.many(&GONE, seqs.into_iter().map(|seq| params![seq].to_vec()).collect()).await?;
        tx.commit().await?;
        self.pressure.shrank(shed, bytes);
        add(&self.stats.shed, shed);
        set(&self.stats.outbox_depth, self.pressure.depth());
        tracing::warn!(shed, bytes, full, "overtaken status messages were shed: the server has been away for long");
        Ok(shed)
    }
}
