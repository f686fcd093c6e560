//! One discovery: first the places that are named singly, then the ranges part by part, then a word about how it went.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;
use snmp::{
    Security,
    sweep::{SweepConfig, sweep},
};
use tokio::{sync::mpsc, task::JoinSet};
use wire::{
    AgentPlan, Body,
    report::{DiscoveryBody, MAX_SIGHTINGS, Sighting},
};

use super::{
    Discovery,
    dns_sd::{Advertised, Link, browse},
    named::{Named, place_of},
    progress::{Progress, Tally},
    ranges::{self, Span, merge, parts, without},
};
use crate::{
    clock::wall_ms,
    state::outbox::Draft,
    stats::{AgentStats, count, set},
};

/// Further tries at an address that is silent: 3 packets in all (fleet.md §3, courtesy).
pub(super) const RETRIES: u8 = 2;
/// Wait for the answer of an address.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);
/// Readings of found devices under way.
const READERS: usize = 32;

/// What one discovery shares.
pub(super) struct Round {
    pub(super) at: Arc<Discovery>,
    /// Ways in, each with the place of its credential in the plan.
    pub(super) ways: Vec<(usize, Arc<Security>)>,
    pub(super) named: Named,
    pub(super) tally: Mutex<Tally>,
    /// Who answered by SNMP.
    pub(super) answered: Mutex<HashSet<IpAddr>>,
    pace: u32,
    turn: u32,
}

impl Discovery {
    /// One discovery over all that a plan names.
    pub(super) async fn round(self: Arc<Self>, plan: &AgentPlan, progress: &mut Progress) {
        let (ways, wrong) = device::ways_in(&plan.credentials);
        for error in wrong {
            tracing::warn!(%error, "a credential of the plan cannot be used");
        }
        if ways.is_empty() {
            return tracing::warn!("the plan has no usable credential; nothing can be discovered");
        }
        let ranges = ranges::read(&plan.ranges);
        for range in &ranges.unreadable {
            tracing::warn!(range, "a range of the plan cannot be read and is left out");
        }
        let advertised = self.announced(plan).await;
        let mut named = Named::default();
        named.targets(&plan.targets, &self.forbidden).await;
        named.advertised(&advertised, plan, &self.forbidden);
        for single in &ranges.singles {
            named.add(*single, None, &self.forbidden);
        }
        let parts = parts(&ranges.spans);
        let size = |part: &Vec<Span>| part.iter().map(|span| span.size()).sum::<u64>();
        let _running = Running::begin(&self.stats, named.places.len() as u64 + parts.iter().map(size).sum::<u64>());
        let round = Arc::new(Round {
            at: self.clone(),
            ways,
            named,
            tally: Mutex::default(),
            answered: Mutex::default(),
            pace: plan.discovery_pps.max(1),
            turn: progress.turn,
        });
        round.clone().ask_named().await;
        let first = std::mem::take(&mut *round.tally.lock());
        round.ask_ranges(&parts, progress, first.printers).await;
        round.tell(first, &advertised, progress).await;
        count(&self.stats.discoveries);
    }

    async fn announced(&self, plan: &AgentPlan) -> Vec<Advertised> {
        let links: Vec<Link> = plan.dns_sd.iter().filter_map(|text| text.parse().ok()).collect();
        if links.is_empty() {
            return Vec::new();
        }
        browse(&links).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "nobody could be asked by DNS-SD");
            Vec::new()
        })
    }
}

impl Round {
    /// Asks the places that are named singly: IPv4 in a sweep, IPv6 one by one at the pace of the plan.
    async fn ask_named(self: Arc<Self>) {
        let mut spans = Vec::new();
        let mut singles = Vec::new();
        for place in &self.named.places {
            match place.ip() {
                IpAddr::V4(address) => spans.push(Span::one(address, place.port())),
                IpAddr::V6(_) => singles.push(*place),
            }
        }
        let spans = merge(spans);
        for group in spans.chunk_by(|a, b| a.port == b.port) {
            self.clone().sweep(group.to_vec(), 0).await;
        }
        let mut readers = JoinSet::new();
        let mut pace = tokio::time::interval(Duration::from_secs(u64::from(RETRIES) + 1) / self.pace);
        for place in singles {
            pace.tick().await;
            if readers.len() >= READERS {
                readers.join_next().await;
            }
            let this = self.clone();
            readers.spawn(async move { this.ask_one(place).await });
            self.at.stats.probed.fetch_add(1, Relaxed);
        }
        while readers.join_next().await.is_some() {}
    }

    /// Asks the parts of the ranges that are not done yet, and remembers each that is.
    async fn ask_ranges(self: &Arc<Self>, parts: &[Vec<Span>], progress: &mut Progress, met: u64) {
        let done = progress.open.as_ref().map_or(0, |open| open.parts.min(parts.len()));
        *self.tally.lock() = progress.open.as_ref().map(|open| open.tally).unwrap_or_default();
        for part in &parts[..done] {
            self.at.stats.probed.fetch_add(part.iter().map(|span| span.size()).sum(), Relaxed);
        }
        for (number, part) in parts.iter().enumerate().skip(done) {
            let shunned = self.at.forbidden.shunned();
            let spans = without(part, &self.at.forbidden.rules(), &self.named.places, &shunned);
            let size = |spans: &[Span]| spans.iter().map(|span| span.size()).sum::<u64>();
            self.at.stats.probed.fetch_add(size(part) - size(&spans), Relaxed);
            if !spans.is_empty() {
                self.clone().sweep(spans, met).await;
            }
            if let Some(open) = &mut progress.open {
                (open.parts, open.tally) = (number + 1, *self.tally.lock());
            }
            progress.keep(&self.at.intake.outbox.state).await;
        }
    }

    /// Sweeps spans of one port and takes in what answers. `met` printers were met before.
    async fn sweep(self: Arc<Self>, spans: Vec<Span>, met: u64) {
        let size: u64 = spans.iter().map(|span| span.size()).sum();
        let (before, packets) = (self.at.stats.probed.load(Relaxed), Arc::new(AtomicU64::new(0)));
        let config = SweepConfig {
            targets: spans.iter().map(|span| span.range()).collect(),
            exclude: Vec::new(),
            port: spans.first().map_or(ranges::SNMP_PORT, |span| span.port),
            securities: self.ways.iter().map(|(_, way)| way.clone()).collect(),
            rate_pps: self.pace,
            subnets: self.at.subnets.clone(),
            retries: RETRIES,
            timeout: TIMEOUT,
            progress: packets.clone(),
            packets_per_address: RETRIES + 1,
            turn: self.turn,
        };
        let (send, mut found) = mpsc::channel(1_024);
        let sweeping = sweep(config, send);
        let taking_in = async {
            let mut readers = JoinSet::new();
            while let Some(found) = found.recv().await {
                if readers.len() >= READERS {
                    readers.join_next().await;
                }
                let this = self.clone();
                readers.spawn(async move { this.take_in(found).await });
            }
            while readers.join_next().await.is_some() {}
        };
        // Packets sent, told as addresses: the first pass asks each address once, the others only the silent ones.
        let show = || {
            let asked = (packets.load(Relaxed) / (u64::from(RETRIES) + 1)).min(size);
            self.at.stats.probed.store(before + asked, Relaxed);
            self.at.stats.found.store(met + self.tally.lock().printers, Relaxed);
        };
        let showing = async {
            loop {
                tokio::time::sleep(Duration::from_millis(500)).await;
                show();
            }
        };
        tokio::select! {
            (outcome, ()) = async { tokio::join!(sweeping, taking_in) } => match outcome {
                Ok(summary) => {
                    let mut tally = self.tally.lock();
                    tally.addresses += summary.probed;
                    tally.packets += summary.packets_sent;
                }
                Err(error) => tracing::error!(%error, "discovery could not send"),
            },
            () = showing => {}
        }
        show();
        self.at.stats.probed.store(before + size, Relaxed);
    }

    /// Tells the log and the server how it went.
    async fn tell(&self, first: Tally, advertised: &[Advertised], progress: &Progress) {
        let then = *self.tally.lock();
        let answered = self.answered.lock().clone();
        let is_silent = |host: &&Advertised| {
            !host.addresses.iter().any(|address| answered.contains(address))
                && place_of(host).is_some_and(|place| !self.at.forbidden.is(place, None))
        };
        let sighting = |host: &Advertised| Sighting {
            address: place_of(host).map(|place| place.ip().to_string()).unwrap_or_default(),
            name: host.name.clone(),
            model: host.model.clone(),
            services: host.services.clone(),
        };
        let body = DiscoveryBody {
            began_ms: progress.open.as_ref().map_or(0, |open| open.began_ms),
            ended_ms: wall_ms(),
            addresses: first.addresses + then.addresses,
            answered: first.answered + then.answered,
            printers: first.printers + then.printers,
            fresh: first.fresh + then.fresh,
            packets: first.packets + then.packets,
            forbidden: self.named.forbidden,
            silent: advertised.iter().filter(is_silent).take(MAX_SIGHTINGS).map(sighting).collect(),
            unresolved: self.named.unresolved.clone(),
        };
        let seconds = (body.ended_ms - body.began_ms) / 1_000;
        let (addresses, printers, fresh) = (body.addresses, body.printers, body.fresh);
        tracing::info!(addresses, answered = body.answered, printers, fresh, seconds, "discovery ended");
        let draft = Draft { taken_ms: wall_ms(), subject: None, body: Body::Discovery(Box::new(body)) };
        if let Err(error) = self.at.intake.outbox.record(vec![draft]).await {
            tracing::error!(%error, "how the discovery went could not be kept");
        }
    }

    /// Notes that an address answered by SNMP.
    pub(super) fn answers(&self, address: SocketAddr) {
        self.tally.lock().answered += 1;
        self.answered.lock().insert(address.ip());
    }
}

/// Shows that a discovery runs, until it is dropped.
struct Running(Arc<AgentStats>);

impl Running {
    fn begin(stats: &Arc<AgentStats>, total: u64) -> Self {
        set(&stats.probed, 0);
        set(&stats.found, 0);
        stats.to_probe.store(total, Relaxed);
        Self(stats.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        set(&self.0.to_probe, 0);
        set(&self.0.probed, 0);
        set(&self.0.found, 0);
    }
}
