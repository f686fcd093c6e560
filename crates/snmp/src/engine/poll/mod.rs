//! Polling in bulk: requests written once, sent as often as wanted, answers shown as slices of the receive buffer.
//! A reply costs no allocation and no task switch; one thread polls a hundred thousand devices.

mod prepared;
mod secure;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

pub use self::prepared::Prepared;
use self::secure::Step;
use super::core::{Core, Failure, MOST_SLOTS};
use super::pacer::Pacer;
use crate::error::Error;
use crate::message::{Body, MessageRef};
use crate::pdu::PduRef;
use crate::responder::is_passing;
use crate::socket::{BATCH, Inbox, Options, Outbox, Port, Refused};
use crate::usm::Memory;

/// So many requests on the way bring answers all the time: better a short nap and many of them in one system call
/// than to be woken by each.
const CROWD: usize = 64;
/// The nap, and how many bring nothing before the wait for an answer is a proper one.
const NAP: Duration = Duration::from_micros(100);
const NAPS: u32 = 8;

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
    /// Requests to send again after a step of v3.
    again: Vec<Job>,
    memory: Memory,
    /// Number of the next sealed message.
    number: u64,
    pacer: Option<Pacer>,
    epoch: Instant,
    window: usize,
}

/// What a slot of the slab is about, packed into its mark.
#[derive(Clone, Copy, Debug)]
struct Job {
    /// Place of the request in the list.
    place: usize,
    /// Steps of v3 taken so far: discovery, other time, other engine. More than a few lead nowhere.
    steps: u8,
    /// The packet asks who is there.
    discovers: bool,
}

impl Job {
    fn mark(self) -> u64 {
        (self.place as u64) << 8 | u64::from(self.steps) << 1 | u64::from(self.discovers)
    }

    fn of(mark: u64) -> Self {
        Self { place: (mark >> 8) as usize, steps: (mark as u8) >> 1, discovers: mark & 1 != 0 }
    }
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
            again: Vec::new(),
            memory: Memory::new(),
            number: rand::random(),
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
        let (mut next, mut open, mut naps) = (0, 0, 0);
        while next < requests.len() || open > 0 {
            let now = Instant::now();
            while open < self.window && next < requests.len() {
                self.submit(requests, Job { place: next, steps: 0, discovers: false }, now);
                next += 1;
                open += 1;
            }
            let before = open;
            open -= self.send(requests, &mut visit);
            open -= self.receive(requests, &mut visit)?;
            open -= self.expire(requests, &mut visit);
            naps = if before == open { naps + 1 } else { 0 };
            if open >= CROWD && naps < NAPS && self.pacer.is_none() && self.inbox.len() < BATCH {
                std::thread::sleep(NAP);
            } else if before == open && open > 0 && self.is_idle() {
                open -= self.rest(requests, &mut visit);
            }
        }
        Ok(())
    }

    fn now(&self) -> u64 {
        self.epoch.elapsed().as_micros() as u64
    }

    fn submit(&mut self, requests: &[Prepared], job: Job, now: Instant) {
        let request = &requests[job.place];
        let peer = self.core.peers.find_or_add(request.address, (now - self.epoch).as_micros() as u64);
        self.number = self.number.wrapping_add(1);
        let (number, mut discovers) = (self.number, false);
        let token = self.core.submit(peer, request.patience, 0, |id, packet| {
            discovers = request.write(id, number, now, packet);
        });
        debug_assert!(token.is_some(), "the window is as large as the slab");
        if let Some(token) = token {
            self.core.set_mark(token.slot, Job { discovers, ..job }.mark());
        }
    }

    /// Sends what is due; returns how many requests the system refused.
    fn send(&mut self, requests: &[Prepared], visit: &mut impl FnMut(usize, Result<&PduRef<'_>, Error>)) -> usize {
        let now = self.now();
        loop {
            if self.outbox.waiting() == 0 {
                self.outbox.clear();
                self.fill(now);
            }
            let blocked = self.outbox.waiting() == 0 || self.port.send(&mut self.outbox).is_err();
            if blocked || !self.core.wants_to_send() || self.pacer.is_some() || !self.outbox.failed.is_empty() {
                break;
            }
        }
        for (number, error) in self.outbox.failed.drain(..) {
            self.core.unsendable(number, error);
            self.ended.push(number);
        }
        self.report(requests, visit)
    }

    fn fill(&mut self, now: u64) {
        let room = match &self.pacer {
            Some(pacer) if self.core.wants_to_send() => pacer.take(Instant::now(), BATCH),
            _ => BATCH,
        };
        for used in 0..room {
            let Some((number, address, packet)) = self.core.next_to_send(now, None) else {
                if let Some(pacer) = &self.pacer {
                    pacer.put_back(room - used);
                }
                return;
            };
            self.outbox.push(address, None, number, packet);
        }
    }

    /// Takes in one batch; returns how many requests it ended.
    fn receive(
        &mut self,
        requests: &[Prepared],
        visit: &mut impl FnMut(usize, Result<&PduRef<'_>, Error>),
    ) -> io::Result<usize> {
        match self.port.receive(&mut self.inbox) {
            Ok(()) => {}
            Err(error) if is_passing(&error) => return Ok(0),
            Err(error) => return Err(error),
        }
        let (now, mut ended) = (Instant::now(), 0);
        let micros = (now - self.epoch).as_micros() as u64;
        for place in 0..self.inbox.len() {
            let item = self.inbox.get(place);
            let Some((number, message)) = self.core.accept(micros, item.from, item.bytes) else { continue };
            let job = Job::of(self.core.mark(number));
            let request = &requests[job.place];
            match (message, &request.secure) {
                (MessageRef::Community(message), None) => {
                    if let Body::Pdu(pdu) = &message.body {
                        visit(job.place, Ok(pdu));
                    }
                }
                (MessageRef::V3(_), Some(secure)) => {
                    match secure.step(&self.memory, request.address, job, item.bytes, now) {
                        Ok(Step::Open(pdu)) => visit(job.place, Ok(&pdu)),
                        Ok(Step::Again) => self.again.push(Job { steps: job.steps + 1, ..job }),
                        Err(error) => visit(job.place, Err(error)),
                    }
                }
                _ => visit(job.place, Err(other_version(request.address))),
            }
            ended += 1;
            self.core.release(number);
        }
        ended -= self.again.len();
        while let Some(job) = self.again.pop() {
            self.submit(requests, job, now);
        }
        Ok(ended)
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
            let place = Job::of(self.core.mark(number)).place;
            let target = requests[place].address;
            let error = match self.core.failure(number) {
                Some(Failure::Unreachable) => Error::Unreachable { target },
                Some(Failure::Malformed(source)) => Error::Malformed { target, source },
                Some(Failure::Socket(source)) => Error::Socket { target, source },
                Some(Failure::Timeout { tries }) => Error::Timeout { target, tries },
                None => Error::Stopped { target },
            };
            if let (Error::Timeout { .. }, Some(secure)) = (&error, &requests[place].secure) {
                // Whoever is behind the address next time is asked for his name first.
                *secure.session.lock() = None;
            }
            visit(place, Err(error));
        }
        count
    }

    /// Whether nothing can be sent just now.
    fn is_idle(&self) -> bool {
        !self.core.wants_to_send() || self.pacer.is_some() || self.outbox.waiting() > 0
    }

    /// Sleeps until an answer comes, a timer is due or the budget allows more; returns how many requests the network
    /// refused meanwhile.
    fn rest(&mut self, requests: &[Prepared], visit: &mut impl FnMut(usize, Result<&PduRef<'_>, Error>)) -> usize {
        let now = self.now();
        let mut most = self.core.deadline().map_or(50_000, |at| at.saturating_sub(now));
        if let Some(pacer) = self.pacer.as_ref().filter(|_| self.core.wants_to_send()) {
            most = most.min(pacer.wait(Instant::now()).as_micros() as u64);
        }
        if self.port.wait(Duration::from_micros(most.min(50_000))) {
            self.port.refusals(&mut self.refused);
        }
        for refused in self.refused.drain(..) {
            self.core.refused(refused.target, &mut self.ended);
        }
        self.report(requests, visit)
    }
}

fn other_version(target: SocketAddr) -> Error {
    let source = crate::ber::Malformed { offset: 0, what: "an answer of another version" };
    Error::Malformed { target, source }
}
