//! A small server of the device protocol, a device with keys, and a clock that the test turns.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use embedded::{Answer, Call, Config, Crypto, MemoryFlash, Moment, Monitor, Wish};
use wire::command::{Acks, Command, Order, What};
use wire::hello::{GatewayKey, Hello, HelloReply, PollReply, Road};
use wire::monitor::{CounterSet, Dictionary, Kind};
use wire::schedule::{Schedule, Slot};
use wire::{Body, Message, MessageResult, Outcome, Reply, Report, Subject, cbor};

pub const START_MS: i64 = 1_790_000_000_000;
pub const SENDER: Subject = Subject([5; 16]);

#[derive(Clone)]
pub struct Keys {
    pair: Rc<Ed25519KeyPair>,
    random: Rc<Cell<u32>>,
}

impl Keys {
    pub fn new() -> Self {
        Self { pair: Rc::new(Ed25519KeyPair::generate().unwrap()), random: Rc::new(Cell::new(0)) }
    }
}

impl Crypto for Keys {
    fn public_key(&self) -> [u8; 32] {
        self.pair.public_key().as_ref().try_into().unwrap()
    }
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair.sign(message).as_ref().try_into().unwrap()
    }
    fn verify(&self, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
    }
    fn sha256(&self, bytes: &[u8]) -> [u8; 32] {
        digest(&SHA256, bytes).as_ref().try_into().unwrap()
    }
    fn random(&self) -> u32 {
        self.random.set(self.random.get().wrapping_add(7_919));
        self.random.get()
    }
}

pub fn config() -> Config {
    Config {
        server: "https://gateway.example.com:8443".to_owned(),
        domain: "example.com".to_owned(),
        vendor: "canon".to_owned(),
        serial: "QMA00123".to_owned(),
        model: "iR-ADV C5850".to_owned(),
        firmware: "12.04".to_owned(),
        claim: Some("plc_x".to_owned()),
        road: Road::Https,
        mac: None,
        listener: None,
        dictionaries: vec![dictionary()],
    }
}

pub fn dictionary() -> Dictionary {
    Dictionary { model: "iR-ADV C5850".to_owned(), names: [(1, "total/all/all/all/impressions".to_owned())].into() }
}

/// A set of counters by the ids of [`dictionary`].
pub fn set(base_seq: Option<u64>, value: i64) -> CounterSet {
    let digest = digest(&SHA256, &cbor::encode(&dictionary()));
    let dictionary = u64::from_be_bytes(digest.as_ref()[..8].try_into().unwrap());
    CounterSet { base_seq, values: [(1, value)].into(), dictionary }
}

/// What happened to a call on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Line {
    Good,
    /// The request is lost.
    Cut,
    /// The server works; its answer is lost.
    AnswerLost,
}

pub struct Server {
    key: Ed25519KeyPair,
    pub hellos: u32,
    pub stored: BTreeMap<(u64, u64), Message>,
    pub effects: u64,
    pub orders: Vec<Command>,
    pub acks: Vec<wire::command::Ack>,
    pub schedule: Schedule,
    /// Knows what ids mean only when it was told, and has no base of any change.
    pub strict: bool,
    /// Every body that was sent.
    pub heard: Vec<(String, Vec<u8>)>,
}

impl Server {
    pub fn new() -> Self {
        let slots =
            [Kind::Billing, Kind::Environment, Kind::Inquiry].map(|kind| Slot::of(SENDER, kind, 1, 3_600, 3_600));
        Self {
            key: Ed25519KeyPair::generate().unwrap(),
            hellos: 0,
            stored: BTreeMap::new(),
            effects: 0,
            orders: Vec::new(),
            acks: Vec::new(),
            schedule: Schedule { revision: 1, slots: slots.to_vec() },
            strict: false,
            heard: Vec::new(),
        }
    }

    pub fn order(&mut self, id: u8, target: Subject, life_ms: i64, what: What) {
        let (issued_ms, id) = (START_MS, Subject([id; 16]));
        let order = Order { id, target, issued_ms, expires_ms: START_MS + life_ms, subject: None, what };
        let order = cbor::encode(&order);
        let signature = self.key.sign(&Command::signing_input(&order)).as_ref().to_vec();
        self.orders.push(Command { order, key: 1, signature });
    }

    pub fn handle(&mut self, call: &Call, now_ms: i64) -> Answer {
        self.heard.push((call.path.clone(), call.body.clone()));
        let server_ms = now_ms;
        let (status, body) = match call.path.split('?').next().unwrap() {
            "/d/v1/hello" => {
                let hello: Hello = cbor::decode(&call.body).unwrap();
                assert_eq!(hello.serial, "QMA00123");
                self.hellos += 1;
                let verify = self.key.public_key().as_ref().to_vec();
                let keys = vec![GatewayKey { id: 1, verify, seal: Vec::new() }];
                let (schedule, epoch_floor) = (self.schedule.clone(), u64::from(self.hellos));
                (
                    200,
                    cbor::encode(&HelloReply {
                        version: 1,
                        server_ms,
                        sender: SENDER,
                        epoch_floor,
                        schedule,
                        keys,
                        mail: None,
                    }),
                )
            }
            "/d/v1/report" => {
                let report: Report = cbor::decode(&call.body).unwrap();
                let results = report.messages.iter().map(|message| self.store(report.epoch, message)).collect();
                let (commands, not_before_ms) = (self.orders.clone(), None);
                let newer = self.schedule.revision > report.plan_revision;
                let schedule = newer.then(|| self.schedule.clone());
                (
                    200,
                    cbor::encode(&Reply {
                        version: 1,
                        server_ms,
                        results,
                        commands,
                        schedule,
                        not_before_ms,
                        plan: None,
                    }),
                )
            }
            "/d/v1/poll" if self.orders.is_empty() => (304, Vec::new()),
            "/d/v1/poll" => {
                (200, cbor::encode(&PollReply { server_ms, commands: self.orders.clone(), schedule: None }))
            }
            "/d/v1/ack" => {
                for ack in cbor::decode::<Acks>(&call.body).unwrap().acks {
                    self.orders.retain(|command| cbor::decode::<Order>(&command.order).unwrap().id != ack.id);
                    self.acks.push(ack);
                }
                (204, Vec::new())
            }
            other => panic!("{other}"),
        };
        Answer { status, retry_after_s: None, server_ms: Some(server_ms), body }
    }

    fn store(&mut self, epoch: u64, message: &Message) -> MessageResult {
        let taught = self.stored.values().any(|message| matches!(message.body, Body::Dictionary(_)));
        if let (true, Body::Billing(set)) = (self.strict, &message.body)
            && (!taught || set.base_seq.is_some())
        {
            let (subject, seq, outcome) = (message.subject, message.seq, Outcome::NeedFull);
            return MessageResult { subject, epoch, seq, outcome, detail: None };
        }
        let fresh = self.stored.insert((epoch, message.seq), message.clone()).is_none();
        self.effects += u64::from(fresh);
        let outcome = if fresh { Outcome::Stored } else { Outcome::Duplicate };
        MessageResult { subject: message.subject, epoch, seq: message.seq, outcome, detail: None }
    }
}

/// A device whose flash, keys and clock outlive its power.
pub struct Device {
    pub monitor: Option<Monitor<SharedFlash, Keys>>,
    pub flash: SharedFlash,
    keys: Keys,
    pub at_ms: i64,
    started_ms: i64,
    pub wall_error_ms: i64,
}

impl Device {
    pub fn new() -> Self {
        let mut device = Self {
            monitor: None,
            flash: SharedFlash::default(),
            keys: Keys::new(),
            at_ms: START_MS,
            started_ms: START_MS,
            wall_error_ms: 0,
        };
        device.power_on();
        device
    }

    /// Power off and on again.
    pub fn power_on(&mut self) {
        self.monitor = None;
        self.started_ms = self.at_ms;
        self.monitor = Some(Monitor::open(config(), self.flash.clone(), self.keys.clone(), self.now()).unwrap());
    }

    pub fn now(&self) -> Moment {
        Moment { wall_ms: self.at_ms + self.wall_error_ms, mono_ms: (self.at_ms - self.started_ms) as u64 }
    }

    pub fn tell(&mut self, body: Body) {
        let now = self.now();
        self.monitor.as_mut().unwrap().tell(now, body).unwrap();
    }

    /// Lets time pass in steps of a second; `line` decides about each call. Returns the wishes.
    pub fn run(&mut self, server: &mut Server, seconds: i64, mut line: impl FnMut(&Call) -> Line) -> Vec<Wish> {
        let mut wishes = Vec::new();
        for _ in 0..seconds {
            self.at_ms += 1_000;
            let now = self.now();
            let monitor = self.monitor.as_mut().unwrap();
            wishes.extend(monitor.due(now));
            while let Some(call) = monitor.next(now).unwrap() {
                let answer = match line(&call) {
                    Line::Cut => Err(embedded::Trouble),
                    Line::Good => Ok(server.handle(&call, self.at_ms)),
                    Line::AnswerLost => {
                        server.handle(&call, self.at_ms);
                        Err(embedded::Trouble)
                    }
                };
                wishes.extend(monitor.answer(now, &call, answer.as_ref().map_err(|trouble| *trouble)).unwrap());
            }
        }
        wishes
    }
}

/// Flash that two lives of a device share.
#[derive(Clone, Debug, Default)]
pub struct SharedFlash(pub Rc<std::cell::RefCell<MemoryFlash>>);

impl embedded::Flash for SharedFlash {
    fn get(&self, key: &str) -> std::io::Result<Option<Vec<u8>>> {
        self.0.borrow().get(key)
    }
    fn put(&mut self, key: &str, record: &[u8]) -> std::io::Result<()> {
        self.0.borrow_mut().put(key, record)
    }
    fn delete(&mut self, key: &str) -> std::io::Result<()> {
        self.0.borrow_mut().delete(key)
    }
    fn keys(&self) -> std::io::Result<Vec<String>> {
        self.0.borrow().keys()
    }
}
