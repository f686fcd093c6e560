//! Power, network and clock fail; nothing that was told is lost, and nothing but what is allowed is said.

use embedded::Wish;
use wire::monitor::{CounterSet, EventBody, Kind};
use wire::{Body, Report, cbor};

use crate::server::{Device, Line, SENDER, Server, set};

fn jam(code: u32) -> Body {
    Body::Jam(EventBody { code: format!("{code:06}"), total: Some(100 + u64::from(code)), ..EventBody::default() })
}

fn counters(value: i64) -> Body {
    Body::Billing(CounterSet { base_seq: None, values: [(1, value)].into(), dictionary: 7 })
}

#[test]
fn it_works_on_after_power_loss_without_a_new_communication_test() {
    let (mut device, mut server) = (Device::new(), Server::new());
    let wishes = device.run(&mut server, 90, |_| Line::Good);
    assert!(wishes.contains(&Wish::Read(Kind::Status)) && wishes.contains(&Wish::Read(Kind::ServiceAll)), "{wishes:?}");
    for code in 0..5 {
        device.tell(jam(code));
        device.power_on();
    }
    device.run(&mut server, 120, |_| Line::Good);
    assert_eq!((server.hellos, server.stored.len()), (1, 5));
    assert_eq!(device.monitor.as_ref().unwrap().sender(), Some(SENDER));
}

#[test]
fn what_was_told_has_one_effect_whatever_the_line_does_to_it() {
    let (mut device, mut server) = (Device::new(), Server::new());
    device.run(&mut server, 90, |_| Line::Good);
    let mut n = 0_u32;
    for code in 0..60 {
        device.tell(jam(code));
        if code % 7 == 3 {
            device.power_on();
        }
        device.run(&mut server, 3_000, |_| {
            n += 1;
            [Line::Good, Line::AnswerLost, Line::Cut, Line::Good, Line::AnswerLost][n as usize % 5]
        });
    }
    device.run(&mut server, 200_000, |_| Line::Good);
    assert_eq!((server.stored.len(), server.effects, server.hellos), (60, 60, 1));
    let mut codes: Vec<_> = server.stored.values().map(|m| format!("{:?}", m.body)).collect();
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), 60);
}

#[test]
fn an_outage_of_days_costs_few_calls_and_loses_nothing() {
    let (mut device, mut server) = (Device::new(), Server::new());
    device.run(&mut server, 90, |_| Line::Good);
    device.tell(counters(1));
    let mut tries = 0;
    device.run(&mut server, 3 * 86_400, |_| {
        tries += 1;
        Line::Cut
    });
    assert!((4..=14).contains(&tries), "{tries} calls in three days");
    device.run(&mut server, 86_400, |_| Line::Good);
    assert_eq!(server.stored.len(), 1);
}

#[test]
fn after_an_outage_it_returns_to_its_slots() {
    let (mut device, mut server) = (Device::new(), Server::new());
    device.run(&mut server, 90, |_| Line::Good);
    let slot = server.schedule.slots[0];
    for _ in 0..3 {
        device.at_ms += 12_345_678;
        device.power_on();
        device.run(&mut server, 61, |_| Line::Good);
        for _ in 0..3_600 {
            let wishes = device.run(&mut server, 1, |_| Line::Good);
            if wishes.contains(&Wish::Read(Kind::Billing)) {
                let second = device.at_ms / 1_000;
                assert!((second - i64::from(slot.start_s)).rem_euclid(i64::from(slot.period_s)) <= 1);
            }
        }
    }
}

#[test]
fn a_wrong_wall_clock_is_corrected_by_the_first_answer() {
    let (mut device, mut server) = (Device::new(), Server::new());
    device.wall_error_ms = -315_000_000_000;
    device.run(&mut server, 90, |_| Line::Good);
    device.tell(jam(1));
    let mut times = Vec::new();
    device.run(&mut server, 2, |call| {
        times.push(call.headers[1].1.parse::<i64>().unwrap());
        Line::Good
    });
    assert!((times[0] - device.at_ms).abs() < 5_000, "signed by the server's clock: {times:?}");
}

#[test]
fn every_byte_sent_is_of_the_allowed_schema() {
    let (mut device, mut server) = (Device::new(), Server::new());
    device.run(&mut server, 90, |_| Line::Good);
    device.tell(jam(1));
    device.tell(counters(3));
    device.run(&mut server, 7_200, |_| Line::Good);
    let mut messages = 0;
    for (path, body) in server.heard.iter().filter(|(path, _)| path == "/d/v1/report") {
        let report: Report = cbor::decode(body).unwrap();
        assert_eq!(&cbor::encode(&report), body, "{path}: nothing beside the fields that the schema names");
        for message in &report.messages {
            assert!(!matches!(message.body, Body::Unknown(..)), "kind {} is in no schema", message.body.kind());
            messages += 1;
        }
    }
    assert_eq!(messages, 2);
}

#[test]
fn nothing_is_sent_outside_the_domain() {
    let mut config = crate::server::config();
    config.server = "https://collector.evil.net".to_owned();
    let (flash, keys) = (embedded::MemoryFlash::default(), crate::server::Keys::new());
    let start = embedded::Moment { wall_ms: 0, mono_ms: 0 };
    let mut monitor = embedded::Monitor::open(config, flash, keys, start).unwrap();
    for minute in 0..10_000_u64 {
        let now = embedded::Moment { wall_ms: 0, mono_ms: minute * 60_000 };
        assert!(monitor.next(now).is_err());
    }
}

#[test]
fn it_tells_the_dictionary_and_the_full_set_when_the_server_needs_them() {
    let (mut device, mut server) = (Device::new(), Server::new());
    server.strict = true;
    device.run(&mut server, 90, |_| Line::Good);
    device.tell(Body::Billing(set(None, 10)));
    device.run(&mut server, 3, |_| Line::Good);
    let kinds: Vec<_> = server.stored.values().map(|message| message.body.kind()).collect();
    assert_eq!(kinds, [5, 80], "within seconds, the set under its old number");
    device.tell(Body::Billing(set(Some(77), 11)));
    let wishes = device.run(&mut server, 3, |_| Line::Good);
    assert!(wishes.contains(&Wish::Read(Kind::Billing)), "{wishes:?}");
    device.tell(Body::Billing(set(None, 12)));
    device.run(&mut server, 3, |_| Line::Good);
    assert_eq!((server.stored.len(), server.hellos), (3, 1));
}

#[test]
fn a_server_that_never_learns_is_not_pressed() {
    let (mut device, mut server) = (Device::new(), Server::new());
    server.strict = true;
    device.run(&mut server, 90, |_| Line::Good);
    device.tell(Body::Billing(CounterSet { dictionary: 1, ..set(None, 10) }));
    let mut calls = 0;
    device.run(&mut server, 86_400, |_| {
        calls += 1;
        Line::Good
    });
    assert!(calls < 100, "{calls} calls in a day");
}
