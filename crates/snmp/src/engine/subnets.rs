//! A budget of packets for each subnet, beside the one for all: packets to one subnet keep their distance, so that no
//! thin line of a branch office carries what is meant for a whole network.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How much a subnet that was waited for too long may catch up: timers wake late.
const SLACK: Duration = Duration::from_millis(5);
/// Subnets remembered before those at rest are forgotten.
const MOST: usize = 1 << 17;
/// Prefix of an IPv6 subnet, which is always that of a link.
const LINK_V6: u32 = 64;

/// What each subnet may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubnetBudget {
    /// Prefix of an IPv4 subnet, 0 to 32; IPv6 subnets are /64.
    pub prefix: u8,
    /// Packets a second to each of them, obeyed in any second; 0: as many as the budget for all lets.
    pub rate_pps: u32,
}

impl Default for SubnetBudget {
    /// Subnets are /24 and have no budget of their own.
    fn default() -> Self {
        Self { prefix: 24, rate_pps: 0 }
    }
}

/// The budgets of all subnets; shared by all that send under them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Subnets {
    epoch: Instant,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Whether there is a budget at all; most sites have none, and their packets shall not queue for a lock.
    limited: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    budget: SubnetBudget,
    /// When each subnet has made up for all its packets, µs.
    even_at: HashMap<u64, u64>,
}

impl Default for Subnets {
    fn default() -> Self {
        Self::new(SubnetBudget::default())
    }
}

impl Subnets {
    /// The same budget for every subnet.
    pub fn new(budget: SubnetBudget) -> Self {
        let limited = AtomicBool::new(budget.rate_pps > 0);
        let state = Mutex::new(State { budget, even_at: HashMap::new() });
        Self { epoch: Instant::now(), shared: Arc::new(Shared { limited, state }) }
    }

    /// Another budget from now on. What waits already has its next look when its turn under the former one comes.
    pub fn set(&self, budget: SubnetBudget) {
        let mut state = self.shared.state.lock();
        self.shared.limited.store(budget.rate_pps > 0, Ordering::Release);
        if state.budget != budget {
            *state = State { budget, even_at: HashMap::new() };
        }
    }

    /// Takes the subnet's turn for one packet, or tells when it will have one.
    pub(crate) fn take(&self, address: IpAddr, now: Instant) -> Result<(), Later> {
        if !self.shared.limited.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut state = self.shared.state.lock();
        let SubnetBudget { prefix, rate_pps } = state.budget;
        if rate_pps == 0 {
            return Ok(());
        }
        let (subnet, now) = (subnet_of(address, prefix), self.micros(now));
        let (slack, second) = (SLACK.as_micros() as u64, 1_000_000);
        if state.even_at.len() >= MOST {
            state.even_at.retain(|_, even_at| *even_at > now);
        }
        let even_at = state.even_at.entry(subnet).or_default();
        if now + slack < *even_at {
            let at = self.epoch + Duration::from_micros(*even_at - slack);
            return Err(Later { subnet, at });
        }
        // Of packets that keep this distance, made up for within the slack, any second has at most the rate.
        *even_at = now.max(*even_at) + (second + slack).div_ceil(u64::from(rate_pps));
        Ok(())
    }

    fn micros(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.epoch).as_micros() as u64
    }
}

/// A subnet whose turn comes later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Later {
    subnet: u64,
    pub(crate) at: Instant,
}

fn subnet_of(address: IpAddr, prefix: u8) -> u64 {
    match address {
        IpAddr::V4(address) => {
            let bits = 32_u32.saturating_sub(u32::from(prefix));
            u64::from(u32::from(address).checked_shr(bits).unwrap_or(0))
        }
        // No network of a site begins with 32 zeros.
        IpAddr::V6(address) => (u128::from(address) >> (128 - LINK_V6)) as u64,
    }
}

/// What waits for its subnet's turn, in line.
#[derive(Debug)]
pub(crate) struct Parked<T> {
    lines: HashMap<u64, VecDeque<(IpAddr, T)>>,
    turns: BinaryHeap<Reverse<(Instant, u64)>>,
    len: usize,
}

impl<T> Default for Parked<T> {
    fn default() -> Self {
        Self { lines: HashMap::new(), turns: BinaryHeap::new(), len: 0 }
    }
}

impl<T> Parked<T> {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Lets one wait, behind those of its subnet that wait already.
    pub(crate) fn park(&mut self, later: Later, address: IpAddr, item: T) {
        let line = self.lines.entry(later.subnet).or_default();
        if line.is_empty() {
            self.turns.push(Reverse((later.at, later.subnet)));
        }
        line.push_back((address, item));
        self.len += 1;
    }

    /// The next one whose turn has come; the turn is taken. Those that are not wanted any more leave the line.
    pub(crate) fn due(&mut self, now: Instant, subnets: &Subnets, wanted: impl Fn(&T) -> bool) -> Option<T> {
        while let Some(Reverse((at, subnet))) = self.turns.peek().copied()
            && at <= now
        {
            self.turns.pop();
            let Some(line) = self.lines.get_mut(&subnet) else { continue };
            let before = line.len();
            while line.front().is_some_and(|(_, item)| !wanted(item)) {
                line.pop_front();
            }
            self.len -= before - line.len();
            let Some((address, _)) = line.front() else {
                self.lines.remove(&subnet);
                continue;
            };
            if let Err(later) = subnets.take(*address, now) {
                self.turns.push(Reverse((later.at, subnet)));
                continue;
            }
            // Asked for anew when it is there: others send under this budget, too.
            self.turns.push(Reverse((now, subnet)));
            self.len -= 1;
            return line.pop_front().map(|(_, item)| item);
        }
        None
    }

    /// When the first of them may have its turn.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.turns.peek().map(|Reverse((at, _))| *at)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn address(subnet: u8, host: u8) -> IpAddr {
        IpAddr::from(Ipv4Addr::new(10, 0, subnet, host))
    }

    proptest! {
        #[test]
        fn courtesy_no_subnet_exceeds_its_rate_in_any_second(
            rate in 1u32..2_000,
            naps in prop::collection::vec(1u64..60_000, 20..400),
        ) {
            let subnets = Subnets::new(SubnetBudget { prefix: 24, rate_pps: rate });
            let (mut now, mut sent) = (subnets.epoch, vec![Vec::new(); 3]);
            for nap in naps {
                now += Duration::from_micros(nap);
                for (subnet, times) in sent.iter_mut().enumerate() {
                    while subnets.take(address(subnet as u8, times.len() as u8), now).is_ok() {
                        times.push(now);
                    }
                }
            }
            for times in sent {
                for (place, from) in times.iter().enumerate() {
                    let until = *from + Duration::from_secs(1);
                    let total = times[place..].iter().take_while(|at| **at < until).count();
                    prop_assert!(total <= rate as usize, "{total} in a second of {rate}");
                }
            }
        }
    }

    #[test]
    fn a_sender_that_comes_late_now_and_then_still_gets_the_whole_rate() {
        let subnets = Subnets::new(SubnetBudget { prefix: 24, rate_pps: 50 });
        let late = |ms: u64| Duration::from_millis(ms + if ms.is_multiple_of(7) { 4 } else { 0 });
        let times = (1..=10_000).filter(|ms| subnets.take(address(0, 1), subnets.epoch + late(*ms)).is_ok());
        let total = times.count();
        assert!((495..=500).contains(&total), "{total}");
    }

    #[test]
    fn the_line_of_a_subnet_is_kept_and_holds_no_other_up() {
        let subnets = Subnets::new(SubnetBudget { prefix: 24, rate_pps: 10 });
        let (start, mut parked) = (subnets.epoch, Parked::default());
        assert_eq!(subnets.take(address(1, 0), start), Ok(()));
        for host in 1..=3 {
            let later = subnets.take(address(1, host), start).unwrap_err();
            parked.park(later, address(1, host), host);
        }
        assert_eq!(subnets.take(address(2, 0), start), Ok(()), "another subnet has its own");
        assert_eq!((parked.due(start, &subnets, |_| true), parked.len()), (None, 3));
        let (first, second) = (start + Duration::from_millis(101), start + Duration::from_millis(202));
        assert!(parked.next().unwrap() <= first);
        assert_eq!(parked.due(first, &subnets, |_| true), Some(1));
        assert_eq!(parked.due(first, &subnets, |_| true), None);
        assert_eq!(parked.due(second, &subnets, |host| *host != 2), Some(3), "the second is not wanted any more");
        assert_eq!((parked.due(second + Duration::from_secs(1), &subnets, |_| true), parked.len()), (None, 0));
        assert_eq!(parked.next(), None);
    }

    #[test]
    fn subnets_are_as_wide_as_told() {
        let of = |text: &str, prefix| subnet_of(text.parse().unwrap(), prefix);
        assert_eq!(of("10.0.1.7", 24), of("10.0.1.200", 24));
        assert_ne!(of("10.0.1.7", 24), of("10.0.2.7", 24));
        assert_eq!(of("10.0.1.7", 16), of("10.0.2.7", 16));
        assert_eq!(of("10.0.1.7", 0), of("192.168.2.7", 0));
        assert_ne!(of("10.0.1.7", 32), of("10.0.1.8", 32));
        assert_eq!(of("2001:db8::7", 24), of("2001:db8::9", 24));
        assert_ne!(of("2001:db8::7", 24), of("2001:db8:0:1::7", 24));
        let subnets = Subnets::default();
        assert!((0..1_000).all(|_| subnets.take(address(0, 0), subnets.epoch).is_ok()), "no budget of its own");
        subnets.set(SubnetBudget { prefix: 24, rate_pps: 1 });
        assert!(
            subnets.take(address(0, 0), subnets.epoch).is_ok() && subnets.take(address(0, 1), subnets.epoch).is_err()
        );
    }

    #[test]
    fn what_waited_goes_on_when_the_budget_is_taken_away() {
        let subnets = Subnets::new(SubnetBudget { prefix: 24, rate_pps: 10 });
        let (mut parked, now) = (Parked::default(), Instant::now());
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        assert!(subnets.take(address, now).is_ok());
        for item in 0..3 {
            let later = subnets.take(address, now).unwrap_err();
            parked.park(later, address, item);
        }
        subnets.set(SubnetBudget { prefix: 24, rate_pps: 0 });
        assert!(subnets.take(address, now).is_ok(), "who comes anew waits for nobody");
        let turn = parked.next().unwrap();
        let gone: Vec<_> = std::iter::from_fn(|| parked.due(turn, &subnets, |_| true)).collect();
        assert_eq!((gone, parked.len()), (vec![0, 1, 2], 0), "all of them at the turn of the first");
    }
}
