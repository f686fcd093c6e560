//! How a device is when the fleet begins: some years old, in the middle of a working day, in a state of its own.
//! The years before are reckoned, not played.

use super::{Alerts, Calendar, Cause, InputLife, Life, OutputLife, Phase, Severity, SupplyLife};
use crate::clock::Instant;
use crate::config::Mood;
use crate::profile::{Consumption, InputPlan, Meters, Profile, SupplyType};
use crate::random::Random;

/// What is special about the place where the device stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Habits {
    /// Jobs in a working day.
    pub jobs_a_day: f64,
    /// Coverage of a page in per cent.
    pub coverage: f64,
    /// Share of jobs in colour.
    pub colour: f64,
    /// Share left at which people think of a new cartridge.
    pub exchange_at: f64,
}

impl Habits {
    fn draw(profile: &Profile, pages_a_day: f64, random: &mut Random) -> Self {
        let plan = &profile.life;
        Self {
            jobs_a_day: pages_a_day / plan.job_pages.max(1.0),
            coverage: random.between(plan.coverage.0, plan.coverage.1),
            colour: (plan.colour * random.between(0.5, 1.5)).min(0.98),
            exchange_at: random.between(0.005, 0.06),
        }
    }
}

impl InputLife {
    fn past(plan: &InputPlan, random: &mut Random) -> Self {
        let level = if plan.manual() { 0.0 } else { f64::from(plan.sheets) * random.between(0.2, 1.0) };
        Self { level: level as u16, refill: Instant::NEVER }
    }
}

/// What a device is chosen to show at the start of a lively fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    Nothing,
    LowSupply,
    EmptySupply,
    Jam,
    OpenCover,
    Asleep,
    EmptyTray,
    WasteNearFull,
    Failure,
    SoonGone,
    Busy,
}

impl Show {
    fn of(place: u32) -> Self {
        match place % 25 {
            3 | 9 | 15 => Self::Busy,
            2 => Self::LowSupply,
            5 => Self::Jam,
            8 => Self::OpenCover,
            11 => Self::Asleep,
            14 => Self::EmptyTray,
            17 => Self::WasteNearFull,
            20 => Self::SoonGone,
            22 => Self::EmptySupply,
            24 => Self::Failure,
            _ => Self::Nothing,
        }
    }
}

impl Life {
    /// The device number `place` of a fleet with this seed, at the start.
    pub(crate) fn begin_at(profile: &Profile, seed: u64, place: u32, mood: Mood) -> Self {
        Self::born_at(Instant::START, profile, seed, place, mood)
    }

    /// The device number `place` of a fleet with this seed, when it is born: at the start or before it.
    pub(crate) fn born_at(born: Instant, profile: &Profile, seed: u64, place: u32, mood: Mood) -> Self {
        let mut random = Random::stream(seed, u64::from(place) * 2 + 1);
        let plan = &profile.life;
        let pages_a_day = random.magnitude(plan.pages_per_day.0, plan.pages_per_day.1);
        let habits = Habits::draw(profile, pages_a_day, &mut random);
        let age = random.between(plan.age_days.0, plan.age_days.1);
        let lived = age * plan.rhythm.days_per_day() * pages_a_day * random.between(0.85, 1.1);
        let meters = past_meters(profile, &habits, lived, &mut random);
        let supplies =
            profile.supplies.iter().map(|_| SupplyLife { left: 1.0, generation: 0, replace: Instant::NEVER });
        let inputs = profile.inputs.iter().map(|input| InputLife::past(input, &mut random)).collect();
        let booted = born.plus(-(random.between(0.2, 45.0) * 86_400_000.0) as i64);
        let mut life = Self {
            habits,
            calendar: Calendar::empty(),
            show: if mood == Mood::Lively { Show::of(place) } else { Show::Nothing },
            due: born,
            phase: Phase::Idle,
            alerts: Alerts::default(),
            booted,
            idle_since: born.plus(-(random.between(0.0, 4.0) * 60_000.0) as i64),
            config_changes: random.below(9) as u32,
            job: None,
            waiting: Vec::new(),
            inputs,
            outputs: profile.outputs.iter().map(|_| OutputLife { level: 0 }).collect(),
            supplies: supplies.collect(),
            open_cover: None,
            board: 0,
            unit: 0,
            boots: 0,
            counter_bits: 0,
            printed: 0,
            replacements: 0,
            meters,
            random,
        };
        life.past_power(born, pages_a_day);
        life.past_supplies(born, profile, lived);
        life.first_plans(born, profile, mood);
        if born < Instant::START {
            life.calendar.shows = Instant::START;
        } else {
            let at = Instant::from_millis(-60_000);
            life.show(profile, at);
            life.show_supplies(profile, at);
        }
        life.due = life.next_event().0;
        life
    }

    /// Pages since the power came on.
    fn past_power(&mut self, born: Instant, pages_a_day: f64) {
        let days = born.since(self.booted) as f64 / 86_400_000.0;
        let since = (days * 0.7 * pages_a_day) as u32;
        self.meters.at_power_on = self.meters.total().saturating_sub(since);
    }

    /// How far each cartridge is, and how many sat there before.
    fn past_supplies(&mut self, born: Instant, profile: &Profile, lived: f64) {
        for index in 0..self.supplies.len() {
            let plan = &profile.supplies[index];
            let share = match plan.consumption() {
                Consumption::Black => self.habits.coverage / 5.0,
                Consumption::Colour => self.habits.coverage / 5.0 * self.habits.colour,
                Consumption::ColourImage => self.habits.colour,
                Consumption::Image => 1.0,
                Consumption::Staple => profile.life.staple / profile.life.job_pages.max(1.0),
            };
            let used = lived * share / plan.lasts;
            // Small steps away from the reckoned place, so that colours do not run out together.
            let part = (used.fract() + self.random.between(0.0, 0.35)) * 0.74;
            let left = 1.0 - part.clamp(0.0, 0.97);
            self.supplies[index] = SupplyLife { left, generation: used as u16, replace: Instant::NEVER };
            let (low, number) = (plan.low_at, index as u8);
            if left < low {
                self.raise(profile, Cause::SupplyLow(number), Severity::Warning, born);
            }
        }
    }

    fn first_plans(&mut self, born: Instant, profile: &Profile, mood: Mood) {
        let rhythm = profile.life.rhythm;
        let pause = self.random.waiting(1.0) / self.habits.jobs_a_day;
        self.calendar.job = rhythm.after(born, pause);
        let pause = self.random.waiting(4.0);
        self.calendar.opens = rhythm.after(born, pause.max(0.02));
        if profile.life.upset_every_days > 0.0 {
            let pause = self.random.waiting(profile.life.upset_every_days);
            self.calendar.breaks = rhythm.after(born, pause.max(0.1));
        }
        self.plan_leave(profile, mood, born);
    }

    /// The start, for a device with a past: whatever held it up is over, and it shows what it was chosen for. Its
    /// supplies stay as they are: nobody uses half a cartridge in a minute.
    pub(super) fn shows(&mut self, profile: &Profile, mood: Mood, at: Instant) {
        self.calendar.shows = Instant::NEVER;
        if self.phase == Phase::Off {
            self.returns(profile, mood, at);
        }
        (self.job, self.phase, self.calendar.step) = (None, Phase::Idle, Instant::NEVER);
        self.waiting.clear();
        self.show(profile, at);
    }

    /// The state of supplies that it was chosen to show.
    fn show_supplies(&mut self, profile: &Profile, at: Instant) {
        match self.show {
            Show::LowSupply => self.bring_to(profile, at, |kind| kind.marks(), 0.07),
            Show::EmptySupply => self.bring_to(profile, at, |kind| kind.marks(), 0.0),
            Show::WasteNearFull => self.bring_to(profile, at, SupplyType::waste, 0.06),
            _ => {}
        }
    }

    /// Puts the device into the state that it was chosen to show.
    fn show(&mut self, profile: &Profile, at: Instant) {
        match self.show {
            Show::Nothing | Show::LowSupply | Show::EmptySupply | Show::WasteNearFull => {}
            Show::Jam => {
                self.jam(profile, at);
                self.calendar.jam = Instant::from_millis(12 * 60_000).max(self.calendar.jam);
            }
            Show::OpenCover => self.open(profile, at, 0, 9.0),
            Show::Asleep => {
                self.idle_since = Instant::from_millis(-5 * 3_600_000);
                self.calendar.job = Instant::from_millis(25 * 60_000).max(self.calendar.job);
            }
            Show::EmptyTray => {
                if let Some(input) = profile.inputs.iter().position(|input| !input.manual()) {
                    self.inputs[input].level = 0;
                    self.tell_empty(profile, at, input);
                }
            }
            Show::Failure => self.fail(profile, at, 2.0),
            Show::Busy => self.calendar.job = Instant::START,
            Show::SoonGone => self.calendar.leaves = Instant::from_millis(10 * 60_000),
        }
    }

    fn bring_to(&mut self, profile: &Profile, at: Instant, wanted: impl Fn(SupplyType) -> bool, left: f64) {
        let Some(index) = profile.supplies.iter().position(|supply| wanted(supply.kind)) else { return };
        let before = self.supplies[index].left;
        self.supplies[index].left = left;
        self.watch(profile, at, index, before);
        // Long enough to be seen in a demonstration.
        let soon = Instant::from_millis(20 * 60_000);
        let replace = &mut self.supplies[index].replace;
        *replace = soon.max(*replace);
    }
}

impl Calendar {
    const fn empty() -> Self {
        const NEVER: Instant = Instant::NEVER;
        Self {
            job: NEVER,
            step: NEVER,
            opens: NEVER,
            closes: NEVER,
            jam: NEVER,
            leaves: NEVER,
            returns: NEVER,
            breaks: NEVER,
            repaired: NEVER,
            collected: NEVER,
            shows: NEVER,
        }
    }
}

/// Shares out the pages of the years before.
fn past_meters(profile: &Profile, habits: &Habits, lived: f64, random: &mut Random) -> Meters {
    let plan = &profile.life;
    let mut meters = Meters::default();
    let functions = [
        (Meters::PRINT, (1.0 - plan.copy - plan.fax).max(0.0) * 0.998),
        (Meters::COPY, plan.copy),
        (Meters::FAX, plan.fax),
        (Meters::REPORT, 0.002),
    ];
    for (function, share) in functions {
        let colour = if function == Meters::FAX { 0.0 } else { habits.colour };
        for (in_colour, colour_share) in [(false, 1.0 - colour), (true, colour)] {
            for (large, size_share) in [(false, 1.0 - plan.large), (true, plan.large)] {
                let pages = lived * share * colour_share * size_share * random.between(0.95, 1.05);
                meters.add(function, in_colour, large, pages as u32);
            }
        }
    }
    let total = f64::from(meters.total());
    let jobs = total / plan.job_pages.max(1.0);
    let scanned = jobs * plan.scan.min(1.0) * 3.5;
    let colour_scans = if profile.engine.colour { 0.4 } else { 0.0 };
    meters.scans = [(scanned * (1.0 - colour_scans)) as u32, (scanned * colour_scans) as u32];
    meters.fax_sent = if plan.fax > 0.0 { (scanned * 0.1) as u32 } else { 0 };
    meters.duplex = (total * plan.duplex * 0.9) as u32 & !1;
    meters.sheets = (total - f64::from(meters.duplex) / 2.0) as u32;
    meters.jams = (f64::from(meters.sheets) / plan.jam_every.max(1.0)) as u32;
    meters.feeder = (scanned * 0.8 + total * plan.copy * 0.7) as u32;
    meters.jobs = jobs as u32;
    meters.staples = (jobs * plan.staple * 0.6) as u32;
    meters
}
