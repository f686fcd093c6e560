//! The road on which the server calls the device.

use embedded::Wish;
use wire::command::{Acks, Taken, What};
use wire::hello::{PollReply, Road};
use wire::monitor::Kind;
use wire::schedule::Schedule;
use wire::{Subject, cbor};

use crate::server::{Device, Line, SENDER, Server};

const HOUR: i64 = 3_600_000;

fn ready() -> (Device, Server) {
    let (mut device, mut server) = (Device::on(Road::HttpsBothWays), Server::new());
    device.run(&mut server, 90, |_| Line::Good);
    (device, server)
}

fn body(server: &Server) -> Vec<u8> {
    cbor::encode(&PollReply { server_ms: 0, commands: server.orders.clone(), schedule: None })
}

#[test]
fn a_call_of_the_server_is_obeyed_once_and_answered_in_place() {
    let (mut device, mut server) = ready();
    server.order(1, SENDER, HOUR, What::ReportNow(vec![Kind::Rom]));
    let (body, now) = (body(&server), device.now());
    let monitor = device.monitor.as_mut().unwrap();
    let first = monitor.called(now, &body).unwrap().unwrap();
    assert_eq!(first.wishes[0], Wish::Read(Kind::Rom));
    let acks: Acks = cbor::decode(&first.answer).unwrap();
    assert_eq!(acks.acks.iter().map(|ack| ack.taken).collect::<Vec<_>>(), [Taken::Done]);
    // Its answer was lost: the server calls again.
    let again = monitor.called(now, &body).unwrap().unwrap();
    assert!(!again.wishes.contains(&Wish::Read(Kind::Rom)) && again.answer == first.answer);
    monitor.called_back(&again).unwrap();
    device.run(&mut server, 120, |call| panic!("{} though it was told", call.path));
}

#[test]
fn an_answer_that_did_not_leave_goes_by_the_devices_own_call() {
    let (mut device, mut server) = ready();
    server.order(1, SENDER, HOUR, What::ReportNow(vec![Kind::Rom]));
    let (body, now) = (body(&server), device.now());
    device.monitor.as_mut().unwrap().called(now, &body).unwrap().unwrap();
    device.power_on();
    device.run(&mut server, 120, |_| Line::Good);
    assert_eq!(server.acks[0].taken, Taken::Done);
}

#[test]
fn calls_with_forged_orders_or_bare_schedules_change_nothing() {
    let (mut device, mut server) = ready();
    server.order(1, Subject([6; 16]), HOUR, What::SendLog);
    server.order(2, SENDER, HOUR, What::SendLog);
    server.orders[1].signature[5] ^= 1;
    let empty = Schedule { revision: 99, slots: Vec::new() };
    let forged = PollReply { server_ms: 0, commands: server.orders.clone(), schedule: Some(empty) };
    let now = device.now();
    let monitor = device.monitor.as_mut().unwrap();
    let called = monitor.called(now, &cbor::encode(&forged)).unwrap().unwrap();
    assert!(called.wishes.iter().all(|wish| matches!(wish, Wish::Answered(_, Taken::Refused))), "{called:?}");
    for wrong in [Vec::new(), b"GET /".to_vec(), vec![0xff; 100], vec![0; 300_000]] {
        assert!(monitor.called(now, &wrong).unwrap().is_err());
    }
    server.orders.clear();
    let wishes = device.run(&mut server, 7_200, |_| Line::Good);
    assert!(wishes.contains(&Wish::Read(Kind::Billing)), "the old schedule goes on: {wishes:?}");
}
