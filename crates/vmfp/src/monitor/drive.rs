//! One task for all devices of a fleet that report: a heap of times to look, and a bounded number of calls on their way.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use embedded::{Answer, Call, Trouble};
use tokio::task::JoinSet;

use super::line::Line;
use super::reporter::Reporter;
use crate::fleet::Shared;

/// Most calls at a time; who comes later waits for an answer to another.
const MOST_CALLS: usize = 64;
/// Shortest time between two looks at a device, and what each device of a large fleet adds to it.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_EACH: Duration = Duration::from_micros(50);
/// After a memory that failed.
const RETRY_MS: u64 = 60_000;

type Done = (usize, Call, Result<Answer, Trouble>);

struct Driver {
    shared: Arc<Shared>,
    line: Line,
    reporters: Vec<Reporter>,
    pause: Duration,
    /// When to look at which device, monotonic milliseconds; a device whose call is on its way is not in it.
    agenda: BinaryHeap<Reverse<(u64, usize)>>,
    calls: JoinSet<Done>,
}

/// Reports until it is aborted.
pub(super) async fn drive(shared: Arc<Shared>, line: Line, reporters: Vec<Reporter>) {
    let pause = PAUSE.max(PAUSE_EACH * u32::try_from(reporters.len()).unwrap_or(u32::MAX));
    let agenda = (0..reporters.len()).map(|number| Reverse((0, number))).collect();
    let mut driver = Driver { shared, line, reporters, pause, agenda, calls: JoinSet::new() };
    loop {
        let wait = driver.turns();
        let room = driver.calls.len() < MOST_CALLS;
        tokio::select! {
            Some(done) = driver.calls.join_next(), if !driver.calls.is_empty() => {
                if let Ok(done) = done {
                    driver.answered(done);
                }
            }
            () = tokio::time::sleep(wait), if room => {}
        }
    }
}

impl Driver {
    /// Looks at all devices whose time has come; how long to wait for the next.
    fn turns(&mut self) -> Duration {
        while self.calls.len() < MOST_CALLS {
            let now = self.shared.clock.moment();
            match self.agenda.peek() {
                Some(Reverse((at, number))) if *at <= now.mono_ms => {
                    let number = *number;
                    self.agenda.pop();
                    self.turn(number);
                }
                Some(Reverse((at, _))) => return Duration::from_millis(at - now.mono_ms),
                None => break,
            }
        }
        Duration::from_secs(3_600)
    }

    fn turn(&mut self, number: usize) {
        let now = self.shared.clock.moment();
        match self.reporters[number].turn(&self.shared, now, self.pause) {
            Ok(Some((Some(call), _))) => {
                let line = self.line.clone();
                self.calls.spawn(async move {
                    let answer = line.send(&call).await;
                    (number, call, answer)
                });
            }
            Ok(Some((None, at))) => self.agenda.push(Reverse((at, number))),
            Ok(None) => tracing::info!(number, "a virtual device reports no more: another unit stands in its place"),
            Err(error) => self.failed(number, &error),
        }
    }

    fn answered(&mut self, (number, call, answer): Done) {
        let now = self.shared.clock.moment();
        match self.reporters[number].answered(&self.shared, now, &call, &answer) {
            Ok(()) => self.agenda.push(Reverse((now.mono_ms, number))),
            Err(error) => self.failed(number, &error),
        }
    }

    fn failed(&mut self, number: usize, error: &io::Error) {
        tracing::warn!(%error, number, "a virtual device cannot report now");
        self.agenda.push(Reverse((self.shared.clock.moment().mono_ms + RETRY_MS, number)));
    }
}
