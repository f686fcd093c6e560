//! Pauses between tries, hours in which people sleep, what a message looks like when it tells several.

use jiff::Zoned;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use crate::error::{Error, Result};
use crate::time::Micros;

const SECOND: i64 = 1_000_000;
/// Pause after the first failure, µs.
const FIRST: i64 = 30 * SECOND;
/// Longest pause, µs.
const LONGEST: i64 = 3_600 * SECOND;
/// A message is given up when it could not be sent for so long, µs: two days.
pub(crate) const GIVE_UP: i64 = 2 * 86_400 * SECOND;
/// Mails of one hour when nobody says otherwise.
pub(crate) const CAP: i64 = 20;
/// An hour, µs.
pub(crate) const HOUR: i64 = 3_600 * SECOND;
/// Messages that one mail can tell.
pub(crate) const FOLD: usize = 50;

/// Pause after `tries` failed tries, µs: doubled each time, and longer by up to a quarter by `chance`.
pub(crate) fn pause(tries: i64, chance: u32) -> i64 {
    let doubled = FIRST.saturating_mul(1 << tries.saturating_sub(1).clamp(0, 10)).min(LONGEST);
    doubled + doubled / 4 * i64::from(chance) / i64::from(u32::MAX)
}

/// Minutes of a day, written `22:00`.
pub(crate) fn minutes(field: &str, text: &str) -> Result<i64> {
    let fail = || Error::invalid(field, "a time of day is written as in 22:00");
    let (hour, minute) = text.trim().split_once(':').ok_or_else(fail)?;
    let number = |text: &str, most: i64| {
        let fits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<i64>().ok().filter(|n| fits && *n <= most).ok_or_else(fail)
    };
    Ok(number(hour, 23)? * 60 + number(minute, 59)?)
}

/// `22:00`.
pub(crate) fn clock(minutes: i64) -> String {
    format!("{:02}:{:02}", minutes.div_euclid(60), minutes.rem_euclid(60))
}

/// Whether a minute of the day lies in a span that may pass midnight; a span of no length holds no minute.
pub(crate) fn within(minute: i64, from: i64, until: i64) -> bool {
    if from <= until { (from..until).contains(&minute) } else { minute >= from || minute < until }
}

fn local(now: Micros, zone: &TimeZone) -> Zoned {
    now.timestamp().to_zoned(zone.clone())
}

/// Minute of the day and day of the week (1 Monday) at `now`.
pub(crate) fn minute_and_weekday(now: Micros, zone: &TimeZone) -> (i64, i64) {
    let local = local(now, zone);
    let minute = i64::from(local.hour()) * 60 + i64::from(local.minute());
    (minute, i64::from(local.weekday().to_monday_one_offset()))
}

fn at(date: Date, minutes: i64, zone: &TimeZone) -> Option<Micros> {
    let hour = i8::try_from(minutes / 60).ok()?;
    let minute = i8::try_from(minutes % 60).ok()?;
    let moment = date.to_datetime(Time::new(hour, minute, 0, 0).ok()?).to_zoned(zone.clone()).ok()?;
    Some(Micros(moment.timestamp().as_microsecond()))
}

/// End of the quiet hours that `now` lies in.
pub(crate) fn quiet_until(now: Micros, zone: &TimeZone, from: i64, until: i64) -> Option<Micros> {
    let (minute, _) = minute_and_weekday(now, zone);
    if !within(minute, from, until) {
        return None;
    }
    let today = local(now, zone).date();
    let day = if minute < until { today } else { today.tomorrow().ok()? };
    at(day, until, zone).filter(|end| *end > now)
}

/// The next moment after `now` at which a digest is due. `weekday` is 1 Monday to 7 Sunday, `None` for every day.
pub(crate) fn next_digest(now: Micros, zone: &TimeZone, minutes: i64, weekday: Option<i64>) -> Option<Micros> {
    let mut day = local(now, zone).date();
    for _ in 0..9 {
        let fits = weekday.is_none_or(|wanted| i64::from(day.weekday().to_monday_one_offset()) == wanted);
        if let Some(moment) = at(day, minutes, zone).filter(|moment| fits && *moment > now) {
            return Some(moment);
        }
        day = day.tomorrow().ok()?;
    }
    None
}

/// One message that tells several: title and text.
pub(crate) fn folded(all: &[(String, String)]) -> (String, String) {
    let title = format!("{} messages", all.len());
    let mut text = String::from("More came than you want within an hour, or they came in your quiet hours:\n");
    for (title, _) in all {
        text.push_str(&format!("\n- {title}"));
    }
    for (title, body) in all {
        text.push_str(&format!("\n\n{title}\n{body}"));
    }
    (title, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin(text: &str) -> (Micros, TimeZone) {
        (Micros::parse(text).unwrap(), TimeZone::get("Europe/Berlin").unwrap())
    }

    #[test]
    fn pauses_double_up_to_an_hour() {
        assert_eq!(pause(1, 0), 30 * SECOND);
        assert_eq!(pause(3, 0), 120 * SECOND);
        assert_eq!(pause(99, 0), HOUR);
        assert_eq!(pause(99, u32::MAX), HOUR + HOUR / 4);
    }

    #[test]
    fn quiet_hours_pass_midnight_and_end_at_the_clock_of_the_place() {
        let (now, zone) = berlin("2026-03-28T22:30:00Z");
        let end = quiet_until(now, &zone, 22 * 60, 7 * 60).unwrap();
        // The clock goes forward in that night.
        assert_eq!(end.to_string(), "2026-03-29T05:00:00Z");
        let (day, zone) = berlin("2026-03-28T12:00:00Z");
        assert_eq!(quiet_until(day, &zone, 22 * 60, 7 * 60), None);
        assert_eq!(quiet_until(day, &zone, 60, 60), None);
    }

    #[test]
    fn a_digest_is_due_on_its_day_at_its_time() {
        let (now, zone) = berlin("2026-03-01T12:00:00Z");
        assert_eq!(next_digest(now, &zone, 420, None).unwrap().to_string(), "2026-03-02T06:00:00Z");
        assert_eq!(next_digest(now, &zone, 420, Some(7)).unwrap().to_string(), "2026-03-08T06:00:00Z");
        assert_eq!(next_digest(now, &zone, 1_200, Some(7)).unwrap().to_string(), "2026-03-01T19:00:00Z");
    }

    #[test]
    fn times_of_day_read_and_write() {
        assert_eq!(minutes("quiet_from", "07:05").unwrap(), 425);
        assert_eq!(clock(425), "07:05");
        for bad in ["24:00", "7", "07:60", "+7:00", "a:b", ""] {
            assert!(minutes("quiet_from", bad).is_err(), "{bad}");
        }
    }
}
