//! Faults that show in objects, bulk answers, addresses and the manner of waking; each test bears the name of the
//! behaviour it is for.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use snmp::pdu::PduKind;
use snmp::{Oid, Value};
use vmfp::{Devices, ErrorShape, Fault, Fleet, FleetConfig, Mood};

use crate::ask::{Ask, decode};
use crate::fleets::{BUSY, at};

const NAME: &str = "1.3.6.1.2.1.1.5.0";
const LIFE: &str = "1.3.6.1.2.1.43.10.2.1.4.1.1";
const SERIAL: &str = "1.3.6.1.2.1.43.5.1.1.17.1";
const UPTIME: &str = "1.3.6.1.2.1.1.3.0";
const ERRORS: &str = "1.3.6.1.2.1.25.3.5.1.2.1";
const LEVEL: &str = "1.3.6.1.2.1.43.11.1.1.9.1.1";
const MAC: &str = "1.3.6.1.2.1.2.2.1.6.1";
const SUPPLIES: &str = "1.3.6.1.2.1.43.11.1.1";
const SHORT: Duration = Duration::from_millis(150);

async fn of(profile: &str, count: u32, http_port: u16) -> (Fleet, SocketAddr, Ask) {
    let devices = Devices::Profile { name: profile.into(), count, base: vmfp::BASE };
    let config = FleetConfig { devices, mood: Mood::Calm, speed: 0.0, http_port, ..FleetConfig::default() };
    let fleet = vmfp::start(config).await.unwrap();
    let to = at(&fleet, vmfp::BASE);
    (fleet, to, Ask::new(BUSY))
}

fn number(ask: &Ask, to: SocketAddr, oid: &str) -> i64 {
    ask.get(to, oid).unwrap().as_i64().unwrap()
}

/// Every row below a table, by GETNEXT.
fn rows(ask: &Ask, to: SocketAddr, table: &str, most: usize) -> Vec<(Oid, Value)> {
    let root: Oid = table.parse().unwrap();
    let (mut at, mut all) = (table.to_owned(), Vec::new());
    while all.len() < most {
        let item = ask.pdu(to, PduKind::GetNext, [0, 0], &[&at]).unwrap().varbinds.remove(0);
        if !item.oid.starts_with(&root) {
            break;
        }
        at = item.oid.to_string();
        all.push((item.oid, item.value));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn level_sentinels_units_and_capacities_are_told_as_wished() {
    let (fleet, to, ask) = of("konica-minolta-colour-a3", 1, 0).await;
    for (fault, column, said) in [
        (Fault::LevelSentinel(-3), 9, -3),
        (Fault::LevelSentinel(-100), 9, -100),
        (Fault::Capacity(-2), 8, -2),
        (Fault::SupplyUnit(13), 7, 13),
    ] {
        fleet.fault(vmfp::BASE, fault.clone()).unwrap();
        assert_eq!(number(&ask, to, &format!("{SUPPLIES}.{column}.1.1")), said, "{fault:?}");
        fleet.heal(vmfp::BASE).unwrap();
        assert_ne!(number(&ask, to, &format!("{SUPPLIES}.{column}.1.1")), said, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receptacles_may_tell_what_is_in_them() {
    let (fleet, to, ask) = of("hp-colour-a4", 1, 0).await;
    let classes = rows(&ask, to, "1.3.6.1.2.1.43.11.1.1.4", 20);
    let row = classes.iter().find(|(_, class)| class.as_i64() == Some(4)).unwrap().0.to_string();
    let level = row.replace(".43.11.1.1.4.", ".43.11.1.1.9.");
    fleet.fault(vmfp::BASE, Fault::Says(level.parse().unwrap(), Value::Integer(30))).unwrap();
    assert_eq!(number(&ask, to, &level), 30);
    fleet.fault(vmfp::BASE, Fault::ReceptaclesReversed).unwrap();
    assert_eq!(number(&ask, to, &level), 70);
    let black = number(&ask, to, LEVEL);
    fleet.heal(vmfp::BASE).unwrap();
    assert_eq!(number(&ask, to, LEVEL), black, "toner is no receptacle");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counter_regression_at_both_widths() {
    for bits in [31_u8, 32] {
        let (fleet, to, ask) = of("konica-minolta-colour-a3", 1, 0).await;
        fleet.fault(vmfp::BASE, Fault::CounterNearWrap { bits, left: 5 }).unwrap();
        let end = 1_i64 << bits;
        assert_eq!(number(&ask, to, LIFE), end - 5, "{bits}");
        let before = fleet.truth(vmfp::BASE).unwrap().printed;
        fleet.skip(Duration::from_secs(30 * 3_600));
        let printed = fleet.truth(vmfp::BASE).unwrap().printed - before;
        assert!(printed > 5);
        assert_eq!(number(&ask, to, LIFE), printed as i64 - 5, "{bits}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counter_regression_by_a_swapped_device() {
    let (fleet, to, ask) = of("konica-minolta-colour-a3", 2, 0).await;
    fleet.skip(Duration::from_secs(3_600));
    let (serial, mac, name) = (ask.get(to, SERIAL), ask.get(to, MAC), ask.get(to, NAME));
    fleet.fault(vmfp::BASE, Fault::DeviceSwap).unwrap();
    assert!(ask.get(to, SERIAL) != serial && ask.get(to, MAC) != mac && ask.get(to, NAME) != name);
    let truth = fleet.truth(vmfp::BASE).unwrap();
    assert_eq!(ask.get(to, SERIAL), Some(Value::text(&truth.serial)));
    assert_eq!((truth.printed, number(&ask, to, UPTIME)), (0, 0));
    assert_eq!(number(&ask, to, LIFE), i64::from(truth.life_count));
    fleet.fault(vmfp::BASE, Fault::DeviceSwap).unwrap();
    assert_ne!(fleet.truth(vmfp::BASE).unwrap().serial, truth.serial, "a third one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identity_addresses_are_swapped_reused_and_doubled() {
    let (fleet, _, ask) = of("konica-minolta-colour-a3", 3, 0).await;
    let address = |last: u8| Ipv4Addr::new(127, 20, 0, last);
    let serial = |last: u8| ask.get(at(&fleet, address(last)), SERIAL).unwrap();
    let before = [serial(1), serial(2), serial(3)];
    fleet.fault(address(1), Fault::AddressSwap(address(2))).unwrap();
    assert_eq!([serial(1), serial(2)], [before[1].clone(), before[0].clone()]);
    fleet.fault(address(3), Fault::AddressMove(address(1))).unwrap();
    assert_eq!(serial(1), before[2]);
    assert_eq!(Ask::new(SHORT).get(at(&fleet, address(3)), SERIAL), None, "its old address is empty");
    fleet.fault(address(1), Fault::AlsoAt(address(9))).unwrap();
    assert_eq!([serial(1), serial(9)], [before[2].clone(), before[2].clone()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identity_serials_and_hardware_addresses_are_borrowed() {
    let (fleet, to, ask) = of("hp-colour-a4", 2, 0).await;
    let other = Ipv4Addr::new(127, 20, 0, 2);
    let doubled = fleet.truth(other).unwrap().serial;
    fleet.fault(vmfp::BASE, Fault::Serial(doubled.clone())).unwrap();
    fleet.fault(vmfp::BASE, Fault::Mac([2, 4, 6, 8, 10, 12])).unwrap();
    assert_eq!(ask.get(to, SERIAL), Some(Value::text(&doubled)));
    let description = ask.get(to, "1.3.6.1.2.1.1.1.0").unwrap();
    let description = String::from_utf8_lossy(description.as_bytes().unwrap()).into_owned();
    assert!(description.contains(&format!("SN:{doubled}")), "{description}");
    assert_eq!(ask.get(to, MAC).unwrap().as_bytes(), Some(&[2, 4, 6, 8, 10, 12][..]));
    fleet.fault(vmfp::BASE, Fault::Serial(String::new())).unwrap();
    assert_eq!(ask.get(to, SERIAL), Some(Value::text("")));
    assert_ne!(fleet.truth(vmfp::BASE).unwrap().serial, doubled, "the truth stays true");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_and_anything_else_is_said_as_wished() {
    let (fleet, to, ask) = of("konica-minolta-colour-a3", 1, 0).await;
    let utf16 = Value::OctetString(bytes_of("B\0r\0o\0t\0"));
    fleet.fault(vmfp::BASE, Fault::Says(NAME.parse().unwrap(), utf16.clone())).unwrap();
    assert_eq!(ask.get(to, NAME), Some(utf16.clone()));
    let next = ask.pdu(to, PduKind::GetNext, [0, 0], &["1.3.6.1.2.1.1.4.0"]).unwrap().varbinds.remove(0);
    assert_eq!(next.value, utf16);
    fleet.heal(vmfp::BASE).unwrap();
    assert_ne!(ask.get(to, NAME), Some(utf16));
}

fn bytes_of(text: &str) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(text.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn error_state_shapes_are_six() {
    let devices = Devices::Profile { name: "konica-minolta-colour-a3".into(), count: 6, base: vmfp::BASE };
    let fleet = vmfp::start(FleetConfig { devices, speed: 0.0, ..FleetConfig::default() }).await.unwrap();
    let jammed = Ipv4Addr::new(127, 20, 0, 6);
    let (to, ask) = (at(&fleet, jammed), Ask::new(BUSY));
    let bits = fleet.truth(jammed).unwrap().error_bits;
    let [high, low] = bits.to_be_bytes();
    assert!(bits & 0x0400 != 0, "bit 5 is a jam: {bits:04x}");
    for (shape, octets) in [
        (ErrorShape::Two, vec![high, low]),
        (ErrorShape::One, vec![high]),
        (ErrorShape::Swapped, vec![low, high]),
        (ErrorShape::LittleEndian, vec![low.reverse_bits(), high.reverse_bits()]),
        (ErrorShape::Four, vec![high, low, 0, 0]),
        (ErrorShape::Never, vec![]),
    ] {
        fleet.fault(jammed, Fault::ErrorState(shape)).unwrap();
        assert_eq!(ask.get(to, ERRORS).unwrap().as_bytes(), Some(&octets[..]), "{shape:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_bugs_long_answers_are_cut_or_lost() {
    let (fleet, to, ask) = of("sharp-colour-a3", 1, 0).await;
    fleet.fault(vmfp::BASE, Fault::FragmentsLost).unwrap();
    assert!(ask.raw(to, PduKind::GetBulk, [0, 10], &["1.3.6.1.2.1.43"]).is_some());
    assert_eq!(Ask::new(SHORT).raw(to, PduKind::GetBulk, [0, 120], &["1.3.6.1.2.1.43"]), None);
    fleet.heal(vmfp::BASE).unwrap();
    fleet.fault(vmfp::BASE, Fault::CutAbove(484)).unwrap();
    let short = ask.raw(to, PduKind::GetBulk, [0, 5], &["1.3.6.1.2.1.43"]).unwrap();
    assert!(decode(&short).is_some());
    let cut = ask.raw(to, PduKind::GetBulk, [0, 60], &["1.3.6.1.2.1.43"]).unwrap();
    assert_eq!((cut.len(), decode(&cut)), (484, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn walk_safety_tables_have_holes_or_no_end() {
    let (fleet, to, ask) = of("konica-minolta-colour-a3", 1, 0).await;
    let whole = rows(&ask, to, SUPPLIES, 1_000);
    fleet.fault(vmfp::BASE, Fault::Holes).unwrap();
    let left = rows(&ask, to, SUPPLIES, 1_000);
    assert!(left.len() < whole.len() && left.len() > whole.len() / 2, "{} of {}", left.len(), whole.len());
    let hole = whole.iter().find(|(oid, _)| !left.iter().any(|(other, _)| other == oid)).unwrap();
    assert_eq!(ask.get(to, &hole.0.to_string()), Some(Value::NoSuchInstance));
    fleet.heal(vmfp::BASE).unwrap();
    fleet.fault(vmfp::BASE, Fault::EndlessTable).unwrap();
    let endless = rows(&ask, to, SUPPLIES, whole.len() + 300);
    assert_eq!(endless.len(), whole.len() + 300);
    assert!(endless.windows(2).all(|pair| pair[0].0 < pair[1].0), "it always increases");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conflicting_truth_of_two_totals() {
    let (fleet, to, ask) = of("hp-colour-a4", 1, 0).await;
    let private = "1.3.6.1.4.1.11.2.3.9.4.2.1.4.1.2.5.0";
    let total = number(&ask, to, LIFE);
    assert_eq!(number(&ask, to, private), total);
    fleet.fault(vmfp::BASE, Fault::PrivateTotalBehind(4)).unwrap();
    assert_eq!((number(&ask, to, LIFE), number(&ask, to, private)), (total, total - 4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sleep_a_device_wants_a_visit_by_http_first() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (fleet, to, ask) = of("konica-minolta-colour-a3", 1, port).await;
    fleet.fault(vmfp::BASE, Fault::WakesByHttp).unwrap();
    assert_eq!(Ask::new(SHORT).get(to, NAME), None);
    let mut stream = TcpStream::connect((vmfp::BASE, port)).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 200"));
    assert!(ask.get(to, NAME).is_some());
    fleet.skip(Duration::from_secs(11 * 60));
    assert_eq!(Ask::new(SHORT).get(to, NAME), None, "and sleeps again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sleep_stale_values_stand_still() {
    let (fleet, to, ask) = of("konica-minolta-colour-a3", 1, 0).await;
    fleet.fault(vmfp::BASE, Fault::Stale).unwrap();
    let before = number(&ask, to, LIFE);
    fleet.skip(Duration::from_secs(24 * 3_600));
    assert_eq!(number(&ask, to, LIFE), before);
    fleet.heal(vmfp::BASE).unwrap();
    assert_eq!(number(&ask, to, LIFE), i64::from(fleet.truth(vmfp::BASE).unwrap().life_count));
    assert!(number(&ask, to, LIFE) > before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn courtesy_a_device_hears_only_so_much() {
    let (fleet, to, _) = of("konica-minolta-colour-a3", 1, 0).await;
    fleet.fault(vmfp::BASE, Fault::RateLimit(2)).unwrap();
    let ask = Ask::new(SHORT);
    let begun = std::time::Instant::now();
    let (mut asked, mut heard) = (0, 0);
    // Long enough to ask for more than it hears; a machine that stalls asks for longer.
    while asked < 20 || heard < 2 {
        asked += 1;
        heard += usize::from(ask.get(to, NAME).is_some());
        assert!(begun.elapsed() < BUSY, "{heard} of {asked} were heard");
    }
    let seconds = begun.elapsed().as_secs() as usize + 2;
    assert!(heard <= 2 * seconds, "{heard} in {seconds} s");
}
