//! What a device prints: pages a day, shared out over the week and the year. Time is the site's: µs on its own clock, so
//! that a day is 86,400 s long and begins at its midnight.

/// One day in µs.
pub const DAY: i64 = 86_400 * 1_000_000;
/// Weeks back that say anything about today.
const WEEKS: usize = 26;
/// Weeks back that show what a usual week is.
const HABIT: usize = 9;
/// Weeks back that show the shape of a week.
const SHAPE: usize = 10;
/// What is usual for a device drifts by so much from week to week.
const DRIFT: f64 = 0.06;
/// So many average days stand beside what was seen of a weekday.
const PLAIN: f64 = 0.7;
/// Relative scatter of a week's pages where nothing is known, and how many weeks that counts.
const SCATTER: f64 = 0.30;
const SCATTER_WEEKS: f64 = 4.0;
/// No week is expected to be emptier than this share of an average one: somebody always prints.
const LEAST: f64 = 0.03;
/// Weeks of a year, the last one short.
pub const YEAR: usize = 53;

/// How busy each week of the year is beside an average one.
#[derive(Clone, Debug, PartialEq)]
pub struct Season(pub [f64; YEAR]);

impl Default for Season {
    fn default() -> Self {
        Self([1.0; YEAR])
    }
}

impl Season {
    /// The factor of a day, counted from 1970-01-01.
    #[must_use]
    pub fn of(&self, day: i64) -> f64 {
        self.0[week_of_year(day)].max(LEAST)
    }

    /// From weeks of the past: `(week of the year, pages beside what the weeks around it would let expect)`, of many
    /// devices. Few of them move a factor little.
    #[must_use]
    pub fn learnt(seen: &[(usize, f64)]) -> Self {
        const DOUBT: f64 = 6.0;
        let mut season = Self::default();
        for (week, factor) in season.0.iter_mut().enumerate() {
            let mut of: Vec<f64> = seen.iter().filter(|(at, _)| *at == week).map(|(_, ratio)| *ratio).collect();
            if of.is_empty() {
                continue;
            }
            let middle = median(&mut of).clamp(LEAST, 3.0);
            let weight = of.len() as f64 / (of.len() as f64 + DOUBT);
            *factor = (middle.ln() * weight).exp();
        }
        season
    }
}

/// Week of the year of a day counted from 1970-01-01, 0 to 52; week 0 begins on 1 January.
#[must_use]
pub fn week_of_year(day: i64) -> usize {
    // Days within eras of 400 years that begin on 1 March (Howard Hinnant's civil calendar).
    let shifted = day + 719_468;
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let from_march = of_era - (365 * year + year / 4 - year / 100);
    let leap = i64::from((year % 4 == 0 && year % 100 != 0) || year % 400 == 0);
    let from_january = if from_march >= 306 { from_march - 306 } else { from_march + 59 + leap };
    usize::try_from(from_january / 7).unwrap_or(0).min(YEAR - 1)
}

/// Monday is 0.
fn weekday(day: i64) -> usize {
    usize::try_from((day + 3).rem_euclid(7)).unwrap_or(0)
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

/// What a device is expected to print.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    /// Pages of an average day in an average week of the year.
    pub daily: f64,
    /// Share of each weekday, 1.0 on average, Monday first.
    pub week: [f64; 7],
    /// The year.
    pub season: Season,
    /// Relative scatter of a week's pages.
    pub scatter: f64,
    /// How many weeks the average stands on.
    pub weeks: f64,
}

impl Activity {
    /// From pages of whole days, oldest first, of which the last is `last` (counted from 1970-01-01). `None` for less
    /// than three days or no page at all.
    #[must_use]
    pub fn of(days: &[f64], last: i64, season: &Season) -> Option<Self> {
        let days = &days[days.len().saturating_sub(WEEKS * 7)..];
        // What was not known yet is no day without pages.
        let days = &days[days.iter().position(|pages| *pages > 0.0)?..];
        if days.len() < 3 {
            return None;
        }
        let first = last - (days.len() as i64 - 1);
        let plain: Vec<f64> = days.iter().zip(first..).map(|(pages, day)| pages / season.of(day)).collect();
        let week = shape(&plain, last);
        let weeks = weeks_of(days, last, &week, season);
        let mut levels: Vec<f64> = weeks.iter().take(HABIT).map(|(level, _)| *level).collect();
        let middle = median(&mut levels);
        let scatter = scatter_of(&weeks, middle);
        // The noisier the weeks, the further back they are heard: the gain of a filter whose level drifts that much.
        let ratio = (DRIFT / scatter).powi(2);
        let fading = 1.0 - (ratio * (ratio + 4.0)).sqrt().mul_add(0.5, -ratio / 2.0);
        let (mut sum, mut weight, mut squares, mut fade) = (0.0, 0.0, 0.0, 1.0);
        for (level, counts) in &weeks {
            // One week beyond all others is no habit, and one that is nearly empty was somebody's holiday.
            let level = if middle > 0.0 { level.clamp(middle * 0.5, middle * 2.5) } else { *level };
            let counts = counts * fade;
            sum += level * counts;
            weight += counts;
            squares += counts * counts;
            fade *= fading;
        }
        (weight > 0.0 && sum > 0.0).then(|| Self {
            daily: sum / weight,
            week,
            season: season.clone(),
            scatter,
            weeks: weight * weight / squares,
        })
    }

    /// From pages over a time that is too short to show a week: the same at all hours.
    #[must_use]
    pub fn even(pages: f64, micros: i64, season: &Season) -> Option<Self> {
        let days = micros as f64 / DAY as f64;
        (pages > 0.0 && days > 0.0).then(|| Self {
            daily: pages / days,
            week: [1.0; 7],
            season: season.clone(),
            scatter: 0.5,
            weeks: (days / 7.0).max(0.02),
        })
    }

    /// Pages expected in one day.
    #[must_use]
    pub fn day(&self, day: i64) -> f64 {
        self.daily * self.week[weekday(day)].max(LEAST / 3.0) * self.season.of(day)
    }

    /// When so many pages more will have been printed after `from`; never later than `most` µs after it.
    #[must_use]
    pub fn when(&self, from: i64, pages: f64, most: i64) -> i64 {
        let (mut left, mut at) = (pages.max(0.0), from);
        let end = from.saturating_add(most);
        while at < end {
            let day = at.div_euclid(DAY);
            let (midnight, pages) = ((day + 1) * DAY, self.day(day));
            let share = (midnight - at) as f64 / DAY as f64;
            if pages * share >= left {
                return (at + (left / pages * DAY as f64) as i64).min(end);
            }
            left -= pages * share;
            at = midnight;
        }
        end
    }
}

/// Pages of an average day in each week, the newest first, and how much the week says.
fn weeks_of(days: &[f64], last: i64, week: &[f64; 7], season: &Season) -> Vec<(f64, f64)> {
    let mut weeks = Vec::new();
    let mut end = last;
    for block in days.rchunks(7) {
        let first = end - (block.len() as i64 - 1);
        let expected: f64 = (first..=end).map(|day| week[weekday(day)] * season.of(day)).sum();
        end = first - 1;
        if block.len() < 7 && expected < 0.15 * block.len() as f64 {
            // A scrap of a week that is a week-end says nothing.
            continue;
        }
        // A holiday week says less: what little is printed in it is divided by a small figure.
        weeks.push((block.iter().sum::<f64>() / expected.max(0.05), (expected / 7.0).clamp(0.05, 1.0)));
    }
    weeks
}

/// How much weeks differ from what was expected of them, beside what is usual for devices.
fn scatter_of(weeks: &[(f64, f64)], middle: f64) -> f64 {
    let told = weeks.iter().filter(|(_, counts)| *counts > 0.4);
    let mut apart: Vec<f64> = told.map(|(level, _)| (level / middle.max(1e-9) - 1.0).abs().min(1.2)).collect();
    let seen = apart.len() as f64;
    let own = median(&mut apart) * 1.4826;
    ((seen * own * own + SCATTER_WEEKS * SCATTER * SCATTER) / (seen + SCATTER_WEEKS)).sqrt()
}

/// How the pages of a week are shared out, from days of equal season.
fn shape(days: &[f64], last: i64) -> [f64; 7] {
    let days = &days[days.len().saturating_sub(SHAPE * 7)..];
    let mean = days.iter().sum::<f64>() / days.len() as f64;
    let (mut sums, mut counts) = ([0.0; 7], [0.0; 7]);
    for (at, pages) in days.iter().enumerate() {
        let weekday = weekday(last - (days.len() - 1 - at) as i64);
        sums[weekday] += pages.min(mean * 6.0);
        counts[weekday] += 1.0;
    }
    if mean <= 0.0 {
        return [1.0; 7];
    }
    let mut week = [0.0; 7];
    for weekday in 0..7 {
        week[weekday] = (sums[weekday] + PLAIN * mean) / (counts[weekday] + PLAIN) / mean;
    }
    let average = week.iter().sum::<f64>() / 7.0;
    week.map(|share| share / average)
}

/// How the weeks of a device's past were beside the weeks around them: `(week of the year, ratio)`, from pages of whole
/// days, oldest first, of which the last is `last`. Less than half a year says nothing.
#[must_use]
pub fn seen_weeks(days: &[f64], last: i64) -> Vec<(usize, f64)> {
    /// Weeks around one that it is held against, on each side.
    const AROUND: usize = 8;
    let Some(begun) = days.iter().position(|pages| *pages > 0.0) else { return Vec::new() };
    let days = &days[begun..];
    let first = last - (days.len() as i64 - 1);
    // Weeks of the calendar, so that all devices of a site tell of the same ones.
    let mut weeks: Vec<(i64, f64)> = Vec::new();
    for (at, pages) in days.iter().enumerate() {
        let day = first + at as i64;
        let week = day - (week_day_of_year(day));
        match weeks.last_mut() {
            Some((begins, sum)) if *begins == week => *sum += pages,
            _ => weeks.push((week, *pages)),
        }
    }
    if weeks.len() < 26 {
        return Vec::new();
    }
    let whole = &weeks[1..weeks.len() - 1];
    let mut seen = Vec::new();
    for (at, (begins, pages)) in whole.iter().enumerate() {
        let from = at.saturating_sub(AROUND);
        let to = (at + AROUND + 1).min(whole.len());
        let mut around: Vec<f64> = whole[from..to].iter().map(|(_, pages)| *pages).collect();
        let usual = median(&mut around);
        let week = week_of_year(*begins);
        if usual > 20.0 && week < YEAR - 1 {
            seen.push((week, pages / usual));
        }
    }
    seen
}

/// Days since the week of the year began.
fn week_day_of_year(day: i64) -> i64 {
    let mut back = 0;
    while back < 7 && week_of_year(day - back - 1) == week_of_year(day) {
        back += 1;
    }
    back
}
