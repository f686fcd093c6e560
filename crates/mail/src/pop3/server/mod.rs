//! The serving side of one POP3 connection. The maildrop lives with the shell, which is asked for it by events;
//! nothing is taken from it but by QUIT after DELE (RFC 1939 §6).

mod config;
mod steps;

use std::sync::Arc;

pub use config::{Config, Login, Tls};

use super::entry::Entry;
use super::refusal::Refusal;
use crate::dot::{self, BareNewline};
use crate::serving::{self, Refuse as _, Stand, State};
use crate::{Channel, Credentials, Dismissal};

/// One connection of a client that fetches mail. It is driven as [`crate::smtp::Session`] is.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    stand: Stand<Asked, Refusal>,
    /// Named by USER, awaiting PASS.
    named: Option<String>,
    user: Option<String>,
    maildrop: Vec<Slot>,
    errors: u32,
    idle: u32,
}

/// What the shell has to do or to decide.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Send `out`, do the TLS handshake as server, then call [`Session::secured`].
    StartTls,
    /// Is this who it claims to be, and is the maildrop free? [`Session::open`], or [`Session::refuse`] with
    /// [`Refusal::BadCredentials`], [`Refusal::InUse`] or [`Refusal::Unavailable`].
    /// [`Session::channel`] tells whether the password came in the clear.
    Login(&'a Credentials),
    /// Give the message by [`Session::message`]; its place in the list that was opened, from 0.
    Fetch(usize),
    /// QUIT: remove these for good, as places in the list. Then [`Session::removed`], or refuse with
    /// [`Refusal::NotRemoved`]. Not told when nothing was marked.
    Remove(Vec<usize>),
    /// Send `out`, then close the connection. Told once. Unless [`Event::Remove`] came before, nothing was removed.
    Closed(Reason),
}

/// Why a session ended.
pub type Reason = serving::Reason<Refusal>;
type Signal = serving::Signal<Refusal>;

#[derive(Debug)]
struct Slot {
    entry: Entry,
    deleted: bool,
}

#[derive(Debug)]
enum Asked {
    Login(Credentials),
    /// The place, and how many lines of the body TOP wants.
    Fetch(usize, Option<usize>),
    Remove,
}

impl Session {
    /// A connection that was accepted; the greeting goes to `out`.
    #[must_use]
    pub fn new(config: Arc<Config>, channel: Channel, out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(b"+OK Platen\r\n");
        Self {
            stand: Stand::new(channel, &config.limits),
            named: None,
            user: None,
            maildrop: Vec::new(),
            errors: 0,
            idle: 0,
            config,
        }
    }

    /// Works on `input` and takes from it what it used, until the shell is needed or nothing is left.
    /// Give it all that was read; while a question is open it takes nothing and gives nothing.
    pub fn next(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Option<Event<'_>> {
        let signal = loop {
            match self.step(input, out) {
                Signal::GoOn => {}
                signal => break signal,
            }
        };
        match signal {
            Signal::GoOn | Signal::More | Signal::Given(()) => None,
            Signal::StartTls => Some(Event::StartTls),
            Signal::Closed(reason) => Some(Event::Closed(reason)),
            Signal::Asked => match &self.stand.state {
                State::Asked(Asked::Login(credentials)) => Some(Event::Login(credentials)),
                State::Asked(Asked::Fetch(place, _)) => Some(Event::Fetch(*place)),
                State::Asked(Asked::Remove) => Some(Event::Remove(self.marked())),
                _ => None,
            },
        }
    }

    /// Answers [`Event::Login`] with the maildrop, which the shell has locked.
    pub fn open(&mut self, maildrop: Vec<Entry>, out: &mut Vec<u8>) {
        let State::Asked(Asked::Login(credentials)) = &mut self.stand.state else { return };
        self.user = Some(std::mem::take(&mut credentials.user));
        self.named = None;
        self.maildrop = maildrop.into_iter().map(|entry| Slot { entry, deleted: false }).collect();
        self.stand.state = State::Command;
        out.extend_from_slice(b"+OK maildrop is open\r\n");
    }

    /// Answers [`Event::Fetch`].
    ///
    /// # Errors
    /// When a CR or an LF stands alone in the message; the client is told that it cannot have it.
    pub fn message(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), BareNewline> {
        let State::Asked(Asked::Fetch(_, lines)) = self.stand.state else { return Ok(()) };
        self.stand.state = State::Command;
        let start = out.len();
        out.extend_from_slice(b"+OK\r\n");
        let done = match lines {
            None => dot::stuff(message, out),
            Some(lines) => dot::stuff_top(message, lines, out),
        };
        if done.is_err() {
            out.truncate(start);
            self.fail(Refusal::Unreadable, out);
        }
        done
    }

    /// Answers [`Event::Remove`]: all of them are gone for good.
    pub fn removed(&mut self, out: &mut Vec<u8>) {
        if matches!(self.stand.state, State::Asked(Asked::Remove)) {
            out.extend_from_slice(b"+OK bye\r\n");
            self.stand.state = State::Ending(Reason::Quit);
        }
    }

    /// Answers the open question with no. A refusal that closes ends the session at once, asked or not.
    pub fn refuse(&mut self, refusal: Refusal, out: &mut Vec<u8>) {
        if !matches!(self.stand.state, State::Asked(_)) && !refusal.is_last() || self.is_closed() {
            return;
        }
        let leaving = matches!(self.stand.state, State::Asked(Asked::Remove));
        self.stand.state = State::Command;
        self.named = None;
        self.fail(refusal, out);
        if leaving && !self.is_closed() {
            self.stand.state = State::Ending(Reason::Refused(refusal));
        }
    }

    /// Ends the session from outside, in the words of the protocol; nothing is removed.
    pub fn dismiss(&mut self, why: Dismissal, out: &mut Vec<u8>) {
        self.refuse(Refusal::of(why), out);
    }

    /// The TLS handshake is done: everything known of the client is forgotten (RFC 2595 §4).
    pub fn secured(&mut self) {
        if self.stand.secured() {
            self.named = None;
        }
    }

    /// How the bytes travel now.
    #[must_use]
    pub fn channel(&self) -> Channel {
        self.stand.channel
    }

    /// Whose maildrop is open.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Whether the session ended and the connection shall be closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.stand.is_closed()
    }

    fn marked(&self) -> Vec<usize> {
        self.maildrop.iter().enumerate().filter(|(_, slot)| slot.deleted).map(|(place, _)| place).collect()
    }
}
