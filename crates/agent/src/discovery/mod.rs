//! Finds printers in the ranges of the plan: a polite sweep, then a reading of whoever answers and prints.
//! The first run is at once, the next ones at the plan's pace; a plan with other ranges starts one at once again.

pub(crate) mod ranges;
mod securities;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, atomic::AtomicU64, atomic::Ordering::Relaxed},
    time::Duration,
};

use device::Guess;
use snmp::{
    Engine, Oid, Security, Target,
    sweep::{Found, Ipv4Range, SweepConfig, sweep},
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use wire::AgentPlan;

use crate::{
    clock::wall_ms,
    polling::{
        fleet::Fleet,
        intake::{Intake, Taken},
        looks::{FULL_TIME, Looker, urgent_hash},
        scheduler::Scheduler,
    },
    stats::{AgentStats, count, set},
};
use ranges::{Span, spans};

/// Further tries at an address that is silent: 3 packets in all (fleet.md §3, courtesy).
const RETRIES: u8 = 2;
/// Wait for the answer of an address.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Readings of found devices under way.
const READERS: usize = 32;
/// Printer-MIB (RFC 3805).
const PRINTER_MIB: &[u32] = &[1, 3, 6, 1, 2, 1, 43];

/// The task that discovers.
pub(crate) struct Discovery {
    pub(crate) engine: Engine,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) looker: Arc<Looker>,
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) plan: watch::Receiver<AgentPlan>,
    pub(crate) stats: Arc<AgentStats>,
}

impl Discovery {
    /// Discovers until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let this = Arc::new(self);
        let mut plan_changes = this.plan.clone();
        loop {
            let plan = plan_changes.borrow_and_update().clone();
            let began = tokio::time::Instant::now();
            tokio::select! {
                () = stop.cancelled() => return,
                () = this.clone().once(&plan) => {}
                () = looks_elsewhere(&mut plan_changes, &plan) => continue,
            }
            // A tenth of jitter, so that agents of one plan do not sweep together.
            let period = Duration::from_secs(u64::from(plan.discovery_s.max(10)));
            let again = began + period.mul_f64(0.95 + 0.1 * rand::random::<f64>());
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(again) => {}
                () = looks_elsewhere(&mut plan_changes, &plan) => {}
            }
        }
    }

    /// One discovery over all ranges of a plan.
    async fn once(self: Arc<Self>, plan: &AgentPlan) {
        let (spans, unreadable) = spans(&plan.ranges, &plan.exclude);
        for range in unreadable {
            tracing::warn!(range, "a range of the plan cannot be read and is left out");
        }
        let total: u64 = spans.iter().map(|span| span.size()).sum();
        if total == 0 {
            return;
        }
        let ways = securities::securities(&plan.credentials);
        if ways.is_empty() {
            return tracing::warn!("the plan has no usable credential; nothing can be discovered");
        }
        let _running = Running::begin(&self.stats, total);
        let mut done = 0;
        for group in spans.chunk_by(|a, b| a.port == b.port) {
            self.clone().sweep(plan, &ways, group, &mut done).await;
        }
        count(&self.stats.discoveries);
        tracing::info!(addresses = total, devices = self.stats.view().devices, "discovery ended");
    }

    async fn sweep(self: Arc<Self>, plan: &AgentPlan, ways: &[Arc<Security>], spans: &[Span], done: &mut u64) {
        let targets = spans
            .iter()
            .map(|span| Ipv4Range { first: Ipv4Addr::from_bits(span.first), last: Ipv4Addr::from_bits(span.last) });
        let size: u64 = spans.iter().map(|span| span.size()).sum();
        let progress = Arc::new(AtomicU64::new(0));
        let config = SweepConfig {
            targets: targets.collect(),
            exclude: Vec::new(),
            port: spans.first().map_or(ranges::SNMP_PORT, |span| span.port),
            securities: ways.to_vec(),
            rate_pps: plan.discovery_pps.max(1),
            retries: RETRIES,
            timeout: TIMEOUT,
            progress: progress.clone(),
        };
        let (send, mut found) = mpsc::channel(1_024);
        let sweeping = sweep(config, send);
        let taking_in = async {
            let mut readers = JoinSet::new();
            while let Some(found) = found.recv().await {
                self.show_progress(*done, size, &progress);
                if readers.len() >= READERS {
                    readers.join_next().await;
                }
                let (this, way) = (self.clone(), ways.get(found.credential).cloned());
                readers.spawn(async move { this.take_in(found, way).await });
            }
            while readers.join_next().await.is_some() {}
        };
        let showing = async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                self.show_progress(*done, size, &progress);
            }
        };
        tokio::select! {
            (outcome, ()) = async { tokio::join!(sweeping, taking_in) } => {
                if let Err(e) = outcome {
                    tracing::error!(error = %e, "discovery could not send");
                }
            }
            () = showing => {}
        }
        *done += size;
    }

    /// Packets sent, told as addresses: the first round asks each address once, the others only the silent ones.
    fn show_progress(&self, done: u64, size: u64, packets: &AtomicU64) {
        let rounds = u64::from(RETRIES) + 1;
        let asked = (packets.load(Relaxed) / rounds).min(size);
        self.stats.probed.store(done + asked, Relaxed);
    }

    /// Someone answered: if it is a printer that is not known and well already, read it.
    async fn take_in(&self, found: Found, way: Option<Arc<Security>>) {
        let address = found.address;
        if self.fleet.at(address).is_some_and(|device| device.failures == 0) {
            return;
        }
        let Guess { is_printer, .. } = device::identify(found.sys_object_id.as_ref(), found.sys_descr.as_deref());
        if !is_printer && !self.has_printer_mib(address, way).await {
            return count(&self.stats.not_printers);
        }
        let (access, taken_ms) = (self.looker.access(address, FULL_TIME), wall_ms());
        let read = match device::read(&self.engine, &access).await {
            Ok(read) => read,
            Err(e) => return tracing::debug!(error = %e, "a device that answered discovery could not be read"),
        };
        let mut taken = self.intake.full(address, &read, taken_ms, false).await;
        if let Ok(Taken::Elsewhere(subject, elsewhere)) = taken {
            if self.looker.stands_at(elsewhere, subject).await {
                // Two network cards, or two names of one machine: one device, read at the address known first.
                return count(&self.stats.aliases);
            }
            taken = self.intake.full(address, &read, taken_ms, true).await;
        }
        match taken {
            Ok(Taken::New(subject) | Taken::Known(subject)) => {
                self.fleet.answered(subject);
                if let Ok(vitals) = device::vitals(&self.engine, &access, &read.known).await {
                    self.fleet.set_vitals_hash(subject, urgent_hash(&vitals));
                    self.fleet.set_vitals(subject, vitals);
                }
                self.scheduler.add(subject);
            }
            Ok(Taken::Elsewhere(..)) => {}
            Ok(Taken::Contested) => count(&self.stats.aliases),
            Err(e) => tracing::error!(error = %e, "a found device could not be kept"),
        }
    }

    /// Asks once for whatever follows the root of the Printer-MIB.
    async fn has_printer_mib(&self, address: SocketAddr, way: Option<Arc<Security>>) -> bool {
        let Some(security) = way else { return false };
        let target = Target { address, security, timeout: TIMEOUT, retries: 1 };
        let root = Oid::from_arcs(PRINTER_MIB);
        let next = self.engine.get_next(&target, std::slice::from_ref(&root)).await;
        next.is_ok_and(|rows| rows.iter().any(|row| row.oid.starts_with(&root) && !row.value.is_missing()))
    }
}

/// Shows that a discovery runs, until it is dropped.
struct Running<'a>(&'a AgentStats);

impl<'a> Running<'a> {
    fn begin(stats: &'a AgentStats, total: u64) -> Self {
        stats.probed.store(0, Relaxed);
        stats.to_probe.store(total, Relaxed);
        Self(stats)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        set(&self.0.to_probe, 0);
        set(&self.0.probed, 0);
    }
}

/// Ends when a plan comes that looks in other places or with other credentials.
async fn looks_elsewhere(changes: &mut watch::Receiver<AgentPlan>, present: &AgentPlan) {
    let places = |plan: &AgentPlan| (plan.ranges.clone(), plan.exclude.clone(), plan.credentials.clone());
    let here = places(present);
    if changes.wait_for(|plan| places(plan) != here).await.is_err() {
        std::future::pending::<()>().await;
    }
}
