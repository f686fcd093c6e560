//! The passes of a sweep: sends probes as the budget allows, takes answers in, and hands devices on.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::addresses::{Addresses, Bits};
use super::plan::{self, Loss};
use super::probe::{Probe, Probes, Said};
use super::strategy::Name;
use super::verify::{Clue, Hits, Trial};
use super::waits::Waits;
use super::{Found, SweepConfig, SweepSummary};
use crate::engine::{Engine, EngineConfig, Pacer, Parked};
use crate::socket::{BATCH, Batch, Inbox, Options, Outbox, Port, incoming};
use crate::target::{Security, Version};

/// Most addresses of one sweep.
const MOST: u64 = 1 << 24;
/// Devices whose credentials are tried at the same time.
const AT_ONCE: usize = 512;
/// The same, until one of them has shown which credential is in use: the others begin with that one.
const AT_FIRST: usize = 32;
/// Most addresses that wait for their subnet's turn.
const MOST_PARKED: usize = 4_096;
/// Largest range in which it is worth looking whether all addresses are settled.
const COUNTED: u64 = 1 << 16;

pub(super) struct Scan {
    pub(super) config: SweepConfig,
    securities: Arc<[Arc<Security>]>,
    /// Communities among the credentials, and how many are none.
    pub(super) names: Vec<Name>,
    pub(super) users: usize,
    pub(super) addresses: Addresses,
    port: Port,
    watch: UdpSocket,
    pacer: Arc<Pacer>,
    engine: Engine,
    probes: Probes,
    inbox: Inbox,
    outbox: Outbox,
    packet: Vec<u8>,
    /// Packets that each address got, and how many it may get while it is silent.
    asked: Vec<u8>,
    pub(super) most: u8,
    waits: Waits,
    /// Not to be asked again: answered, or called unreachable.
    pub(super) settled: Bits,
    found: Bits,
    candidates: VecDeque<(u64, Clue)>,
    trials: JoinSet<(u64, Option<Found>)>,
    /// How often each credential was let in.
    pub(super) hits: Arc<Hits>,
    /// Place of the community that all are asked with.
    pub(super) main: Option<usize>,
    /// Devices that spoke but let us in with nothing.
    locked: u64,
    /// Devices that spoke, and how: to the first probe, or to the discovery of engines.
    pub(super) heard: u64,
    pub(super) systems: Bits,
    pub(super) engines: Bits,
    /// Answers to echoes, by the number of their pass.
    echo: Option<(usize, Bits)>,
    results: mpsc::UnboundedSender<Found>,
    pub(super) gone: bool,
}

impl Scan {
    pub(super) fn open(config: SweepConfig, on_found: mpsc::Sender<Found>) -> io::Result<Self> {
        let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidInput, text);
        let addresses = Addresses::new(&config.targets, &config.exclude);
        if addresses.len() > MOST {
            return Err(invalid(format!("{} addresses are more than {MOST}: name fewer", addresses.len())));
        }
        if config.securities.is_empty() {
            return Err(invalid("no credentials to look with: give a community or a user".to_owned()));
        }
        let pacer = Arc::new(Pacer::new(config.rate_pps, Instant::now()));
        let bind = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let port = Port::open(Options { errors: true, ..Options::new(bind) })?;
        let engine =
            Engine::start_paced(&EngineConfig { shards: 1, ..EngineConfig::default() }, Some(&pacer), &config.subnets)?;
        Ok(Self {
            watch: port.watch()?,
            users: config.securities.iter().filter(|way| matches!(***way, Security::Usm { .. })).count(),
            names: Name::all(&config.securities),
            hits: Arc::new(Hits::new(config.securities.len())),
            securities: config.securities.clone().into(),
            asked: vec![0; addresses.len() as usize],
            most: config.packets_per_address.max(1),
            waits: Waits::new(addresses.len(), config.timeout),
            main: None,
            settled: Bits::new(addresses.len()),
            found: Bits::new(addresses.len()),
            probes: Probes::default(),
            inbox: Inbox::new(),
            outbox: Outbox::default(),
            packet: Vec::new(),
            candidates: VecDeque::new(),
            trials: JoinSet::new(),
            locked: 0,
            heard: 0,
            systems: Bits::new(addresses.len()),
            engines: Bits::new(addresses.len()),
            echo: None,
            gone: false,
            config,
            addresses,
            port,
            pacer,
            engine,
            results: forward(on_found),
        })
    }

    pub(super) async fn run(mut self) -> io::Result<SweepSummary> {
        let start = Instant::now();
        if self.addresses.len() > 0 {
            self.passes().await?;
            if let Some(end) = self.waits.end().filter(|_| !self.gone) {
                self.linger_until(|_| end).await?;
            }
            self.finish_trials().await?;
        }
        self.config.progress.store(self.pacer.total(), Ordering::Relaxed);
        Ok(SweepSummary {
            probed: self.addresses.len(),
            answered: self.found.count(),
            locked: self.locked,
            packets_sent: self.pacer.total(),
            seconds: start.elapsed().as_secs_f64(),
        })
    }

    /// Sends a probe to the first `most` silent addresses that got at most `asked` packets so far; returns how many
    /// devices more have spoken afterwards.
    pub(super) async fn silent_pass(&mut self, probe: &Probe, most: u64, asked: u8) -> io::Result<u64> {
        let before = self.heard;
        let (pass, mut order, mut left) = (self.probes.begin(probe.clone()), self.addresses.shuffled(), most);
        let next = |scan: &Self| {
            if left == 0 {
                return None;
            }
            let index = order.find(|index| !scan.settled.get(*index) && scan.asked[*index as usize] <= asked)?;
            left -= 1;
            Some(index)
        };
        self.pass(pass, next, |scan, index| !scan.settled.get(index)).await?;
        if most >= self.addresses.len() {
            self.waits.pass_ended(Instant::now());
        }
        Ok(self.heard - before)
    }

    pub(super) async fn echo_round(&mut self, probe: &Probe) -> io::Result<Loss> {
        let stride = self.heard.div_ceil(plan::ECHOES).max(1);
        let engines = *probe == Probe::Discovery;
        let (mut asked, mut seen) = (0, 0);
        let (pass, mut order) = (self.probes.begin(probe.clone()), self.addresses.shuffled());
        self.echo = Some((pass, Bits::new(self.addresses.len())));
        let next = |scan: &Self| {
            let index = order.find(|index| {
                if !(if engines { &scan.engines } else { &scan.systems }).get(*index) {
                    return false;
                }
                seen += 1;
                seen % stride == 0
            })?;
            asked += 1;
            Some(index)
        };
        self.pass(pass, next, |_, _| true).await?;
        let answered = self.echo.take().map_or(0, |(_, bits)| bits.count());
        Ok(Loss { asked, lost: asked - answered.min(asked) })
    }

    /// Sends the probe of a pass to the addresses `next` names, those that have to wait for their subnet's turn only if
    /// they are `wanted` then, and waits for the last answers.
    async fn pass(
        &mut self,
        pass: usize,
        mut next: impl FnMut(&Self) -> Option<u64>,
        wanted: impl Fn(&Self, u64) -> bool,
    ) -> io::Result<()> {
        let (mut line, mut sent) = (Line { more: true, parked: Parked::default() }, false);
        while !line.is_over() && !self.gone {
            let now = Instant::now();
            let granted = self.pacer.take(now, BATCH);
            self.outbox.clear();
            for used in 0..granted {
                let Some(index) = self.whose_turn(&mut line, &mut next, &wanted, now) else {
                    self.pacer.put_back(granted - used);
                    break;
                };
                self.push(pass, index, now);
                sent = true;
            }
            self.flush().await?;
            self.take_in();
            self.look_after_trials();
            if !line.is_over() {
                let now = Instant::now();
                self.idle(self.pacer.wait(now).max(line.wait(now))).await?;
            }
        }
        if sent {
            self.linger().await?;
        }
        Ok(())
    }

    /// The next address of a pass that may be asked now.
    fn whose_turn(
        &self,
        line: &mut Line,
        next: &mut impl FnMut(&Self) -> Option<u64>,
        wanted: &impl Fn(&Self, u64) -> bool,
        now: Instant,
    ) -> Option<u64> {
        let subnets = &self.config.subnets;
        if let Some(index) = line.parked.due(now, subnets, |index| wanted(self, *index)) {
            return Some(index);
        }
        while line.more && line.parked.len() < MOST_PARKED {
            let Some(index) = next(self) else {
                line.more = false;
                break;
            };
            let address = IpAddr::V4(self.addresses.get(index));
            match subnets.take(address, now) {
                Ok(()) => return Some(index),
                Err(later) => line.parked.park(later, address, index),
            }
        }
        None
    }

    fn push(&mut self, pass: usize, index: u64, now: Instant) {
        let address = self.addresses.get(index);
        self.probes.write(pass, address, &mut self.packet);
        let to = SocketAddr::from((address, self.config.port));
        self.outbox.push(to, None, index as u32, &self.packet);
        let asked = &mut self.asked[index as usize];
        *asked = asked.saturating_add(1);
        self.waits.asked(index, now);
    }

    async fn flush(&mut self) -> io::Result<()> {
        while self.port.send(&mut self.outbox).is_err() {
            self.watch.ready(Interest::WRITABLE).await?;
            let _ = self.watch.try_io(Interest::WRITABLE, || self.port.send(&mut self.outbox));
        }
        for (index, _) in self.outbox.failed.drain(..) {
            self.settled.set(u64::from(index));
        }
        self.config.progress.store(self.pacer.total(), Ordering::Relaxed);
        Ok(())
    }

    /// Waits for an answer or until `wait` is over.
    pub(super) async fn idle(&mut self, wait: Duration) -> io::Result<()> {
        if wait.is_zero() {
            tokio::task::yield_now().await;
            return Ok(());
        }
        tokio::select! {
            ready = self.watch.ready(incoming()) => {
                if ready?.is_error() {
                    self.take_refusals();
                }
            }
            () = tokio::time::sleep(wait) => {}
        }
        Ok(())
    }

    /// Takes answers in until the last probe has had its time.
    async fn linger(&mut self) -> io::Result<()> {
        let begun = Instant::now();
        self.linger_until(|waits| begun + waits.after_a_pass()).await
    }

    async fn linger_until(&mut self, end: impl Fn(&Waits) -> Instant) -> io::Result<()> {
        while let Some(left) = end(&self.waits).checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            && !self.nobody_is_open()
        {
            self.idle(left.min(Duration::from_millis(50))).await?;
            self.take_in();
            self.look_after_trials();
            self.gone |= self.results.is_closed();
        }
        Ok(())
    }

    /// Whether every address has answered or was called unreachable, so that nothing is worth waiting for.
    fn nobody_is_open(&self) -> bool {
        self.echo.is_none() && self.addresses.len() <= COUNTED && self.settled.count() >= self.addresses.len()
    }

    fn take_refusals(&mut self) {
        let mut refused = Vec::new();
        let _ = self.watch.try_io(Interest::ERROR, || -> io::Result<()> {
            self.port.refusals(&mut refused);
            Err(io::ErrorKind::WouldBlock.into())
        });
        for refused in refused {
            if let IpAddr::V4(address) = refused.target.ip()
                && let Some(index) = self.addresses.index(address)
            {
                self.settled.set(index);
            }
        }
    }

    pub(super) fn take_in(&mut self) {
        for _ in 0..16 {
            let batch = match self.port.receive_watched(&self.watch, &mut self.inbox) {
                Ok(batch) => batch,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => continue,
            };
            for place in 0..self.inbox.len() {
                let item = self.inbox.get(place);
                let from = item.from;
                let IpAddr::V4(address) = from.ip() else { continue };
                let Some(index) = self.addresses.index(address) else { continue };
                let said = self.probes.read(address, item.bytes);
                if let Some((pass, said)) = said.filter(|_| from.port() == self.config.port) {
                    self.hear(index, from, pass, said);
                }
            }
            if batch == Batch::Last {
                return;
            }
        }
    }

    fn hear(&mut self, index: u64, address: SocketAddr, pass: usize, said: Said) {
        if let Some((echo, bits)) = &mut self.echo
            && *echo == pass
        {
            bits.set(index);
            return;
        }
        let fresh = self.settled.set(index);
        if fresh {
            self.heard += 1;
            if self.asked[index as usize] == 1 {
                self.waits.answered(index, Instant::now());
            }
        }
        match said {
            Said::System { version, credential, sys_object_id, sys_descr } => {
                if self.main == Some(credential) {
                    self.systems.set(index);
                }
                let found = Found { address, version, credential, sys_object_id, sys_descr };
                let asked = self.securities[credential].version();
                if version == Version::V1 && asked != Version::V1 {
                    if fresh {
                        self.candidates.push_back((index, Clue::V1(found)));
                    }
                } else {
                    self.hand_on(index, found);
                }
            }
            Said::Engine if fresh => {
                self.engines.set(index);
                self.candidates.push_back((index, Clue::Engine));
            }
            Said::Engine => {}
        }
    }

    fn hand_on(&mut self, index: u64, found: Found) {
        if self.found.set(index) {
            self.gone |= self.results.send(found).is_err();
        }
    }

    /// Starts trials of credentials and takes finished ones in.
    pub(super) fn look_after_trials(&mut self) {
        let at_once = if self.hits.any() || self.locked >= AT_FIRST as u64 { AT_ONCE } else { AT_FIRST };
        while self.trials.len() < at_once {
            let Some((index, clue)) = self.candidates.pop_front() else { break };
            if self.found.get(index) {
                continue;
            }
            let trial = Trial {
                engine: self.engine.clone(),
                address: SocketAddr::from((self.addresses.get(index), self.config.port)),
                securities: Arc::clone(&self.securities),
                hits: Arc::clone(&self.hits),
                timeout: self.waits.after_a_pass(),
            };
            self.trials.spawn(async move { (index, trial.run(clue).await) });
        }
        while let Some(done) = self.trials.try_join_next() {
            self.settle_trial(done);
        }
    }

    pub(super) fn has_trials(&self) -> bool {
        !(self.trials.is_empty() && self.candidates.is_empty())
    }

    fn settle_trial(&mut self, done: Result<(u64, Option<Found>), tokio::task::JoinError>) {
        match done {
            Ok((index, Some(found))) => self.hand_on(index, found),
            Ok((index, None)) => self.locked += u64::from(!self.found.get(index)),
            Err(error) => tracing::error!(%error, "a trial of credentials ended early"),
        }
    }

    async fn finish_trials(&mut self) -> io::Result<()> {
        self.look_after_trials();
        while !self.gone && self.has_trials() {
            if let Some(done) = self.trials.join_next().await {
                self.settle_trial(done);
            }
            self.take_in();
            self.look_after_trials();
        }
        Ok(())
    }
}

/// What a pass has still to ask.
struct Line {
    /// There are addresses that were not looked at yet.
    more: bool,
    parked: Parked<u64>,
}

impl Line {
    fn is_over(&self) -> bool {
        !self.more && self.parked.len() == 0
    }

    /// How long no subnet has a turn, if all that is left waits for that.
    fn wait(&self, now: Instant) -> Duration {
        let only_parked = !self.more || self.parked.len() >= MOST_PARKED;
        let next = self.parked.next().filter(|_| only_parked);
        next.map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }
}

/// A queue in front of the receiver: a slow one must not keep answers waiting in the socket.
fn forward(on_found: mpsc::Sender<Found>) -> mpsc::UnboundedSender<Found> {
    let (results, mut waiting) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(found) = waiting.recv().await {
            if on_found.send(found).await.is_err() {
                break;
            }
        }
    });
    results
}
