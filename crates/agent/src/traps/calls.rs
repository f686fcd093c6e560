//! Which devices are to be read because they called: at once, but each not more often than now and then, however
//! loudly it calls.

use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

use wire::Subject;

/// Time between two readings of a device that go on calling.
pub(super) const CALM: Duration = Duration::from_secs(5);
/// A device that someone looks at already is tried again after this time.
const BUSY: Duration = Duration::from_millis(200);
/// So often.
const TRIES: u32 = 50;

/// Devices that called, and when each was read last.
#[derive(Debug, Default)]
pub(super) struct Calls {
    turns: HashMap<Subject, Turn>,
    waiting: VecDeque<Subject>,
}

#[derive(Debug)]
struct Turn {
    /// Not before this.
    from: Instant,
    waits: bool,
    runs: bool,
    tries: u32,
}

/// How a reading went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Went {
    /// It was read, or does not answer.
    Done,
    /// Someone else looked at it.
    Busy,
}

impl Calls {
    /// A device calls.
    pub(super) fn want(&mut self, subject: Subject, now: Instant) {
        let turn = self.turns.entry(subject).or_insert(Turn { from: now, waits: false, runs: false, tries: 0 });
        turn.tries = 0;
        if !std::mem::replace(&mut turn.waits, true) {
            self.waiting.push_back(subject);
        }
    }

    /// The next device whose turn it is.
    pub(super) fn next(&mut self, now: Instant) -> Option<Subject> {
        for _ in 0..self.waiting.len() {
            let subject = self.waiting.pop_front()?;
            let Some(turn) = self.turns.get_mut(&subject) else { continue };
            if turn.runs || turn.from > now {
                self.waiting.push_back(subject);
                continue;
            }
            (turn.waits, turn.runs, turn.from) = (false, true, now + CALM);
            return Some(subject);
        }
        None
    }

    /// A reading has ended.
    pub(super) fn ended(&mut self, subject: Subject, went: Went, now: Instant) {
        let Some(turn) = self.turns.get_mut(&subject) else { return };
        turn.runs = false;
        if went == Went::Busy && turn.tries < TRIES {
            (turn.tries, turn.from) = (turn.tries + 1, now + BUSY);
            if !std::mem::replace(&mut turn.waits, true) {
                self.waiting.push_back(subject);
            }
        }
    }

    /// Forgets devices that have been quiet. Call it now and then.
    pub(super) fn tidy(&mut self, now: Instant) {
        self.turns.retain(|_, turn| turn.waits || turn.runs || turn.from > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Subject = Subject([1; 16]);
    const TWO: Subject = Subject([2; 16]);

    #[test]
    fn a_device_that_calls_is_read_at_once_and_then_in_calm() {
        let (mut calls, now) = (Calls::default(), Instant::now());
        calls.want(ONE, now);
        calls.want(ONE, now);
        calls.want(TWO, now);
        assert_eq!((calls.next(now), calls.next(now), calls.next(now)), (Some(ONE), Some(TWO), None));
        calls.want(ONE, now);
        assert_eq!(calls.next(now + CALM), None, "it is still being read");
        calls.ended(ONE, Went::Done, now);
        assert_eq!(calls.next(now + CALM / 2), None);
        assert_eq!(calls.next(now + CALM), Some(ONE), "what was called meanwhile is not forgotten");
        calls.ended(ONE, Went::Done, now + CALM);
        calls.ended(TWO, Went::Done, now + CALM);
        calls.tidy(now + CALM * 3);
        assert!(calls.turns.is_empty() && calls.waiting.is_empty());
    }

    #[test]
    fn a_device_that_is_being_looked_at_is_read_right_after() {
        let (mut calls, now) = (Calls::default(), Instant::now());
        calls.want(ONE, now);
        assert_eq!(calls.next(now), Some(ONE));
        calls.ended(ONE, Went::Busy, now);
        assert_eq!((calls.next(now), calls.next(now + BUSY)), (None, Some(ONE)));
    }
}
