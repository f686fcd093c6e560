//! The mail roads: all but the communication test goes by sealed mail, and what comes is believed only if it is genuine.

use embedded::{Call, Config, Mail, Wish};
use wire::command::{Acks, Taken, What};
use wire::hello::{PollReply, Road};
use wire::monitor::{BrowserBody, EventBody, Kind};
use wire::schedule::{Schedule, Slot};
use wire::sealed::Content;
use wire::{Body, Report, Subject, cbor};

use crate::server::{DEVICE_ADDRESS, Device, Line, SENDER, SERVER_ADDRESS, Server, set};

const HOUR: i64 = 3_600_000;

fn jam(code: u32) -> Body {
    Body::Jam(EventBody { code: format!("{code:06}"), ..EventBody::default() })
}

/// A device after its communication test.
fn tested(road: Road) -> (Device, Server) {
    let (mut device, mut server) = (Device::on(road), Server::new());
    device.run(&mut server, 90, |_| Line::Good);
    assert_eq!(server.hellos, 1);
    (device, server)
}

fn nothing_by_https(call: &Call) -> Line {
    panic!("{} after the communication test", call.path)
}

#[test]
fn after_its_communication_test_everything_goes_by_mail() {
    let (mut device, mut server) = tested(Road::Mail);
    device.tell(jam(1));
    device.tell(Body::Billing(set(None, 7)));
    device.run(&mut server, 7_200, nothing_by_https);
    let kinds: Vec<_> = server.stored.values().map(|message| message.body.kind()).collect();
    assert_eq!(kinds, [80, 2, 5], "the words for ids first, for nobody can ask for them");
    assert_eq!((server.hellos, server.fetches), (1, 0), "one way is one way");
}

#[test]
fn it_works_on_by_mail_after_power_loss_without_a_new_communication_test() {
    let (mut device, mut server) = tested(Road::MailBothWays);
    for code in 0..5 {
        device.tell(jam(code));
        device.power_on();
    }
    device.run(&mut server, 120, nothing_by_https);
    assert_eq!((server.hellos, server.stored.len()), (1, 6));
}

#[test]
fn what_was_told_by_mail_has_one_effect_whatever_happens_to_it() {
    let (mut device, mut server) = tested(Road::Mail);
    let mut n = 0_usize;
    for code in 0..40 {
        device.tell(jam(code));
        if code % 7 == 3 {
            device.power_on();
        }
        let fate = |_: &Mail| {
            n += 1;
            [Line::Good, Line::AnswerLost, Line::Cut, Line::Good, Line::AnswerLost][n % 5]
        };
        device.run_by_mail(&mut server, 3_000, nothing_by_https, fate);
    }
    device.run(&mut server, 200_000, nothing_by_https);
    assert_eq!((server.stored.len(), server.effects), (41, 41));
}

#[test]
fn orders_are_fetched_executed_once_and_answered_by_mail() {
    let (mut device, mut server) = tested(Road::MailBothWays);
    server.order(1, SENDER, 24 * HOUR, What::ReportNow(vec![Kind::Rom]));
    server.post_orders(device.at_ms, 24 * HOUR);
    let kept = server.maildrop.clone();
    let mut wishes = device.run(&mut server, 7_200, nothing_by_https);
    assert!(server.maildrop.is_empty(), "deleted once it is safe");
    // The mailbox was not emptied after all, and power was lost.
    for _ in 0..3 {
        server.maildrop.clone_from(&kept);
        device.power_on();
        wishes.extend(device.run(&mut server, 3_700, nothing_by_https));
    }
    assert_eq!(wishes.iter().filter(|wish| **wish == Wish::Read(Kind::Rom)).count(), 1);
    assert!(server.acks.iter().all(|ack| ack.taken == Taken::Done) && !server.acks.is_empty());
    assert!(server.fetches >= 4);
}

#[test]
fn replay_of_mail_to_a_device_is_refused_8() {
    let (mut device, mut server) = tested(Road::MailBothWays);
    let order = |server: &mut Server, id, target| {
        server.order(id, target, 7 * 24 * HOUR, What::SendLog);
        PollReply { server_ms: 0, commands: vec![server.orders.pop().unwrap()], schedule: None }
    };
    let (now, pair) = (device.at_ms, (SERVER_ADDRESS, DEVICE_ADDRESS));
    let other = Subject([6; 16]);
    let polls: Vec<_> = (1..6).map(|id| order(&mut server, id, SENDER)).collect();
    let for_other = order(&mut server, 6, other);
    let text = |mail: Vec<u8>| String::from_utf8(mail).unwrap();
    let swapped = text(server.letter(SENDER, pair, 5, now, HOUR, &polls[0])).replace("s=5\r\n", "s=6\r\n");
    let mails = [
        // Old, of the future, from another address, to another address, with a swapped mark.
        server.letter(SENDER, pair, 1, now - 25 * HOUR, HOUR, &polls[1]),
        server.letter(SENDER, pair, 2, now + 24 * HOUR, HOUR, &polls[2]),
        server.letter(SENDER, ("x@mail.example.com", DEVICE_ADDRESS), 3, now, HOUR, &polls[3]),
        server.letter(SENDER, (SERVER_ADDRESS, "d2@mail.example.com"), 4, now, HOUR, &polls[4]),
        swapped.into_bytes(),
    ];
    let foreign = [
        // To another device, with its mark; and what people write to printers.
        server.letter(other, pair, 7, now, HOUR, &for_other),
        b"From: a@b.example\r\nTo: d1@mail.example.com\r\nSubject: hello\r\n\r\nprint this\r\n".to_vec(),
    ];
    server.maildrop.extend(mails);
    server.maildrop.extend(foreign.clone());
    let wishes = device.run(&mut server, 7_200, nothing_by_https);
    assert!(!wishes.iter().any(|wish| matches!(wish, Wish::SendLog(_))), "{wishes:?}");
    assert_eq!(server.maildrop, foreign, "its own is dealt with, others' stays");
    // Genuine in every way, but the order inside names another device.
    server.maildrop = vec![server.letter(SENDER, pair, 8, device.at_ms, 3 * HOUR, &for_other)];
    let wishes = device.run(&mut server, 7_200, nothing_by_https);
    assert_eq!(wishes.iter().filter(|wish| matches!(wish, Wish::Answered(_, Taken::Refused))).count(), 1, "{wishes:?}");
}

#[test]
fn a_schedule_and_new_keys_come_by_order() {
    let (mut device, mut server) = tested(Road::MailBothWays);
    let schedule = Schedule { revision: 5, slots: vec![Slot { kind: Kind::Smart, period_s: 60, start_s: 0 }] };
    server.order(1, SENDER, 24 * HOUR, What::Schedule(schedule));
    server.order(2, SENDER, 24 * HOUR, What::Keys(Vec::new()));
    server.post_orders(device.at_ms, 24 * HOUR);
    device.run(&mut server, 7_200, nothing_by_https);
    let wishes = device.run(&mut server, 121, nothing_by_https);
    assert_eq!(wishes.iter().filter(|wish| **wish == Wish::Read(Kind::Smart)).count(), 2);
    device.tell(jam(1));
    device.run(&mut server, 120, nothing_by_https);
    assert_eq!(server.stored.len(), 2, "no keys are no new keys");
}

#[test]
fn every_byte_sent_by_mail_is_of_the_allowed_schema() {
    let (mut device, mut server) = tested(Road::MailBothWays);
    server.order(1, SENDER, 24 * HOUR, What::ReportNow(vec![Kind::Rom]));
    server.post_orders(device.at_ms, 24 * HOUR);
    device.tell(jam(1));
    device.tell(Body::Billing(set(None, 3)));
    device.run(&mut server, 7_200, nothing_by_https);
    let mut kinds = Vec::new();
    for mail in &server.mails {
        let (content, document) = server.open(mail, device.at_ms);
        match content {
            Content::Report => {
                let report: Report = cbor::decode(&document).unwrap();
                assert_eq!(cbor::encode(&report), document, "nothing beside the fields that the schema names");
                kinds.extend(report.messages.iter().map(|message| message.body.kind()));
            }
            Content::Acks => {
                assert_eq!(cbor::encode(&cbor::decode::<Acks>(&document).unwrap()), document);
                kinds.push(0);
            }
            Content::Orders | Content::Hello => panic!("{content:?} after a test by HTTPS"),
        }
        assert!(envelope_is_plain(&mail.message, mail), "{}", String::from_utf8_lossy(&mail.message));
    }
    kinds.sort_unstable();
    assert_eq!(kinds, [0, 2, 5, 80]);
}

/// Outside the seal stands nothing but the lines that every mail of every device has.
fn envelope_is_plain(message: &[u8], mail: &Mail) -> bool {
    let text = String::from_utf8(message.to_vec()).unwrap();
    let known =
        ["From: <", "To: <", "Subject: Platen ", "Date: ", "Message-ID: <", "X-Platen: v=1; d=", "MIME-Version: 1.0"];
    let (head, rest) = text.split_once("\r\n\r\n").unwrap();
    let head = head.lines().all(|line| {
        known.iter().any(|name| line.starts_with(name))
            || line == "Content-Type: multipart/mixed; boundary=\"=_platen\""
    });
    let fixed = "--=_platen\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
                 A message between a printing device and its service. Nobody needs to read it.\r\n\
                 --=_platen\r\nContent-Type: application/cose; name=\"";
    let parts = rest.split("\r\n--=_platen").count() == 3 && rest.starts_with(fixed);
    head && parts && mail.from == DEVICE_ADDRESS && mail.to == SERVER_ADDRESS
}

#[test]
fn no_mail_server_outside_the_domain_is_used() {
    let (mut device, mut server) = (Device::on(Road::Mail), Server::new());
    device.run(&mut server, 90, |_| Line::Good);
    for wrong in ["smtp://mail.evil.net:25", "smtps://mail.example.com@evil.net", "http://mail.example.com"] {
        let config = Config { road: Road::Mail, mail_server: Some(wrong.to_owned()), ..crate::server::config() };
        let (flash, keys) = (device.flash.clone(), crate::server::Keys::new());
        let mut monitor = embedded::Monitor::open(config, flash, keys, device.now()).unwrap();
        monitor.tell(device.now(), Body::Browser(BrowserBody::default())).unwrap();
        for minute in 0..1_000_u64 {
            let now = embedded::Moment { wall_ms: 0, mono_ms: device.now().mono_ms + minute * 60_000 };
            assert!(!matches!(monitor.next(now), Ok(Some(_))), "{wrong}");
        }
    }
}

#[test]
fn a_clock_that_forgot_the_year_does_not_silence_a_device_on_mail() {
    let (mut device, mut server) = tested(Road::Mail);
    device.wall_error_ms = -40 * 365 * 24 * HOUR;
    device.power_on();
    device.tell(jam(1));
    device.run(&mut server, 3_600, nothing_by_https);
    assert_eq!(server.stored.len(), 2);
}

#[test]
fn another_road_takes_another_communication_test() {
    let (mut device, mut server) = tested(Road::Https);
    device.road = Road::Mail;
    device.power_on();
    device.run(&mut server, 90, |_| Line::Good);
    device.tell(jam(1));
    device.run(&mut server, 120, nothing_by_https);
    assert_eq!((server.hellos, server.mails.is_empty()), (2, false));
}
