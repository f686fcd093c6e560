//! kill -9 at any moment: what was committed arrives, numbers go on without a gap.

use std::{net::Ipv4Addr, os::unix::process::ExitStatusExt as _, process::Stdio, time::Duration};

use nix::sys::signal::{Signal, raise};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio_util::sync::CancellationToken;
use vmfp::{Devices, FleetConfig};
use wire::AgentPlan;

use crate::gateway::{Agent, Gateway, Mood, subjects};

const CHILD: &str = "PLATEN_TEST_AGENT_FOLDER";
const RECORDED: &str = "PLATEN_TEST_AGENT_RECORDED";
const PROBED: &str = "PLATEN_TEST_AGENT_PROBED";

/// Not a test: the process that is killed. It prints how far it has come, and dies there: a kill by another process would
/// come as late as that one is kept waiting.
#[tokio::test]
async fn child_that_is_killed() {
    let Some(data) = std::env::var_os(CHILD) else { return };
    let limit = |name| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let end = Told { recorded: limit(RECORDED), probed: limit(PROBED) };
    let config = agent::AgentConfig { data: data.into(), ..agent::AgentConfig::default() };
    let tell = move |running: agent::Running| {
        std::thread::spawn(move || {
            loop {
                let view = running.stats.view();
                if view.recorded >= end.recorded || view.probed >= end.probed {
                    println!("\ntold {} {}", view.recorded, view.probed);
                    raise(Signal::SIGKILL).unwrap();
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
    };
    agent::run(config, tell, CancellationToken::new()).await.unwrap();
}

#[tokio::test]
async fn what_was_committed_survives_kill_9() {
    let base = [127, 41, 9, 1];
    let devices = Devices::Fleet { count: 30, base: Ipv4Addr::from(base) };
    let fleet = FleetConfig {
        devices,
        snmp_port: 0,
        http_port: 0,
        ipp_port: 0,
        seed: 3,
        speed: 60.0,
        ..FleetConfig::default()
    };
    let fleet = vmfp::start(fleet).await.unwrap();
    let plan = AgentPlan {
        revision: 1,
        ranges: vec![format!("127.41.9.1-127.41.9.30:{}", fleet.snmp_port())],
        status_s: 1,
        meters_s: 5,
        discovery_pps: 2_000,
        ..AgentPlan::default()
    };
    let gateway = Gateway::start(plan).await;
    gateway.set_mood(Mood::Busy);
    let data = gateway.agent().await.stop().await;
    let mut least = 0;
    for round in 0..4 {
        least += killed_at(data.path(), Told { recorded: 10 + 25 * round, ..Told::NEVER }).await.recorded;
    }
    let least = usize::try_from(least).unwrap();
    gateway.set_mood(Mood::Good);
    let agent = Agent::start(data, None, None).await.unwrap();
    gateway.until("everything committed has arrived", |kept| kept.messages.len() >= least).await;
    agent.stop().await;
    let kept = gateway.kept.lock();
    let numbers: Vec<u64> = kept.messages.iter().map(|(_, m)| m.seq).collect();
    assert!(numbers.windows(2).all(|w| w[1] == w[0] + 1), "a gap or disorder: {numbers:?}");
    println!(
        "4 kills: {least} messages told as committed, {} arrived, {} devices",
        numbers.len(),
        subjects(&kept).len()
    );
}

/// How far a child has come.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// Messages committed.
    pub recorded: u64,
    /// Addresses asked in the present discovery.
    pub probed: u64,
}

impl Told {
    /// Further than it can come.
    pub const NEVER: Self = Self { recorded: u64::MAX, probed: u64::MAX };
}

/// Runs the agent in a process of its own that is killed as soon as it has come to either end. Returns what it told last.
pub async fn killed_at(data: &std::path::Path, end: Told) -> Told {
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["kill::child_that_is_killed", "--exact", "--nocapture"])
        .env(CHILD, data)
        .env(RECORDED, end.recorded.to_string())
        .env(PROBED, end.probed.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reading = async {
        let mut told = None;
        while let Some(line) = lines.next_line().await.unwrap() {
            let words: Vec<&str> = line.split(' ').collect();
            if let ["told", recorded, probed] = words[..] {
                told = Some(Told { recorded: recorded.parse().unwrap(), probed: probed.parse().unwrap() });
            }
        }
        told.expect("the child ended by itself")
    };
    let told = tokio::time::timeout(Duration::from_secs(240), reading).await.expect("enough within four minutes");
    assert_eq!(child.wait().await.unwrap().signal(), Some(9));
    told
}
