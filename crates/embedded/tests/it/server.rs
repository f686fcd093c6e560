//! A small server of the device protocol, a device with keys, and a clock that the test turns.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use embedded::{Answer, Call, Config, Crypto, Fetch, Mail, MemoryFlash, Moment, Monitor, Sealing, Task, Wish};
use mail::message::{Letter, Stamp, read};
use wire::command::{Acks, Command, Order, What};
use wire::hello::{GatewayKey, Hello, HelloReply, MailPair, PollReply, Road};
use wire::monitor::{CounterSet, Dictionary, Kind};
use wire::schedule::{Schedule, Slot};
use wire::sealed::{
    self, Addresses, Algorithm, AwsLc, Claims, Content, GATEWAY, Header, Limits, Opener, P256Secret, POINT, Recipient,
    Signer, Suite,
};
use wire::{Activation, Body, Message, MessageResult, Outcome, Reply, Report, Subject, cbor};

pub const START_MS: i64 = 1_790_000_000_000;
pub const SENDER: Subject = Subject([5; 16]);

#[derive(Clone)]
pub struct Keys {
    pair: Rc<Ed25519KeyPair>,
    random: Rc<Cell<u32>>,
    seal: Rc<P256Secret>,
}

impl Keys {
    pub fn new() -> Self {
        let seal = Rc::new(P256Secret::of(&[21; 32]).unwrap());
        Self { pair: Rc::new(Ed25519KeyPair::generate().unwrap()), random: Rc::new(Cell::new(0)), seal }
    }
}

impl Sealing for Keys {
    fn suite(&self) -> &dyn Suite {
        &AwsLc
    }
    fn seal_key(&self) -> [u8; POINT] {
        self.seal.public().unwrap()
    }
    fn agree(&self, peer: &[u8; POINT]) -> Option<[u8; 32]> {
        self.seal.agree(peer)
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
    fn sealing(&self) -> Option<&dyn Sealing> {
        Some(self)
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
        mail_server: None,
        mailbox_server: None,
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

/// The registered pair of the device.
pub const DEVICE_ADDRESS: &str = "d1@mail.example.com";
pub const SERVER_ADDRESS: &str = "reports@mail.example.com";

fn pair() -> MailPair {
    MailPair {
        device: DEVICE_ADDRESS.to_owned(),
        server: SERVER_ADDRESS.to_owned(),
        secret: Some("open sesame".to_owned()),
        smtp: Some("smtp://mail.example.com:25".to_owned()),
        pop3: Some("pop3s://mail.example.com:995".to_owned()),
    }
}

pub struct Server {
    pub key: Ed25519KeyPair,
    /// Opens mail.
    seal: P256Secret,
    device_key: Vec<u8>,
    device_seal: Option<[u8; POINT]>,
    /// Every mail that was sent, and what waits for the device.
    pub mails: Vec<Mail>,
    pub maildrop: Vec<Vec<u8>>,
    pub fetches: u32,
    pub hellos: u32,
    /// Communication tests that came by mail, each with its epoch.
    pub tests: Vec<(Hello, u64)>,
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
            seal: P256Secret::of(&[22; 32]).unwrap(),
            device_key: Vec::new(),
            device_seal: None,
            mails: Vec::new(),
            maildrop: Vec::new(),
            fetches: 0,
            hellos: 0,
            tests: Vec::new(),
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
                let keys = vec![self.public()];
                self.device_key = hello.key;
                self.device_seal = hello.seal.map(|key| key.try_into().unwrap());
                let mail = hello.road.is_mail().then(pair);
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
                        mail,
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
                        keys: Vec::new(),
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

    /// What an installer carries to the device, made at this moment of the server's clock.
    pub fn document(&self, server_ms: i64, road: Road, epoch_floor: u64) -> Activation {
        Activation {
            version: 1,
            vendor: "canon".to_owned(),
            serial: "qma00123".to_owned(),
            road,
            claim: format!("plc_{server_ms}"),
            server_ms,
            sender: SENDER,
            epoch_floor,
            schedule: self.schedule.clone(),
            keys: vec![self.public()],
            mail: pair(),
        }
    }

    fn public(&self) -> GatewayKey {
        let (verify, seal) = (self.key.public_key().as_ref().to_vec(), self.seal.public().unwrap().to_vec());
        GatewayKey { id: 1, verify, seal }
    }

    /// A mail's document, with every check that the server's door makes.
    pub fn open(&self, mail: &Mail, now_ms: i64) -> (Content, Vec<u8>) {
        let (claims, document) = self.open_whole(mail, now_ms);
        (claims.content, document)
    }

    fn open_whole(&self, mail: &Mail, now_ms: i64) -> (Claims, Vec<u8>) {
        let received = read(&mail.message).unwrap();
        assert_eq!((received.from.as_str(), received.to.as_str()), (DEVICE_ADDRESS, SERVER_ADDRESS));
        assert_eq!((mail.from.as_str(), mail.to.as_str()), (DEVICE_ADDRESS, SERVER_ADDRESS));
        let header: Header = received.stamp.to_string().parse().unwrap();
        let verify = |_, kid: &[u8], message: &[u8], signature: &[u8]| {
            // A test names its key by itself.
            let key: &[u8] = if header.kind == Content::HELLO { kid } else { &self.device_key };
            let named = header.kind == Content::HELLO || kid == SENDER.0;
            named && UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
        };
        let unseal = |_: &[u8], peer: &[u8; POINT]| self.seal.agree(peer);
        let opener = Opener { unseal: &unseal, verify: &verify, now_ms, limits: Limits::default() };
        let addresses = Addresses { from: DEVICE_ADDRESS, to: SERVER_ADDRESS };
        sealed::open(&AwsLc, &received.sealed, &addresses, &header, &opener).unwrap()
    }

    /// Takes a mail as the server's door does.
    pub fn deliver(&mut self, mail: &Mail, now_ms: i64) {
        assert_eq!(mail.server, "smtp://mail.example.com:25");
        self.mails.push(mail.clone());
        let (claims, document) = self.open_whole(mail, now_ms);
        match claims.content {
            Content::Hello => {
                let hello: Hello = cbor::decode(&document).unwrap();
                self.device_key.clone_from(&hello.key);
                self.device_seal = hello.seal.clone().map(|key| key.try_into().unwrap());
                self.tests.push((hello, claims.epoch));
            }
            Content::Report => {
                let report: Report = cbor::decode(&document).unwrap();
                report.messages.iter().for_each(|message| drop(self.store(report.epoch, message)));
            }
            _ => self.acks.extend(cbor::decode::<Acks>(&document).unwrap().acks),
        }
    }

    /// Puts the waiting orders into the mailbox, one mail each, good for so long.
    pub fn post_orders(&mut self, now_ms: i64, life_ms: i64) {
        for (number, command) in std::mem::take(&mut self.orders).into_iter().enumerate() {
            let poll = PollReply { server_ms: now_ms, commands: vec![command], schedule: None };
            let letter = self.letter(SENDER, (SERVER_ADDRESS, DEVICE_ADDRESS), number as u64, now_ms, life_ms, &poll);
            self.maildrop.push(letter);
        }
    }

    /// A mail with orders.
    pub fn letter(
        &self,
        device: Subject,
        (from, to): (&str, &str),
        seq: u64,
        issued_ms: i64,
        life_ms: i64,
        poll: &PollReply,
    ) -> Vec<u8> {
        let expires_ms = issued_ms + life_ms;
        let content = Content::Orders;
        let claims = Claims { sender: GATEWAY, epoch: 0, seq, kind: 97, issued_ms, expires_ms, content };
        let header = Header::of(device, &claims);
        let sign = |message: &[u8]| self.key.sign(message).as_ref().try_into().ok();
        let signer = Signer { algorithm: Algorithm::EdDsa, kid: &1_u32.to_be_bytes(), sign: &sign };
        let recipient = Recipient { kid: &device.0, key: self.device_seal.as_ref().unwrap() };
        let addresses = Addresses { from, to };
        let sealed =
            sealed::seal(&AwsLc, &claims, &cbor::encode(poll), &addresses, &header, &recipient, &signer).unwrap();
        let stamp: Stamp = header.to_string().parse().unwrap();
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        Letter { from: &from, to: &to, stamp: &stamp, sent: issued_ms / 1_000, sealed: &sealed }.write()
    }

    fn look_into(&mut self, fetch: &Fetch) -> Vec<Vec<u8>> {
        assert_eq!((fetch.server.as_str(), fetch.user.as_str()), ("pop3s://mail.example.com:995", DEVICE_ADDRESS));
        assert_eq!(fetch.secret, "open sesame");
        self.fetches += 1;
        self.maildrop.clone()
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
    pub road: Road,
}

impl Device {
    pub fn new() -> Self {
        Self::on(Road::Https)
    }

    /// A device that is set to a road.
    pub fn on(road: Road) -> Self {
        let mut device = Self {
            monitor: None,
            flash: SharedFlash::default(),
            keys: Keys::new(),
            at_ms: START_MS,
            started_ms: START_MS,
            wall_error_ms: 0,
            road,
        };
        device.power_on();
        device
    }

    /// Power off and on again.
    pub fn power_on(&mut self) {
        self.monitor = None;
        self.started_ms = self.at_ms;
        let config = Config { road: self.road, ..config() };
        self.monitor = Some(Monitor::open(config, self.flash.clone(), self.keys.clone(), self.now()).unwrap());
    }

    pub fn now(&self) -> Moment {
        Moment { wall_ms: self.at_ms + self.wall_error_ms, mono_ms: (self.at_ms - self.started_ms) as u64 }
    }

    /// An installer gives the device a document.
    pub fn activate(&mut self, document: &Activation) -> Result<Vec<Wish>, embedded::ActivationError> {
        let now = self.now();
        self.monitor.as_mut().unwrap().activate(now, document)
    }

    pub fn tell(&mut self, body: Body) {
        let now = self.now();
        self.monitor.as_mut().unwrap().tell(now, body).unwrap();
    }

    /// Lets time pass in steps of a second; `line` decides about each call. Returns the wishes.
    pub fn run(&mut self, server: &mut Server, seconds: i64, mut line: impl FnMut(&Call) -> Line) -> Vec<Wish> {
        self.run_by_mail(server, seconds, &mut line, |_| Line::Good)
    }

    /// The same, with `post` deciding about each mail that is sent.
    pub fn run_by_mail(
        &mut self,
        server: &mut Server,
        seconds: i64,
        mut line: impl FnMut(&Call) -> Line,
        mut post: impl FnMut(&Mail) -> Line,
    ) -> Vec<Wish> {
        let mut wishes = Vec::new();
        for _ in 0..seconds {
            self.at_ms += 1_000;
            let now = self.now();
            let monitor = self.monitor.as_mut().unwrap();
            wishes.extend(monitor.due(now));
            while let Some(task) = monitor.next(now).unwrap() {
                let call = match task {
                    Task::Call(call) => call,
                    Task::Mail(mail) => {
                        let fate = post(&mail);
                        if fate != Line::Cut {
                            server.deliver(&mail, self.at_ms);
                        }
                        let outcome = if fate == Line::Good { Ok(()) } else { Err(embedded::Trouble) };
                        monitor.sent(now, &mail, outcome).unwrap();
                        continue;
                    }
                    Task::Fetch(fetch) => {
                        let mails = server.look_into(&fetch);
                        let fetched = monitor.fetched(now, Ok(&mails)).unwrap();
                        wishes.extend(fetched.wishes);
                        for place in fetched.done.into_iter().rev() {
                            server.maildrop.remove(place);
                        }
                        continue;
                    }
                };
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
