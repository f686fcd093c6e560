//! Starts looks when they are due: bounded in number, silent devices apart from those that answer.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use wire::{AgentPlan, Subject};

use super::{
    looks::Looker,
    slots::{Due, DueQueue, Look, hash64, next_slot},
};
use crate::{
    clock::wall_ms,
    state::orders::Periods,
    stats::{AgentStats, count},
};

/// Looks under way at devices that answer.
const LIVING: usize = 256;
/// Looks under way at devices that do not: they wait long and must not hold up the others.
const SILENT: usize = 64;
/// A look that begins later than this after its time is counted as late.
const LATE_MS: u64 = 1_000;
/// A silent device is asked this many times less often at most.
const SLOWEST: u32 = 5;
/// Time for looks to end when the agent stops.
const FAREWELL: Duration = Duration::from_secs(2);

/// The queue and what wakes its task.
pub(crate) struct Scheduler {
    looker: Arc<Looker>,
    queue: Mutex<Queue>,
    wake: Notify,
    living: Arc<Semaphore>,
    silent: Arc<Semaphore>,
    began: Instant,
    began_ms: u64,
    stats: Arc<AgentStats>,
    /// Devices with periods of their own.
    periods: Mutex<HashMap<Subject, Periods>>,
}

#[derive(Default)]
struct Queue {
    due: DueQueue,
    queued: HashSet<Subject>,
    generation: u32,
}

impl Scheduler {
    pub(crate) fn new(looker: Arc<Looker>, stats: Arc<AgentStats>, periods: Vec<(Subject, Periods)>) -> Self {
        let began_ms = u64::try_from(wall_ms()).unwrap_or(0);
        Self {
            looker,
            queue: Mutex::default(),
            wake: Notify::new(),
            living: Arc::new(Semaphore::new(LIVING)),
            silent: Arc::new(Semaphore::new(SILENT)),
            began: Instant::now(),
            began_ms,
            stats,
            periods: Mutex::new(periods.into_iter().collect()),
        }
    }

    /// Wall clock of the start plus time since: slots must not jump when someone sets the clock.
    fn now_ms(&self) -> u64 {
        self.began_ms + u64::try_from(self.began.elapsed().as_millis()).unwrap_or(0)
    }

    /// Puts a device into its slots, unless it is in them.
    pub(crate) fn add(&self, subject: Subject) {
        let mut queue = self.queue.lock();
        if queue.queued.insert(subject) {
            let generation = queue.generation;
            for look in [Look::Status, Look::Meters] {
                queue.due.push(self.next(subject, look, 0, generation));
            }
            drop(queue);
            self.wake.notify_one();
        }
    }

    /// Puts all devices into the slots of a new plan, but for those that it forbids to ask.
    pub(crate) fn replan(&self) {
        let forbidden = &self.looker.forbidden;
        let devices = self.looker.fleet.placed();
        let mut queue = self.queue.lock();
        queue.generation = queue.generation.wrapping_add(1);
        queue.due.clear();
        queue.queued.clear();
        drop(queue);
        for (subject, address, mac) in devices {
            if !forbidden.is(address, mac.as_deref()) {
                self.add(subject);
            }
        }
        self.wake.notify_one();
    }

    /// Looks at a device as often as an order says, from now on.
    pub(crate) fn set_periods(&self, subject: Subject, periods: Periods) {
        self.periods.lock().insert(subject, periods);
        self.replan();
    }

    fn next(&self, subject: Subject, look: Look, failures: u32, generation: u32) -> Due {
        let own = self.periods.lock().get(&subject).and_then(|periods| match look {
            Look::Status => periods.status_s,
            Look::Meters => periods.meters_s,
        });
        let planned = || period_ms(&self.looker.plan.borrow(), look);
        let period_ms = own.map_or_else(planned, |period| u64::from(period) * 1_000);
        let now = self.now_ms();
        let skipped = match look {
            Look::Status => (1_u32 << failures.min(5)).min(SLOWEST) - 1,
            Look::Meters => 0,
        };
        let at_ms = next_slot(now, subject, look, period_ms) + u64::from(skipped) * period_ms;
        Due { at_ms, subject, look, generation }
    }

    /// Runs looks until `stop`, then lets those under way end for a moment.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut looks = JoinSet::new();
        loop {
            while looks.try_join_next().is_some() {}
            let now = self.now_ms();
            let (due, next_at) = {
                let mut queue = self.queue.lock();
                let due = queue.due.pop_due(now);
                (due, queue.due.next_at())
            };
            if let Some(due) = due {
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = self.start(due, &mut looks) => {}
                }
                continue;
            }
            let wait = next_at.map_or(3_600_000, |at| at.saturating_sub(now)).max(1);
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(Duration::from_millis(wait)) => {}
            }
        }
        let _ = tokio::time::timeout(FAREWELL, async { while looks.join_next().await.is_some() {} }).await;
    }

    async fn start(self: &Arc<Self>, due: Due, looks: &mut JoinSet<()>) {
        let Some(failures) = self.looker.fleet.failures(due.subject) else {
            self.queue.lock().queued.remove(&due.subject);
            return;
        };
        let permit = if failures == 0 {
            self.living.clone().acquire_owned().await.ok()
        } else {
            self.silent.clone().try_acquire_owned().ok()
        };
        let Some(permit) = permit else {
            // All places for silent devices are taken: a little later, spread by name.
            let later = 1_000 + hash64(due.subject, due.look) % 4_000;
            self.queue.lock().due.push(Due { at_ms: self.now_ms() + later, ..due });
            return;
        };
        self.note_delay(due.at_ms);
        let this = self.clone();
        looks.spawn(async move { this.work(due, permit).await });
    }

    async fn work(&self, due: Due, permit: OwnedSemaphorePermit) {
        if let Some(newcomer) = self.looker.look(due.subject, due.look).await {
            self.add(newcomer);
        }
        drop(permit);
        let failures = self.looker.fleet.failures(due.subject).unwrap_or(0);
        let next = self.next(due.subject, due.look, failures, due.generation);
        let mut queue = self.queue.lock();
        if queue.generation == due.generation {
            queue.due.push(next);
            drop(queue);
            self.wake.notify_one();
        }
    }

    fn note_delay(&self, at_ms: u64) {
        let delay = self.now_ms().saturating_sub(at_ms);
        self.stats.worst_delay_ms.fetch_max(delay, Relaxed);
        if delay > LATE_MS {
            count(&self.stats.late_polls);
        }
    }
}

/// Period of a kind of look; a plan of 0 s means "as often as is sensible", not "always".
fn period_ms(plan: &AgentPlan, look: Look) -> u64 {
    u64::from(match look {
        Look::Status => plan.status_s.max(1),
        Look::Meters => plan.meters_s.max(5),
    }) * 1_000
}
