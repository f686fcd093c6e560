//! What a wish may be, what names it, and where it stands by its shares.

use super::{Counts, ShareState, TaskState, Wish};
use crate::ids::Hex;
use crate::orders::UnitId;
use aws_lc_rs::digest::{Context, SHA256};

/// Names a wish and whom it reaches. `ids` are sorted.
pub(super) fn hash(wish: &Wish, ids: &[UnitId]) -> String {
    let mut context = Context::new(&SHA256);
    context.update(serde_json::to_string(wish).unwrap_or_default().as_bytes());
    for id in ids {
        context.update(id.0.as_bytes());
    }
    Hex(&context.finish().as_ref()[..16]).to_string()
}

/// Where the share stands whose order stands there; `None`: the order says nothing new.
pub(super) fn of_command(state: &str) -> Option<ShareState> {
    Some(match state {
        "queued" => ShareState::Assigned,
        "taken" => ShareState::Running,
        "done" => ShareState::Succeeded,
        "failed" | "refused" => ShareState::Failed,
        "expired" => ShareState::TimedOut,
        "cancelled" => ShareState::Cancelled,
        _ => return None,
    })
}

impl Counts {
    /// The number of one state.
    #[must_use]
    pub fn of(&self, state: ShareState) -> u64 {
        let mut copy = *self;
        *copy.slot(state)
    }

    pub(super) fn slot(&mut self, state: ShareState) -> &mut u64 {
        match state {
            ShareState::Waiting => &mut self.waiting,
            ShareState::Assigned => &mut self.assigned,
            ShareState::Running => &mut self.running,
            ShareState::Succeeded => &mut self.succeeded,
            ShareState::Failed => &mut self.failed,
            ShareState::Skipped => &mut self.skipped,
            ShareState::Cancelled => &mut self.cancelled,
            ShareState::TimedOut => &mut self.timed_out,
        }
    }

    /// Shares of which something is still to come.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.waiting + self.assigned + self.running
    }

    /// Shares that ended otherwise than wished, and may be tried again.
    #[must_use]
    pub fn failed_all(&self) -> u64 {
        self.failed + self.timed_out + self.cancelled
    }
}

/// Where a wish stands that nobody took back.
pub(super) fn state(counts: &Counts) -> TaskState {
    match counts {
        counts if counts.open() > 0 => TaskState::Running,
        counts if counts.failed_all() + counts.skipped == 0 => TaskState::Done,
        counts if counts.succeeded > 0 => TaskState::PartlyDone,
        _ => TaskState::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_stands_where_its_shares_stand() {
        let counts = |waiting, succeeded, failed| Counts { waiting, succeeded, failed, ..Counts::default() };
        assert_eq!(state(&counts(1, 9, 0)), TaskState::Running);
        assert_eq!(state(&counts(0, 9, 0)), TaskState::Done);
        assert_eq!(state(&counts(0, 9, 1)), TaskState::PartlyDone);
        assert_eq!(state(&counts(0, 0, 1)), TaskState::Failed);
        assert_eq!(state(&Counts { skipped: 1, ..Counts::default() }), TaskState::Failed);
    }

    #[test]
    fn the_hash_names_the_wish_and_whom_it_reaches() {
        let id = |n| UnitId(uuid::Uuid::from_u128(n));
        let now = Wish::ReportNow { kinds: Vec::new() };
        let hash_of = |wish: &Wish, ids: &[u128]| hash(wish, &ids.iter().map(|n| id(*n)).collect::<Vec<_>>());
        assert_eq!(hash_of(&now, &[1, 2]), hash_of(&now, &[1, 2]));
        assert_ne!(hash_of(&now, &[1, 2]), hash_of(&now, &[1, 3]));
        assert_ne!(hash_of(&now, &[1, 2]), hash_of(&Wish::SendLog, &[1, 2]));
    }
}
