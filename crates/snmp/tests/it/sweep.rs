//! Discovery over virtual networks on the loopback device: one responder is every address.
#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use snmp::ber::{Tail, Writer};
use snmp::message::{Flags, Header, MessageRef, write_scoped, write_v3};
use snmp::pdu::{Pdu, PduKind};
use snmp::responder::{Agent, Asked, Datagram, Responder, ResponderConfig, answer};
use snmp::sweep::{Found, Ipv4Range, SweepConfig, SweepSummary, sweep};
use snmp::{Oid, Security, SubnetBudget, Subnets, Value, Version};
use tokio::sync::mpsc;

use crate::agents::{Table, calmly};
use crate::courtesy::busiest;

/// What lives at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Device {
    community: &'static str,
    versions: &'static [Version],
    /// Whether it answers SNMPv3 discovery.
    engine: bool,
}

const PLAIN: Device = Device { community: "public", versions: &[Version::V1, Version::V2c], engine: false };

struct Network {
    port: u16,
    /// Requests that came, in all.
    packets: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Network {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn system() -> Table {
    Table::of([
        (Oid::of("1.3.6.1.2.1.1.1.0"), Value::text("Virtual printer")),
        (Oid::of("1.3.6.1.2.1.1.2.0"), Value::ObjectId(Oid::of("1.3.6.1.4.1.367.1.1"))),
    ])
}

/// A network in which `device` says what lives where; every `lose`th datagram is lost (0: none).
fn network(
    device: impl Fn(Ipv4Addr) -> Option<Device> + Send + 'static,
    lose: u64,
    mut see: impl FnMut(&Datagram<'_>) + Send + 'static,
) -> Network {
    let bind = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let responder = Responder::bind(ResponderConfig { bind, loopback_only: true }).unwrap();
    let (port, packets) = (responder.local_addr().port(), Arc::new(AtomicUsize::new(0)));
    let (counter, table) = (Arc::clone(&packets), system());
    let mut dice = 0x9e37_79b9_7f4a_7c15u64;
    let task = tokio::spawn(async move {
        responder
            .serve(move |datagram, out| {
                counter.fetch_add(1, Ordering::SeqCst);
                see(datagram);
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let IpAddr::V4(to) = datagram.to.ip() else { return false };
                match device(to) {
                    Some(device) if lose == 0 || (dice >> 33) % 100 >= lose => {
                        speak(device, &table, datagram.bytes, out)
                    }
                    _ => false,
                }
            })
            .await
            .unwrap();
    });
    Network { port, packets, task }
}

fn speak(device: Device, table: &Table, request: &[u8], out: &mut Vec<u8>) -> bool {
    if let Ok(MessageRef::V3(message)) = MessageRef::parse(request, Tail::Whole) {
        if device.engine {
            let header = Header { flags: Flags::default(), ..message.header };
            // An engine id, boots and time; nobody looks at them here.
            let security = [0x30, 17, 4, 3, 1, 2, 3, 2, 1, 1, 2, 1, 1, 4, 0, 4, 0, 4, 0];
            write_v3(&mut Writer::new(out), header, &security, |writer| {
                write_scoped(writer, &[1, 2, 3], &[], |writer| {
                    Pdu::new(PduKind::Report, message.header.msg_id, vec![]).write(writer);
                });
            });
        }
        return device.engine;
    }
    let known = |asked: &Asked<'_>| {
        (asked.name == device.community.as_bytes() && device.versions.contains(&asked.version))
            .then(|| Agent::new(table))
    };
    answer(request, known, out).is_ok()
}

fn config(network: &Network, range: &str, communities: &[&str]) -> SweepConfig {
    let range: Ipv4Range = range.parse().unwrap();
    SweepConfig {
        port: network.port,
        securities: communities.iter().map(|name| Arc::new(Security::v2c(*name))).collect(),
        rate_pps: 20_000,
        timeout: Duration::from_millis(400),
        ..SweepConfig::new(vec![range])
    }
}

async fn run(config: SweepConfig) -> (BTreeMap<IpAddr, Found>, SweepSummary) {
    let (sender, mut receiver) = mpsc::channel::<Found>(16);
    let collect = tokio::spawn(async move {
        let mut all: BTreeMap<IpAddr, Found> = BTreeMap::new();
        while let Some(found) = receiver.recv().await {
            assert!(all.insert(found.address.ip(), found).is_none(), "a device was reported twice");
        }
        all
    });
    let summary = sweep(config, sender).await.unwrap();
    let all = collect.await.unwrap();
    assert_eq!(all.len() as u64, summary.answered);
    (all, summary)
}

/// About one address in a hundred.
fn sparse(address: Ipv4Addr) -> bool {
    u32::from(address).wrapping_mul(2_654_435_761) >> 16 < 655
}

fn alive(range: Ipv4Range, is: impl Fn(Ipv4Addr) -> bool) -> Vec<IpAddr> {
    (u32::from(range.first)..=u32::from(range.last)).map(Ipv4Addr::from).filter(|a| is(*a)).map(IpAddr::V4).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sparse_class_b_network_is_found_whole_for_few_packets() {
    let network = network(|to| sparse(to).then_some(PLAIN), 0, |_| {});
    let config = config(&network, "127.77.0.0/16", &["public"]);
    let expected = alive(config.targets[0], sparse);
    let (found, summary) = run(config).await;
    assert!(found.keys().eq(expected.iter()), "{} of {}", found.len(), expected.len());
    let one = found.values().next().unwrap();
    assert_eq!(one.sys_object_id, Some(Oid::of("1.3.6.1.4.1.367.1.1")));
    assert_eq!(one.sys_descr.as_deref(), Some(&b"Virtual printer"[..]));
    assert_eq!((one.version, one.credential), (Version::V2c, 0));
    assert_eq!(summary.probed, 65_536);
    assert_eq!(summary.packets_sent, network.packets.load(Ordering::SeqCst) as u64);
    let dead = (summary.probed - summary.answered) as f64;
    let per_dead = (summary.packets_sent as f64 - summary.answered as f64) / dead;
    println!("{} found, {per_dead:.3} packets a dead address, {:.1} s", found.len(), summary.seconds);
    assert!(per_dead <= 1.15, "{per_dead}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_packet_in_ten_lost_loses_no_device_in_a_thousand() {
    let network = network(|_| Some(PLAIN), 10, |_| {});
    let (found, summary) = run(config(&network, "127.78.0.0/19", &["public"])).await;
    println!("{} of 8192 found with 10 % loss, {} packets", found.len(), summary.packets_sent);
    assert!(found.len() as f64 >= 8_192.0 * 0.999, "{}", found.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_all_alive_loses_nobody() {
    let network = network(|_| Some(PLAIN), 0, |_| {});
    let (found, _) = run(config(&network, "127.79.0.0/19", &["public"])).await;
    assert_eq!(found.len(), 8_192);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_credentials_cost_at_most_twice_the_packets_of_one() {
    const NAMES: [&str; 8] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"];
    let device = |to: Ipv4Addr| {
        sparse(to).then(|| Device { community: NAMES[usize::from(to.octets()[3] % 8)], engine: true, ..PLAIN })
    };
    let network = network(device, 0, |_| {});
    let mut many = config(&network, "127.80.0.0/18", &NAMES);
    many.timeout = Duration::from_millis(150);
    let expected = alive(many.targets[0], sparse);
    let (found, eight) = run(many).await;
    assert!(found.keys().eq(expected.iter()), "{} of {}", found.len(), expected.len());
    for (address, found) in &found {
        let IpAddr::V4(address) = address else { panic!("IPv6") };
        assert_eq!(found.credential, usize::from(address.octets()[3] % 8));
    }
    let (_, one) = run(config(&network, "127.80.0.0/18", &NAMES[..1])).await;
    let ratio = eight.packets_sent as f64 / one.packets_sent as f64;
    println!("8 credentials: {} packets, 1: {}, ratio {ratio:.2}", eight.packets_sent, one.packets_sent);
    assert!(ratio <= 2.0, "{ratio}");
}

/// Sparse devices that all let in the last of eight communities; whether they answer the discovery of engines.
async fn only_the_last_fits(range: &str, engine: bool) {
    const NAMES: [&str; 8] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "public"];
    let asked: Arc<Mutex<HashMap<IpAddr, u32>>> = Arc::default();
    let counter = Arc::clone(&asked);
    let see = move |datagram: &Datagram<'_>| *counter.lock().entry(datagram.to.ip()).or_default() += 1;
    let network = network(move |to| sparse(to).then_some(Device { engine, ..PLAIN }), 0, see);
    let mut many = config(&network, range, &NAMES);
    many.timeout = Duration::from_millis(150);
    let expected = alive(many.targets[0], sparse);
    let (found, eight) = run(many).await;
    assert!(found.keys().eq(expected.iter()), "{} of {}", found.len(), expected.len());
    assert!(found.values().all(|found| found.credential == 7));
    let asked = std::mem::take(&mut *asked.lock());
    let most = asked.iter().filter(|(to, _)| !found.contains_key(to)).map(|(_, count)| *count).max();
    assert!(most <= Some(3), "{most:?} packets to a dead address");
    let (_, one) = run(config(&network, range, &["public"])).await;
    let ratio = eight.packets_sent as f64 / one.packets_sent as f64;
    println!(
        "engines {engine}: {} packets for 8 credentials, {} for 1: {ratio:.2}",
        eight.packets_sent, one.packets_sent
    );
    assert!(ratio <= 2.0, "{ratio}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_credentials_of_which_the_last_fits_cost_at_most_twice_the_packets_of_one() {
    only_the_last_fits("127.86.0.0/16", true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_holds_where_nobody_speaks_v3() {
    only_the_last_fits("127.87.0.0/16", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn courtesy_a_dead_address_of_a_small_network_gets_three_packets_whatever_the_credentials() {
    let asked: Arc<Mutex<HashMap<IpAddr, u32>>> = Arc::default();
    let counter = Arc::clone(&asked);
    let network = network(|_| None, 0, move |datagram| *counter.lock().entry(datagram.to.ip()).or_default() += 1);
    for names in [&["a"][..], &["a", "b"], &["a", "b", "c", "d", "e"]] {
        let mut config = config(&network, "127.88.0.0/26", names);
        config.timeout = Duration::from_millis(50);
        run(config).await;
        let asked = std::mem::take(&mut *asked.lock());
        assert_eq!(asked.len(), 64);
        assert!(asked.values().all(|count| *count == 3), "{names:?}: {asked:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn courtesy_every_community_has_its_turn_in_some_sweep() {
    const NAMES: [&str; 5] = ["a", "b", "c", "d", "public"];
    let network = network(|to| (to.octets()[3] == 7).then_some(PLAIN), 0, |_| {});
    let mut found = 0;
    for turn in 0..9 {
        let mut config = config(&network, "127.89.0.0/28", &NAMES);
        (config.timeout, config.turn) = (Duration::from_millis(50), turn);
        found += run(config).await.0.len();
    }
    assert!(found >= 1, "in nine sweeps no one asked with the last community");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_range_of_quick_devices_does_not_wait_for_each_pass() {
    calmly(async || {
        let network = network(|to| (to.octets()[3] % 16 == 1).then_some(PLAIN), 0, |_| {});
        let mut config = config(&network, "127.94.0.0/22", &["public"]);
        config.timeout = Duration::from_secs(3);
        let (found, summary) = run(config).await;
        assert_eq!(found.len(), 64);
        println!("a /22 took {:.2} s and {} packets", summary.seconds, summary.packets_sent);
        // The last pass is waited out; each of the three would be nine seconds.
        if summary.seconds < 6.0 { Ok(()) } else { Err(format!("{} s", summary.seconds)) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_budget_holds_in_any_second() {
    calmly(budget).await;
}

async fn budget() -> Result<(), String> {
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&times);
    let network = network(|to| sparse(to).then_some(PLAIN), 0, move |_| seen.lock().push(Instant::now()));
    let mut config = config(&network, "127.81.0.0/25", &["public", "other"]);
    config.rate_pps = 150;
    run(config).await;
    let times = times.lock();
    let worst = busiest(&times);
    // 151 leave in any second; the receiver's clock is not the sender's.
    if worst <= 165 { Ok(()) } else { Err(format!("{worst} packets in one second of a budget of 150")) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn courtesy_each_subnet_has_a_budget_of_its_own() {
    calmly(budgets_of_subnets).await;
}

async fn budgets_of_subnets() -> Result<(), String> {
    let times: Arc<Mutex<BTreeMap<u8, Vec<Instant>>>> = Arc::default();
    let seen = Arc::clone(&times);
    let see = move |datagram: &Datagram<'_>| {
        let IpAddr::V4(to) = datagram.to.ip() else { return };
        seen.lock().entry(to.octets()[2]).or_default().push(Instant::now());
    };
    // Half a /24 and less of three others; devices with an engine, so that trials of credentials come beside.
    let device = Device { engine: true, ..PLAIN };
    let network = network(move |to| (to.octets()[3] % 16 == 1).then_some(device), 0, see);
    let mut config = config(&network, "127.83.0.0/25", &["public", "other"]);
    config
        .targets
        .extend(["127.83.1.0/27", "127.83.2.0/27", "127.83.3.0/28"].map(|text| text.parse::<Ipv4Range>().unwrap()));
    config.retries = 0;
    config.rate_pps = 150;
    config.subnets = Subnets::new(SubnetBudget { prefix: 24, rate_pps: 60 });
    let (found, summary) = run(config).await;
    assert_eq!(found.len(), 8 + 2 + 2 + 1, "{summary:?}");
    let times = times.lock();
    let mut all: Vec<Instant> = times.values().flatten().copied().collect();
    all.sort_unstable();
    let (first, last) = (times[&0][0], times[&0][times[&0].len() - 1]);
    let mean = times[&0].len() as f64 / (last - first).as_secs_f64();
    println!("{} packets to the full subnet, {mean:.1} a second", times[&0].len());
    // The receiver's clock is not the sender's.
    let most = times.values().map(|times| busiest(times)).max().unwrap_or(0);
    let small_last = times[&1].last().unwrap();
    if most > 68 || busiest(&all) > 165 || mean < 40.0 || last < *small_last {
        let small = if last < *small_last { "; a small subnet waited for a large one" } else { "" };
        let whole = busiest(&all);
        return Err(format!(
            "{most} a second to a subnet of 60, {whole} of 150 in all, {mean:.1} to the full one{small}"
        ));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_everybody_has_answered_nobody_is_waited_for() {
    for (range, communities) in [("127.84.0.7", &["public"][..]), ("127.84.1.0/29", &["other", "public"])] {
        let network = network(|_| Some(Device { engine: true, ..PLAIN }), 0, |_| {});
        let mut config = config(&network, range, communities);
        // A community that does not fit costs its time-out, and is tried last by all but the first device.
        let (timeout, most) = if communities.len() == 1 { (60, 60.0) } else { (10, 30.0) };
        config.timeout = Duration::from_secs(timeout);
        let (found, summary) = run(config).await;
        assert_eq!(found.len() as u64, summary.probed);
        assert!(summary.seconds < most, "{summary:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_and_communities_of_a_small_network_are_all_found() {
    let lives = HashMap::from([
        (1, Device { versions: &[Version::V1], ..PLAIN }),
        (2, Device { versions: &[Version::V2c], ..PLAIN }),
        (3, Device { community: "secret", versions: &[Version::V2c], engine: false }),
        (4, Device { community: "secret", versions: &[Version::V1, Version::V2c], engine: true }),
        (5, Device { community: "nobody-knows", versions: &[Version::V2c], engine: true }),
        (6, PLAIN),
    ]);
    let network = network(move |to| lives.get(&to.octets()[3]).copied(), 0, |_| {});
    let mut thorough = config(&network, "127.82.0.0/28", &["public", "secret"]);
    thorough.packets_per_address = u8::MAX;
    let (found, summary) = run(thorough).await;
    let seen: Vec<_> =
        found.values().map(|found| (found.address.to_string(), found.version, found.credential)).collect();
    let at = |last: u8| format!("127.82.0.{last}:{}", network.port);
    assert_eq!(
        seen,
        [
            (at(1), Version::V1, 0),
            (at(2), Version::V2c, 0),
            (at(3), Version::V2c, 1),
            (at(4), Version::V2c, 1),
            (at(6), Version::V2c, 0),
        ]
    );
    assert_eq!(summary.locked, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_ports_are_asked_once() {
    let closed = crate::netsnmp::free_port().port();
    let network = network(|_| None, 0, |_| {});
    let mut config = config(&network, "127.83.0.0/24", &["public"]);
    config.port = closed;
    let (found, summary) = run(config).await;
    assert!(found.is_empty());
    assert_eq!(summary.packets_sent, 256);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_nobody_listens_to_ends() {
    let network = network(|_| Some(PLAIN), 0, |_| {});
    let mut config = config(&network, "127.84.0.0/16", &["public"]);
    config.rate_pps = 2_000;
    let (sender, mut receiver) = mpsc::channel::<Found>(1);
    let running = tokio::spawn(sweep(config, sender));
    receiver.recv().await.unwrap();
    drop(receiver);
    let summary = running.await.unwrap().unwrap();
    assert!(summary.packets_sent < 20_000, "{summary:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_snmpv3_are_tried_on_engines_only() {
    use snmp::usm::{Authority, Users};
    use snmp::{AuthProtocol, UsmUser};
    let user = |name: &str| UsmUser::new(name).auth(AuthProtocol::Sha256, "authpass1");
    let authority = Authority::new(b"\x80\x00\x1f\x88\x04sweep", 1, Users::new(&[user("right")]).unwrap());
    let table = system();
    let bind = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let responder = Responder::bind(ResponderConfig { bind, loopback_only: true }).unwrap();
    let port = responder.local_addr().port();
    let asked = Arc::new(Mutex::new(BTreeMap::new()));
    let counter = Arc::clone(&asked);
    let task = tokio::spawn(async move {
        responder
            .serve(move |datagram, out| {
                *counter.lock().entry(datagram.to.ip()).or_insert(0) += 1;
                let IpAddr::V4(to) = datagram.to.ip() else { return false };
                let known = |_: &Asked<'_>| Some(Agent::new(&table));
                to.octets()[3] == 9 && snmp::responder::answer_v3(datagram.bytes, &authority, known, out).is_ok()
            })
            .await
            .unwrap();
    });
    let securities = vec![
        Arc::new(Security::v2c("public")),
        Arc::new(Security::v3(Arc::new(user("wrong")))),
        Arc::new(Security::v3(Arc::new(user("right")))),
    ];
    let config = SweepConfig {
        port,
        securities,
        rate_pps: 5_000,
        timeout: Duration::from_millis(300),
        ..SweepConfig::new(vec!["127.85.0.0/28".parse().unwrap()])
    };
    let (found, _) = run(config).await;
    task.abort();
    let found: Vec<_> = found.into_values().collect();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].version, found[0].credential), (Version::V3, 2));
    assert_eq!(found[0].sys_descr.as_deref(), Some(&b"Virtual printer"[..]));
    // Discovery, v2c, v1.
    assert!(asked.lock().iter().all(|(to, count)| *to == found[0].address.ip() || *count == 3), "{asked:?}");
}
