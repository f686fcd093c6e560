//! M8: a fleet that does everything wrong for hours, read by `device`, judged by `core`, held against what the virtual
//! devices know of themselves. No page is lost or billed twice, no device taken for another, each incident is there once.
//! Short here; `cargo xtask chaos` makes it long (PLATEN_CHAOS_DEVICES, PLATEN_CHAOS_HOURS, PLATEN_CHAOS_SEED).

mod incidents;
mod ledger;
mod mischief;
mod random;
mod reader;
mod site;

use std::time::{Duration, Instant};

use mischief::Mischief;
use site::Site;

/// Simulated time between two rounds, in seconds: the status period of the plan.
const ROUND: u64 = 300;
/// Rounds at the end in which nothing is wrong any more.
const CALM: u64 = 6;
/// Full readings of the last moment: counters that fell, or rose too far, are believed when a second one agrees.
const LAST: u64 = 3;

fn knob(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// How large and how long.
struct Plan {
    devices: u32,
    hours: u64,
    seed: u64,
}

impl Plan {
    fn from_environment() -> Self {
        Self {
            devices: knob("PLATEN_CHAOS_DEVICES", 50) as u32,
            hours: knob("PLATEN_CHAOS_HOURS", 3),
            seed: knob("PLATEN_CHAOS_SEED", 1),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn chaos_loses_no_page_swaps_no_device_and_tells_each_incident_once() {
    let plan = Plan::from_environment();
    let begun = Instant::now();
    let mut site = Site::start(&plan).await;
    let mut mischief = Mischief::new(plan.seed, plan.devices);
    let rounds = plan.hours * 3_600 / ROUND;
    mischief.prepare(&site.fleet, &mut site.ledger);
    for round in 0..rounds + CALM {
        if round < rounds {
            mischief.act(round, &site.fleet, &mut site.ledger);
        } else if round == rounds {
            mischief.end(&site.fleet, &mut site.ledger);
        }
        site.round(round, rounds + CALM, mischief.line_is_up(round) || round >= rounds).await;
        site.pass(Duration::from_secs(ROUND));
        if plan.hours >= 12 && round % 12 == 0 {
            println!("hour {}: {} s, {}", round / 12, begun.elapsed().as_secs(), site.told());
        }
    }
    for round in rounds + CALM..rounds + CALM + LAST {
        site.round(round, rounds + CALM, true).await;
        site.wait(Duration::from_secs(ROUND));
    }
    let faults = site.judge().await;
    println!(
        "{} devices, {} simulated hours, seed {}: {} faults put, {}, {} s",
        plan.devices,
        plan.hours,
        plan.seed,
        mischief.total(),
        site.told(),
        begun.elapsed().as_secs()
    );
    println!("by kind: {}", mischief.kinds());
    assert!(faults.is_empty(), "{} things are not as they are:\n{}", faults.len(), faults.join("\n"));
}
