//! The fetching side of one POP3 connection: a device or an agent that looks into its mailbox for requests.
//! It logs in by itself, tells what is there, and then fetches and deletes as its shell says.

mod steps;

use std::collections::VecDeque;

use super::Entry;
use crate::dot::{Bare, Decoder, Rules};
use crate::limits::MaxHeader;
use crate::lines::{Lines, drive};
use crate::{Channel, Credentials};

pub use crate::smtp::client::Security;

/// Longest response line; RFC 2449 §4 says 512, some servers say more.
const LONGEST_LINE: usize = 2_048;

/// How to speak to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// When the channel is TLS from the start, this is satisfied already. A password never goes in the clear,
    /// unless it says [`Security::Never`].
    pub security: Security,
    /// Whose maildrop.
    pub login: Credentials,
    /// Messages larger than so many bytes are not kept; [`Event::TooLarge`] tells.
    pub max_message: usize,
    /// Messages listed at most; more are left for the next time.
    pub max_list: usize,
}

/// One connection to a maildrop. It is driven as [`crate::smtp::Client`] is: after [`Event::Listing`] one command
/// at a time, each answered by one event.
#[derive(Debug)]
pub struct Client {
    setup: Setup,
    channel: Channel,
    lines: Lines,
    decoder: Decoder,
    body: Vec<u8>,
    awaited: VecDeque<Awaited>,
    offers: Offers,
    listing: Vec<(u32, u64)>,
    uids: Vec<(u32, Box<str>)>,
    state: State,
}

/// A message of a maildrop with the number by which this session calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Counted from 1, for [`Client::fetch`] and [`Client::delete`].
    pub number: u32,
    /// Size and unique id; a server without UIDL gets ids of zeros and the number.
    pub entry: Entry,
}

/// What happened, or what the client needs.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Do the TLS handshake as client (verify the server!), then call [`Client::secured`].
    StartTls,
    /// Logged in; this is what the maildrop holds.
    Listing(Vec<Listed>),
    /// The message that was asked for.
    Message(u32, Vec<u8>),
    /// The message is larger than allowed. It can be deleted, or left.
    TooLarge(u32),
    /// Marked; gone after [`Event::Closed`].
    Deleted(u32),
    /// The server did not want to, in its words.
    Refused(u32, String),
    /// QUIT was answered: what was deleted is gone. False when the server could not remove all.
    Closed(bool),
    /// The connection is of no use any more. Nothing that was marked is surely gone.
    Failed(Failure),
}

/// Why a connection cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Bytes that are no POP3 response, or a response to nothing.
    #[error("the server does not speak POP3; check host and port")]
    NotPop3,
    /// TLS is required, and the server does not offer it.
    #[error("the server offers no STLS; use its port for implicit TLS")]
    NoTls,
    /// Bytes came in the clear behind the response to STLS.
    #[error("the server sent data between STLS and the handshake; somebody may sit in between")]
    Injected,
    /// Another session holds the maildrop (RFC 2449 §8.1.1): try later.
    #[error("the mailbox is in use by another session; it will be free when that ends")]
    InUse,
    /// The server refused the greeting, STLS, the password or the list.
    #[error("the server refused: {0}")]
    Refused(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Working,
    Handshake,
    /// Inside the lines of a multi-line response.
    Multi(Awaited),
    Ready,
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Greeting,
    Capa,
    Stls,
    User,
    Pass,
    Auth,
    List,
    Uidl,
    Retr(u32),
    Dele(u32),
    Quit,
}

#[derive(Clone, Copy, Debug, Default)]
struct Offers {
    stls: bool,
    plain: bool,
}

impl Client {
    /// A connection that was made; the server greets first.
    #[must_use]
    pub fn new(setup: Setup, channel: Channel) -> Self {
        Self {
            decoder: Decoder::new(rules(setup.max_message)),
            setup,
            channel,
            lines: Lines::new(LONGEST_LINE),
            body: Vec::new(),
            awaited: VecDeque::from([Awaited::Greeting]),
            offers: Offers::default(),
            listing: Vec::new(),
            uids: Vec::new(),
            state: State::Working,
        }
    }

    /// Works on `input` and takes from it what it used, until something happened or nothing is left.
    pub fn next(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Option<Event> {
        drive(input, |input| self.step(input, out)).unwrap_or_else(|failure| {
            self.state = State::Ended;
            *input = &[];
            Some(Event::Failed(failure))
        })
    }

    /// The TLS handshake is done, and the server is who it should be.
    pub fn secured(&mut self, out: &mut Vec<u8>) {
        if self.state == State::Handshake {
            self.channel = Channel::Tls;
            self.state = State::Working;
            self.lines.begin();
            self.offers = Offers::default();
            self.say(Awaited::Capa, "CAPA\r\n", out);
        }
    }

    /// Asks for a message. False when another command is under way.
    pub fn fetch(&mut self, number: u32, out: &mut Vec<u8>) -> bool {
        self.command(Awaited::Retr(number), &format!("RETR {number}\r\n"), out)
    }

    /// Marks a message as deleted; it goes at [`Client::quit`]. False when another command is under way.
    pub fn delete(&mut self, number: u32, out: &mut Vec<u8>) -> bool {
        self.command(Awaited::Dele(number), &format!("DELE {number}\r\n"), out)
    }

    /// Leaves, and lets the marked messages go. False when another command is under way.
    pub fn quit(&mut self, out: &mut Vec<u8>) -> bool {
        self.command(Awaited::Quit, "QUIT\r\n", out)
    }

    /// How the bytes travel now.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel
    }

    fn command(&mut self, awaited: Awaited, line: &str, out: &mut Vec<u8>) -> bool {
        let ready = self.state == State::Ready;
        if ready {
            self.state = State::Working;
            self.say(awaited, line, out);
        }
        ready
    }

    fn say(&mut self, awaited: Awaited, line: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(line.as_bytes());
        self.awaited.push_back(awaited);
    }
}

/// Foreign servers hold foreign mail: only its size matters here.
fn rules(message: usize) -> Rules {
    let header = MaxHeader { bytes: usize::MAX, fields: usize::MAX };
    Rules { message, line: usize::MAX, header, bare: Bare::Kept }
}
