//! SNMPv3 as net-snmp speaks it: users, contexts, engine ids, and clocks that lie.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use snmp::{AuthProtocol, Engine, EngineConfig, Oid, PrivProtocol, Security, Target, UsmUser, Value};
use vmfp::{Devices, Fault, Fleet, FleetConfig, Mood, V3User};

use crate::ask::{Ask, uninterrupted};
use crate::fleets::{BUSY, at};

const NAME: &str = "1.3.6.1.2.1.1.5.0";
const LIFE: &str = "1.3.6.1.2.1.43.10.2.1.4.1.1";

async fn fleet(profile: &str, count: u32) -> Fleet {
    let devices = Devices::Profile { name: profile.into(), count, base: vmfp::BASE };
    let v3_users = [
        "ops:sha256:auth-secret:aes256:priv-secret",
        "old:md5:auth-secret:des:priv-secret",
        "far:sha1:auth-secret",
        "open",
    ]
    .map(|text| text.parse::<V3User>().unwrap().0);
    let config =
        FleetConfig { devices, v3_users: v3_users.into(), mood: Mood::Calm, speed: 0.0, ..FleetConfig::default() };
    vmfp::start(config).await.unwrap()
}

fn net_snmp(to: SocketAddr, args: &[&str]) -> Option<String> {
    let to = to.to_string();
    let all = [&["-v3", "-r", "0", "-t", "2", "-Oqv"], args, &[to.as_str(), LIFE]].concat();
    match Command::new("snmpget").args(all).output() {
        Ok(output) => Some(format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout).trim(),
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(_) => {
            println!("skipped: snmpget not found (apt install snmp)");
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn net_snmp_reads_a_device_at_every_level_of_security() {
    let fleet = fleet("kyocera-colour-a3", 1).await;
    let to = at(&fleet, vmfp::BASE);
    let life = fleet.truth(vmfp::BASE).unwrap().life_count.to_string();
    let secret = ["-A", "auth-secret", "-X", "priv-secret"];
    for args in [
        [&["-l", "authPriv", "-u", "ops", "-a", "SHA-256", "-x", "AES-256"][..], &secret].concat(),
        [&["-l", "authPriv", "-u", "old", "-a", "MD5", "-x", "DES"][..], &secret].concat(),
        vec!["-l", "authNoPriv", "-u", "far", "-a", "SHA", "-A", "auth-secret"],
        vec!["-l", "noAuthNoPriv", "-u", "open"],
    ] {
        let Some(said) = net_snmp(to, &args) else { return };
        assert_eq!(said, life, "{args:?}");
    }
    let weak = ["-l", "authNoPriv", "-u", "ops", "-a", "SHA-256", "-A", "auth-secret"];
    assert!(net_snmp(to, &weak).is_some_and(|said| said != life), "who does less than he can is not let in");
}

fn user(name: &str) -> UsmUser {
    UsmUser::new(name).auth(AuthProtocol::Sha256, "auth-secret").privacy(PrivProtocol::Aes256, "priv-secret")
}

fn target(to: SocketAddr, user: &UsmUser, context: &[u8]) -> Target {
    let security = Security::Usm { user: Arc::new(user.clone()), context: context.to_vec() };
    Target::new(to, security).patience(Duration::from_secs(60), 0)
}

async fn get(engine: &Engine, target: &Target, oid: &str) -> Result<Value, String> {
    let oid: Oid = oid.parse().unwrap();
    let mut got = engine.get(target, &[oid]).await.map_err(|error| error.to_string())?;
    Ok(got.remove(0).value)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contexts_are_asked_by_name_in_v3() {
    let fleet = fleet("hp-mono-a4", 1).await;
    let engine = Engine::start(EngineConfig::default()).unwrap();
    let (to, user) = (at(&fleet, vmfp::BASE), user("ops"));
    let level = "1.3.6.1.2.1.43.11.1.1.9.1.1";
    assert!(get(&engine, &target(to, &user, b""), level).await.unwrap().is_missing());
    assert!(get(&engine, &target(to, &user, b"Jetdirect"), level).await.unwrap().as_i64().is_some());
    let unknown = get(&engine, &target(to, &user, b"Moon"), level).await.unwrap_err();
    assert!(unknown.contains("context"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_without_v3_are_silent_and_users_of_a_profile_are_known() {
    let old = fleet("canon-mono-lbp", 1).await;
    let engine = Engine::start(EngineConfig::default()).unwrap();
    let hasty = target(at(&old, vmfp::BASE), &user("ops"), b"").patience(Duration::from_secs(1), 0);
    let silence = get(&engine, &hasty, NAME).await;
    assert!(silence.is_err(), "{silence:?}");
    assert!(Ask::new(BUSY).get(at(&old, vmfp::BASE), NAME).is_some());
    let new = fleet("hp-colour-a4", 1).await;
    let fleet_user = UsmUser::new("fleet")
        .auth(AuthProtocol::Sha256, "virtual-auth-pass")
        .privacy(PrivProtocol::Aes128, "virtual-priv-pass");
    assert!(get(&engine, &target(at(&new, vmfp::BASE), &fleet_user, b""), NAME).await.is_ok());
    let stranger = get(&engine, &target(at(&new, vmfp::BASE), &user("stranger"), b""), NAME).await.unwrap_err();
    assert!(stranger.contains("user"), "{stranger}");
}

/// Engine id, boots and time as the answer to a discovery tells them.
fn discover(to: SocketAddr) -> Option<(Vec<u8>, i64, i64)> {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(400))).unwrap();
    let mut request = Vec::new();
    snmp::message::write_discovery(&mut snmp::ber::Writer::new(&mut request), 77);
    socket.send_to(&request, to).unwrap();
    let mut buffer = [0; 2_048];
    let mut receive = || uninterrupted(|| socket.recv(&mut buffer));
    // Silence may be a stall: what answers a later question has come past ours.
    let length = receive().or_else(|_| {
        Ask::new(BUSY).get(to, NAME);
        receive()
    });
    let length = length.ok()?;
    let snmp::message::MessageRef::V3(message) =
        snmp::message::MessageRef::parse(&buffer[..length], snmp::ber::Tail::Whole).ok()?
    else {
        return None;
    };
    let mut body = snmp::ber::Reader::new(message.security, snmp::ber::Tail::Whole);
    let mut params = body.enter(snmp::ber::tag::SEQUENCE, "parameters").ok()?;
    let id = params.expect(snmp::ber::tag::OCTET_STRING, "engine id").ok()?.to_vec();
    let (boots, time) = (params.int32("boots").ok()?, params.int32("time").ok()?);
    Some((id, i64::from(boots), i64::from(time)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discovery_tells_an_engine_of_its_own_with_maker_and_hardware_address() {
    let devices = Devices::Fleet { count: 25, base: vmfp::BASE };
    let config = FleetConfig { devices, mood: Mood::Calm, speed: 0.0, ..FleetConfig::default() };
    let fleet = vmfp::start(config).await.unwrap();
    let mut ids = std::collections::HashSet::new();
    let mut silent = 0;
    for device in fleet.devices() {
        let Some((id, boots, time)) = discover(at(&fleet, device.address)) else {
            silent += 1;
            continue;
        };
        let truth = fleet.truth(device.address).unwrap();
        assert_eq!((id.len(), id[0] & 0x80, id[4], &id[5..]), (11, 0x80, 3, &truth.mac[..]), "{}", truth.model);
        assert!(boots > 0 && time > 0, "{boots} {time}");
        let said = Ask::new(BUSY).get(at(&fleet, device.address), "1.3.6.1.6.3.10.2.1.1.0").unwrap();
        assert_eq!(said.as_bytes(), Some(&id[..]), "snmpEngineID says the same");
        assert!(ids.insert(id));
    }
    assert!((2..=4).contains(&silent), "{silent} devices speak no v3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usm_time_boots_are_forgotten_and_clocks_jump() {
    let fleet = fleet("ricoh-colour-a3", 1).await;
    let to = at(&fleet, vmfp::BASE);
    let (id, boots, time) = discover(to).unwrap();
    fleet.fault(vmfp::BASE, Fault::Reboot).unwrap();
    let (same, more, fresh) = discover(to).unwrap();
    assert_eq!((&same, more), (&id, boots + 1));
    assert!(fresh < 5 && time > fresh, "{time} {fresh}");
    fleet.fault(vmfp::BASE, Fault::ClockJump(100_000)).unwrap();
    assert!(discover(to).unwrap().2 >= 100_000);
    fleet.fault(vmfp::BASE, Fault::BootsForgotten).unwrap();
    assert_eq!(discover(to).unwrap().1, 0);
    fleet.fault(vmfp::BASE, Fault::Reboot).unwrap();
    assert_eq!(discover(to).unwrap().1, 0, "and again after each start");
    // A manager that talked to it before gets on with it all the same.
    let engine = Engine::start(EngineConfig::default()).unwrap();
    let target = target(to, &user("ops"), b"");
    assert!(get(&engine, &target, NAME).await.is_ok());
    fleet.fault(vmfp::BASE, Fault::ClockJump(-50_000)).unwrap();
    assert!(get(&engine, &target, NAME).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usm_time_engine_ids_are_cloned() {
    let fleet = fleet("ricoh-colour-a3", 3).await;
    let addresses: Vec<Ipv4Addr> = fleet.devices().iter().map(|device| device.address).collect();
    let ids = || addresses.iter().map(|address| discover(at(&fleet, *address)).unwrap().0).collect::<Vec<_>>();
    let own = ids();
    assert!(own[0] != own[1] && own[1] != own[2]);
    for address in &addresses[..2] {
        fleet.fault(*address, Fault::ClonedEngineId).unwrap();
    }
    let cloned = ids();
    assert!(cloned[0] == cloned[1] && cloned[1] != cloned[2]);
    fleet.heal(addresses[0]).unwrap();
    assert_eq!(ids()[0], own[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_and_a_device_bring_an_engine_of_their_own() {
    let fleet = fleet("ricoh-colour-a3", 1).await;
    let to = at(&fleet, vmfp::BASE);
    let mut seen = vec![discover(to).unwrap().0];
    for fault in [Fault::BoardSwap, Fault::DeviceSwap] {
        fleet.fault(vmfp::BASE, fault).unwrap();
        let id = discover(to).unwrap().0;
        assert!(!seen.contains(&id));
        seen.push(id);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usm_variants_a_device_locks_out_who_guesses() {
    let fleet = fleet("ricoh-colour-a3", 1).await;
    let to = at(&fleet, vmfp::BASE);
    fleet.fault(vmfp::BASE, Fault::LocksOut(2)).unwrap();
    let engine = Engine::start(EngineConfig::default()).unwrap();
    let wrong =
        UsmUser::new("ops").auth(AuthProtocol::Sha256, "wrong-secret").privacy(PrivProtocol::Aes256, "priv-secret");
    for _ in 0..2 {
        let refused = get(&engine, &target(to, &wrong, b""), NAME).await.unwrap_err();
        assert!(refused.contains("digest"), "{refused}");
    }
    assert_eq!(discover(to), None, "it answers no v3 any more");
    assert!(Ask::new(BUSY).get(to, NAME).is_some());
    fleet.heal(vmfp::BASE).unwrap();
    assert!(get(&engine, &target(to, &user("ops"), b""), NAME).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usm_variants_both_key_extensions_are_served() {
    let devices = Devices::Profile { name: "ricoh-colour-a3".into(), count: 1, base: vmfp::BASE };
    let reeder = "far:sha1:auth-secret:aes256:priv-secret:reeder".parse::<V3User>().unwrap().0;
    let near = "near:sha1:auth-secret:aes256:priv-secret".parse::<V3User>().unwrap().0;
    let v3_users = vec![reeder.clone(), near.clone()];
    let config = FleetConfig { devices, v3_users, speed: 0.0, ..FleetConfig::default() };
    let fleet = vmfp::start(config).await.unwrap();
    let engine = Engine::start(EngineConfig::default()).unwrap();
    let to = at(&fleet, vmfp::BASE);
    for user in [reeder, near] {
        assert!(get(&engine, &target(to, &user, b""), NAME).await.is_ok(), "{}", user.user);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hardened_device_answers_v3_only() {
    let fleet = fleet("ricoh-colour-a3", 1).await;
    let to = at(&fleet, vmfp::BASE);
    fleet.fault(vmfp::BASE, Fault::V3Only).unwrap();
    assert_eq!(Ask::new(Duration::from_millis(150)).get(to, NAME), None);
    let engine = Engine::start(EngineConfig::default()).unwrap();
    assert!(get(&engine, &target(to, &user("ops"), b""), NAME).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_engines_stay_small() {
    let devices = Devices::Fleet { count: 10_000, base: Ipv4Addr::new(127, 33, 0, 0) };
    let v3_users = vec!["ops:sha256:auth-secret:aes128:priv-secret".parse::<V3User>().unwrap().0];
    let config = FleetConfig { devices, v3_users, speed: 0.0, mood: Mood::Calm, ..FleetConfig::default() };
    let fleet = vmfp::start(config).await.unwrap();
    // Those without v3 would only cost time.
    let speakers: Vec<SocketAddr> = fleet
        .devices()
        .iter()
        .filter(|device| !["zebra", "canon"].contains(&device.vendor.as_str()))
        .map(|device| at(&fleet, device.address))
        .collect();
    for to in &speakers {
        fleet
            .truth(match to.ip() {
                std::net::IpAddr::V4(address) => address,
                _ => continue,
            })
            .unwrap();
    }
    let before = crate::fleets::resident_kib();
    assert!(speakers.iter().all(|to| discover(*to).is_some()));
    let discovered = crate::fleets::resident_kib().saturating_sub(before);
    let engine = Engine::start(EngineConfig::default()).unwrap();
    let user =
        UsmUser::new("ops").auth(AuthProtocol::Sha256, "auth-secret").privacy(PrivProtocol::Aes128, "priv-secret");
    for to in &speakers[..300] {
        get(&engine, &target(*to, &user, b""), NAME).await.unwrap();
    }
    let asked = crate::fleets::resident_kib().saturating_sub(before);
    println!(
        "{} engines discovered: {discovered} KiB; 300 of them asked: {asked} KiB with the asker's keys",
        speakers.len()
    );
    assert!(discovered < 20_000 && asked < 40_000, "{discovered} KiB, {asked} KiB");
}
