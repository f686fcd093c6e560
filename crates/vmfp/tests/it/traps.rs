//! Traps: what devices tell by themselves, in every form, and the faults of it.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use snmp::trap::NotificationRef;
use snmp::{Oid, Version};
use vmfp::{Devices, Fault, Fleet, FleetConfig, Mood, TrapForm, TrapTarget, V3User};

use crate::ask::{Ask, uninterrupted};
use crate::fleets::{BUSY, at};

const ALERT: Oid = Oid::of("1.3.6.1.2.1.43.18.2.0.1");
const COLD_START: Oid = Oid::of("1.3.6.1.6.3.1.1.5.1");
const COLUMNS: [u32; 6] = [1, 2, 4, 5, 6, 7];

struct Door {
    socket: UdpSocket,
}

/// A trap as it came.
struct Came {
    from: SocketAddr,
    version: Version,
    trap: Oid,
    /// prtAlert index, severity, group, group index, location, code.
    row: Vec<i64>,
    bytes: Vec<u8>,
}

impl Door {
    fn open() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(BUSY)).unwrap();
        Self { socket }
    }

    fn target(&self, form: TrapForm) -> TrapTarget {
        TrapTarget { form, ..TrapTarget::new(self.socket.local_addr().unwrap()) }
    }

    fn next(&self) -> Option<Came> {
        let mut buffer = [0; 4_096];
        let (length, from) = uninterrupted(|| self.socket.recv_from(&mut buffer)).ok()?;
        let bytes = buffer[..length].to_vec();
        let note = NotificationRef::parse(&bytes).ok()?;
        let row: Vec<(Oid, Option<i64>)> =
            note.varbinds().map(|item| (item.oid.to_oid(), item.value.as_i64())).collect();
        for (place, (oid, _)) in row.iter().enumerate() {
            let column = Oid::of("1.3.6.1.2.1.43.18.1.1").join(&[COLUMNS[place], 1]);
            assert!(oid.starts_with(&column), "{oid}");
        }
        let row = row.iter().filter_map(|(_, value)| *value).collect();
        Some(Came { from, version: note.version, trap: note.trap.clone(), row, bytes: bytes.clone() })
    }

    /// All that was sent to it by now: a datagram of our own comes behind it, which is no trap.
    fn all(&self) -> Vec<Came> {
        let mark = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        mark.send_to(b"thus far", self.socket.local_addr().unwrap()).unwrap();
        let mut came = Vec::new();
        while let Some(next) = self.next() {
            came.push(next);
        }
        came
    }
}

async fn fleet(profile: &str, count: u32, speed: f64, traps: Vec<TrapTarget>) -> Fleet {
    let devices = Devices::Profile { name: profile.into(), count, base: vmfp::BASE };
    let v3_users = vec!["ops:sha256:auth-secret:aes128:priv-secret".parse::<V3User>().unwrap().0];
    let config = FleetConfig { devices, mood: Mood::Calm, speed, traps, v3_users, ..FleetConfig::default() };
    vmfp::start(config).await.unwrap()
}

/// Opens the cover of the first device (and closes it, and so on).
fn flip(fleet: &Fleet, flips: u32, per_second: u32) {
    fleet.fault(vmfp::BASE, Fault::TrapStorm { flips, per_second }).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_critical_alert_is_told_from_the_devices_own_address() {
    let door = Door::open();
    let fleet = fleet("konica-minolta-colour-a3", 1, 0.0, vec![door.target(TrapForm::V2c)]).await;
    flip(&fleet, 1, 100);
    let came = door.next().unwrap();
    assert_eq!((came.from, came.version, &came.trap), (at(&fleet, vmfp::BASE), Version::V2c, &ALERT));
    let truth = fleet.truth(vmfp::BASE).unwrap();
    let open = truth.alerts.iter().find(|alert| alert.place.0 == 6).unwrap();
    let (group, index, code) = open.place;
    assert_eq!(came.row, [i64::from(open.index), 3, group.into(), index.into(), -2, code.into()]);
    let ask = Ask::new(BUSY);
    let said = ask.get(came.from, &format!("1.3.6.1.2.1.43.18.1.1.7.1.{}", open.index)).unwrap();
    assert_eq!(said.as_i64(), Some(code.into()), "the table says the same");
    assert_eq!(fleet.traps_sent(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alert_lifecycle_removals_and_starts_are_told_too() {
    let name = "hp-mono-a4";
    assert!(vmfp::find_profile(name).unwrap().manners.removal_rows, "choose a profile that leaves traces");
    let door = Door::open();
    let fleet = fleet(name, 1, 0.0, vec![door.target(TrapForm::V2c)]).await;
    flip(&fleet, 2, 50);
    let (open, gone) = (door.next().unwrap(), door.next().unwrap());
    assert_eq!(gone.row[2..4], [18, open.row[0]], "group alert, and the row that went");
    assert_eq!((gone.row[1], gone.row[5]), (1, 1801));
    fleet.fault(vmfp::BASE, Fault::Reboot).unwrap();
    assert_eq!(door.next().unwrap().trap, COLD_START);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_v1_form_is_an_enterprise_trap() {
    let door = Door::open();
    let fleet = fleet("konica-minolta-colour-a3", 1, 0.0, vec![door.target(TrapForm::V1)]).await;
    flip(&fleet, 1, 100);
    let came = door.next().unwrap();
    assert_eq!((came.version, &came.trap), (Version::V1, &ALERT), "enterprise P.18.2, specific 1 is that name in v2");
    let note = NotificationRef::parse(&came.bytes).unwrap();
    assert_eq!(note.agent_address, Some(vmfp::BASE.octets()));
    assert_eq!(note.enterprise, Some(Oid::of("1.3.6.1.2.1.43.18.2")));
    fleet.fault(vmfp::BASE, Fault::Reboot).unwrap();
    assert_eq!(door.next().unwrap().trap, COLD_START);
}

#[test]
fn an_inform_is_repeated_until_it_is_acknowledged() {
    // Two more would come, every 2 s; one of them may have been on its way, on a machine that stalls even both. An
    // acknowledgement that nobody understood would stop none, ever.
    assert!((0..10).any(|_| an_acknowledged_inform_ends()), "it is acknowledged");
}

/// Whether fewer informs came after the acknowledgement than are sent without one.
fn an_acknowledged_inform_ends() -> bool {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let door = Door::open();
    let target = door.target(TrapForm::Inform);
    let fleet = runtime.block_on(fleet("konica-minolta-colour-a3", 1, 0.0, vec![target]));
    flip(&fleet, 1, 100);
    let first = door.next().unwrap();
    let again = door.next().unwrap();
    assert_eq!(first.bytes, again.bytes);
    let mut receipt = Vec::new();
    assert!(NotificationRef::parse(&again.bytes).unwrap().acknowledge(&mut receipt));
    door.socket.send_to(&receipt, again.from).unwrap();
    door.socket.set_read_timeout(Some(Duration::from_millis(4_500))).unwrap();
    door.next().is_none() || door.next().is_none()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v3_traps_are_signed_by_the_devices_engine() {
    use snmp::trap::Listener;
    use snmp::usm::{Authority, Users};
    let user = "ops:sha256:auth-secret:aes128:priv-secret".parse::<V3User>().unwrap().0;
    let authority = Authority::new(b"\x80\x00\x1f\x88\x04here", 1, Users::new(&[user]).unwrap());
    let listener =
        Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap().with_authority(std::sync::Arc::new(authority));
    let target = TrapTarget { form: TrapForm::V3("ops".into()), ..TrapTarget::new(listener.local_addr()) };
    let fleet = fleet("konica-minolta-colour-a3", 1, 0.0, vec![target]).await;
    let (send, mut came) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let _ = listener
            .serve(move |received| {
                let _ =
                    send.send((received.from, received.notification.user.clone(), received.notification.trap.clone()));
                true
            })
            .await;
    });
    flip(&fleet, 1, 100);
    let told = tokio::time::timeout(BUSY, came.recv()).await.unwrap().unwrap();
    assert_eq!(told, (at(&fleet, vmfp::BASE), Some(b"ops".to_vec()), ALERT));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_tells_what_happens_without_being_asked() {
    let door = Door::open();
    let fleet = fleet("konica-minolta-colour-a3", 40, 4_000.0, vec![door.target(TrapForm::V2c)]).await;
    let came = door.next().unwrap();
    assert_eq!(fleet.traffic().0, 0, "nobody asked");
    assert_eq!(came.row[1], 3, "only what is critical");
    assert!(matches!(came.from.ip(), std::net::IpAddr::V4(address) if fleet.truth(address).is_ok()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_is_sent_whole_and_missed_traps_are_not() {
    let door = Door::open();
    let fleet = fleet("konica-minolta-colour-a3", 1, 0.0, vec![door.target(TrapForm::V2c)]).await;
    flip(&fleet, 399, 1_000);
    let mut came: Vec<Came> = (0..200).map(|_| door.next().expect("all of them come")).collect();
    came.extend(door.all());
    let indices: BTreeSet<i64> = came.iter().filter(|came| came.row[1] == 3).map(|came| came.row[0]).collect();
    assert_eq!((indices.len(), came.len()), (200, 200), "each opening once");
    let open = || fleet.truth(vmfp::BASE).unwrap().alerts.into_iter().find(|alert| alert.place.0 == 6);
    let (first, last) = (*indices.first().unwrap(), open().expect("it ends open").index);
    assert_eq!((*indices.last().unwrap(), last), (first + 199, (first + 199) as u32), "rows are counted");
    fleet.fault(vmfp::BASE, Fault::TrapsLost(0.5)).unwrap();
    flip(&fleet, 200, 1_000);
    while open().is_none_or(|row| row.index < last + 100) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The very last may still be on its way.
    let came = door.all().len();
    assert!((20..80).contains(&came), "{came} of 100");
    assert_eq!(fleet.truth(vmfp::BASE).unwrap().alerts.iter().filter(|alert| alert.place.0 == 6).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receivers_get_the_devices_that_are_theirs() {
    let (left, right) = (Door::open(), Door::open());
    let second = Ipv4Addr::new(127, 20, 0, 2);
    let only = |door: &Door, address| TrapTarget { devices: Some((address, address)), ..door.target(TrapForm::V2c) };
    let fleet = fleet("konica-minolta-colour-a3", 2, 0.0, vec![only(&left, vmfp::BASE)]).await;
    fleet.send_traps(only(&right, second));
    for address in [vmfp::BASE, second] {
        fleet.fault(address, Fault::Reboot).unwrap();
    }
    assert_eq!(left.next().unwrap().from.ip(), vmfp::BASE);
    assert_eq!(right.next().unwrap().from.ip(), second);
    assert!(left.all().is_empty());
}
