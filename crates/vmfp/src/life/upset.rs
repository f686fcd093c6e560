//! What goes wrong apart from paper and toner: covers, failures that need a technician, times off the network.

use super::{Cause, Life, Phase, Severity};
use crate::clock::Instant;
use crate::config::Mood;
use crate::profile::Profile;

impl Life {
    pub(super) fn cover_opens(&mut self, profile: &Profile, mood: Mood, at: Instant) {
        let pause = self.random.waiting(4.0);
        self.calendar.opens = profile.life.rhythm.after(at.plus(1), pause.max(0.02));
        if mood == Mood::Faultless || self.phase != Phase::Idle || self.open_cover.is_some() {
            return;
        }
        let cover = self.random.below(profile.covers.len() as u64) as u8;
        let minutes = 0.4 + self.random.waiting(2.5);
        self.open(profile, at, cover, minutes);
    }

    /// Somebody opens a cover and closes it some minutes later.
    pub(super) fn open(&mut self, profile: &Profile, at: Instant, cover: u8, minutes: f64) {
        self.open_cover = Some(cover);
        self.raise(profile, Cause::Cover(cover), Severity::Critical, at);
        self.idle_since = at;
        self.calendar.closes = at.plus((minutes * 60_000.0) as i64);
    }

    pub(super) fn cover_closes(&mut self, profile: &Profile, at: Instant) {
        self.calendar.closes = Instant::NEVER;
        self.open_cover = None;
        self.clear(profile, at, |cause| matches!(cause, Cause::Cover(_)));
    }

    pub(super) fn breaks(&mut self, profile: &Profile, mood: Mood, at: Instant) {
        let pause = self.random.waiting(profile.life.upset_every_days.max(1.0)) * profile.life.rhythm.days_per_day();
        self.calendar.breaks = profile.life.rhythm.after(at.plus(1), pause.max(0.1));
        if mood != Mood::Faultless {
            let hours = 1.0 + self.random.waiting(6.0);
            self.fail(profile, at, hours);
        }
    }

    /// A failure; a technician comes after some busy hours.
    pub(super) fn fail(&mut self, profile: &Profile, at: Instant, hours: f64) {
        if self.phase == Phase::Off || self.alerts.has(Cause::Service) {
            return;
        }
        self.raise(profile, Cause::Service, Severity::Critical, at);
        self.calendar.step = Instant::NEVER;
        self.phase = Phase::Idle;
        self.idle_since = at;
        self.calendar.repaired = profile.life.rhythm.after_hours(at, hours);
    }

    pub(super) fn repaired(&mut self, profile: &Profile, at: Instant) {
        self.calendar.repaired = Instant::NEVER;
        self.clear(profile, at, |cause| cause == Cause::Service);
    }

    /// Switched off, or unplugged for the cleaner's vacuum.
    pub(super) fn leaves(&mut self, profile: &Profile, at: Instant) {
        self.calendar.leaves = Instant::NEVER;
        self.calendar.step = Instant::NEVER;
        self.phase = Phase::Off;
        self.job = None;
        self.waiting.clear();
        let hours = self.random.magnitude(0.05, 8.0);
        self.calendar.returns = profile.life.rhythm.after_hours(at, hours).min(at.plus(20 * 3_600_000));
    }

    pub(super) fn returns(&mut self, profile: &Profile, mood: Mood, at: Instant) {
        self.calendar.returns = Instant::NEVER;
        self.plan_leave(profile, mood, at);
        self.boot(profile, at);
    }

    /// When it will leave the network next, if ever.
    pub(super) fn plan_leave(&mut self, profile: &Profile, mood: Mood, at: Instant) {
        let every = profile.life.outage_every_days;
        if mood == Mood::Lively && every > 0.0 {
            let days = self.random.waiting(every) * profile.life.rhythm.days_per_day();
            self.calendar.leaves = profile.life.rhythm.after(at, days.max(0.3));
        }
    }

    /// Power comes on: uptime and alert indices begin anew, the engine warms up.
    pub(super) fn boot(&mut self, profile: &Profile, at: Instant) {
        self.booted = at;
        self.boots = self.boots.wrapping_add(1);
        self.idle_since = at;
        self.meters.at_power_on = self.meters.total();
        self.alerts.reboot(at, profile.alert_rows());
        self.phase = Phase::WarmUp;
        self.calendar.step = at.plus(i64::from(profile.engine.warm_up_s.max(5)) * 1000);
    }

    /// Off and on again, by hand.
    pub(crate) fn reboot(&mut self, profile: &Profile, at: Instant) {
        self.job = None;
        self.waiting.clear();
        self.boot(profile, at);
        self.due = self.next_event().0;
    }

    /// A technician puts in another main board: new serial; counters survive or begin anew with it.
    pub(crate) fn swap_board(&mut self, profile: &Profile, at: Instant) {
        self.board += 1;
        self.config_changes += 1;
        self.boot(profile, at);
        self.due = self.next_event().0;
    }

    /// Counters fall back to nothing, as after a failed memory. Only a fault does this.
    pub(crate) fn reset_counters(&mut self) {
        self.meters = crate::profile::Meters::default();
        self.counter_bits = 0;
    }

    /// The total stands `left` pages before its end. Only a fault does this.
    pub(crate) fn near_wrap(&mut self, bits: u8, left: u32) {
        let end = if bits == 31 { 1 << 31 } else { 0_u32 };
        let more = end.wrapping_sub(left).wrapping_sub(self.meters.total());
        self.meters.add(crate::profile::Meters::PRINT, false, false, more);
        self.meters.at_power_on = self.meters.at_power_on.wrapping_add(more);
        self.counter_bits = bits;
    }

    /// Another unit of the same kind is put in the place of this one, and was switched on just now.
    pub(crate) fn succeed(&mut self, profile: &Profile, seed: u64, place: u32, now: Instant) {
        let notices = self.alerts.notices.take().map(|_| Vec::new());
        let unit = self.unit + 1;
        let place = crate::identity::Identity { seed, place, board: 0, unit }.stream();
        let mut other = Self::begin_at(profile, seed, place, Mood::Calm);
        other.advance(profile, Mood::Calm, now);
        (other.unit, other.printed, other.alerts.notices) = (unit, 0, notices);
        other.boot(profile, now);
        other.due = other.next_event().0;
        *self = other;
    }

    /// The switch of the first cover is loose: it opens if it was closed, and closes if it was open.
    pub(crate) fn flip_cover(&mut self, profile: &Profile, at: Instant) {
        if self.open_cover.is_some() {
            self.cover_closes(profile, at);
        } else {
            self.open_cover = Some(0);
            self.raise(profile, Cause::Cover(0), Severity::Critical, at);
            self.calendar.closes = Instant::NEVER;
        }
        self.due = self.next_event().0;
    }
}
