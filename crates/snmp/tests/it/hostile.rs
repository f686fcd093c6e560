//! Agents that lie at random: whatever they send, every request ends in time, with a clear error or with values that
//! were really sent (`bulk_bugs`, `walk_safety`, `partial_replies`).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use snmp::ber::Tail;
use snmp::message::{Body, MessageRef};
use snmp::pdu::PduKind;
use snmp::responder::{Responder, ResponderConfig};
use snmp::sweep::{Found, SweepConfig, sweep};
use snmp::{Error, Oid, Quirk, Security, Value, VarBind, WalkLimits};
use tokio::sync::mpsc;

use crate::agents::{ALL, Running, Table, answer_from, decode, engine, hostile, oid, response, reticent, target};
use crate::fuzz::dice::Dice;

/// Everything that was sent, as a reader may understand it.
type Sent = Arc<Mutex<BTreeSet<(Oid, String)>>>;

fn root() -> Oid {
    oid("1.3.6.1.4.1.9.1")
}

fn spell(value: &Value) -> String {
    format!("{value:?}")
}

/// An agent that is honest in one answer of `honest`, and else lies in a way of its own.
struct Liar {
    dice: Dice,
    honest: usize,
    table: Table,
    rows: Vec<VarBind>,
    sent: Sent,
}

impl Liar {
    fn new(seed: u64, honest: usize) -> (Self, Sent) {
        let mut table = Table::grid(3, 20);
        // Neighbours before and behind the subtree, and values of other types in it.
        table.0.insert(oid("1.3.6.1.2.1.1.1.0"), Value::text("before"));
        table.0.insert(oid("1.3.6.1.4.1.10.1"), Value::text("behind"));
        table.0.insert(root().join(&[2, 7]), Value::text("text among numbers"));
        table.0.insert(root().join(&[3, 9]), Value::Counter64(u64::MAX));
        let rows = table.0.iter().map(|(oid, value)| VarBind::new(oid.clone(), value.clone())).collect();
        let sent = Sent::default();
        (Self { dice: Dice::of(seed, 0), honest, table, rows, sent: Arc::clone(&sent) }, sent)
    }

    fn start(seed: u64, honest: usize) -> (Running, Sent) {
        let (mut liar, sent) = Self::new(seed, honest);
        (hostile(move |request| liar.reply(request)), sent)
    }

    fn reply(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let bytes = self.bytes(request)?;
        if let Ok(MessageRef::Community(message)) = MessageRef::parse(&bytes, Tail::MayBeCut)
            && let Body::Pdu(pdu) = message.body
        {
            let mut sent = self.sent.lock();
            for item in pdu.varbinds.map_while(Result::ok) {
                sent.insert((item.oid.to_oid(), spell(&item.value.to_value())));
            }
        }
        Some(bytes)
    }

    fn some_rows(&mut self, most: usize) -> Vec<VarBind> {
        let count = self.dice.below(most + 1);
        (0..count).map(|_| self.dice.pick(&self.rows).clone()).collect()
    }

    fn bytes(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let mut good = answer_from(&self.table, ALL, 1_472, request)?;
        if self.dice.one_in(self.honest) {
            return Some(good);
        }
        let mut items = decode(&good).1.varbinds;
        let asked = decode(request).1.varbinds;
        Some(match self.dice.below(16) {
            0 => return None,
            1 => {
                let length = self.dice.below(400);
                self.dice.bytes(length)
            }
            2 => {
                good.truncate(self.dice.below(good.len()));
                good
            }
            3 => {
                let status = *self.dice.pick(&[1, 2, 5, 13, 99, -1, i32::MIN]);
                let index = *self.dice.pick(&[0, 1, 2, 500, -7, i32::MAX]);
                let items = if self.dice.one_in(2) { asked } else { Vec::new() };
                response(request, status, index, items)
            }
            4 => {
                items.reverse();
                response(request, 0, 0, items)
            }
            5 => {
                let again = self.dice.pick(&self.rows).clone();
                response(request, 0, 0, vec![again; 1 + self.dice.below(30)])
            }
            6 => {
                let items = self.some_rows(40);
                response(request, 0, 0, items)
            }
            // Objects that were asked for, as if they were the next ones.
            7 => response(request, 0, 0, asked),
            8 => response(request, 0, 0, Vec::new()),
            9 => {
                let items = self.some_rows(3_000);
                response(request, 0, 0, items)
            }
            10 => {
                items.iter_mut().for_each(|item| item.value = Value::NoSuchInstance);
                response(request, 0, 0, items)
            }
            11 => {
                let at = self.dice.below(good.len());
                good[at] ^= 1 << self.dice.below(8);
                good
            }
            12 => {
                let at = self.dice.below(good.len());
                good.splice(at..at, [0x30, 0x84, 0xff, 0xff, 0xff, 0xff]);
                good
            }
            // The request itself.
            13 => request.to_vec(),
            // Ever new rows.
            14 => {
                let base = self.dice.next() as u32 >> 1;
                response(
                    request,
                    0,
                    0,
                    (0..20).map(|row| VarBind::new(root().join(&[9, base + row]), Value::Null)).collect(),
                )
            }
            _ => {
                items.truncate(1);
                response(request, 0, 0, items)
            }
        })
    }
}

fn limits() -> WalkLimits {
    WalkLimits { rows: 2_000, exchanges: 200, ..WalkLimits::default() }
}

/// The target of a liar, whose silence costs little; where it stalls, it is one more lie.
fn near(address: SocketAddr) -> snmp::Target {
    target(address).patience(Duration::from_millis(30), 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn walk_safety_no_liar_holds_a_walk_or_makes_it_invent() {
    let engine = engine();
    let (mut whole, mut broken, mut failed, mut slowest) = (0, 0, 0, Duration::ZERO);
    for seed in 0..150 {
        let (agent, sent) = Liar::start(seed, 1 + seed as usize % 4);
        let started = Instant::now();
        let (target, root, limits) = (near(agent.address), root(), limits());
        let walk = engine.walk(&target, &root, &limits);
        let walk = tokio::time::timeout(Duration::from_secs(120), walk).await.expect("a walk that does not end");
        slowest = slowest.max(started.elapsed());
        let most = limits.exchanges as usize * 2 + 8;
        assert!(agent.requests() <= most, "seed {seed}: {} requests", agent.requests());
        match walk {
            Ok(walk) => {
                let sent = sent.lock();
                let mut seen = BTreeSet::new();
                for row in &walk.rows {
                    assert!(row.oid.starts_with(&root), "seed {seed}: {} is outside", row.oid);
                    assert!(seen.insert(row.oid.clone()), "seed {seed}: {} twice", row.oid);
                    let said = sent.contains(&(row.oid.clone(), spell(&row.value)));
                    assert!(said, "seed {seed}: nobody said {row:?}");
                }
                assert!(walk.rows.len() <= limits.rows + 3_000, "seed {seed}: {} rows", walk.rows.len());
                if walk.incomplete { broken += 1 } else { whole += 1 }
            }
            Err(error) => {
                assert!(error.to_string().contains(&agent.address.to_string()), "seed {seed}: {error}");
                failed += 1;
            }
        }
    }
    println!("{whole} walks ended by themselves, {broken} incomplete, {failed} failed, the slowest in {slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partial_replies_of_liars_bring_what_was_said_or_a_clear_error() {
    let engine = engine();
    let asked: Vec<Oid> = [[1, 1], [2, 7], [3, 9], [1, 77], [3, 20]].iter().map(|place| root().join(place)).collect();
    let (mut good, mut failed) = (0, 0);
    for seed in 0..150 {
        let (agent, sent) = Liar::start(1_000 + seed, 1 + seed as usize % 4);
        let target = near(agent.address);
        let all = async {
            [
                engine.get(&target, &asked).await,
                engine.get_next(&target, &asked).await,
                engine.get_bulk(&target, 1, 10, &asked).await,
            ]
        };
        let all = tokio::time::timeout(Duration::from_secs(120), all).await.expect("a request that does not end");
        for (place, outcome) in all.into_iter().enumerate() {
            match outcome {
                Ok(values) => {
                    if place == 0 {
                        assert!(values.iter().map(|item| &item.oid).eq(&asked), "seed {seed}: one value an object");
                    }
                    let sent = sent.lock();
                    for item in values.iter().filter(|item| !item.value.is_missing()) {
                        let value = spell(&item.value);
                        assert!(sent.iter().any(|(_, said)| *said == value), "seed {seed}: nobody said {item:?}");
                    }
                    good += 1;
                }
                Err(error) => {
                    assert!(error.to_string().contains(&agent.address.to_string()), "seed {seed}: {error}");
                    failed += 1;
                }
            }
        }
        assert!(agent.requests() < 150, "seed {seed}: {} requests", agent.requests());
    }
    println!("{good} requests brought values, {failed} a clear error");
    assert!(good > 50 && failed > 10, "{good} {failed}");
}

#[tokio::test]
async fn a_value_of_a_set_is_not_taken_as_written_when_the_agent_lies() {
    let engine = engine();
    let place = root().join(&[1, 1]);
    for seed in 0..40 {
        let (agent, _) = Liar::start(2_000 + seed, 1_000);
        let written = VarBind::new(place.clone(), Value::Integer(5));
        let outcome = engine.set(&near(agent.address), std::slice::from_ref(&written)).await;
        // An honest agent here refuses: nothing is writable.
        if let Err(error) = outcome {
            assert!(!matches!(error, Error::Busy { .. } | Error::Stopped { .. }), "{error}");
        }
    }
}

#[tokio::test]
async fn bulk_bugs_max_repetitions_of_zero_are_never_asked_for() {
    let table = Table::grid(2, 100);
    let agent = hostile(move |request| {
        let (_, pdu) = decode(request);
        // It hangs on zero repetitions, and on rows that nobody repeats.
        (pdu.kind != PduKind::GetBulk || pdu.index > 0).then(|| answer_from(&table, ALL, 1_472, request))?
    });
    let engine = engine();
    let walk = engine.walk(&target(agent.address), &root(), &WalkLimits::default()).await.unwrap();
    assert_eq!((walk.rows.len(), walk.quirks), (200, vec![]));
    let before = agent.requests();
    let rows = engine.get_bulk(&target(agent.address), 0, 0, &[root()]).await.unwrap();
    assert_eq!((rows.len(), agent.requests() - before), (1, 1), "one repetition is the least");
}

#[tokio::test]
async fn bulk_bugs_replies_lost_as_fragments_are_asked_for_in_smaller_pieces() {
    // Rows of 300 bytes: forty of them are a datagram of eight fragments, of which one is always lost.
    let rows = (1..=120).map(|row| (root().join(&[1, row]), Value::OctetString(vec![b'x'; 300].into())));
    let table = Table::of(rows);
    let agent = hostile(move |request| answer_from(&table, ALL, 60_000, request).filter(|good| good.len() <= 1_472));
    let engine = engine();
    engine.get(&target(agent.address), &[root().join(&[1, 1])]).await.unwrap();
    let walk = engine.walk(&reticent(agent.address), &root(), &WalkLimits::default()).await.unwrap();
    assert_eq!(walk.rows.len(), 120);
    assert!(walk.quirks.contains(&Quirk::BulkTimeout), "{:?}", walk.quirks);
    let learnt = engine.learnt(agent.address);
    assert!((1..=4).contains(&learnt.max_repetitions) || learnt.no_bulk, "{learnt:?}");
    let before = agent.requests();
    engine.walk(&target(agent.address), &root(), &WalkLimits::default()).await.unwrap();
    assert!(agent.requests() - before <= 121, "what was learnt is used: {}", agent.requests() - before);
}

#[tokio::test]
async fn bulk_bugs_replies_in_fragments_that_arrive_are_read_whole() {
    let rows = (1..=60).map(|row| (root().join(&[1, row]), Value::OctetString(vec![b'x'; 1_000].into())));
    let table = Table::of(rows);
    let agent = hostile(move |request| answer_from(&table, ALL, 60_000, request));
    let limits = WalkLimits { answer_bytes: 60_000, ..WalkLimits::default() };
    let walk = engine().walk(&target(agent.address), &root(), &limits).await.unwrap();
    assert_eq!((walk.rows.len(), walk.quirks), (60, vec![]));
}

#[tokio::test]
async fn walk_safety_rows_of_other_subtrees_in_the_middle_are_left_out() {
    let table = Table::grid(1, 40);
    let agent = hostile(move |request| {
        let good = answer_from(&table, ALL, 1_472, request)?;
        let mut items = decode(&good).1.varbinds;
        let stray = [oid("1.3.6.1.2.1.1.5.0"), oid("1.3.6.1.6.3.1")].map(|oid| VarBind::new(oid, Value::Integer(666)));
        let at = items.len() / 2;
        items.splice(at..at, stray);
        Some(response(request, 0, 0, items))
    });
    let walk = engine().walk(&target(agent.address), &root(), &limits()).await.unwrap();
    assert!(walk.rows.iter().all(|row| row.oid.starts_with(&root()) && row.value != Value::Integer(666)));
    assert!(!walk.rows.is_empty());
}

/// A network in which every third address is honest and the others lie.
async fn sweep_over_liars(range: &str) -> (Vec<Found>, u64, Duration) {
    let bind = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let responder = Responder::bind(ResponderConfig { bind, loopback_only: true }).unwrap();
    let port = responder.local_addr().port();
    let system = Table::of([
        (Oid::of("1.3.6.1.2.1.1.1.0"), Value::text("Virtual printer")),
        (Oid::of("1.3.6.1.2.1.1.2.0"), Value::ObjectId(Oid::of("1.3.6.1.4.1.367.1.1"))),
    ]);
    let (mut liar, _) = Liar::new(3_000, 1_000_000);
    let task = tokio::spawn(async move {
        responder
            .serve(move |datagram, out| {
                let IpAddr::V4(to) = datagram.to.ip() else { return false };
                let honest = is_honest(to);
                let plain = matches!(MessageRef::parse(datagram.bytes, Tail::Whole), Ok(MessageRef::Community(_)));
                let bytes = match (honest, plain) {
                    (true, true) => answer_from(&system, ALL, 1_472, datagram.bytes),
                    (true, false) => None,
                    (false, true) => liar.reply(datagram.bytes),
                    (false, false) => Some(liar.dice.bytes(60)),
                };
                out.extend(bytes.iter().flatten());
                bytes.is_some()
            })
            .await
            .unwrap();
    });
    let config = SweepConfig {
        port,
        securities: ["public", "other"].map(|name| Arc::new(Security::v2c(name))).to_vec(),
        rate_pps: 20_000,
        timeout: Duration::from_millis(200),
        ..SweepConfig::new(vec![range.parse().unwrap()])
    };
    let (sender, mut receiver) = mpsc::channel::<Found>(16);
    let collect = tokio::spawn(async move {
        let mut all = Vec::new();
        while let Some(found) = receiver.recv().await {
            all.push(found);
        }
        all
    });
    let started = Instant::now();
    let summary = tokio::time::timeout(Duration::from_secs(240), sweep(config, sender)).await;
    let summary = summary.expect("a sweep that does not end").unwrap();
    task.abort();
    (collect.await.unwrap(), summary.packets_sent, started.elapsed())
}

fn is_honest(address: Ipv4Addr) -> bool {
    address.octets()[3] % 3 == 1
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_over_liars_finds_every_honest_device_once() {
    let (found, packets, took) = sweep_over_liars("127.86.0.0/24").await;
    let mut honest: Vec<_> = found.iter().filter(|found| is_v4_honest(found.address.ip())).collect();
    honest.sort_by_key(|found| found.address);
    honest.dedup_by_key(|found| found.address);
    let expected = (0..=255).filter(|last| is_honest(Ipv4Addr::new(127, 86, 0, *last))).count();
    let all: BTreeSet<_> = found.iter().map(|found| found.address).collect();
    assert_eq!(all.len(), found.len(), "an address is reported once");
    assert_eq!(honest.len(), expected);
    for device in honest {
        assert_eq!(device.sys_descr.as_deref(), Some(&b"Virtual printer"[..]), "{}", device.address);
    }
    println!("{} reported of 256, {packets} packets, {took:?}", found.len());
    assert!(packets < 256 * 20, "{packets} packets");
}

fn is_v4_honest(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(address) if is_honest(address))
}
