//! The five limits that administrators know by name, at the doors; time limits; the end of the server; mutants.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    mail_in::begin,
    mutator::{self, Dice},
    post::{HANG, Postal, SERIAL, device, doors, open, say, say_tls},
};

/// Mutants that go through sockets, TLS and the database; the sessions alone are tried with all of them in crate `mail`.
const LIVE: u64 = 300;

#[tokio::test]
async fn the_limit_connection_rate_delays_and_then_refuses() {
    let mut config = doors();
    config.limits.connection_rate.network = 2;
    config.limits.connection_rate.burst = 1;
    let door = open(config).await;
    for (address, refusal) in [
        (door.gateway.mail.smtp, "421 4.7.0 too many connections, try again later\r\n"),
        (door.gateway.mail.pop3, "-ERR [SYS/TEMP] too many"),
    ] {
        assert!(!say(address, b"QUIT\r\n").await.starts_with(refusal), "the first is within its rate");
        // Twenty at once are more than a rate of two lets in, however slow the machine is.
        let crowd = async || {
            let quit: JoinSet<String> = (0..20).map(|_| say(address, b"QUIT\r\n")).collect();
            quit.join_all().await.iter().any(|answer| answer.starts_with(refusal))
        };
        let refused = async { while !crowd().await {} };
        tokio::time::timeout(HANG, refused).await.expect("a crowd is refused");
        let again = async { while say(address, b"QUIT\r\n").await.starts_with(refusal) {} };
        tokio::time::timeout(HANG, again).await.expect("tokens come back with time");
    }
    let metrics = door.gateway.metrics()();
    assert!(metrics.contains("outcome=\"connection_rate\"}") && !metrics.contains("outcome=\"connection_rate\"} 0\n"));
}

#[tokio::test]
async fn the_limit_max_sessions_refuses_while_they_last() {
    let mut config = doors();
    config.limits.max_sessions.address = 2;
    let door = open(config).await;
    let connect = async || TcpStream::connect(door.gateway.mail.smtp.unwrap()).await.unwrap();
    let (mut one, mut two) = (connect().await, connect().await);
    begin(&mut one, "", "Platen\r\n").await;
    begin(&mut two, "", "Platen\r\n").await;
    assert_eq!(say(door.gateway.mail.smtp, b"").await, "421 4.3.2 too many sessions, try again later\r\n");
    assert!(door.gateway.metrics()().contains("platen_mail_sessions{door=\"smtp\"} 2\n"));
    begin(&mut one, "QUIT\r\n", "bye\r\n").await;
    let mut rest = Vec::new();
    one.shutdown().await.unwrap();
    one.read_to_end(&mut rest).await.unwrap();
    let again = async {
        while !say(door.gateway.mail.smtp, b"QUIT\r\n").await.starts_with("220 ") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(HANG, again).await.expect("the place of the first is free again");
}

#[tokio::test]
async fn the_limit_min_free_is_answered_at_mail_from() {
    let mut config = doors();
    config.limits.min_free.bytes = u64::MAX;
    let door = open(config).await;
    let answer = say(door.gateway.mail.smtp, b"EHLO a\r\nMAIL FROM:<a@b> SIZE=5\r\nQUIT\r\n").await;
    assert!(answer.contains("452 4.3.1 insufficient storage, try again later\r\n221 "), "{answer}");
    assert!(door.gateway.metrics()().contains("outcome=\"min_free\"} 1\n"));
}

#[tokio::test]
async fn the_limits_max_header_and_max_message_stop_what_is_too_large() {
    let mut config = doors();
    config.limits.max_header.bytes = 1_000;
    config.limits.max_message = 5_000;
    let door = open(config).await;
    let device = device(&door, SERIAL).await;
    let head = format!("Subject: {}\r\n\r\n", "x\r\n ".repeat(400));
    let answer = say(door.gateway.mail.smtp, &device.session(head.as_bytes())).await;
    assert!(answer.contains("552 5.3.4 header too large"), "{answer}");
    let body = format!("Subject: x\r\n\r\n{}", "line\r\n".repeat(1_000));
    let answer = say(door.gateway.mail.smtp, &device.session(body.as_bytes())).await;
    assert!(answer.contains("552 5.3.4 message too large"), "{answer}");
    let told = format!("EHLO a\r\nMAIL FROM:<{}> SIZE=5001\r\n", device.pair.device);
    assert!(say(door.gateway.mail.smtp, told.as_bytes()).await.contains("552 5.3.4"));
    let metrics = door.gateway.metrics()();
    assert!(
        metrics.contains("outcome=\"max_header\"} 1\n") && metrics.contains("outcome=\"max_message\"} 2\n"),
        "{metrics}"
    );
}

#[tokio::test]
async fn silence_ends_a_session() {
    let mut config = doors();
    config.limits.idle = Duration::from_millis(200);
    let door = open(config).await;
    for (address, last) in [
        (door.gateway.mail.smtp, "421 4.4.2 timeout, closing\r\n"),
        (door.gateway.mail.pop3, "-ERR timeout, closing\r\n"),
    ] {
        let mut stream = TcpStream::connect(address.unwrap()).await.unwrap();
        begin(&mut stream, "", last).await;
    }
}

#[tokio::test]
async fn a_message_under_way_is_finished_while_the_server_stops() {
    let door = open(doors()).await;
    let device = device(&door, SERIAL).await;
    let whole = device.session(&device.letter(&door, device.status(1, SERIAL)));
    let half = whole.len() / 2;
    let (mut idle, mut busy) = (
        TcpStream::connect(door.gateway.mail.smtp.unwrap()).await.unwrap(),
        TcpStream::connect(door.gateway.mail.smtp.unwrap()).await.unwrap(),
    );
    begin(&mut idle, "NOOP\r\n", "ok\r\n").await;
    busy.write_all(&whole[..half]).await.unwrap();
    begin(&mut busy, "", "dot alone\r\n").await;
    door.stop.cancel();
    begin(&mut idle, "", "421 4.3.2 service is stopping, try again later\r\n").await;
    busy.write_all(&whole[half..]).await.unwrap();
    begin(&mut busy, "", "250 2.0.0 stored\r\n221 2.0.0 bye\r\n").await;
    drop((idle, busy));
    tokio::time::timeout(HANG, door.gateway.task).await.expect("it ends when its sessions have").unwrap();
}

#[tokio::test]
async fn a_browser_is_not_led_to_a_mail_door() {
    let door = open(doors()).await;
    let mut config = crate::door::trusting(&door.gateway);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    for address in [door.gateway.mail.smtps, door.gateway.mail.pop3s] {
        let stream = TcpStream::connect(address.unwrap()).await.unwrap();
        let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config.clone()));
        let shaken = connector.connect("localhost".try_into().unwrap(), stream).await;
        assert!(shaken.is_err_and(|error| error.to_string().contains("NoApplicationProtocol")));
    }
    assert!(say(door.gateway.mail.smtp, b"POST / HTTP/1.1\r\nHost: x\r\n\r\n").await.contains("521 5.5.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn mutants_of_mail_sessions_leave_the_doors_open() {
    let door = open(doors()).await;
    let device = device(&door, SERIAL).await;
    let letter = device.letter(&door, device.status(1, SERIAL));
    let smtp = String::from_utf8(device.session(&letter)).unwrap();
    let login = format!("USER {}\r\nPASS {}\r\n", device.pair.device, device.pair.secret.as_deref().unwrap());
    let pop3 = format!("CAPA\r\n{login}STAT\r\nUIDL\r\nLIST\r\nRETR 1\r\nDELE 1\r\nQUIT\r\n");
    let smtp_seeds: Vec<&str> = [smtp.as_str()].into_iter().chain(mutator::SMTP).collect();
    let pop3_seeds: Vec<&str> = [pop3.as_str()].into_iter().chain(mutator::POP3).collect();
    let mut stored = 0;
    for number in 0..LIVE.max(mutator::count() / 37) {
        let mut dice = Dice::new(number ^ 0xd00d);
        let answer = say(door.gateway.mail.smtp, &mutator::mutant(&mut dice, &smtp_seeds)).await;
        stored += answer.matches("250 2.0.0 stored").count();
        say(door.gateway.mail.pop3, &mutator::mutant(&mut dice, &pop3_seeds)).await;
        if number % 20 == 0 {
            say_tls(&door, door.gateway.mail.pop3s, &mutator::mutant(&mut dice, &pop3_seeds)).await;
            probe(&door, &device, number + 2).await;
        }
    }
    println!("{stored} mutants were still the letter that the device wrote, or a bounce");
}

/// A lawful session of each protocol goes through.
async fn probe(door: &crate::door::Door, device: &Postal, seq: u64) {
    let letter = device.letter(door, device.status(seq, SERIAL));
    let answer = say(door.gateway.mail.smtp, &device.session(&letter)).await;
    assert!(answer.ends_with("250 2.0.0 stored\r\n221 2.0.0 bye\r\n"), "{answer}");
    let answer = say(door.gateway.mail.pop3, b"CAPA\r\nQUIT\r\n").await;
    assert!(answer.ends_with(".\r\n+OK bye\r\n"), "{answer}");
}
