//! A shell without sockets: one policy, one store, everything that happened written down.

use std::sync::Arc;

use mail::smtp::{Message, Origin};
use mail::{Channel, Credentials, Limits, pop3, smtp};

pub const DOMAIN: &str = "platen.example";
pub const USER: &str = "device-7";
pub const PASSWORD: &str = "open sesame";

/// What an SMTP session came to.
#[derive(Debug, Default, PartialEq)]
pub struct Mail {
    pub out: Vec<u8>,
    pub senders: Vec<Option<String>>,
    pub recipients: Vec<String>,
    pub messages: Vec<Message>,
    pub start_tls: bool,
    pub closed: Option<smtp::server::Reason>,
}

impl Mail {
    pub fn text(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }

    /// The reply codes, one for each reply.
    pub fn codes(&self) -> Vec<u16> {
        let last = |line: &&str| line.as_bytes().get(3) != Some(&b'-');
        self.text().lines().filter(last).map(|line| line[..3].parse().unwrap()).collect()
    }

    pub fn origins(&self) -> Vec<Origin> {
        self.messages.iter().map(|message| message.origin).collect()
    }
}

pub fn smtp_config(limits: Limits) -> Arc<smtp::Config> {
    let (tls, login) = (smtp::server::Tls::Offered, smtp::server::Login::Offered);
    Arc::new(smtp::Config::new("mx.platen.example", limits, tls, login))
}

pub fn known(credentials: &Credentials) -> bool {
    credentials.user == USER && credentials.password.expose() == PASSWORD
}

/// Answers one question as the policy says; false when the session is over.
pub fn smtp_answer(session: &mut smtp::Session, input: &mut &[u8], seen: &mut Mail) -> bool {
    let Some(event) = session.next(input, &mut seen.out) else { return false };
    let refusal = match event {
        smtp::Event::Login(credentials) => (!known(credentials)).then_some(smtp::Refusal::BadCredentials),
        smtp::Event::Sender { sender, .. } => {
            seen.senders.push(sender.map(ToString::to_string));
            None
        }
        smtp::Event::Recipient { recipient, .. } if recipient.domain().eq_ignore_ascii_case(DOMAIN) => {
            seen.recipients.push(recipient.to_string());
            None
        }
        smtp::Event::Recipient { .. } => Some(smtp::Refusal::UnknownRecipient),
        smtp::Event::Message(message) => {
            seen.messages.push(*message);
            None
        }
        smtp::Event::StartTls => {
            seen.start_tls = true;
            return true;
        }
        smtp::Event::Closed(reason) => {
            seen.closed = Some(reason);
            return false;
        }
    };
    match refusal {
        None => session.accept(&mut seen.out),
        Some(refusal) => session.refuse(refusal, &mut seen.out),
    }
    true
}

/// Runs a session over input that comes in pieces.
pub fn smtp<'a>(config: &Arc<smtp::Config>, channel: Channel, pieces: impl IntoIterator<Item = &'a [u8]>) -> Mail {
    let mut seen = Mail::default();
    let mut session = smtp::Session::new(Arc::clone(config), channel, &mut seen.out);
    for piece in pieces {
        let mut input = piece;
        // Every step takes a byte or answers a question, and a question took a line.
        let mut steps = 0;
        while smtp_answer(&mut session, &mut input, &mut seen) {
            steps += 1;
            assert!(steps <= piece.len() * 2 + 10, "the session does not come to an end");
        }
        assert!(input.is_empty(), "the session leaves input behind");
        if seen.closed.is_some() {
            break;
        }
    }
    seen
}

/// What a POP3 session came to.
#[derive(Debug, Default, PartialEq)]
pub struct Fetched {
    pub out: Vec<u8>,
    pub logins: Vec<Credentials>,
    pub fetched: Vec<usize>,
    pub removed: Option<Vec<usize>>,
    pub start_tls: bool,
    pub closed: Option<pop3::server::Reason>,
}

impl Fetched {
    pub fn text(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }
}

pub fn pop3_config(limits: Limits) -> Arc<pop3::Config> {
    let (tls, login) = (pop3::server::Tls::Offered, pop3::server::Login::TlsOnly);
    Arc::new(pop3::Config { limits, tls, login })
}

/// The maildrop of [`USER`].
pub const MAILDROP: [&[u8]; 3] = [
    b"Subject: one\r\n\r\nfirst\r\n",
    b"Subject: two\r\n\r\n.dot\r\n..\r\n.\r\n",
    b"Subject: three\r\n\r\n1\r\n2\r\n3\r\n",
];

pub fn entries(maildrop: &[impl AsRef<[u8]>]) -> Vec<pop3::Entry> {
    let entry = |(place, message)| {
        let size = <_ as AsRef<[u8]>>::as_ref(message).len() as u64;
        pop3::Entry::new(size, &format!("uid-{place}")).unwrap()
    };
    maildrop.iter().enumerate().map(entry).collect()
}

fn pop3_answer(session: &mut pop3::Session, input: &mut &[u8], seen: &mut Fetched) -> bool {
    let Some(event) = session.next(input, &mut seen.out) else { return false };
    match event {
        pop3::Event::Login(credentials) => {
            let good = known(credentials);
            seen.logins.push(credentials.clone());
            match good {
                true => session.open(entries(&MAILDROP), &mut seen.out),
                false => session.refuse(pop3::Refusal::BadCredentials, &mut seen.out),
            }
        }
        pop3::Event::Fetch(place) => {
            seen.fetched.push(place);
            session.message(MAILDROP[place], &mut seen.out).unwrap();
        }
        pop3::Event::Remove(places) => {
            assert!(seen.removed.is_none(), "removed twice");
            seen.removed = Some(places);
            session.removed(&mut seen.out);
        }
        pop3::Event::StartTls => seen.start_tls = true,
        pop3::Event::Closed(reason) => {
            seen.closed = Some(reason);
            return false;
        }
    }
    true
}

/// Runs a session over input that comes in pieces.
pub fn pop3<'a>(config: &Arc<pop3::Config>, channel: Channel, pieces: impl IntoIterator<Item = &'a [u8]>) -> Fetched {
    let mut seen = Fetched::default();
    let mut session = pop3::Session::new(Arc::clone(config), channel, &mut seen.out);
    for piece in pieces {
        let mut input = piece;
        let mut steps = 0;
        while pop3_answer(&mut session, &mut input, &mut seen) {
            steps += 1;
            assert!(steps <= piece.len() * 2 + 10, "the session does not come to an end");
        }
        assert!(input.is_empty(), "the session leaves input behind");
        if seen.closed.is_some() {
            break;
        }
    }
    seen
}
