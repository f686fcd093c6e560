//! Figures of the fleet half: how fast reports are taken and lists are answered. Run with
//! `PLATEN_FIGURES=10000 cargo test --release -p platen-core --test it figures -- --nocapture`; a small run else.

use std::time::Duration;

use platen_core::devices::{self, DeviceQuery, SortBy};
use platen_core::testing::TestPlatform;
use platen_core::{Ctx, Filter, PageQuery, agents, meters, reports};
use wire::enrol::EnrolRequest;
use wire::report::{CountersBody, SeenBody, StatusBody};
use wire::{
    Alert, AlertSeverity, Body, Class, ColorMode, Cover, Function, Identity, Input, Level, Message, Meter, Output,
    PaperSize, RawLevel, Report, Sides, SnmpVersion, State, Status, Subject, Supply, Unit,
};

fn subject(number: usize) -> Subject {
    Subject((number as u128).to_be_bytes())
}

fn supply(index: u32, color: &str, percent: f64) -> Supply {
    Supply {
        index: format!("1.{index}"),
        description: Some(format!("{color} toner cartridge")),
        kind: "toner".into(),
        color: Some(color.into()),
        class: Class::Consumed,
        part_number: Some(format!("8423{index}")),
        serial: None,
        level: Level::Percent { value: percent },
        raw: RawLevel { unit: Some(19), max: Some(100), level: Some(percent as i64) },
    }
}

fn status(number: usize, round: usize) -> Body {
    let tray = |index: u32| Input {
        index: format!("1.{index}"),
        name: Some(format!("Tray {index}")),
        media: Some("iso_a4_210x297mm".into()),
        level: Level::Percent { value: 50.0 },
        raw: RawLevel::default(),
    };
    let jam = (number + round).is_multiple_of(10);
    let alert = Alert {
        severity: AlertSeverity::Critical,
        reason: "media-jam".into(),
        group: Some("media-path".into()),
        part: Some("1.1".into()),
        text: Some("Paper jam".into()),
        code: Some(8),
        since: None,
    };
    let reasons = if jam { vec!["media-jam-error".into()] } else { Vec::new() };
    let state = if jam {
        State::Stopped
    } else if (number + round).is_multiple_of(2) {
        State::Idle
    } else {
        State::Processing
    };
    let level = |color: usize| ((number * 7 + color * 13) % 90) as f64 + 10.0 - (round % 10) as f64;
    Body::Status(Box::new(StatusBody {
        address: format!("10.{}.{}.{}", number / 65_536, number / 256 % 256, number % 256),
        port: 161,
        snmp: SnmpVersion::V2c,
        identity: Identity {
            vendor: Some(["ricoh", "hp", "canon", "kyocera"][number % 4].into()),
            model: Some(format!("Model C{}", number % 40)),
            serial: Some(format!("SN{number:07}X")),
            name: Some(format!("printer-{number}")),
            location: Some(format!("Building {}, floor {}", number % 30, number % 5)),
            mac: Some(format!("00:26:73:{:02x}:{:02x}:{:02x}", number / 65_536, number / 256 % 256, number % 256)),
            firmware: vec![wire::Component { name: "system".into(), version: "1.07".into() }],
            ..Identity::default()
        },
        status: Status { state, reasons, console: Some("Ready".into()) },
        supplies: ["black", "cyan", "magenta", "yellow"]
            .iter()
            .zip(1..)
            .map(|(c, n)| supply(n, c, level(n as usize)))
            .collect(),
        inputs: (1..4).map(tray).collect(),
        outputs: vec![Output { index: "1.1".into(), name: None, level: Level::Unknown, raw: RawLevel::default() }],
        covers: vec![Cover { index: "1.1".into(), name: Some("front".into()), open: Some(false) }],
        alerts: if jam { vec![alert] } else { Vec::new() },
        quirks: Vec::new(),
    }))
}

fn counters(number: usize, round: usize) -> Body {
    let meter = |color, source: &str, value: usize| Meter {
        function: Function::Total,
        color,
        size: PaperSize::All,
        sides: Sides::All,
        unit: Unit::Impressions,
        value: value as u64,
        name: None,
        source: source.into(),
    };
    let base = number * 100 + round * (number % 50);
    Body::Counters(CountersBody {
        meters: vec![
            meter(ColorMode::All, "1.3.6.1.2.1.43.10.2.1.4.1.1", base * 3),
            meter(ColorMode::Mono, "1.3.6.1.4.1.367.1", base * 2),
            meter(ColorMode::Full, "1.3.6.1.4.1.367.2", base),
        ],
    })
}

struct Sender<'a> {
    test: &'a TestPlatform,
    agent: Subject,
    seq: u64,
}

impl Sender<'_> {
    async fn send(&mut self, bodies: Vec<(Option<Subject>, Body)>) {
        for bodies in bodies.chunks(512) {
            let (_, ctx) = agents::key_of(&self.test.platform, self.agent).await.unwrap().unwrap();
            let taken_ms = ctx.now.as_millis();
            let messages = bodies.iter().map(|(subject, body)| {
                self.seq += 1;
                Message { seq: self.seq, taken_ms, subject: *subject, body: body.clone() }
            });
            let messages = messages.collect();
            let report = Report {
                version: 1,
                sender: self.agent,
                epoch: 1,
                clock_ms: taken_ms,
                mono_ms: 0,
                messages,
                plan_revision: 1,
            };
            let reply = reports::accept(&ctx, report).await.unwrap();
            let bad = reply.results.iter().find(|result| result.outcome != wire::Outcome::Stored);
            assert!(bad.is_none(), "{bad:?}");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a figure is a length of real time")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

async fn timed<T>(what: &str, per: usize, work: impl Future<Output = T>) -> T {
    let start = now();
    let result = work.await;
    let took = start.elapsed();
    if per > 0 {
        println!("  {what}: {:.0} /s ({took:.2?})", per as f64 / took.as_secs_f64());
    } else {
        println!("  {what}: {:.1} ms", took.as_secs_f64() * 1_000.0);
    }
    result
}

async fn read(ctx: &Ctx, devices: usize) {
    for sort in [SortBy::Status, SortBy::Seen, SortBy::Pages, SortBy::Address] {
        for descending in [false, true] {
            let query = DeviceQuery { sort, descending, ..DeviceQuery::default() };
            let page =
                timed(&format!("list by {} {descending}", sort.word()), 0, devices::list(ctx, &query)).await.unwrap();
            assert_eq!(page.items.len(), 50.min(devices));
            let next = DeviceQuery { page: PageQuery { after: page.next, ..PageQuery::default() }, ..query };
            timed("  its second page", 0, devices::list(ctx, &next)).await.unwrap();
        }
    }
    let filter = Filter::parse(r#"vendor eq "hp" and status eq "stopped""#).unwrap();
    let page = PageQuery { count: true, ..PageQuery::default() };
    let filtered = DeviceQuery { filter: Some(filter), page, ..DeviceQuery::default() };
    timed("list, filtered and counted", 0, devices::list(ctx, &filtered)).await.unwrap();
    let facets = timed("facets of all", 0, devices::facets(ctx, &DeviceQuery::default())).await.unwrap();
    assert_eq!(facets.total, devices as u64);
    for text in ["printer", "SN0000042X", "0042x", "building 7", "10.0.0.4"] {
        timed(&format!("search {text:?}"), 0, devices::search(ctx, text, 20)).await.unwrap();
    }
    let list = devices::list(ctx, &DeviceQuery::default()).await.unwrap().items;
    let ids: Vec<_> = list.iter().map(|row| row.id).collect();
    timed("sparks of 50", 0, meters::spark(ctx, &ids)).await.unwrap();
    timed("sheet", 0, devices::get(ctx, ids[0])).await.unwrap();
    timed("history", 0, devices::history(ctx, ids[0], &PageQuery::default())).await.unwrap();
    timed("neighbours", 0, devices::neighbours(ctx, ids[10.min(ids.len() - 1)], &DeviceQuery::default()))
        .await
        .unwrap();
    timed("billing of 50", 0, meters::billing_rows(ctx, &meters::BillingQuery::default())).await.unwrap();
}

#[tokio::test]
async fn figures_of_reports_and_lists() {
    let devices: usize = std::env::var("PLATEN_FIGURES").ok().and_then(|n| n.parse().ok()).unwrap_or(120);
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let invitation = agents::invite(&root, root.home).await.unwrap();
        let token = invitation.secret.expose().to_owned();
        let request = EnrolRequest { token, public_key: vec![1; 32], name: "site".into(), version: "1".into() };
        let agent = agents::enrol(&test.platform, &request).await.unwrap().agent;
        let mut sender = Sender { test: &test, agent, seq: 0 };
        println!("{devices} devices, {:?}", test.platform);
        let all = |make: fn(usize, usize) -> Body, round: usize| {
            (0..devices).map(|n| (Some(subject(n)), make(n, round))).collect::<Vec<_>>()
        };
        timed("status, first contact", devices, sender.send(all(status, 0))).await;
        for round in 1..4 {
            test.clock.advance(Duration::from_secs(600));
            timed("status, all changed", devices, sender.send(all(status, round))).await;
        }
        test.clock.advance(Duration::from_secs(60));
        timed("status, nothing changed", devices, sender.send(all(status, 3))).await;
        for round in 0..3 {
            test.clock.advance(Duration::from_secs(3_600));
            timed("counters of three meters", devices, sender.send(all(counters, round))).await;
        }
        let answered = (0..devices).map(subject).collect();
        timed(
            "signs of life",
            devices,
            sender.send(vec![(None, Body::Seen(SeenBody { answered, unreachable: Vec::new() }))]),
        )
        .await;
        timed("reconcile", 0, devices::reconcile(&test.platform)).await.unwrap();
        let ctx = test.again(&root).await;
        read(&ctx, devices).await;
    }
}
