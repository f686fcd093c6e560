//! One task for all devices of a fleet that report: a heap of times to look, and a bounded number of tasks on their way.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use embedded::{Answer, Call, Called, Mail, Task, Trouble};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::line::Line;
use super::listener::{Listener, Visit};
use super::post::{Mailbox, Post};
use super::reporter::Reporter;
use crate::fleet::Shared;

/// Most tasks at a time; who comes later waits for the end of another.
const MOST_TASKS: usize = 64;
/// Shortest time between two looks at a device, and what each device of a large fleet adds to it.
const PAUSE: Duration = Duration::from_millis(50);
const PAUSE_EACH: Duration = Duration::from_micros(50);
/// After a memory that failed.
const RETRY_MS: u64 = 60_000;

/// The ways to the server that all devices share.
pub(super) struct Ways {
    pub(super) line: Line,
    pub(super) post: Post,
}

/// What ended.
enum Done {
    Called(Call, Result<Answer, Trouble>),
    Sent(Mail, Result<(), Trouble>),
    Fetched(Result<Box<Mailbox>, Trouble>),
    /// A mailbox was left.
    Left,
    /// An answer of a device to its server left whole, or never will.
    Answered(Called, bool),
}

struct Driver {
    shared: Arc<Shared>,
    ways: Ways,
    reporters: Vec<Reporter>,
    pause: Duration,
    /// When to look at which device, monotonic milliseconds; a device whose task is on its way is not in it.
    agenda: BinaryHeap<Reverse<(u64, usize)>>,
    tasks: JoinSet<(usize, Done)>,
}

/// Reports until it is aborted.
pub(super) async fn drive(
    shared: Arc<Shared>,
    ways: Ways,
    reporters: Vec<Reporter>,
    doorsteps: Vec<(usize, Listener)>,
) {
    let pause = PAUSE.max(PAUSE_EACH * u32::try_from(reporters.len()).unwrap_or(u32::MAX));
    let agenda = (0..reporters.len()).map(|number| Reverse((0, number))).collect();
    let (door, mut visits) = mpsc::channel(MOST_TASKS);
    // They end with this task.
    let mut listeners = JoinSet::new();
    for (number, listener) in doorsteps {
        listeners.spawn(listener.serve(number, door.clone()));
    }
    let mut driver = Driver { shared, ways, reporters, pause, agenda, tasks: JoinSet::new() };
    loop {
        let wait = driver.turns();
        let room = driver.tasks.len() < MOST_TASKS;
        tokio::select! {
            Some(done) = driver.tasks.join_next(), if !driver.tasks.is_empty() => {
                if let Ok((number, done)) = done {
                    driver.done(number, done);
                }
            }
            Some(visit) = visits.recv() => driver.visited(visit),
            () = tokio::time::sleep(wait), if room => {}
        }
    }
}

impl Driver {
    /// Looks at all devices whose time has come; how long to wait for the next.
    fn turns(&mut self) -> Duration {
        while self.tasks.len() < MOST_TASKS {
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
            Ok(Some((Some(task), _))) => self.begin(number, task),
            Ok(Some((None, at))) => self.agenda.push(Reverse((at, number))),
            Ok(None) => tracing::info!(number, "a virtual device reports no more: another unit stands in its place"),
            Err(error) => self.failed(number, &error),
        }
    }

    fn begin(&mut self, number: usize, task: Task) {
        let (own, post) = (self.reporters[number].line().cloned(), self.ways.post.clone());
        let line = own.unwrap_or_else(|| self.ways.line.clone());
        self.tasks.spawn(async move {
            let done = match task {
                Task::Call(call) => {
                    let answer = line.send(&call).await;
                    Done::Called(call, answer)
                }
                Task::Mail(mail) => {
                    let outcome = post.send(&mail).await;
                    Done::Sent(mail, outcome)
                }
                Task::Fetch(fetch) => Done::Fetched(post.fetch(&fetch).await.map(Box::new)),
            };
            (number, done)
        });
    }

    fn done(&mut self, number: usize, done: Done) {
        let now = self.shared.clock.moment();
        let reporter = &mut self.reporters[number];
        let outcome = match done {
            Done::Called(call, answer) => reporter.answered(&self.shared, now, &call, &answer),
            Done::Sent(mail, outcome) => reporter.sent(now, &mail, outcome),
            Done::Fetched(Err(trouble)) => reporter.fetched(&self.shared, now, Err(trouble)).map(drop),
            Done::Fetched(Ok(mailbox)) => match reporter.fetched(&self.shared, now, Ok(&mailbox.mails)) {
                Ok(places) => {
                    self.tasks.spawn(async move {
                        mailbox.leave(places).await;
                        (number, Done::Left)
                    });
                    return;
                }
                Err(error) => Err(error),
            },
            Done::Left => Ok(()),
            // Beside the device's own tasks: it is on the agenda, or comes back to it by them.
            Done::Answered(called, whole) => {
                if whole && let Err(error) = reporter.called_back(&called) {
                    tracing::warn!(%error, number, "a virtual device will tell its answers again");
                }
                return;
            }
        };
        match outcome {
            Ok(()) => self.agenda.push(Reverse((now.mono_ms, number))),
            Err(error) => self.failed(number, &error),
        }
    }

    /// The server called a device.
    fn visited(&mut self, visit: Visit) {
        let (number, now) = (visit.number, self.shared.clock.moment());
        let (status, called) = match self.reporters[number].called(&self.shared, now, &visit.body) {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(%error, number, "a virtual device cannot take a call now");
                (503, Called::default())
            }
        };
        let (whole, left) = oneshot::channel();
        if visit.answer.send((status, called.answer.clone(), whole)).is_ok() {
            self.tasks.spawn(async move { (number, Done::Answered(called, left.await.is_ok())) });
        }
    }

    fn failed(&mut self, number: usize, error: &io::Error) {
        tracing::warn!(%error, number, "a virtual device cannot report now");
        self.agenda.push(Reverse((self.shared.clock.moment().mono_ms + RETRY_MS, number)));
    }
}
