//! What is known of each device: round-trip time, requests on the way, and what it can take.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::net::{SocketAddr, SocketAddrV4};

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
/// Idle time after which a device may be forgotten, s.
const IDLE: u32 = 3_600;
/// µs
const SECOND: u64 = 1_000_000;

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// Smoothed round trip and its variation, µs (RFC 6298); 0: not measured.
    srtt: u32,
    rttvar: u32,
    /// Seconds.
    used_at: u32,
    pub(super) heard: bool,
    pub(super) learnt: Learnt,
    /// Requests on the way.
    pub(super) active: smallvec::SmallVec<[u32; 2]>,
    /// Requests that wait for their turn.
    #[expect(clippy::box_collection, reason = "nearly all devices never have one: 8 bytes each instead of 32")]
    queue: Option<Box<VecDeque<u32>>>,
}

impl Peer {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            srtt: 0,
            rttvar: 0,
            heard: false,
            learnt: Learnt::default(),
            used_at: 0,
            active: smallvec::SmallVec::new(),
            queue: None,
        }
    }

    /// Lets a request wait for its turn.
    pub(super) fn enqueue(&mut self, number: u32) {
        self.queue.get_or_insert_default().push_back(number);
    }

    /// The request whose turn it is.
    pub(super) fn dequeue(&mut self) -> Option<u32> {
        let queue = self.queue.as_mut()?;
        let next = queue.pop_front();
        if queue.is_empty() {
            self.queue = None;
        }
        next
    }

    /// Takes a request out of the line.
    pub(super) fn give_up(&mut self, number: u32) {
        if let Some(queue) = &mut self.queue {
            queue.retain(|queued| *queued != number);
        }
    }

    /// Takes a measured round trip into account, µs.
    pub(super) fn measure(&mut self, rtt: u64) {
        let rtt = u32::try_from(rtt.max(1)).unwrap_or(u32::MAX / 8).min(u32::MAX / 8);
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
        let rto = u64::from(self.srtt + 4 * self.rttvar).max(FLOOR);
        (rto << attempt.min(8)).min(timeout)
    }
}

/// Devices by address. Looked up when a request begins, never when an answer comes.
#[derive(Debug, Default)]
pub(super) struct Peers {
    /// Address and port in one number.
    v4: HashMap<u64, u32, Mixing>,
    v6: HashMap<SocketAddr, u32>,
    all: Vec<Peer>,
    free: Vec<u32>,
}

impl Peers {
    pub(super) fn find(&self, address: SocketAddr) -> Option<u32> {
        match address {
            SocketAddr::V4(v4) => self.v4.get(&number(v4)).copied(),
            SocketAddr::V6(_) => self.v6.get(&address).copied(),
        }
    }

    pub(super) fn find_or_add(&mut self, address: SocketAddr, now: u64) -> u32 {
        let now = (now / SECOND) as u32;
        if let Some(place) = self.find(address) {
            self.all[place as usize].used_at = now;
            return place;
        }
        if self.v4.len() + self.v6.len() >= MOST && self.free.is_empty() {
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
        match address {
            SocketAddr::V4(v4) => self.v4.insert(number(v4), place),
            SocketAddr::V6(_) => self.v6.insert(address, place),
        };
        place
    }

    fn forget_idle(&mut self, now: u32) {
        let (all, free) = (&mut self.all, &mut self.free);
        let mut keep = |place: u32| {
            let peer = &all[place as usize];
            let keep = !peer.active.is_empty() || peer.queue.is_some() || peer.used_at.saturating_add(IDLE) > now;
            if !keep {
                free.push(place);
            }
            keep
        };
        self.v4.retain(|_, place| keep(*place));
        self.v6.retain(|_, place| keep(*place));
    }

    pub(super) fn get(&self, place: u32) -> &Peer {
        &self.all[place as usize]
    }

    pub(super) fn get_mut(&mut self, place: u32) -> &mut Peer {
        &mut self.all[place as usize]
    }
}

fn number(address: SocketAddrV4) -> u64 {
    u64::from(u32::from(*address.ip())) << 16 | u64::from(address.port())
}

/// A hash for numbers: two multiplications with a secret, a tenth of the cost of the standard one. Whoever could choose
/// addresses so that they collide would have to be in the plan first.
#[derive(Clone, Debug)]
struct Mixing(u64);

impl Default for Mixing {
    fn default() -> Self {
        Self(rand::random())
    }
}

impl BuildHasher for Mixing {
    type Hasher = Mixer;

    fn build_hasher(&self) -> Mixer {
        Mixer(self.0)
    }
}

struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        let wide = u128::from(number ^ self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        self.0 = (wide >> 64) as u64 ^ wide as u64;
    }

    fn finish(&self) -> u64 {
        self.0
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
            peers.find_or_add(address, if number < MOST as u32 { 0 } else { 2 * u64::from(IDLE) * SECOND });
        }
        assert!(peers.all.len() <= MOST);
    }
}
