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
use super::verify::{Clue, verify};
use super::{Found, SweepConfig, SweepSummary};
use crate::engine::{Engine, EngineConfig, Pacer};
use crate::socket::{BATCH, Batch, Inbox, Options, Outbox, Port, incoming};
use crate::target::{Security, Version};

/// Most addresses of one sweep.
const MOST: u64 = 1 << 24;
/// Devices whose credentials are tried at the same time.
const AT_ONCE: usize = 512;

pub(super) struct Scan {
    config: SweepConfig,
    securities: Arc<[Arc<Security>]>,
    addresses: Addresses,
    port: Port,
    watch: UdpSocket,
    pacer: Arc<Pacer>,
    engine: Engine,
    probes: Probes,
    inbox: Inbox,
    outbox: Outbox,
    packet: Vec<u8>,
    /// Not to be asked again: answered, or called unreachable.
    settled: Bits,
    found: Bits,
    candidates: VecDeque<(u64, Clue)>,
    trials: JoinSet<(u64, Option<Found>)>,
    /// Devices that spoke but let us in with nothing.
    locked: u64,
    /// Devices that spoke, and how: to the first probe, or to the discovery of engines.
    heard: u64,
    systems: Bits,
    engines: Bits,
    /// Answers to echoes, by the number of their pass.
    echo: Option<(usize, Bits)>,
    results: mpsc::UnboundedSender<Found>,
    gone: bool,
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
        let engine = Engine::start_paced(&EngineConfig { shards: 1, ..EngineConfig::default() }, Some(&pacer))?;
        Ok(Self {
            watch: port.watch()?,
            securities: config.securities.clone().into(),
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

    /// The first probe for all, then what experience says is worth it.
    async fn passes(&mut self) -> io::Result<()> {
        let all = self.addresses.len();
        let first = self.community(0, Version::V2c).unwrap_or(Probe::Discovery);
        self.silent_pass(first.clone(), u64::MAX).await?;
        if self.securities.len() > 1 && first != Probe::Discovery {
            self.silent_pass(Probe::Discovery, u64::MAX).await?;
        }
        let loss = if plan::is_small(all) { Loss::default() } else { self.echoes(&first).await? };
        let v1_done = self.v1_pass(loss).await?;
        let mut tries = 1 + u8::from(v1_done);
        while !self.gone && plan::wants_retry(all, self.heard, loss, tries, self.config.retries) {
            self.silent_pass(first.clone(), u64::MAX).await?;
            tries += 1;
        }
        self.other_communities().await
    }

    /// Looks for devices that know only v1; true if all silent addresses were asked, which then was a retry.
    async fn v1_pass(&mut self, loss: Loss) -> io::Result<bool> {
        let Some(probe) = self.community(0, Version::V1).filter(|_| self.config.retries > 0) else { return Ok(false) };
        let all = self.addresses.len();
        let sample = plan::v1_sample(all);
        let hits = self.silent_pass(probe.clone(), sample).await?;
        if sample >= all {
            return Ok(true);
        }
        // Lost packets make v2c devices answer here, too: only without loss do answers mean v1 devices.
        if hits > 0 && loss.lost == 0 {
            self.silent_pass(probe, u64::MAX).await?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Other communities: all of them in a small range, else a sample first.
    async fn other_communities(&mut self) -> io::Result<()> {
        let all = self.addresses.len();
        let others: Vec<Probe> =
            (1..self.securities.len()).filter_map(|place| self.community(place, Version::V2c)).collect();
        for probe in &others {
            if self.gone {
                break;
            }
            let sample = plan::community_sample(all, others.len() as u64);
            let hits = self.silent_pass(probe.clone(), sample).await?;
            if hits > 0 && sample < all || plan::is_small(all) && self.config.retries > 0 {
                self.silent_pass(probe.clone(), u64::MAX).await?;
            }
        }
        Ok(())
    }

    fn community(&self, credential: usize, wanted: Version) -> Option<Probe> {
        match &*self.securities[credential] {
            // Who asks for v1 does not want v2c.
            Security::Community { version, community } => Some(Probe::Community {
                version: wanted.min(*version),
                community: community.expose().to_vec(),
                credential,
            }),
            Security::Usm { .. } => None,
        }
    }

    /// Sends a probe to the first `most` silent addresses; returns how many devices more have spoken afterwards.
    async fn silent_pass(&mut self, probe: Probe, most: u64) -> io::Result<u64> {
        let before = self.heard;
        let (pass, mut order, mut left) = (self.probes.begin(probe), self.addresses.shuffled(), most);
        self.pass(pass, |scan| {
            let index = order.find(|index| !scan.settled.get(*index)).filter(|_| left > 0)?;
            left -= 1;
            Some(index)
        })
        .await?;
        Ok(self.heard - before)
    }

    /// Asks devices that answered again, to learn how many packets get lost: many devices once, few several times.
    async fn echoes(&mut self, first: &Probe) -> io::Result<Loss> {
        let mut loss = Loss::default();
        for _ in 0..plan::ROUNDS {
            if self.gone || loss.asked >= plan::ENOUGH || self.heard * plan::ROUNDS < plan::ENOUGH {
                break;
            }
            for probe in [first, &Probe::Discovery] {
                // Each in the way it has answered before.
                let speakers = if *probe == Probe::Discovery { &self.engines } else { &self.systems };
                if speakers.count() > 0 {
                    let round = self.echo_round(probe.clone()).await?;
                    loss.asked += round.asked;
                    loss.lost += round.lost;
                }
                if *first == Probe::Discovery {
                    break;
                }
            }
        }
        Ok(loss)
    }

    async fn echo_round(&mut self, probe: Probe) -> io::Result<Loss> {
        let stride = self.heard.div_ceil(plan::ECHOES).max(1);
        let engines = probe == Probe::Discovery;
        let (mut asked, mut seen) = (0, 0);
        let (pass, mut order) = (self.probes.begin(probe), self.addresses.shuffled());
        self.echo = Some((pass, Bits::new(self.addresses.len())));
        self.pass(pass, |scan| {
            let index = order.find(|index| {
                if !(if engines { &scan.engines } else { &scan.systems }).get(*index) {
                    return false;
                }
                seen += 1;
                seen % stride == 0
            })?;
            asked += 1;
            Some(index)
        })
        .await?;
        let answered = self.echo.take().map_or(0, |(_, bits)| bits.count());
        Ok(Loss { asked, lost: asked - answered.min(asked) })
    }

    /// Sends the probe of a pass to the addresses `next` names, and waits for the last answers.
    async fn pass(&mut self, pass: usize, mut next: impl FnMut(&Self) -> Option<u64>) -> io::Result<()> {
        let (mut more, mut sent) = (true, false);
        while more && !self.gone {
            let granted = self.pacer.take(Instant::now(), BATCH);
            self.outbox.clear();
            for used in 0..granted {
                let Some(index) = next(self) else {
                    self.pacer.put_back(granted - used);
                    more = false;
                    break;
                };
                self.push(pass, index);
                sent = true;
            }
            self.flush().await?;
            self.take_in();
            self.look_after_trials();
            if more {
                let wait = self.pacer.wait(Instant::now());
                self.idle(wait).await?;
            }
        }
        if sent {
            self.linger().await?;
        }
        Ok(())
    }

    fn push(&mut self, pass: usize, index: u64) {
        let address = self.addresses.get(index);
        self.probes.write(pass, address, &mut self.packet);
        let to = SocketAddr::from((address, self.config.port));
        self.outbox.push(to, None, index as u32, &self.packet);
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
    async fn idle(&mut self, wait: Duration) -> io::Result<()> {
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
        let end = Instant::now() + self.config.timeout;
        while let Some(left) = end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            self.idle(left.min(Duration::from_millis(50))).await?;
            self.take_in();
            self.look_after_trials();
            self.gone |= self.results.is_closed();
        }
        Ok(())
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

    fn take_in(&mut self) {
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
        }
        match said {
            Said::System { version, credential, sys_object_id, sys_descr } => {
                if pass == 0 {
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
    fn look_after_trials(&mut self) {
        while self.trials.len() < AT_ONCE {
            let Some((index, clue)) = self.candidates.pop_front() else { break };
            if self.found.get(index) {
                continue;
            }
            let address = SocketAddr::from((self.addresses.get(index), self.config.port));
            let (engine, securities) = (self.engine.clone(), Arc::clone(&self.securities));
            let timeout = self.config.timeout;
            self.trials.spawn(async move { (index, verify(engine, address, securities, clue, timeout).await) });
        }
        while let Some(done) = self.trials.try_join_next() {
            self.settle_trial(done);
        }
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
        while !(self.gone || self.trials.is_empty() && self.candidates.is_empty()) {
            if let Some(done) = self.trials.join_next().await {
                self.settle_trial(done);
            }
            self.take_in();
            self.look_after_trials();
        }
        Ok(())
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
