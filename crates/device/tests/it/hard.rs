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
    let access = Access::new(SocketAddr::from((fleet.devices()[0].address, fleet.snmp_port())));
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
