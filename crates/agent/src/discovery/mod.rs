//! Finds printers where the plan says: when its hours are open, at its pace, at once when a person asks or when it
//! names other places. `round` is one discovery; `progress` lets a killed agent go on where it was.

mod arrivals;
mod calendar;
pub mod dns_sd;
pub(crate) mod exclusion;
mod named;
mod neighbours;
mod progress;
mod ranges;
mod round;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use snmp::{Engine, Subnets};
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use wire::AgentPlan;

use crate::{
    clock::wall_ms,
    polling::{fleet::Fleet, intake::Intake, looks::Looker, scheduler::Scheduler},
    stats::AgentStats,
};
use exclusion::Forbidden;
use progress::{Open, Progress, places};

/// A plan without places is looked at again after this time, should no other come before.
const NOTHING_TO_DO: Duration = Duration::from_secs(3_600);
/// While a discovery runs, its hours are looked at this often.
const HOURS_CHECK: Duration = Duration::from_secs(20);

/// The task that discovers.
pub(crate) struct Discovery {
    pub(crate) engine: Engine,
    /// What each subnet may get, from polling and discovery together.
    pub(crate) subnets: Subnets,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) looker: Arc<Looker>,
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) forbidden: Arc<Forbidden>,
    pub(crate) plan: watch::Receiver<AgentPlan>,
    /// Rises when an order wants a discovery now.
    pub(crate) sweeps: watch::Receiver<u64>,
    pub(crate) stats: Arc<AgentStats>,
}

/// How a discovery ended.
enum Ending {
    /// It has asked everybody.
    Whole,
    /// The plan names other places, or its hours are over.
    BrokenOff,
    /// The agent stops.
    Stopped,
}

impl Discovery {
    /// Discovers until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let this = Arc::new(self);
        let mut changes = this.plan.clone();
        let mut plan = changes.borrow_and_update().clone();
        let mut progress = Progress::load(&this.intake.outbox.state, &plan).await;
        let mut due = Instant::now();
        let (mut sweeps, mut is_ordered) = (this.sweeps.clone(), false);
        loop {
            is_ordered |= sweeps.has_changed().unwrap_or(false);
            let is_asked = is_ordered || plan.asked != progress.asked;
            if let Some(rest) = Some(()).filter(|()| !is_asked).and_then(|()| this.rest(&plan, &progress, due)) {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(rest) => {}
                    changed = changes.changed() => if changed.is_err() { return },
                    ordered = sweeps.changed() => is_ordered = ordered.is_ok(),
                }
                let before = places(&plan);
                plan = changes.borrow_and_update().clone();
                if places(&plan) != before {
                    due = Instant::now();
                }
                continue;
            }
            let began = Instant::now();
            sweeps.mark_unchanged();
            is_ordered = false;
            match this.clone().one(&plan, &mut progress, is_asked, &mut changes, &stop).await {
                Ending::Whole => {
                    // A tenth of jitter, so that agents of one plan do not sweep together.
                    let period = Duration::from_secs(u64::from(plan.discovery_s.max(10)));
                    due = began + period.mul_f64(0.95 + 0.1 * rand::random::<f64>());
                }
                Ending::BrokenOff => due = Instant::now(),
                Ending::Stopped => return,
            }
            plan = changes.borrow_and_update().clone();
        }
    }

    /// How long to rest before the next discovery may begin; `None`: not at all.
    fn rest(&self, plan: &AgentPlan, progress: &Progress, due: Instant) -> Option<Duration> {
        if plan.ranges.is_empty() && plan.targets.is_empty() && plan.dns_sd.is_empty() {
            self.stats.next_discovery_ms.store(0, Relaxed);
            return Some(NOTHING_TO_DO);
        }
        let left = if progress.is_open(plan) { Duration::ZERO } else { due.saturating_duration_since(Instant::now()) };
        let due_ms = wall_ms() + i64::try_from(left.as_millis()).unwrap_or(0);
        let opens_ms = calendar::opens_ms(plan, due_ms).unwrap_or(due_ms);
        self.stats.next_discovery_ms.store(u64::try_from(opens_ms).unwrap_or(0), Relaxed);
        calendar::wait(plan).map(|closed| closed.max(left)).or(Some(left).filter(|left| !left.is_zero()))
    }

    /// Begins a discovery, or goes on with one that was broken off.
    async fn one(
        self: Arc<Self>,
        plan: &AgentPlan,
        progress: &mut Progress,
        is_asked: bool,
        changes: &mut watch::Receiver<AgentPlan>,
        stop: &CancellationToken,
    ) -> Ending {
        progress.asked = plan.asked;
        if !progress.is_open(plan) {
            progress.turn = progress.turn.wrapping_add(1);
            progress.open = Some(Open { places: places(plan), began_ms: wall_ms(), ..Open::default() });
        }
        let state = self.intake.outbox.state.clone();
        progress.keep(&state).await;
        self.stats.next_discovery_ms.store(0, Relaxed);
        let mut hours = self.plan.clone();
        let ending = tokio::select! {
            () = stop.cancelled() => Ending::Stopped,
            () = self.clone().round(plan, progress) => Ending::Whole,
            () = looks_elsewhere(changes, plan) => Ending::BrokenOff,
            () = close(&mut hours), if !is_asked => Ending::BrokenOff,
        };
        if let Ending::Whole = ending {
            progress.open = None;
            progress.keep(&state).await;
        }
        ending
    }
}

/// Ends when a plan comes that looks in other places or with other credentials.
async fn looks_elsewhere(changes: &mut watch::Receiver<AgentPlan>, present: &AgentPlan) {
    let here = places(present);
    if changes.wait_for(|plan| places(plan) != here).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Ends when the hours of the plan are over.
async fn close(plan: &mut watch::Receiver<AgentPlan>) {
    loop {
        let is_closed = calendar::wait(&plan.borrow_and_update()).is_some();
        if is_closed {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(HOURS_CHECK) => {}
            changed = plan.changed() => if changed.is_err() { std::future::pending::<()>().await },
        }
    }
}
