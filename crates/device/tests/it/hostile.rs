//! Devices that lie at random while they are read: the visit ends in time, with one clear line or with a reading in
//! which nothing stands that was not said (`bulk_bugs`, `walk_safety`, `partial_replies`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Bound;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use device::{Access, Known, introduce, read, read_meters, read_status, vitals};
use snmp::ber::{Tail, Writer};
use snmp::message::{Body, MessageRef, write_community};
use snmp::pdu::{Pdu, PduKind};
use snmp::responder::{Agent, Mib, Responder, ResponderConfig, answer};
use snmp::{Engine, EngineConfig, Oid, Security, Target, Value, VarBind, WalkLimits};
use tokio::task::JoinSet;
use vmfp::{Devices, FleetConfig, Mood};
use wire::{Level, Reading};

/// Numbers and words that a device has sent.
#[derive(Default)]
struct Said {
    numbers: BTreeSet<i64>,
    words: String,
}

impl Said {
    fn hear(&mut self, value: &Value) {
        if let Some(number) = value.as_i64() {
            self.numbers.insert(number);
        }
        if let Some(bytes) = value.as_bytes() {
            let text = String::from_utf8_lossy(bytes).to_lowercase();
            // Some send numbers as text.
            self.numbers.extend(text.trim().parse::<i64>());
            self.words += &text;
            self.words.push('\n');
        }
    }
}

struct Table(BTreeMap<Oid, Value>);

impl Mib for Table {
    fn get(&self, oid: &Oid) -> Value {
        self.0.get(oid).cloned().unwrap_or(Value::NoSuchInstance)
    }

    fn next(&self, oid: &Oid) -> Option<(Oid, Value)> {
        let (oid, value) = self.0.range((Bound::Excluded(oid), Bound::Unbounded)).next()?;
        Some((oid.clone(), value.clone()))
    }
}

/// A device that lies in one answer of `rarity`.
struct Liar {
    state: u64,
    rarity: usize,
    table: Arc<Table>,
    said: Arc<Mutex<Said>>,
}

impl Liar {
    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as usize % end.max(1)
    }

    fn reply(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let mut good = Vec::new();
        let table = Arc::clone(&self.table);
        answer(request, |_| Some(Agent::new(&*table)), &mut good).ok()?;
        let bytes = if self.below(self.rarity) == 0 { self.lie(request, good)? } else { good };
        if let Some((_, pdu)) = decode(&bytes) {
            let mut said = self.said.lock().unwrap();
            pdu.varbinds.iter().for_each(|item| said.hear(&item.value));
        }
        Some(bytes)
    }

    fn any_row(&mut self) -> VarBind {
        let place = self.below(self.table.0.len());
        let (oid, value) = self.table.0.iter().nth(place).unwrap();
        VarBind::new(oid.clone(), value.clone())
    }

    fn lie(&mut self, request: &[u8], mut good: Vec<u8>) -> Option<Vec<u8>> {
        let (_, mut pdu) = decode(&good)?;
        match self.below(12) {
            0 => return None,
            1 => return Some((0..self.below(300)).map(|_| self.below(256) as u8).collect()),
            2 => {
                good.truncate(self.below(good.len()));
                return Some(good);
            }
            3 => {
                let at = self.below(good.len());
                good[at] ^= 1 << self.below(8);
                return Some(good);
            }
            4 => (pdu.status, pdu.index) = ([1, 2, 5, 99, -1][self.below(5)], self.below(40) as i32),
            5 => pdu.varbinds.reverse(),
            6 => pdu.varbinds.clear(),
            7 => pdu.varbinds.truncate(1),
            8 => {
                let row = self.any_row();
                pdu.varbinds = vec![row; 1 + self.below(40)];
            }
            9 => {
                for item in &mut pdu.varbinds {
                    item.value = self.any_row().value;
                }
            }
            10 => pdu.varbinds.iter_mut().for_each(|item| item.value = Value::NoSuchInstance),
            _ => {
                for item in &mut pdu.varbinds {
                    let odd = [i32::MIN, -100, -3, -2, -1, 0, i32::MAX][self.below(7)];
                    if matches!(item.value, Value::Integer(_) | Value::Counter32(_) | Value::Gauge32(_)) {
                        item.value = Value::Integer(odd);
                    }
                }
            }
        }
        let (version, _) = decode(request)?;
        let mut out = Vec::new();
        write_community(&mut Writer::new(&mut out), version, b"public", |writer| pdu.write(writer));
        Some(out)
    }
}

/// Version and PDU, as far as values can be read.
fn decode(bytes: &[u8]) -> Option<(snmp::Version, Pdu)> {
    let MessageRef::Community(message) = MessageRef::parse(bytes, Tail::MayBeCut).ok()? else { return None };
    let Body::Pdu(pdu) = message.body else { return None };
    let varbinds = pdu.varbinds.map_while(Result::ok).map(|item| item.to_owned()).collect();
    let kind = if pdu.kind == PduKind::Response { pdu.kind } else { PduKind::Get };
    let (request_id, status, index) = (pdu.request_id, pdu.status, pdu.index);
    Some((message.version, Pdu { kind, request_id, status, index, varbinds }))
}

fn engine() -> Engine {
    Engine::start(EngineConfig::default()).unwrap()
}

/// What virtual devices of several vendors say in full.
async fn tables(engine: &Engine, base: [u8; 4], count: u32) -> Vec<Arc<Table>> {
    let devices = Devices::Fleet { count, base: Ipv4Addr::from(base) };
    let config = FleetConfig { devices, speed: 0.0, mood: Mood::Lively, ..FleetConfig::default() };
    let fleet = vmfp::start(config).await.unwrap();
    let mut all = Vec::new();
    for device in fleet.devices() {
        let address = SocketAddr::from((device.address, fleet.snmp_port()));
        let target = Target::new(address, Security::v2c("public"));
        let walk = engine.walk(&target, &Oid::of("1.3"), &WalkLimits::default()).await.unwrap();
        assert!(!walk.incomplete && walk.rows.len() > 50, "{}", device.model);
        all.push(Arc::new(Table(walk.rows.into_iter().map(|row| (row.oid, row.value)).collect())));
    }
    all
}

fn start(mut liar: Liar) -> SocketAddr {
    let bind = SocketAddr::from(([127, 0, 0, 1], 0));
    let responder = Responder::bind(ResponderConfig { bind, loopback_only: false }).unwrap();
    let address = responder.local_addr();
    tokio::spawn(async move {
        let serve = responder.serve(move |datagram, out| {
            let bytes = liar.reply(datagram.bytes);
            out.extend(bytes.iter().flatten());
            bytes.is_some()
        });
        serve.await.unwrap();
    });
    address
}

/// What stands in a reading though it was not said.
fn invented(reading: &Reading, said: &Said) -> Vec<String> {
    let mut wrong = Vec::new();
    let identity = &reading.identity;
    for text in [&identity.serial, &identity.model, &identity.name, &identity.location].into_iter().flatten() {
        let first = text.split_whitespace().next().unwrap_or_default().to_lowercase();
        let number = first.parse().is_ok_and(|number| said.numbers.contains(&number));
        if !number && !said.words.contains(&first) {
            wrong.push(format!("nobody said `{text}`"));
        }
    }
    for meter in &reading.meters {
        if !said.numbers.contains(&(meter.value as i64)) {
            wrong.push(format!("nobody counted {} ({})", meter.value, meter.source));
        }
    }
    for supply in &reading.supplies {
        let numbers = [supply.raw.level, supply.raw.max];
        if let Some(number) = numbers.into_iter().flatten().find(|number| !said.numbers.contains(number)) {
            wrong.push(format!("nobody said {number} of {supply:?}"));
        }
        match supply.level {
            Level::Percent { value } if !(0.0..=100.0).contains(&value) => wrong.push(format!("{supply:?}")),
            Level::Percent { .. } if supply.raw.level.is_none_or(|level| level < 0) => {
                wrong.push(format!("a sentinel became a number: {supply:?}"));
            }
            _ => {}
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn walk_safety_and_bulk_bugs_of_liars_never_reach_a_reading() {
    let engine = engine();
    let tables = tables(&engine, [127, 31, 40, 1], 12).await;
    let limit = Duration::from_secs(8);
    let mut visits = JoinSet::new();
    for seed in 0..96_u64 {
        let (engine, table) = (engine.clone(), Arc::clone(&tables[seed as usize % tables.len()]));
        let rarity = [1, 2, 4, 20][seed as usize / tables.len() % 4];
        visits.spawn(async move {
            let said = Arc::new(Mutex::new(Said::default()));
            let address = start(Liar { state: seed, rarity, table, said: Arc::clone(&said) });
            let access = Access { timeout: limit, ..Access::new(address) };
            let started = Instant::now();
            let outcome = read(&engine, &access).await;
            (seed, outcome, started.elapsed(), said)
        });
    }
    let (mut read_well, mut refused, mut slowest, mut wrong) = (0, 0, Duration::ZERO, Vec::new());
    while let Some(visit) = visits.join_next().await {
        let (seed, outcome, took, said) = visit.unwrap();
        slowest = slowest.max(took);
        match outcome {
            Ok(done) => {
                read_well += 1;
                let said = said.lock().unwrap();
                wrong.extend(invented(&done.reading, &said).into_iter().map(|what| format!("seed {seed}: {what}")));
            }
            Err(error) => {
                refused += 1;
                let line = error.to_string();
                assert!(line.contains("127.0.0.1") && !line.contains('\n') && !line.contains("public"), "{line}");
            }
        }
    }
    println!("{read_well} readings, {refused} refusals, the slowest visit {slowest:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // What is not bounded by its limit takes for ever; what a stall adds does not.
    assert!(slowest < limit + Duration::from_secs(60), "{slowest:?}");
    assert!(read_well > 30, "{read_well}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polls_of_liars_end_in_time_and_say_nothing_that_was_not_said() {
    let engine = engine();
    let tables = tables(&engine, [127, 31, 41, 1], 8).await;
    let mut visits = JoinSet::new();
    for seed in 0..48_u64 {
        let (engine, table) = (engine.clone(), Arc::clone(&tables[seed as usize % tables.len()]));
        visits.spawn(async move {
            let said = Arc::new(Mutex::new(Said::default()));
            let address = start(Liar { state: 1_000 + seed, rarity: 3, table, said: Arc::clone(&said) });
            let access = Access { timeout: Duration::from_secs(2), ..Access::new(address) };
            let known = Known::default();
            let _ = introduce(&engine, &access, &known).await;
            let _ = vitals(&engine, &access, &known).await;
            let _ = read_status(&engine, &access, &known).await;
            (seed, read_meters(&engine, &access, &known).await, said)
        });
    }
    let all = tokio::time::timeout(Duration::from_secs(240), visits.join_all()).await.expect("polls that do not end");
    for (seed, meters, said) in all {
        let said = said.lock().unwrap();
        for meter in meters.into_iter().flatten() {
            assert!(said.numbers.contains(&(meter.value as i64)), "seed {seed}: {meter:?}");
        }
    }
}
