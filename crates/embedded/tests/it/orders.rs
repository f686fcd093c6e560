//! Orders: only genuine ones, only one's own, only in time, and each at most once.

use embedded::Wish;
use wire::Subject;
use wire::command::{Taken, What};
use wire::monitor::Kind;
use wire::schedule::{Schedule, Slot};

use crate::server::{Device, Line, SENDER, Server};

const HOUR: i64 = 3_600_000;

fn ready() -> (Device, Server) {
    let (mut device, mut server) = (Device::new(), Server::new());
    device.run(&mut server, 90, |_| Line::Good);
    (device, server)
}

#[test]
fn an_order_is_executed_once_though_its_answer_is_lost_and_power_too() {
    let (mut device, mut server) = ready();
    server.order(1, SENDER, 24 * HOUR, What::ReportNow(vec![Kind::Rom]));
    let mut read = 0;
    for round in 0..12 {
        let wishes = device
            .run(&mut server, 1_800, |call| if call.path == "/d/v1/ack" && round < 8 { Line::Cut } else { Line::Good });
        read += wishes.iter().filter(|wish| **wish == Wish::Read(Kind::Rom)).count();
        device.power_on();
    }
    assert_eq!(read, 1);
    assert!(server.orders.is_empty());
    assert_eq!(server.acks[0].taken, Taken::Done);
}

#[test]
fn orders_of_others_old_ones_and_forged_ones_are_refused() {
    let (mut device, mut server) = ready();
    server.order(1, Subject([6; 16]), 24 * HOUR, What::SendLog);
    server.order(2, SENDER, 1_000, What::SendLog);
    server.order(3, SENDER, 24 * HOUR, What::SendLog);
    let forged = server.orders.last_mut().unwrap();
    forged.signature[0] ^= 1;
    let wishes = device.run(&mut server, 7_200, |_| Line::Good);
    assert!(!wishes.iter().any(|wish| matches!(wish, Wish::SendLog(_))), "{wishes:?}");
    assert_eq!(server.acks.iter().map(|ack| ack.taken).collect::<Vec<_>>(), [Taken::Refused; 3]);
}

#[test]
fn a_log_is_answered_by_the_firmware() {
    let (mut device, mut server) = ready();
    server.order(1, SENDER, 24 * HOUR, What::SendLog);
    let wishes = device.run(&mut server, 3_700, |_| Line::Good);
    assert_eq!(wishes.iter().filter(|wish| matches!(wish, Wish::SendLog(_))).count(), 1);
    device.monitor.as_mut().unwrap().done(Subject([1; 16]), Taken::Failed, Some("no log".to_owned())).unwrap();
    device.run(&mut server, 5, |_| Line::Good);
    assert_eq!(server.acks[0].taken, Taken::Failed);
}

#[test]
fn a_new_schedule_in_any_answer_is_followed_and_an_older_one_is_not() {
    let (mut device, mut server) = ready();
    server.schedule = Schedule { revision: 5, slots: vec![Slot { kind: Kind::Smart, period_s: 60, start_s: 0 }] };
    device.tell(wire::Body::Browser(wire::monitor::BrowserBody::default()));
    device.run(&mut server, 5, |_| Line::Good);
    let wishes = device.run(&mut server, 121, |_| Line::Good);
    assert_eq!(wishes.iter().filter(|wish| **wish == Wish::Read(Kind::Smart)).count(), 2);
    let older = Schedule { revision: 4, slots: Vec::new() };
    server.order(9, SENDER, HOUR, What::Schedule(older));
    device.tell(wire::Body::Browser(wire::monitor::BrowserBody::default()));
    let wishes = device.run(&mut server, 121, |_| Line::Good);
    assert_eq!(wishes.iter().filter(|wish| **wish == Wish::Read(Kind::Smart)).count(), 2);
}
