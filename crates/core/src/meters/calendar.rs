//! Buckets of time: hours of the world clock, days and months of the organisation.
//! A reading taken exactly at midnight belongs to the day that ends there.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::Micros;

/// How finely usage is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grain {
    /// Every reading.
    Readings,
    /// UTC hours; bucket = hours since 1970.
    Hour,
    /// Local days; bucket = yyyymmdd.
    Day,
    /// Local months; bucket = yyyymm.
    Month,
}

/// One hour in µs.
pub const HOUR: i64 = 3_600 * 1_000_000;

impl Grain {
    /// Grains that are summed in the database.
    pub const STORED: [Self; 3] = [Self::Hour, Self::Day, Self::Month];

    /// Number in the database: 1 hour, 2 day, 3 month.
    pub fn number(self) -> i64 {
        match self {
            Self::Readings => 0,
            Self::Hour => 1,
            Self::Day => 2,
            Self::Month => 3,
        }
    }

    /// The bucket that a reading at `at` µs counts towards.
    pub fn bucket(self, at: i64, zone: &TimeZone) -> i64 {
        let inside = at - 1;
        match self {
            Self::Readings => at,
            Self::Hour => inside.div_euclid(HOUR),
            Self::Day => Micros(inside).day(zone),
            Self::Month => Micros(inside).day(zone) / 100,
        }
    }

    /// When a bucket begins, µs.
    pub fn start(self, bucket: i64, zone: &TimeZone) -> i64 {
        match self {
            Self::Readings => bucket,
            Self::Hour => bucket * HOUR,
            Self::Day => midnight(bucket, zone),
            Self::Month => midnight(bucket * 100 + 1, zone),
        }
    }

    /// The bucket that follows.
    pub fn next(self, bucket: i64) -> i64 {
        match self {
            Self::Readings | Self::Hour => bucket + 1,
            Self::Day => date(bucket).and_then(|date| date.tomorrow().ok()).map_or(bucket + 1, day_of),
            Self::Month if bucket % 100 == 12 => bucket + 89,
            Self::Month => bucket + 1,
        }
    }

    /// The bucket before.
    pub fn previous(self, bucket: i64) -> i64 {
        match self {
            Self::Readings | Self::Hour => bucket - 1,
            Self::Day => date(bucket).and_then(|date| date.yesterday().ok()).map_or(bucket - 1, day_of),
            Self::Month if bucket % 100 == 1 => bucket - 89,
            Self::Month => bucket - 1,
        }
    }
}

fn day_of(date: jiff::civil::Date) -> i64 {
    i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day())
}

fn date(day: i64) -> Option<jiff::civil::Date> {
    let part = |value: i64| i8::try_from(value).ok();
    jiff::civil::Date::new(i16::try_from(day / 10_000).ok()?, part(day / 100 % 100)?, part(day % 100)?).ok()
}

fn midnight(day: i64, zone: &TimeZone) -> i64 {
    let start = date(day).and_then(|date| date.to_zoned(zone.clone()).ok());
    start.map_or(0, |zoned| Timestamp::from(zoned).as_microsecond())
}

/// A zone by its IANA name; UTC when this program does not know it.
pub fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midnight_belongs_to_the_day_that_ends() {
        let berlin = zone("Europe/Berlin");
        let at = |text: &str| Micros::parse(text).expect("a time").0;
        assert_eq!(Grain::Day.bucket(at("2026-03-28T23:00:00Z"), &berlin), 20_260_328);
        assert_eq!(Grain::Day.bucket(at("2026-03-28T23:00:01Z"), &berlin), 20_260_329);
        assert_eq!(Grain::Month.bucket(at("2026-03-31T22:00:01Z"), &berlin), 202_604);
        // The day of the change of clocks has 23 hours.
        let day = |day| Grain::Day.start(day, &berlin);
        assert_eq!(day(20_260_330) - day(20_260_329), 23 * HOUR);
    }

    #[test]
    fn buckets_follow_each_other() {
        assert_eq!(Grain::Day.next(20_251_231), 20_260_101);
        assert_eq!(Grain::Day.previous(20_240_301), 20_240_229);
        assert_eq!(Grain::Month.next(202_512), 202_601);
        assert_eq!(Grain::Month.previous(202_601), 202_512);
    }
}
