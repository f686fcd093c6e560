//! The fleet, the server and what lies between them, all on one simulated clock.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use platen_core::devices::{self, DeviceQuery, DeviceRow};
use platen_core::testing::TestPlatform;
use platen_core::{Ctx, PageQuery, agents, meters, reports};
use snmp::{Engine, EngineConfig};
use vmfp::{Devices, Fleet, FleetConfig, TrueState, V3User};
use wire::enrol::EnrolRequest;
use wire::report::{CountersBody, MAX_MESSAGES, SeenBody, StatusBody};
use wire::{Body, Message, Meter, Outcome, Report, Subject};

use super::ledger::{Ledger, MARKERS};
use super::mischief::BASE;
use super::reader::{self, Place, Seen};
use super::{Plan, incidents};

pub(super) struct Site {
    pub(super) fleet: Fleet,
    pub(super) ledger: Ledger,
    test: TestPlatform,
    root: Ctx,
    agent: Subject,
    engine: Engine,
    places: Vec<(SocketAddr, Place)>,
    seq: u64,
    /// Messages that the server has not yet.
    outbox: Vec<Message>,
    delivered: u64,
    twice: u64,
    looks: u64,
    silent: u64,
}

impl Site {
    pub(super) async fn start(plan: &Plan) -> Self {
        let devices = Devices::Fleet { count: plan.devices, base: BASE };
        let v3_users = vec!["ops:sha256:auth-secret:aes128:priv-secret".parse::<V3User>().unwrap().0];
        let config = FleetConfig { devices, v3_users, seed: plan.seed, speed: 0.0, ..FleetConfig::default() };
        let fleet = vmfp::start(config).await.unwrap();
        let test = TestPlatform::sqlite().await;
        let root = test.root().await;
        let invitation = agents::invite(&root, root.home).await.unwrap();
        let token = invitation.secret.expose().to_owned();
        let request = EnrolRequest { token, public_key: vec![7; 32], name: "chaos".into(), version: "1".into() };
        let agent = agents::enrol(&test.platform, &request).await.unwrap().agent;
        let at = |info: &vmfp::DeviceInfo| (SocketAddr::from((info.address, fleet.snmp_port())), Place::default());
        let places = fleet.devices().iter().map(at).collect();
        Self {
            ledger: Ledger::default(),
            engine: Engine::start(EngineConfig::default()).unwrap(),
            fleet,
            test,
            root,
            agent,
            places,
            seq: 0,
            outbox: Vec::new(),
            delivered: 0,
            twice: 0,
            looks: 0,
            silent: 0,
        }
    }

    pub(super) fn told(&self) -> String {
        let Self { looks, silent, delivered, twice, .. } = self;
        format!("{looks} looks ({silent} in vain), {delivered} messages, {twice} of them sent twice")
    }

    /// Time passes for devices and server alike.
    pub(super) fn pass(&self, time: Duration) {
        self.fleet.skip(time);
        self.test.clock.advance(time);
    }

    /// Time passes for the server alone: devices stand still.
    pub(super) fn wait(&self, time: Duration) {
        self.test.clock.advance(time);
    }

    /// One look at every device; what came of it reaches the server when the line is up.
    pub(super) async fn round(&mut self, round: u64, settled: u64, line_is_up: bool) {
        let seen = reader::look(&self.engine, &mut self.places, round, settled).await;
        let (mut answered, mut unreachable) = (Vec::new(), Vec::new());
        let mut drafts = Vec::new();
        for (number, seen) in seen.into_iter().enumerate() {
            self.looks += 1;
            let (address, place) = &self.places[number];
            let IpAddr::V4(address) = address.ip() else { continue };
            let Ok(truth) = self.fleet.truth(address) else { continue };
            if truth.state != TrueState::Off {
                self.ledger.look(&truth);
            }
            let named = |serial: &str| reader::subject(Some(&truth.vendor), serial);
            let here = place.serial.as_deref().map(named);
            match seen {
                Seen::Silent => {
                    self.silent += 1;
                    unreachable.extend(here);
                }
                Seen::Same => answered.extend(here),
                Seen::Status(body) => {
                    self.ledger.condition(&truth, &body);
                    drafts.push((named(&truth.serial), *body, None));
                }
                Seen::Full(body, meters) => {
                    self.ledger.condition(&truth, &body);
                    self.ledger.read(&truth, &meters);
                    drafts.push((named(&truth.serial), *body, Some(meters)));
                }
            }
        }
        // Who moved is heard at the new address.
        let heard: BTreeSet<Subject> = answered.iter().copied().chain(drafts.iter().map(|draft| draft.0)).collect();
        unreachable.retain(|subject| !heard.contains(subject));
        drafts.into_iter().for_each(|(subject, body, meters)| self.draft(subject, body, meters));
        self.put(None, Body::Seen(SeenBody { answered, unreachable }));
        if line_is_up {
            self.deliver(round).await;
        }
    }

    fn draft(&mut self, subject: Subject, body: StatusBody, meters: Option<Vec<Meter>>) {
        self.put(Some(subject), Body::Status(Box::new(body)));
        if let Some(meters) = meters {
            self.put(Some(subject), Body::Counters(CountersBody { meters }));
        }
    }

    fn put(&mut self, subject: Option<Subject>, body: Body) {
        self.seq += 1;
        let taken_ms = self.test.platform.now().as_millis();
        self.outbox.push(Message { seq: self.seq, taken_ms, subject, body });
    }

    async fn deliver(&mut self, round: u64) {
        let waiting = std::mem::take(&mut self.outbox);
        for (number, messages) in waiting.chunks(MAX_MESSAGES).enumerate() {
            let results = self.send(messages).await;
            let taken = |outcome: &&Outcome| matches!(outcome, Outcome::Stored | Outcome::Duplicate);
            assert_eq!(results.iter().filter(taken).count(), messages.len(), "{results:?}");
            self.delivered += messages.len() as u64;
            if (round + number as u64) % 7 == 3 {
                // The answer was lost on its way: it is sent again.
                let again = self.send(messages).await;
                assert!(again.iter().all(|outcome| *outcome == Outcome::Duplicate), "{again:?}");
                self.twice += messages.len() as u64;
            }
        }
    }

    async fn send(&self, messages: &[Message]) -> Vec<Outcome> {
        let (_, ctx) = agents::key_of(&self.test.platform, self.agent).await.unwrap().unwrap();
        let clock_ms = ctx.now.as_millis();
        let (sender, messages) = (self.agent, messages.to_vec());
        let report = Report { version: 1, sender, epoch: 1, clock_ms, mono_ms: 0, messages, plan_revision: 1 };
        let reply = reports::accept(&ctx, report).await.unwrap();
        reply.results.into_iter().map(|result| result.outcome).collect()
    }

    /// What the server holds that is not so.
    pub(super) async fn judge(&self) -> Vec<String> {
        let ctx = self.test.again(&self.root).await;
        let (mut faults, mut met) = (Vec::new(), BTreeMap::new());
        for row in all_devices(&ctx).await {
            let Some(serial) = row.serial.clone() else {
                faults.push(format!(
                    "a device without serial number: {} at {:?}",
                    row.model.unwrap_or_default(),
                    row.address
                ));
                continue;
            };
            if let Some(other) = met.insert(serial.clone(), row.id) {
                faults.push(format!("{serial} is two devices: {other} and {}", row.id));
            }
        }
        let last = self.ledger.units.values().map(|unit| unit.at_ms).max().unwrap_or(0);
        for (serial, unit) in self.ledger.units.iter().filter(|(_, unit)| unit.readings > 0) {
            let Some(id) = met.remove(serial) else {
                faults.push(format!("{serial} was read {} times and is no device", unit.readings));
                continue;
            };
            let now = meters::current(&ctx, id).await.unwrap();
            let billed: i64 =
                now.iter().filter(|meter| meter.source.starts_with(MARKERS)).map(|meter| meter.month).sum();
            let (least, most) = (unit.least as i64, (unit.least + unit.blind) as i64);
            if !(least..=most).contains(&billed) {
                let meters = now.iter().filter(|meter| meter.source.starts_with(MARKERS));
                let meters: Vec<String> = meters
                    .map(|m| format!("{} {} {}: {} to {}", m.title(), m.source, m.quality, m.month, m.value))
                    .collect();
                let segments: Vec<String> =
                    meters::segments(&ctx, id).await.unwrap().iter().map(|s| s.reason.clone()).collect();
                faults.push(format!(
                    "{serial} is billed {billed} pages, not {least} to {most} ({} readings; {meters:?}; {segments:?}; {:?})",
                    unit.readings, unit.log
                ));
            }
            faults.extend(incidents::judge(&ctx, id, serial, unit, unit.at_ms == last).await);
        }
        let unknown = met.keys().filter(|serial| !self.ledger.units.contains_key(*serial));
        faults.extend(unknown.map(|serial| format!("{serial} does not exist")));
        faults
    }
}

async fn all_devices(ctx: &Ctx) -> Vec<DeviceRow> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = PageQuery { after, limit: Some(200), ..PageQuery::default() };
        let page = devices::list(ctx, &DeviceQuery { page, ..DeviceQuery::default() }).await.unwrap();
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}
