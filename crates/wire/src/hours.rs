//! Times of a week as people write them: `mon-fri 18:00-06:00`, `sat,sun`, `01:00-05:00`.
//! Minutes are those of a wall clock; whose clock it is, the reader decides.

use std::fmt;
use std::str::FromStr;

/// Minutes of a day.
const DAY: u16 = 1_440;
const NAMES: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Hours that are open on some days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// Bit 0 is Monday, bit 6 Sunday: the day on which the time begins.
    days: u8,
    /// First minute, 0..1440.
    from: u16,
    /// First minute behind it, 1..=1440; not behind `from`: on the next day.
    to: u16,
}

/// A text that names no hours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoHours(String);

impl fmt::Display for NoHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` names no hours: write mon-fri 18:00-06:00, sat,sun or 01:00-05:00", self.0)
    }
}

impl std::error::Error for NoHours {}

impl Hours {
    /// Whether a minute of a week is inside. `weekday` counts from Monday (0) to Sunday (6).
    pub fn hold(&self, weekday: u8, minute: u16) -> bool {
        let on = |day: u8| self.days >> (day % 7) & 1 == 1;
        if self.from < self.to {
            return on(weekday) && (self.from..self.to).contains(&minute);
        }
        on(weekday) && minute >= self.from || on(weekday + 6) && minute < self.to
    }
}

/// Whether a minute of a week is open; no hours at all are open always.
pub fn are_open(hours: &[Hours], weekday: u8, minute: u16) -> bool {
    hours.is_empty() || hours.iter().any(|hours| hours.hold(weekday, minute))
}

/// Minutes until it is open next; 0 when it is open now, at most a week.
pub fn minutes_until_open(hours: &[Hours], weekday: u8, minute: u16) -> u32 {
    let start = u32::from(weekday) * u32::from(DAY) + u32::from(minute);
    let at = |later: &u32| {
        let minute = (start + later) % (7 * u32::from(DAY));
        let day = minute / u32::from(DAY);
        // Both are small: a day is below 7, a minute below 1440.
        are_open(hours, day as u8, (minute % u32::from(DAY)) as u16)
    };
    (0..7 * u32::from(DAY)).find(at).unwrap_or(7 * u32::from(DAY))
}

impl FromStr for Hours {
    type Err = NoHours;

    fn from_str(text: &str) -> Result<Self, NoHours> {
        read(&text.to_ascii_lowercase()).ok_or_else(|| NoHours(text.chars().take(100).collect()))
    }
}

fn read(text: &str) -> Option<Hours> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (days, time) = match words.as_slice() {
        [one] if one.contains(':') => (0x7f, Some(*one)),
        [days] => (days_of(days)?, None),
        [days, time] => (days_of(days)?, Some(*time)),
        _ => return None,
    };
    let (from, to) = match time {
        Some(time) => {
            let (from, to) = time.split_once('-')?;
            (minute(from)?, minute(to)?)
        }
        None => (0, DAY),
    };
    (from < DAY && to > 0).then_some(Hours { days, from, to })
}

/// `mon-fri`, `sat,sun`, `fri-mon`, `daily`.
fn days_of(text: &str) -> Option<u8> {
    if text == "daily" {
        return Some(0x7f);
    }
    let place = |name: &str| NAMES.iter().position(|day| name.len() >= 3 && day.starts_with(name));
    let mut days = 0;
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (place(first)?, place(last)?),
            None => (place(part)?, place(part)?),
        };
        for day in 0..7 {
            let inside = if first <= last { (first..=last).contains(&day) } else { day >= first || day <= last };
            days |= u8::from(inside) << day;
        }
    }
    Some(days)
}

/// `18:00`, also `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| text.parse::<u16>().ok().filter(|_| text.len() <= 2);
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (minutes < 60 && hours * 60 + minutes <= DAY).then_some(hours * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(texts: &[&str]) -> Vec<Hours> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    const MONDAY: u8 = 0;
    const FRIDAY: u8 = 4;
    const SATURDAY: u8 = 5;
    const SUNDAY: u8 = 6;

    #[test]
    fn hours_of_the_night_belong_to_the_day_on_which_they_begin() {
        let night = hours(&["mon-fri 18:00-06:00"]);
        assert!(are_open(&night, FRIDAY, 23 * 60) && are_open(&night, SATURDAY, 5 * 60 + 59));
        assert!(!are_open(&night, SATURDAY, 6 * 60) && !are_open(&night, SATURDAY, 20 * 60));
        assert!(!are_open(&night, MONDAY, 60), "the night before began on Sunday");
        assert!(!are_open(&night, MONDAY, 17 * 60 + 59) && are_open(&night, MONDAY, 18 * 60));
    }

    #[test]
    fn days_are_lists_and_spans_and_may_stand_alone() {
        assert_eq!(hours(&["sat,sun"]), hours(&["sat-sun 00:00-24:00"]));
        assert_eq!(hours(&["01:00-05:00"]), hours(&["daily 01:00-05:00"]));
        assert_eq!(hours(&["fri-mon"]), hours(&["Monday,friday-SUN"]));
        for wrong in [
            "",
            "someday",
            "mon 25:00-26:00",
            "mon 1-2",
            "mon 10:00",
            "mon 24:00-01:00",
            "10:00-00:00",
            "mon tue",
            "mo",
        ] {
            assert!(wrong.parse::<Hours>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_next_opening_is_found_over_the_end_of_the_week() {
        let weekdays = hours(&["mon-fri 01:00-02:00"]);
        assert_eq!(minutes_until_open(&weekdays, SUNDAY, 1_439), 61);
        assert_eq!(minutes_until_open(&weekdays, FRIDAY, 120), 2 * 1_440 + 1_440 - 60);
        assert_eq!(minutes_until_open(&weekdays, MONDAY, 119), 0);
        assert_eq!(minutes_until_open(&[], SUNDAY, 5), 0);
    }
}
