//! kill -9 at any moment: what was committed arrives, numbers go on without a gap.

use std::{net::Ipv4Addr, process::Stdio, time::Duration};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio_util::sync::CancellationToken;
use vmfp::{Devices, FleetConfig};
use wire::AgentPlan;

use crate::gateway::{Agent, Gateway, Mood, subjects};

const CHILD: &str = "PLATEN_TEST_AGENT_FOLDER";

/// Not a test: the process that is killed. It prints how many messages are committed.
#[tokio::test]
async fn child_that_is_killed() {
    let Some(data) = std::env::var_os(CHILD) else { return };
    let config = agent::AgentConfig { data: data.into(), ..agent::AgentConfig::default() };
    let tell = |running: agent::Running| {
        tokio::spawn(async move {
            loop {
                let view = running.stats.view();
                println!("told {} {}", view.recorded, view.probed);
                tokio::time::sleep(Duration::from_millis(10)).await;
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
        least += killed_when(data.path(), |told| told.recorded >= 10 + 25 * round).await.recorded;
    }
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

/// What a child told before its death.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// Messages committed.
    pub recorded: usize,
    /// Addresses asked in the present discovery.
    pub probed: u64,
}

/// Runs the agent in a process of its own until it has told enough, then kills it. Returns what it told last.
pub async fn killed_when(data: &std::path::Path, enough: impl Fn(&Told) -> bool) -> Told {
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["kill::child_that_is_killed", "--exact", "--nocapture"])
        .env(CHILD, data)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut told = Told::default();
    let reading = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            let words: Vec<&str> = line.split(' ').collect();
            if let ["told", recorded, probed] = words[..] {
                told = Told { recorded: recorded.parse().unwrap(), probed: probed.parse().unwrap() };
            }
            if enough(&told) {
                return;
            }
        }
        panic!("the child ended by itself");
    };
    tokio::time::timeout(Duration::from_secs(240), reading).await.expect("enough within four minutes");
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    told
}
