//! The sending side of one SMTP connection: for devices, agents and alerts. It asks its shell for TLS and for the
//! message, tells each recipient's fate, and never sends a password in the clear.

mod steps;

use std::collections::VecDeque;

use super::reply::{Gathering, Reply};
use crate::address::is_domain;
use crate::dot::{self, BareNewline};
use crate::lines::{Lines, drive};
use crate::{Address, Channel, Credentials};

/// Longest reply line that is read; RFC 5321 §4.5.3.1.5 says 512, some servers say more.
const LONGEST_LINE: usize = 2_048;

/// How a connection is made safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// No mail without TLS. A server that does not offer it, or an attacker that hides it, gets nothing.
    Required,
    /// TLS if it is offered (RFC 7435); for relays inside a site that know none. Never with a password.
    IfOffered,
    /// In the clear, for tests and old servers. Never with a password.
    Never,
}

/// How to speak to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// What the client calls itself in EHLO: a domain, or an address in brackets.
    /// Anything else is replaced by an address (RFC 5321 §4.1.4).
    pub name: String,
    /// When the channel is TLS from the start, this is satisfied already.
    pub security: Security,
    /// AUTH PLAIN, if the server wants it.
    pub login: Option<Credentials>,
}

/// One connection to a server that takes mail.
///
/// The shell sends `out`, reads bytes, calls [`Client::next`] until it gives nothing. On [`Event::Ready`] it may
/// [`Client::send`], on [`Event::GoAhead`] it gives the message by [`Client::message`].
#[derive(Debug)]
pub struct Client {
    setup: Setup,
    channel: Channel,
    lines: Lines,
    gathering: Gathering,
    /// Replies that are to come, in their order.
    awaited: VecDeque<Awaited>,
    /// Commands that wait for their turn when the server knows no PIPELINING.
    queue: VecDeque<(Awaited, String)>,
    offers: Offers,
    delivery: Option<Delivery>,
    /// A transaction was left open: RSET comes first.
    soiled: bool,
    state: State,
}

/// What happened, or what the client needs.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Do the TLS handshake as client (verify the server!), then call [`Client::secured`].
    StartTls,
    /// Logged in if that was wanted; a message may be sent.
    Ready,
    /// The server awaits the message: call [`Client::message`].
    GoAhead,
    /// The message is the server's now, for those recipients that it took.
    Sent(Receipt),
    /// This message was not taken for anybody; the connection lives on and is ready.
    Refused(Receipt),
    /// The connection ended as asked.
    Closed,
    /// The connection is of no use any more. Close it.
    Failed(Failure),
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The reply that decided: to the message, or to what was refused first.
    pub reply: Reply,
    /// Recipients that the server refused, as their places in the envelope, with its words.
    pub refused: Vec<(usize, Reply)>,
}

/// Why a connection cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Bytes that are no SMTP reply, or a reply to nothing.
    #[error("the server does not speak SMTP; check host and port")]
    NotSmtp,
    /// TLS is required, and the server does not offer it.
    #[error("the server offers no STARTTLS; use its port for implicit TLS, or allow the clear channel")]
    NoTls,
    /// Bytes came in the clear behind the reply to STARTTLS (CVE-2011-0411).
    #[error("the server sent data between STARTTLS and the handshake; somebody may sit in between")]
    Injected,
    /// A password is set, and the channel is not TLS or the server knows no AUTH PLAIN.
    #[error("the server takes no AUTH PLAIN on this channel; use TLS, or set no password")]
    NoLogin,
    /// The server refused the greeting, EHLO, STARTTLS or the password.
    #[error("the server refused: {0}")]
    Refused(Reply),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Working,
    Handshake,
    Ready,
    GoAhead,
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    Login,
    Reset,
    Sender,
    Recipient(usize),
    Data,
    Message,
    Quit,
}

#[derive(Clone, Copy, Debug, Default)]
struct Offers {
    start_tls: bool,
    plain: bool,
    pipelining: bool,
    /// SIZE with its limit; 0 is none (RFC 1870 §3).
    size: Option<u64>,
    eight_bit: bool,
}

#[derive(Debug)]
struct Delivery {
    taken: usize,
    refused: Vec<(usize, Reply)>,
    /// The first refusal that concerns the whole message.
    lost: Option<Reply>,
}

impl Client {
    /// A connection that was made; the server greets first.
    #[must_use]
    pub fn new(mut setup: Setup, channel: Channel) -> Self {
        if !is_domain(&setup.name) {
            setup.name = "[127.0.0.1]".to_owned();
        }
        Self {
            setup,
            channel,
            lines: Lines::new(LONGEST_LINE),
            gathering: Gathering::default(),
            awaited: VecDeque::from([Awaited::Greeting]),
            queue: VecDeque::new(),
            offers: Offers::default(),
            delivery: None,
            soiled: false,
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
            self.hello(out);
        }
    }

    /// Begins a message of `size` bytes. False when the client is not ready, or there is nobody to send to.
    pub fn send(&mut self, sender: Option<&Address>, recipients: &[Address], size: usize, out: &mut Vec<u8>) -> bool {
        if self.state != State::Ready || recipients.is_empty() {
            return false;
        }
        self.state = State::Working;
        self.delivery = Some(Delivery { taken: 0, refused: Vec::new(), lost: None });
        if std::mem::take(&mut self.soiled) {
            self.queue.push_back((Awaited::Reset, "RSET\r\n".to_owned()));
        }
        let path = sender.map_or("", Address::as_str);
        let size = self.offers.size.map_or_else(String::new, |_| format!(" SIZE={size}"));
        let body = if self.offers.eight_bit { " BODY=8BITMIME" } else { "" };
        self.queue.push_back((Awaited::Sender, format!("MAIL FROM:<{path}>{size}{body}\r\n")));
        for (place, recipient) in recipients.iter().enumerate() {
            self.queue.push_back((Awaited::Recipient(place), format!("RCPT TO:<{recipient}>\r\n")));
        }
        self.queue.push_back((Awaited::Data, "DATA\r\n".to_owned()));
        self.pump(out);
        true
    }

    /// Gives the message that [`Event::GoAhead`] asked for; its lines must end by CRLF.
    ///
    /// # Errors
    /// When a CR or an LF stands alone. Nothing was sent; close the connection, the server still waits.
    pub fn message(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), BareNewline> {
        if self.state == State::GoAhead {
            dot::stuff(message, out)?;
            self.state = State::Working;
            self.awaited.push_back(Awaited::Message);
        }
        Ok(())
    }

    /// Says goodbye; [`Event::Closed`] follows. False when the client is not ready.
    pub fn quit(&mut self, out: &mut Vec<u8>) -> bool {
        let ready = self.state == State::Ready;
        if ready {
            self.state = State::Working;
            self.queue.push_back((Awaited::Quit, "QUIT\r\n".to_owned()));
            self.pump(out);
        }
        ready
    }

    /// The largest message that the server takes, in bytes, if it told one.
    #[must_use]
    pub fn largest(&self) -> Option<u64> {
        self.offers.size.filter(|size| *size > 0)
    }

    /// How the bytes travel now.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.channel
    }
}
