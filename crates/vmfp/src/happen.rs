//! Faults put on devices and taken off: some stand until they are healed, some happen once.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::clock::Instant;
use crate::device::{Kind, State};
use crate::fault::Fault;
use crate::fleet::{Fleet, FleetError, Shared};
use crate::life::Life;
use crate::profile::Profile;
use crate::usm::Owner;

impl Fleet {
    /// Makes the device at this address do something wrong, until [`Self::heal`]; some faults happen once.
    ///
    /// # Errors
    /// When nobody is at the address.
    pub fn fault(&self, address: Ipv4Addr, fault: Fault) -> Result<(), FleetError> {
        let shared = &self.shared;
        let place = shared.place_at(address).ok_or(FleetError::Nobody(address))?;
        match fault {
            Fault::AddressMove(to) => shared.moved(&[(address, None), (to, Some(place))]),
            Fault::AddressSwap(to) => shared.moved(&[(address, shared.place_at(to)), (to, Some(place))]),
            Fault::AlsoAt(to) => shared.moved(&[(to, Some(place))]),
            Fault::TrapStorm { flips, per_second } => storm(shared, place, flips, per_second),
            fault => shared.happen(address, place, fault),
        }
        shared.traps.touch(Some(place));
        Ok(())
    }

    /// Ends all faults of the device at this address. What happened once stays as it is.
    ///
    /// # Errors
    /// When nobody is at the address.
    pub fn heal(&self, address: Ipv4Addr) -> Result<(), FleetError> {
        let shared = &self.shared;
        let place = shared.place_at(address).ok_or(FleetError::Nobody(address))?;
        let (kind, now) = (shared.kind(place), shared.clock.now());
        let mut state = shared.slots[place as usize].at(kind, shared.world, place, now);
        state.faults.clear();
        state.odd = None;
        Ok(())
    }
}

impl Shared {
    /// From now on these addresses reach others, or nobody.
    fn moved(&self, places: &[(Ipv4Addr, Option<u32>)]) {
        self.moves.write().extend(places.iter().copied());
        self.moved.store(true, Ordering::Release);
    }

    fn happen(&self, address: Ipv4Addr, place: u32, fault: Fault) {
        let (kind, now) = (self.kind(place), self.clock.now());
        let mut state = self.slots[place as usize].at(kind, self.world, place, now);
        let State { life, faults, .. } = &mut *state;
        match (fault, life, kind) {
            (Fault::ClockJump(seconds), ..) => {
                let faults = faults.clone();
                let owner = Owner { kind, who: self.identity(place), address, now, faults: &faults };
                let authority = owner.engine(&mut state, self.users(place));
                let (boots, time) = authority.clock();
                authority.restart(boots, u32::try_from(i64::from(time) + seconds).unwrap_or(0));
            }
            (Fault::Stale, Some(life), _) => {
                let life = life.clone();
                state.odd().stale = Some(life);
                state.faults.push(Fault::Stale);
            }
            (fault, Some(life), Kind::Profile { profile, .. }) => {
                let unit = Unit { profile, seed: self.world.seed, place, now };
                if let Some(standing) = unit.befall(life, fault) {
                    faults.push(standing);
                }
            }
            (fault, ..) => faults.push(fault),
        }
    }
}

/// A device that something happens to.
struct Unit<'a> {
    profile: &'a Profile,
    seed: u64,
    place: u32,
    now: Instant,
}

impl Unit<'_> {
    /// Lets a fault happen that happens once; gives back one that stands.
    fn befall(&self, life: &mut Life, fault: Fault) -> Option<Fault> {
        match fault {
            Fault::CounterReset => life.reset_counters(),
            Fault::CounterNearWrap { bits, left } => life.near_wrap(bits, left),
            Fault::BoardSwap => {
                life.reset_counters();
                life.swap_board(self.profile, self.now);
            }
            Fault::DeviceSwap => life.succeed(self.profile, self.seed, self.place, self.now),
            Fault::Reboot => life.reboot(self.profile, self.now),
            standing => return Some(standing),
        }
        None
    }
}

/// A loose switch, at so many changes a second of real time.
fn storm(shared: &Arc<Shared>, place: u32, flips: u32, per_second: u32) {
    let shared_then = Arc::clone(shared);
    let (steps, pause) = match per_second {
        0..=100 => (1, Duration::from_millis(1_000 / u64::from(per_second.max(1)))),
        many => (many.div_ceil(100), Duration::from_millis(10)),
    };
    shared.runtime.spawn(async move {
        let shared = shared_then;
        let mut left = flips;
        while left > 0 {
            for _ in 0..steps.min(left) {
                let (kind, now) = (shared.kind(place), shared.clock.now());
                let mut state = shared.slots[place as usize].at(kind, shared.world, place, now);
                if let (Some(life), Kind::Profile { profile, .. }) = (&mut state.life, kind) {
                    life.flip_cover(profile, now);
                }
            }
            left -= steps.min(left);
            shared.traps.touch(Some(place));
            tokio::time::sleep(pause).await;
        }
    });
}
