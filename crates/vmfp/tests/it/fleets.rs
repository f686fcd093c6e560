//! Whole fleets: start, size, determinism over the wire, truth, pages.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use vmfp::{Devices, FleetConfig, Mood, TrueState};

use crate::ask::Ask;

/// For what answers: longer than any machine stalls.
pub const BUSY: Duration = Duration::from_secs(60);

pub fn at(fleet: &vmfp::Fleet, address: Ipv4Addr) -> SocketAddr {
    SocketAddr::from((address, fleet.snmp_port()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demo_fleet_is_alive_at_once() {
    let fleet = vmfp::start(FleetConfig::default()).await.unwrap();
    let devices = fleet.devices();
    assert_eq!(devices.len(), 25);
    assert_eq!(devices.iter().map(|device| &device.serial).collect::<HashSet<_>>().len(), 25);
    let ask = Ask::new(BUSY);
    let mut states = HashSet::new();
    let mut alerts = 0;
    for device in &devices {
        let truth = fleet.truth(device.address).unwrap();
        let serial = ask.get(at(&fleet, device.address), "1.3.6.1.2.1.43.5.1.1.17.1").unwrap();
        let told = String::from_utf8(serial.as_bytes().unwrap().to_vec()).unwrap();
        assert_eq!(told.trim_end_matches('\0'), device.serial);
        assert_eq!((truth.serial, truth.model), (device.serial.clone(), device.model.clone()));
        states.insert(format!("{:?}", truth.state));
        alerts += truth.alerts.len();
    }
    assert!(states.len() >= 3, "{states:?}");
    assert!(alerts >= 8, "{alerts}");
    fleet.skip(Duration::from_secs(11 * 60));
    let gone = devices.iter().filter(|device| fleet.truth(device.address).unwrap().state == TrueState::Off);
    assert!(gone.count() >= 1, "one device leaves the network after ten minutes");
    fleet.stop().await;
}

#[tokio::test]
async fn the_same_seed_and_moment_give_the_same_fleet() {
    let standing = || FleetConfig { speed: 0.0, seed: 42, ..FleetConfig::default() };
    let (left, right) = (vmfp::start(standing()).await.unwrap(), vmfp::start(standing()).await.unwrap());
    for step in [0, 3_600, 7_200, 86_400, 600_000] {
        left.skip(Duration::from_secs(step));
        // The other one is looked at more often.
        for _ in 0..4 {
            right.skip(Duration::from_secs(step / 4));
            right.truth(vmfp::BASE).unwrap();
        }
        for device in left.devices() {
            assert_eq!(left.truth(device.address).unwrap(), right.truth(device.address).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_devices_start_quickly_and_stay_small() {
    let before = resident_kib();
    let begun = Instant::now();
    let devices = Devices::Fleet { count: 10_000, base: Ipv4Addr::new(127, 30, 0, 0) };
    let fleet = vmfp::start(FleetConfig { devices, ..FleetConfig::default() }).await.unwrap();
    let started = begun.elapsed();
    let untouched = resident_kib() - before;
    assert!(untouched < 20_000, "{untouched} KiB before anybody asked");
    let ask = Ask::new(BUSY);
    let last = Ipv4Addr::new(127, 30, 39, 15);
    assert!(ask.get(at(&fleet, last), "1.3.6.1.2.1.1.1.0").unwrap().as_bytes().is_some());
    let beyond = at(&fleet, Ipv4Addr::new(127, 30, 39, 16));
    assert_eq!(Ask::new(Duration::from_millis(200)).get(beyond, "1.3.6.1.2.1.1.1.0"), None);
    for place in 0..10_000_u32 {
        fleet.truth(Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 30, 0, 0)) + place)).unwrap();
    }
    let touched = resident_kib() - before;
    println!("10,000 devices: started in {started:?}, {untouched} KiB untouched, {touched} KiB all alive");
    assert!(touched < 100_000, "{touched} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fast_clock_shows_counters_that_rise() {
    let devices = Devices::Profile { name: "kyocera-colour-a3".into(), count: 1, base: vmfp::BASE };
    let config = FleetConfig { devices, mood: Mood::Faultless, ..FleetConfig::default() };
    let fleet = vmfp::start(config).await.unwrap();
    let ask = Ask::new(BUSY);
    let life = || ask.get(at(&fleet, vmfp::BASE), "1.3.6.1.2.1.43.10.2.1.4.1.1").unwrap().as_u64().unwrap();
    let before = life();
    fleet.skip(Duration::from_secs(8 * 3600));
    assert!(life() > before);
    assert_eq!(life(), u64::from(fleet.truth(vmfp::BASE).unwrap().life_count));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_has_a_page_of_its_own() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let fleet = vmfp::start(FleetConfig { http_port: port, ..FleetConfig::default() }).await.unwrap();
    let device = &fleet.devices()[1];
    let page = |path: &str| {
        let mut stream = TcpStream::connect((device.address, port)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    let text = page("/");
    assert!(text.starts_with("HTTP/1.1 200 OK") && text.contains(&device.serial) && text.contains(&device.model));
    assert!(page("/nothing").starts_with("HTTP/1.1 404"));
    assert_eq!(device.ports["http"], port);
}

#[tokio::test]
async fn what_cannot_be_is_refused_in_words() {
    let refused = async |config: FleetConfig| match vmfp::start(config).await {
        Ok(_) => panic!("it should not start"),
        Err(error) => error.to_string(),
    };
    let ipp = refused(FleetConfig { ipp_port: 631, ..FleetConfig::default() }).await;
    assert!(ipp.contains("ipp"), "{ipp}");
    let far = Devices::Fleet { count: 2, base: Ipv4Addr::new(192, 168, 0, 1) };
    let far = refused(FleetConfig { devices: far, ..FleetConfig::default() }).await;
    assert!(far.contains("127.0.0.0/8"), "{far}");
    let name = Devices::Profile { name: "abacus".into(), count: 1, base: vmfp::BASE };
    let name = refused(FleetConfig { devices: name, ..FleetConfig::default() }).await;
    assert!(name.contains("abacus") && name.contains("zebra-label"), "{name}");
}

#[test]
fn the_ready_file_is_as_promised() {
    let device = vmfp::DeviceInfo {
        address: vmfp::BASE,
        serial: "S1".into(),
        model: "M".into(),
        vendor: String::new(),
        ports: [("snmp".to_owned(), 1161)].into(),
    };
    let text = serde_json::to_string(&vmfp::ReadyFile { devices: vec![device] }).unwrap();
    assert_eq!(text, r#"{"devices":[{"address":"127.20.0.1","serial":"S1","model":"M","ports":{"snmp":1161}}]}"#);
}

pub fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn over_a_month_a_fleet_mostly_works() {
    let devices = Devices::Fleet { count: 200, base: vmfp::BASE };
    let fleet = vmfp::start(FleetConfig { devices, speed: 0.0, ..FleetConfig::default() }).await.unwrap();
    let addresses: Vec<Ipv4Addr> = fleet.devices().iter().map(|device| device.address).collect();
    let (mut seen, mut looks) = (std::collections::BTreeMap::<String, u32>::new(), 0);
    for _ in 0..(30 * 6) {
        fleet.skip(Duration::from_secs(4 * 3600 + 7 * 60));
        for address in &addresses {
            *seen.entry(format!("{:?}", fleet.truth(*address).unwrap().state)).or_default() += 1;
            looks += 1;
        }
    }
    println!("{seen:?} of {looks}");
    let share = |state: &str| f64::from(*seen.get(state).unwrap_or(&0)) / f64::from(looks);
    assert!(share("Stopped") > 0.001 && share("Stopped") < 0.2, "{seen:?}");
    assert!(share("Off") > 0.0005 && share("Off") < 0.05, "{seen:?}");
    assert!(share("Processing") > 0.002, "{seen:?}");
    assert!(share("Asleep") > 0.3, "{seen:?}");
}
