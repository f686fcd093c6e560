//! Hard behaviours that show only in whole visits: lies in GETBULK alone, contexts of v3, accounts that lock.

use std::net::{Ipv4Addr, SocketAddr};

use device::{Access, BulkTrust, Context, Known, read, read_meters, read_status, reread};
use snmp::{Engine, EngineConfig};
use vmfp::{Devices, Fault, Fleet, FleetConfig, Mood, V3User};
use wire::plan::SnmpCredential;

fn engine() -> Engine {
    Engine::start(EngineConfig::default()).unwrap()
}

async fn one(profile: &str, base: [u8; 4]) -> (Fleet, Access) {
    let devices = Devices::Profile { name: profile.into(), count: 1, base: Ipv4Addr::from(base) };
    let v3_users = vec!["ops:sha256:auth-secret:aes256:priv-secret".parse::<V3User>().unwrap().0];
    let config = FleetConfig { devices, v3_users, mood: Mood::Faultless, speed: 0.0, ..FleetConfig::default() };
    let fleet = vmfp::start(config).await.unwrap();
    let address = SocketAddr::from((fleet.devices()[0].address, fleet.snmp_port()));
    // Longer than any machine stalls.
    let access = Access { timeout: std::time::Duration::from_secs(60), ..Access::new(address) };
    (fleet, access)
}

fn ops(pass: &str) -> SnmpCredential {
    SnmpCredential::Usm {
        user: "ops".to_owned(),
        auth: Some("sha256".to_owned()),
        auth_pass: Some(pass.to_owned()),
        privacy: Some("aes256".to_owned()),
        privacy_pass: Some("priv-secret".to_owned()),
    }
}

#[tokio::test]
async fn bulk_bugs_wrong_values_in_bulk_alone_are_noticed_and_avoided() {
    let (fleet, access) = one("ricoh-colour-a3", [127, 31, 50, 1]).await;
    let engine = engine();
    let honest = read(&engine, &access).await.unwrap();
    assert_eq!(honest.known.bulk, BulkTrust::Right);
    assert!(honest.reading.supplies.len() > 2);
    fleet.fault(fleet.devices()[0].address, Fault::BulkWrongValues).unwrap();
    let lied = read(&engine, &access).await.unwrap();
    assert_eq!(lied.known.bulk, BulkTrust::Wrong);
    assert!(lied.reading.quirks.iter().any(|quirk| quirk == "snmp-wrong-values-in-bulk"), "{:?}", lied.reading.quirks);
    let numbers =
        |read: &device::Read| (read.reading.supplies.clone(), read.reading.meters.clone(), read.reading.inputs.clone());
    assert_eq!(numbers(&lied), numbers(&honest));
    // It is remembered: polls and the next reading use no GETBULK, and do not compare again.
    let status = read_status(&engine, &access, &lied.known).await.unwrap();
    assert_eq!(status.body.supplies, honest.reading.supplies);
    assert_eq!(read_meters(&engine, &access, &lied.known).await.unwrap(), honest.reading.meters);
    let again = reread(&engine, &access, &lied.known).await.unwrap();
    assert_eq!((numbers(&again), again.known.bulk), (numbers(&honest), BulkTrust::Wrong));
    let known: Known = serde_json::from_str(&serde_json::to_string(&again.known).unwrap()).unwrap();
    assert_eq!(known.bulk, BulkTrust::Wrong);
}

#[tokio::test]
async fn bulk_bugs_a_device_that_begins_to_lie_in_bulk_is_caught_by_whatever_asks_next() {
    let engine = engine();
    for (place, base) in [[127, 31, 53, 1], [127, 31, 54, 1], [127, 31, 55, 1]].into_iter().enumerate() {
        let (fleet, access) = one("ricoh-colour-a3", base).await;
        let honest = read(&engine, &access).await.unwrap();
        assert_eq!(honest.known.bulk, BulkTrust::Right);
        fleet.fault(fleet.devices()[0].address, Fault::BulkWrongValues).unwrap();
        let bulk = match place {
            0 => {
                let status = read_status(&engine, &access, &honest.known).await.unwrap();
                assert_eq!(status.body.supplies, honest.reading.supplies);
                assert_eq!(status.body.inputs, honest.reading.inputs);
                status.known.bulk
            }
            1 => {
                let again = reread(&engine, &access, &honest.known).await.unwrap();
                assert_eq!(again.reading.supplies, honest.reading.supplies);
                assert_eq!(again.reading.meters, honest.reading.meters);
                again.known.bulk
            }
            _ => {
                let meters = read_meters(&engine, &access, &honest.known).await.unwrap();
                assert_eq!(meters, honest.reading.meters);
                continue;
            }
        };
        assert_eq!(bulk, BulkTrust::Wrong);
    }
}

#[tokio::test]
async fn walk_safety_a_walk_that_begins_to_run_in_circles_is_no_table_without_alerts() {
    let (fleet, access) = one("konica-minolta-colour-a3", [127, 31, 56, 1]).await;
    let engine = engine();
    let before = read(&engine, &access).await.unwrap();
    assert!(wire::report::tells_alerts(&before.reading.quirks) && wire::report::tells_supplies(&before.reading.quirks));
    fleet.fault(fleet.devices()[0].address, Fault::NonIncreasing).unwrap();
    let status = read_status(&engine, &access, &before.known).await.unwrap();
    assert!(!wire::report::tells_alerts(&status.body.quirks), "{:?}", status.body.quirks);
    assert!(!wire::report::tells_supplies(&status.body.quirks));
    assert!(status.body.alerts.is_empty() && status.body.identity.vendor == before.reading.identity.vendor);
    fleet.heal(fleet.devices()[0].address).unwrap();
    let after = read_status(&engine, &access, &status.known).await.unwrap();
    assert!(wire::report::tells_alerts(&after.body.quirks), "{:?}", after.body.quirks);
    assert_eq!(after.body.supplies, before.reading.supplies);
}

#[tokio::test]
async fn walk_safety_of_a_table_without_end_the_rows_that_exist_are_read() {
    let (fleet, access) = one("konica-minolta-colour-a3", [127, 31, 57, 1]).await;
    let engine = engine();
    let before = read(&engine, &access).await.unwrap();
    assert!(before.reading.supplies.len() > 4);
    fleet.fault(fleet.devices()[0].address, Fault::EndlessTable).unwrap();
    for known in [Known::default(), before.known.clone()] {
        let endless = reread(&engine, &access, &known).await.unwrap();
        assert!(endless.reading.quirks.iter().any(|quirk| quirk == "snmp-column-without-end"));
        assert_eq!(endless.reading.supplies, before.reading.supplies);
        assert_eq!(endless.reading.meters, before.reading.meters);
        assert!(wire::report::tells_alerts(&endless.reading.quirks), "{:?}", endless.reading.quirks);
    }
}

#[tokio::test]
async fn bulk_bugs_answers_cut_in_the_middle_tell_less_and_nothing_else() {
    let (fleet, access) = one("ricoh-colour-a3", [127, 31, 58, 1]).await;
    let engine = engine();
    let before = read(&engine, &access).await.unwrap();
    fleet.fault(fleet.devices()[0].address, Fault::TruncatedReply).unwrap();
    let Ok(cut) = reread(&engine, &access, &before.known).await else { return };
    let told = &cut.reading;
    assert!(told.identity.serial.is_none() || told.identity.serial == before.reading.identity.serial);
    for supply in &told.supplies {
        let same = before.reading.supplies.iter().find(|known| known.index == supply.index).unwrap();
        assert!(supply.level == same.level || supply.level == wire::Level::Unknown, "{supply:?} was {same:?}");
    }
    assert!(told.meters.iter().all(|meter| before.reading.meters.contains(meter)), "{:?}", told.meters);
    assert!(!wire::report::tells_alerts(&told.quirks) || told.alerts == before.reading.alerts, "{:?}", told.quirks);
}

#[tokio::test]
async fn error_state_shapes_of_a_device_that_turns_its_octets_round_are_read_by_its_alerts() {
    let (fleet, access) = one("konica-minolta-colour-a3", [127, 31, 59, 1]).await;
    let (engine, here) = (engine(), fleet.devices()[0].address);
    fleet.fault(here, Fault::TrapStorm { flips: 1, per_second: 1_000 }).unwrap();
    while fleet.truth(here).unwrap().alerts.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let before = read(&engine, &access).await.unwrap();
    assert!(before.reading.status.reasons.iter().any(|reason| reason.contains("open")), "{:?}", before.reading.status);
    for shape in [vmfp::ErrorShape::Swapped, vmfp::ErrorShape::LittleEndian, vmfp::ErrorShape::Four] {
        fleet.fault(here, Fault::ErrorState(shape)).unwrap();
        let turned = reread(&engine, &access, &before.known).await.unwrap();
        assert_eq!(turned.reading.status, before.reading.status, "{shape:?}");
        fleet.heal(here).unwrap();
    }
}

#[tokio::test]
async fn identity_what_goes_unanswered_for_once_makes_no_other_device() {
    let folder = std::env::temp_dir().join(format!("platen-device-{}-for-once", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let rows = [
        // A brand that stands in sysDescr alone, and a maker who is known by sysObjectID.
        "1.3.6.1.2.1.1.1.0|4|NRG MP 4000 2.04 / NRG Network Printer C model\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.367.1.1\n\
         1.3.6.1.2.1.43.5.1.1.17.1|4|M6394300001\n",
        // Two serial numbers, of which the standard one counts.
        "1.3.6.1.2.1.1.1.0|4|Brother NC-8300h, Firmware Ver.1.14\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.2435.2.3.9.1\n\
         1.3.6.1.2.1.43.5.1.1.17.1|4|000A5J400001\n1.3.6.1.4.1.2435.2.3.9.4.2.1.5.5.1.0|4|U64969H9N000001\n",
    ];
    let files = rows.iter().enumerate().map(|(place, rows)| {
        let file = folder.join(format!("{place}.snmprec"));
        std::fs::write(&file, rows).unwrap();
        file
    });
    let (devices, walk_base) = (Devices::Walks(files.collect()), Ipv4Addr::new(127, 31, 60, 1));
    let fleet = vmfp::start(FleetConfig { devices, walk_base, speed: 0.0, ..FleetConfig::default() }).await.unwrap();
    let engine = engine();
    let gone = ["1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.43.5.1.1.17.1"];
    let expected = [("nrg", Some("M6394300001"), Some("M6394300001")), ("brother", Some("000A5J400001"), None)];
    for ((info, gone), (vendor, serial, later)) in fleet.devices().iter().zip(gone).zip(expected) {
        let access = Access::new(SocketAddr::from((info.address, fleet.snmp_port())));
        let first = read(&engine, &access).await.unwrap();
        assert_eq!(first.reading.identity.vendor.as_deref(), Some(vendor));
        assert_eq!(first.reading.identity.serial.as_deref(), serial);
        fleet.fault(info.address, Fault::Says(gone.parse().unwrap(), snmp::Value::NoSuchInstance)).unwrap();
        let mut known = first.known.clone();
        for _ in 0..2 {
            let again = reread(&engine, &access, &known).await.unwrap();
            assert_eq!(again.reading.identity.vendor.as_deref(), Some(vendor));
            assert_eq!(again.reading.identity.serial.as_deref(), later);
            known = again.known;
        }
        fleet.heal(info.address).unwrap();
        let healed = reread(&engine, &access, &known).await.unwrap();
        assert_eq!(healed.reading.identity, first.reading.identity);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn contexts_of_v3_are_asked_by_name_and_remembered_by_polls() {
    let (_fleet, mut access) = one("hp-mono-a4", [127, 31, 51, 1]).await;
    let engine = engine();
    for credential in [ops("auth-secret"), SnmpCredential::community("public")] {
        access.credentials = vec![credential];
        let first = read(&engine, &access).await.unwrap();
        assert_eq!(first.known.context, Context::Answers("Jetdirect".to_owned()), "{:?}", first.reading.snmp);
        assert!(!first.reading.supplies.is_empty(), "the answer is merged");
        let status = read_status(&engine, &access, &first.known).await.unwrap();
        assert_eq!(status.body.supplies, first.reading.supplies, "and asked for again in polls");
    }
}

#[tokio::test]
async fn usm_variants_a_wrong_user_before_the_right_one_locks_no_account() {
    let (fleet, mut access) = one("ricoh-colour-a3", [127, 31, 52, 1]).await;
    fleet.fault(fleet.devices()[0].address, Fault::LocksOut(2)).unwrap();
    let engine = engine();
    access.credentials = vec![ops("wrong-secret"), ops("auth-secret")];
    let first = read(&engine, &access).await.unwrap();
    assert_eq!(first.known.credential, 1, "one wrong digest, then the right user");
    for _ in 0..3 {
        reread(&engine, &access, &first.known).await.unwrap();
        read_status(&engine, &access, &first.known).await.unwrap();
    }
}
