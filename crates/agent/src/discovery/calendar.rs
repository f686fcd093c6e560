//! Whether the hours of a plan are open, by the clock on the wall of the site.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};
use wire::AgentPlan;
use wire::hours::{Hours, minutes_until_open};

use crate::clock::wall_ms;

/// Longest rest before the calendar is looked at again: clocks are set, summer begins.
const LOOK: Duration = Duration::from_secs(600);

/// Time until discovery may run, at most some minutes; none when it may now.
pub(crate) fn wait(plan: &AgentPlan) -> Option<Duration> {
    wait_at(plan, wall_ms())
}

fn wait_at(plan: &AgentPlan, now_ms: i64) -> Option<Duration> {
    let open = opens_ms(plan, now_ms)?;
    Some(Duration::from_millis(u64::try_from(open - now_ms).unwrap_or(0)).clamp(Duration::from_secs(1), LOOK))
}

/// When discovery may run next, milliseconds since 1970; `None` when it may at `at_ms`.
pub(crate) fn opens_ms(plan: &AgentPlan, at_ms: i64) -> Option<i64> {
    let hours: Vec<Hours> = plan.hours.iter().filter_map(|text| text.parse().ok()).collect();
    if hours.is_empty() {
        return None;
    }
    let zone = match plan.zone.as_str() {
        "" => TimeZone::UTC,
        name => TimeZone::get(name).unwrap_or_else(|error| {
            tracing::warn!(%error, zone = name, "the time zone of the plan is not known here; hours are taken as UTC");
            TimeZone::UTC
        }),
    };
    let now = Timestamp::from_millisecond(at_ms).ok()?.to_zoned(zone);
    let weekday = u8::try_from(now.weekday().to_monday_zero_offset()).unwrap_or(0);
    let minute = u16::try_from(i32::from(now.hour()) * 60 + i32::from(now.minute())).unwrap_or(0);
    match minutes_until_open(&hours, weekday, minute) {
        0 => None,
        minutes => Some((at_ms / 60_000 + i64::from(minutes)) * 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_those_of_the_site() {
        let plan = |zone: &str| AgentPlan {
            hours: vec!["mon-fri 18:00-06:00".to_owned()],
            zone: zone.to_owned(),
            ..AgentPlan::default()
        };
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        // A Wednesday in July: 17:30 in London, 18:30 in Berlin.
        let evening = at("2026-07-01T16:30:00Z");
        assert_eq!(opens_ms(&plan("Europe/Berlin"), evening), None);
        assert_eq!(opens_ms(&plan("Europe/London"), evening), Some(at("2026-07-01T17:00:00Z")));
        assert_eq!(wait_at(&plan("Europe/London"), evening), Some(LOOK));
        assert_eq!(wait_at(&plan("Europe/London"), at("2026-07-01T16:59:30Z")), Some(Duration::from_secs(30)));
        let saturday = at("2026-07-04T12:00:00Z");
        assert_eq!(opens_ms(&plan(""), saturday), Some(at("2026-07-06T18:00:00Z")));
        assert_eq!(opens_ms(&plan("Mars/Base"), evening), Some(at("2026-07-01T18:00:00Z")));
        assert_eq!(opens_ms(&AgentPlan::default(), saturday), None);
    }
}
