//! What is known of each device: round-trip time, requests on the way, and what it can take.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

/// What was learnt about a device and is worth keeping over a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Learnt {
    /// Rows that fit an answer to GETBULK; 0: not known yet.
    pub max_repetitions: u16,
    /// GETBULK does not work.
    pub no_bulk: bool,
    /// Only v1 works.
    pub v1_only: bool,
}

/// Shortest wait before a packet is sent again, µs. Printers think longer over one request than over another.
const FLOOR: u64 = 250_000;
/// Devices remembered before those idle for long are forgotten.
const MOST: usize = 1 << 18;
/// Idle time after which a device may be forgotten, µs.
const IDLE: u64 = 3_600_000_000;

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// Smoothed round trip and its variation, µs (RFC 6298); 0: not measured.
    srtt: u64,
    rttvar: u64,
    pub(super) heard: bool,
    pub(super) learnt: Learnt,
    /// Requests on the way, and those waiting for their turn.
    pub(super) active: smallvec::SmallVec<[u32; 2]>,
    pub(super) queue: VecDeque<u32>,
    pub(super) used_at: u64,
}

impl Peer {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            srtt: 0,
            rttvar: 0,
            heard: false,
            learnt: Learnt::default(),
            active: smallvec::SmallVec::new(),
            queue: VecDeque::new(),
            used_at: 0,
        }
    }

    /// Takes a measured round trip into account, µs.
    pub(super) fn measure(&mut self, rtt: u64) {
        let rtt = rtt.max(1);
        if self.srtt == 0 {
            (self.srtt, self.rttvar) = (rtt, rtt / 2);
        } else {
            self.rttvar = (3 * self.rttvar + self.srtt.abs_diff(rtt)) / 4;
            self.srtt = (7 * self.srtt + rtt) / 8;
        }
    }

    /// Wait for an answer to the try with this number (from 0), µs. The last try always gets the full time.
    pub(super) fn wait(&self, attempt: u8, is_last: bool, timeout: u64) -> u64 {
        if is_last || self.srtt == 0 {
            return timeout;
        }
        let rto = (self.srtt + 4 * self.rttvar).max(FLOOR);
        (rto << attempt.min(8)).min(timeout)
    }
}

/// Devices by address. Looked up when a request begins, never when an answer comes.
#[derive(Debug, Default)]
pub(super) struct Peers {
    by_address: HashMap<SocketAddr, u32>,
    all: Vec<Peer>,
    free: Vec<u32>,
}

impl Peers {
    pub(super) fn find(&self, address: SocketAddr) -> Option<u32> {
        self.by_address.get(&address).copied()
    }

    pub(super) fn find_or_add(&mut self, address: SocketAddr, now: u64) -> u32 {
        if let Some(place) = self.find(address) {
            self.all[place as usize].used_at = now;
            return place;
        }
        if self.by_address.len() >= MOST && self.free.is_empty() {
            self.forget_idle(now);
        }
        let mut peer = Peer::new(address);
        peer.used_at = now;
        let place = if let Some(place) = self.free.pop() {
            self.all[place as usize] = peer;
            place
        } else {
            self.all.push(peer);
            self.all.len() as u32 - 1
        };
        self.by_address.insert(address, place);
        place
    }

    fn forget_idle(&mut self, now: u64) {
        let (all, free) = (&mut self.all, &mut self.free);
        self.by_address.retain(|_, place| {
            let peer = &all[*place as usize];
            let keep = !peer.active.is_empty() || !peer.queue.is_empty() || peer.used_at + IDLE > now;
            if !keep {
                free.push(*place);
            }
            keep
        });
    }

    pub(super) fn get(&self, place: u32) -> &Peer {
        &self.all[place as usize]
    }

    pub(super) fn get_mut(&mut self, place: u32) -> &mut Peer {
        &mut self.all[place as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_follow_the_round_trip_between_floor_and_ceiling() {
        let mut peer = Peer::new(SocketAddr::from(([127, 0, 0, 1], 161)));
        assert_eq!(peer.wait(0, false, 2_000_000), 2_000_000);
        peer.measure(1_000);
        assert_eq!(peer.wait(0, false, 2_000_000), FLOOR);
        assert_eq!(peer.wait(1, false, 2_000_000), 2 * FLOOR);
        assert_eq!(peer.wait(0, true, 2_000_000), 2_000_000);
        for _ in 0..50 {
            peer.measure(400_000);
        }
        let wait = peer.wait(0, false, 2_000_000);
        assert!((400_000..600_000).contains(&wait), "{wait}");
    }

    #[test]
    fn idle_devices_are_forgotten_before_memory_grows() {
        let mut peers = Peers::default();
        for number in 0..MOST as u32 + 10 {
            let address = SocketAddr::from((number.to_be_bytes(), 161));
            peers.find_or_add(address, if number < MOST as u32 { 0 } else { 2 * IDLE });
        }
        assert!(peers.all.len() <= MOST);
    }
}
