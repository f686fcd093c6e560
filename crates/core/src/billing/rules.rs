//! The arithmetic of billing, pure: when periods end, what a counter owes, how an estimate is taken back, what it costs.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::meters::calendar;
use crate::time::DAY;

/// One second in µs.
const SECOND: i64 = 1_000_000;
/// A sender's clock that differs by more is told beside the line. 5 minutes in ms.
pub(super) const CLOCK_FLAG: i64 = 300_000;
/// An average looks back so far. 90 days in µs.
pub(super) const LOOK_BACK: i64 = 90 * DAY;
/// An average of less than this says nothing. 3 days in µs.
const LEAST_HISTORY: i64 = 3 * DAY;

/// How often a contract is billed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// Each month.
    #[default]
    Month,
    /// Each quarter; quarters end in January, April, July and October.
    Quarter,
}

impl Period {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Quarter => "quarter",
        }
    }

    /// Reads the word.
    ///
    /// # Errors
    /// `Invalid` for any other.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "month" => Ok(Self::Month),
            "quarter" => Ok(Self::Quarter),
            _ => Err(Error::invalid("period", "a period is month or quarter")),
        }
    }
}

/// What is billed for a device that nobody read in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimate {
    /// Nothing beyond its newest reading.
    None,
    /// Its daily average of the last 90 days, for each day since.
    #[default]
    Average,
    /// What it did in the period before, by the share of time.
    LastPeriod,
}

impl Estimate {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Average => "average",
            Self::LastPeriod => "last_period",
        }
    }

    /// Reads the word.
    ///
    /// # Errors
    /// `Invalid` for any other.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "none" => Ok(Self::None),
            "average" => Ok(Self::Average),
            "last_period" => Ok(Self::LastPeriod),
            _ => Err(Error::invalid("estimate", "an estimate is none, average or last_period")),
        }
    }
}

/// When the periods of a contract end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// How often.
    pub period: Period,
    /// Day of the month, 1 to 28.
    pub due_day: i64,
    /// Minutes after local midnight.
    pub close_minute: i64,
    /// Where the devices stand.
    pub zone: TimeZone,
}

impl Calendar {
    /// The end of the period that holds the moment after `at`, µs. A local time that the clocks skip is the one an hour
    /// later; of one that comes twice the first is meant.
    pub fn end_after(&self, at: i64) -> i64 {
        let local = crate::Micros(at).timestamp().to_zoned(self.zone.clone()).date();
        let mut month = local.first_of_month();
        // The end lies in this month or in one of the next three.
        for _ in 0..5 {
            let quarter_ends = month.month() % 3 == 1;
            if self.period == Period::Month || quarter_ends {
                let end = self.instant(month);
                if end > at {
                    return end;
                }
            }
            month = month.checked_add(1.month()).unwrap_or(month);
        }
        i64::MAX
    }

    fn instant(&self, month: Date) -> i64 {
        let day = i8::try_from(self.due_day).unwrap_or(1).clamp(1, 28);
        let (hour, minute) = (self.close_minute / 60, self.close_minute % 60);
        let part = |value: i64| i8::try_from(value).unwrap_or(0);
        let civil = Date::new(month.year(), month.month(), day).map(|date| date.at(part(hour), part(minute), 0, 0));
        let zoned = civil.and_then(|civil| civil.to_zoned(self.zone.clone()));
        zoned.map_or(i64::MAX, |zoned| Timestamp::from(zoned).as_microsecond())
    }

    /// `2026-03` or `2026-Q1`: the month or quarter in which a period ends.
    pub fn label(&self, to_at: i64) -> String {
        let date = crate::Micros(to_at - 1).timestamp().to_zoned(self.zone.clone()).date();
        match self.period {
            Period::Month => format!("{:04}-{:02}", date.year(), date.month()),
            Period::Quarter => format!("{:04}-Q{}", date.year(), (date.month() + 2) / 3),
        }
    }
}

/// The zone of an IANA name.
///
/// # Errors
/// `Invalid` for a name that this program does not know.
pub(super) fn zone(name: &str) -> Result<TimeZone> {
    TimeZone::get(name).map_err(|_| Error::invalid("zone", format!("{name:?} is no time zone as Europe/Berlin is")))
}

/// A zone that was checked when it was stored.
pub(super) fn known_zone(name: &str) -> TimeZone {
    calendar::zone(name)
}

/// A reading as a close sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// When, by our clock.
    pub at: i64,
    /// What the counter said.
    pub value: i64,
    /// actual or manual.
    pub quality: String,
    /// Usage from the first reading of the meter until here, over all its segments.
    pub counted: i64,
    /// How far the sender's clock was behind ours, ms.
    pub offset_ms: i64,
}

/// The line of the period before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// What the counter said at its end.
    pub closing: Option<(i64, i64, String)>,
    /// `counted` where billing began, as it was then, and the time of that reading.
    pub base: Option<(i64, i64)>,
    /// Used since billing began, by readings.
    pub actual_total: i64,
    /// Billed since billing began.
    pub billed_total: i64,
    /// Estimated and billed, not yet confirmed by a reading.
    pub estimate: i64,
    /// Billed too much, to be set off.
    pub carry: i64,
    /// Used in that period.
    pub usage: i64,
    /// That period, µs.
    pub span: i64,
}

/// All that is known of one counter in one period.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The period of the device, µs.
    pub from_at: i64,
    /// Its end.
    pub until_at: i64,
    /// The reading that billing began with.
    pub base: Option<Read>,
    /// The newest reading until the end.
    pub closing: Option<Read>,
    /// The line before.
    pub before: Option<Before>,
    /// What is estimated from the newest reading until the end.
    pub estimate: Option<i64>,
}

/// What a counter owes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owed {
    /// `counted` where billing began, and the time of that reading.
    pub base: Option<(i64, i64)>,
    /// Used since billing began.
    pub actual_total: i64,
    /// Billed since billing began, this period included.
    pub billed_total: i64,
    /// Used in this period, by readings; never negative.
    pub usage: i64,
    /// The last estimate, which is taken back.
    pub estimate_in: i64,
    /// The new estimate.
    pub estimate: i64,
    /// What was billed too much before.
    pub carry_in: i64,
    /// What is still billed too much.
    pub carry_out: i64,
    /// What this period bills: usage and estimate, less the last estimate and what was carried; never negative.
    pub billed: i64,
}

/// Reckons a counter: billed = actual + estimate − last estimate − carry; if that is less than nothing, nothing is
/// billed and the rest is carried. `billed_total − carry_out − estimate = actual_total` holds whatever comes in.
pub fn owed(facts: &Facts) -> Owed {
    let before = facts.before.clone().unwrap_or_default();
    // The reading where billing began is looked at anew, so that what is learnt later about older readings counts; where
    // it is no longer kept, its figure stands.
    let base = match (&facts.base, before.base) {
        (Some(read), _) => Some((read.counted, read.at)),
        (None, kept) => kept,
    };
    let actual_total = match (&facts.closing, base) {
        (Some(closing), Some((base, _))) => closing.counted - base,
        _ => before.actual_total,
    };
    let estimate = facts.estimate.unwrap_or(0).max(0);
    let want = actual_total + estimate - before.billed_total;
    let billed = want.max(0);
    Owed {
        base,
        actual_total,
        billed_total: before.billed_total + billed,
        usage: (actual_total - before.actual_total).max(0),
        estimate_in: before.estimate,
        estimate,
        carry_in: before.carry,
        carry_out: billed - want,
        billed,
    }
}

/// Whether the newest reading is too old to close with.
pub(super) fn is_stale(closing_at: Option<i64>, until_at: i64, max_age_d: i64) -> bool {
    closing_at.is_none_or(|at| at < until_at - max_age_d * DAY)
}

/// Usage from the newest reading until the end, at the pace of `grown` units in `span` µs; `None`: too little is known.
pub(super) fn at_pace(grown: i64, span: i64, missing: i64) -> Option<i64> {
    if span < LEAST_HISTORY || grown < 0 {
        return None;
    }
    let share = i128::from(grown) * i128::from((missing / SECOND).max(0)) / i128::from((span / SECOND).max(1));
    i64::try_from(share).ok()
}

/// Units × factor (thousandths) × price (millionths), rounded half up to a millionth.
pub(super) fn amount(units: i64, factor_milli: i64, price_micro: i64) -> i64 {
    cost(units.saturating_mul(factor_milli), price_micro)
}

fn cost(units_milli: i64, price_micro: i64) -> i64 {
    let exact = (i128::from(units_milli) * i128::from(price_micro) + 500) / 1_000;
    i64::try_from(exact).unwrap_or(i64::MAX)
}

/// What the included volume takes off: all of `gross` where it covers everything.
pub(super) fn credit(units_milli: i64, included: i64, price_micro: i64, gross: i64) -> i64 {
    let free = included.max(0).saturating_mul(1_000);
    if units_milli <= free { gross } else { cost(free, price_micro).min(gross) }
}

/// How sure a line is, by its worst part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quality {
    /// Read by a device or agent.
    Actual,
    /// Read by a person.
    Manual,
    /// The counter began anew within the period.
    ResetAdjusted,
    /// Part of it is estimated.
    Estimated,
    /// Somebody should look at it, and did not mind.
    Suspect,
    /// Never read.
    Missing,
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Actual => "actual",
            Self::Manual => "manual",
            Self::ResetAdjusted => "reset-adjusted",
            Self::Estimated => "estimated",
            Self::Suspect => "suspect",
            Self::Missing => "missing",
        })
    }
}

/// `0.0085` as millionths.
///
/// # Errors
/// `Invalid` for what is no price, is negative, or has more than six places.
pub fn price(text: &str) -> Result<i64> {
    let wrong = || Error::invalid("price", format!("{text:?} is no price as 0.0085 is (at most six places)"));
    let text = text.trim();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || whole.len() > 7 || part.len() > 6 || !(part.is_empty() || digits(part)) {
        return Err(wrong());
    }
    format!("{whole}{part:0<6}").parse().map_err(|_| wrong())
}

/// Millionths as `0.0085`; at least two places.
pub fn money(micro: i64) -> String {
    let (sign, abs) = (if micro < 0 { "-" } else { "" }, micro.unsigned_abs());
    let part = format!("{:06}", abs % 1_000_000);
    let part = part.trim_end_matches('0');
    format!("{sign}{}.{part:0<2}", abs / 1_000_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn calendar(period: Period, due_day: i64, close_minute: i64, zone: &str) -> Calendar {
        Calendar { period, due_day, close_minute, zone: known_zone(zone) }
    }

    fn at(text: &str) -> i64 {
        crate::Micros::parse(text).unwrap().0
    }

    #[test]
    fn close_at_local_midnight_on_days_when_clocks_change() {
        let berlin = calendar(Period::Month, 29 - 1, 0, "Europe/Berlin");
        assert_eq!(berlin.end_after(at("2026-03-20T00:00:00Z")), at("2026-03-27T23:00:00Z"));
        // From the 1st of October to the 1st of November the clocks go back: the period has an hour more.
        let first = calendar(Period::Month, 1, 0, "Europe/Berlin");
        let (a, b) = (at("2026-09-30T22:00:00Z"), at("2026-10-31T23:00:00Z"));
        assert_eq!((first.end_after(a - 1), first.end_after(a), first.label(b).as_str()), (a, b, "2026-10"));
        // 02:30 does not exist on 29 March 2026 in Berlin, nor midnight of 6 September 2026 in Santiago.
        let skipped = Calendar { due_day: 28, ..calendar(Period::Month, 28, 150, "Europe/Berlin") };
        assert_eq!(skipped.end_after(at("2027-03-01T00:00:00Z")), at("2027-03-28T01:30:00Z"), "an hour later: 03:30");
        let santiago = calendar(Period::Month, 6, 0, "America/Santiago");
        assert_eq!(
            santiago.end_after(at("2026-08-20T00:00:00Z")),
            at("2026-09-06T04:00:00Z"),
            "the day begins at 01:00"
        );
        // 02:30 comes twice on 25 October 2026: the first is meant, and there is one end.
        let twice = calendar(Period::Month, 25, 150, "Europe/Berlin");
        let end = twice.end_after(at("2026-10-01T00:00:00Z"));
        assert_eq!(end, at("2026-10-25T00:30:00Z"));
        assert_eq!(twice.end_after(end), at("2026-11-25T01:30:00Z"));
    }

    #[test]
    fn quarters_end_four_times_a_year_and_are_named_by_their_end() {
        let quarter = calendar(Period::Quarter, 1, 0, "UTC");
        let mut end = at("2026-02-10T00:00:00Z");
        let mut labels = Vec::new();
        for _ in 0..5 {
            end = quarter.end_after(end);
            labels.push(quarter.label(end));
        }
        assert_eq!(labels, ["2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4", "2027-Q1"]);
    }

    #[test]
    fn prices_are_exact() {
        assert_eq!(price("0.0085").unwrap(), 8_500);
        assert_eq!(price("12").unwrap(), 12_000_000);
        assert!(price("0.00000001").is_err() && price("-1").is_err() && price("1,5").is_err() && price("").is_err());
        assert_eq!(
            (money(8_500), money(12_000_000), money(-1_250_000)),
            ("0.0085".into(), "12.00".into(), "-1.25".into())
        );
        // Two sheets of A3 count as four, at 0.0085 each.
        assert_eq!(amount(2, 2_000, 8_500), 34_000);
        assert_eq!(credit(3_000, 5, 8_500, 25_500), 25_500, "all of it is included");
        assert_eq!(credit(8_000, 5, 8_500, 68_000), 42_500);
    }

    fn facts(before: Option<Before>, counted: i64, estimate: Option<i64>) -> Facts {
        let read = |counted, at| Read { at, value: counted, quality: "actual".into(), counted, offset_ms: 0 };
        Facts { from_at: 0, until_at: 1, base: Some(read(1_000, 0)), closing: Some(read(counted, 1)), before, estimate }
    }

    fn chain(of: &Owed) -> Before {
        Before {
            closing: None,
            base: of.base,
            actual_total: of.actual_total,
            billed_total: of.billed_total,
            estimate: of.estimate,
            carry: of.carry_out,
            usage: of.usage,
            span: 1,
        }
    }

    #[test]
    fn close_takes_estimates_back_to_the_page() {
        let first = owed(&facts(None, 1_500, None));
        assert_eq!((first.usage, first.billed, first.carry_out), (500, 500, 0));
        // Silent: 400 estimated. Then it had done 250 only, so nothing is billed and 150 are carried; then 300 more.
        let second = owed(&facts(Some(chain(&first)), 1_500, Some(400)));
        assert_eq!((second.usage, second.billed, second.estimate), (0, 400, 400));
        let third = owed(&facts(Some(chain(&second)), 1_750, None));
        assert_eq!((third.usage, third.estimate_in, third.billed, third.carry_out), (250, 400, 0, 150));
        let fourth = owed(&facts(Some(chain(&third)), 2_050, None));
        assert_eq!((fourth.usage, fourth.carry_in, fourth.billed, fourth.carry_out), (300, 150, 150, 0));
        assert_eq!(fourth.billed_total, 1_050);
    }

    proptest! {
        #[test]
        fn close_claw_back_is_exact_whatever_is_estimated_and_read(
            steps in prop::collection::vec((0_i64..5_000, prop::option::of(0_i64..5_000), 0_i64..200), 1..40)
        ) {
            let (mut before, mut counted, mut billed) = (None, 1_000_i64, 0_i64);
            for (grown, estimate, unlearnt) in steps {
                // Now and then what was learnt later makes the count smaller than it was thought to be.
                counted = if estimate.is_none() && unlearnt > 195 { counted - unlearnt } else { counted + grown };
                let now = owed(&facts(before.clone(), counted, estimate));
                billed += now.billed;
                prop_assert!(now.billed >= 0 && now.usage >= 0 && now.carry_out >= 0);
                prop_assert_eq!(now.billed_total, billed);
                prop_assert_eq!(billed - now.carry_out - now.estimate, now.actual_total);
                prop_assert_eq!(now.actual_total, counted - 1_000);
                if let Some(before) = &before {
                    prop_assert_eq!((now.carry_in, now.estimate_in), (before.carry, before.estimate));
                }
                before = Some(chain(&now));
            }
        }
    }
}
