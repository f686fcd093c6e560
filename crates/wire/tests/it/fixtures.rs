//! Arbitrary documents for property tests.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use wire::report::{AgentBody, CountersBody, DiscoveryBody, SeenBody, Sighting, StatusBody};
use wire::traps::{SendersBody, TrapBody, TrapSender};
use wire::*;

fn text() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 ./äß碳粉-]{0,24}"
}

pub(crate) fn level() -> impl Strategy<Value = Level> {
    prop_oneof![
        (0u32..=1_000).prop_map(|tenths| Level::Percent { value: f64::from(tenths) / 10.0 }),
        Just(Level::SomeRemaining),
        Just(Level::Unknown),
        Just(Level::Unrestricted),
        (0u32..4, 1u32..4).prop_map(|(value, steps)| Level::Staged { value, steps }),
    ]
}

fn raw() -> impl Strategy<Value = RawLevel> {
    (option::of(-3i64..30), option::of(any::<i64>()), option::of(any::<i64>()))
        .prop_map(|(unit, max, level)| RawLevel { unit, max, level })
}

fn supply() -> impl Strategy<Value = Supply> {
    (text(), option::of(text()), option::of(text()), level(), raw()).prop_map(
        |(index, description, serial, level, raw)| Supply {
            index,
            description,
            kind: "toner".into(),
            color: Some("black".into()),
            class: Class::Consumed,
            part_number: None,
            serial,
            level,
            raw,
        },
    )
}

fn meter() -> impl Strategy<Value = Meter> {
    (any::<u64>(), option::of(text()), text()).prop_map(|(value, name, source)| Meter {
        function: Function::Copy,
        color: ColorMode::Full,
        size: PaperSize::Large,
        sides: Sides::Two,
        unit: Unit::Impressions,
        value,
        name,
        source,
    })
}

fn identity() -> impl Strategy<Value = Identity> {
    (option::of(text()), option::of(text()), option::of(text())).prop_map(|(vendor, model, serial)| Identity {
        vendor,
        model,
        serial,
        firmware: vec![Component { name: "system".into(), version: "1.07".into() }],
        ..Identity::default()
    })
}

fn alert(code: Option<i64>) -> Alert {
    Alert {
        severity: AlertSeverity::Warning,
        reason: "toner-low".into(),
        group: Some("marker-supplies".into()),
        part: Some("1.1".into()),
        text: None,
        code,
        since: None,
    }
}

fn status() -> impl Strategy<Value = StatusBody> {
    (text(), any::<u16>(), identity(), vec(supply(), 0..4), level(), raw(), option::of(any::<i64>())).prop_map(
        |(address, port, identity, supplies, level, raw, code)| StatusBody {
            address,
            port,
            snmp: SnmpVersion::V2c,
            identity,
            status: Status { state: State::Idle, reasons: vec!["toner-low-warning".into()], console: None },
            supplies,
            inputs: vec![Input { index: "1.1".into(), name: None, media: Some("iso_a4_210x297mm".into()), level, raw }],
            outputs: vec![Output { index: "1.1".into(), name: None, level, raw }],
            covers: vec![Cover { index: "1.1".into(), name: None, open: Some(true) }],
            alerts: vec![alert(code)],
            quirks: vec![],
        },
    )
}

fn trap() -> impl Strategy<Value = TrapBody> {
    (vec(option::of(any::<i64>()).prop_map(alert), 1..4), any::<u64>()).prop_map(|(alerts, shed)| TrapBody {
        snmp: SnmpVersion::V1,
        alerts,
        shed,
    })
}

fn senders() -> impl Strategy<Value = SendersBody> {
    (any::<u64>(), any::<i64>(), option::of("[0-9.]{3,20}")).prop_map(|(count, first_ms, trap)| {
        let sender = TrapSender {
            address: "198.51.100.7".into(),
            count,
            first_ms,
            last_ms: first_ms,
            trap,
            snmp: Some(SnmpVersion::V3),
            speaks_for: None,
        };
        SendersBody { listen: "[::]:162".into(), received: count, senders: vec![sender], ..SendersBody::default() }
    })
}

fn discovery() -> impl Strategy<Value = DiscoveryBody> {
    (any::<i64>(), any::<u64>(), "[a-z.]{1,12}", option::of("[A-Z ]{1,9}")).prop_map(
        |(began_ms, answered, name, model)| {
            let sighting = Sighting { address: "192.0.2.7".into(), name, model, services: vec!["ipp".into()] };
            DiscoveryBody { began_ms, answered, silent: vec![sighting], ..DiscoveryBody::default() }
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    prop_oneof![
        status().prop_map(|status| Body::Status(Box::new(status))),
        vec(meter(), 0..6).prop_map(|meters| Body::Counters(CountersBody { meters })),
        vec(any::<[u8; 16]>().prop_map(Subject), 0..6)
            .prop_map(|answered| Body::Seen(SeenBody { answered, unreachable: vec![] })),
        any::<u64>().prop_map(|devices| Body::Agent(AgentBody { devices, ..AgentBody::default() })),
        trap().prop_map(Body::Trap),
        senders().prop_map(Body::Senders),
        discovery().prop_map(|discovery| Body::Discovery(Box::new(discovery))),
    ]
}

pub(crate) fn report() -> impl Strategy<Value = Report> {
    let message = (any::<u64>(), any::<i64>(), option::of(any::<[u8; 16]>().prop_map(Subject)), body())
        .prop_map(|(seq, taken_ms, subject, body)| Message { seq, taken_ms, subject, body });
    (any::<[u8; 16]>(), any::<u64>(), any::<i64>(), vec(message, 1..5)).prop_map(
        |(sender, epoch, clock_ms, messages)| Report {
            version: 1,
            sender: Subject(sender),
            epoch,
            clock_ms,
            mono_ms: 7,
            messages,
            plan_revision: 3,
        },
    )
}
