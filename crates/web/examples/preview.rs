//! A server with an invented fleet and forty days of history, for looking at the pages: `preview [DEVICES] [PORT]`.
//! Everything goes through the real path of reports; the clock is moved by hand and then follows the world's.

use std::{net::SocketAddr, time::Duration};

use platen_core::{
    Micros, OrgId, Secret, agents, orgs, reports,
    testing::TestPlatform,
    users::{self, FirstUser},
};
use tokio_util::sync::CancellationToken;
use wire::{
    Alert, AlertSeverity, Body, Class, ColorMode, Component, Cover, Function, Identity, Input, Level, Message, Meter,
    Output, PaperSize, RawLevel, Report, Sides, SnmpVersion, State, Status, Subject, Supply, Unit,
    enrol::EnrolRequest,
    report::{AgentBody, CountersBody, SeenBody, StatusBody},
};

const PASSWORD: &str = "four quiet presses at noon";
const DAYS: i64 = 40;
const DAY: i64 = 86_400_000_000;

const MODELS: &[(&str, &str, bool)] = &[
    ("ricoh", "IM C3000", true),
    ("canon", "iR-ADV DX C5840i", true),
    ("kyocera", "ECOSYS P3155dn", false),
    ("konica-minolta", "bizhub C360i", true),
    ("hp", "LaserJet Enterprise M609", false),
    ("lexmark", "CX825", true),
    ("hp", "Color LaserJet MFP M480", true),
    ("xerox", "AltaLink C8155", true),
    ("sharp", "BP-70C45", true),
    ("brother", "HL-L6400DW", false),
    ("epson", "WF-C20750", true),
    ("oki", "C844", true),
];
const ROOMS: &[&str] = &[
    "Ward",
    "Reception",
    "Radiology",
    "Pharmacy",
    "Archive",
    "Surgery",
    "Laboratory",
    "Billing",
    "Admissions",
    "Kitchen",
    "Personnel",
    "Purchasing",
    "Library",
    "Print room",
];
const PLACES: &[&str] = &["Main building", "West wing", "East wing", "Cellar"];

/// A small repeatable source of variety.
fn vary(n: u64, salt: u64) -> u64 {
    let mut x = n.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ salt.wrapping_mul(0xD1B5_4A32_D192_ED03);
    x ^= x >> 29;
    x = x.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^ (x >> 32)
}

struct Site {
    test: TestPlatform,
    agent: Subject,
    seq: u64,
}

impl Site {
    async fn send(&mut self, messages: Vec<(Option<Subject>, Body)>) {
        let known = agents::key_of(&self.test.platform, self.agent).await.expect("the database answers");
        let (_, ctx) = known.expect("the agent is enrolled");
        let taken_ms = self.test.platform.now().as_millis();
        for chunk in messages.chunks(200) {
            let messages = chunk
                .iter()
                .cloned()
                .map(|(subject, body)| {
                    self.seq += 1;
                    Message { seq: self.seq, taken_ms, subject, body }
                })
                .collect();
            let report = Report {
                version: 1,
                sender: self.agent,
                epoch: 1,
                clock_ms: taken_ms,
                mono_ms: 1,
                messages,
                plan_revision: 1,
            };
            reports::accept(&ctx, report).await.unwrap_or_else(|error| panic!("{error:?}"));
        }
    }
}

fn subject(n: u64) -> Subject {
    Subject(u128::from(vary(n, 99)).wrapping_mul(0x1_0000_0001).to_be_bytes())
}

fn toner(index: u32, color: &str, level: Level) -> Supply {
    Supply {
        index: format!("1.{index}"),
        description: None,
        kind: "toner".into(),
        color: Some(color.into()),
        class: Class::Consumed,
        part_number: Some(format!("8423{:02}", index + 14)),
        serial: None,
        level,
        raw: RawLevel { unit: Some(19), max: Some(100), level: level.percent().map(|v| v as i64) },
    }
}

/// How full a supply is on a day: it falls, and a new one is put in.
fn level(n: u64, color: u64, day: i64) -> Level {
    if n % 17 == 14 {
        return Level::SomeRemaining;
    }
    if n % 23 == 15 {
        return Level::Unknown;
    }
    if n % 29 == 9 {
        return Level::Staged { value: (3 - day.rem_euclid(12) as u32 / 4).min(3), steps: 3 };
    }
    let start = (20 + vary(n, color) % 80) as f64;
    let left = start - day as f64 * (0.6 + (vary(n, color + 7) % 20) as f64 / 10.0);
    Level::Percent { value: (left.rem_euclid(97.0) + 3.0).round() }
}

/// Severity, reason, group and text.
type Trouble = (AlertSeverity, &'static str, &'static str, &'static str);

fn status(n: u64, day: i64, fresh: bool) -> StatusBody {
    let (vendor, model, color) = MODELS[(n % MODELS.len() as u64) as usize];
    let room = ROOMS[(vary(n, 1) % ROOMS.len() as u64) as usize];
    let place = format!("{}, {}", PLACES[(vary(n, 2) % 4) as usize], vary(n, 3) % 5);
    let colors: &[&str] = if color { &["cyan", "magenta", "yellow", "black"] } else { &["black"] };
    let mut supplies: Vec<Supply> =
        colors.iter().enumerate().map(|(i, c)| toner(i as u32 + 1, c, level(n, i as u64, day))).collect();
    if color {
        supplies.push(Supply {
            kind: "waste-toner".into(),
            color: None,
            class: Class::Receptacle,
            part_number: None,
            ..toner(5, "x", Level::SomeRemaining)
        });
    }
    let trouble = if fresh { vary(n, 4) % 40 } else { 99 };
    let (state, reason, alert): (State, Option<&str>, Option<Trouble>) = match trouble {
        0 => (
            State::Stopped,
            Some("media-jam-error"),
            Some((AlertSeverity::Critical, "media-jam", "media-path", "Paper jam, open duplex unit")),
        ),
        1 => (
            State::Stopped,
            Some("cover-open-error"),
            Some((AlertSeverity::Critical, "cover-open", "cover", "Front cover open")),
        ),
        2 => (
            State::Idle,
            Some("toner-low-warning"),
            Some((AlertSeverity::Warning, "toner-low", "marker-supplies", "Toner low")),
        ),
        3 => {
            (State::Idle, Some("media-low-warning"), Some((AlertSeverity::Warning, "media-low", "input", "Tray 2 low")))
        }
        4 | 5 => (State::Processing, None, None),
        6 => (State::WarmingUp, None, None),
        7..=9 => (State::Asleep, None, None),
        10 => (State::Unknown, None, None),
        _ => (State::Idle, None, None),
    };
    StatusBody {
        address: format!("10.4.{}.{}", n / 200, n % 200 + 10),
        port: 161,
        snmp: if n.is_multiple_of(3) { SnmpVersion::V3 } else { SnmpVersion::V2c },
        identity: Identity {
            vendor: Some(vendor.into()),
            model: Some(model.into()),
            serial: Some(format!("{}{:06}", 3129 + n % 7, 100_000 + n * 37)),
            name: Some(format!("{room} {}", n / ROOMS.len() as u64 + 1)),
            location: Some(place),
            description: Some(format!("{vendor} {model} network printer")),
            sys_object_id: Some("1.3.6.1.4.1.367.1.1".into()),
            mac: Some(format!("00:26:73:aa:{:02x}:{:02x}", n / 256, n % 256)),
            firmware: vec![Component {
                name: "system".into(),
                version: if day < DAYS - 9 { "1.06".into() } else { "1.07".into() },
            }],
            ..Identity::default()
        },
        status: Status {
            state,
            reasons: reason.map(|r| vec![r.to_owned()]).unwrap_or_default(),
            console: Some(if state == State::Asleep { "Energy saver" } else { "Ready" }.into()),
        },
        supplies,
        inputs: (1..=3u64)
            .map(|i| {
                let level = if i == 3 {
                    Level::SomeRemaining
                } else {
                    Level::Percent { value: (vary(n, i + 40) % 100) as f64 }
                };
                Input {
                    index: format!("1.{i}"),
                    name: Some(format!("Tray {i}")),
                    media: Some(if i == 3 { "iso_a3_297x420mm" } else { "iso_a4_210x297mm" }.into()),
                    level,
                    raw: RawLevel { unit: Some(8), max: Some(550), level: level.percent().map(|v| v as i64 * 5) },
                }
            })
            .collect(),
        outputs: vec![Output {
            index: "1.1".into(),
            name: Some("internal tray".into()),
            level: Level::Unknown,
            raw: RawLevel::default(),
        }],
        covers: vec![Cover { index: "1.1".into(), name: Some("front".into()), open: Some(trouble == 1) }],
        alerts: alert
            .into_iter()
            .map(|(severity, reason, group, text)| Alert {
                severity,
                reason: reason.into(),
                group: Some(group.into()),
                part: Some("1.1".into()),
                text: Some(text.into()),
                code: Some(8),
                since: None,
            })
            .collect(),
        quirks: if n.is_multiple_of(11) { vec!["getbulk-loops".into()] } else { Vec::new() },
    }
}

fn counters(n: u64, pages: u64) -> CountersBody {
    let color = MODELS[(n % MODELS.len() as u64) as usize].2;
    let meter = |function, color, value, source: &str| Meter {
        function,
        color,
        size: PaperSize::All,
        sides: Sides::All,
        unit: Unit::Impressions,
        value,
        name: None,
        source: source.into(),
    };
    let base = 20_000 + vary(n, 5) % 400_000;
    let colored = if color { pages * (20 + vary(n, 6) % 40) / 100 } else { 0 };
    let mut meters = vec![meter(Function::Total, ColorMode::All, base * 3 / 2 + pages, "1.3.6.1.2.1.43.10.2.1.4.1.1")];
    if color {
        meters.push(meter(
            Function::Total,
            ColorMode::Mono,
            base + pages - colored,
            "1.3.6.1.4.1.367.3.2.1.2.19.5.1.9.1",
        ));
        meters.push(meter(Function::Total, ColorMode::Full, base / 2 + colored, "1.3.6.1.4.1.367.3.2.1.2.19.5.1.9.2"));
        meters.push(meter(Function::Scan, ColorMode::All, base / 9 + pages / 5, "1.3.6.1.4.1.367.3.2.1.2.19.5.1.9.3"));
    }
    CountersBody { meters }
}

/// Pages made up to a day: quiet at week-ends.
fn pages(n: u64, day: i64, weekday: i64) -> u64 {
    let busy = 20 + vary(n, 8) % 400;
    if (weekday + day).rem_euclid(7) >= 5 { busy / 30 } else { busy / 2 + vary(n, day as u64) % busy }
}

async fn accounts(test: &TestPlatform) -> (platen_core::Ctx, OrgId) {
    let zone = Some("Europe/Berlin".to_owned());
    let first = FirstUser {
        organisation: orgs::NewOrg {
            name: "Nordwind Office".to_owned(),
            zone: zone.clone(),
            ..orgs::NewOrg::default()
        },
        email: "admin@nordwind.example".to_owned(),
        name: "M. Okafor".to_owned(),
        password: Secret::new(PASSWORD),
    };
    let user = users::setup_local(&test.platform, &first).await.unwrap_or_else(|error| panic!("{error:?}"));
    let admin = test.user(user.org, user.id, &user.name, platen_core::Role::Admin).await;
    let mut clinic = None;
    for name in ["Harbour Clinic", "Lindqvist Law", "Port Authority"] {
        let new = orgs::NewOrg {
            name: name.to_owned(),
            kind: "customer".to_owned(),
            zone: zone.clone(),
            ..orgs::NewOrg::default()
        };
        let org = orgs::create(&admin, &new).await.unwrap_or_else(|error| panic!("{error:?}"));
        clinic.get_or_insert(org.id);
    }
    for (name, role) in [("J. Lindgren", "manager"), ("A. Brandt", "user")] {
        let email = format!("{}@nordwind.example", name.to_lowercase().replace(". ", "."));
        let new = users::NewUser {
            email,
            name: name.to_owned(),
            role: role.to_owned(),
            password: Some(Secret::new(PASSWORD)),
            org: None,
            locale: None,
        };
        users::create_user(&admin, &new).await.unwrap_or_else(|error| panic!("{error:?}"));
    }
    (test.again(&admin).await, clinic.expect("one was created"))
}

async fn enrol(test: &TestPlatform, by: &platen_core::Ctx, org: OrgId) -> Subject {
    let invitation = agents::invite(by, org).await.expect("an administrator may invite");
    let token = invitation.secret.expose().to_owned();
    let request =
        EnrolRequest { token, public_key: vec![7; 32], name: "ham-1".to_owned(), version: "0.1.0".to_owned() };
    let reply = agents::enrol(&test.platform, &request).await.expect("the invitation is fresh");
    let plan = wire::AgentPlan { ranges: vec!["10.4.0.0/20".to_owned()], revision: reply.plan.revision, ..reply.plan };
    agents::set_plan(&test.again(by).await, reply.agent.into(), plan).await.expect("the plan fits");
    reply.agent
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("a number"));
    let count = arguments.next().unwrap_or(300);
    let port = u16::try_from(arguments.next().unwrap_or(0)).expect("a port");
    let test = TestPlatform::sqlite().await;
    let begin = now() - DAYS * DAY;
    test.clock.set(Micros(begin));
    let (admin, clinic) = accounts(&test).await;
    let agent = enrol(&test, &admin, clinic).await;
    let mut site = Site { test, agent, seq: 0 };
    let weekday = (begin / DAY + 3).rem_euclid(7);
    let mut totals = vec![1_000u64; count as usize];
    for day in 0..=DAYS {
        site.test.clock.set(Micros((begin + day * DAY).min(now() - 20_000_000)));
        let mut said = Vec::new();
        for n in 0..count {
            let silent = n % 31 == 3 && day > DAYS - 3;
            let away = n % 13 == 4 && (18..24).contains(&day);
            if silent || away {
                continue;
            }
            totals[n as usize] += pages(n, day, weekday);
            if day % 4 == 0 || day > DAYS - 2 {
                said.push((Some(subject(n)), Body::Status(Box::new(status(n, day, day == DAYS)))));
            }
            said.push((Some(subject(n)), Body::Counters(counters(n, totals[n as usize]))));
        }
        site.send(said).await;
    }
    site.test.clock.set(Micros(now()));
    let platform = site.test.platform.clone();
    let shutdown = CancellationToken::new();
    let door = web::serve(
        web::WebConfig {
            platform: platform.clone(),
            listen: SocketAddr::from(([127, 0, 0, 1], port)),
            admin_listen: None,
            gateway_url: Some("https://127.0.0.1:8443".to_owned()),
            ca_pin: Some([0xAB; 16]),
            public_url: None,
            extra_metrics: Vec::new(),
            demo: true,
            mail_out: false,
        },
        shutdown.clone(),
    )
    .await
    .expect("the port is free");
    println!("{} admin@nordwind.example / {PASSWORD}", door.url);
    live(site, count, &platform).await;
}

/// Follows the world's clock, and lets the fleet live a little.
async fn live(mut site: Site, count: u64, platform: &platen_core::Platform) {
    let mut tick = 0u64;
    loop {
        site.test.clock.set(Micros(now()));
        if tick.is_multiple_of(40) {
            let answered = (0..count).filter(|n| n % 31 != 3).map(subject).collect();
            let unreachable = (0..count).filter(|n| n % 31 == 3).map(subject).collect();
            let agent = AgentBody {
                version: "0.1.0".into(),
                devices: count,
                outbox_depth: 0,
                discovery_probed: 1_270 + tick * 8,
                discovery_total: 4_094,
                unreachable: count / 31,
                ..AgentBody::default()
            };
            site.send(vec![(None, Body::Seen(SeenBody { answered, unreachable })), (None, Body::Agent(agent))]).await;
            drop(platen_core::devices::reconcile(platform).await);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
        tick += 1;
    }
}
