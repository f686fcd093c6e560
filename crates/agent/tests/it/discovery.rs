//! Virtual devices, found and kept read.

use std::net::Ipv4Addr;

use vmfp::{Devices, Fault, Fleet, FleetConfig};
use wire::{AgentPlan, Body};

use crate::gateway::{Gateway, of_kind, subjects};

/// A fleet that stands still at `base`.
async fn fleet(base: [u8; 4], count: u32, speed: f64) -> Fleet {
    let devices = Devices::Fleet { count, base: Ipv4Addr::from(base) };
    vmfp::start(FleetConfig {
        devices,
        snmp_port: 0,
        http_port: 0,
        ipp_port: 0,
        seed: 7,
        speed,
        ..FleetConfig::default()
    })
    .await
    .unwrap()
}

/// Looks at the `/24` of `base`, quickly.
fn plan(base: [u8; 4], port: u16) -> AgentPlan {
    let [a, b, c, _] = base;
    AgentPlan {
        revision: 1,
        ranges: vec![format!("{a}.{b}.{c}.1-{a}.{b}.{c}.40:{port}")],
        status_s: 1,
        meters_s: 60,
        discovery_s: 3_600,
        discovery_pps: 2_000,
        ..AgentPlan::default()
    }
}

#[tokio::test]
async fn a_fleet_is_found_and_reported_without_being_told_where() {
    let base = [127, 41, 1, 1];
    let fleet = fleet(base, 25, 0.0).await;
    let gateway = Gateway::start(plan(base, fleet.snmp_port())).await;
    let agent = gateway.agent().await;
    gateway.until("all devices are reported", |kept| subjects(kept).len() == 25 && of_kind(kept, 5) >= 25).await;
    {
        let kept = gateway.kept.lock();
        let mut serials: Vec<_> = kept
            .messages
            .iter()
            .filter_map(|(_, m)| match &m.body {
                Body::Status(status) => status.identity.serial.clone(),
                _ => None,
            })
            .collect();
        let mut real: Vec<_> = fleet.devices().iter().map(|d| d.serial.clone()).collect();
        serials.sort();
        serials.dedup();
        real.sort();
        assert_eq!(serials, real);
    }
    gateway.until("signs of life", |kept| of_kind(kept, 64) >= 1).await;
    let view = agent.stats().view();
    println!("{view:?}");
    assert_eq!((view.devices, view.unreachable, view.rejected), (25, 0, 0));
    agent.stop().await;
}

#[tokio::test]
async fn a_silent_device_is_told_and_asked_less_often() {
    let base = [127, 41, 2, 1];
    let fleet = fleet(base, 2, 0.0).await;
    let gateway = Gateway::start(plan(base, fleet.snmp_port())).await;
    let agent = gateway.agent().await;
    gateway.until("both devices are reported", |kept| subjects(kept).len() == 2).await;
    let victim = Ipv4Addr::from(base);
    fleet.fault(victim, Fault::Silent).unwrap();
    let unreachable = |kept: &crate::gateway::Kept| {
        kept.messages
            .iter()
            .filter_map(|(_, m)| if let Body::Seen(s) = &m.body { Some(s) } else { None })
            .any(|seen| !seen.unreachable.is_empty())
    };
    gateway.until("the silence is told", unreachable).await;
    assert_eq!(agent.stats().view().unreachable, 1);
    fleet.heal(victim).unwrap();
    let before = gateway.kept.lock().messages.len();
    gateway
        .until("its return is told", |kept| {
            kept.messages[before..].iter().any(|(_, m)| matches!(&m.body, Body::Seen(s) if s.answered.len() == 2))
        })
        .await;
    assert_eq!(agent.stats().view().unreachable, 0);
    agent.stop().await;
}

#[tokio::test]
async fn what_a_device_left_unanswered_is_asked_again_though_nothing_moves() {
    let base = [127, 41, 9, 1];
    let fleet = fleet(base, 1, 0.0).await;
    let gateway = Gateway::start(plan(base, fleet.snmp_port())).await;
    let agent = gateway.agent().await;
    gateway.until("the device is reported", |kept| subjects(kept).len() == 1).await;
    let last_is_whole = |kept: &crate::gateway::Kept| {
        let mut statuses = kept.messages.iter().filter_map(|(_, m)| match &m.body {
            Body::Status(status) => Some(wire::report::is_whole(&status.quirks)),
            _ => None,
        });
        statuses.next_back() == Some(true)
    };
    let victim = Ipv4Addr::from(base);
    // The cheap look and the first questions get through, the tables do not.
    fleet.fault(victim, Fault::WalksSilent).unwrap();
    fleet.fault(victim, Fault::Reboot).unwrap();
    gateway.until("half a reading is told", |kept| !last_is_whole(kept)).await;
    fleet.heal(victim).unwrap();
    gateway.until("the whole is told", last_is_whole).await;
    agent.stop().await;
}

#[tokio::test]
async fn known_devices_stay_themselves_over_a_restart() {
    let base = [127, 41, 3, 1];
    let fleet = fleet(base, 5, 0.0).await;
    let gateway = Gateway::start(plan(base, fleet.snmp_port())).await;
    let agent = gateway.agent().await;
    gateway.until("all devices are reported", |kept| subjects(kept).len() == 5).await;
    let before = subjects(&gateway.kept.lock());
    let agent = agent.restart().await;
    let messages = gateway.kept.lock().messages.len();
    gateway
        .until("signs of life after the restart", |kept| {
            kept.messages[messages..].iter().any(|(_, m)| matches!(&m.body, Body::Seen(s) if !s.answered.is_empty()))
        })
        .await;
    agent.stop().await;
    let kept = gateway.kept.lock();
    assert_eq!(subjects(&kept), before);
    assert_eq!(of_kind(&kept, 4), 5, "nothing changed, so nothing was told twice");
}

#[tokio::test]
async fn a_moved_device_keeps_its_name() {
    let (old, new) = ([127, 41, 4, 1], Ipv4Addr::new(127, 41, 4, 21));
    let fleet = fleet(old, 1, 0.0).await;
    let gateway = Gateway::start(plan(old, fleet.snmp_port())).await;
    let agent = gateway.agent().await;
    gateway.until("the device is reported", |kept| subjects(kept).len() == 1).await;
    let data = agent.stop().await;
    fleet.fault(Ipv4Addr::from(old), Fault::AddressMove(new)).unwrap();
    let agent = crate::gateway::Agent::start(data, None, None).await.unwrap();
    let address = new.to_string();
    gateway
        .until("it is reported at its new address", |kept| {
            kept.messages.iter().any(|(_, m)| matches!(&m.body, Body::Status(s) if s.address == address))
        })
        .await;
    assert_eq!(subjects(&gateway.kept.lock()).len(), 1);
    assert_eq!(agent.stats().view().moved, 1);
    agent.stop().await;
}

#[tokio::test]
async fn discovery_is_polite_to_addresses_where_nobody_is() {
    let base = [127, 41, 5, 1];
    let fleet = fleet(base, 1, 0.0).await;
    // Nobody answers in the whole range; the one socket of the fleet counts every packet that comes to it.
    fleet.fault(Ipv4Addr::from(base), Fault::Silent).unwrap();
    let gateway = Gateway::start(plan(base, fleet.snmp_port())).await;
    let agent = gateway.agent().await;
    gateway.until("discovery has ended", |_| agent.stats().view().discoveries >= 1).await;
    let (asked, _) = fleet.traffic();
    println!("packets to 40 addresses without an answer, in one discovery: {asked}");
    assert!(asked <= 3 * 40, "{asked} packets");
    agent.stop().await;
}

#[tokio::test]
async fn two_addresses_of_one_unit_are_one_device() {
    let (one, two) = ([127, 41, 6, 1], [127, 41, 6, 21]);
    let (first, second) = (fleet(one, 2, 0.0).await, fleet(two, 2, 0.0).await);
    let serials = |fleet: &Fleet| fleet.devices().iter().map(|d| d.serial.clone()).collect::<Vec<_>>();
    assert_eq!(serials(&first), serials(&second), "the same seed makes the same units");
    let mut plan = plan(one, first.snmp_port());
    plan.ranges.push(format!("127.41.6.21-127.41.6.22:{}", second.snmp_port()));
    let gateway = Gateway::start(plan).await;
    let agent = gateway.agent().await;
    gateway.until("discovery has ended", |_| agent.stats().view().discoveries > 0).await;
    let view = agent.stats().view();
    assert_eq!((view.devices, view.aliases, view.moved), (2, 2, 0), "{view:?}");
    assert_eq!(subjects(&gateway.kept.lock()).len(), 2);
    agent.stop().await;
}

#[tokio::test]
async fn another_unit_at_a_known_address_is_another_device() {
    let base = [127, 41, 7, 1];
    let address = Ipv4Addr::from(base);
    let fleet = fleet(base, 1, 0.0).await;
    let gateway = Gateway::start(plan(base, fleet.snmp_port())).await;
    let agent = gateway.agent().await;
    gateway.until("the device is reported", |kept| subjects(kept).len() == 1).await;
    let data = agent.stop().await;
    let before = fleet.truth(address).unwrap().serial;
    fleet.fault(address, Fault::DeviceSwap).unwrap();
    let serial = fleet.truth(address).unwrap().serial;
    assert_ne!(before, serial, "another unit stands there");
    gateway.kept.lock().plan.full_s = 60;
    gateway.kept.lock().plan.revision = 2;
    let agent = crate::gateway::Agent::start(data, None, None).await.unwrap();
    gateway
        .until("the other unit is reported under another name", |kept| {
            let told =
                |m: &wire::Message| matches!(&m.body, Body::Status(s) if s.identity.serial.as_ref() == Some(&serial));
            kept.messages.iter().any(|(_, m)| told(m)) && subjects(kept).len() == 2
        })
        .await;
    agent.stop().await;
}

#[tokio::test]
async fn an_address_that_the_plan_excludes_is_not_asked_any_more() {
    let base = [127, 41, 8, 1];
    let fleet = fleet(base, 1, 0.0).await;
    let gateway = Gateway::start(plan(base, fleet.snmp_port())).await;
    let agent = gateway.agent().await;
    gateway.until("the device is reported", |kept| subjects(kept).len() == 1).await;
    {
        let mut kept = gateway.kept.lock();
        kept.plan = AgentPlan { revision: 2, exclude: vec!["127.41.8.0/24".to_owned()], ..kept.plan.clone() };
    }
    gateway.until("the new plan is followed", |kept| kept.followed == 2).await;
    let asked = fleet.traffic().0;
    let before = gateway.kept.lock().messages.len();
    gateway.until("a message more", |kept| kept.messages.len() > before).await;
    assert!(fleet.traffic().0 <= asked + 2, "at most a look that was under way");
    agent.stop().await;
}
