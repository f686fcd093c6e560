//! Each fault does what its name says, and healing ends it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use snmp::pdu::PduKind;
use snmp::{Value, Version};
use vmfp::{Devices, Fault, Fleet, FleetConfig, Line, Mood, TrueState};

use crate::ask::{Ask, decode};
use crate::fleets::{BUSY, at};

const NAME: &str = "1.3.6.1.2.1.1.5.0";
const LIFE: &str = "1.3.6.1.2.1.43.10.2.1.4.1.1";
const SERIAL: &str = "1.3.6.1.2.1.43.5.1.1.17.1";
const SHORT: Duration = Duration::from_millis(150);

async fn one() -> (Fleet, SocketAddr) {
    let devices = Devices::Profile { name: "konica-minolta-colour-a3".into(), count: 3, base: vmfp::BASE };
    let config = FleetConfig { devices, mood: Mood::Calm, speed: 0.0, ..FleetConfig::default() };
    let fleet = vmfp::start(config).await.unwrap();
    let to = at(&fleet, vmfp::BASE);
    (fleet, to)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_devices_say_nothing_until_healed() {
    let (fleet, to) = one().await;
    for (fault, kind, numbers) in [
        (Fault::Silent, PduKind::Get, [0, 0]),
        (Fault::V1Only, PduKind::Get, [0, 0]),
        (Fault::OnlyCommunity("other".into()), PduKind::Get, [0, 0]),
        (Fault::Loss(1.0), PduKind::Get, [0, 0]),
        (Fault::WalksSilent, PduKind::GetNext, [0, 0]),
        (Fault::WalksSilent, PduKind::GetBulk, [0, 20]),
        (Fault::MaxRepetitionsZeroHang, PduKind::GetBulk, [0, 0]),
        (Fault::BulkSilentAbove(20), PduKind::GetBulk, [0, 21]),
    ] {
        fleet.fault(vmfp::BASE, fault.clone()).unwrap();
        assert_eq!(Ask::new(SHORT).raw(to, kind, numbers, &[NAME]), None, "{fault:?}");
        fleet.heal(vmfp::BASE).unwrap();
        assert!(Ask::new(BUSY).raw(to, kind, numbers, &[NAME]).is_some(), "{fault:?}");
    }
    fleet.fault(vmfp::BASE, Fault::V1Only).unwrap();
    let mut ask = Ask::new(BUSY);
    ask.version = Version::V1;
    assert!(ask.get(to, NAME).is_some());
    fleet.fault(vmfp::BASE, Fault::OnlyCommunity("other".into())).unwrap();
    ask.community = "other";
    assert!(ask.get(to, NAME).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spoilt_bytes_are_no_answer() {
    let (fleet, to) = one().await;
    let ask = Ask::new(BUSY);
    for fault in [Fault::Garbage, Fault::TruncatedReply, Fault::LyingLength] {
        fleet.fault(vmfp::BASE, fault.clone()).unwrap();
        for (kind, numbers) in [(PduKind::Get, [0, 0]), (PduKind::GetBulk, [0, 20])] {
            let bytes = ask.raw(to, kind, numbers, &[NAME]).unwrap();
            assert!(decode(&bytes).is_none(), "{fault:?}");
        }
        fleet.heal(vmfp::BASE).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twisted_objects_lead_astray() {
    let (fleet, to) = one().await;
    let ask = Ask::new(BUSY);
    let next = |oid: &str| ask.pdu(to, PduKind::GetNext, [0, 0], &[oid]).unwrap().varbinds.remove(0).oid.to_string();
    fleet.fault(vmfp::BASE, Fault::NonIncreasing).unwrap();
    assert_eq!(next(LIFE), LIFE);
    fleet.heal(vmfp::BASE).unwrap();
    fleet.fault(vmfp::BASE, Fault::LoopingOids).unwrap();
    let first = next("1.3.6.1.2.1.43.11.1.1");
    let (mut oid, mut steps) = (next(&first), 0);
    while oid != first {
        (oid, steps) = (next(&oid), steps + 1);
        assert!(steps < 500, "it should come back");
    }
    fleet.heal(vmfp::BASE).unwrap();
    fleet.fault(vmfp::BASE, Fault::BulkWrongValues).unwrap();
    let before = "1.3.6.1.2.1.43.10.2.1.4";
    let bulk = ask.pdu(to, PduKind::GetBulk, [0, 1], &[before]).unwrap().varbinds.remove(0).value;
    assert_ne!(Some(bulk), ask.get(to, LIFE));
    fleet.heal(vmfp::BASE).unwrap();
    fleet.fault(vmfp::BASE, Fault::WrongTypes).unwrap();
    assert!(matches!(ask.get(to, LIFE), Some(Value::Integer(_))));
    fleet.heal(vmfp::BASE).unwrap();
    fleet.fault(vmfp::BASE, Fault::PartialReply).unwrap();
    let many: Vec<String> = (2..12).map(|column| format!("1.3.6.1.2.1.43.8.2.1.{column}.1.1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let got = ask.pdu(to, PduKind::Get, [0, 0], &many).unwrap();
    let missing = got.varbinds.iter().filter(|item| item.value == Value::NoSuchInstance).count();
    assert!((1..10).contains(&missing), "{missing}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_come_where_they_are_asked_for() {
    let (fleet, to) = one().await;
    let ask = Ask::new(BUSY);
    fleet.fault(vmfp::BASE, Fault::EmptyTooBig).unwrap();
    let big = ask.pdu(to, PduKind::GetBulk, [0, 11], &[NAME]).unwrap();
    assert_eq!((big.status, big.varbinds.len()), (1, 0));
    assert_eq!(ask.pdu(to, PduKind::GetBulk, [0, 10], &[NAME]).unwrap().varbinds.len(), 10);
    fleet.fault(vmfp::BASE, Fault::GenErrAtEnd).unwrap();
    let end = ask.pdu(to, PduKind::GetNext, [0, 0], &["1.3.6.1.5"]).unwrap();
    assert_eq!(end.status, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_once_stays() {
    let (fleet, to) = one().await;
    let ask = Ask::new(BUSY);
    let before = ask.get(to, SERIAL).unwrap();
    fleet.fault(vmfp::BASE, Fault::CounterReset).unwrap();
    assert_eq!(ask.get(to, LIFE), Some(Value::Counter32(0)));
    fleet.fault(vmfp::BASE, Fault::BoardSwap).unwrap();
    let after = ask.get(to, SERIAL).unwrap();
    assert_ne!(before, after);
    assert_eq!(after, Value::text(&fleet.truth(vmfp::BASE).unwrap().serial));
    assert_eq!(ask.get(to, "1.3.6.1.2.1.1.3.0"), Some(Value::TimeTicks(0)));
    let new = Ipv4Addr::new(127, 20, 7, 7);
    fleet.fault(vmfp::BASE, Fault::AddressMove(new)).unwrap();
    assert_eq!(ask.get(at(&fleet, new), SERIAL), Some(after));
    assert_eq!(Ask::new(SHORT).get(to, SERIAL), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lossy_line_repeats_itself_by_its_seed() {
    let devices = Devices::Profile { name: "zebra-label".into(), count: 1, base: vmfp::BASE };
    let line = Line { loss: 0.3, ..Line::default() };
    let config = FleetConfig { devices, line, mood: Mood::Faultless, speed: 0.0, ..FleetConfig::default() };
    let run = async |patience| {
        let fleet = vmfp::start(config.clone()).await.unwrap();
        let ask = Ask::new(patience);
        (0..20).map(|_| ask.get(at(&fleet, vmfp::BASE), NAME).is_some()).collect::<Vec<_>>()
    };
    // A machine that stalls loses more than the line: asked again with more patience then.
    for patience in [1, 8, 64, 512].map(|times| SHORT * times) {
        let runs = [run(patience).await, run(patience).await];
        assert!(runs[0].contains(&false), "{runs:?}");
        if runs[0] == runs[1] && runs[0].contains(&true) {
            return;
        }
    }
    panic!("no two runs lose the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cycle_begins_alert_indices_anew() {
    let devices = Devices::Profile { name: "lexmark-mono-a4".into(), count: 6, base: vmfp::BASE };
    let fleet = vmfp::start(FleetConfig { devices, speed: 0.0, ..FleetConfig::default() }).await.unwrap();
    let jammed = Ipv4Addr::new(127, 20, 0, 6);
    let before = fleet.truth(jammed).unwrap();
    assert!(before.alerts.iter().any(|alert| alert.place == (13, 1, 8)));
    fleet.fault(jammed, Fault::Reboot).unwrap();
    let ask = Ask::new(BUSY);
    assert_eq!(ask.get(at(&fleet, jammed), "1.3.6.1.2.1.1.3.0"), Some(Value::TimeTicks(0)));
    let row = ask.get(at(&fleet, jammed), "1.3.6.1.2.1.43.18.1.1.7.1.1").unwrap();
    assert_eq!(row.as_i64(), Some(i64::from(fleet.truth(jammed).unwrap().alerts[0].place.2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_may_come_twice() {
    let (fleet, to) = one().await;
    fleet.fault(vmfp::BASE, Fault::Duplicate(1.0)).unwrap();
    let ask = Ask::new(BUSY);
    let first = ask.raw(to, PduKind::Get, [0, 0], &[NAME]);
    assert!(first.is_some());
    assert_eq!(first, ask.receive(to));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deaf_sleeper_answers_when_awake() {
    let devices = Devices::Profile { name: "brother-mono-a4".into(), count: 12, base: vmfp::BASE };
    let fleet = vmfp::start(FleetConfig { devices, speed: 0.0, ..FleetConfig::default() }).await.unwrap();
    let (asleep, awake) = (Ipv4Addr::new(127, 20, 0, 12), Ipv4Addr::new(127, 20, 0, 4));
    assert_eq!(fleet.truth(asleep).unwrap().state, TrueState::Asleep);
    for address in [asleep, awake] {
        fleet.fault(address, Fault::DeafAsleep).unwrap();
    }
    assert_eq!(Ask::new(SHORT).get(at(&fleet, asleep), NAME), None);
    assert!(Ask::new(BUSY).get(at(&fleet, awake), NAME).is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_answer_still_comes() {
    let (fleet, to) = one().await;
    fleet.fault(vmfp::BASE, Fault::Delay(Duration::from_millis(120))).unwrap();
    let begun = std::time::Instant::now();
    assert!(Ask::new(BUSY).get(to, NAME).is_some());
    assert!(begun.elapsed() >= Duration::from_millis(120));
}
