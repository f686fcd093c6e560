//! Agents for the tests: honest ones from a table, and hostile ones from a closure over bytes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use snmp::ber::{Tail, Writer};
use snmp::message::{Body, MessageRef, write_community};
use snmp::pdu::{Pdu, PduKind};
use snmp::responder::{Agent, Mib, Responder, ResponderConfig, answer};
use snmp::{Engine, EngineConfig, Oid, Security, Target, Value, VarBind, Version};

pub fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

/// Objects in order.
#[derive(Clone, Debug, Default)]
pub struct Table(pub BTreeMap<Oid, Value>);

impl Table {
    pub fn of(rows: impl IntoIterator<Item = (Oid, Value)>) -> Self {
        Self(rows.into_iter().collect())
    }

    /// `columns` columns of `rows` rows below 1.3.6.1.4.1.9.1.
    pub fn grid(columns: u32, rows: u32) -> Self {
        let entry = oid("1.3.6.1.4.1.9.1");
        Self::of((1..=columns).flat_map(|column| {
            let entry = entry.clone();
            (1..=rows).map(move |row| (entry.join(&[column, row]), Value::Integer((column * 1_000 + row) as i32)))
        }))
    }
}

impl Mib for Table {
    fn get(&self, oid: &Oid) -> Value {
        self.0.get(oid).cloned().unwrap_or(Value::NoSuchInstance)
    }

    fn next(&self, oid: &Oid) -> Option<(Oid, Value)> {
        let (oid, value) = self.0.range((Bound::Excluded(oid), Bound::Unbounded)).next()?;
        Some((oid.clone(), value.clone()))
    }
}

/// A running agent; it ends with the test's runtime.
pub struct Running {
    pub address: SocketAddr,
    /// Requests seen.
    pub seen: Arc<AtomicUsize>,
    marks: Arc<AtomicUsize>,
}

impl Running {
    pub fn requests(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    /// Requests seen when all that was sent to it by now has been read: datagrams are read in the order they came.
    pub async fn all_requests(&self) -> usize {
        let marks = self.marks.load(Ordering::SeqCst);
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(MARK, self.address).unwrap();
        while self.marks.load(Ordering::SeqCst) == marks {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.requests()
    }
}

/// A datagram that only tells how far an agent has read.
const MARK: &[u8] = b"how far?";

/// Repeats a measurement that a stall of the machine spoils, ten times at most: what a receiver reads late seems to have
/// come at once, and a sender that is kept waiting seems slow. A fault in what is measured shows every time.
pub async fn calmly(mut measure: impl AsyncFnMut() -> Result<(), String>) {
    for _ in 0..9 {
        match measure().await {
            Ok(()) => return,
            Err(why) => println!("measured once more: {why}"),
        }
    }
    measure().await.unwrap();
}

/// A hostile agent: each request as it came, and the bytes to answer with (none: silence).
pub fn hostile(mut reply: impl FnMut(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> Running {
    let bind = SocketAddr::from(([127, 0, 0, 1], 0));
    let responder = Responder::bind(ResponderConfig { bind, loopback_only: false }).unwrap();
    let (address, seen, marks) = (responder.local_addr(), Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (counter, marked) = (Arc::clone(&seen), Arc::clone(&marks));
    tokio::spawn(async move {
        responder
            .serve(move |datagram, out| {
                if datagram.bytes == MARK {
                    marked.fetch_add(1, Ordering::SeqCst);
                    return false;
                }
                counter.fetch_add(1, Ordering::SeqCst);
                let bytes = reply(datagram.bytes);
                let answers = bytes.is_some();
                out.extend(bytes.unwrap_or_default());
                answers
            })
            .await
            .unwrap();
    });
    Running { address, seen, marks }
}

/// An honest agent for community `public`, in the versions given, with answers of at most `limit` bytes.
pub fn honest(table: Table, versions: &'static [Version], limit: usize) -> Running {
    hostile(move |request| answer_from(&table, versions, limit, request))
}

pub fn answer_from(table: &Table, versions: &[Version], limit: usize, request: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let agent = Agent { limit, ..Agent::new(table) };
    let known = |asked: &snmp::responder::Asked<'_>| {
        (asked.name == b"public" && versions.contains(&asked.version)).then_some(agent)
    };
    answer(request, known, &mut out).ok().map(|()| out)
}

pub const ALL: &[Version] = &[Version::V1, Version::V2c];

/// What a request asks, decoded.
pub fn decode(request: &[u8]) -> (Version, Pdu) {
    match MessageRef::parse(request, Tail::Whole).unwrap() {
        MessageRef::Community(message) => match message.body {
            Body::Pdu(pdu) => (message.version, pdu.to_owned().unwrap()),
            Body::TrapV1(_) => panic!("a trap"),
        },
        MessageRef::V3(_) => panic!("v3"),
    }
}

/// A response to `request` with these values.
pub fn response(request: &[u8], status: i32, index: i32, varbinds: Vec<VarBind>) -> Vec<u8> {
    let (version, pdu) = decode(request);
    let pdu = Pdu { kind: PduKind::Response, request_id: pdu.request_id, status, index, varbinds };
    let mut out = Vec::new();
    write_community(&mut Writer::new(&mut out), version, b"public", |writer| pdu.write(writer));
    out
}

pub fn engine() -> Engine {
    let bind = SocketAddr::from(([127, 0, 0, 1], 0));
    Engine::start(EngineConfig { shards: 1, bind, ..EngineConfig::default() }).unwrap()
}

/// A target that answers: it is waited for longer than a busy machine keeps it.
pub fn target(address: SocketAddr) -> Target {
    Target::new(address, Security::v2c("public")).patience(Duration::from_secs(30), 1)
}

/// A target that keeps silent to some requests, which costs 0.9 s each time; three tries outlast a stall.
pub fn reticent(address: SocketAddr) -> Target {
    target(address).patience(Duration::from_millis(300), 2)
}
