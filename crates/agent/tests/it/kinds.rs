//! Other makers' devices, told in the kinds that devices use themselves; and who answers in another's place.

use std::net::Ipv4Addr;

use vmfp::{Devices, Fault, Fleet, FleetConfig};
use wire::{AgentPlan, Body, Subject, monitor::EventBody};

use crate::gateway::{Gateway, Kept, of_kind, subjects};

async fn fleet(base: [u8; 4], count: u32, speed: f64) -> Fleet {
    let devices = Devices::Fleet { count, base: Ipv4Addr::from(base) };
    let config =
        FleetConfig { devices, snmp_port: 0, http_port: 0, ipp_port: 0, seed: 7, speed, ..FleetConfig::default() };
    vmfp::start(config).await.unwrap()
}

fn plan(base: [u8; 4], port: u16, discovery_s: u32) -> AgentPlan {
    let [a, b, c, _] = base;
    AgentPlan {
        revision: 1,
        ranges: vec![format!("{a}.{b}.{c}.1-{a}.{b}.{c}.40:{port}")],
        status_s: 1,
        meters_s: 60,
        discovery_s,
        discovery_pps: 2_000,
        ..AgentPlan::default()
    }
}

/// Alarms that another answered in a device's place, in their order.
fn mismatches(kept: &Kept) -> Vec<(Subject, EventBody)> {
    let alarms = kept.messages.iter().filter_map(|(_, message)| match &message.body {
        Body::Alarm(event) if event.code == "platen-identity-mismatch" => Some((message.subject?, event.clone())),
        _ => None,
    });
    alarms.collect()
}

#[tokio::test]
async fn firmware_and_what_stops_devices_are_told_in_the_kinds_of_devices() {
    let base = [127, 43, 1, 1];
    let fleet = fleet(base, 12, 2_000.0).await;
    let gateway = Gateway::start(plan(base, fleet.snmp_port(), 3_600)).await;
    let agent = gateway.agent().await;
    gateway.until("versions of firmware", |kept| of_kind(kept, 9) >= 8).await;
    gateway.until("an event", |kept| of_kind(kept, 1) + of_kind(kept, 2) + of_kind(kept, 3) > 0).await;
    {
        let kept = gateway.kept.lock();
        for (_, message) in &kept.messages {
            if let Body::Jam(event) | Body::Error(event) = &message.body {
                assert!(event.code.len() <= 32 && event.standing.is_none(), "{event:?}");
                let told = kept.messages.iter().any(|(_, m)| m.subject == message.subject && m.body.kind() == 4);
                assert!(told, "the server knows the device before");
            }
        }
    }
    assert_eq!(agent.stats().view().rejected, 0);
    agent.stop().await;
}

#[tokio::test]
async fn another_network_card_at_a_known_device_is_an_alarm_of_level_three_told_once() {
    let base = [127, 43, 2, 1];
    let fleet = fleet(base, 2, 0.0).await;
    let gateway = Gateway::start(plan(base, fleet.snmp_port(), 3_600)).await;
    let agent = gateway.agent().await;
    gateway.until("both devices are reported", |kept| subjects(kept).len() == 2).await;
    let victim = Ipv4Addr::from(base);
    fleet.fault(victim, Fault::Mac([2, 0, 0, 0, 0, 9])).unwrap();
    fleet.fault(victim, Fault::Reboot).unwrap();
    gateway.until("the mismatch is told", |kept| !mismatches(kept).is_empty()).await;
    let first = mismatches(&gateway.kept.lock())[0].1.clone();
    assert_eq!((first.level, first.standing), (Some(3), Some(true)));
    assert!(first.sub_code.unwrap().to_lowercase().ends_with("09"), "it says which card answered");
    fleet.fault(victim, Fault::Reboot).unwrap();
    let statuses = of_kind(&gateway.kept.lock(), 4);
    gateway.until("it is read again", |kept| of_kind(kept, 4) > statuses || of_kind(kept, 64) > 3).await;
    assert_eq!(mismatches(&gateway.kept.lock()).len(), 1, "told once");
    agent.stop().await;
}

#[tokio::test]
async fn swapped_addresses_are_an_alarm_until_the_device_is_found_again() {
    let base = [127, 43, 3, 1];
    let fleet = fleet(base, 3, 0.0).await;
    let gateway = Gateway::start(plan(base, fleet.snmp_port(), 2)).await;
    let agent = gateway.agent().await;
    gateway.until("all devices are reported", |kept| subjects(kept).len() == 3).await;
    let other = Ipv4Addr::new(127, 43, 3, 2);
    fleet.fault(Ipv4Addr::from(base), Fault::AddressSwap(other)).unwrap();
    gateway.until("the mismatch is told", |kept| mismatches(kept).iter().any(|(_, e)| e.standing == Some(true))).await;
    let ended = |kept: &Kept| {
        let all = mismatches(kept);
        let open = |subject: Subject| {
            let last = all.iter().rev().find(|(of, _)| *of == subject);
            last.is_some_and(|(_, event)| event.standing == Some(true))
        };
        !all.is_empty() && all.iter().all(|(subject, _)| !open(*subject))
    };
    gateway.until("its end is told", ended).await;
    assert_eq!(subjects(&gateway.kept.lock()).len(), 3, "nobody new");
    agent.stop().await;
}
