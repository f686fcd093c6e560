//! What goes wrong, when, and for how long: drawn from the seed, so that a bad run can be had again.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use snmp::{Oid, Value};
use vmfp::{ErrorShape, Fault, Fleet, TrueState};

use super::ledger::Ledger;
use super::random::Random;

/// First address of the fleet.
pub(super) const BASE: Ipv4Addr = Ipv4Addr::new(127, 40, 0, 1);
/// A community that some take instead of the usual one, and the reader knows.
pub(super) const OTHER_COMMUNITY: &str = "service";
/// Of so many devices one gets a fault in a round.
const RARE: u64 = 30;

/// One thing that can go wrong.
enum Act {
    /// It stands for some rounds.
    Standing(Fault),
    /// The counters begin anew.
    Reset,
    Reboot,
    BoardSwap,
    DeviceSwap,
    /// Changes addresses with another one (DHCP).
    Swap,
    /// The engine's clock jumps.
    Jump,
}

/// What is wrong now, and what will be.
pub(super) struct Mischief {
    random: Random,
    devices: u32,
    /// By address: the round in which a standing fault ends.
    until: BTreeMap<Ipv4Addr, u64>,
    counts: BTreeMap<String, u32>,
    /// Rounds without a way to the server.
    down: (u64, u64),
}

impl Mischief {
    pub(super) fn new(seed: u64, devices: u32) -> Self {
        Self { random: Random::new(seed), devices, until: BTreeMap::new(), counts: BTreeMap::new(), down: (0, 0) }
    }

    pub(super) fn total(&self) -> u32 {
        self.counts.values().sum()
    }

    pub(super) fn kinds(&self) -> String {
        self.counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", ")
    }

    /// Whether messages reach the server in this round.
    pub(super) fn line_is_up(&self, round: u64) -> bool {
        !(self.down.0..self.down.1).contains(&round)
    }

    /// Some counters stand before their end from the beginning.
    pub(super) fn prepare(&mut self, fleet: &Fleet, ledger: &mut Ledger) {
        for place in (0..self.devices).step_by(9) {
            let bits = if self.random.below(2) == 0 { 31 } else { 32 };
            let left = 1 + self.random.below(60) as u32;
            self.put(fleet, ledger, address(place), &Fault::CounterNearWrap { bits, left });
        }
        for here in (0..self.devices).map(address).filter(|here| has_habit(*here)) {
            self.put(fleet, ledger, here, &Fault::NonIncreasing);
            if let Ok(truth) = fleet.truth(here) {
                ledger.units.entry(truth.serial).or_default().is_mute = true;
            }
        }
    }

    pub(super) fn act(&mut self, round: u64, fleet: &Fleet, ledger: &mut Ledger) {
        for place in 0..self.devices {
            let here = address(place);
            if self.until.get(&here).is_some_and(|end| *end <= round) {
                self.until.remove(&here);
                // A device may stand at another address by now; whoever is here is healed.
                drop(fleet.heal(here));
            }
            if !has_habit(here) && !self.until.contains_key(&here) && self.random.below(RARE) == 0 {
                self.harm(round, fleet, ledger, here);
            }
        }
        if round >= self.down.1 && self.random.below(25) == 0 {
            self.down = (round + 1, round + 2 + self.random.below(6));
            *self.counts.entry("line down".into()).or_default() += 1;
        }
    }

    /// Everything is as it should be again.
    pub(super) fn end(&mut self, fleet: &Fleet, _: &mut Ledger) {
        self.until.clear();
        for here in (0..self.devices).map(address).filter(|here| !has_habit(*here)) {
            drop(fleet.heal(here));
        }
    }

    fn harm(&mut self, round: u64, fleet: &Fleet, ledger: &mut Ledger, here: Ipv4Addr) {
        if fleet.truth(here).is_ok_and(|truth| truth.state == TrueState::Off) {
            return;
        }
        match self.draw() {
            Act::Standing(fault) => {
                self.until.insert(here, round + 1 + self.random.below(9));
                self.put(fleet, ledger, here, &fault);
            }
            Act::Reset => self.put(fleet, ledger, here, &Fault::CounterReset),
            Act::Reboot => self.put(fleet, ledger, here, &Fault::Reboot),
            Act::BoardSwap => self.put(fleet, ledger, here, &Fault::BoardSwap),
            Act::DeviceSwap => self.put(fleet, ledger, here, &Fault::DeviceSwap),
            Act::Jump => {
                let seconds = self.random.below(20_000) as i64 - 10_000;
                self.put(fleet, ledger, here, &Fault::ClockJump(seconds));
            }
            Act::Swap => {
                let other = address(self.random.below(u64::from(self.devices)) as u32);
                if other != here && !has_habit(other) && !self.until.contains_key(&other) {
                    self.put(fleet, ledger, here, &Fault::AddressSwap(other));
                }
            }
        }
    }

    fn put(&mut self, fleet: &Fleet, ledger: &mut Ledger, here: Ipv4Addr, fault: &Fault) {
        let name = format!("{fault:?}");
        let name = name.split(['(', ' ', '{']).next().unwrap_or_default().to_owned();
        *self.counts.entry(name).or_default() += 1;
        if let Ok(truth) = fleet.truth(here) {
            if matches!(fault, Fault::CounterReset | Fault::CounterNearWrap { .. }) {
                ledger.broken(&truth.serial);
            }
            let unit = ledger.units.entry(truth.serial).or_default();
            unit.put.push((truth.at_ms / 60_000, format!("{fault:?} until round {:?}", self.until.get(&here))));
        }
        let changes_serial = matches!(fault, Fault::BoardSwap | Fault::DeviceSwap);
        drop(fleet.fault(here, fault.clone()));
        // Patterns of serial numbers are short: a unit that bears the number of another would be that one in the books.
        while changes_serial && fleet.truth(here).is_ok_and(|truth| ledger.units.contains_key(&truth.serial)) {
            drop(fleet.fault(here, fault.clone()));
        }
    }

    /// An object says what it cannot mean.
    fn word(&mut self) -> Fault {
        let (object, value) = match self.random.below(8) {
            0 => ("1.3.6.1.2.1.43.10.2.1.4.1.1", Value::Integer(-1)),
            1 => ("1.3.6.1.2.1.43.10.2.1.4.1.1", Value::text("n/a")),
            2 => ("1.3.6.1.2.1.43.5.1.1.19.1", Value::Counter32(0)),
            3 => ("1.3.6.1.2.1.1.3.0", Value::TimeTicks(0)),
            4 => ("1.3.6.1.2.1.25.3.5.1.1.1", Value::Integer(99)),
            5 => ("1.3.6.1.2.1.1.1.0", Value::text("")),
            6 => ("1.3.6.1.2.1.1.2.0", Value::ObjectId(Oid::of("0.0"))),
            _ => ("1.3.6.1.2.1.2.2.1.6.1", Value::text("")),
        };
        Fault::Says(object.parse().unwrap(), value)
    }

    fn draw(&mut self) -> Act {
        use Act::Standing as S;
        match self.random.below(54) {
            0 => S(Fault::Silent),
            1 => S(Fault::Loss(0.25)),
            2 => S(Fault::Delay(Duration::from_millis(20))),
            3 => S(Fault::Duplicate(0.4)),
            4 => S(Fault::Reorder(0.4)),
            5 => S(Fault::Garbage),
            6 => S(Fault::SupplyUnit(13)),
            7 => S(Fault::LyingLength),
            8 => S(Fault::LoopingOids),
            9 => S(Fault::RateLimit(150)),
            10 => S(Fault::GenErrAtEnd),
            11 => S(Fault::MaxRepetitionsZeroHang),
            12 => S(Fault::BulkSilentAbove(10)),
            13 => S(Fault::EmptyTooBig),
            14 => S(Fault::PartialReply),
            15 => S(Fault::WrongTypes),
            16 => S(Fault::LevelSentinel([-3, -2, -1, -100][self.random.below(4) as usize])),
            17 => S(Fault::Capacity([0, -1, -2][self.random.below(3) as usize])),
            18 => S(Fault::ReceptaclesReversed),
            19 => S(Fault::ErrorState([ErrorShape::One, ErrorShape::Four][self.random.below(2) as usize])),
            20 => S(Fault::PrivateTotalBehind(4)),
            21 => S(Fault::Stale),
            22 => S(Fault::V1Only),
            23 => S(Fault::DeafAsleep),
            24 => S(Fault::FragmentsLost),
            25 => S(Fault::CutAbove(484)),
            26 => S(Fault::Holes),
            27 => S(Fault::ClonedEngineId),
            28 => S(Fault::BootsForgotten),
            29 => S(Fault::Mac([0x02, 0xd0, 0xc4, 0, 0, 1])),
            30 | 31 => Act::Reset,
            32 | 33 => Act::Reboot,
            34 => Act::BoardSwap,
            35 => Act::DeviceSwap,
            36..=38 => Act::Swap,
            39 => Act::Jump,
            40 => S(Fault::TruncatedReply),
            41 => S(Fault::NonIncreasing),
            42 => S(Fault::EndlessTable),
            43 | 44 => S(Fault::BulkWrongValues),
            45 => S(Fault::ErrorState(ErrorShape::Swapped)),
            46 => S(Fault::ErrorState(ErrorShape::LittleEndian)),
            47 => S(Fault::OnlyCommunity(OTHER_COMMUNITY.to_owned())),
            48 => S(Fault::V3Only),
            49 => S(Fault::LocksOut(2)),
            50 => S(Fault::WakesByHttp),
            51 => S(Fault::Serial(String::new())),
            52 => S(Fault::WalksSilent),
            _ => S(self.word()),
        }
    }
}

/// Some walk in circles all their life, as real ones do: their table of alerts is never read.
fn has_habit(address: Ipv4Addr) -> bool {
    (u32::from(address) - u32::from(BASE)) % 17 == 7
}

pub(super) fn address(place: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(BASE) + place)
}
