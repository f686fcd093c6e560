//! What was really printed between the readings of each device, by its serial number: what may be billed.

use std::collections::{BTreeMap, BTreeSet};

use vmfp::Truth;
use wire::Meter;
use wire::report::StatusBody;

/// Page sides of the standard MIB, one row a marker.
pub(super) const MARKERS: &str = "1.3.6.1.2.1.43.10.2.1.4.";

/// Growth that is believed between two readings: 10,000 pages and 400 a minute, of two hours.
const LIKELY: u64 = 10_000 + 400 * 120;

/// A condition of a device: prtAlertGroup, its row, code.
pub(super) type Place = (i32, i32, i32);

/// The books that nobody can cook.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) units: BTreeMap<String, Unit>,
    /// Models without a table of alerts.
    tacit: BTreeSet<String>,
}

/// One unit, as it really was.
#[derive(Default)]
pub(super) struct Unit {
    /// Pages that the last counted reading knew of, and what it told.
    last: Option<(u64, u64)>,
    /// What each of its counters told then.
    each: BTreeMap<String, u64>,
    /// A counter was lost since then.
    broken: bool,
    /// Pages of the last interval, if its counter fell in it and no second reading has said why.
    fell: u64,
    /// What each told before it was lost, until a second reading after that has come.
    before: Option<BTreeMap<String, u64>>,
    /// Pages that must be billed.
    pub(super) least: u64,
    /// Pages that nobody can know of, because a counter was lost while they were printed.
    pub(super) blind: u64,
    /// What was told and what was true, for people who look for a fault.
    pub(super) log: Vec<(u64, u64, u64)>,
    /// Counter readings taken.
    pub(super) readings: u32,
    /// Every condition that ever stood when it was looked at.
    pub(super) stood: BTreeSet<Place>,
    /// It has a table of alerts.
    pub(super) has_rows: bool,
    /// Its table of alerts cannot be read, because of a habit.
    pub(super) is_mute: bool,
    /// When it was looked at last.
    pub(super) at_ms: i64,
    /// Conditions that stand now.
    pub(super) standing: BTreeSet<Place>,
    /// Minutes, and what stood from then on; for people who look for a fault.
    pub(super) past: Vec<(i64, BTreeSet<Place>)>,
    /// Readings whose alerts were not those that stood: minute, codes told, quirks.
    pub(super) odd: Vec<(i64, Vec<i64>, Vec<String>)>,
    /// Faults put on it, with their minute.
    pub(super) put: Vec<(i64, String)>,
    /// How often each condition came anew, as the rounds saw it.
    pub(super) episodes: BTreeMap<Place, u32>,
}

impl Ledger {
    fn tacit(&mut self) -> &BTreeSet<String> {
        if self.tacit.is_empty() {
            let profiles = vmfp::profile_names().into_iter().filter_map(|name| vmfp::find_profile(name).ok());
            let tacit = profiles.filter(|profile| profile.manners.no_alert_table);
            self.tacit = tacit.map(|profile| profile.model.clone()).collect();
        }
        &self.tacit
    }

    /// A counter of this unit lost its value.
    pub(super) fn broken(&mut self, serial: &str) {
        self.units.entry(serial.to_owned()).or_default().broken = true;
    }

    /// How the unit is in this round.
    pub(super) fn look(&mut self, truth: &Truth) {
        let tacit = self.tacit().contains(&truth.model);
        let unit = self.units.entry(truth.serial.clone()).or_default();
        let now: BTreeSet<Place> = truth.alerts.iter().map(|alert| alert.place).collect();
        if now != unit.standing {
            unit.past.push((truth.at_ms / 60_000, now.clone()));
        }
        for place in now.difference(&unit.standing) {
            *unit.episodes.entry(*place).or_default() += 1;
        }
        (unit.has_rows, unit.at_ms) = (!tacit && !unit.is_mute, truth.at_ms);
        unit.stood.extend(&now);
        unit.standing = now;
    }

    /// Its condition was read.
    pub(super) fn condition(&mut self, truth: &Truth, body: &StatusBody) {
        let told: BTreeSet<i64> = body.alerts.iter().filter_map(|alert| alert.code).collect();
        let stands = |alert: &vmfp::TrueAlert| told.contains(&i64::from(alert.place.2));
        if !truth.alerts.iter().all(stands) {
            let unit = self.units.entry(truth.serial.clone()).or_default();
            unit.odd.push((truth.at_ms / 60_000, told.into_iter().collect(), body.quirks.clone()));
        }
    }

    /// Its counters were read and reach the server. Returns what is wrong with the reading itself.
    pub(super) fn read(&mut self, truth: &Truth, meters: &[Meter]) {
        let each = meters.iter().filter(|meter| meter.source.starts_with(MARKERS));
        let each: BTreeMap<String, u64> = each.map(|meter| (meter.source.clone(), meter.value)).collect();
        let Some(told) = each.values().copied().reduce(|sum, value| sum + value) else { return };
        // A stale device tells an older count, a narrow counter less of it.
        let lag = u64::from(truth.life_count).wrapping_sub(told) & 0x7fff_ffff;
        let knew = truth.printed.saturating_sub(lag);
        let unit = self.units.entry(truth.serial.clone()).or_default();
        if unit.each.keys().any(|source| !each.contains_key(source)) {
            // A counter is missing: what it counted comes with the next reading that has it.
            return;
        }
        unit.readings += 1;
        unit.log.push((told, u64::from(truth.life_count), truth.printed));
        let (last, before) = (unit.last.unwrap_or((knew, told)), unit.before.take());
        let printed = knew.saturating_sub(last.0);
        // A counter that has passed its old value before a second reading came: was it lost, or misread once?
        let has_passed = |(source, value): (&String, &u64)| *value > 0 && each.get(source) >= Some(value);
        let passed = before.is_some_and(|before| before.iter().any(has_passed));
        if unit.broken {
            // It fell twice in a row: what the first fall was, nobody can tell any more.
            unit.least -= unit.fell;
            unit.blind += unit.fell;
        }
        if unit.broken {
            // A counter that was lost shortly before its end looks as if it had come to it.
            unit.blind +=
                each.iter().filter_map(|(source, now)| to_its_end(*unit.each.get(source)?, *now)).sum::<u64>();
        }
        unit.before = unit.broken.then(|| std::mem::take(&mut unit.each));
        unit.each = each;
        if unit.broken || passed {
            unit.blind += printed;
        } else {
            unit.least += printed;
        }
        unit.fell = if told < last.1 && !unit.broken && !passed { printed } else { 0 };
        unit.last = Some((knew.max(last.0), told));
        unit.broken = false;
    }
}

/// Pages that a counter of 31 or 32 bits may have counted that fell from one value to another, if they are few enough
/// to be believed.
fn to_its_end(last: u64, now: u64) -> Option<u64> {
    let ways = [31, 32].into_iter().filter(|bits| last < 1 << bits).map(|bits| (1 << bits) - last + now);
    ways.filter(|pages| now < last && *pages <= LIKELY).max()
}
