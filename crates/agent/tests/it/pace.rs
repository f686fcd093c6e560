//! Looks in time at the pace of ten thousand devices a minute.

use std::{net::Ipv4Addr, time::Duration};

use vmfp::{Devices, FleetConfig};
use wire::AgentPlan;

use crate::gateway::{Agent, Gateway, subjects};

const DEVICES: u32 = 500;

/// 500 devices each 3 s are 167 looks a second, as are 10,000 devices a minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looks_begin_on_time_at_167_a_second() {
    let devices = Devices::Fleet { count: DEVICES, base: Ipv4Addr::new(127, 42, 1, 1) };
    let config = FleetConfig {
        devices,
        snmp_port: 0,
        http_port: 0,
        ipp_port: 0,
        seed: 11,
        speed: 1.0,
        ..FleetConfig::default()
    };
    let fleet = vmfp::start(config).await.unwrap();
    let plan = AgentPlan {
        revision: 1,
        ranges: vec![format!("127.42.1.1-127.42.3.254:{}", fleet.snmp_port())],
        status_s: 3,
        meters_s: 3_600,
        discovery_pps: 5_000,
        ..AgentPlan::default()
    };
    let gateway = Gateway::start(plan).await;
    let agent = gateway.agent().await;
    gateway.until("all devices are reported", |kept| subjects(kept).len() == DEVICES as usize).await;
    gateway.until("discovery has ended", |_| agent.stats().view().discoveries > 0).await;
    // A machine that stalls makes every look late: measured again then. A scheduler that is slow is slow each time.
    let mut paces = Vec::new();
    for _ in 0..10 {
        let pace = measure(&agent).await;
        let well = pace.is_well();
        paces.push(pace);
        if well {
            break;
        }
    }
    println!("{paces:?}");
    assert!(paces.last().unwrap().is_well(), "{paces:?}");
    gateway.until("everybody answers", |_| agent.stats().view().unreachable == 0).await;
    agent.stop().await;
}

/// Looks of a while.
#[derive(Debug)]
struct Pace {
    looks: u64,
    /// Of them, those that began more than a second late.
    late: u64,
    /// CPU time a second, with the devices and the gateway in it.
    #[expect(dead_code, reason = "printed")]
    cpu: f64,
}

impl Pace {
    fn is_well(&self) -> bool {
        self.looks >= 1_490 && self.late * 100 <= self.looks
    }
}

async fn measure(agent: &Agent) -> Pace {
    let (before, cpu) = (agent.stats().view(), cpu_seconds());
    let span = Duration::from_secs(9);
    tokio::time::sleep(span).await;
    let (after, cpu) = (agent.stats().view(), cpu_seconds() - cpu);
    let (looks, late) = (after.polls - before.polls, after.late_polls - before.late_polls);
    Pace { looks, late, cpu: cpu / span.as_secs_f64() }
}

/// CPU time of this process so far.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11..=12].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum();
    ticks / 100.0
}
