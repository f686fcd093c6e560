//! Times: ages in the shortest honest form, and wall-clock times in the organisation's zone.

use jiff::tz::TimeZone;
use platen_core::Micros;

/// `40 s`, `12 min`, `3 h`, `5 d`, `7 mo`.
pub(crate) fn age(now: Micros, then: Micros) -> String {
    let s = now.since(then).as_secs();
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => format!("{} min", s / 60),
        3_600..86_400 => format!("{} h", s / 3_600),
        86_400..5_184_000 => format!("{} d", s / 86_400),
        _ => format!("{} mo", s / 2_592_000),
    }
}

/// `22 min`, `1 h 05`, `1 d 4 h`, `12 d`.
pub(crate) fn age_long(now: Micros, then: Micros) -> String {
    let m = now.since(then).as_secs() / 60;
    match m {
        0 => "under 1 min".to_owned(),
        1..60 => format!("{m} min"),
        60..1_440 => format!("{} h {:02}", m / 60, m % 60),
        1_440..10_080 if m % 1_440 >= 60 => format!("{} d {} h", m / 1_440, m % 1_440 / 60),
        _ => format!("{} d", m / 1_440),
    }
}

/// The zone that a page speaks in.
#[derive(Clone, Debug)]
pub(crate) struct Zone(TimeZone);

impl Zone {
    /// By IANA name; UTC where the name is unknown.
    pub(crate) fn named(name: &str) -> Self {
        Self(TimeZone::get(name).unwrap_or(TimeZone::UTC))
    }

    fn format(&self, at: Micros, how: &str) -> String {
        at.timestamp().to_zoned(self.0.clone()).strftime(how).to_string()
    }

    /// `Fri 21 Nov 07:12`.
    pub(crate) fn moment(&self, at: Micros) -> String {
        self.format(at, "%a %-d %b %H:%M")
    }

    /// `21 Nov 2026, 07:12`.
    pub(crate) fn full(&self, at: Micros) -> String {
        self.format(at, "%-d %b %Y, %H:%M")
    }

    /// `21 Nov 2026, 07:12:09`.
    pub(crate) fn exact(&self, at: Micros) -> String {
        self.format(at, "%-d %b %Y, %H:%M:%S")
    }

    /// `21 Nov`.
    pub(crate) fn day(&self, at: Micros) -> String {
        self.format(at, "%-d %b")
    }

    /// Day, month or hour labels of a chart.
    pub(crate) fn label(&self, at: Micros, how: &str) -> String {
        self.format(at, how)
    }

    /// The wall-clock time now, to find borders of days and months.
    pub(crate) fn zoned(&self, at: Micros) -> jiff::Zoned {
        at.timestamp().to_zoned(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    #[test]
    fn ages_are_short_and_never_negative() {
        let ages: Vec<String> =
            [5, 40, 720, 3_700, 300_000, 20_000_000].iter().map(|s| age(Micros(s * S), Micros(0))).collect();
        assert_eq!(ages.join(" · "), "5 s · 40 s · 12 min · 1 h · 3 d · 7 mo");
        assert_eq!(age(Micros(0), Micros(9 * S)), "0 s");
        assert_eq!(age_long(Micros(65 * 60 * S), Micros(0)), "1 h 05");
    }

    #[test]
    fn times_are_local_to_the_zone() {
        let zone = Zone::named("Europe/Berlin");
        assert_eq!(zone.full(Micros(0)), "1 Jan 1970, 01:00");
        assert_eq!(Zone::named("Nowhere/Else").full(Micros(0)), "1 Jan 1970, 00:00");
    }
}
