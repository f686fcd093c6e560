//! The sans-IO heart of the manager: which request is sent when, which datagram answers it, who has waited enough.
//! Requests live in a slab; the request id on the wire is slot and generation, so an answer needs no look-up by hash.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::task::Waker;
use std::time::Instant;

use super::peers::{Learnt, Peers};
use super::subnets::{Parked, Subnets};
use super::wheel::Wheel;
use crate::ber::{Malformed, Tail};
use crate::message::{Body, MessageRef};
use crate::pdu::PduKind;

/// Bits of the request id that name the slot; the 14 above zero to them are the generation.
const SLOT_BITS: u32 = 17;
const GENERATIONS: u32 = 1 << (31 - SLOT_BITS);
/// Slots an id can name.
pub(super) const MOST_SLOTS: usize = 1 << SLOT_BITS;
/// Microseconds of a tick of the wheel.
const TICK: u64 = 1_024;

/// Names a request until it is finished, and never again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) slot: u32,
    generation: u32,
}

/// How a request ended without an answer.
#[derive(Debug)]
pub(super) enum Failure {
    Timeout { tries: u8 },
    Unreachable,
    Malformed(Malformed),
    Socket(io::Error),
}

/// Where a request stands.
#[derive(Debug)]
enum State {
    Free,
    /// Waits behind other requests to the same device.
    Queued,
    /// Waits to be sent.
    Ready,
    /// Was sent.
    Sent,
    Answered,
    Failed(Failure),
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    state: State,
    peer: u32,
    /// The request, ready to send; its memory is kept from one request to the next.
    packet: Vec<u8>,
    /// The answering datagram, for those who collect it later.
    answer: Vec<u8>,
    timeout: u64,
    tries: u8,
    sent: u8,
    sent_at: u64,
    garbage: Option<Malformed>,
    waker: Option<Waker>,
    /// What the owner wants to remember.
    mark: u64,
}

/// Patience with one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// µs for one try.
    pub(super) timeout: u64,
    /// Tries in all.
    pub(super) tries: u8,
}

#[derive(Debug)]
pub(super) struct Core {
    slots: Vec<Slot>,
    free: Vec<u32>,
    ready: VecDeque<u32>,
    /// Those that wait for their subnet's turn.
    parked: Parked<Token>,
    wheel: Wheel,
    pub(super) peers: Peers,
    per_device: usize,
    lax_source: bool,
    most: usize,
    fired: Vec<u32>,
}

impl Core {
    pub(super) fn new(most: usize, per_device: u8, lax_source: bool) -> Self {
        // So many at a time need no more memory later, not even when all time out at once.
        let usual = most.min(2_048);
        Self {
            slots: Vec::with_capacity(usual),
            free: Vec::with_capacity(usual),
            ready: VecDeque::with_capacity(usual),
            parked: Parked::default(),
            wheel: Wheel::new(0),
            peers: Peers::default(),
            per_device: usize::from(per_device.max(1)),
            lax_source,
            most: most.clamp(1, MOST_SLOTS),
            fired: Vec::with_capacity(usual),
        }
    }

    /// Takes a slot for a request to `peer`. `write` fills the packet and is given the request id.
    /// `None` if all slots are taken.
    pub(super) fn submit(
        &mut self,
        peer: u32,
        patience: Patience,
        mark: u64,
        write: impl FnOnce(i32, &mut Vec<u8>),
    ) -> Option<Token> {
        let number = self.take_slot()?;
        let slot = &mut self.slots[number as usize];
        let id = (slot.generation << SLOT_BITS | number) as i32;
        slot.packet.clear();
        write(id, &mut slot.packet);
        slot.peer = peer;
        (slot.timeout, slot.tries, slot.sent) = (patience.timeout, patience.tries.max(1), 0);
        slot.garbage = None;
        slot.waker = None;
        slot.mark = mark;
        let token = Token { slot: number, generation: slot.generation };
        let device = self.peers.get_mut(peer);
        if device.active.len() < self.per_device {
            device.active.push(number);
            slot.state = State::Ready;
            self.ready.push_back(number);
        } else {
            device.enqueue(number);
            slot.state = State::Queued;
        }
        Some(token)
    }

    fn take_slot(&mut self) -> Option<u32> {
        if let Some(number) = self.free.pop() {
            return Some(number);
        }
        if self.slots.len() >= self.most {
            return None;
        }
        self.slots.push(Slot {
            // Begins anywhere, so that nobody can guess the ids of a fresh engine.
            generation: rand::random::<u32>() % GENERATIONS,
            state: State::Free,
            peer: 0,
            packet: Vec::new(),
            answer: Vec::new(),
            timeout: 0,
            tries: 0,
            sent: 0,
            sent_at: 0,
            garbage: None,
            waker: None,
            mark: 0,
        });
        Some(self.slots.len() as u32 - 1)
    }

    /// The next request to send now, its packet and where it goes. Its timer starts.
    /// With budgets of subnets, what exceeds them waits for its turn and holds nobody else up.
    pub(super) fn next_to_send(
        &mut self,
        now: u64,
        subnets: Option<(&Subnets, Instant)>,
    ) -> Option<(u32, SocketAddr, &[u8])> {
        let number = self.whose_turn(subnets)?;
        let slot = &mut self.slots[number as usize];
        let peer = self.peers.get(slot.peer);
        let is_last = slot.sent + 1 >= slot.tries;
        let wait = peer.wait(slot.sent, is_last, slot.timeout);
        slot.state = State::Sent;
        slot.sent += 1;
        slot.sent_at = now;
        self.wheel.set(number, (now + wait) / TICK + 1);
        Some((number, peer.address, &slot.packet))
    }

    fn whose_turn(&mut self, subnets: Option<(&Subnets, Instant)>) -> Option<u32> {
        if let Some((subnets, now)) = subnets.filter(|_| self.parked.len() > 0) {
            let slots = &self.slots;
            let wanted = |token: &Token| {
                let slot = &slots[token.slot as usize];
                slot.generation == token.generation && matches!(slot.state, State::Ready)
            };
            if let Some(token) = self.parked.due(now, subnets, wanted) {
                return Some(token.slot);
            }
        }
        loop {
            let number = self.ready.pop_front()?;
            let slot = &self.slots[number as usize];
            // A request that was given up meanwhile has left its number behind.
            if !matches!(slot.state, State::Ready) {
                continue;
            }
            let Some((subnets, now)) = subnets else { return Some(number) };
            let address = self.peers.get(slot.peer).address.ip();
            match subnets.take(address, now) {
                Ok(()) => return Some(number),
                Err(later) => self.parked.park(later, address, Token { slot: number, generation: slot.generation }),
            }
        }
    }

    /// Whether something waits to be sent.
    pub(super) fn wants_to_send(&self) -> bool {
        !self.ready.is_empty() || self.parked.len() > 0
    }

    /// When the first subnet has its turn, if all that waits to be sent waits for that.
    pub(super) fn next_turn(&self) -> Option<Instant> {
        self.parked.next().filter(|_| self.ready.is_empty())
    }

    /// Finds the request that a datagram answers and takes it off the timers. The slot stays taken until
    /// [`Core::release`].
    pub(super) fn accept<'d>(
        &mut self,
        now: u64,
        from: SocketAddr,
        datagram: &'d [u8],
    ) -> Option<(u32, MessageRef<'d>)> {
        let message = match MessageRef::parse(datagram, Tail::MayBeCut) {
            Ok(message) => message,
            Err(malformed) => {
                self.blame(from, malformed);
                return None;
            }
        };
        let id = match &message {
            MessageRef::Community(message) => match &message.body {
                Body::Pdu(pdu) if pdu.kind == PduKind::Response => pdu.request_id,
                _ => return None,
            },
            MessageRef::V3(message) => message.header.msg_id,
        };
        let number = self.expected(id, from)?;
        let slot = &mut self.slots[number as usize];
        let peer = self.peers.get_mut(slot.peer);
        peer.heard = true;
        // Which of several packets was answered cannot be known (Karn).
        if slot.sent == 1 {
            peer.measure(now.saturating_sub(slot.sent_at));
        }
        slot.state = State::Answered;
        self.leave(number);
        Some((number, message))
    }

    /// The slot that waits for an answer with this id from this address.
    fn expected(&self, id: i32, from: SocketAddr) -> Option<u32> {
        let id = u32::try_from(id).ok()?;
        let number = id % MOST_SLOTS as u32;
        let slot = self.slots.get(number as usize)?;
        let waits = matches!(slot.state, State::Sent) || matches!(slot.state, State::Ready) && slot.sent > 0;
        let known = slot.generation == id >> SLOT_BITS && waits;
        let address = self.peers.get(slot.peer).address;
        (known && (self.lax_source || same_host(address, from))).then_some(number)
    }

    /// Remembers that a device being asked sent something that is not SNMP.
    fn blame(&mut self, from: SocketAddr, malformed: Malformed) {
        let Some(peer) = self.peers.find(from) else { return };
        for number in &self.peers.get(peer).active {
            self.slots[*number as usize].garbage = Some(malformed);
        }
    }

    /// Takes a request off the timers and off its device, whose next request gets its turn.
    fn leave(&mut self, number: u32) {
        self.wheel.cancel(number);
        let peer = self.peers.get_mut(self.slots[number as usize].peer);
        if let Some(place) = peer.active.iter().position(|active| *active == number) {
            peer.active.swap_remove(place);
        } else {
            peer.give_up(number);
            return;
        }
        if let Some(next) = peer.dequeue() {
            peer.active.push(next);
            self.slots[next as usize].state = State::Ready;
            self.ready.push_back(next);
        }
    }

    /// Ends all requests to a device that the network calls unreachable; appends their slots.
    pub(super) fn refused(&mut self, address: SocketAddr, ended: &mut Vec<u32>) {
        let Some(place) = self.peers.find(address) else { return };
        let from = ended.len();
        let peer = self.peers.get_mut(place);
        ended.extend(peer.active.drain(..));
        ended.extend(std::iter::from_fn(|| peer.dequeue()));
        for number in &ended[from..] {
            self.wheel.cancel(*number);
            self.slots[*number as usize].state = State::Failed(Failure::Unreachable);
        }
    }

    /// Ends a request that the system would not send.
    pub(super) fn unsendable(&mut self, number: u32, error: io::Error) {
        if matches!(self.slots[number as usize].state, State::Sent) {
            self.leave(number);
            self.slots[number as usize].state = State::Failed(Failure::Socket(error));
        }
    }

    /// Lets time pass: sends again or ends what has waited enough; appends the slots that ended.
    pub(super) fn expire(&mut self, now: u64, ended: &mut Vec<u32>) {
        let mut fired = std::mem::take(&mut self.fired);
        self.wheel.advance(now / TICK, &mut fired);
        for number in fired.drain(..) {
            let slot = &mut self.slots[number as usize];
            if !matches!(slot.state, State::Sent) {
                continue;
            }
            if slot.sent < slot.tries {
                slot.state = State::Ready;
                self.ready.push_back(number);
                continue;
            }
            let failure = slot.garbage.map_or(Failure::Timeout { tries: slot.sent }, Failure::Malformed);
            self.leave(number);
            self.slots[number as usize].state = State::Failed(failure);
            ended.push(number);
        }
        self.fired = fired;
    }

    /// When [`Core::expire`] is due, µs.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.wheel.next().map(|tick| tick * TICK)
    }

    pub(super) fn set_mark(&mut self, number: u32, mark: u64) {
        self.slots[number as usize].mark = mark;
    }

    pub(super) fn mark(&self, number: u32) -> u64 {
        self.slots[number as usize].mark
    }

    /// Keeps an answer for the one who waits for it, and wakes him.
    pub(super) fn keep(&mut self, number: u32, datagram: &[u8]) {
        let slot = &mut self.slots[number as usize];
        slot.answer.clear();
        slot.answer.extend_from_slice(datagram);
        self.wake(number);
    }

    pub(super) fn wake(&mut self, number: u32) {
        if let Some(waker) = self.slots[number as usize].waker.take() {
            waker.wake();
        }
    }

    /// The end of a request, if it has come; else `waker` is called when it does.
    pub(super) fn outcome(&mut self, token: Token, waker: &Waker) -> Option<Result<Vec<u8>, Failure>> {
        let slot = &mut self.slots[token.slot as usize];
        debug_assert_eq!(slot.generation, token.generation, "a token outlived its request");
        let outcome = match std::mem::replace(&mut slot.state, State::Free) {
            State::Answered => Ok(std::mem::take(&mut slot.answer)),
            State::Failed(failure) => Err(failure),
            state => {
                slot.state = state;
                match &mut slot.waker {
                    Some(known) => known.clone_from(waker),
                    none => *none = Some(waker.clone()),
                }
                return None;
            }
        };
        self.release(token.slot);
        Some(outcome)
    }

    /// Why a slot ended without an answer; the slot is free afterwards.
    pub(super) fn failure(&mut self, number: u32) -> Option<Failure> {
        let state = std::mem::replace(&mut self.slots[number as usize].state, State::Free);
        self.release(number);
        match state {
            State::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    /// Frees a slot whose request has ended. An answer that comes now meets the next generation.
    pub(super) fn release(&mut self, number: u32) {
        let slot = &mut self.slots[number as usize];
        slot.state = State::Free;
        slot.waker = None;
        slot.generation = (slot.generation + 1) % GENERATIONS;
        self.free.push(number);
    }

    /// Gives a request up.
    pub(super) fn cancel(&mut self, token: Token) {
        let slot = &self.slots[token.slot as usize];
        if slot.generation != token.generation || matches!(slot.state, State::Free) {
            return;
        }
        if matches!(slot.state, State::Queued | State::Ready | State::Sent) {
            self.leave(token.slot);
        }
        self.release(token.slot);
    }

    /// Wakes everybody who waits, because the engine ends.
    pub(super) fn wake_all(&mut self) {
        for slot in &mut self.slots {
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        }
    }

    pub(super) fn learnt(&self, address: SocketAddr) -> Learnt {
        self.peers.find(address).map(|peer| self.peers.get(peer).learnt).unwrap_or_default()
    }

    pub(super) fn remember(&mut self, now: u64, address: SocketAddr, learnt: Learnt) {
        let peer = self.peers.find_or_add(address, now);
        self.peers.get_mut(peer).learnt = learnt;
    }

    pub(super) fn has_heard(&self, address: SocketAddr) -> bool {
        self.peers.find(address).is_some_and(|peer| self.peers.get(peer).heard)
    }
}

/// Equal address and port; the scope of a link-local address is not part of it.
fn same_host(a: SocketAddr, b: SocketAddr) -> bool {
    a.ip() == b.ip() && a.port() == b.port()
}
