//! Visits over the network to virtual devices, which know the truth about themselves.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use device::{Access, Context, Known, ReadError, introduce, read, read_meters, read_status, reread, vitals};
use snmp::{Engine, EngineConfig};
use vmfp::{Devices, Fault, Fleet, FleetConfig, Mood};
use wire::plan::SnmpCredential;
use wire::{ColorMode, Function, Level, PaperSize, Reading, Sides, SnmpVersion, State};

fn engine() -> Engine {
    Engine::start(EngineConfig::default()).unwrap()
}

async fn fleet(count: u32, base: [u8; 4], mood: Mood) -> Fleet {
    let devices = Devices::Fleet { count, base: Ipv4Addr::from(base) };
    vmfp::start(FleetConfig { devices, speed: 0.0, mood, ..FleetConfig::default() }).await.unwrap()
}

fn access(fleet: &Fleet, place: usize) -> Access {
    let address = fleet.devices()[place].address;
    Access { timeout: PATIENCE, ..Access::new(SocketAddr::from((address, fleet.snmp_port()))) }
}

/// Longer than any machine stalls: these devices answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until no more than so many requests of all so far are without an answer.
async fn unanswered(fleet: &Fleet, most: u64) {
    let answered = async {
        while { fleet.traffic().0 - fleet.traffic().1 } > most {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (asked, answers) = fleet.traffic();
    tokio::time::timeout(PATIENCE, answered).await.unwrap_or_else(|_| panic!("{answers} answers to {asked} requests"));
}

/// A recording of our own making, with an optional second context beside it.
async fn walk(base: [u8; 4], name: &str, rows: &str, context: Option<&str>) -> (Fleet, PathBuf) {
    let folder = std::env::temp_dir().join(format!("platen-device-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{name}.snmprec"));
    std::fs::write(&file, rows).unwrap();
    if let Some(rows) = context {
        std::fs::write(folder.join(format!("{name}@Jetdirect.snmprec")), rows).unwrap();
    }
    let config = FleetConfig {
        devices: Devices::Walks(vec![file]),
        walk_base: Ipv4Addr::from(base),
        speed: 0.0,
        ..FleetConfig::default()
    };
    (vmfp::start(config).await.unwrap(), folder)
}

fn totals(reading: &Reading, color: ColorMode) -> Vec<u64> {
    let wanted = |meter: &&wire::Meter| {
        (meter.function, meter.color, meter.size) == (Function::Total, color, PaperSize::All)
            && meter.source.starts_with("1.3.6.1.2.1.43.10.")
    };
    reading.meters.iter().filter(wanted).map(|meter| meter.value).collect()
}

#[tokio::test]
async fn a_fleet_of_every_vendor_reads_as_it_is() {
    let (fleet, engine) = (fleet(50, [127, 31, 0, 1], Mood::Lively).await, engine());
    let mut wrong = Vec::new();
    for (place, info) in fleet.devices().iter().enumerate() {
        let truth = fleet.truth(info.address).unwrap();
        let reading = read(&engine, &access(&fleet, place)).await.unwrap().reading;
        let mut compare = |what: &str, got: String, want: String| {
            if got != want {
                wrong.push(format!("{} {} {what}: got {got}, want {want}", truth.vendor, truth.model));
            }
        };
        let said = |text: &Option<String>| text.clone().unwrap_or_default();
        compare("vendor", said(&reading.identity.vendor), truth.vendor.clone());
        compare("model", said(&reading.identity.model), truth.model.trim_start_matches("HP ").to_owned());
        compare("serial", said(&reading.identity.serial), truth.serial.clone());
        compare("name", said(&reading.identity.name), truth.name.clone());
        let mac = truth.mac.map(|octet| format!("{octet:02x}")).join(":");
        compare("mac", said(&reading.identity.mac), mac);
        compare("inputs", reading.inputs.len().to_string(), truth.inputs.len().to_string());
        compare("supplies", reading.supplies.len().to_string(), truth.supplies.len().to_string());
        // This one has no alert table and says that it is idle while it sleeps.
        let tacit = truth.vendor == "canon" && truth.model.starts_with("LBP");
        if !tacit {
            compare("alerts", reading.alerts.len().to_string(), truth.alerts.len().to_string());
        }
        let all: u64 =
            [ColorMode::All, ColorMode::Mono, ColorMode::Full].map(|c| totals(&reading, c)).concat().iter().sum();
        if truth.life_count > 0 && all > 0 {
            let counts = [u64::from(truth.life_count), u64::from(truth.sheets)];
            compare("count", counts.contains(&all).to_string(), "true".to_owned());
        }
        let expected = match truth.state {
            vmfp::TrueState::Asleep if tacit => State::Idle,
            other => state_of(other),
        };
        compare("state", format!("{:?}", reading.status.state), format!("{expected:?}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn state_of(state: vmfp::TrueState) -> State {
    match state {
        vmfp::TrueState::Idle => State::Idle,
        vmfp::TrueState::Processing => State::Processing,
        vmfp::TrueState::WarmingUp => State::WarmingUp,
        vmfp::TrueState::Asleep => State::Asleep,
        vmfp::TrueState::Stopped => State::Stopped,
        vmfp::TrueState::Off => State::Offline,
    }
}

#[tokio::test]
async fn a_device_introduces_itself_in_few_requests() {
    let (fleet, engine) = (fleet(25, [127, 31, 11, 1], Mood::Faultless).await, engine());
    for (place, info) in fleet.devices().iter().enumerate() {
        let (truth, before) = (fleet.truth(info.address).unwrap(), fleet.traffic().0);
        let who = introduce(&engine, &access(&fleet, place), &Known::default()).await.unwrap();
        let guess = who.guess;
        assert!(who.known.version.is_some() && who.sys_descr.is_some());
        assert!(guess.is_printer);
        assert_eq!(guess.vendor.as_deref(), Some(truth.vendor.as_str()));
        assert_eq!(guess.serial.as_deref(), Some(truth.serial.as_str()), "{}", truth.model);
        assert!(truth.model.ends_with(guess.model.as_deref().unwrap()), "{guess:?}");
        assert!(fleet.traffic().0 - before <= 4, "{}: {}", truth.model, fleet.traffic().0 - before);
    }
}

#[tokio::test]
async fn levels_of_a_fleet_are_the_true_ones_or_none() {
    let (fleet, engine) = (fleet(25, [127, 31, 1, 1], Mood::Calm).await, engine());
    let mut measured = 0;
    for (place, info) in fleet.devices().iter().enumerate() {
        let truth = fleet.truth(info.address).unwrap();
        if truth.vendor == "canon" {
            continue; // its LBP tells toner in steps of 100, 10 and 1, which one reading cannot tell from a measure
        }
        let reading = read(&engine, &access(&fleet, place)).await.unwrap().reading;
        for supply in &reading.supplies {
            let Level::Percent { value } = supply.level else { continue };
            let same = |real: &&vmfp::TrueSupply| {
                real.finisher == 0 && format!("1.{}", real.index) == supply.index && real.class == 3
            };
            let Some(real) = truth.supplies.iter().find(same) else { continue };
            let share = real.left * 100.0;
            let near = (value - share).abs() <= 11.0;
            assert!(near, "{} {}: read {value}, is {share}", truth.model, real.description);
            measured += 1;
        }
    }
    assert!(measured > 50, "{measured}");
}

#[tokio::test]
async fn counters_of_every_vendor_are_the_true_ones() {
    let (fleet, engine) = (fleet(60, [127, 31, 9, 1], Mood::Calm).await, engine());
    let (mut wrong, mut compared) = (Vec::new(), std::collections::BTreeSet::new());
    for (place, info) in fleet.devices().iter().enumerate() {
        let truth = fleet.truth(info.address).unwrap();
        let reading = read(&engine, &access(&fleet, place)).await.unwrap().reading;
        for meter in reading.meters.iter().filter(|meter| meter.sides == Sides::All && meter.size == PaperSize::All) {
            let [print, copy, fax, own_reports] = truth.functions;
            let real = match (meter.function, meter.color) {
                (Function::Total, ColorMode::All) => vec![truth.life_count, truth.sheets],
                (Function::Total, ColorMode::Mono) => vec![truth.mono],
                (Function::Total, ColorMode::Full) => vec![truth.colour],
                (Function::Print, ColorMode::All) => vec![print, print + own_reports],
                (Function::Copy, ColorMode::All) => vec![copy],
                (Function::Fax, ColorMode::All) => vec![fax],
                (Function::Scan, ColorMode::All) => vec![truth.scans],
                _ => continue,
            };
            let name = meter.name.as_deref().unwrap_or("prtMarkerLifeCount");
            if !real.iter().any(|real| u64::from(*real) == meter.value) {
                wrong.push(format!(
                    "{} {name}: read {}, is one of {real:?} ({})",
                    truth.model, meter.value, meter.source
                ));
            }
            compared.insert((truth.vendor.clone(), name.to_owned()));
        }
    }
    println!("{compared:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared.len() > 20, "{}", compared.len());
}

#[tokio::test]
async fn a_whole_reading_takes_few_requests() {
    let (fleet, engine) = (fleet(25, [127, 31, 10, 1], Mood::Faultless).await, engine());
    for (place, info) in fleet.devices().iter().enumerate() {
        let before = fleet.traffic().0;
        let first = read(&engine, &access(&fleet, place)).await.unwrap();
        let requests = fleet.traffic().0 - before;
        assert!(requests <= 16, "{}: {requests} requests", info.model);
        let before = fleet.traffic().0;
        vitals(&engine, &access(&fleet, place), &first.known).await.unwrap();
        assert_eq!(fleet.traffic().0 - before, 1, "the cheap poll is one request");
    }
}

#[tokio::test]
async fn polls_between_readings_agree_with_the_reading() {
    let (fleet, engine) = (fleet(3, [127, 31, 2, 1], Mood::Calm).await, engine());
    for place in 0..3 {
        let access = access(&fleet, place);
        let first = read(&engine, &access).await.unwrap();
        let (before, after) =
            (vitals(&engine, &access, &first.known).await, vitals(&engine, &access, &first.known).await);
        let before = before.unwrap();
        assert_eq!(before, after.unwrap(), "time stands still");
        assert!(before.tells_changes());
        let status = read_status(&engine, &access, &first.known).await.unwrap();
        assert_eq!(status.body.identity, first.reading.identity);
        assert_eq!(status.body.supplies, first.reading.supplies);
        assert_eq!(status.body.alerts, first.reading.alerts);
        let meters = read_meters(&engine, &access, &first.known).await.unwrap();
        assert_eq!(meters, first.reading.meters);
        let again = reread(&engine, &access, &first.known).await.unwrap();
        assert_eq!((again.reading, again.known), (first.reading, first.known));
    }
}

#[tokio::test]
async fn contexts() {
    let rows = "1.3.6.1.2.1.1.1.0|4|HP ETHERNET MULTI-ENVIRONMENT,SN:VNB1234567,FN:1\n\
                1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.11.2.3.9.1\n";
    let more = "1.3.6.1.4.1.11.2.3.9.1.1.7.0|4|MFG:Hewlett-Packard;MDL:HP LaserJet Pro M404dn;CLS:PRINTER;\n\
                1.3.6.1.2.1.43.11.1.1.6.1.1|4|Black Cartridge HP CF259A\n\
                1.3.6.1.2.1.43.11.1.1.8.1.1|2|100\n1.3.6.1.2.1.43.11.1.1.9.1.1|2|64\n";
    let (fleet, folder) = walk([127, 31, 3, 1], "contexts", rows, Some(more)).await;
    let (engine, access) = (engine(), access(&fleet, 0));
    let first = read(&engine, &access).await.unwrap();
    assert_eq!(first.reading.identity.model.as_deref(), Some("LaserJet Pro M404dn"));
    assert_eq!(first.reading.supplies.len(), 1);
    assert_eq!(first.known.context, Context::Answers("Jetdirect".to_owned()), "remembered");
    let other = Access { context: Some("Nowhere".to_owned()), timeout: Duration::from_millis(600), ..access };
    assert!(matches!(read(&engine, &other).await, Err(ReadError::Silent(_))), "--context overrides");
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn contexts_that_do_not_exist_are_asked_once() {
    let rows = "1.3.6.1.2.1.1.1.0|4|HP ETHERNET MULTI-ENVIRONMENT,PID:HP LaserJet 4250\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.11.2.3.9.1\n";
    let (fleet, folder) = walk([127, 31, 4, 1], "silent", rows, None).await;
    let (engine, access) = (engine(), access(&fleet, 0));
    let first = read(&engine, &access).await.unwrap();
    assert_eq!(first.known.context, Context::Silent);
    assert_eq!(first.reading.identity.model.as_deref(), Some("LaserJet 4250"));
    let (asked, answered) = fleet.traffic();
    assert!(asked > answered, "the context was asked for");
    reread(&engine, &access, &first.known).await.unwrap();
    // Nothing was asked that nobody answers.
    unanswered(&fleet, asked - answered).await;
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn faults_of_one_device_cost_no_more_than_themselves() {
    let (fleet, engine) = (fleet(1, [127, 31, 5, 1], Mood::Faultless).await, engine());
    let (access, address) = (access(&fleet, 0), fleet.devices()[0].address);
    let whole = read(&engine, &access).await.unwrap().reading;
    let faults = [
        Fault::GenErrAtEnd,
        Fault::EmptyTooBig,
        Fault::BulkSilentAbove(4),
        Fault::MaxRepetitionsZeroHang,
        Fault::Duplicate(1.0),
        Fault::LoopingOids,
    ];
    for fault in faults {
        fleet.fault(address, fault.clone()).unwrap();
        let reading = read(&engine, &access).await.unwrap().reading;
        assert_eq!(reading.identity, whole.identity, "{fault:?}");
        assert_eq!(reading.supplies.len(), whole.supplies.len(), "{fault:?}");
        assert_eq!(reading.inputs.len(), whole.inputs.len(), "{fault:?}");
        fleet.heal(address).unwrap();
    }
}

#[tokio::test]
async fn partial_replies_and_wrong_types_lose_only_what_is_missing() {
    let (fleet, engine) = (fleet(1, [127, 31, 6, 1], Mood::Faultless).await, engine());
    let (access, address) = (access(&fleet, 0), fleet.devices()[0].address);
    let whole = read(&engine, &access).await.unwrap().reading;
    fleet.fault(address, Fault::WrongTypes).unwrap();
    let odd = read(&engine, &access).await.unwrap().reading;
    assert_eq!(odd.meters, whole.meters, "INTEGER for Counter32, text for a number");
    fleet.heal(address).unwrap();
    fleet.fault(address, Fault::PartialReply).unwrap();
    let holes = read(&engine, &access).await.unwrap().reading;
    assert_eq!(holes.supplies.len(), whole.supplies.len(), "tables are walked, so a hole in a GET costs none of them");
}

#[tokio::test]
async fn versions_and_communities_are_tried_in_turn() {
    let (fleet, engine) = (fleet(2, [127, 31, 7, 1], Mood::Faultless).await, engine());
    let devices = fleet.devices();
    fleet.fault(devices[0].address, Fault::V1Only).unwrap();
    let read_v1 = read(&engine, &access(&fleet, 0)).await.unwrap();
    assert_eq!(read_v1.reading.snmp, SnmpVersion::V1);
    assert!(read_v1.reading.identity.serial.is_some());
    let (asked, answered) = fleet.traffic();
    assert!(asked > answered, "v2c was tried");
    let again = reread(&engine, &access(&fleet, 0), &read_v1.known).await.unwrap();
    // v1 is remembered.
    unanswered(&fleet, asked - answered).await;
    assert_eq!(again.reading.snmp, SnmpVersion::V1);
    fleet.fault(devices[1].address, Fault::OnlyCommunity("secret".to_owned())).unwrap();
    let credentials = ["public", "secret"].map(SnmpCredential::community).to_vec();
    let found = read(&engine, &Access { credentials, ..access(&fleet, 1) }).await.unwrap();
    assert_eq!((found.credential, found.reading.snmp), (1, SnmpVersion::V2c));
}

#[tokio::test]
async fn an_unreachable_device_is_told_in_one_line() {
    let engine = engine();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut access = Access::new(silent.local_addr().unwrap());
    access.timeout = Duration::from_millis(700);
    access.credentials.push(SnmpCredential::community("other"));
    let ask =
        async || tokio::time::timeout(PATIENCE, read(&engine, &access)).await.expect("the time-out bounds the whole");
    let mut line = ask().await.unwrap_err().to_string();
    // A machine that stalls has no time for all ways.
    while line.contains("tried v2c with") {
        line = ask().await.unwrap_err().to_string();
    }
    for words in ["v2c and v1", "2 communities", "127.0.0.1", "ping", "firewall"] {
        assert!(line.contains(words), "{line}");
    }
    assert!(!line.contains("other") && !line.contains("public"), "no community in a message: {line}");
    drop(silent);
    let error = ask().await.unwrap_err();
    assert!(matches!(error, ReadError::Closed(_) | ReadError::Silent(_)), "{error}");
}

#[tokio::test]
async fn every_recording_reads_over_the_network_as_its_oracle() {
    let Some(folder) = crate::recordings::recordings() else { return };
    let pairs = crate::recordings::pairs(Path::new(&folder));
    let files: Vec<PathBuf> = pairs.iter().map(|(_, walk)| walk.clone()).collect();
    let base = Ipv4Addr::new(127, 31, 8, 1);
    let config = FleetConfig { devices: Devices::Walks(files), walk_base: base, speed: 0.0, ..FleetConfig::default() };
    let fleet = vmfp::start(config).await.unwrap();
    let engine = engine();
    let mut wrong = Vec::new();
    for (place, (oracle, _)) in pairs.iter().enumerate() {
        let reading = read(&engine, &access(&fleet, place)).await.unwrap().reading;
        let verdict = crate::oracle::compare(oracle, &reading);
        wrong.extend(verdict.wrong.into_iter().map(|field| format!("{}: {field}", oracle["recording"])));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_known_survives_being_written_down() {
    let known =
        Known { version: Some(SnmpVersion::V1), context: Context::Answers("Jetdirect".to_owned()), ..Known::default() };
    let text = serde_json::to_string(&known).unwrap();
    assert_eq!(serde_json::from_str::<Known>(&text).unwrap(), known);
    assert_eq!(serde_json::from_str::<Known>("{}").unwrap(), Known::default());
}

#[tokio::test]
async fn sleep_off_and_out_of_reach_are_told_apart() {
    let (fleet, engine) = (fleet(1, [127, 31, 21, 1], Mood::Faultless).await, engine());
    let whole = read(&engine, &access(&fleet, 0)).await.unwrap();
    let mut away = access(&fleet, 0);
    away.timeout = Duration::from_millis(700);
    let silent = UdpSocket::bind("127.31.21.9:0").unwrap();
    away.address = silent.local_addr().unwrap();
    assert!(matches!(vitals(&engine, &away, &whole.known).await, Err(ReadError::Silent(_))), "there, and says nothing");
    drop(silent);
    let closed = vitals(&engine, &away, &whole.known).await;
    assert!(matches!(closed, Err(ReadError::Closed(_) | ReadError::Silent(_))), "the network says so: {closed:?}");
}

/// The profiles of a process are chosen once, and not every runner gives each test a process: this test is run again
/// in one of its own. `true` in there.
fn alone(test: &str) -> bool {
    const MARK: &str = "PLATEN_TEST_ALONE";
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let ended = child.args(["--exact", test, "--nocapture"]).env(MARK, "1").output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&ended.stderr));
    false
}

#[tokio::test]
async fn sleep_a_device_that_wants_its_page_opened_first_gets_one_request_and_no_other_does() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    if !alone("visits::sleep_a_device_that_wants_its_page_opened_first_gets_one_request_and_no_other_does") {
        return;
    }
    let page = tokio::net::TcpListener::bind("127.31.22.1:0").await.unwrap();
    let port = page.local_addr().unwrap().port();
    let catalogue = "vendor = \"acme\"\nnames = [\"ACME\"]\nwake_by_http = ";
    let profile = toml::from_str(&format!("{catalogue}{port}")).unwrap();
    let mut profiles = device::profile::Catalogue::embedded();
    profiles.add(profile);
    assert!(profiles.install(), "nothing was read in this process before");
    let opened = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = std::sync::Arc::clone(&opened);
    tokio::spawn(async move {
        while let Ok((mut visitor, _)) = page.accept().await {
            count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let mut request = [0; 64];
            let length = visitor.read(&mut request).await.unwrap_or(0);
            assert!(request[..length].starts_with(b"GET / HTTP/"));
            drop(visitor.write_all(b"HTTP/1.0 200 OK\r\n\r\n").await);
        }
    });
    let engine = engine();
    let silent = UdpSocket::bind("127.31.22.1:0").unwrap();
    let mut access = Access::new(silent.local_addr().unwrap());
    access.timeout = Duration::from_secs(8);
    let known =
        |vendor: &str| Known { version: Some(SnmpVersion::V2c), vendor: Some(vendor.to_owned()), ..Known::default() };
    assert!(matches!(reread(&engine, &access, &known("ricoh")).await, Err(ReadError::Silent(_))));
    assert!(matches!(vitals(&engine, &access, &known("acme")).await, Err(ReadError::Silent(_))));
    assert_eq!(opened.load(std::sync::atomic::Ordering::SeqCst), 0, "nobody is woken for its condition");
    assert!(matches!(reread(&engine, &access, &known("acme")).await, Err(ReadError::Silent(_))));
    assert_eq!(opened.load(std::sync::atomic::Ordering::SeqCst), 1);
}
