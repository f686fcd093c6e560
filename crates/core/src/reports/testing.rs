//! A site for tests: an organisation with an agent that says what it is told to, on each engine.

use std::time::Duration;

use wire::enrol::EnrolRequest;
use wire::hello::{Hello, Road};
use wire::monitor::Kind as Told;
use wire::report::{CountersBody, SeenBody, StatusBody};
use wire::{
    Body, Class, ColorMode, Function, Identity, Level, Message, Meter, Outcome, PaperSize, RawLevel, Reply, Report,
    Sides, SnmpVersion, State, Status, Subject, Supply, Unit,
};

use crate::monitors::{self, NewMonitor};
use crate::testing::TestPlatform;
use crate::{Ctx, OrgId, Result, agents};

/// A quiet device with this serial.
pub(crate) fn status(serial: &str, change: impl FnOnce(&mut StatusBody)) -> StatusBody {
    let mut body = StatusBody {
        address: "10.4.0.21".into(),
        port: 161,
        snmp: SnmpVersion::V2c,
        identity: Identity {
            vendor: Some("ricoh".into()),
            model: Some("IM C3000".into()),
            serial: Some(serial.into()),
            name: Some(format!("printer {serial}")),
            location: Some("Main building".into()),
            ..Identity::default()
        },
        status: Status { state: State::Idle, reasons: Vec::new(), console: None },
        supplies: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        covers: Vec::new(),
        alerts: Vec::new(),
        quirks: Vec::new(),
    };
    change(&mut body);
    body
}

/// A toner of this colour and level.
pub(crate) fn toner(index: u32, color: &str, level: Level) -> Supply {
    Supply {
        index: format!("1.{index}"),
        description: Some(format!("{color} toner")),
        kind: "toner".into(),
        color: Some(color.into()),
        class: Class::Consumed,
        part_number: None,
        serial: None,
        level,
        raw: RawLevel { unit: Some(19), max: Some(100), level: level.percent().map(|value| value as i64) },
    }
}

/// All impressions of the device.
pub(crate) fn total(value: u64) -> Meter {
    meter(ColorMode::All, value, "1.3.6.1.2.1.43.10.2.1.4.1.1")
}

/// A total meter by colour.
pub(crate) fn meter(color: ColorMode, value: u64, source: &str) -> Meter {
    Meter {
        function: Function::Total,
        color,
        size: PaperSize::All,
        sides: Sides::All,
        unit: Unit::Impressions,
        value,
        name: None,
        source: source.into(),
    }
}

/// A device that reports by itself: registered by somebody, and through a communication test that is good but for `change`.
pub(crate) async fn monitor(
    test: &TestPlatform,
    by: &Ctx,
    (vendor, serial, model): (&str, &str, &str),
    change: impl FnOnce(&mut Hello),
) -> Subject {
    let new = NewMonitor { vendor: vendor.to_owned(), serial: serial.to_owned(), model: None };
    let claim = monitors::register(by, by.home, &new).await.unwrap().claim;
    let mut hello = Hello {
        version: 1,
        vendor: vendor.to_owned(),
        serial: serial.to_owned(),
        model: model.to_owned(),
        key: vec![1; 32],
        claim: Some(claim.expose().to_owned()),
        road: Road::Https,
        kinds: Told::ALL.to_vec(),
        clock_ms: 0,
        mono_ms: 0,
        firmware: "1".to_owned(),
        mac: None,
        listener: None,
        seal: None,
    };
    change(&mut hello);
    monitors::hello(&test.platform, &hello, "192.0.2.1").await.unwrap().sender
}

/// The subject with this number.
pub(crate) fn subject(number: u8) -> Subject {
    Subject([number; 16])
}

/// An organisation with an agent.
pub(crate) struct Site {
    pub(crate) test: TestPlatform,
    pub(crate) root: Ctx,
    pub(crate) agent: Subject,
    pub(crate) seq: u64,
}

impl Site {
    /// On each engine that is there.
    pub(crate) async fn each() -> Vec<Self> {
        let mut all = Vec::new();
        for test in TestPlatform::each().await {
            all.push(Self::on(test).await);
        }
        all
    }

    pub(crate) async fn on(test: TestPlatform) -> Self {
        let root = test.root().await;
        let agent = Self::enrol(&test, &root, root.home, 1).await;
        Self { test, root, agent, seq: 0 }
    }

    /// Another agent in an organisation.
    pub(crate) async fn enrol(test: &TestPlatform, by: &Ctx, org: OrgId, key: u8) -> Subject {
        let invitation = agents::invite(by, org).await.unwrap();
        let request = EnrolRequest {
            token: invitation.secret.expose().to_owned(),
            public_key: vec![key; 32],
            name: format!("agent {key}"),
            version: "1".to_owned(),
        };
        agents::enrol(&test.platform, &request).await.unwrap().agent
    }

    /// The person who asks, now.
    pub(crate) async fn person(&self) -> Ctx {
        self.test.again(&self.root).await
    }

    /// Messages with the next numbers, taken now.
    pub(crate) fn messages(&mut self, bodies: Vec<(Option<Subject>, Body)>) -> Vec<Message> {
        let taken_ms = self.test.platform.now().as_millis();
        bodies
            .into_iter()
            .map(|(subject, body)| {
                self.seq += 1;
                Message { seq: self.seq, taken_ms, subject, body }
            })
            .collect()
    }

    /// Delivers messages as an agent.
    pub(crate) async fn deliver_as(&self, agent: Subject, epoch: u64, messages: Vec<Message>) -> Result<Reply> {
        let (_, ctx) = agents::key_of(&self.test.platform, agent).await.unwrap().unwrap();
        let clock_ms = ctx.now.as_millis();
        let report = Report { version: 1, sender: agent, epoch, clock_ms, mono_ms: 0, messages, plan_revision: 1 };
        super::accept(&ctx, report).await
    }

    /// Delivers messages and returns the outcomes.
    pub(crate) async fn deliver(&mut self, bodies: Vec<(Option<Subject>, Body)>) -> Vec<Outcome> {
        let messages = self.messages(bodies);
        let reply = self.deliver_as(self.agent, 1, messages).await.unwrap();
        reply.results.into_iter().map(|result| result.outcome).collect()
    }

    /// The status of a device, stored.
    pub(crate) async fn status(&mut self, number: u8, body: StatusBody) {
        assert_eq!(self.deliver(vec![(Some(subject(number)), Body::Status(Box::new(body)))]).await, [Outcome::Stored]);
    }

    /// The counters of a device, stored.
    pub(crate) async fn counters(&mut self, number: u8, meters: Vec<Meter>) {
        let body = Body::Counters(CountersBody { meters });
        assert_eq!(self.deliver(vec![(Some(subject(number)), body)]).await, [Outcome::Stored]);
    }

    /// Signs of life, stored.
    pub(crate) async fn seen(&mut self, answered: Vec<Subject>, unreachable: Vec<Subject>) {
        let body = Body::Seen(SeenBody { answered, unreachable });
        assert_eq!(self.deliver(vec![(None, body)]).await, [Outcome::Stored]);
    }

    /// Time passes.
    pub(crate) fn wait(&self, seconds: u64) {
        self.test.clock.advance(Duration::from_secs(seconds));
    }
}

/// When all messages of the raw log were taken, as their senders told it, ms.
pub(crate) async fn told_times(platform: &crate::Platform) -> Vec<i64> {
    let ctx = platform.system("what the raw log holds");
    let mut tx = ctx.db().read(&ctx.scope.view()).await.unwrap();
    let rows = tx.query(&store::Sql::built("select body from inbox".into()), &[]).await.unwrap();
    let mut all = Vec::new();
    for row in rows {
        let body: Vec<u8> = row.get(0).unwrap();
        let logged = super::logged::read(&body).unwrap();
        all.extend(logged.elsewhere.iter().map(|message| message.taken_ms));
        all.extend(logged.messages.into_iter().map(|message| message.taken_ms));
    }
    all
}
