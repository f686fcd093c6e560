//! `snmp-walk` (M3): all objects of many devices, by us in parallel and by `snmpbulkwalk` one after the other.

use std::cell::Cell;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::contest::{Contender, Title, hold};
use super::outcome::{Better, Outcome, round};
use super::peer;
use super::poll::ASYNC_SNMP;
use super::process::{Core, line, measure, role};
use super::role::{Range, Walked};
use super::scene::Scene;
use super::serving::{Load, LoadPlan, Model};

const BASE: Ipv4Addr = Ipv4Addr::new(127, 102, 0, 1);
const LIMIT: Duration = Duration::from_secs(240);

pub(super) fn run(scene: &Scene) -> Result<Outcome> {
    let devices = scene.effort.size(1_000, 200, 5);
    let model = Model::large();
    let load = Load::start(scene, &LoadPlan::of(&model, devices, BASE))?;
    let ours = ours(devices, load.port, 1)?;
    measure(scene, Core::Tested, &ours, LIMIT)?;
    let mut notes = vec![format!("{devices} devices a run, each {}", model.name())];
    let last = Cell::new(Walked::default());
    let mut all = vec![Contender::program(scene, "platen", ours, LIMIT, |measured| {
        let walked: Walked = measured.json()?;
        ensure!(walked.done == u64::from(devices), "{} of {devices} walks came to their end", walked.done);
        last.set(walked);
        Ok(walked.done as f64 / measured.usage.wall_s)
    })];
    let range = Range { base: BASE, count: devices, port: load.port };
    match peer::one_by_one(scene, "snmpbulkwalk", range, &["-v2c", "-c", "public", "-Cr50"], &[".1.3"]) {
        Ok(words) => all.push(Contender::program(scene, "snmpbulkwalk a process", words, LIMIT, |measured| {
            let lines = measured.output.lines().count() as u64;
            ensure!(lines >= last.get().rows, "it read {lines} lines where we read {} objects", last.get().rows);
            Ok(f64::from(devices) / measured.usage.wall_s)
        })),
        Err(missing) => notes.push(missing),
    }
    match peer::async_snmp() {
        Ok(program) => {
            let numbers = [devices, u32::from(load.port), 1, 64].map(|number| number.to_string());
            let words = [vec![program, "walk".into(), BASE.to_string().into()], line(numbers), line(["1.3"])].concat();
            all.push(Contender::program(scene, ASYNC_SNMP, words, LIMIT, |measured| {
                let walked: super::role::Polled = measured.json()?;
                ensure!(walked.done == u64::from(devices), "{} of {devices} walks came to their end", walked.done);
                Ok(f64::from(devices) / measured.usage.wall_s)
            }));
        }
        Err(missing) => notes.push(missing),
    }
    let title = Title { name: "snmp-walk", unit: "devices a second", better: Better::More };
    let mut outcome = hold(scene, &title, all)?;
    outcome.notes.extend(notes);
    let walked = last.get();
    let each = |number: u64| round(number as f64 / walked.done.max(1) as f64);
    outcome.detail("objects_a_walk", each(walked.rows));
    outcome.detail("requests_a_walk", each(walked.exchanges));
    // Many walks by one process, so that its start does not count.
    scene.say("snmp-walk: CPU time of a walk");
    let measured = measure(scene, Core::Tested, &self::ours(devices, load.port, 10)?, LIMIT)?;
    let each = |seconds: f64, walks: u64| round(seconds * 1e6 / walks.max(1) as f64);
    let walks = measured.json::<Walked>()?.done;
    outcome.detail("cpu_us_a_walk", each(measured.usage.cpu_s, walks));
    outcome.detail("user_us_a_walk", each(measured.usage.user_s, walks));
    Ok(outcome)
}

fn ours(devices: u32, port: u16, rounds: u32) -> Result<Vec<std::ffi::OsString>> {
    let numbers = [devices, u32::from(port), rounds].map(|number| number.to_string());
    let [devices, port, rounds] = &numbers;
    role(["walk", "--base", &BASE.to_string(), "--count", devices, "--port", port, "--rounds", rounds])
}
