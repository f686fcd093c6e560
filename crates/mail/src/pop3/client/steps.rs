//! What a client does with responses: greeting, CAPA, TLS, password, list, then one command at a time.

use super::{Awaited, Client, Event, Failure, Listed, Offers, Security, State, rules};
use crate::Channel;
use crate::dot::{Decoder, Progress};
use crate::lines::Taken;
use crate::pop3::Entry;

type Step = Result<Option<Event>, Failure>;

/// Bytes of a list or of capabilities; a maildrop of 10,000 messages lists in a tenth of it.
const LONGEST_LIST: usize = 4 << 20;

impl Client {
    pub(super) fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Step {
        match self.state {
            State::Ended => {
                *input = &[];
                Ok(None)
            }
            State::Handshake if input.is_empty() => Ok(None),
            State::Handshake => Err(Failure::Injected),
            State::Multi(awaited) => self.multi(awaited, input, out),
            State::Working | State::Ready => self.line(input, out),
        }
    }

    fn line(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Step {
        let line = match self.lines.take(input) {
            Taken::More => return Ok(None),
            Taken::Line(line) => line,
            Taken::TooLong | Taken::Bare | Taken::Flood => return Err(Failure::NotPop3),
        };
        let awaited = self.awaited.pop_front().ok_or(Failure::NotPop3)?;
        match line.strip_prefix(b"+OK") {
            Some(rest) if matches!(rest.first(), None | Some(b' ')) => self.granted(awaited, !input.is_empty(), out),
            _ => {
                let text = line.strip_prefix(b"-ERR").ok_or(Failure::NotPop3)?;
                let text = String::from_utf8_lossy(text).trim().replace(|letter: char| letter.is_control(), " ");
                self.denied(awaited, text, out)
            }
        }
    }

    fn granted(&mut self, awaited: Awaited, more: bool, out: &mut Vec<u8>) -> Step {
        match awaited {
            Awaited::Greeting => self.say(Awaited::Capa, "CAPA\r\n", out),
            Awaited::Stls if more => return Err(Failure::Injected),
            Awaited::Stls => {
                self.state = State::Handshake;
                return Ok(Some(Event::StartTls));
            }
            Awaited::User => {
                let line = zeroize::Zeroizing::new(format!("PASS {}\r\n", self.setup.login.password.expose()));
                self.say(Awaited::Pass, &line, out);
            }
            Awaited::Pass | Awaited::Auth => self.say(Awaited::List, "LIST\r\n", out),
            Awaited::Capa | Awaited::List | Awaited::Uidl | Awaited::Retr(_) => {
                let longest = if matches!(awaited, Awaited::Retr(_)) { self.setup.max_message } else { LONGEST_LIST };
                self.decoder = Decoder::new(rules(longest));
                self.body = Vec::new();
                self.state = State::Multi(awaited);
            }
            Awaited::Dele(number) => return Ok(self.ready(Event::Deleted(number))),
            Awaited::Quit => {
                self.state = State::Ended;
                return Ok(Some(Event::Closed(true)));
            }
        }
        Ok(None)
    }

    fn denied(&mut self, awaited: Awaited, text: String, out: &mut Vec<u8>) -> Step {
        match awaited {
            // A server from before RFC 2449.
            Awaited::Capa => self.introduce(out),
            Awaited::Uidl => self.listed(),
            Awaited::Retr(number) | Awaited::Dele(number) => Ok(self.ready(Event::Refused(number, text))),
            Awaited::Quit => {
                self.state = State::Ended;
                Ok(Some(Event::Closed(false)))
            }
            _ if text.to_ascii_uppercase().starts_with("[IN-USE]") => Err(Failure::InUse),
            _ => Err(Failure::Refused(text)),
        }
    }

    fn multi(&mut self, awaited: Awaited, input: &mut &[u8], out: &mut Vec<u8>) -> Step {
        match self.decoder.push(input, &mut self.body) {
            Progress::More => return Ok(None),
            Progress::Bare | Progress::Flood => return Err(Failure::NotPop3),
            Progress::End => {}
        }
        self.state = State::Working;
        let body = std::mem::take(&mut self.body);
        let lost = self.decoder.fault.is_some();
        match awaited {
            Awaited::Retr(number) if lost => Ok(self.ready(Event::TooLarge(number))),
            Awaited::Retr(number) => Ok(self.ready(Event::Message(number, body))),
            _ if lost => Err(Failure::NotPop3),
            Awaited::Capa => {
                self.offers = Offers::read(&body);
                self.introduce(out)
            }
            Awaited::List => {
                let rows = rows(&body, self.setup.max_list)?;
                self.listing = rows.filter_map(|(number, size)| Some((number, size.parse().ok()?))).collect();
                self.say(Awaited::Uidl, "UIDL\r\n", out);
                Ok(None)
            }
            _ => {
                self.uids = rows(&body, self.setup.max_list)?.map(|(number, uid)| (number, uid.into())).collect();
                self.listed()
            }
        }
    }

    /// After CAPA: TLS if it is still to be made, then the password.
    fn introduce(&mut self, out: &mut Vec<u8>) -> Step {
        if self.channel == Channel::Clear && self.setup.security != Security::Never {
            if self.offers.stls {
                self.say(Awaited::Stls, "STLS\r\n", out);
                return Ok(None);
            }
            return Err(Failure::NoTls);
        }
        let login = self.setup.login.clone();
        if self.offers.plain {
            out.extend_from_slice(b"AUTH PLAIN ");
            out.extend_from_slice(login.to_plain().as_bytes());
            self.say(Awaited::Auth, "\r\n", out);
            return Ok(None);
        }
        if login.user.chars().chain(login.password.expose().chars()).any(char::is_control) {
            return Err(Failure::Refused("name or password hold a control character".to_owned()));
        }
        self.say(Awaited::User, &format!("USER {}\r\n", login.user), out);
        Ok(None)
    }

    fn listed(&mut self) -> Step {
        let uids = std::mem::take(&mut self.uids);
        let entry = |(number, size): (u32, u64)| {
            let known = uids.iter().find(|(of, _)| *of == number).map(|(_, uid)| &**uid);
            let entry = Entry::new(size, known.unwrap_or(&format!("{number:010}")))?;
            Some(Listed { number, entry })
        };
        let listing = std::mem::take(&mut self.listing).into_iter().filter_map(entry).collect();
        Ok(self.ready(Event::Listing(listing)))
    }

    fn ready(&mut self, event: Event) -> Option<Event> {
        self.state = State::Ready;
        Some(event)
    }
}

impl Offers {
    fn read(body: &[u8]) -> Self {
        let mut offers = Self::default();
        for line in String::from_utf8_lossy(body).lines() {
            let mut words = line.split(' ');
            match words.next().unwrap_or_default().to_ascii_uppercase().as_str() {
                "STLS" => offers.stls = true,
                "SASL" => offers.plain = words.any(|word| word.eq_ignore_ascii_case("PLAIN")),
                _ => {}
            }
        }
        offers
    }
}

/// The rows of LIST and UIDL: a number and a word; what more stands in a row is the server's own.
fn rows(body: &[u8], most: usize) -> Result<impl Iterator<Item = (u32, &str)>, Failure> {
    let text = std::str::from_utf8(body).map_err(|_| Failure::NotPop3)?;
    let row = |line: &str| -> bool {
        let mut words = line.split(' ');
        words.next().is_some_and(|number| number.parse::<u32>().is_ok_and(|number| number > 0))
            && words.next().is_some()
    };
    if !text.lines().all(row) {
        return Err(Failure::NotPop3);
    }
    let split = |line| {
        let (number, rest) = str::split_once(line, ' ')?;
        Some((number.parse().ok()?, rest.split(' ').next().unwrap_or_default()))
    };
    Ok(text.lines().filter_map(split).take(most))
}
