//! `snmp-v3` (M6): 8-object GETs from many engines, authenticated by SHA-256 and encrypted by AES-256.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::contest::{Contender, Title, hold};
use super::outcome::{Better, Outcome, round};
use super::peer;
use super::poll::{ASYNC_SNMP, read_by_processes, whole};
use super::process::{Core, line, measure, role};
use super::role::{AUTH_PASS, EIGHT, PRIV_PASS, Polled, Range, USER};
use super::scene::Scene;
use super::serving::{Load, LoadPlan, Model};

const BASE: Ipv4Addr = Ipv4Addr::new(127, 106, 0, 1);
const LIMIT: Duration = Duration::from_secs(120);

pub(super) fn run(scene: &Scene) -> Result<Outcome> {
    let engines = scene.effort.size(10_000, 1_000, 10);
    let rounds = scene.effort.size(20, 50, 2);
    let polls = u64::from(engines) * u64::from(rounds);
    // What the devices are is told by the flag, not by a model.
    let plan = LoadPlan { what: line(["--v3"]), ..LoadPlan::of(&Model::Profile("hp-mono-a4"), engines, BASE) };
    let load = Load::start(scene, &plan)?;
    let ours = |rounds: u32| {
        let numbers = [engines, u32::from(load.port), rounds].map(|number| number.to_string());
        let [count, port, rounds] = &numbers;
        role(["poll", "--v3", "--base", &BASE.to_string(), "--count", count, "--port", port, "--rounds", rounds])
    };
    // The engines make their keys on the first request, which must not be charged to who asks first.
    let born: Polled = measure(scene, Core::Tested, &ours(1)?, LIMIT)?.json()?;
    ensure!(born.done == u64::from(engines), "{} of {engines} engines answered", born.done);
    let value = move |measured: &_| whole(measured, polls);
    let mut all = vec![Contender::program(scene, "platen", ours(rounds)?, LIMIT, value)];
    let mut notes =
        vec![format!("{engines} engines, {polls} polls a run, discovery of the engines and their keys included")];
    match peer::async_snmp() {
        Ok(program) => {
            let numbers = [engines, u32::from(load.port), rounds, 256].map(|number| number.to_string());
            let words = [vec![program, "poll-v3".into(), BASE.to_string().into()], line(numbers)].concat();
            let words = [words, line([USER, AUTH_PASS, PRIV_PASS]), line(EIGHT)].concat();
            all.push(Contender::program(scene, ASYNC_SNMP, words, LIMIT, value));
        }
        Err(missing) => notes.push(missing),
    }
    let devices = Range { base: BASE, count: scene.effort.size(200, 50, 3).min(engines), port: load.port };
    let secrets = ["-u", USER, "-a", "SHA-256", "-A", AUTH_PASS, "-x", "AES-256", "-X", PRIV_PASS];
    let options = [&["-v3", "-l", "authPriv"][..], &secrets].concat();
    match peer::one_by_one(scene, "snmpget", devices, &options, &EIGHT) {
        Ok(words) => all.push(Contender::program(scene, "snmpget a process", words, LIMIT, move |measured| {
            read_by_processes(measured, devices.count)
        })),
        Err(missing) => notes.push(missing),
    }
    let title = Title { name: "snmp-v3", unit: "8-object GETs a CPU-second", better: Better::More };
    let mut outcome = hold(scene, &title, all)?;
    outcome.notes.extend(notes);
    scene.say("snmp-v3: the first poll of each engine");
    let first = measure(scene, Core::Tested, &ours(1)?, LIMIT)?;
    outcome.detail("first_polls_a_cpu_second", round(whole(&first, u64::from(engines))?));
    outcome.detail("user_us_a_first_poll", round(first.usage.user_s * 1e6 / f64::from(engines)));
    Ok(outcome)
}
