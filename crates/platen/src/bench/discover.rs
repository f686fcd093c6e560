//! `snmp-discover` (M4, M5): a large network, hardly alive, and what else can be the matter with one: wholly alive,
//! lossy, a small budget, many credentials.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use super::contest::{Contender, Title, hold};
use super::outcome::{Better, Outcome, round};
use super::peer;
use super::process::{Core, Measured, line, measure, role};
use super::role::Swept;
use super::scene::Scene;
use super::serving::{Load, LoadPlan, Model};

const NETWORK: Ipv4Addr = Ipv4Addr::new(127, 103, 0, 0);
const LIMIT: Duration = Duration::from_secs(120);
const RATE: u32 = 20_000;
/// Of the courtesy test.
const BUDGET: u32 = 150;

/// A device that is quick to answer: the network is what is measured.
const MODEL: Model = Model::Profile("hp-mono-a4");

pub(super) fn run(scene: &Scene) -> Result<Outcome> {
    let bits = if scene.effort.size(2, 2, 1) < 2 { 22 } else { 16 };
    let addresses = 1u32 << (32 - bits);
    let alive = addresses / 100;
    let load = Load::start(scene, &LoadPlan::of(&MODEL, alive, NETWORK))?;
    let range = format!("{NETWORK}/{bits}");
    let ours = sweep(&range, load.port, RATE, 1)?;
    let mut notes = vec![format!("{range}, {alive} devices alive, at most {RATE} packets a second")];
    let mut last = None;
    let mut all = vec![Contender::program(scene, "platen", ours, LIMIT, |measured| {
        let swept: Swept = measured.json()?;
        last = Some(swept);
        Ok(f64::from(addresses) / measured.usage.wall_s)
    })];
    let mut heard = None;
    match peer::installed("onesixtyone", "apt install onesixtyone") {
        Ok(program) => {
            let port = load.port.to_string();
            let words = [vec![program], line(["-w", "0", "-p", &port, &range, "public"])].concat();
            all.push(Contender::program(scene, "onesixtyone -w 0", words, LIMIT, |measured| {
                heard = Some(distinct(measured));
                Ok(f64::from(addresses) / measured.usage.wall_s)
            }));
        }
        Err(missing) => notes.push(missing),
    }
    let title = Title { name: "snmp-discover", unit: "addresses a second", better: Better::More };
    let mut outcome = hold(scene, &title, all)?;
    outcome.notes.extend(notes);
    if let Some(swept) = last {
        // One answer a device alive was bound to cost a packet, the rest went to dead addresses and for certainty.
        let spare = swept.packets.saturating_sub(swept.found) as f64;
        outcome.detail(
            "one_percent_alive",
            json!({ "alive": alive, "found": swept.found, "onesixtyone_found": heard, "seconds": round(swept.seconds),
                "packets": swept.packets, "packets_a_dead_address": round(spare / f64::from(addresses - alive)) }),
        );
        credentials(scene, &range, load.port, swept, &mut outcome)?;
    }
    drop(load);
    crowded(scene, bits, &mut outcome)?;
    budget(scene, &mut outcome)?;
    nmap(scene, bits, &mut outcome)?;
    Ok(outcome)
}

fn sweep(range: &str, port: u16, rate: u32, credentials: u32) -> Result<Vec<std::ffi::OsString>> {
    let numbers = [u32::from(port), rate, credentials].map(|number| number.to_string());
    let [port, rate, credentials] = &numbers;
    role(["sweep", "--range", range, "--port", port, "--rate", rate, "--credentials", credentials])
}

/// Addresses in an output that has one at the beginning of each line.
fn distinct(measured: &Measured) -> usize {
    let first = |line: &str| line.split([' ', '[']).next().and_then(|word| word.parse::<Ipv4Addr>().ok());
    measured.output.lines().filter_map(first).collect::<HashSet<_>>().len()
}

/// Eight credentials against one: the first of them fits, or the last.
fn credentials(scene: &Scene, range: &str, port: u16, one: Swept, outcome: &mut Outcome) -> Result<()> {
    let places: &[(&str, &str)] = if scene.effort.is_quick() {
        &[("eight_credentials", "0")]
    } else {
        &[("eight_credentials", "0"), ("eight_credentials_the_last_fits", "7")]
    };
    for (name, place) in places {
        scene.say("snmp-discover: eight credentials");
        let words = [sweep(range, port, RATE, 8)?, line(["--fits", place])].concat();
        let eight: Swept = measure(scene, Core::Tested, &words, LIMIT)?.json()?;
        let ratio = round(eight.packets as f64 / one.packets.max(1) as f64);
        outcome.detail(name, json!({ "found": eight.found, "packets": eight.packets, "packets_of_one": ratio }));
    }
    Ok(())
}

/// All addresses alive, without loss and with a tenth of the datagrams lost in all.
fn crowded(scene: &Scene, bits: u32, outcome: &mut Outcome) -> Result<()> {
    let bits = if scene.effort.is_quick() { bits.max(18) } else { bits };
    let (devices, range) = (1u32 << (32 - bits), format!("{NETWORK}/{bits}"));
    // Both ways together lose a tenth.
    for (name, loss) in [("all_alive", 0.0), ("ten_percent_lost", 1.0 - 0.9f64.sqrt())] {
        scene.say(&format!("snmp-discover: {name}"));
        let load = Load::start(scene, &LoadPlan { loss, ..LoadPlan::of(&MODEL, devices, NETWORK) })?;
        let swept: Swept = measure(scene, Core::Tested, &sweep(&range, load.port, RATE, 1)?, LIMIT)?.json()?;
        let share = round(f64::from(swept.found as u32) / f64::from(devices));
        let mut found = json!({ "alive": devices, "found": swept.found, "missed": u64::from(devices) - swept.found,
            "share": share, "seconds": round(swept.seconds), "packets": swept.packets });
        if loss == 0.0
            && !scene.effort.is_quick()
            && let Ok(program) = peer::installed("onesixtyone", "apt install onesixtyone")
        {
            let words = [vec![program], line(["-w", "0", "-p", &load.port.to_string(), &range, "public"])].concat();
            let measured = measure(scene, Core::Tested, &words, LIMIT)?;
            found["onesixtyone_found"] = json!(distinct(&measured));
            found["onesixtyone_seconds"] = json!(round(measured.usage.wall_s));
        }
        outcome.detail(name, found);
    }
    Ok(())
}

/// A small budget on a silent network: when did the packets come?
fn budget(scene: &Scene, outcome: &mut Outcome) -> Result<()> {
    scene.say("snmp-discover: a budget of 150 packets a second");
    let bits = if scene.effort.size(2, 1, 1) < 2 { 24 } else { 21 };
    let path = scene.path("stamps.json");
    let plan = LoadPlan { stamps: Some(&path), ..LoadPlan::of(&MODEL, 1, NETWORK) };
    let load = Load::start(scene, &plan)?;
    measure(scene, Core::Tested, &sweep(&format!("{NETWORK}/{bits}"), load.port, BUDGET, 1)?, LIMIT)?;
    load.finish()?;
    let stamps: Vec<u64> = serde_json::from_slice(&std::fs::read(&path)?)?;
    let (first, last) = (stamps.first().copied().unwrap_or(0), stamps.last().copied().unwrap_or(0));
    ensure!(last > first, "no packets of the sweep came");
    let most = busiest(&stamps);
    outcome.detail(
        "budget",
        json!({ "packets_a_second": BUDGET, "packets": stamps.len(), "most_in_any_second": most,
            "mean": round(stamps.len() as f64 * 1e6 / (last - first) as f64),
            "kept_within_1_percent": most as f64 <= f64::from(BUDGET) * 1.01 }),
    );
    Ok(())
}

/// Most stamps (microseconds, ascending) within one second, wherever it begins.
fn busiest(stamps: &[u64]) -> usize {
    let (mut from, mut most) = (0, 0);
    for (to, stamp) in stamps.iter().enumerate() {
        while stamp - stamps[from] >= 1_000_000 {
            from += 1;
        }
        most = most.max(to + 1 - from);
    }
    most
}

/// nmap knows how to ask SNMP on port 161 only, so it needs that port and the rights for it.
fn nmap(scene: &Scene, bits: u32, outcome: &mut Outcome) -> Result<()> {
    if scene.effort.is_quick() {
        outcome.notes.push("nmap not measured in a quick run".to_owned());
        return Ok(());
    }
    let program = match peer::installed("nmap", "apt install nmap") {
        Ok(program) => program,
        Err(missing) => {
            outcome.notes.push(missing);
            return Ok(());
        }
    };
    scene.say("snmp-discover: nmap");
    let alive = (1u32 << (32 - bits)) / 100;
    let Ok(load) = Load::start(scene, &LoadPlan { port: 161, ..LoadPlan::of(&MODEL, alive, NETWORK) }) else {
        outcome.notes.push("nmap not measured: it asks port 161 only, which is taken or needs root".to_owned());
        return Ok(());
    };
    let (range, rate) = (format!("{NETWORK}/{bits}"), RATE.to_string());
    // The fastest of the settings tried: no retries, large groups, our rate.
    let words = ["-sU", "-n", "-Pn", "-T5", "--max-retries", "0", "--min-hostgroup", "4096", "--min-rate", &rate];
    let words = [vec![program], line(words), line(["-p", "161", "--open", "-oG", "-", &range])].concat();
    let theirs = measure(scene, Core::Tested, &words, LIMIT)?;
    let ours = measure(scene, Core::Tested, &sweep(&range, load.port, RATE, 1)?, LIMIT)?;
    let side = |found: u64, measured: &Measured| {
        let (seconds, cpu_s) = (round(measured.usage.wall_s), round(measured.usage.cpu_s));
        json!({ "found": found, "seconds": seconds, "cpu_s": cpu_s })
    };
    let open = theirs.output.lines().filter(|line| line.contains("161/open/udp")).count() as u64;
    let ours = side(ours.json::<Swept>()?.found, &ours);
    outcome.detail("nmap", json!({ "range": range, "alive": alive, "nmap": side(open, &theirs), "ours": ours }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::busiest;

    #[test]
    fn the_busiest_second_begins_anywhere() {
        assert_eq!(busiest(&[]), 0);
        assert_eq!(busiest(&[0, 500_000, 999_999, 1_000_000]), 3);
        assert_eq!(busiest(&[0, 900_000, 1_000_000, 1_800_000, 1_899_999]), 4);
    }
}
