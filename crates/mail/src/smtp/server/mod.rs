//! The receiving side of one SMTP connection. It stores nothing and relays nothing: every sender, recipient and
//! message is a question to the shell, and 250 after DATA leaves only when the shell says that it is stored.

mod config;
mod message;
mod steps;

use std::sync::Arc;

pub use config::{Config, Login, Tls};
pub use message::{Message, Origin};

use super::refusal::Refusal;
use crate::dot::{Decoder, Rules};
use crate::serving::{self, Refuse as _, Stand, State};
use crate::{Address, Channel, Credentials, Dismissal};

/// One connection of a client that brings mail.
///
/// The shell reads bytes, calls [`Session::next`] until it gives nothing, sends what gathered in `out`, reads again.
/// It answers a question by [`Session::accept`] or [`Session::refuse`] before it calls `next` again.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    stand: Stand<Asked, Refusal>,
    client: Option<Box<str>>,
    user: Option<String>,
    envelope: Option<Envelope>,
    decoder: Decoder,
    body: Vec<u8>,
    errors: u32,
    idle: u32,
    messages: u32,
    refused: Vec<Refusal>,
}

/// What the shell has to do or to decide.
#[derive(Debug)]
pub enum Event<'a> {
    /// Send `out`, do the TLS handshake as server, then call [`Session::secured`].
    StartTls,
    /// Is this who it claims to be? Refuse with [`Refusal::BadCredentials`] or [`Refusal::LoginUnavailable`].
    Login(&'a Credentials),
    /// May this sender begin a message of so many bytes (SIZE, a claim)? Here `min_free` is answered.
    Sender {
        /// None is the null sender of bounces (RFC 5321 §4.5.5).
        sender: Option<&'a Address>,
        /// SIZE in bytes, already held against `max_message`.
        size: Option<u64>,
    },
    /// Is this one of ours, and may the sender write to it? There is no other way to be taken.
    Recipient {
        /// As accepted before.
        sender: Option<&'a Address>,
        /// Whom it shall reach.
        recipient: &'a Address,
    },
    /// Store this. Accept only when it is durable; refuse with [`Refusal::NotStored`] when it is not.
    Message(Box<Message>),
    /// Send `out`, then close the connection. Told once; the session takes no more input.
    Closed(Reason),
}

/// Why a session ended.
pub type Reason = serving::Reason<Refusal>;
type Signal = serving::Signal<Refusal, Box<Message>>;

#[derive(Debug)]
enum Asked {
    Login(Credentials),
    Sender(Envelope, Option<u64>),
    Recipient(Address),
    Message,
}

#[derive(Debug, Default)]
struct Envelope {
    sender: Option<Address>,
    recipients: Vec<Address>,
}

impl Session {
    /// A connection that was accepted; the greeting goes to `out`.
    #[must_use]
    pub fn new(config: Arc<Config>, channel: Channel, out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(config.greeting());
        let limits = config.limits();
        Self {
            stand: Stand::new(channel, limits),
            client: None,
            user: None,
            envelope: None,
            decoder: Decoder::new(Rules::strict(limits)),
            body: Vec::new(),
            errors: 0,
            idle: 0,
            messages: 0,
            refused: Vec::new(),
            config,
        }
    }

    /// Works on `input` and takes from it what it used, until the shell is needed or nothing is left.
    ///
    /// Give it all that was read, also behind an event: what a client sent behind STARTTLS must be seen here,
    /// to be thrown away. While a question is open it takes nothing and gives nothing.
    pub fn next(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Option<Event<'_>> {
        let signal = loop {
            match self.step(input, out) {
                Signal::GoOn => {}
                signal => break signal,
            }
        };
        match signal {
            Signal::GoOn | Signal::More => None,
            Signal::StartTls => Some(Event::StartTls),
            Signal::Given(message) => Some(Event::Message(message)),
            Signal::Closed(reason) => Some(Event::Closed(reason)),
            Signal::Asked => self.question(),
        }
    }

    /// Answers the open question with yes: logged in, sender or recipient taken, message durable.
    pub fn accept(&mut self, out: &mut Vec<u8>) {
        let State::Asked(asked) = std::mem::replace(&mut self.stand.state, State::Command) else {
            return;
        };
        let reply: &[u8] = match asked {
            Asked::Login(credentials) => {
                self.user = Some(credentials.user);
                b"235 2.7.0 authenticated\r\n"
            }
            Asked::Sender(envelope, _) => {
                self.envelope = Some(envelope);
                b"250 2.1.0 sender ok\r\n"
            }
            Asked::Recipient(recipient) => {
                if let Some(envelope) = &mut self.envelope {
                    envelope.recipients.push(recipient);
                }
                b"250 2.1.5 recipient ok\r\n"
            }
            Asked::Message => {
                self.messages += 1;
                self.idle = 0;
                b"250 2.0.0 stored\r\n"
            }
        };
        out.extend_from_slice(reply);
    }

    /// Answers the open question with no. A refusal that closes (421, 521) ends the session at once, asked or not:
    /// so the shell tells timeouts and its own stopping.
    pub fn refuse(&mut self, refusal: Refusal, out: &mut Vec<u8>) {
        if !matches!(self.stand.state, State::Asked(_)) && !refusal.is_last() || self.is_closed() {
            return;
        }
        self.stand.state = State::Command;
        self.fail(refusal, out);
    }

    /// Ends the session from outside, in the words of the protocol.
    pub fn dismiss(&mut self, why: Dismissal, out: &mut Vec<u8>) {
        self.refuse(Refusal::of(why), out);
    }

    /// The TLS handshake is done: everything known of the client is forgotten (RFC 3207 §4.2).
    pub fn secured(&mut self) {
        if self.stand.secured() {
            self.client = None;
            self.user = None;
            self.envelope = None;
        }
    }

    /// What was refused since this was last asked, for counters; no more than errors are allowed in a session.
    pub fn refusals(&mut self) -> impl Iterator<Item = Refusal> {
        self.refused.drain(..)
    }

    /// How the bytes travel now.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.stand.channel
    }

    /// The name of whoever logged in.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Whether a message is in transfer, so that the shell holds it against `min_rate`.
    #[must_use]
    pub fn in_data(&self) -> bool {
        matches!(self.stand.state, State::Data)
    }

    /// Whether the session ended and the connection shall be closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.stand.is_closed()
    }

    fn question(&self) -> Option<Event<'_>> {
        let State::Asked(asked) = &self.stand.state else { return None };
        let current = self.envelope.as_ref().and_then(|envelope| envelope.sender.as_ref());
        match asked {
            Asked::Login(credentials) => Some(Event::Login(credentials)),
            Asked::Sender(envelope, size) => Some(Event::Sender { sender: envelope.sender.as_ref(), size: *size }),
            Asked::Recipient(recipient) => Some(Event::Recipient { sender: current, recipient }),
            Asked::Message => None,
        }
    }
}
