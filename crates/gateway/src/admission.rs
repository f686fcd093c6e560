//! How many requests are worked on at once, how many may wait, and when the rest is told to come back.
//! Each refusal hands out the next free moment, so the refused spread themselves (gateway.md §4.5).

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::Subject;

use crate::{limits::Limits, reply::Refusal};

/// Shortest and longest promise.
const SOONEST: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(300);

/// The one gate in front of core.
#[derive(Debug)]
pub(crate) struct Admission {
    working: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    per_sender: usize,
    senders: Senders,
    pace: Mutex<Pace>,
}

/// How fast work leaves, and up to when moments have been promised.
#[derive(Debug)]
struct Pace {
    per_second: f64,
    window_began: Instant,
    done: u32,
    promised_until: Instant,
}

/// Requests under way of each sender that has any.
type Senders = Arc<Mutex<HashMap<Subject, usize>>>;

/// One request of a sender; counted until it is dropped.
#[derive(Debug)]
struct Claim {
    sender: Subject,
    senders: Senders,
}

/// Leave to work; given back when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _working: OwnedSemaphorePermit,
    _sender: Option<Claim>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut senders = self.senders.lock();
        if let Some(count) = senders.get_mut(&self.sender) {
            *count -= 1;
            if *count == 0 {
                senders.remove(&self.sender);
            }
        }
    }
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        let now = Instant::now();
        Self {
            working: Arc::new(Semaphore::new(limits.working)),
            waiting: Arc::new(Semaphore::new(limits.waiting)),
            per_sender: limits.per_sender,
            senders: Arc::default(),
            pace: Mutex::new(Pace { per_second: 50.0, window_began: now, done: 0, promised_until: now }),
        }
    }

    /// Waits for a turn, unless too many wait already. `sender` is known to be who it says.
    pub(crate) async fn enter(&self, sender: Option<Subject>) -> Result<Turn, Refusal> {
        let sender = sender.map(|sender| self.claim(sender)).transpose()?;
        let full = |_| Refusal::Busy { wait: self.promise(Instant::now()) };
        let _place = self.waiting.clone().try_acquire_owned().map_err(full)?;
        let working = self.working.clone().acquire_owned().await;
        let working = working.map_err(|_| Refusal::Busy { wait: SOONEST })?;
        self.pace.lock().leave(Instant::now());
        Ok(Turn { _working: working, _sender: sender })
    }

    fn claim(&self, sender: Subject) -> Result<Claim, Refusal> {
        let mut senders = self.senders.lock();
        let count = senders.entry(sender).or_insert(0);
        if *count >= self.per_sender {
            return Err(Refusal::TooMany { wait: SOONEST });
        }
        *count += 1;
        drop(senders);
        Ok(Claim { sender, senders: self.senders.clone() })
    }

    /// Names the moment to whoever was refused without one: not the same to all, or all would come back together.
    pub(crate) fn dated(&self, refusal: Refusal) -> Refusal {
        match refusal {
            Refusal::Later { least } => Refusal::Busy { wait: least + self.promise(Instant::now()) },
            other => other,
        }
    }

    /// How long until the next free moment.
    fn promise(&self, now: Instant) -> Duration {
        let mut pace = self.pace.lock();
        let step = Duration::from_secs_f64(1.0 / pace.per_second.max(1.0));
        pace.promised_until = pace.promised_until.max(now + SOONEST) + step;
        if pace.promised_until > now + LATEST {
            pace.promised_until = now + SOONEST;
        }
        pace.promised_until - now
    }
}

impl Pace {
    /// One request got its turn: measures the rate over windows of a second.
    fn leave(&mut self, now: Instant) {
        self.done += 1;
        let span = now - self.window_began;
        if span >= Duration::from_secs(1) {
            let rate = f64::from(self.done) / span.as_secs_f64();
            self.per_second = 0.7 * self.per_second + 0.3 * rate;
            self.window_began = now;
            self.done = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(working: usize, waiting: usize) -> Limits {
        Limits { working, waiting, ..Limits::default() }
    }

    #[tokio::test]
    async fn a_sender_has_at_most_its_share_under_way() {
        let gate = Admission::new(&limits(8, 8));
        let (a, b) = (Subject([1; 16]), Subject([2; 16]));
        let one = gate.enter(Some(a)).await.unwrap();
        let _two = gate.enter(Some(a)).await.unwrap();
        assert!(matches!(gate.enter(Some(a)).await, Err(Refusal::TooMany { .. })));
        assert!(gate.enter(Some(b)).await.is_ok());
        drop(one);
        assert!(gate.enter(Some(a)).await.is_ok());
    }

    #[test]
    fn each_refusal_promises_another_moment_and_they_spread_evenly() {
        let gate = Admission::new(&limits(1, 0));
        let now = Instant::now();
        let waits: Vec<Duration> = (0..1_000).map(|_| gate.promise(now)).collect();
        assert!(waits.windows(2).all(|w| w[0] < w[1]));
        let per_second = waits.iter().filter(|w| w.as_secs() == 5).count();
        assert!((49..=51).contains(&per_second), "{per_second} promised for one second at 50 a second");
    }

    #[test]
    fn whoever_is_refused_without_a_moment_is_given_one_of_its_own() {
        let gate = Admission::new(&limits(1, 0));
        let least = Duration::from_secs(9);
        let dated = || match gate.dated(Refusal::Later { least }) {
            Refusal::Busy { wait } => wait,
            other => panic!("{other:?}"),
        };
        let (first, before_first) = (Instant::now(), dated());
        let waits: Vec<Duration> = (0..100).map(|_| dated()).collect();
        assert!(waits.iter().all(|wait| *wait > least));
        // A hundred turns later, at 50 a second; seen from the first, however long the asking took.
        let last = waits[99] + first.elapsed();
        assert!(last >= before_first + Duration::from_secs(2), "{before_first:?}, then {waits:?}");
        assert_eq!(gate.dated(Refusal::Forbidden), Refusal::Forbidden, "nothing else is promised anything");
    }

    #[tokio::test]
    async fn a_full_queue_refuses_at_once() {
        let gate = Arc::new(Admission::new(&limits(1, 1)));
        let turn = gate.enter(None).await.unwrap();
        let waiter = tokio::spawn({
            let gate = gate.clone();
            async move { gate.enter(None).await.is_ok() }
        });
        while gate.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(gate.enter(None).await, Err(Refusal::Busy { .. })));
        drop(turn);
        assert!(waiter.await.unwrap());
    }
}
