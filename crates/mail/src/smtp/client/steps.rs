//! What a client does with replies: greeting, EHLO, TLS, password, then transactions.

use super::super::reply::Reply;
use super::{Awaited, Client, Delivery, Event, Failure, Offers, Receipt, Security, State};
use crate::Channel;
use crate::lines::Taken;

type Step = Result<Option<Event>, Failure>;

impl Client {
    pub(super) fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Step {
        match self.state {
            State::Ended => {
                *input = &[];
                return Ok(None);
            }
            State::Handshake if !input.is_empty() => return Err(Failure::Injected),
            State::Handshake => return Ok(None),
            _ => {}
        }
        let reply = match self.lines.take(input) {
            Taken::More => return Ok(None),
            Taken::Line(line) => self.gathering.take(line).map_err(|()| Failure::NotSmtp)?,
            Taken::TooLong | Taken::Bare | Taken::Flood => return Err(Failure::NotSmtp),
        };
        let Some(reply) = reply else { return Ok(None) };
        // 421 may come at any time, and ends everything (RFC 5321 §3.8).
        if reply.code == 421 {
            return Err(Failure::Refused(reply));
        }
        let awaited = self.awaited.pop_front().ok_or(Failure::NotSmtp)?;
        let event = self.answered(awaited, reply, !input.is_empty(), out)?;
        self.pump(out);
        Ok(event)
    }

    /// Sends what may be sent now: all of it to a server that knows PIPELINING (RFC 2920), else one command.
    pub(super) fn pump(&mut self, out: &mut Vec<u8>) {
        while self.offers.pipelining || self.awaited.is_empty() {
            let Some((awaited, command)) = self.queue.pop_front() else { break };
            out.extend_from_slice(command.as_bytes());
            self.awaited.push_back(awaited);
        }
    }

    pub(super) fn hello(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("EHLO {}\r\n", self.setup.name).as_bytes());
        self.awaited.push_back(Awaited::Ehlo);
    }

    fn answered(&mut self, awaited: Awaited, reply: Reply, more: bool, out: &mut Vec<u8>) -> Step {
        match awaited {
            Awaited::Greeting if reply.is_success() => {
                self.hello(out);
                Ok(None)
            }
            Awaited::Ehlo if reply.is_success() => {
                self.offers = Offers::read(&reply);
                self.greeted(out)
            }
            Awaited::Ehlo if reply.is_permanent() => {
                // A server from before RFC 1869. It knows no TLS, so this helps only where that is allowed.
                out.extend_from_slice(format!("HELO {}\r\n", self.setup.name).as_bytes());
                self.awaited.push_back(Awaited::Helo);
                Ok(None)
            }
            Awaited::Helo if reply.is_success() => self.greeted(out),
            Awaited::StartTls if reply.code == 220 && more => Err(Failure::Injected),
            Awaited::StartTls if reply.code == 220 => {
                self.state = State::Handshake;
                Ok(Some(Event::StartTls))
            }
            Awaited::Login if reply.is_success() => Ok(self.ready()),
            Awaited::Quit => {
                self.state = State::Ended;
                Ok(Some(Event::Closed))
            }
            Awaited::Greeting | Awaited::Ehlo | Awaited::Helo | Awaited::StartTls | Awaited::Login => {
                Err(Failure::Refused(reply))
            }
            Awaited::Reset | Awaited::Sender | Awaited::Recipient(_) | Awaited::Data | Awaited::Message => {
                self.transacted(awaited, reply, out)
            }
        }
    }

    fn greeted(&mut self, out: &mut Vec<u8>) -> Step {
        if self.channel == Channel::Clear && self.setup.security != Security::Never {
            if self.offers.start_tls {
                out.extend_from_slice(b"STARTTLS\r\n");
                self.awaited.push_back(Awaited::StartTls);
                return Ok(None);
            }
            if self.setup.security == Security::Required {
                return Err(Failure::NoTls);
            }
        }
        let Some(login) = &self.setup.login else { return Ok(self.ready()) };
        if self.channel == Channel::Clear || !self.offers.plain {
            return Err(Failure::NoLogin);
        }
        out.extend_from_slice(b"AUTH PLAIN ");
        out.extend_from_slice(login.to_plain().as_bytes());
        out.extend_from_slice(b"\r\n");
        self.awaited.push_back(Awaited::Login);
        Ok(None)
    }

    fn ready(&mut self) -> Option<Event> {
        self.state = State::Ready;
        Some(Event::Ready)
    }

    fn transacted(&mut self, awaited: Awaited, reply: Reply, out: &mut Vec<u8>) -> Step {
        let Some(delivery) = &mut self.delivery else { return Err(Failure::NotSmtp) };
        match awaited {
            Awaited::Recipient(_) if reply.is_success() => delivery.taken += 1,
            Awaited::Recipient(place) => delivery.refused.push((place, reply)),
            Awaited::Data if reply.code == 354 => return self.go_ahead(out),
            Awaited::Message => return Ok(Some(self.decided(reply))),
            Awaited::Data => {
                delivery.lost.get_or_insert(reply);
                return Ok(Some(self.given_up()));
            }
            _ if reply.is_success() => {}
            _ => {
                delivery.lost.get_or_insert(reply);
                if !self.offers.pipelining {
                    return Ok(Some(self.given_up()));
                }
            }
        }
        let nobody = delivery.taken == 0 && matches!(self.queue.front(), Some((Awaited::Data, _)));
        if nobody && !self.offers.pipelining {
            return Ok(Some(self.given_up()));
        }
        Ok(None)
    }

    /// 354 came. When nobody was taken, the empty message closes what PIPELINING opened (RFC 2920 §3.1).
    fn go_ahead(&mut self, out: &mut Vec<u8>) -> Step {
        let Some(delivery) = &mut self.delivery else { return Err(Failure::NotSmtp) };
        match delivery.lost.take() {
            None if delivery.taken > 0 => {
                self.state = State::GoAhead;
                return Ok(Some(Event::GoAhead));
            }
            // A server that refuses the sender and takes recipients would deliver the empty message.
            Some(lost) if delivery.taken > 0 => return Err(Failure::Refused(lost)),
            lost => delivery.lost = lost,
        }
        out.extend_from_slice(b".\r\n");
        self.awaited.push_back(Awaited::Message);
        Ok(None)
    }

    fn decided(&mut self, reply: Reply) -> Event {
        let sent = self.delivery.as_ref().is_some_and(|delivery| delivery.taken > 0 && delivery.lost.is_none());
        if !sent {
            return self.given_up();
        }
        self.state = State::Ready;
        let refused = self.delivery.take().map(|delivery| delivery.refused).unwrap_or_default();
        let success = reply.is_success();
        let receipt = Receipt { reply, refused };
        if success { Event::Sent(receipt) } else { Event::Refused(receipt) }
    }

    fn given_up(&mut self) -> Event {
        self.queue.clear();
        self.soiled = true;
        self.state = State::Ready;
        let delivery = self.delivery.take().unwrap_or(Delivery { taken: 0, refused: Vec::new(), lost: None });
        // The first recipient's refusal says more than the "no valid recipients" that follows from it.
        let refused = if delivery.taken == 0 { delivery.refused.first().map(|(_, reply)| reply.clone()) } else { None };
        let reply = match delivery.lost {
            Some(lost) if refused.is_none() || lost.code != 503 && lost.code != 554 => lost,
            lost => refused.or(lost).unwrap_or_default(),
        };
        Event::Refused(Receipt { reply, refused: delivery.refused })
    }
}

impl Offers {
    fn read(reply: &Reply) -> Self {
        let mut offers = Self::default();
        for line in reply.lines().skip(1) {
            let mut words = line.split(' ');
            match words.next().unwrap_or_default().to_ascii_uppercase().as_str() {
                "STARTTLS" => offers.start_tls = true,
                "PIPELINING" => offers.pipelining = true,
                "8BITMIME" => offers.eight_bit = true,
                "SIZE" => offers.size = Some(words.next().and_then(|size| size.parse().ok()).unwrap_or(0)),
                "AUTH" => offers.plain |= words.any(|word| word.eq_ignore_ascii_case("PLAIN")),
                _ => {}
            }
        }
        offers
    }
}
