//! Jobs: they arrive in the rhythm of the place, wake the device, and are printed a few sheets at a time.

use super::{Cause, Life, Phase, Severity};
use crate::clock::Instant;
use crate::config::Mood;
use crate::profile::{Meters, Profile};

/// Sheets printed between two looks at the trays.
const STRIDE: u32 = 5;
/// Jobs that wait at a stopped device; further people walk to another one.
const PATIENCE: usize = 6;

/// One printing job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Job {
    pub function: u8,
    pub pages: u32,
    pub colour: bool,
    pub large: bool,
    pub duplex: bool,
    pub staple: bool,
}

impl Life {
    pub(super) fn job_arrives(&mut self, profile: &Profile, at: Instant) {
        let pause = self.random.waiting(1.0) / self.habits.jobs_a_day;
        self.calendar.job = profile.life.rhythm.after(at.plus(1), pause);
        if self.phase == Phase::Off {
            return;
        }
        self.scan(profile, at);
        let job = self.draw_job(profile);
        if self.job.is_none() {
            self.begin(profile, at, job);
        } else if self.waiting.len() < PATIENCE {
            self.waiting.push(job);
        }
    }

    /// Scans need no paper; they are counted as they come.
    fn scan(&mut self, profile: &Profile, at: Instant) {
        let life = &profile.life;
        if life.scan <= 0.0 || !self.random.chance(life.scan.min(1.0)) {
            return;
        }
        let pages = 1 + self.random.waiting(3.0) as u32;
        let colour = profile.engine.colour && self.random.chance(0.4);
        self.meters.scans[usize::from(colour)] += pages;
        self.meters.feeder += if pages > 1 { pages } else { 0 };
        if life.fax > 0.0 && self.random.chance(0.1) {
            self.meters.fax_sent += pages;
        }
        if self.phase == Phase::Idle {
            self.idle_since = at;
        }
    }

    fn draw_job(&mut self, profile: &Profile) -> Job {
        let life = &profile.life;
        let pages = 1 + self.random.waiting((life.job_pages - 1.0).max(0.05)) as u32;
        let point = self.random.unit();
        let function = if point < life.fax {
            Meters::FAX
        } else if point < life.fax + life.copy {
            Meters::COPY
        } else if point > 0.998 {
            Meters::REPORT
        } else {
            Meters::PRINT
        };
        let colour = function != Meters::FAX && self.random.chance(self.habits.colour);
        let large = self.random.chance(life.large);
        let duplex = pages > 1 && self.random.chance(life.duplex);
        let staple = pages > 2 && self.random.chance(life.staple);
        Job { function: function as u8, pages, colour, large, duplex, staple }
    }

    fn begin(&mut self, profile: &Profile, at: Instant, job: Job) {
        let asleep = self.asleep(profile, at);
        self.meters.jobs += 1;
        if usize::from(job.function) == Meters::COPY {
            self.meters.feeder += if job.pages > 1 { job.pages } else { 0 };
        }
        self.job = Some(job);
        if self.stopped() {
            return;
        }
        let wait = if asleep { i64::from(profile.engine.warm_up_s) * 1000 } else { 5_000 };
        self.phase = if asleep { Phase::WarmUp } else { Phase::Printing };
        self.calendar.step = at.plus(wait.max(1_000));
    }

    /// Prints the next few sheets.
    pub(super) fn step(&mut self, profile: &Profile, mood: Mood, at: Instant) {
        self.calendar.step = Instant::NEVER;
        let Some(mut job) = self.job else {
            self.rest(at);
            return;
        };
        self.phase = Phase::Printing;
        if mood != Mood::Faultless && self.jams(profile, at, &job) {
            return;
        }
        let Some(input) = self.pick_input(profile, job.large) else {
            self.out_of_paper(profile, at, job.large);
            return;
        };
        let sides = if job.duplex { 2 } else { 1 };
        let sheets = STRIDE.min(job.pages.div_ceil(sides)).min(u32::from(self.inputs[input].level));
        let pages = (sheets * sides).min(job.pages);
        self.count(&job, pages, sheets);
        self.take_paper(profile, at, input, sheets);
        self.wear(profile, at, &job, pages);
        job.pages -= pages;
        let took = i64::from(sheets) * 60_000 / i64::from(profile.engine.ppm.max(1));
        self.deliver(profile, at, sheets);
        self.job = (job.pages > 0).then_some(job);
        if self.job.is_none() {
            self.finish(profile, at, &job);
        }
        if self.stopped() {
            self.phase = Phase::Idle;
            self.idle_since = at;
        } else {
            self.calendar.step = at.plus(took.max(500));
        }
    }

    fn count(&mut self, job: &Job, pages: u32, sheets: u32) {
        self.meters.add(usize::from(job.function), job.colour, job.large, pages);
        self.meters.sheets += sheets;
        self.printed += u64::from(pages);
        if job.duplex {
            self.meters.duplex += pages - pages % 2;
        }
    }

    fn finish(&mut self, profile: &Profile, at: Instant, job: &Job) {
        if job.staple {
            self.meters.staples += 1;
            self.use_staple(profile, at);
        }
        if !self.waiting.is_empty() {
            self.meters.jobs += 1;
            self.job = Some(self.waiting.remove(0));
        }
    }

    /// After the last sheet: the engine stops, the lamp goes back to ready.
    fn rest(&mut self, at: Instant) {
        if self.phase != Phase::Off {
            self.phase = Phase::Idle;
            self.idle_since = at;
        }
    }

    fn jams(&mut self, profile: &Profile, at: Instant, job: &Job) -> bool {
        let sheets = STRIDE.min(job.pages.div_ceil(if job.duplex { 2 } else { 1 }));
        if !self.random.chance(f64::from(sheets) / profile.life.jam_every.max(1.0)) {
            return false;
        }
        self.jam(profile, at);
        true
    }

    /// Paper is stuck until somebody pulls it out.
    pub(super) fn jam(&mut self, profile: &Profile, at: Instant) {
        self.meters.jams += 1;
        self.raise(profile, Cause::Jam, Severity::Critical, at);
        self.phase = Phase::Idle;
        self.idle_since = at;
        let wait = 0.03 + self.random.waiting(0.25);
        self.calendar.jam = profile.life.rhythm.after_hours(at, wait);
    }

    pub(super) fn jam_cleared(&mut self, profile: &Profile, at: Instant) {
        self.calendar.jam = Instant::NEVER;
        self.clear(profile, at, |cause| cause == Cause::Jam);
    }
}
