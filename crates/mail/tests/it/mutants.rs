//! Mutated sessions by the ten thousand: no panic, no endless step, nothing taken that was not lawfully written.

use mail::smtp::Message;
use mail::{Address, Channel, Limits, pop3, smtp};

use crate::drive::{self, PASSWORD, USER, pop3_config, smtp_config};
use crate::mutator::{Dice, POP3, SMTP, count, mutant};

const MESSAGE_LINE: usize = 998;

/// Cuts a mutant at places of its own.
fn pieces<'a>(dice: &mut Dice, bytes: &'a [u8]) -> Vec<&'a [u8]> {
    let step = [1, 7, 100, usize::MAX][dice.below(4)];
    bytes.chunks(step.min(bytes.len().max(1))).collect()
}

/// Lines of the input that CRLF ends, and none of whose CRs or LFs stands alone.
fn lines(input: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut start = 0;
    for at in 1..input.len() {
        if input[at] == b'\n' && input[at - 1] == b'\r' {
            lines.push(&input[start.min(at - 1)..at - 1]);
            start = at + 1;
        }
    }
    lines.retain(|line| !line.contains(&b'\r') && !line.contains(&b'\n'));
    lines
}

/// A judge of its own: does a lawful line `KEYWORD:<address>` stand in the input?
fn was_written(input: &[u8], keyword: &str, address: &str) -> bool {
    let lawful = address.is_ascii() && !address.contains(['\r', '\n', '\0', '\t']);
    let wanted = format!("{keyword}:<{address}>");
    lawful
        && lines(input).iter().any(|line| {
            // Numbers of what was thrown away before do not matter, only that the line itself is lawful.
            let tail = line.len().saturating_sub(510);
            let start = line.windows(wanted.len()).position(|window| {
                window[..keyword.len()].eq_ignore_ascii_case(keyword.as_bytes())
                    && window[keyword.len()..] == wanted.as_bytes()[keyword.len()..]
            });
            tail == 0 && start == Some(0)
        })
}

/// All that stands between a line DATA and a dot alone, unstuffed, line by line.
fn messages_in(input: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for at in 0..input.len().saturating_sub(5) {
        let begins = at == 0 || input[at - 1] == b'\n';
        if !begins || !input[at..at + 6].eq_ignore_ascii_case(b"DATA\r\n") {
            continue;
        }
        let (mut message, mut rest) = (Vec::new(), &input[at + 6..]);
        while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
            let line = &rest[..end];
            if line == b"." {
                found.push(message);
                break;
            }
            message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
            message.extend_from_slice(b"\r\n");
            rest = &rest[end + 2..];
        }
    }
    found
}

fn judge_message(input: &[u8], message: &Message, limits: &Limits) {
    let text = &message.data;
    let bare = text.iter().enumerate().any(|(at, byte)| match byte {
        b'\r' => text.get(at + 1) != Some(&b'\n'),
        b'\n' => at == 0 || text[at - 1] != b'\r',
        byte => *byte == 0,
    });
    assert!(!bare, "a message with a CR, LF or NUL alone");
    assert!(text.len() <= limits.max_message && message.head <= limits.max_header.bytes);
    assert!(text.split(|byte| *byte == b'\n').all(|line| line.len() <= MESSAGE_LINE + 1), "a line too long");
    assert!((1..=limits.recipients).contains(&message.recipients.len()));
    assert!(messages_in(input).contains(text), "a message that nobody wrote: {:?}", String::from_utf8_lossy(text));
}

pub fn judge_mail(input: &[u8], messages: &[Message], limits: &Limits) {
    for message in messages {
        judge_message(input, message, limits);
        let sender = message.sender.as_ref().map_or("", Address::as_str);
        assert!(was_written(input, "MAIL FROM", sender), "a sender that nobody wrote: {sender:?}");
        for recipient in &message.recipients {
            assert!(was_written(input, "RCPT TO", recipient.as_str()), "a recipient that nobody wrote: {recipient}");
            assert!(recipient.domain().eq_ignore_ascii_case(drive::DOMAIN), "a relay: {recipient}");
        }
    }
}

pub fn limits() -> Limits {
    Limits { max_message: 20_000, ..Limits::default() }
}

#[test]
fn mutants_of_smtp_sessions_are_refused_or_lawful() {
    let config = smtp_config(limits());
    let mut taken = 0;
    for number in 0..count() {
        let mut dice = Dice::new(number);
        let input = mutant(&mut dice, &SMTP);
        let pieces = pieces(&mut dice, &input);
        let seen = drive::smtp(&config, Channel::Tls, pieces.iter().copied());
        judge_mail(&input, &seen.messages, &limits());
        let replies = seen.text();
        assert!(replies.lines().all(|line| line.as_bytes()[..3].iter().all(u8::is_ascii_digit)), "{replies}");
        assert_eq!(replies.matches("250 2.0.0 stored").count(), seen.messages.len());
        taken += seen.messages.len();
        if number % 100 == 0 {
            let probe = drive::smtp(&config, Channel::Tls, [SMTP[0].as_bytes()]);
            assert_eq!(probe.messages.len(), 1, "the next session works");
        }
    }
    println!("{} mutants of SMTP, {taken} messages taken, all lawful", count());
    assert!(taken > 1_000, "the mutants reach what they shall test");
}

#[test]
fn mutants_of_pop3_sessions_are_refused_or_lawful() {
    let config = pop3_config(limits());
    let mut removals = 0;
    for number in 0..count() {
        let mut dice = Dice::new(number);
        let input = mutant(&mut dice, &POP3);
        let pieces = pieces(&mut dice, &input);
        let seen = drive::pop3(&config, Channel::Tls, pieces.iter().copied());
        judge_maildrop(&input, &seen);
        removals += usize::from(seen.removed.is_some());
        if number % 100 == 0 {
            let probe = drive::pop3(&config, Channel::Tls, [POP3[0].as_bytes()]);
            assert_eq!((probe.removed, probe.fetched), (Some(vec![0]), vec![0, 1]), "the next session works");
        }
    }
    println!("{} mutants of POP3, {removals} of them removed messages, lawfully", count());
    assert!(removals > 500, "the mutants reach what they shall test");
}

fn judge_maildrop(input: &[u8], seen: &drive::Fetched) {
    let lines: Vec<String> =
        lines(input).into_iter().map(|line| String::from_utf8_lossy(line).to_ascii_uppercase()).collect();
    let wrote = |line: &str| lines.iter().any(|written| written == line);
    let in_rows = |place: &usize, verb: &str| {
        let exact = format!("{verb} {}", place + 1);
        // Leading zeros are digits too.
        lines.iter().any(|line| {
            let number = line.strip_prefix(verb).and_then(|rest| rest.strip_prefix(' '));
            let number = number.map(|rest| rest.split(' ').next().unwrap_or_default());
            *line == exact || number.is_some_and(|number| number.trim_start_matches('0') == (place + 1).to_string())
        })
    };
    if let Some(places) = &seen.removed {
        assert!(!places.is_empty() && places.iter().all(|place| in_rows(place, "DELE")), "removed what nobody named");
        assert!(wrote("QUIT"), "removed without QUIT");
        let good = seen.logins.iter().any(|login| login.user == USER && login.password.expose() == PASSWORD);
        assert!(good, "removed without a login");
    }
    assert!(
        seen.fetched.iter().all(|place| in_rows(place, "RETR") || in_rows(place, "TOP")),
        "gave what nobody asked for"
    );
    assert!(seen.fetched.is_empty() || !seen.logins.is_empty());
}

#[test]
fn mutants_of_servers_are_survived_by_clients() {
    let smtp_server = "220 mx ready\r\n250-mx\r\n250-SIZE 1000\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n235 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n\
                       250 2.0.0 stored\r\n221 bye\r\n";
    let pop3_server = "+OK hi\r\n+OK\r\nUSER\r\nSASL PLAIN\r\n.\r\n+OK in\r\n+OK\r\n1 20\r\n2 30\r\n.\r\n+OK\r\n1 a\r\n2 b\r\n.\r\n+OK\r\nA: b\r\n\r\n\
                       ..x\r\n.\r\n+OK\r\n+OK bye\r\n";
    for number in 0..count() {
        let mut dice = Dice::new(number);
        let input = mutant(&mut dice, &[smtp_server]);
        send_to(&pieces(&mut dice, &input));
        let input = mutant(&mut dice, &[pop3_server]);
        fetch_from(&pieces(&mut dice, &input));
    }
}

fn send_to(pieces: &[&[u8]]) {
    use smtp::client::{Event, Security, Setup};
    let setup = Setup { name: "a".into(), security: Security::Required, login: Some(mail::Credentials::new("a", "b")) };
    let (mut client, mut out) = (smtp::Client::new(setup, Channel::Tls), Vec::new());
    let recipient: Address = "r@platen.example".parse().unwrap();
    for piece in pieces {
        let mut rest = *piece;
        while let Some(event) = client.next(&mut rest, &mut out) {
            match event {
                Event::Ready => assert!(client.send(None, std::slice::from_ref(&recipient), 3, &mut out)),
                Event::GoAhead => client.message(b"x\r\n", &mut out).unwrap(),
                Event::Sent(receipt) => {
                    assert!(out.ends_with(b"x\r\n.\r\n") && receipt.reply.is_success());
                    assert!(client.quit(&mut out));
                }
                Event::Refused(_) => assert!(client.quit(&mut out)),
                Event::StartTls | Event::Closed | Event::Failed(_) => break,
            }
        }
    }
}

fn fetch_from(pieces: &[&[u8]]) {
    use pop3::client::{Event, Security, Setup};
    let login = mail::Credentials::new("a", "b");
    let setup = Setup { security: Security::Required, login, max_message: 1_000, max_list: 10 };
    let (mut client, mut out) = (pop3::Client::new(setup, Channel::Tls), Vec::new());
    for piece in pieces {
        let mut rest = *piece;
        while let Some(event) = client.next(&mut rest, &mut out) {
            match event {
                Event::Listing(listing) if listing.is_empty() => assert!(client.quit(&mut out)),
                Event::Listing(listing) => {
                    assert!(listing.len() <= 10);
                    assert!(client.fetch(listing[0].number, &mut out));
                }
                Event::Message(number, message) => {
                    assert!(message.len() <= 1_000);
                    assert!(client.delete(number, &mut out));
                }
                Event::TooLarge(_) | Event::Refused(..) | Event::Deleted(_) => assert!(client.quit(&mut out)),
                Event::StartTls | Event::Closed(_) | Event::Failed(_) => break,
            }
        }
    }
}

#[test]
fn mutants_of_messages_are_refused_or_lawful() {
    let (from, to): (Address, Address) = ("d@c.example".parse().unwrap(), "r@platen.example".parse().unwrap());
    let stamp = mail::message::Stamp::new("abc", 5, 1, 2).unwrap();
    let letter = mail::message::Letter { from: &from, to: &to, stamp: &stamp, sent: 0, sealed: &[9; 300] };
    let written = String::from_utf8(letter.write()).unwrap();
    let nested = written.replace("multipart/mixed", "message/rfc822");
    let mut taken = 0;
    for number in 0..count() {
        let input = mutant(&mut Dice::new(number), &[&written, &nested]);
        if let Ok(received) = mail::message::read(&input) {
            taken += 1;
            let text = String::from_utf8_lossy(&input).replace("\r\n", "");
            assert!(text.contains(received.from.as_str()) && text.contains(received.to.as_str()));
            assert!(received.name.to_ascii_lowercase().ends_with(".dat") && !received.sealed.is_empty());
        }
    }
    println!("{} mutants of messages, {taken} taken", count());
}
