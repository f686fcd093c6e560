//! What a session does with bytes: lines to commands, commands to questions and replies.

use std::io::Write as _;

use super::super::command::{Command, Initial};
use super::super::refusal::Refusal;
use super::{Asked, Reason, Session, Signal, Slot, Tls};
use crate::Credentials;
use crate::serving::State;

impl Session {
    pub(super) fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Signal {
        match self.stand.settled(input) {
            Some(signal) => signal,
            None => self.line(input, out),
        }
    }

    pub(super) fn fail(&mut self, refusal: Refusal, out: &mut Vec<u8>) {
        self.errors += 1;
        let too_many = self.errors >= self.config.limits.errors && !refusal.is_last();
        // One line a command: a client that pipelines counts them.
        let refusal = if too_many { Refusal::TooManyErrors } else { refusal };
        out.extend_from_slice(refusal.line().as_bytes());
        if refusal.is_last() {
            self.stand.end(refusal);
        }
    }

    fn line(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Signal {
        let command = self.stand.line(input, |line, in_response| match in_response {
            true => Ok(Command::Auth(Credentials::from_plain(line).map_or(Initial::Malformed, Initial::Given))),
            false => Command::read(line),
        });
        let Some(command) = command else { return Signal::More };
        match command.and_then(|command| self.obey(command, !input.is_empty(), out)) {
            Ok(signal) => signal,
            Err(refusal) => {
                self.fail(refusal, out);
                Signal::GoOn
            }
        }
    }

    fn obey(&mut self, command: Command, more: bool, out: &mut Vec<u8>) -> Result<Signal, Refusal> {
        let useful = matches!(command, Command::Retr(_) | Command::Dele(_) | Command::Quit);
        self.idle = if useful { 0 } else { self.idle + 1 };
        if self.idle > self.config.limits.idle_commands {
            return Err(Refusal::TooManyErrors);
        }
        match command {
            Command::Capa => {
                self.config.capabilities(self.stand.channel, out);
                Ok(Signal::GoOn)
            }
            Command::Quit => Ok(self.quit(out)),
            command if self.user.is_none() => self.enter(command, more, out),
            command => self.transact(&command, out),
        }
    }

    /// AUTHORIZATION state (RFC 1939 §4).
    fn enter(&mut self, command: Command, more: bool, out: &mut Vec<u8>) -> Result<Signal, Refusal> {
        let named = self.named.take();
        if matches!(command, Command::Stls) {
            return self.stand.start_tls(self.config.tls == Tls::Offered, more, b"+OK begin TLS\r\n", out);
        }
        let of_login = matches!(command, Command::User(_) | Command::Pass(_) | Command::Auth(_));
        if of_login && !self.config.takes_passwords(self.stand.channel) {
            return Err(Refusal::LoginNeedsTls);
        }
        match command {
            Command::User(name) => {
                self.named = Some(name);
                out.extend_from_slice(b"+OK\r\n");
                Ok(Signal::GoOn)
            }
            Command::Pass(password) => {
                let user = named.ok_or(Refusal::OutOfOrder)?;
                Ok(self.stand.ask(Asked::Login(Credentials { user, password })))
            }
            Command::Auth(Initial::Question) => {
                out.extend_from_slice(b"+OK\r\nPLAIN\r\n.\r\n");
                Ok(Signal::GoOn)
            }
            Command::Auth(Initial::Absent) => {
                out.extend_from_slice(b"+ \r\n");
                self.stand.state = State::Response;
                Ok(Signal::GoOn)
            }
            Command::Auth(Initial::Malformed) => Err(Refusal::Syntax),
            Command::Auth(Initial::Given(credentials)) => Ok(self.stand.ask(Asked::Login(credentials))),
            _ => Err(Refusal::OutOfOrder),
        }
    }

    /// TRANSACTION state (RFC 1939 §5).
    fn transact(&mut self, command: &Command, out: &mut Vec<u8>) -> Result<Signal, Refusal> {
        match command {
            Command::Stat => {
                let (count, size) = self.sum();
                say(out, format_args!("+OK {count} {size}\r\n"));
            }
            Command::List(None) => self.list(size_line, out),
            Command::Uidl(None) => self.list(uid_line, out),
            Command::List(Some(number)) => {
                let place = self.place(*number)?;
                out.extend_from_slice(b"+OK ");
                size_line(&self.maildrop[place], place, out);
            }
            Command::Uidl(Some(number)) => {
                let place = self.place(*number)?;
                out.extend_from_slice(b"+OK ");
                uid_line(&self.maildrop[place], place, out);
            }
            Command::Retr(number) => {
                let place = self.place(*number)?;
                return Ok(self.stand.ask(Asked::Fetch(place, None)));
            }
            Command::Top(number, lines) => {
                let place = self.place(*number)?;
                return Ok(self.stand.ask(Asked::Fetch(place, Some(*lines))));
            }
            Command::Dele(number) => {
                let place = self.place(*number)?;
                self.maildrop[place].deleted = true;
                out.extend_from_slice(b"+OK marked\r\n");
            }
            Command::Rset => {
                self.maildrop.iter_mut().for_each(|slot| slot.deleted = false);
                out.extend_from_slice(b"+OK\r\n");
            }
            Command::Noop => out.extend_from_slice(b"+OK\r\n"),
            _ => return Err(Refusal::OutOfOrder),
        }
        Ok(Signal::GoOn)
    }

    /// QUIT: the UPDATE state, if anything was marked (RFC 1939 §6).
    fn quit(&mut self, out: &mut Vec<u8>) -> Signal {
        if self.maildrop.iter().any(|slot| slot.deleted) {
            return self.stand.ask(Asked::Remove);
        }
        out.extend_from_slice(b"+OK bye\r\n");
        self.stand.state = State::Ending(Reason::Quit);
        Signal::GoOn
    }

    fn place(&self, number: usize) -> Result<usize, Refusal> {
        let place = number.checked_sub(1).ok_or(Refusal::NoMessage)?;
        match self.maildrop.get(place) {
            Some(slot) if !slot.deleted => Ok(place),
            _ => Err(Refusal::NoMessage),
        }
    }

    fn sum(&self) -> (usize, u64) {
        let left = self.maildrop.iter().filter(|slot| !slot.deleted);
        left.fold((0, 0), |(count, size), slot| (count + 1, size + slot.entry.size()))
    }

    fn list(&self, line: impl Fn(&Slot, usize, &mut Vec<u8>), out: &mut Vec<u8>) {
        let (count, size) = self.sum();
        say(out, format_args!("+OK {count} messages ({size} octets)\r\n"));
        for (place, slot) in self.maildrop.iter().enumerate().filter(|(_, slot)| !slot.deleted) {
            line(slot, place, out);
        }
        out.extend_from_slice(b".\r\n");
    }
}

fn size_line(slot: &Slot, place: usize, out: &mut Vec<u8>) {
    say(out, format_args!("{} {}\r\n", place + 1, slot.entry.size()));
}

fn uid_line(slot: &Slot, place: usize, out: &mut Vec<u8>) {
    say(out, format_args!("{} {}\r\n", place + 1, slot.entry.uid()));
}

fn say(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a Vec takes whatever is written");
}
