//! The maildrop: who may see it, what it gives, and when something goes.

use std::sync::Arc;

use mail::pop3::server::{Login, Reason};
use mail::pop3::{Config, Event, Locks, Refusal, Session};
use mail::{Channel, Limits};

use crate::drive::{self, Fetched, pop3_config};

const LOGIN: &str = "AUTH PLAIN AGRldmljZS03AG9wZW4gc2VzYW1l\r\n";

fn run(input: &str) -> Fetched {
    drive::pop3(&pop3_config(Limits::default()), Channel::Tls, [input.as_bytes()])
}

/// The responses behind the greeting and the login.
fn after_login(input: &str) -> String {
    run(&format!("{LOGIN}{input}")).text().split_once("open\r\n").unwrap().1.to_owned()
}

#[test]
fn a_maildrop_is_listed_and_read() {
    assert_eq!(after_login("STAT\r\n"), "+OK 3 79\r\n");
    assert_eq!(after_login("LIST\r\n"), "+OK 3 messages (79 octets)\r\n1 23\r\n2 29\r\n3 27\r\n.\r\n");
    assert_eq!(after_login("LIST 2\r\nUIDL 3\r\nLIST 4\r\n"), "+OK 2 29\r\n+OK 3 uid-2\r\n-ERR no such message\r\n");
    assert_eq!(after_login("UIDL\r\n"), "+OK 3 messages (79 octets)\r\n1 uid-0\r\n2 uid-1\r\n3 uid-2\r\n.\r\n");
    assert_eq!(after_login("RETR 2\r\n"), "+OK\r\nSubject: two\r\n\r\n..dot\r\n...\r\n..\r\n.\r\n");
    assert_eq!(after_login("TOP 3 2\r\n"), "+OK\r\nSubject: three\r\n\r\n1\r\n2\r\n.\r\n");
}

#[test]
fn messages_go_at_quit_and_at_nothing_else() {
    let seen = run(&format!("{LOGIN}DELE 1\r\nDELE 3\r\nDELE 3\r\nRETR 3\r\nSTAT\r\nQUIT\r\n"));
    assert_eq!((seen.removed.clone(), seen.closed), (Some(vec![0, 2]), Some(Reason::Quit)));
    let tail = "+OK marked\r\n+OK marked\r\n-ERR no such message\r\n-ERR no such message\r\n+OK 1 29\r\n+OK bye\r\n";
    assert!(seen.text().ends_with(tail), "{}", seen.text());
    for ending in ["", "QUIT", "QUIT\n", "RSET\r\nQUIT\r\n", "NOOP\r\n"] {
        let seen = run(&format!("{LOGIN}DELE 1\r\nDELE 2\r\n{ending}"));
        assert_eq!(seen.removed, None, "{ending:?}");
    }
    assert_eq!(run(&format!("{LOGIN}RETR 1\r\nQUIT\r\n")).removed, None);
}

#[test]
fn a_store_that_cannot_remove_is_told_to_the_client() {
    let (mut seen, text) = (Vec::new(), format!("{LOGIN}DELE 1\r\nQUIT\r\n"));
    let mut input = text.as_bytes();
    let mut session = Session::new(pop3_config(Limits::default()), Channel::Tls, &mut seen);
    loop {
        match session.next(&mut input, &mut seen).unwrap() {
            Event::Login(_) => session.open(drive::entries(&drive::MAILDROP), &mut seen),
            Event::Remove(_) => session.refuse(Refusal::NotRemoved, &mut seen),
            Event::Closed(reason) => {
                assert_eq!(reason, Reason::Refused(Refusal::NotRemoved));
                break;
            }
            event => panic!("{event:?}"),
        }
    }
    assert!(seen.ends_with(b"-ERR [SYS/TEMP] some deleted messages not removed\r\n"));
}

#[test]
fn passwords_are_taken_inside_tls_unless_the_old_way_is_switched_on() {
    let user = "CAPA\r\nUSER device-7\r\nPASS open sesame\r\nAUTH PLAIN\r\n";
    let config = pop3_config(Limits::default());
    let seen = drive::pop3(&config, Channel::Clear, [user.as_bytes()]);
    assert!(seen.logins.is_empty() && !seen.text().contains("SASL") && seen.text().contains("STLS\r\n"));
    assert_eq!(seen.text().matches("-ERR passwords only inside TLS").count(), 3);
    let legacy = Arc::new(Config { login: Login::Legacy, ..(*config).clone() });
    let seen = drive::pop3(&legacy, Channel::Clear, [&user.as_bytes()[..user.len() - 12]]);
    assert!(seen.logins.len() == 1 && seen.text().contains("SASL PLAIN\r\n") && seen.text().ends_with("open\r\n"));
    let seen = run(
        "USER device-7\r\nPASS wrong\r\nPASS open sesame\r\nAUTH PLAIN\r\nAGRldmljZS03AG9wZW4gc2VzYW1l\r\nSTAT\r\n",
    );
    assert!(
        seen.text().ends_with(
            "-ERR [AUTH] wrong name or password\r\n-ERR not now\r\n+ \r\n+OK maildrop is open\r\n+OK 3 79\r\n"
        )
    );
}

#[test]
fn plaintext_behind_stls_is_thrown_away_and_closes() {
    let config = pop3_config(Limits::default());
    let seen = drive::pop3(&config, Channel::Clear, [&b"STLS\r\nCAPA\r\n"[..]]);
    assert_eq!((seen.start_tls, seen.closed), (false, Some(Reason::Refused(Refusal::Injected))));
    let seen = drive::pop3(&config, Channel::Clear, [&b"STLS\r\n"[..], b"CAPA\r\n"]);
    assert_eq!((seen.start_tls, seen.closed), (true, Some(Reason::Refused(Refusal::Injected))));
    assert_eq!(seen.text(), "+OK Platen\r\n+OK begin TLS\r\n");
}

#[test]
fn a_maildrop_in_use_is_refused_to_the_second() {
    let locks = Locks::default();
    let enter = || {
        let mut out = Vec::new();
        let mut session = Session::new(pop3_config(Limits::default()), Channel::Tls, &mut out);
        let taken = match session.next(&mut LOGIN.as_bytes(), &mut out) {
            Some(Event::Login(credentials)) => locks.take(&credentials.user),
            event => panic!("{event:?}"),
        };
        match &taken {
            Some(_) => session.open(Vec::new(), &mut out),
            None => session.refuse(Refusal::InUse, &mut out),
        }
        (taken, String::from_utf8(out).unwrap())
    };
    let (first, text) = enter();
    assert!(text.ends_with("+OK maildrop is open\r\n"));
    assert!(enter().1.contains("-ERR [IN-USE]"));
    drop(first);
    assert!(enter().1.ends_with("+OK maildrop is open\r\n"));
}

#[test]
fn errors_idle_commands_and_long_lines_are_stopped() {
    let seen = run(&"FOO\r\n".repeat(20));
    assert_eq!((seen.text().lines().count(), seen.closed), (11, Some(Reason::Refused(Refusal::TooManyErrors))));
    let seen = run(&"CAPA\r\n".repeat(200));
    assert_eq!(seen.closed, Some(Reason::Refused(Refusal::TooManyErrors)));
    assert_eq!(run(&format!("USER {}\r\n", "x".repeat(600))).text(), "+OK Platen\r\n-ERR line too long\r\n");
    assert_eq!(run("CAPA\nQUIT\r\n").closed, Some(Reason::Refused(Refusal::BareNewline)));
}

#[test]
fn a_cut_at_every_byte_removes_nothing() {
    let whole = format!("{LOGIN}RETR 1\r\nDELE 1\r\nQUIT\r\n");
    let config = pop3_config(Limits::default());
    for cut in 0..whole.len() {
        let seen = drive::pop3(&config, Channel::Tls, [&whole.as_bytes()[..cut]]);
        assert_eq!(seen.removed, None, "cut at {cut}");
    }
}
