//! The SMTP door: sealed reports take effect, and nothing else does.

use platen_core::{
    devices::{self, DeviceQuery},
    monitors,
    orders::CommandState,
    page::PageQuery,
};
use tokio::net::TcpStream;
use wire::{
    command::{Ack, Acks, Taken, What},
    hello::Road,
};

use crate::{
    door::Door,
    post::{self, Postal, SERIAL, device, doors, each, open, say, say_tls, session},
};

pub async fn fleet(door: &Door) -> usize {
    devices::list(&door.root, &DeviceQuery::default()).await.unwrap().items.len()
}

pub async fn messages(door: &Door, device: &Postal) -> i64 {
    let kinds = monitors::kinds(&door.root, device.sender.id.into()).await.unwrap();
    kinds.iter().map(|kind| kind.messages).sum()
}

pub async fn reasons(door: &Door) -> Vec<String> {
    let strangers = monitors::strangers(&door.root, &PageQuery::default()).await.unwrap();
    strangers.items.into_iter().map(|stranger| stranger.why).collect()
}

#[tokio::test]
async fn sealed_mail_of_a_registered_device_takes_effect_before_250() {
    for door in each(doors()).await {
        let device = device(&door, SERIAL).await;
        let letters: Vec<Vec<u8>> = (1..4).map(|seq| device.letter(&door, device.status(seq, SERIAL))).collect();
        let mail = door.gateway.mail;
        let answer = say(mail.smtp, &device.session(&letters[0])).await;
        assert!(answer.ends_with("250 2.0.0 stored\r\n221 2.0.0 bye\r\n"), "{answer}");
        assert_eq!((fleet(&door).await, messages(&door, &device).await), (1, 1));
        let answer = say_tls(&door, mail.smtps, &device.session(&letters[1])).await;
        assert!(answer.contains("250 2.0.0 stored\r\n"), "{answer}");
        let mut clear = TcpStream::connect(mail.smtp.unwrap()).await.unwrap();
        begin(&mut clear, "EHLO device\r\n", "ENHANCEDSTATUSCODES\r\n").await;
        begin(&mut clear, "STARTTLS\r\n", "220 2.0.0 begin TLS\r\n").await;
        let answer = post::say_on(post::secure(&door, clear).await, &device.session(&letters[2])).await;
        assert!(answer.contains("250 2.0.0 stored\r\n"), "{answer}");
        assert_eq!(messages(&door, &device).await, 3);
        let known = monitors::get(&door.root, device.sender.id.into()).await.unwrap();
        assert_eq!((known.road, known.said_road), (Some(Road::MailBothWays), Some(Road::Mail)));
        assert!(reasons(&door).await.is_empty());
    }
}

/// Says a line and waits for the end of its answer.
pub async fn begin(stream: &mut TcpStream, line: &str, end: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut answer = Vec::new();
    let talk = async {
        stream.write_all(line.as_bytes()).await.unwrap();
        while !answer.ends_with(end.as_bytes()) {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0, "{}", String::from_utf8_lossy(&answer));
        }
    };
    tokio::time::timeout(post::HANG, talk).await.unwrap_or_else(|_| panic!("no {end:?} came"));
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn mail_that_is_unsealed_unknown_or_of_a_wrong_pair_is_refused_and_listed() {
    for door in each(doors()).await {
        let (device, other) = (device(&door, SERIAL).await, device(&door, "E216R220017").await);
        let letter = device.letter(&door, device.status(1, SERIAL));
        let smtp = door.gateway.mail.smtp;
        let own = Some(device.pair.device.as_str());
        let unknown = say(smtp, &session(own, "somebody@elsewhere.example", &letter)).await;
        assert!(unknown.contains("550 5.1.1 no such recipient here\r\n554 5.5.1 no valid recipients"), "{unknown}");
        let stranger = say(smtp, &session(Some("x@print.example"), &device.pair.server, &letter)).await;
        assert_eq!(stranger, unknown, "who is known is nobody's to learn");
        let plain = b"From: <a@b>\r\nTo: <c@d>\r\nSubject: toner\r\n\r\nplease send toner\r\n";
        let unsealed = say(smtp, &device.session(plain)).await;
        assert!(unsealed.contains("554 5.6.0 malformed message"), "{unsealed}");
        // The letter of one device in the envelope of another.
        let swapped = say(smtp, &other.session(&letter)).await;
        assert!(swapped.contains("550 5.7.1 not allowed"), "{swapped}");
        // The seal of one device under the mark and the addresses of another.
        let text = String::from_utf8(letter).unwrap();
        let text = text.replace(&device.pair.device, &other.pair.device);
        let text = text.replace(&device.sender.id.to_text(), &other.sender.id.to_text());
        let forged = say(smtp, &other.session(text.as_bytes())).await;
        assert!(forged.contains("550 5.7.1 not allowed"), "{forged}");
        assert_eq!(fleet(&door).await, 0);
        let mut reasons = reasons(&door).await;
        reasons.sort();
        assert!(reasons.contains(&"a seal that does not open".to_owned()), "{reasons:?}");
        for why in ["mail of a wrong pair", "unsealed mail"] {
            assert!(reasons.contains(&why.to_owned()), "{why}: {reasons:?}");
        }
        let metrics = door.gateway.metrics()();
        for outcome in ["unknown_recipient", "wrong_pair", "unsealed", "bad_seal"] {
            assert!(metrics.contains(&format!("{{door=\"smtp\",outcome=\"{outcome}\"}}")), "{outcome}: {metrics}");
        }
    }
}

#[tokio::test]
async fn bounces_and_auto_replies_create_nothing_15() {
    for door in each(doors()).await {
        let device = device(&door, SERIAL).await;
        let letter = device.letter(&door, device.status(1, SERIAL));
        let smtp = door.gateway.mail.smtp;
        let text = String::from_utf8(letter.clone()).unwrap();
        let replied = text.replacen("Subject:", "Auto-Submitted: auto-replied\r\nSubject:", 1);
        let report = text.replacen("multipart/mixed", "multipart/report", 1);
        let sessions = [
            session(None, &device.pair.server, &letter),
            device.session(replied.as_bytes()),
            device.session(report.as_bytes()),
            session(None, &device.pair.server, b"Subject: Undelivered Mail Returned to Sender\r\n\r\n\r\n"),
        ];
        for session in sessions {
            let answer = say(smtp, &session).await;
            assert!(answer.contains("250 2.0.0 stored"), "taken, so that nobody bounces a bounce: {answer}");
        }
        assert_eq!((fleet(&door).await, messages(&door, &device).await), (0, 0));
        assert!(reasons(&door).await.is_empty());
        assert!(door.gateway.metrics()().contains("outcome=\"automatic\"} 4\n"));
        let answer = say(smtp, &device.session(&letter)).await;
        assert!(answer.contains("250 2.0.0 stored") && fleet(&door).await == 1, "its number was not used up");
    }
}

#[tokio::test]
async fn replay_of_mail_has_no_second_effect_8() {
    for door in each(doors()).await {
        let device = device(&door, SERIAL).await;
        let letter = device.letter(&door, device.status(1, SERIAL));
        let smtp = door.gateway.mail.smtp;
        for _ in 0..3 {
            assert!(say(smtp, &device.session(&letter)).await.contains("250 2.0.0 stored"));
        }
        assert_eq!(messages(&door, &device).await, 1);
        // The same message by HTTPS is the same message.
        let answer = door.report(&device.sender, vec![device.status(1, SERIAL)]).await;
        assert_eq!(crate::door::reply_of(answer).await.results[0].outcome, wire::Outcome::Duplicate);
        // A letter that is older than it says it lives is nothing any more.
        door.test.clock.advance(std::time::Duration::from_secs(2 * 86_400));
        let late = device.session(&letter);
        assert!(say(smtp, &late).await.contains("550 5.7.1 not allowed"));
        let mark = format!("e={}; s=1", device.sender.epoch);
        let moved = String::from_utf8(letter).unwrap().replace(&mark, &mark.replace("s=1", "s=2"));
        assert!(say(smtp, &device.session(moved.as_bytes())).await.contains("550 5.7.1 not allowed"));
        assert_eq!(messages(&door, &device).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_at_every_byte_of_data_nothing_is_half_visible_11() {
    let door = open(doors()).await;
    let device = device(&door, SERIAL).await;
    let whole = device.session(&device.letter(&door, device.status(1, SERIAL)));
    let data = whole.windows(6).position(|window| window == b"DATA\r\n").unwrap() + 6;
    let end = whole.windows(5).position(|window| window == b"\r\n.\r\n").unwrap() + 5;
    for cut in data..end {
        let answer = say(door.gateway.mail.smtp, &whole[..cut]).await;
        assert!(answer.ends_with("354 end with a dot alone\r\n"), "cut at {cut}: {answer}");
    }
    assert_eq!((fleet(&door).await, messages(&door, &device).await), (0, 0), "{} cuts", end - data);
    let answer = say(door.gateway.mail.smtp, &whole[..end]).await;
    assert!(answer.ends_with("250 2.0.0 stored\r\n"), "{answer}");
    assert_eq!(messages(&door, &device).await, 1);
}

#[tokio::test]
async fn answers_to_orders_come_by_mail() {
    for door in each(doors()).await {
        let device = device(&door, SERIAL).await;
        let id = monitors::order(&door.root, device.sender.id.into(), What::SendLog, 3_600_000).await.unwrap();
        let ack = Ack { id: id.0.into(), taken: Taken::Done, detail: None };
        let letter = device.acks(&door, 1, &Acks { acks: vec![ack] });
        assert!(say(door.gateway.mail.smtp, &device.session(&letter)).await.contains("250 2.0.0 stored"));
        let rows = monitors::commands(&door.root, device.sender.id.into()).await.unwrap();
        assert_eq!(rows[0].state, CommandState::Done);
    }
}

#[tokio::test]
async fn a_device_may_log_in_inside_tls_and_then_sends_as_itself_alone() {
    for door in each(doors()).await {
        let device = device(&door, SERIAL).await;
        let login = |user: &str, password: &str| {
            use base64::{Engine as _, engine::general_purpose::STANDARD};
            format!("EHLO a\r\nAUTH PLAIN {}\r\n", STANDARD.encode(format!("\0{user}\0{password}")))
        };
        let (user, secret) = (device.pair.device.as_str(), device.pair.secret.as_deref().unwrap());
        let smtps = door.gateway.mail.smtps;
        let senders = format!("{}MAIL FROM:<{user}>\r\nRSET\r\nMAIL FROM:<x@y>\r\n", login(user, secret));
        let good = say_tls(&door, smtps, senders.as_bytes()).await;
        assert!(
            good.contains("235 2.7.0") && good.contains("250 2.1.0") && good.ends_with("550 5.7.1 not allowed\r\n"),
            "{good}"
        );
        assert!(
            say_tls(&door, smtps, login(user, "wrong").as_bytes())
                .await
                .ends_with("535 5.7.8 wrong name or password\r\n")
        );
        assert!(say_tls(&door, smtps, login("x@print.example", secret).as_bytes()).await.contains("535 "));
        let clear = say(door.gateway.mail.smtp, login(user, secret).as_bytes()).await;
        assert!(clear.contains("538 5.7.11"), "{clear}");
    }
}
