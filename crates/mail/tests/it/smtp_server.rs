//! The receiving door: what it takes, what it refuses, and what it never does.

use std::sync::Arc;

use mail::limits::{MaxHeader, Named};
use mail::smtp::server::{Login, Reason, Tls};
use mail::smtp::{Config, Event, Origin, Refusal, Session};
use mail::{Channel, Limits};

use crate::drive::{self, Mail, smtp_config};

const HELLO: &str = "EHLO device\r\nMAIL FROM:<d@customer.example>\r\nRCPT TO:<reports@platen.example>\r\n";

fn run(input: &str) -> Mail {
    drive::smtp(&smtp_config(Limits::default()), Channel::Clear, [input.as_bytes()])
}

fn run_with(limits: Limits, input: &str) -> Mail {
    drive::smtp(&smtp_config(limits), Channel::Clear, [input.as_bytes()])
}

#[test]
fn messages_are_taken_one_after_the_other_dots_unstuffed() {
    let seen = run(&format!(
        "{HELLO}DATA\r\nA: b\r\n\r\n..x\r\n.y\r\n.\r\nmail FROM:<e@x> SIZE=9\r\nrcpt TO:<r@PLATEN.example>\r\nDATA\r\n.\r\nQUIT\r\n"
    ));
    assert_eq!(seen.codes(), [220, 250, 250, 250, 354, 250, 250, 250, 354, 250, 221]);
    assert_eq!(seen.messages[0].data, b"A: b\r\n\r\n.x\r\ny\r\n");
    assert_eq!((seen.messages[0].head, &*seen.messages[0].client), (8, "device"));
    assert_eq!(seen.messages[1].data, b"");
    assert_eq!(seen.closed, Some(Reason::Quit));
    assert!(seen.text().contains("250-STARTTLS\r\n") && !seen.text().contains("AUTH"));
    for word in ["SIZE 4194304", "8BITMIME", "PIPELINING", "ENHANCEDSTATUSCODES"] {
        assert!(seen.text().contains(word), "{word}");
    }
}

#[test]
fn a_message_is_acknowledged_only_when_the_shell_has_stored_it() {
    let mut out = Vec::new();
    let mut session = Session::new(smtp_config(Limits::default()), Channel::Clear, &mut out);
    let text = format!("{HELLO}DATA\r\nA: b\r\n\r\n.\r\nNOOP\r\n");
    let mut input = text.as_bytes();
    loop {
        match session.next(&mut input, &mut out).unwrap() {
            Event::Message(_) => break,
            _ => session.accept(&mut out),
        }
    }
    out.clear();
    assert!(session.next(&mut input, &mut out).is_none(), "nothing goes on while the store works");
    assert!(out.is_empty() && input == b"NOOP\r\n");
    session.refuse(Refusal::NotStored, &mut out);
    assert!(session.next(&mut input, &mut out).is_none());
    assert_eq!(out, b"451 4.3.0 not stored, try again later\r\n250 2.0.0 ok\r\n");
}

/// CVE-2023-51764, -51765, -51766: ends of DATA that another server could see.
#[test]
fn smuggling_newlines_that_stand_alone_end_the_session() {
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r\r\n.\r\n", "\r\n.\r\r\n", "\n\n.\r\n"]
    {
        let seen = run(&format!("{HELLO}DATA\r\nA: b\r\n\r\ntext{end}{HELLO}DATA\r\nsmuggled\r\n.\r\n"));
        assert!(seen.messages.is_empty(), "{end:?}");
        assert_eq!(seen.closed, Some(Reason::Refused(Refusal::BareNewline)), "{end:?}");
        assert!(seen.text().ends_with("521 5.5.2 CR or LF alone, closing\r\n"));
    }
    let seen = run(&format!("{HELLO}DATA\r\nA: b\r\n\r\ntext\r\n\0.\r\nRSET\r\n.\r\nNOOP\r\n"));
    assert_eq!((seen.messages.len(), &seen.codes()[5..]), (0, &[554, 250][..]));
    for line in ["NOOP\nNOOP\r\n", "NOOP\rNOOP\r\n", "EHLO a\n"] {
        assert_eq!(run(line).closed, Some(Reason::Refused(Refusal::BareNewline)), "{line:?}");
    }
}

/// CVE-2011-0411 and its kin.
#[test]
fn plaintext_behind_starttls_is_thrown_away_and_closes() {
    let seen = run(&format!("EHLO a\r\nSTARTTLS\r\n{HELLO}"));
    assert_eq!(seen.closed, Some(Reason::Refused(Refusal::Injected)));
    assert!(!seen.start_tls && seen.senders.is_empty());
    let config = smtp_config(Limits::default());
    let seen = drive::smtp(&config, Channel::Clear, [&b"EHLO a\r\nSTARTTLS\r\n"[..], HELLO.as_bytes()]);
    assert!(seen.start_tls && seen.senders.is_empty(), "what comes before the handshake is over is not read");
    assert_eq!(seen.closed, Some(Reason::Refused(Refusal::Injected)));
    assert_eq!(seen.codes(), [220, 250, 220], "nothing is said in the clear after 220");
}

#[test]
fn tls_makes_the_session_forget_its_client() {
    let mut seen = Mail::default();
    let mut session = Session::new(smtp_config(Limits::default()), Channel::Clear, &mut seen.out);
    let mut clear = &b"EHLO a\r\nMAIL FROM:<a@b>\r\nSTARTTLS\r\n"[..];
    while !seen.start_tls {
        assert!(drive::smtp_answer(&mut session, &mut clear, &mut seen));
    }
    session.secured();
    assert_eq!(session.channel(), Channel::Tls);
    let text = format!("RCPT TO:<r@platen.example>\r\nMAIL FROM:<a@b>\r\nSTARTTLS\r\n{HELLO}");
    let mut inside = text.as_bytes();
    while drive::smtp_answer(&mut session, &mut inside, &mut seen) {}
    assert_eq!(seen.codes()[3..], [220, 503, 503, 503, 250, 250, 250]);
    assert!(seen.text().contains("AUTH PLAIN"));
}

#[test]
fn passwords_are_taken_inside_tls_only() {
    let plain = "AHdyb25nAG5lc3M=";
    let right = "AGRldmljZS03AG9wZW4gc2VzYW1l";
    let seen = run(&format!("EHLO a\r\nAUTH PLAIN {right}\r\n"));
    assert_eq!(seen.codes(), [220, 250, 538]);
    let config = smtp_config(Limits::default());
    let input = format!(
        "AUTH PLAIN {right}\r\nEHLO a\r\nAUTH PLAIN {plain}\r\nAUTH PLAIN\r\n*\r\nAUTH PLAIN\r\n{right}\r\nAUTH PLAIN {right}\r\n"
    );
    let seen = drive::smtp(&config, Channel::Tls, [input.as_bytes()]);
    assert_eq!(seen.codes(), [220, 503, 250, 535, 334, 501, 334, 235, 503]);
    let required = Arc::new(Config::new("mx", Limits::default(), Tls::Required, Login::Required));
    let seen = drive::smtp(&required, Channel::Clear, [HELLO.as_bytes()]);
    assert_eq!(seen.codes(), [220, 250, 530, 503]);
    let logged_in = format!("EHLO a\r\nMAIL FROM:<>\r\nAUTH PLAIN {right}\r\nMAIL FROM:<>\r\n");
    let seen = drive::smtp(&required, Channel::Tls, [logged_in.as_bytes()]);
    assert_eq!(seen.codes(), [220, 250, 530, 235, 250]);
}

#[test]
fn nothing_is_relayed_and_nobody_is_verified() {
    let seen = run(
        "EHLO a\r\nVRFY root\r\nEXPN all\r\nMAIL FROM:<a@b>\r\nRCPT TO:<x@elsewhere.example>\r\nRCPT TO:<@platen.example:x@y>\r\n\
         RCPT TO:<x%elsewhere@other>\r\nDATA\r\nQUIT\r\n",
    );
    assert_eq!(seen.codes(), [220, 250, 502, 502, 250, 550, 501, 550, 554, 221]);
    assert!(seen.recipients.is_empty() && seen.messages.is_empty());
}

#[test]
fn commands_out_of_order_are_refused() {
    let seen = run(
        "MAIL FROM:<a@b>\r\nEHLO a\r\nRCPT TO:<a@b>\r\nDATA\r\nMAIL FROM:<a@b>\r\nMAIL FROM:<c@d>\r\nRSET\r\nDATA\r\n",
    );
    assert_eq!(seen.codes(), [220, 503, 250, 503, 503, 250, 503, 250, 503]);
}

#[test]
fn the_null_sender_and_answers_of_machines_are_marked() {
    let message = |sender: &str, head: &str| {
        format!("MAIL FROM:<{sender}>\r\nRCPT TO:<r@platen.example>\r\nDATA\r\n{head}\r\n\r\n.\r\n")
    };
    let input = [
        "EHLO a\r\n".to_owned(),
        message("", "A: b"),
        message("a@b", "A: b"),
        message("a@b", "Auto-Submitted: auto-replied"),
        message("a@b", "Content-Type: multipart/report"),
    ];
    let wanted = [Origin::NullSender, Origin::Sender, Origin::AutoSubmitted, Origin::Report];
    assert_eq!(run(&input.concat()).origins(), wanted);
}

#[test]
fn limits_are_answered_by_name() {
    let small = Limits { max_header: MaxHeader { bytes: 60, fields: 3 }, max_message: 200, ..Limits::default() };
    let data = |text: &str| run_with(small.clone(), &format!("{HELLO}DATA\r\n{text}\r\n.\r\nNOOP\r\n"));
    assert_eq!(data("A: 1\r\n\r\nfits").codes()[5..], [250, 250]);
    for (text, code) in [
        (format!("A: {}\r\n\r\n", "x".repeat(60)), Named::MaxHeader.answer().code()),
        ("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n".to_owned(), 554),
        (format!("\r\n{}", "x".repeat(200)), Named::MaxMessage.answer().code()),
        (format!("\r\n{}", "x".repeat(999)), 554),
    ] {
        let seen = data(&text);
        assert_eq!((seen.messages.len(), &seen.codes()[5..]), (0, &[code, 250][..]), "{text}");
    }
    let seen = run_with(small, "EHLO a\r\nMAIL FROM:<a@b> SIZE=201\r\n");
    assert!(seen.text().contains("250-SIZE 200\r\n") && seen.text().ends_with("552 5.3.4 message too large\r\n"));
}

#[test]
fn a_message_without_end_is_not_kept_and_ends_the_session() {
    let limits = Limits { max_message: 1_000, ..Limits::default() };
    let seen = run_with(limits, &format!("{HELLO}DATA\r\n\r\n{}", "x\r\n".repeat(50_000)));
    assert_eq!(seen.closed, Some(Reason::Refused(Refusal::TooMuch)));
}

#[test]
fn min_free_is_answered_at_mail_from() {
    let (mut out, mut input) = (Vec::new(), &b"EHLO a\r\nMAIL FROM:<a@b> SIZE=500\r\nNOOP\r\n"[..]);
    let mut session = Session::new(smtp_config(Limits::default()), Channel::Clear, &mut out);
    let event = session.next(&mut input, &mut out).unwrap();
    assert!(matches!(event, Event::Sender { size: Some(500), .. }), "{event:?}");
    out.clear();
    session.refuse(Named::MinFree.answer(), &mut out);
    assert!(session.next(&mut input, &mut out).is_none());
    assert_eq!(out, b"452 4.3.1 insufficient storage, try again later\r\n250 2.0.0 ok\r\n");
}

#[test]
fn many_recipients_errors_and_idle_commands_are_stopped() {
    let many = "RCPT TO:<a@platen.example>\r\n".repeat(12);
    let seen = run(&format!("EHLO a\r\nMAIL FROM:<a@b>\r\n{many}"));
    assert_eq!((seen.recipients.len(), &seen.codes()[12..]), (10, &[250, 452, 452][..]));
    let seen = run(&"FOO\r\n".repeat(20));
    assert_eq!((seen.codes().len(), seen.closed), (12, Some(Reason::Refused(Refusal::TooManyErrors))));
    let seen = run(&"NOOP\r\n".repeat(200));
    assert_eq!((seen.codes().len(), seen.closed), (102, Some(Reason::Refused(Refusal::TooMuch))));
    let seen = run(&format!("NOOP {}\r\nNOOP\r\n", "x".repeat(600)));
    assert_eq!(seen.codes(), [220, 500, 250]);
    let seen = run(&"x".repeat(70_000));
    assert_eq!(seen.closed, Some(Reason::Refused(Refusal::TooManyErrors)));
    let seen = run("POST / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(seen.codes(), [220, 521]);
}

#[test]
fn the_shell_can_end_a_session_at_any_time() {
    let mut seen = Mail::default();
    let mut session = Session::new(smtp_config(Limits::default()), Channel::Clear, &mut seen.out);
    let text = format!("{HELLO}DATA\r\nhalf of a mess");
    let mut input = text.as_bytes();
    while drive::smtp_answer(&mut session, &mut input, &mut seen) {}
    assert!(session.in_data());
    session.refuse(Refusal::TooSlow, &mut seen.out);
    assert!(session.is_closed());
    assert!(!drive::smtp_answer(&mut session, &mut &b"age\r\n.\r\n"[..], &mut seen));
    assert_eq!(seen.closed, Some(Reason::Refused(Refusal::TooSlow)));
    assert!(seen.messages.is_empty() && seen.text().ends_with("421 4.4.2 timeout, closing\r\n"));
}

#[test]
fn a_cut_at_every_byte_of_data_leaves_nothing_half_visible() {
    let whole = format!("{HELLO}DATA\r\nA: b\r\n\r\n..one\r\ntwo\r\n.\r\n");
    let config = smtp_config(Limits::default());
    for cut in 0..whole.len() {
        let seen = drive::smtp(&config, Channel::Clear, [&whole.as_bytes()[..cut]]);
        assert!(seen.messages.is_empty(), "cut at {cut}");
        assert!(!seen.text().contains("stored"));
        let pieces = [&whole.as_bytes()[..cut], &whole.as_bytes()[cut..]];
        assert_eq!(drive::smtp(&config, Channel::Clear, pieces).messages[0].data, b"A: b\r\n\r\n.one\r\ntwo\r\n");
    }
}
