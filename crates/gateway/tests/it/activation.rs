//! Devices that reach nothing but mail: activated by a document, tested by mail, heard from then on.

use platen_core::monitors::{self, MonitorState, NewMonitor};
use wire::{
    Activation,
    command::{Order, What},
    hello::{Hello, Road},
};

use crate::{
    door::Door,
    mail_in::{fleet, messages, reasons},
    maildrop::{body, login},
    post::{Postal, SERIAL, activated, device, doors, each, say, say_tls},
};

const OTHER: &str = "E216R220017";

/// A registered device and the document that was made for it.
async fn registered(door: &Door, serial: &str, road: Road) -> (Postal, Activation) {
    let new = NewMonitor { vendor: "ricoh".to_owned(), serial: serial.to_owned(), model: None };
    let id = monitors::register(&door.root, door.root.home, &new).await.unwrap().monitor.id;
    let document = monitors::activation(&door.root, id, road).await.unwrap();
    (activated(&document), document)
}

async fn state(door: &Door, device: &Postal) -> MonitorState {
    monitors::get(&door.root, device.sender.id.into()).await.unwrap().state
}

#[tokio::test]
async fn a_device_that_reaches_mail_alone_is_tested_by_mail_reports_and_fetches_its_orders() {
    for door in each(doors()).await {
        for (serial, road) in [(SERIAL, Road::Mail), (OTHER, Road::MailBothWays)] {
            let (device, document) = registered(&door, serial, road).await;
            let letter = device.test(&door, &device.hello(&door, &document));
            let answer = say(door.gateway.mail.smtp, &device.session(&letter)).await;
            assert!(answer.contains("250 2.0.0 stored"), "{answer}");
            assert_eq!(state(&door, &device).await, MonitorState::Active);
            let letter = device.letter(&door, device.status(1, serial));
            let answer = say_tls(&door, door.gateway.mail.smtps, &device.session(&letter)).await;
            assert!(answer.contains("250 2.0.0 stored"), "{answer}");
            assert_eq!(messages(&door, &device).await, 1);
            let id = device.sender.id.into();
            let ordered = monitors::order(&door.root, id, What::SendLog, 3_600_000).await;
            if road == Road::Mail {
                assert!(ordered.is_err() && document.mail.pop3.is_none(), "one way is one way");
                continue;
            }
            let fetch = format!("{}RETR 1\r\nQUIT\r\n", login(&device));
            let answer = say_tls(&door, door.gateway.mail.pop3s, fetch.as_bytes()).await;
            let orders = device.orders(&door, &body(&answer));
            let order: Order = wire::cbor::decode(&orders.commands[0].order).unwrap();
            assert_eq!((order.target, order.what), (device.sender.id, What::SendLog));
        }
        assert_eq!((fleet(&door).await, reasons(&door).await), (2, Vec::new()));
    }
}

#[tokio::test]
async fn a_report_that_overtakes_the_test_of_its_device_is_to_be_brought_again() {
    for door in each(doors()).await {
        let (new, document) = registered(&door, SERIAL, Road::Mail).await;
        let smtp = door.gateway.mail.smtp;
        let report = new.session(&new.letter(&door, new.status(1, SERIAL)));
        assert!(say(smtp, &report).await.contains("451 4.3.0 not stored"));
        assert!(say(smtp, &new.session(&new.test(&door, &new.hello(&door, &document)))).await.contains("250 2.0.0"));
        assert!(say(smtp, &report).await.contains("250 2.0.0 stored"));
        // Another board, which the server does not know yet, in a device that it knows.
        let known = device(&door, OTHER).await;
        let document = monitors::activation(&door.root, known.sender.id.into(), Road::Mail).await.unwrap();
        let board = activated(&document);
        let report = board.session(&board.letter(&door, board.status(1, OTHER)));
        assert!(say(smtp, &report).await.contains("451 4.3.0 not stored"));
        let letter = known.letter(&door, known.status(1, OTHER));
        assert!(
            say(smtp, &known.session(&letter)).await.contains("250 2.0.0 stored"),
            "the old board is heard till then"
        );
        assert!(
            say(smtp, &board.session(&board.test(&door, &board.hello(&door, &document)))).await.contains("250 2.0.0")
        );
        assert!(say(smtp, &report).await.contains("250 2.0.0 stored"));
        assert!(reasons(&door).await.is_empty(), "nobody need care");
        let letter = known.letter(&door, known.status(2, OTHER));
        assert!(say(smtp, &known.session(&letter)).await.contains("550 5.7.1 not allowed"), "no test is awaited");
        assert!(door.gateway.metrics()().contains("outcome=\"untested\"} 2\n"));
    }
}

#[tokio::test]
async fn replay_of_a_test_by_mail_is_taken_and_changes_nothing_8() {
    for door in each(doors()).await {
        let (device, document) = registered(&door, SERIAL, Road::Mail).await;
        let session = device.session(&device.test(&door, &device.hello(&door, &document)));
        let smtp = door.gateway.mail.smtp;
        assert!(say(smtp, &session).await.contains("250 2.0.0 stored"));
        let tested = monitors::get(&door.root, device.sender.id.into()).await.unwrap();
        door.test.clock.advance(std::time::Duration::from_secs(60));
        assert!(say(smtp, &session).await.contains("250 2.0.0 stored"));
        assert_eq!(monitors::get(&door.root, device.sender.id.into()).await.unwrap(), tested);
        door.test.clock.advance(std::time::Duration::from_secs(7 * 86_400));
        assert!(say(smtp, &session).await.contains("550 5.7.1 not allowed"), "its time is over");
    }
}

#[tokio::test]
async fn spoofing_of_a_test_by_mail_reads_alike_and_leaves_a_line_each_7() {
    for door in each(doors()).await {
        let (device, document) = registered(&door, SERIAL, Road::Mail).await;
        let (other, of_other) = registered(&door, OTHER, Road::Mail).await;
        let good = || device.hello(&door, &document);
        let own = |hello: Hello| device.session(&device.test(&door, &hello));
        let renamed = String::from_utf8(device.test(&door, &good())).unwrap();
        let renamed = renamed.replace(&device.pair.device, &other.pair.device);
        let renamed = renamed.replace(&device.sender.id.to_text(), &other.sender.id.to_text());
        let sessions = [
            ("wrong claim", own(Hello { claim: Some(of_other.claim.clone()), ..good() })),
            ("a test of another device", own(Hello { serial: OTHER.to_owned(), ..good() })),
            ("mail of a wrong pair", other.session(&device.test(&door, &good()))),
            ("a seal that does not open", own(Hello { key: vec![9; 32], ..good() })),
            ("a seal that does not open", other.session(renamed.as_bytes())),
        ];
        let mut answers = Vec::new();
        for (why, session) in sessions {
            answers.push(say(door.gateway.mail.smtp, &session).await);
            let told = reasons(&door).await;
            assert!(told.contains(&why.to_owned()), "{why}: {told:?}");
        }
        assert!(answers.iter().all(|answer| *answer == answers[0] && answer.contains("550 5.7.1")), "{answers:?}");
        for device in [&device, &other] {
            assert_eq!(state(&door, device).await, MonitorState::Registered);
        }
        assert_eq!(fleet(&door).await, 0);
    }
}
