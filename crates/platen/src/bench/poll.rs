//! `snmp-poll` (M2): the same 8-object GETs from many devices, by us, by a library of our own kind, by libsnmp with
//! requests in parallel, and by a process a poll.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::contest::{Contender, Title, hold};
use super::outcome::{Better, Outcome, Sample, median, round};
use super::peer;
use super::process::{Core, Measured, line, measure, role};
use super::role::{EIGHT, Polled, Range};
use super::scene::Scene;
use super::serving::{Load, LoadPlan, Model};

const BASE: Ipv4Addr = Ipv4Addr::new(127, 101, 0, 1);
const LIMIT: Duration = Duration::from_secs(60);

/// As outcomes name it.
pub(super) const ASYNC_SNMP: &str = "async-snmp 0.18";

/// Where the time of the runs went: polls a second by the clock, microseconds outside the kernel a poll.
#[derive(Default)]
struct Split(Vec<(f64, f64)>);

impl Split {
    fn add(&mut self, measured: &Measured, polls: u64) {
        let polls = polls as f64;
        self.0.push((polls / measured.usage.wall_s, measured.usage.user_s * 1e6 / polls));
    }

    fn median(&self, part: impl Fn((f64, f64)) -> f64) -> f64 {
        let mut values: Vec<f64> = self.0.iter().copied().map(part).collect();
        values.sort_by(f64::total_cmp);
        round(median(&values))
    }
}

/// How many polls each side makes.
struct Size {
    devices: u32,
    rounds: u32,
    /// For peers that are slower by far.
    processes: u32,
}

pub(super) fn run(scene: &Scene) -> Result<Outcome> {
    let size = Size {
        devices: scene.effort.size(1_000, 1_000, 20),
        rounds: scene.effort.size(300, 100, 2),
        processes: scene.effort.size(300, 100, 5),
    };
    let load = Load::start(scene, &LoadPlan::of(&Model::Profile("sharp-colour-a3"), size.devices, BASE))?;
    // The devices are born on their first answer, which must not be charged to who asks first.
    let all = u64::from(size.devices);
    let birth = ours(&Size { rounds: 1, ..size }, load.port, "poller")?;
    let polled: Polled = measure(scene, Core::Tested, &birth, LIMIT)?.json()?;
    ensure!(polled.done == all, "{} of {all} devices answered", polled.done);
    let mut notes = vec![format!("{} devices, {} polls a run", size.devices, size.devices * size.rounds)];
    let mut ours = Split::default();
    let mut theirs = Split::default();
    let contenders = contenders(scene, &size, load.port, &mut notes, [&mut ours, &mut theirs])?;
    let title = Title { name: "snmp-poll", unit: "8-object GETs a CPU-second", better: Better::More };
    let mut outcome = hold(scene, &title, contenders)?;
    outcome.notes.extend(notes);
    outcome.detail("polls_a_second", ours.median(|(wall, _)| wall));
    outcome.detail("user_us_a_poll", ours.median(|(_, user)| user));
    if outcome.peer.as_ref().is_some_and(|peer| peer.name.as_deref() == Some(ASYNC_SNMP)) {
        outcome.detail("async_snmp_user_us_a_poll", theirs.median(|(_, user)| user));
    }
    engine_too(scene, &size, load.port, &mut outcome)?;
    Ok(outcome)
}

fn contenders<'a>(
    scene: &'a Scene,
    size: &Size,
    port: u16,
    notes: &mut Vec<String>,
    [split, other]: [&'a mut Split; 2],
) -> Result<Vec<Contender<'a>>> {
    let polls = u64::from(size.devices) * u64::from(size.rounds);
    let value = move |measured: &Measured| whole(measured, polls);
    let mut all = vec![Contender::program(scene, "platen", ours(size, port, "poller")?, LIMIT, move |measured| {
        split.add(measured, polls);
        whole(measured, polls)
    })];
    let common = |window: u32| {
        let words = [size.devices, u32::from(port), size.rounds, window].map(|number| number.to_string());
        let words = [BASE.to_string()].into_iter().chain(words);
        line(words.chain(EIGHT.map(str::to_owned)))
    };
    match peer::async_snmp() {
        Ok(program) => {
            let words = [vec![program, "poll".into()], common(256)].concat();
            all.push(Contender::program(scene, ASYNC_SNMP, words, LIMIT, move |measured| {
                other.add(measured, polls);
                whole(measured, polls)
            }));
        }
        Err(missing) => notes.push(missing),
    }
    match peer::libsnmp(scene) {
        Ok(program) => {
            let words = [vec![program], common(64)].concat();
            all.push(Contender::program(scene, "libsnmp asynchronous", words, LIMIT, value));
        }
        Err(missing) => notes.push(missing),
    }
    let devices = Range { base: BASE, count: size.processes.min(size.devices), port };
    match peer::one_by_one(scene, "snmpget", devices, &["-v2c", "-c", "public"], &EIGHT) {
        Ok(words) => all.push(Contender::program(scene, "snmpget a process", words, LIMIT, move |measured| {
            read_by_processes(measured, devices.count)
        })),
        Err(missing) => notes.push(missing),
    }
    Ok(all)
}

pub(super) fn whole(measured: &Measured, polls: u64) -> Result<f64> {
    let polled: Polled = measured.json()?;
    ensure!(polled.done == polls, "{} of {polls} polls were answered in whole", polled.done);
    Ok(polled.done as f64 / measured.usage.cpu_s.max(1e-6))
}

fn ours(size: &Size, port: u16, by: &str) -> Result<Vec<OsString>> {
    let numbers = [size.devices, u32::from(port), size.rounds].map(|number| number.to_string());
    let [devices, port, rounds] = &numbers;
    let base = BASE.to_string();
    role(["poll", "--base", &base, "--count", devices, "--port", port, "--rounds", rounds, "--by", by])
}

/// Polls a CPU-second of a process each, which print a line an object.
pub(super) fn read_by_processes(measured: &Measured, polls: u32) -> Result<f64> {
    let (lines, polls) = (measured.output.lines().count() as f64, f64::from(polls));
    ensure!(lines >= polls * EIGHT.len() as f64, "it read {lines} objects of {polls} devices");
    Ok(polls / measured.usage.cpu_s.max(1e-6))
}

/// The same by the futures that readers of devices use.
fn engine_too(scene: &Scene, size: &Size, port: u16, outcome: &mut Outcome) -> Result<()> {
    let polls = u64::from(size.devices) * u64::from(size.rounds);
    scene.say("snmp-poll: futures");
    let measured = measure(scene, Core::Tested, &ours(size, port, "engine")?, LIMIT)?;
    let sample = Sample { value: whole(&measured, polls)?, ..Sample::default() };
    outcome.detail("futures_polls_a_cpu_second", round(sample.value));
    Ok(())
}
