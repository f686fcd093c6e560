//! When people print: a weekly curve of work. Work is measured in working days (1.0 = an average Monday to Friday),
//! so that "200 pages a day" and "two office hours later" both follow the hour and the weekday.

use crate::clock::Instant;

/// The habits of the place where a device stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rhythm {
    /// Monday to Friday, eight to six, with a lunch break.
    #[default]
    Office,
    /// Two shifts on six days: print rooms and warehouses.
    Shifts,
    /// All day and night, quieter at night: wards and front desks.
    Always,
}

const HOUR: i64 = 3_600_000;
const WEEK: i64 = 168 * HOUR;
/// The simulated clock begins on a Tuesday at 09:40, when offices are busy.
const BEGINNING: i64 = (24 + 9) * HOUR + 40 * 60_000;

const OFFICE_DAY: [f64; 24] = [
    0.02, 0.02, 0.02, 0.02, 0.02, 0.05, 0.15, 0.5, 1.0, 1.35, 1.4, 1.3, 0.6, 0.95, 1.3, 1.25, 1.0, 0.6, 0.25, 0.12,
    0.06, 0.04, 0.03, 0.02,
];
const SHIFT_DAY: [f64; 24] = [
    0.05, 0.05, 0.05, 0.05, 0.1, 0.4, 1.0, 1.2, 1.2, 1.0, 1.2, 1.2, 0.8, 0.9, 1.0, 1.2, 1.2, 1.1, 1.0, 0.9, 0.8, 0.6,
    0.2, 0.1,
];
const WARD_DAY: [f64; 24] = [
    0.3, 0.25, 0.2, 0.2, 0.25, 0.5, 1.0, 1.4, 1.4, 1.3, 1.3, 1.2, 1.0, 1.1, 1.2, 1.2, 1.1, 1.0, 0.9, 0.8, 0.7, 0.5,
    0.4, 0.35,
];

impl Rhythm {
    fn weight(self, hour_of_week: usize) -> f64 {
        let (day, hour) = (hour_of_week / 24, hour_of_week % 24);
        let (curve, saturday, sunday) = match self {
            Self::Office => (&OFFICE_DAY, 0.08, 0.03),
            Self::Shifts => (&SHIFT_DAY, 0.6, 0.02),
            Self::Always => (&WARD_DAY, 0.8, 0.75),
        };
        let day = match day {
            5 => saturday,
            6 => sunday,
            _ => 1.0,
        };
        curve[hour] * day / curve.iter().sum::<f64>()
    }

    /// Work done by each hour of the week, and the whole week's as the last entry.
    fn curve(self) -> &'static [f64; 169] {
        use std::sync::OnceLock;
        static CURVES: OnceLock<[[f64; 169]; 3]> = OnceLock::new();
        let curves = CURVES.get_or_init(|| {
            [Self::Office, Self::Shifts, Self::Always].map(|rhythm| {
                let mut sums = [0.0; 169];
                for hour in 0..168 {
                    sums[hour + 1] = sums[hour] + rhythm.weight(hour);
                }
                sums
            })
        });
        &curves[self as usize]
    }

    /// Work units (working days) done between the beginning of the first week and `at`.
    fn done(self, at: Instant) -> f64 {
        let curve = self.curve();
        let time = at.millis() + BEGINNING;
        let (week, within) = (time.div_euclid(WEEK), time.rem_euclid(WEEK));
        let hour = (within / HOUR) as usize;
        let part = (within % HOUR) as f64 / HOUR as f64;
        week as f64 * curve[168] + curve[hour] + (curve[hour + 1] - curve[hour]) * part
    }

    /// The moment when `days` working days more have passed since `from`.
    pub(crate) fn after(self, from: Instant, days: f64) -> Instant {
        let curve = self.curve();
        let goal = self.done(from) + days.max(0.0);
        let week = (goal / curve[168]).floor();
        let within = goal - week * curve[168];
        let hour = curve.partition_point(|sum| *sum <= within).clamp(1, 168) - 1;
        let part = (within - curve[hour]) / (curve[hour + 1] - curve[hour]).max(1e-12);
        let millis = week as i64 * WEEK + hour as i64 * HOUR + (part * HOUR as f64) as i64 - BEGINNING;
        Instant::from_millis(millis.max(from.millis()))
    }

    /// The moment `hours` busy hours after `from`; a busy office day has nine.
    pub(crate) fn after_hours(self, from: Instant, hours: f64) -> Instant {
        self.after(from, hours / 9.0)
    }

    /// Working days in an average calendar day (0.72 for an office).
    pub(crate) fn days_per_day(self) -> f64 {
        self.curve()[168] / 7.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_and_time_are_each_others_inverse() {
        for rhythm in [Rhythm::Office, Rhythm::Shifts, Rhythm::Always] {
            for days in [0.001, 0.3, 1.0, 4.9, 5.3, 20.0, 260.0] {
                let at = rhythm.after(Instant::START, days);
                let back = rhythm.done(at) - rhythm.done(Instant::START);
                assert!((back - days).abs() < 1e-4, "{rhythm:?} {days} {back}");
            }
        }
    }

    #[test]
    fn an_office_rests_at_the_weekend() {
        // Tuesday 09:40 and four days: Saturday 09:40.
        let saturday = Instant::from_millis(4 * 24 * HOUR);
        let office =
            Rhythm::Office.done(Instant::from_millis(saturday.millis() + 2 * HOUR)) - Rhythm::Office.done(saturday);
        let busy = Rhythm::Office.done(Instant::from_millis(2 * HOUR)) - Rhythm::Office.done(Instant::START);
        assert!(office < busy / 8.0, "{office} {busy}");
    }
}
