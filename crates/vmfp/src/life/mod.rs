//! The life of one device: a queue of coming events, worked off whenever somebody looks. What a device is at a
//! moment depends on its seed and that moment alone, never on how often it was asked.

mod alert;
mod birth;
mod job;
mod media;
mod supply;
mod upset;

pub(crate) use alert::{Alerts, Cause, Notice, Row, Severity};
pub(crate) use birth::Habits;
use birth::Show;
pub(crate) use job::Job;
pub(crate) use media::{InputLife, OutputLife};
pub(crate) use supply::SupplyLife;

use crate::clock::Instant;
use crate::config::Mood;
use crate::profile::{Meters, Profile};
use crate::random::Random;

/// What the device is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Idle,
    WarmUp,
    Printing,
    /// Switched off or unplugged: it does not answer.
    Off,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    JobArrives,
    Step,
    CoverOpens,
    CoverCloses,
    JamCleared,
    Leaves,
    Returns,
    Breaks,
    Repaired,
    Collected,
    Shows,
    Refilled(usize),
    Replaced(usize),
}

/// Moments of the events that there is one of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Calendar {
    job: Instant,
    step: Instant,
    opens: Instant,
    closes: Instant,
    jam: Instant,
    leaves: Instant,
    returns: Instant,
    breaks: Instant,
    repaired: Instant,
    collected: Instant,
    shows: Instant,
}

/// The state of one device at the moment of its last event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Life {
    random: Random,
    habits: Habits,
    calendar: Calendar,
    /// What it shows at the start.
    show: Show,
    /// Moment of the next event: nothing changes before it.
    due: Instant,
    pub phase: Phase,
    pub meters: Meters,
    pub alerts: Alerts,
    pub booted: Instant,
    /// Since when nobody used it.
    idle_since: Instant,
    pub config_changes: u32,
    job: Option<Job>,
    waiting: Vec<Job>,
    pub inputs: Box<[InputLife]>,
    pub outputs: Box<[OutputLife]>,
    pub supplies: Box<[SupplyLife]>,
    open_cover: Option<u8>,
    /// Times the main board was exchanged; a new board brings a new serial.
    pub board: u16,
    /// Which unit stands here: the first, the one that came in its place, …
    pub unit: u16,
    /// Times the power came on since the fleet began.
    pub boots: u16,
    /// Bits of its counters; 0 means 32.
    pub counter_bits: u8,
    /// Page sides since the fleet began; no counter of the device, so nothing ever resets it.
    pub printed: u64,
    /// Supplies replaced so far, without those of the years before.
    pub replacements: u32,
}

impl Life {
    /// Brings the device to this moment. Cheap when nothing happened.
    pub(crate) fn advance(&mut self, profile: &Profile, mood: Mood, now: Instant) {
        while self.due <= now {
            let (at, event) = self.next_event();
            self.happen(profile, mood, at, event);
            self.due = self.next_event().0;
        }
    }

    fn next_event(&self) -> (Instant, Event) {
        let c = &self.calendar;
        let mut first = (c.job, Event::JobArrives);
        let singles = [
            (c.step, Event::Step),
            (c.opens, Event::CoverOpens),
            (c.closes, Event::CoverCloses),
            (c.jam, Event::JamCleared),
            (c.leaves, Event::Leaves),
            (c.returns, Event::Returns),
            (c.breaks, Event::Breaks),
            (c.repaired, Event::Repaired),
            (c.collected, Event::Collected),
            (c.shows, Event::Shows),
        ];
        let inputs = self.inputs.iter().enumerate().map(|(i, input)| (input.refill, Event::Refilled(i)));
        let supplies = self.supplies.iter().enumerate().map(|(i, supply)| (supply.replace, Event::Replaced(i)));
        for candidate in singles.into_iter().chain(inputs).chain(supplies) {
            if candidate.0 < first.0 {
                first = candidate;
            }
        }
        first
    }

    fn happen(&mut self, profile: &Profile, mood: Mood, at: Instant, event: Event) {
        match event {
            Event::JobArrives => self.job_arrives(profile, at),
            Event::Step => self.step(profile, mood, at),
            Event::CoverOpens => self.cover_opens(profile, mood, at),
            Event::CoverCloses => self.cover_closes(profile, at),
            Event::JamCleared => self.jam_cleared(profile, at),
            Event::Leaves => self.leaves(profile, at),
            Event::Returns => self.returns(profile, mood, at),
            Event::Breaks => self.breaks(profile, mood, at),
            Event::Repaired => self.repaired(profile, at),
            Event::Collected => self.collected(profile, at),
            Event::Shows => self.shows(profile, mood, at),
            Event::Refilled(input) => self.refilled(profile, at, input),
            Event::Replaced(supply) => self.replaced(profile, at, supply),
        }
    }

    /// Sleeping is not an event: it follows from the time of rest.
    pub(crate) fn asleep(&self, profile: &Profile, now: Instant) -> bool {
        let rest = i64::from(profile.engine.sleep_after_min) * 60_000;
        rest > 0 && self.phase == Phase::Idle && self.job.is_none() && now.since(self.idle_since) >= rest
    }

    /// Something stops the engine.
    pub(crate) fn stopped(&self) -> bool {
        self.alerts.any(|cause| {
            matches!(
                cause,
                Cause::Jam
                    | Cause::Cover(_)
                    | Cause::InputEmpty { last: true, .. }
                    | Cause::OutputFull(_)
                    | Cause::Service
            )
        }) || self
            .alerts
            .rows
            .iter()
            .any(|row| matches!(row.cause, Cause::SupplyEmpty(_)) && row.severity == Severity::Critical)
    }

    /// Moment of the next event: nothing changes before it.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// What a counter shows of a count.
    pub(crate) fn shown(&self, count: u32) -> u32 {
        if self.counter_bits == 31 { count & 0x7fff_ffff } else { count }
    }

    pub(crate) fn open_cover(&self) -> Option<u8> {
        self.open_cover
    }

    fn raise(&mut self, profile: &Profile, cause: Cause, severity: Severity, at: Instant) {
        self.alerts.raise(cause, severity, at, profile.alert_rows());
    }

    /// Clears rows; work goes on when nothing else stops it.
    fn clear(&mut self, profile: &Profile, at: Instant, wanted: impl Fn(Cause) -> bool) {
        let trace = profile.manners.removal_rows.then(|| profile.alert_rows());
        if self.alerts.clear(wanted, at, trace) {
            self.idle_since = at;
            self.go_on(at);
        }
    }

    /// Continues a job that was held up.
    fn go_on(&mut self, at: Instant) {
        if self.job.is_some() && self.phase != Phase::Off && !self.stopped() && self.calendar.step == Instant::NEVER {
            self.phase = Phase::Printing;
            self.calendar.step = at.plus(4_000);
        }
    }
}

#[cfg(test)]
mod tests;
