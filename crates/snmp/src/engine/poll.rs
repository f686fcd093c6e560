//! Polling in bulk: requests written once, sent as often as wanted, answers shown as slices of the receive buffer.
//! A reply costs no allocation and no task switch; one thread polls a hundred thousand devices.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::core::{Core, Failure, MOST_SLOTS, Patience};
use super::pacer::Pacer;
use crate::ber::Writer;
use crate::error::Error;
use crate::message::{Body, MessageRef, write_community};
use crate::oid::Oid;
use crate::pdu::{PduKind, PduRef, write_pdu};
use crate::socket::{BATCH, Inbox, Options, Outbox, Port, Refused};
use crate::target::{Security, Target};
use crate::usm::AuthFailure;
use crate::value::ValueRef;

/// A GET written for one device, but for its request id.
#[derive(Clone, Debug)]
pub struct Prepared {
    address: SocketAddr,
    patience: Patience,
    packet: Vec<u8>,
    /// Where the four bytes of the request id stand.
    id_at: usize,
}

impl Prepared {
    /// A GET of `oids` (v1 or v2c; SNMPv3 requests cannot be prepared, they carry the time).
    pub fn get(target: &Target, oids: &[Oid]) -> Result<Self, Error> {
        let Security::Community { version, community } = &*target.security else {
            return Err(Error::Auth { target: target.address, reason: AuthFailure::UnsupportedLevel });
        };
        let mut packet = Vec::new();
        let mut from_end = 0;
        write_community(&mut Writer::new(&mut packet), *version, community.expose(), |writer| {
            let asked = oids.iter().map(|oid| (oid.as_ref(), ValueRef::Null));
            let at = write_pdu(writer, PduKind::Get, [0, 0, 0], asked);
            from_end = writer.len() - at;
        });
        let patience = Patience { timeout: target.timeout.as_micros() as u64, tries: target.retries.saturating_add(1) };
        Ok(Self { address: target.address, patience, id_at: packet.len() - from_end, packet })
    }

    /// The device it is for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// How a poller is set up.
#[derive(Clone, Copy, Debug)]
pub struct PollerConfig {
    /// Local address to send from; port 0 picks one.
    pub bind: SocketAddr,
    /// Most requests without answer at a time; bounds what the socket buffer must hold.
    pub in_flight: usize,
    /// Most requests on the way to one device.
    pub per_device: u8,
    /// Packets a second over all; `None`: as fast as answers come.
    pub rate_pps: Option<u32>,
}

impl Default for PollerConfig {
    fn default() -> Self {
        let bind = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        Self { bind, in_flight: 1_024, per_device: 2, rate_pps: None }
    }
}

/// A socket and memory for polling, used again and again. It blocks its thread: give it one of its own.
#[derive(Debug)]
pub struct Poller {
    core: Core,
    port: Port,
    inbox: Inbox,
    outbox: Outbox,
    refused: Vec<Refused>,
    ended: Vec<u32>,
    pacer: Option<Pacer>,
    epoch: Instant,
    window: usize,
}

impl Poller {
    /// Opens the socket.
    pub fn open(config: PollerConfig) -> io::Result<Self> {
        let window = config.in_flight.clamp(1, MOST_SLOTS);
        Ok(Self {
            core: Core::new(window, config.per_device, false),
            port: Port::open(Options { errors: true, ..Options::new(config.bind) })?,
            inbox: Inbox::new(),
            outbox: Outbox::default(),
            refused: Vec::new(),
            ended: Vec::new(),
            pacer: config.rate_pps.map(|rate| Pacer::new(rate, Instant::now())),
            epoch: Instant::now(),
            window,
        })
    }

    /// Sends every request and shows each answer, or why there is none, with the place of its request. Answers come
    /// in any order. An error status is an answer: see [`PduRef::error`].
    pub fn poll(
        &mut self,
        requests: &[Prepared],
        mut visit: impl FnMut(usize, Result<&PduRef<'_>, Error>),
    ) -> io::Result<()> {
        let (mut next, mut open) = (0, 0);
        while next < requests.len() || open > 0 {
            while open < self.window && next < requests.len() {
                self.submit(&requests[next], next as u64);
                next += 1;
                open += 1;
            }
            let done = open;
            open -= self.send(requests, &mut visit);
            open -= self.receive(&mut visit)?;
            open -= self.expire(requests, &mut visit);
            if done == open && open > 0 {
                self.rest(requests, &mut open, &mut visit);
            }
        }
        Ok(())
    }

    fn now(&self) -> u64 {
        self.epoch.elapsed().as_micros() as u64
    }

    fn submit(&mut self, request: &Prepared, place: u64) {
        let peer = self.core.peers.find_or_add(request.address, self.now());
        let written = self.core.submit(peer, request.patience, place, |id, packet| {
            packet.extend_from_slice(&request.packet);
            packet[request.id_at..request.id_at + 4].copy_from_slice(&id.to_be_bytes());
        });
        debug_assert!(written.is_some(), "the window is as large as the slab");
    }

    /// Sends what is due; returns how many requests the system refused.
    fn send(&mut self, requests: &[Prepared], visit: &mut impl FnMut(usize, Result<&PduRef<'_>, Error>)) -> usize {
        let now = self.now();
        loop {
            if self.outbox.waiting() == 0 {
                self.outbox.clear();
                let room = match &self.pacer {
                    Some(pacer) if self.core.wants_to_send() => pacer.take(Instant::now(), BATCH),
                    _ => BATCH,
                };
                for used in 0..room {
                    let Some((number, address, packet)) = self.core.next_to_send(now) else {
                        if let Some(pacer) = &self.pacer {
                            pacer.put_back(room - used);
                        }
                        break;
                    };
                    self.outbox.push(address, None, number, packet);
                }
            }
            if self.outbox.waiting() == 0 || self.port.send(&mut self.outbox).is_err() {
                break;
            }
            // Answers to this batch may be waiting: look before sending more than the buffers hold.
            if self.core.wants_to_send() && self.outbox.failed.is_empty() && self.pacer.is_none() {
                continue;
            }
            break;
        }
        for (number, error) in self.outbox.failed.drain(..) {
            self.core.unsendable(number, error);
            self.ended.push(number);
        }
        self.report(requests, visit)
    }

    /// Takes in one batch; returns how many requests it answered.
    fn receive(&mut self, visit: &mut impl FnMut(usize, Result<&PduRef<'_>, Error>)) -> io::Result<usize> {
        match self.port.receive(&mut self.inbox) {
            Ok(()) => {}
            Err(error) if crate::responder::is_passing(&error) => return Ok(0),
            Err(error) => return Err(error),
        }
        let (now, mut answered) = (self.epoch.elapsed().as_micros() as u64, 0);
        for place in 0..self.inbox.len() {
            let item = self.inbox.get(place);
            let Some((number, message)) = self.core.accept(now, item.from, item.bytes) else { continue };
            if let MessageRef::Community(message) = &message
                && let Body::Pdu(pdu) = &message.body
            {
                visit(self.core.mark(number) as usize, Ok(pdu));
            }
            self.core.release(number);
            answered += 1;
        }
        Ok(answered)
    }

    fn expire(&mut self, requests: &[Prepared], visit: &mut impl FnMut(usize, Result<&PduRef<'_>, Error>)) -> usize {
        let now = self.now();
        self.core.expire(now, &mut self.ended);
        self.report(requests, visit)
    }

    /// Shows the requests that ended without an answer.
    fn report(&mut self, requests: &[Prepared], visit: &mut impl FnMut(usize, Result<&PduRef<'_>, Error>)) -> usize {
        let count = self.ended.len();
        for number in self.ended.drain(..) {
            let place = self.core.mark(number) as usize;
            let target = requests[place].address;
            let error = match self.core.failure(number) {
                Some(Failure::Unreachable) => Error::Unreachable { target },
                Some(Failure::Malformed(source)) => Error::Malformed { target, source },
                Some(Failure::Socket(source)) => Error::Socket { target, source },
                Some(Failure::Timeout { tries }) => Error::Timeout { target, tries },
                None => Error::Stopped { target },
            };
            visit(place, Err(error));
        }
        count
    }

    /// Nothing to do: sleeps until an answer comes, a timer is due or the budget allows more.
    fn rest(
        &mut self,
        requests: &[Prepared],
        open: &mut usize,
        visit: &mut impl FnMut(usize, Result<&PduRef<'_>, Error>),
    ) {
        let now = self.now();
        let mut most = self.core.deadline().map_or(50_000, |at| at.saturating_sub(now));
        if let Some(pacer) = self.pacer.as_ref().filter(|_| self.core.wants_to_send()) {
            most = most.min(pacer.wait(Instant::now()).as_micros() as u64);
        }
        self.port.wait(Duration::from_micros(most.min(50_000)));
        self.port.refusals(&mut self.refused);
        for refused in self.refused.drain(..) {
            self.core.refused(refused.target, &mut self.ended);
        }
        *open -= self.report(requests, visit);
    }
}
