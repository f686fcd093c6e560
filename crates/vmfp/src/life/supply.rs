//! Supplies and parts: used up by coverage or by pages, told low, told empty, and replaced by people who take a while.

use super::{Cause, Job, Life, Severity};
use crate::clock::Instant;
use crate::profile::{Consumption, Profile, SupplyPlan, SupplyType};

/// One supply in its slot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SupplyLife {
    /// Share that is left, 1.0 to 0.0; for a receptacle the room left.
    pub left: f64,
    /// How many sat in this slot before; the cartridge's serial follows from it.
    pub generation: u16,
    /// When somebody will exchange it.
    pub replace: Instant,
}

impl Life {
    /// Use by printed pages.
    pub(super) fn wear(&mut self, profile: &Profile, at: Instant, job: &Job, pages: u32) {
        let area = f64::from(pages) * if job.large { 2.0 } else { 1.0 };
        let ink = area * self.habits.coverage / 5.0;
        for index in 0..self.supplies.len() {
            let plan = &profile.supplies[index];
            let used = match plan.consumption() {
                Consumption::Black => ink,
                Consumption::Colour if job.colour => ink,
                Consumption::Image => area,
                Consumption::ColourImage if job.colour => area,
                _ => continue,
            };
            self.use_up(profile, at, index, used / plan.lasts);
        }
    }

    pub(super) fn use_staple(&mut self, profile: &Profile, at: Instant) {
        for index in 0..self.supplies.len() {
            let plan = &profile.supplies[index];
            if plan.consumption() == Consumption::Staple {
                self.use_up(profile, at, index, 1.0 / plan.lasts);
            }
        }
    }

    fn use_up(&mut self, profile: &Profile, at: Instant, index: usize, share: f64) {
        let before = self.supplies[index].left;
        let after = (before - share).max(0.0);
        self.supplies[index].left = after;
        self.watch(profile, at, index, before);
    }

    /// Tells low and empty, and makes somebody care, when a border was crossed since `before`.
    pub(super) fn watch(&mut self, profile: &Profile, at: Instant, index: usize, before: f64) {
        let plan = &profile.supplies[index];
        let after = self.supplies[index].left;
        let number = index as u8;
        if after < plan.low_at && before >= plan.low_at {
            self.raise(profile, Cause::SupplyLow(number), Severity::Warning, at);
        }
        let end = self.habits.exchange_at.min(plan.low_at);
        if after <= end && before > end {
            let hours = 0.5 + self.random.waiting(patience(plan));
            self.plan_exchange(profile, at, index, hours);
        }
        if after <= 0.0 && before > 0.0 {
            self.alerts.clear(|cause| cause == Cause::SupplyLow(number), at, None);
            let severity = if stops(plan) { Severity::Critical } else { Severity::Warning };
            self.raise(profile, Cause::SupplyEmpty(number), severity, at);
            let hours = 0.1 + self.random.waiting(if stops(plan) { 0.8 } else { 8.0 });
            self.plan_exchange(profile, at, index, hours);
        }
    }

    fn plan_exchange(&mut self, profile: &Profile, at: Instant, index: usize, hours: f64) {
        let due = profile.life.rhythm.after_hours(at, hours);
        let replace = &mut self.supplies[index].replace;
        *replace = due.min(*replace);
    }

    /// A new cartridge: full again, another serial, a change of configuration.
    pub(super) fn replaced(&mut self, profile: &Profile, at: Instant, index: usize) {
        let supply = &mut self.supplies[index];
        *supply = SupplyLife { left: 1.0, generation: supply.generation + 1, replace: Instant::NEVER };
        self.config_changes += 1;
        self.replacements += 1;
        let number = index as u8;
        self.clear(profile, at, |cause| matches!(cause, Cause::SupplyLow(n) | Cause::SupplyEmpty(n) if n == number));
    }
}

/// Busy hours that people take to exchange it once it is nearly gone.
fn patience(plan: &SupplyPlan) -> f64 {
    match plan.kind {
        kind if kind.marks() => 5.0,
        SupplyType::Staples => 2.0,
        SupplyType::WasteToner | SupplyType::WasteInk => 4.0,
        _ => 16.0,
    }
}

/// Without it nothing is printed. Worn parts print on, with a warning.
fn stops(plan: &SupplyPlan) -> bool {
    plan.kind.marks() || plan.kind.waste()
}
