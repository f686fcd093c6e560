//! What a session does with bytes: lines to commands, commands to questions and replies, DATA to a message.

use super::super::command::{Command, Initial};
use super::super::refusal::Refusal;
use super::{Asked, Envelope, Login, Message, Origin, Reason, Session, Signal, Tls};
use crate::dot::{Decoder, Fault, Progress, Rules};
use crate::serving::State;
use crate::{Address, Channel, Credentials};

impl Session {
    pub(super) fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Signal {
        match self.stand.settled(input) {
            Some(signal) => signal,
            None if self.in_data() => self.data(input, out),
            None => self.line(input, out),
        }
    }

    fn line(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Signal {
        let command = self.stand.line(input, |line, in_response| match in_response {
            true => Ok(Command::Auth(Credentials::from_plain(line).map_or(Initial::Malformed, Initial::Given))),
            false => Command::read(line),
        });
        let Some(command) = command else { return Signal::More };
        match command.and_then(|order| self.obey(order, !input.is_empty(), out)) {
            Ok(signal) => signal,
            Err(refusal) => {
                self.fail(refusal, out);
                Signal::GoOn
            }
        }
    }

    /// Carries a command out; `more` tells that bytes stand behind it.
    fn obey(&mut self, order: Command, more: bool, out: &mut Vec<u8>) -> Result<Signal, Refusal> {
        self.idle += u32::from(!matches!(order, Command::Rcpt(_) | Command::Data | Command::Quit));
        if self.idle > self.config.limits().idle_commands {
            return Err(Refusal::TooMuch);
        }
        match order {
            Command::Ehlo(client) => self.hello(client, true, out),
            Command::Helo(client) => self.hello(client, false, out),
            Command::StartTls => {
                let offered = self.config.tls() != Tls::Absent;
                return self.stand.start_tls(offered, more, b"220 2.0.0 begin TLS\r\n", out);
            }
            Command::Auth(response) => return self.auth(response, out),
            Command::Mail(sender, size) => return self.mail(sender, size),
            Command::Rcpt(recipient) => return self.rcpt(recipient),
            Command::Data => self.begin_data(out)?,
            Command::Rset => {
                self.envelope = None;
                out.extend_from_slice(b"250 2.0.0 forgotten\r\n");
            }
            Command::Noop => out.extend_from_slice(b"250 2.0.0 ok\r\n"),
            Command::Quit => {
                out.extend_from_slice(b"221 2.0.0 bye\r\n");
                self.stand.state = State::Ending(Reason::Quit);
            }
        }
        Ok(Signal::GoOn)
    }

    fn hello(&mut self, client: Box<str>, extended: bool, out: &mut Vec<u8>) {
        self.client = Some(client);
        self.envelope = None;
        out.extend_from_slice(if extended { self.config.ehlo(self.stand.channel) } else { self.config.helo() });
    }

    fn auth(&mut self, response: Initial, out: &mut Vec<u8>) -> Result<Signal, Refusal> {
        if self.config.login() == Login::Absent {
            return Err(Refusal::NotImplemented);
        }
        if self.stand.channel == Channel::Clear {
            return Err(Refusal::LoginNeedsTls);
        }
        if self.client.is_none() || self.user.is_some() || self.envelope.is_some() {
            return Err(Refusal::OutOfOrder);
        }
        match response {
            Initial::Absent => {
                out.extend_from_slice(b"334 \r\n");
                self.stand.state = State::Response;
                Ok(Signal::GoOn)
            }
            Initial::Malformed => Err(Refusal::BadResponse),
            Initial::Given(credentials) => Ok(self.stand.ask(Asked::Login(credentials))),
        }
    }

    fn mail(&mut self, sender: Option<Address>, size: Option<u64>) -> Result<Signal, Refusal> {
        if self.client.is_none() || self.envelope.is_some() {
            return Err(Refusal::OutOfOrder);
        }
        if self.stand.channel == Channel::Clear && self.config.tls() == Tls::Required {
            return Err(Refusal::TlsRequired);
        }
        if self.user.is_none() && self.config.login() == Login::Required {
            return Err(Refusal::LoginRequired);
        }
        let limits = self.config.limits();
        if self.messages >= limits.messages {
            return Err(Refusal::TooMuch);
        }
        if size.is_some_and(|size| size > limits.max_message as u64) {
            return Err(Refusal::MessageTooLarge);
        }
        Ok(self.stand.ask(Asked::Sender(Envelope { sender, recipients: Vec::new() }, size)))
    }

    fn rcpt(&mut self, recipient: Address) -> Result<Signal, Refusal> {
        let envelope = self.envelope.as_ref().ok_or(Refusal::OutOfOrder)?;
        if envelope.recipients.len() >= self.config.limits().recipients {
            return Err(Refusal::TooManyRecipients);
        }
        Ok(self.stand.ask(Asked::Recipient(recipient)))
    }

    fn begin_data(&mut self, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let envelope = self.envelope.as_ref().ok_or(Refusal::OutOfOrder)?;
        if envelope.recipients.is_empty() {
            return Err(Refusal::NoRecipients);
        }
        self.decoder = Decoder::new(Rules::strict(self.config.limits()));
        self.body = Vec::new();
        self.stand.state = State::Data;
        out.extend_from_slice(b"354 end with a dot alone\r\n");
        Ok(())
    }

    fn data(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Signal {
        let refusal = match self.decoder.push(input, &mut self.body) {
            Progress::More => return Signal::More,
            Progress::Bare => Refusal::BareNewline,
            Progress::Flood => Refusal::TooMuch,
            Progress::End => match self.decoder.fault {
                None => return self.message(),
                Some(Fault::HeaderTooLarge) => Refusal::HeaderTooLarge,
                Some(Fault::HeaderFields) => Refusal::HeaderFields,
                Some(Fault::LineTooLong) => Refusal::MessageLine,
                Some(Fault::MessageTooLarge) => Refusal::MessageTooLarge,
                Some(Fault::Nul) => Refusal::Malformed,
            },
        };
        self.body = Vec::new();
        self.envelope = None;
        self.stand.state = State::Command;
        self.fail(refusal, out);
        Signal::GoOn
    }

    fn message(&mut self) -> Signal {
        let envelope = self.envelope.take().unwrap_or_default();
        let data = std::mem::take(&mut self.body);
        let head = self.decoder.head.unwrap_or(data.len());
        self.stand.state = State::Asked(Asked::Message);
        Signal::Given(Box::new(Message {
            client: self.client.clone().unwrap_or_default(),
            user: self.user.clone(),
            channel: self.stand.channel,
            origin: Origin::of(envelope.sender.as_ref(), &data[..head]),
            sender: envelope.sender,
            recipients: envelope.recipients,
            data,
            head,
        }))
    }

    pub(super) fn fail(&mut self, refusal: Refusal, out: &mut Vec<u8>) {
        out.extend_from_slice(refusal.line().as_bytes());
        self.errors += 1;
        self.refused.push(refusal);
        if refusal.is_last() {
            self.stand.end(refusal);
        } else if self.errors >= self.config.limits().errors {
            out.extend_from_slice(Refusal::TooManyErrors.line().as_bytes());
            self.stand.end(Refusal::TooManyErrors);
        }
    }
}
