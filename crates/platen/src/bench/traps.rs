//! `snmp-traps` (M9): traps of printers at a steady rate, received by our agent (merged with polls, alerts told to a whole
//! server in the same process) and by snmptrapd, which writes a line each; and how long it takes from a trap to the
//! event of its incident, in quiet and within the storm.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::contest::{Contender, Title, hold};
use super::outcome::{Better, Outcome, Sample, median, round};
use super::peer;
use super::process::{Core, Running, await_file, command, line, measure, role, spent};
use super::role::{Heard, Opened, TrapsSent};
use super::scene::Scene;
use super::serving::{Load, LoadPlan, Model, Server};

const BASE: Ipv4Addr = Ipv4Addr::new(127, 106, 0, 1);
const LIMIT: Duration = Duration::from_secs(60);
/// Of the goal, traps a second.
const RATE: u32 = 20_000;
/// Beyond the goal.
const RATES: [u32; 2] = [50_000, 100_000];
/// Nothing more has come for so long: the rest is lost.
const SETTLED: Duration = Duration::from_secs(1);

/// How much is done.
struct Size {
    noisy: u32,
    quiet: u32,
    seconds: f64,
}

/// What one blast came to.
#[derive(Clone, Copy)]
struct Blast {
    sent: u64,
    received: u64,
    a_second: f64,
}

pub(super) fn run(scene: &Scene) -> Result<Outcome> {
    let seconds = f64::from(scene.effort.size(5_000, 2_000, 500)) / 1_000.0;
    let size = Size { noisy: scene.effort.size(100, 50, 4), quiet: scene.effort.size(400, 120, 6), seconds };
    let model = Model::Profile("sharp-colour-a3");
    let load = Load::start(scene, &LoadPlan::of(&model, size.noisy + size.quiet, BASE))?;
    scene.say("snmp-traps: an agent reads its devices");
    let site = Site::start(scene, &size, load.port)?;
    let quiet = site.probe(size.quiet / 2)?;
    // As many as the blasts of all runs have time for.
    let each = size.quiet / 2 / u32::try_from(scene.effort.runs()).unwrap_or(1);
    let (blasts, within) = (RefCell::new(Vec::new()), RefCell::new(Vec::new()));
    let their_blasts = RefCell::new(Vec::new());
    let ours = || {
        let before = spent(site.pid()).context("the site is gone")?;
        let from = site.heard()?;
        site.ask(each.max(1))?;
        let blast = site.blast(scene, &size, RATE)?;
        within.borrow_mut().extend(site.probed(&from, each.max(1))?);
        let after = spent(site.pid()).context("the site is gone")?;
        blasts.borrow_mut().push(blast);
        Ok(sample(blast, before, after))
    };
    let mut all = vec![Contender { name: "platen agent and server".to_owned(), run: Box::new(ours) }];
    let mut notes = Vec::new();
    match Trapd::start(scene) {
        Ok(trapd) => {
            let (size, theirs) = (&size, &their_blasts);
            let run = move || {
                let before = spent(trapd.server.pid()).context("snmptrapd is gone")?;
                let blast = trapd.blast(scene, size)?;
                let after = spent(trapd.server.pid()).context("snmptrapd is gone")?;
                theirs.borrow_mut().push(blast);
                Ok(sample(blast, before, after))
            };
            all.push(Contender { name: "snmptrapd".to_owned(), run: Box::new(run) });
        }
        Err(missing) => notes.push(missing.to_string()),
    }
    let title = Title { name: "snmp-traps", unit: "traps received a CPU-second", better: Better::More };
    let mut outcome = hold(scene, &title, all)?;
    outcome.notes.extend(notes);
    outcome.notes.push(format!(
        "{RATE} traps/s for {seconds} s from {} devices with 4 alerts each; ours is agent, server, database and readings together, \
         snmptrapd writes a line a trap",
        size.noisy
    ));
    let named = |blasts: &RefCell<Vec<Blast>>| blasts.borrow().iter().map(told).collect::<Vec<_>>();
    outcome.detail("blasts", json!({ "platen": named(&blasts), "snmptrapd": named(&their_blasts) }));
    outcome.detail("trap_to_incident_quiet", spread(quiet, size.quiet / 2));
    let runs = u32::try_from(outcome.runs).unwrap_or(1);
    outcome.detail("trap_to_incident_within_the_storm", spread(within.into_inner(), each.max(1) * runs));
    let mut faster = Vec::new();
    for rate in RATES {
        scene.say(&format!("snmp-traps: {rate} a second"));
        faster.push(told(&site.blast(scene, &size, rate)?));
    }
    outcome.detail("faster", faster);
    let heard = site.heard()?;
    outcome.detail("merged", json!({ "received": heard.received, "shed": heard.shed, "readings": heard.readings }));
    drop((site, load));
    Ok(outcome)
}

fn sample(blast: Blast, before: (f64, f64), after: (f64, f64)) -> Sample {
    let cpu_s = (after.0 - before.0).max(0.01);
    Sample { value: blast.received as f64 / cpu_s, cpu_s, rss_mb: after.1 }
}

fn told(blast: &Blast) -> Value {
    let lost = blast.sent.saturating_sub(blast.received);
    json!({ "sent": blast.sent, "a_second": round(blast.a_second), "lost": lost })
}

fn spread(mut took: Vec<f64>, sent: u32) -> Value {
    took.sort_by(f64::total_cmp);
    let at = |share: usize| took.get((took.len() * share / 100).min(took.len().saturating_sub(1))).copied();
    let (p99, most) = (at(99).unwrap_or(0.0), took.last().copied().unwrap_or(0.0));
    let lost = (sent.max(1) as usize).saturating_sub(took.len());
    json!({ "traps": took.len(), "lost": lost, "p50_ms": round(median(&took)), "p99_ms": round(p99), "max_ms": round(most) })
}

/// Sends a blast and says how much was sent.
fn send(scene: &Scene, to: SocketAddr, size: &Size, rate: u32) -> Result<TrapsSent> {
    let numbers = [size.noisy.to_string(), rate.to_string(), size.seconds.to_string()];
    let (to, base, [count, rate, seconds]) = (to.to_string(), BASE.to_string(), &numbers);
    let words = ["trap-blast", "--to", &to, "--base", &base, "--count", count, "--rate", rate, "--seconds", seconds];
    measure(scene, Core::Load, &role(words)?, LIMIT)?.json()
}

/// Waits until a count stands still.
fn settle(mut count: impl FnMut() -> Result<u64>) -> Result<u64> {
    let (mut last, mut since) = (count()?, Instant::now());
    while since.elapsed() < SETTLED {
        std::thread::sleep(Duration::from_millis(50));
        let now = count()?;
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    Ok(last)
}

/// Our side in a process of its own; ends with this value.
struct Site {
    running: RefCell<Running>,
    traps: SocketAddr,
    heard: PathBuf,
}

impl Site {
    fn start(scene: &Scene, size: &Size, port: u16) -> Result<Self> {
        let (ready, heard) = (scene.path("site.ready"), scene.path("site.heard"));
        let numbers = [size.noisy.to_string(), size.quiet.to_string(), port.to_string(), BASE.to_string()];
        let [noisy, quiet, port, base] = &numbers;
        let mut words = role(["trap-site", "--base", base, "--noisy", noisy, "--quiet", quiet, "--port", port])?;
        for (name, path) in [("--data", scene.path("site")), ("--ready-file", ready.clone())] {
            words.extend([OsString::from(name), path.into_os_string()]);
        }
        words.extend([OsString::from("--heard-file"), heard.clone().into_os_string()]);
        let child = command(scene, Core::Tested, &words)?.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let mut running = Running(child);
        let opened: Opened = await_file(&mut running.0, &ready)?;
        Ok(Self { running: RefCell::new(running), traps: opened.traps, heard })
    }

    fn pid(&self) -> u32 {
        self.running.borrow().0.id()
    }

    fn heard(&self) -> Result<Heard> {
        await_file(&mut self.running.borrow_mut().0, &self.heard)
    }

    /// Has quiet devices call, in the background.
    fn ask(&self, probes: u32) -> Result<()> {
        let mut running = self.running.borrow_mut();
        let input = running.0.stdin.as_mut().context("the site has no standard input")?;
        writeln!(input, "probe {probes}")?;
        Ok(input.flush()?)
    }

    /// Milliseconds of the probes since `from`, when all have come or no more come; then some are missing.
    fn probed(&self, from: &Heard, probes: u32) -> Result<Vec<f64>> {
        let wanted = from.incidents.len() + probes as usize;
        let (start, most) = (Instant::now(), Duration::from_secs(10) + Duration::from_millis(60) * probes);
        loop {
            let heard = self.heard()?;
            if heard.incidents.len() >= wanted || start.elapsed() > most {
                return Ok(heard.incidents[from.incidents.len()..].to_vec());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn probe(&self, probes: u32) -> Result<Vec<f64>> {
        let from = self.heard()?;
        self.ask(probes.max(1))?;
        self.probed(&from, probes.max(1))
    }

    fn blast(&self, scene: &Scene, size: &Size, rate: u32) -> Result<Blast> {
        let before = self.heard()?;
        let sent = send(scene, self.traps, size, rate)?;
        // Probes are received at the same door.
        let without = |heard: Heard| heard.received - heard.probes;
        let after = settle(|| Ok(without(self.heard()?)))?;
        Ok(Blast { sent: sent.sent, received: after - without(before), a_second: sent.sent as f64 / sent.seconds })
    }
}

/// snmptrapd in a process of its own.
struct Trapd {
    server: Server,
    to: SocketAddr,
    log: PathBuf,
}

impl Trapd {
    fn start(scene: &Scene) -> Result<Self> {
        let program =
            peer::installed("snmptrapd", "apt install snmptrapd").map_err(|missing| anyhow::anyhow!(missing))?;
        let (path, log) = (scene.path("trapd.conf"), scene.path("trapd.log"));
        // The shortest line there is, and as large a buffer as ours.
        std::fs::write(&path, "disableAuthorization yes\nformat1 x\\n\nformat2 x\\n\n[snmp] serverRecvBuf 4194304\n")?;
        let to = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut words = vec![program];
        words.extend(line(["-f", "-On", "-m", "", "-C", "-c"]));
        words.extend([path.into_os_string(), "-Lf".into(), log.clone().into_os_string()]);
        words.push(format!("udp:{to}").into());
        let server = Server::start(scene, Core::Tested, &words)?;
        let trapd = Self { server, to, log };
        let start = Instant::now();
        let one = Size { noisy: 1, quiet: 0, seconds: 0.02 };
        while trapd.lines() == 0 {
            ensure!(start.elapsed() < Duration::from_secs(10), "snmptrapd not measured: it takes no trap");
            send(scene, to, &one, 100)?;
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(trapd)
    }

    fn lines(&self) -> u64 {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        bytes.split(|byte| *byte == b'\n').filter(|line| *line == b"x").count() as u64
    }

    fn blast(&self, scene: &Scene, size: &Size) -> Result<Blast> {
        let before = settle(|| Ok(self.lines()))?;
        let sent = send(scene, self.to, size, RATE)?;
        let after = settle(|| Ok(self.lines()))?;
        Ok(Blast { sent: sent.sent, received: after - before, a_second: sent.sent as f64 / sent.seconds })
    }
}
