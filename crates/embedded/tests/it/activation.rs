//! Activation by a document: the test goes by mail, before all else, whatever becomes of power and line.

use embedded::{ActivationError, Call, Flash as _, Mail, Wish};
use wire::command::{Taken, What};
use wire::hello::Road;
use wire::monitor::{EventBody, Kind};
use wire::schedule::{Schedule, Slot};
use wire::{Activation, Body};

use crate::server::{Device, Line, SENDER, START_MS, Server};

const HOUR: i64 = 3_600_000;

fn jam(code: u32) -> Body {
    Body::Jam(EventBody { code: format!("{code:06}"), ..EventBody::default() })
}

fn no_way(call: &Call) -> Line {
    panic!("{} by a device that reaches mail alone", call.path)
}

fn is_test(mail: &Mail) -> bool {
    String::from_utf8_lossy(&mail.message).contains("; k=98; ")
}

/// All records of the flash.
fn records(device: &Device) -> Vec<(String, Option<Vec<u8>>)> {
    let keys = device.flash.keys().unwrap();
    keys.into_iter().map(|key| (key.clone(), device.flash.get(&key).unwrap())).collect()
}

#[test]
fn a_device_that_reaches_mail_alone_makes_its_test_by_mail_and_then_reports() {
    for road in [Road::Mail, Road::MailBothWays] {
        let (mut device, mut server) = (Device::on(road), Server::new());
        device.tell(jam(1));
        let wishes = device.activate(&server.document(START_MS, road, 1)).unwrap();
        assert_eq!(wishes.first(), Some(&Wish::Read(Kind::Status)), "it is known by its first status");
        device.run(&mut server, 7_200, no_way);
        let (hello, epoch) = &server.tests[0];
        assert_eq!((server.tests.len(), *epoch, hello.road), (1, 1, road));
        assert_eq!(hello.claim.as_deref(), Some(format!("plc_{START_MS}").as_str()));
        assert_eq!(hello.seal.is_some(), road == Road::MailBothWays);
        assert!(is_test(&server.mails[0]) && !server.mails[1..].iter().any(is_test), "before all else, and once");
        let kinds: Vec<_> = server.stored.values().map(|message| message.body.kind()).collect();
        assert_eq!(kinds, [2, 80], "{road:?}");
    }
}

#[test]
fn orders_reach_a_device_that_was_activated_by_a_document() {
    let (mut device, mut server) = (Device::on(Road::MailBothWays), Server::new());
    device.activate(&server.document(START_MS, Road::MailBothWays, 1)).unwrap();
    device.run(&mut server, 120, no_way);
    server.order(1, SENDER, 24 * HOUR, What::ReportNow(vec![Kind::Rom]));
    server.post_orders(device.at_ms, 24 * HOUR);
    let wishes = device.run(&mut server, 7_200, no_way);
    assert!(wishes.contains(&Wish::Read(Kind::Rom)), "{wishes:?}");
    assert!(server.acks.iter().all(|ack| ack.taken == Taken::Done) && !server.acks.is_empty());
}

#[test]
fn a_loss_of_power_between_document_and_test_loses_neither() {
    let (mut device, mut server) = (Device::on(Road::Mail), Server::new());
    device.activate(&server.document(START_MS, Road::Mail, 1)).unwrap();
    device.power_on();
    assert!(!device.monitor.as_ref().unwrap().tested());
    // The server took it, and power went before the device heard so: the same test again has no second effect.
    device.run_by_mail(&mut server, 90, no_way, |_| Line::AnswerLost);
    device.power_on();
    device.run(&mut server, 90, no_way);
    assert_eq!(server.tests.iter().map(|(_, epoch)| *epoch).collect::<Vec<_>>(), [1, 1]);
    assert!(device.monitor.as_ref().unwrap().tested());
    device.power_on();
    device.tell(jam(1));
    device.run(&mut server, 120, no_way);
    assert_eq!((server.tests.len(), server.stored.len()), (2, 2), "once taken it is over");
}

#[test]
fn a_test_that_is_refused_waits_and_is_made_again_and_nothing_else_goes_before_it() {
    let (mut device, mut server) = (Device::on(Road::Mail), Server::new());
    device.activate(&server.document(START_MS, Road::Mail, 1)).unwrap();
    device.tell(jam(1));
    let mut tries = Vec::new();
    device.run_by_mail(&mut server, 20 * 3_600, no_way, |mail| {
        tries.push(is_test(mail));
        if tries.len() < 6 { Line::Cut } else { Line::Good }
    });
    assert_eq!(tries.iter().position(|test| !test), Some(6), "{tries:?}");
    assert_eq!((server.tests.len(), server.stored.len()), (1, 2));
}

#[test]
fn a_later_document_renews_schedule_and_addresses_the_same_changes_nothing_an_earlier_one_is_refused() {
    let (mut device, mut server) = (Device::on(Road::Mail), Server::new());
    let first = server.document(START_MS, Road::Mail, 4);
    device.activate(&first).unwrap();
    device.run(&mut server, 120, no_way);
    let before = records(&device);
    assert!(device.activate(&first).unwrap().is_empty());
    assert_eq!(records(&device), before);
    server.schedule = Schedule { revision: 2, slots: vec![Slot { kind: Kind::Smart, period_s: 60, start_s: 0 }] };
    let second = server.document(START_MS + 60_000, Road::Mail, 1);
    device.activate(&second).unwrap();
    let wishes = device.run(&mut server, 121, no_way);
    assert!(wishes.contains(&Wish::Read(Kind::Smart)), "the schedule of the newer one: {wishes:?}");
    let epochs: Vec<_> = server.tests.iter().map(|(_, epoch)| *epoch).collect();
    assert_eq!(epochs, [4, 5], "the floor of the document, and never less than one more than its own");
    let claims: Vec<_> = server.tests.iter().map(|(hello, _)| hello.claim.clone().unwrap()).collect();
    assert_eq!(claims, [first.claim.clone(), second.claim.clone()]);
    assert!(matches!(device.activate(&first), Err(ActivationError::Older)));
}

#[test]
fn documents_of_another_device_road_or_domain_are_refused_and_change_nothing() {
    let (mut device, server) = (Device::on(Road::MailBothWays), Server::new());
    let good = || server.document(START_MS, Road::MailBothWays, 1);
    let wrong = |change: &dyn Fn(&mut Activation)| {
        let mut document = good();
        change(&mut document);
        document
    };
    let pop3 = |server: &str| wrong(&|d| d.mail.pop3 = Some(server.to_owned()));
    let before = records(&device);
    let refused = [
        wrong(&|d| d.version = 2),
        wrong(&|d| d.serial = "QMA00124".to_owned()),
        wrong(&|d| d.vendor = "ricoh".to_owned()),
        wrong(&|d| d.road = Road::Mail),
        wrong(&|d| d.mail.smtp = Some("smtp://mail.evil.net:25".to_owned())),
        wrong(&|d| d.mail.smtp = Some("http://mail.example.com".to_owned())),
        wrong(&|d| d.mail.smtp = None),
        pop3("pop3s://mail.example.com.evil.net:995"),
        wrong(&|d| d.mail.pop3 = None),
        wrong(&|d| d.mail.secret = None),
        wrong(&|d| d.mail.device = "nobody".to_owned()),
        wrong(&|d| d.keys.clear()),
        wrong(&|d| d.keys[0].seal.truncate(32)),
    ];
    for (number, document) in refused.iter().enumerate() {
        let told = device.activate(document).unwrap_err();
        assert!(!told.to_string().contains("sesame") && !told.to_string().contains("plc_"), "{told}");
        assert_eq!(records(&device), before, "{number}: {told}");
    }
    let mut by_https = Device::on(Road::Https);
    assert!(matches!(by_https.activate(&good()), Err(ActivationError::Road)));
    device.activate(&good()).unwrap();
}

#[test]
fn a_device_whose_clock_forgot_the_year_makes_its_test_by_mail() {
    let (mut device, mut server) = (Device::on(Road::Mail), Server::new());
    device.wall_error_ms = -40 * 365 * 24 * HOUR;
    device.power_on();
    // The envelope is opened with the server's clock, an hour after the document was made.
    let document = server.document(START_MS - HOUR, Road::Mail, 1);
    device.activate(&document).unwrap();
    device.power_on();
    device.run(&mut server, 3_600, no_way);
    assert_eq!((server.tests.len(), server.stored.len()), (1, 1));
}
