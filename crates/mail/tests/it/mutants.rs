//! Mutated sessions by the ten thousand: no panic, no endless step, nothing taken that was not lawfully written.
//! `PLATEN_MUTANTS=100000` raises the number, `PLATEN_SEED` repeats a run.

use mail::smtp::Message;
use mail::{Address, Channel, Limits, pop3, smtp};

use crate::drive::{self, PASSWORD, USER, pop3_config, smtp_config};

/// As many as the seed's server endured.
const DEFAULT: u64 = 11_135;
const MESSAGE_LINE: usize = 998;

pub const SMTP: [&str; 6] = [
    "EHLO device\r\nMAIL FROM:<d@c.example> SIZE=30 BODY=8BITMIME\r\nRCPT TO:<reports@platen.example>\r\nDATA\r\nFrom: <d@c.example>\r\n\
     \r\n..text\r\nmore\r\n.\r\nQUIT\r\n",
    "HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<a@platen.example>\r\nRCPT TO:<b@platen.example>\r\nRCPT TO:<c@elsewhere>\r\nDATA\r\n\
     Auto-Submitted: auto-replied\r\n\r\n.\r\nRSET\r\nNOOP x\r\nQUIT\r\n",
    "EHLO [192.0.2.7]\r\nAUTH PLAIN AGRldmljZS03AG9wZW4gc2VzYW1l\r\nMAIL FROM:<\"a b\"@c> AUTH=<>\r\nRCPT TO:<postmaster>\r\n\
     RCPT TO:<r@PLATEN.example>\r\nDATA\r\n\r\n\r\n..\r\n.\r\nMAIL FROM:<a@b>\r\nRCPT TO:<x@platen.example>\r\nDATA\r\nx\r\n.\r\n",
    "EHLO a\r\nSTARTTLS\r\n",
    "EHLO a\r\nAUTH PLAIN\r\nAGRldmljZS03AG9wZW4gc2VzYW1l\r\nMAIL FROM:<a@b> SIZE=2000\r\nVRFY x\r\nMAIL FROM:<a@b>\r\n\
     RCPT TO:<x@platen.example>\r\nDATA\r\nA: b\r\n c\r\nB:\r\n\r\nline\r\n.dot\r\n.\r\nQUIT\r\n",
    "ehlo a\r\nmail from:<a@b>\r\nrcpt to:<x@platen.example>\r\ndata\r\n.\r\nmail from:<a@b>\r\nrset\r\nrcpt to:<a@b>\r\nquit\r\n",
];

pub const POP3: [&str; 5] = [
    "CAPA\r\nAUTH PLAIN AGRldmljZS03AG9wZW4gc2VzYW1l\r\nSTAT\r\nUIDL\r\nLIST\r\nRETR 1\r\nDELE 1\r\nRETR 2\r\nQUIT\r\n",
    "USER device-7\r\nPASS open sesame\r\nTOP 1 0\r\nTOP 2 99\r\nDELE 2\r\nRSET\r\nDELE 3\r\nNOOP\r\nQUIT\r\n",
    "AUTH PLAIN\r\nAGRldmljZS03AG9wZW4gc2VzYW1l\r\nLIST 1\r\nUIDL 3\r\nDELE 1\r\nDELE 2\r\nDELE 3\r\nSTAT\r\nQUIT\r\n",
    "CAPA\r\nSTLS\r\n",
    "AUTH\r\nUSER x\r\nPASS y\r\nUSER device-7\r\nPASS open sesame\r\nRETR 9\r\nDELE 0\r\nQUIT\r\n",
];

/// What a mutation puts in: pieces that have broken servers before.
const PIECES: [&[u8]; 20] = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\0",
    b".",
    b"\r\n.\r\n",
    b"\n.\n",
    b"\r.\r",
    b"\n.\r\n",
    b"\r\n.\n",
    b" ",
    b"<",
    b">",
    b"\"",
    b"\xff\xfe",
    b"DATA\r\n",
    b"STARTTLS\r\n",
    b"RCPT TO:<x@platen.example>\r\n",
    b"99999999999999999999",
    b"%s%n",
];

pub fn count() -> u64 {
    std::env::var("PLATEN_MUTANTS").ok().and_then(|count| count.parse().ok()).unwrap_or(DEFAULT)
}

fn seed() -> u64 {
    std::env::var("PLATEN_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(4)
}

/// SplitMix64: the same numbers everywhere.
pub struct Dice(u64);

impl Dice {
    pub fn new(number: u64) -> Self {
        Self(seed().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.wrapping_mul(0xbf58_476d_1ce4_e5b9))
    }

    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.throw() % (end.max(1) as u64)).unwrap()
    }
}

/// One mutant: one to four changes to a lawful session.
pub fn mutant(dice: &mut Dice, sessions: &[&str]) -> Vec<u8> {
    let mut bytes = sessions[dice.below(sessions.len())].as_bytes().to_vec();
    for _ in 0..=dice.below(4) {
        change(dice, sessions, &mut bytes);
    }
    bytes
}

fn change(dice: &mut Dice, sessions: &[&str], bytes: &mut Vec<u8>) {
    let at = dice.below(bytes.len() + 1);
    let end = (at + 1 + dice.below(12)).min(bytes.len());
    match dice.below(11) {
        0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
        1 if at < bytes.len() => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
        2 => drop(bytes.drain(at..end)),
        3 => bytes.truncate(at),
        4 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        5 => {
            let run = vec![b"xX \t.<\r\n"[dice.below(8)]; [10, 300, 600, 1_100, 3_000][dice.below(5)]];
            bytes.splice(at..at, run);
        }
        6 => {
            let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            if lines.len() > 1 {
                let (one, other) = (dice.below(lines.len()), dice.below(lines.len()));
                lines.swap(one, other);
            }
            *bytes = lines.concat();
        }
        7 => {
            let other = sessions[dice.below(sessions.len())].as_bytes();
            bytes.truncate(at);
            bytes.extend_from_slice(&other[dice.below(other.len())..]);
        }
        8 => {
            let line = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| at + length);
            let many = bytes[at..line.min(at + 60)].repeat(2 + dice.below(30));
            bytes.splice(at..at, many);
        }
        _ => {
            let piece = PIECES[dice.below(PIECES.len())];
            bytes.splice(at..at, piece.iter().copied());
        }
    }
}

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
fn mutated_smtp_sessions_are_refused_or_lawful() {
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
fn mutated_pop3_sessions_are_refused_or_lawful() {
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
fn clients_survive_mutated_servers() {
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
fn mutated_messages_are_refused_or_lawful() {
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
