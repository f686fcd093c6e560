//! Time as the store keeps it: microseconds since 1970 UTC. Days and months are those of a time zone.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use store::{FromValue, Value};

/// A moment, µs since 1970 UTC. RFC 3339 as text and in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Micros(pub i64);

/// Length of a day, µs.
pub const DAY: i64 = 86_400 * 1_000_000;

impl Micros {
    /// From milliseconds since 1970, as the wire speaks; saturates.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Milliseconds since 1970, rounded down.
    #[must_use]
    pub fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Time since `earlier`; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// `days` earlier (or later, if negative).
    #[must_use]
    pub fn days_ago(self, days: i64) -> Self {
        Self(self.0.saturating_sub(days.saturating_mul(DAY)))
    }

    /// As a timestamp; the ends of the calendar stand for what lies beyond them.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_microsecond(self.0).unwrap_or(if self.0 < 0 { Timestamp::MIN } else { Timestamp::MAX })
    }

    /// UTC month as yyyymm: the partition key.
    #[must_use]
    pub fn month(self) -> i64 {
        let date = self.timestamp().to_zoned(TimeZone::UTC).date();
        i64::from(date.year()) * 100 + i64::from(date.month())
    }

    /// Day in `zone` as yyyymmdd.
    #[must_use]
    pub fn day(self, zone: &TimeZone) -> i64 {
        let date = self.timestamp().to_zoned(zone.clone()).date();
        (i64::from(date.year()) * 100 + i64::from(date.month())) * 100 + i64::from(date.day())
    }

    /// Reads RFC 3339.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<Timestamp>().ok().map(|at| Self(at.as_microsecond()))
    }
}

impl Add<Duration> for Micros {
    type Output = Self;
    fn add(self, time: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Micros {
    type Output = Self;
    fn sub(self, time: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(time.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.timestamp(), f)
    }
}

impl From<Micros> for Value {
    fn from(at: Micros) -> Self {
        Self::Int(at.0)
    }
}

impl FromValue for Micros {
    const NAME: &'static str = "time";
    fn from_value(value: &Value) -> Option<Self> {
        i64::from_value(value).map(Self)
    }
}

impl Serialize for Micros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Micros {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("a time is written as in 2026-01-31T12:00:00Z"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_knows_its_month_in_utc_and_its_day_in_a_zone() {
        let at = Micros::parse("2026-01-31T23:30:00Z").unwrap();
        assert_eq!(at.month(), 202_601);
        assert_eq!(at.day(&TimeZone::get("Europe/Berlin").unwrap()), 20_260_201);
        assert_eq!(at.to_string(), "2026-01-31T23:30:00Z");
    }

    #[test]
    fn the_ends_of_time_do_not_panic() {
        for at in [Micros(i64::MIN), Micros(i64::MAX)] {
            let _ = (at.to_string(), at.month(), at.days_ago(i64::MAX), at + Duration::MAX);
        }
    }
}
