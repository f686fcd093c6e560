//! net-snmp as judge, both ways: its commands ask our responder, our engine asks its daemon.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use snmp::{Engine, Oid, Security, Target, Value, VarBind, WalkLimits};

use crate::agents::{ALL, Table, decode, engine, honest, hostile, oid, response};

/// A program of net-snmp, or a line that says it is missing.
pub fn program(name: &str, package: &str) -> Option<String> {
    for folder in ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"] {
        let path = format!("{folder}/{name}");
        if Path::new(&path).exists() {
            return Some(path);
        }
    }
    println!("skipped: {name} not found (apt install {package})");
    None
}

/// A daemon with its own folder; it ends when dropped.
pub struct Daemon {
    child: Child,
    pub address: SocketAddr,
    pub folder: tempfile::TempDir,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address where nobody listens, at a port below those that the system gives to whoever asks for any: other tests take
/// thousands of them, and would take one that is left for a moment. Tests are processes, so each begins elsewhere.
pub fn free_port() -> SocketAddr {
    let first = std::process::id().wrapping_mul(37) % 10_000;
    let ports = (first..10_000).chain(0..first).map(|place| 30_000 - u16::try_from(place).unwrap());
    let mut addresses = ports.map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
    addresses.find(|address| UdpSocket::bind(address).is_ok()).unwrap()
}

/// Starts snmpd with more lines of configuration, and waits until it answers.
pub async fn snmpd(lines: &str, ready: &Security) -> Option<(Daemon, Engine)> {
    let program = program("snmpd", "snmpd")?;
    let (folder, address) = (tempfile::tempdir().unwrap(), free_port());
    let path = folder.path().join("snmpd.conf");
    let mut file = std::fs::File::create(&path).unwrap();
    let socket = folder.path().join("agentx");
    writeln!(file, "agentaddress udp:{address}\nrocommunity public 127.0.0.1\nrwcommunity private 127.0.0.1").unwrap();
    writeln!(file, "sysLocation 2nd floor\nagentxsocket {}\n{lines}", socket.display()).unwrap();
    let child = Command::new(program)
        .args(["-f", "-Lf"])
        .arg(folder.path().join("log"))
        .args(["-C", "-c"])
        .arg(&path)
        .args(["-I", "-smux"])
        .env("SNMP_PERSISTENT_DIR", folder.path().join("state"))
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let (daemon, engine) = (Daemon { child, address, folder }, engine());
    let target = Target::new(address, ready.clone()).patience(Duration::from_millis(300), 0);
    for _ in 0..1_200 {
        if engine.get(&target, &[oid("1.3.6.1.2.1.1.6.0")]).await.is_ok() {
            return Some((daemon, engine));
        }
        // Not there yet: a closed port answers at once.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let log = std::fs::read_to_string(daemon.folder.path().join("log")).unwrap_or_default();
    panic!("snmpd does not answer: {log}");
}

/// Runs a command beside the runtime; its output.
pub async fn run(program: String, arguments: Vec<String>) -> String {
    let output = tokio::task::spawn_blocking(move || Command::new(program).args(arguments).output().unwrap());
    let output = output.await.unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Lines `.1.3.6… value` of snmpwalk -OQne.
fn rows(output: &str) -> BTreeMap<Oid, String> {
    output
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .filter_map(|(oid, value)| Some((oid.parse().ok()?, value.to_owned())))
        .collect()
}

fn table() -> Table {
    let mut table = Table::grid(3, 60);
    let more = [
        ("1.3.6.1.2.1.1.1.0", Value::text("Platen test agent")),
        ("1.3.6.1.2.1.1.2.0", Value::ObjectId(oid("1.3.6.1.4.1.367.1.1"))),
        ("1.3.6.1.2.1.1.3.0", Value::TimeTicks(360_000)),
        ("1.3.6.1.2.1.4.20.1.1", Value::IpAddress([127, 0, 0, 1])),
        ("1.3.6.1.4.1.9.2.1", Value::Counter32(u32::MAX)),
        ("1.3.6.1.4.1.9.2.2", Value::Counter64(u64::MAX)),
        ("1.3.6.1.4.1.9.2.3", Value::Gauge32(3_000_000_000)),
        ("1.3.6.1.4.1.9.2.4", Value::Integer(-3)),
        ("1.3.6.1.4.1.9.2.5", Value::Null),
    ];
    table.0.extend(more.map(|(text, value)| (oid(text), value)));
    table
}

#[tokio::test(flavor = "multi_thread")]
async fn net_snmp_reads_our_responder_whole() {
    let Some(walker) = program("snmpbulkwalk", "snmp") else { return };
    let Some(next) = program("snmpwalk", "snmp") else { return };
    let agent = honest(table(), ALL, 1_472);
    let common = format!("-c public -OQne -t 60 -r 0 {} .1.3", agent.address);
    let bulk = rows(&run(walker, words(&format!("-v2c -Cr50 {common}"))).await);
    assert_eq!(bulk.len(), 189);
    assert_eq!(bulk[&oid("1.3.6.1.4.1.9.2.2")], u64::MAX.to_string());
    assert_eq!(bulk[&oid("1.3.6.1.2.1.1.1.0")], "\"Platen test agent\"");
    assert_eq!(bulk[&oid("1.3.6.1.4.1.9.2.4")], "-3");
    let v2 = rows(&run(next.clone(), words(&format!("-v2c {common}"))).await);
    let v1 = rows(&run(next, words(&format!("-v1 {common}"))).await);
    // v2c ends with a line that says so.
    assert_eq!(v2.iter().filter(|(oid, _)| bulk.contains_key(oid)).count(), 189);
    // v1 has no Counter64.
    assert_eq!(v1.len(), 188);
}

#[tokio::test(flavor = "multi_thread")]
async fn net_snmp_understands_our_exceptions_and_errors() {
    let Some(get) = program("snmpget", "snmp") else { return };
    let Some(set) = program("snmpset", "snmp") else { return };
    let agent = honest(table(), ALL, 1_472);
    let at = format!("-c public -One -t 60 -r 0 {}", agent.address);
    let v2 = run(get.clone(), words(&format!("-v2c {at} 1.3.6.1.4.1.9.1.1.1 1.3.6.1.4.1.9.1.1.999"))).await;
    assert!(v2.contains("INTEGER: 1001") && v2.contains("No Such Instance"), "{v2}");
    let v1 = run(get, words(&format!("-v1 {at} 1.3.6.1.4.1.9.1.1.999"))).await;
    assert!(v1.contains("noSuchName"), "{v1}");
    let refused = run(set, words(&format!("-v2c {at} 1.3.6.1.4.1.9.1.1.1 i 5"))).await;
    assert!(refused.contains("noAccess"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn our_engine_reads_snmpd_as_its_own_walker_does() {
    let Some((daemon, engine)) = snmpd("", &Security::v2c("public")).await else { return };
    let Some(walker) = program("snmpbulkwalk", "snmp") else { return };
    let root = oid("1.3.6.1.2.1.1");
    let theirs =
        rows(&run(walker, words(&format!("-v2c -c public -OQne -t 60 {} 1.3.6.1.2.1.1", daemon.address))).await);
    for security in [Security::v2c("public"), Security::v1("public")] {
        let target = Target::new(daemon.address, security);
        let walk = engine.walk(&target, &root, &WalkLimits::default()).await.unwrap();
        assert_eq!(walk.quirks, []);
        assert!(walk.rows.iter().map(|row| &row.oid).eq(theirs.keys()), "{:?}", walk.rows);
        let place = oid("1.3.6.1.2.1.1.6.0");
        let values = engine.get(&target, &[place.clone(), root.join(&[6, 7]), place.clone()]).await.unwrap();
        assert_eq!(values[0].value, Value::text("2nd floor"));
        assert!(values[1].value.is_missing());
        assert_eq!(values[2], values[0]);
        let next = engine.get_next(&target, &[root.join(&[5])]).await.unwrap();
        assert_eq!(next[0].oid, root.join(&[5, 0]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_engine_reads_all_of_snmpd_without_a_quirk() {
    let Some((daemon, engine)) = snmpd("", &Security::v2c("public")).await else { return };
    let target = Target::new(daemon.address, Security::v2c("public"));
    // Not the tables of connections: beside other tests they hold tens of thousands of rows, and change while they are read.
    let roots =
        ["1.3.6.1.2.1.1", "1.3.6.1.2.1.2", "1.3.6.1.2.1.11", "1.3.6.1.2.1.25.3", "1.3.6.1.2.1.25.6", "1.3.6.1.6"];
    let (mut rows, mut exchanges) = (Vec::new(), 0);
    for root in roots {
        let walk = engine.walk(&target, &oid(root), &WalkLimits::default()).await.unwrap();
        assert!(!walk.incomplete, "{root}");
        assert_eq!(walk.quirks, [], "{root}");
        rows.extend(walk.rows);
        exchanges += walk.exchanges;
    }
    println!("{} rows of snmpd in {exchanges} exchanges", rows.len());
    assert!(rows.len() > 500);
    let columns: Vec<Oid> = [2, 3, 5, 8, 10].iter().map(|column| oid("1.3.6.1.2.1.2.2.1").child(*column)).collect();
    let read = engine.walk_columns(&target, &columns, &WalkLimits::default()).await.unwrap();
    let expected = rows.iter().filter(|row| columns.iter().any(|column| row.oid.starts_with(column)));
    assert!(read.rows.iter().map(|row| &row.oid).eq(expected.map(|row| &row.oid)));
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_of_careless_agents_are_what_net_snmp_takes_them_for() {
    let Some(get) = program("snmpget", "snmp") else { return };
    let cases: [&[u8]; 6] = [
        &[0x42, 1, 0xfd],
        &[0x41, 2, 0xff, 0x00],
        &[0x41, 3, 0x80, 0, 1],
        &[0x41, 4, 0xff, 0xff, 0xff, 0xfe],
        &[0x42, 5, 0, 0xff, 0xff, 0xff, 0xfe],
        &[0x02, 4, 0xff, 0xff, 0xff, 0xfd],
    ];
    for raw in cases {
        let agent = hostile(move |request| {
            // A value of the right length, replaced by the raw one.
            let (_, pdu) = decode(request);
            let stand_in = Value::Opaque(bytes::Bytes::from(vec![0xa5; raw.len() - 2]));
            let mut reply = response(request, 0, 0, vec![VarBind::new(pdu.varbinds[0].oid.clone(), stand_in)]);
            let at = reply.len() - raw.len();
            reply[at..].copy_from_slice(raw);
            Some(reply)
        });
        let object = oid("1.3.6.1.4.1.9.1.1");
        let theirs = run(get.clone(), words(&format!("-v2c -c public -OQnev -t 60 {} {object}", agent.address))).await;
        let ours = engine().get(&Target::new(agent.address, Security::v2c("public")), &[object]).await.unwrap();
        assert_eq!(theirs.trim(), ours[0].value.to_string(), "{raw:02x?}");
    }
}
