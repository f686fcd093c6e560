//! When a supply will be empty: how many pages its rest is good for, and when the device will have printed them. The
//! interval follows from how much weeks and cartridges differ, and is stretched by how past forecasts came true.

use super::activity::{Activity, DAY};

/// Forecasts that were over within so many days tell how far forecasts may be trusted.
pub const SCORED_DAYS: i64 = 180;
/// Nothing is foretold further than this. Ten years in µs.
const FARTHEST: i64 = 3_650 * DAY;
/// Per cent that must have been used up before a cartridge says something by itself.
const LEAST_USED: f64 = 3.0;
/// So many per cent of the cartridges before weigh as much as what the present one has shown.
const BEFORE: f64 = 45.0;
/// Relative scatter of the pages that one per cent gives.
const COVERAGE: f64 = 0.55;
/// Relative doubt that stays however long one has looked, and how it grows with each week ahead.
const REST: f64 = 0.05;
const DRIFT: f64 = 0.055;
/// A standard normal's 95 % quantile.
const Z95: f64 = 1.645;

/// A level as it was told, on change.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Since when, µs on the site's clock.
    pub at: i64,
    /// Per cent that is left.
    pub left: f64,
    /// Pages of the device then.
    pub pages: f64,
}

/// A cartridge that is gone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lived {
    /// Pages made with it.
    pub pages: f64,
    /// Per cent of it that was used.
    pub used: f64,
    /// Pages until its first step down, where its fitting was seen.
    pub first: Option<f64>,
}

/// What is known of a supply.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    /// Levels of the cartridge fitted now, oldest first.
    pub steps: &'a [Step],
    /// Until when the last of them stood.
    pub read_at: i64,
    /// Pages of the device then.
    pub pages: f64,
    /// Whether the first of them was told when it was fitted.
    pub fresh: bool,
    /// Cartridges before it, the newest first.
    pub lived: &'a [Lived],
}

/// When a supply will be empty.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// Nineteen times of twenty it lasts longer, µs on the site's clock.
    pub p5: i64,
    /// The middle.
    pub p50: i64,
    /// Nineteen times of twenty it is empty by then.
    pub p95: i64,
    /// The middle before past forecasts were heard: what scores are held against.
    pub plain: i64,
    /// Relative doubt behind the interval, before it was stretched.
    pub doubt: f64,
    /// Per cent that are left, between the steps that the device tells.
    pub left: f64,
    /// Pages that the rest is good for.
    pub pages: f64,
    /// Pages that one per cent gives.
    pub each: f64,
}

/// How past forecasts came true, as multiples of their doubt: ln(days it lasted / days foretold) / doubt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Twentieth part lay below.
    pub low: f64,
    /// The middle.
    pub mid: f64,
    /// Twentieth part lay above.
    pub high: f64,
}

impl Default for Spread {
    fn default() -> Self {
        Self { low: -Z95, mid: 0.0, high: Z95 }
    }
}

impl Spread {
    /// From forecasts that are over. Few of them change little.
    #[must_use]
    pub fn learnt(scores: &mut [f64]) -> Self {
        const DOUBT: f64 = 60.0;
        let usual = Self::default();
        if scores.is_empty() {
            return usual;
        }
        scores.sort_by(f64::total_cmp);
        let weight = scores.len() as f64 / (scores.len() as f64 + DOUBT);
        let blend = |share: f64, usual: f64| quantile(scores, share) * weight + usual * (1.0 - weight);
        Self {
            low: blend(0.05, usual.low).min(-0.3),
            mid: blend(0.5, usual.mid).clamp(-0.5, 0.5),
            high: blend(0.95, usual.high).max(0.3),
        }
    }

    /// The score of a forecast that is over; days from when it was made, `foretold` by [`Outlook::plain`].
    #[must_use]
    pub fn score(lasted: f64, foretold: f64, doubt: f64) -> f64 {
        ((lasted.max(0.05) / foretold.max(0.05)).ln() / doubt.max(0.02)).clamp(-12.0, 12.0)
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (low, part) = (place.floor() as usize, place.fract());
    sorted[low] + (sorted[(low + 1).min(sorted.len() - 1)] - sorted[low]) * part
}

/// The step in which a device tells its levels, per cent: 1 unless all levels that were told lie on a coarser grid.
#[must_use]
pub fn grain(levels: &[f64]) -> f64 {
    for grain in [100.0 / 3.0, 25.0, 20.0, 10.0, 5.0, 2.0] {
        let mut seen: Vec<i64> = Vec::new();
        let fits = levels.iter().all(|level| {
            let place = (level / grain).round();
            seen.push(place as i64);
            (level - place * grain).abs() < 0.6
        });
        seen.sort_unstable();
        seen.dedup();
        if fits && seen.len() >= 2 {
            return grain;
        }
    }
    1.0
}

/// When the supply will be empty; `None` where the past does not say.
#[must_use]
pub fn forecast(past: &Past<'_>, grain: f64, activity: &Activity, spread: Spread) -> Option<Outlook> {
    let last = past.steps.last()?;
    let (each, weight) = yield_of(past, grain)?;
    // It stands somewhere within its step, and came into it at the edge above.
    let shift = rounding(past, grain, each);
    let upper = if past.steps.len() == 1 && past.fresh { last.left } else { last.left + grain * shift };
    let lower = (last.left - grain * (1.0 - shift)).max(0.0);
    let since = (past.pages - last.pages).max(0.0) / each;
    let left = (upper - since).max(lower + (upper - lower) * 0.08).clamp(0.0, 100.0);
    let pages = left * each;
    let ahead = (pages / (activity.daily * 7.0)).max(0.02);
    let within = if grain > 1.5 { grain * 0.29 } else { grain * 0.5 };
    let variance = activity.scatter.powi(2) * (1.0 / ahead.max(0.25) + 1.0 / activity.weeks)
        + COVERAGE * COVERAGE * (1.0 / weight + 1.0 / left.max(0.5))
        + (within / left.max(0.5)).powi(2)
        + DRIFT * DRIFT * ahead.min(12.0)
        + REST * REST;
    let doubt = variance.sqrt().min(1.5);
    let when = |score: f64| activity.when(past.read_at, pages * (score * doubt).exp(), FARTHEST);
    Some(Outlook {
        p5: when(spread.low),
        p50: when(spread.mid),
        p95: when(spread.high),
        plain: when(0.0),
        doubt,
        left,
        pages,
        each,
    })
}

/// How a device rounds its levels: 0 up (100 % until a whole step is used), 1 down. The pages of the first step tell it.
fn rounding(past: &Past<'_>, grain: f64, each: f64) -> f64 {
    if grain < 1.5 {
        return 0.5;
    }
    let own = match past.steps {
        [first, second, ..] if past.fresh => Some(second.pages - first.pages),
        _ => None,
    };
    let firsts = past.lived.iter().take(8).filter_map(|one| one.first).chain(own);
    let (sum, count) = firsts.fold((0.5, 1.0), |(sum, count), pages| {
        (sum + 2.0 * (1.0 - pages / (each * grain)).clamp(0.0, 1.0), count + 2.0)
    });
    sum / count
}

/// Pages that one per cent gives, and how many per cent that stands on.
fn yield_of(past: &Past<'_>, grain: f64) -> Option<(f64, f64)> {
    let (mut first, last) = (past.steps.first()?, past.steps.last()?);
    // Where the first level was not told at the fitting, or lasts as the device rounds, the edge behind it is exact.
    if let (true, [_, second, _, ..]) = (!past.fresh || grain > 1.5, past.steps) {
        first = second;
    }
    let edge = |step: &Step| if step.left >= 100.0 { 100.0 } else { (step.left + grain / 2.0).min(100.0) };
    let (mut used, mut pages) = ((edge(first) - edge(last)).max(0.0), (last.pages - first.pages).max(0.0));
    let gone: f64 = past.lived.iter().take(8).map(|one| one.used).sum();
    let made: f64 = past.lived.iter().take(8).map(|one| one.pages).sum();
    if gone > 20.0 && made > 0.0 {
        let weight = BEFORE.min(gone);
        let each = made / gone;
        // Standing in one step for long says that a per cent gives more pages than it seemed.
        let now = past.pages - last.pages;
        if used < 1.0 && now > grain * each * 1.2 {
            (used, pages) = (grain, now);
        }
        return Some(((pages + weight * each) / (used + weight), used + weight));
    }
    (used >= LEAST_USED.max(grain * 0.9) && pages > 0.0).then(|| (pages / used, used))
}
