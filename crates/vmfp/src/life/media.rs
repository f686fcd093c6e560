//! Paper: trays run low and empty and are filled again; bins fill and are cleared.

use super::{Cause, Life, Severity};
use crate::clock::Instant;
use crate::profile::Profile;

/// One tray.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InputLife {
    /// Sheets in it.
    pub level: u16,
    /// When somebody will fill it.
    pub refill: Instant,
}

/// One bin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OutputLife {
    /// Sheets in it.
    pub level: u16,
}

impl Life {
    /// The tray that feeds next: the first of the right size with paper.
    pub(super) fn pick_input(&self, profile: &Profile, large: bool) -> Option<usize> {
        let fits = |index: &usize| {
            let plan = &profile.inputs[*index];
            plan.large() == large && !plan.manual() && self.inputs[*index].level > 0
        };
        (0..profile.inputs.len()).find(fits)
    }

    /// Nothing of this size is left: the job waits, whatever was said about single trays before.
    pub(super) fn out_of_paper(&mut self, profile: &Profile, at: Instant, large: bool) {
        let emptied = (0..profile.inputs.len())
            .find(|index| profile.inputs[*index].large() == large && !profile.inputs[*index].manual());
        let Some(input) = emptied else {
            self.job = None;
            self.calendar.step = at.plus(1_000);
            return;
        };
        self.tell_empty(profile, at, input);
        self.phase = super::Phase::Idle;
        self.idle_since = at;
    }

    pub(super) fn take_paper(&mut self, profile: &Profile, at: Instant, input: usize, sheets: u32) {
        let plan = &profile.inputs[input];
        let level = &mut self.inputs[input].level;
        *level = level.saturating_sub(sheets as u16);
        if *level == 0 {
            self.tell_empty(profile, at, input);
        } else if u32::from(*level) * 10 < u32::from(plan.sheets) && plan.sheets >= 50 {
            self.raise(profile, Cause::InputLow(input as u8), Severity::Warning, at);
        }
    }

    pub(super) fn tell_empty(&mut self, profile: &Profile, at: Instant, input: usize) {
        let large = profile.inputs[input].large();
        let last = self.pick_input(profile, large).is_none();
        let number = input as u8;
        self.alerts.clear(|cause| cause == Cause::InputLow(number), at, None);
        if last {
            // The warning about this tray becomes the reason of the stop.
            self.alerts.clear(|cause| cause == Cause::InputEmpty { input: number, last: false }, at, None);
        }
        let severity = if last { Severity::Critical } else { Severity::Warning };
        self.raise(profile, Cause::InputEmpty { input: number, last }, severity, at);
        // A stopped device is seen at once, a spare tray when somebody walks by.
        let hours = if last { 0.05 + self.random.waiting(0.4) } else { 0.1 + self.random.waiting(1.5) };
        let filled = profile.life.rhythm.after_hours(at, hours);
        let due = &mut self.inputs[input].refill;
        *due = filled.min(*due);
    }

    pub(super) fn refilled(&mut self, profile: &Profile, at: Instant, input: usize) {
        let (plan, number) = (&profile.inputs[input], input as u8);
        let ream = u16::try_from(self.random.below(2)).unwrap_or(0) * (plan.sheets / 6);
        self.inputs[input] = InputLife { level: plan.sheets - ream, refill: Instant::NEVER };
        self.config_changes += u32::from(self.random.chance(0.05));
        // New paper in one tray also ends a stop that was told at another tray of the same size.
        let large = plan.large();
        let same_size = |other: u8| profile.inputs[usize::from(other)].large() == large;
        self.clear(profile, at, |cause| match cause {
            Cause::InputLow(other) => other == number,
            Cause::InputEmpty { input: other, last } => other == number || (last && same_size(other)),
            _ => false,
        });
        // The other tray is still empty, but no longer a reason to stop.
        for other in 0..profile.inputs.len() {
            let plan = &profile.inputs[other];
            let known = |cause| matches!(cause, Cause::InputEmpty { input, .. } if usize::from(input) == other);
            if other != input && !plan.manual() && self.inputs[other].level == 0 && !self.alerts.any(known) {
                self.tell_empty(profile, at, other);
            }
        }
    }

    /// Sheets arrive in the bin; the first one with room takes them.
    pub(super) fn deliver(&mut self, profile: &Profile, at: Instant, sheets: u32) {
        let count = self.outputs.len();
        let full = |life: &Self, bin: usize| life.outputs[bin].level >= profile.outputs[bin].sheets;
        let bin = (0..count).find(|bin| !full(self, *bin)).unwrap_or(count - 1);
        let room = profile.outputs[bin].sheets;
        self.outputs[bin].level = self.outputs[bin].level.saturating_add(sheets as u16).min(room);
        let level = u32::from(self.outputs[bin].level);
        if level >= u32::from(room) {
            let others = (0..count).any(|other| !full(self, other));
            self.alerts.clear(|cause| cause == Cause::OutputNearFull(bin as u8), at, None);
            if !others {
                self.raise(profile, Cause::OutputFull(bin as u8), Severity::Critical, at);
            }
        } else if level * 10 >= u32::from(room) * 9 {
            self.raise(profile, Cause::OutputNearFull(bin as u8), Severity::Warning, at);
        }
        if self.calendar.collected == Instant::NEVER {
            let hours = 0.02 + self.random.waiting(0.3);
            self.calendar.collected = profile.life.rhythm.after_hours(at, hours);
        }
    }

    /// People take their paper.
    pub(super) fn collected(&mut self, profile: &Profile, at: Instant) {
        self.calendar.collected = Instant::NEVER;
        let forgotten = self.random.chance(0.2);
        for output in &mut self.outputs {
            output.level = if forgotten { output.level / 4 } else { 0 };
        }
        self.clear(profile, at, |cause| matches!(cause, Cause::OutputFull(_) | Cause::OutputNearFull(_)));
    }
}
