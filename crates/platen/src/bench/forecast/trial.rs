//! The trial: forecasts of a fleet in its second year, held against what happened. Nothing of the second year is known
//! to a forecast before its day: seasons are learnt from the first year, the spread from forecasts that are over.

use super::fleet::{Cartridge, DAYS, Device, FIRST, Kind, Random, Site, Slot};
use super::linear;
use super::rules::{Activity, Lived, Past, Season, Spread, Step, forecast, grain};

const DAY: i64 = 86_400 * 1_000_000;
/// Days ahead at which forecasts are compared.
pub(super) const HORIZON: f64 = 14.0;

/// What is compared at a horizon.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Absolute errors of ours, days.
    pub(super) ours: Vec<f64>,
    /// Of the peers: all levels, the last thirty days, the ends.
    pub(super) linear: [Vec<f64>; 3],
    /// Forecasts whose interval held what happened.
    pub(super) held: usize,
    /// Below, above the interval.
    pub(super) below: usize,
    pub(super) above: usize,
    /// Where ours said nothing, and where the first peer said nothing.
    pub(super) silent: usize,
    pub(super) silent_linear: usize,
}

impl Found {
    pub(super) fn covered(&self) -> f64 {
        self.held as f64 / self.ours.len().max(1) as f64
    }
}

pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    if sorted.is_empty() { f64::NAN } else { sorted[sorted.len() / 2] }
}

/// A fleet's outcome: at fourteen days before the end, and at any day of a cartridge's life.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) at_horizon: Found,
    pub(super) any_day: Found,
    pub(super) cartridges: usize,
}

/// Simulates `sites` sites of `devices` devices each, and foretells their second year.
pub(super) fn run(seed: u64, sites: usize, devices: usize) -> Outcome {
    let mut outcome = Outcome::default();
    for number in 0..sites {
        let mut random = Random::new(seed.wrapping_mul(1_000).wrapping_add(number as u64));
        let kind = [Kind::Office, Kind::Office, Kind::School, Kind::Works, Kind::Ward, Kind::Office][number % 6];
        let site = Site::new(kind, &mut random);
        let mut slots = Vec::new();
        for _ in 0..devices {
            let device = Device::new(&mut random);
            slots.push(device.live(&site, 1.0, &mut random));
            if random.unit() < 0.4 {
                let share = 0.2 + random.unit() * 0.3;
                slots.push(device.live(&site, share, &mut random));
            }
        }
        one_site(&slots, &mut outcome, seed + number as u64);
    }
    outcome
}

/// How a year of weeks was beside the weeks around them.
fn seen_weeks(slot: &Slot, until: usize) -> Vec<(usize, f64)> {
    super::rules::seen_weeks(&slot.days[..until], FIRST + until as i64 - 1)
}

/// One forecast's day and what came of it.
struct Made {
    made: f64,
    over: f64,
    score: f64,
}

fn one_site(slots: &[Slot], outcome: &mut Outcome, seed: u64) {
    let seen: Vec<(usize, f64)> = slots.iter().flat_map(|slot| seen_weeks(slot, 365)).collect();
    let season = Season::learnt(&seen);
    let mut random = Random::new(seed ^ 0x5eed);
    // Forecasts of each third day of every cartridge, in the order of the days, so that the spread is learnt as it comes.
    let mut due: Vec<(f64, usize, usize, f64, bool)> = Vec::new();
    for (at, slot) in slots.iter().enumerate() {
        for (which, cartridge) in slot.cartridges.iter().enumerate() {
            let (Some(empty), Some(first)) = (cartridge.empty, cartridge.readings.first()) else { continue };
            if empty > 366.0 {
                outcome.cartridges += 1;
            }
            let mut day = first.at + random.unit() * 3.0;
            while day < empty - 0.5 {
                if day > 200.0 {
                    due.push((day, at, which, empty, false));
                }
                day += 3.0;
            }
            if empty - HORIZON > 366.0 && empty - HORIZON > first.at {
                due.push((empty - HORIZON, at, which, empty, true));
            }
        }
    }
    due.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut made: Vec<Made> = Vec::new();
    let mut spread = Spread::default();
    let mut learnt_at = 0.0;
    let past_season = Season::default();
    for (day, at, which, empty, marked) in due {
        if day - learnt_at > 7.0 {
            let mut over: Vec<f64> = made.iter().filter(|one| one.over < day).map(|one| one.score).collect();
            spread = Spread::learnt(&mut over);
            learnt_at = day;
        }
        let slot = &slots[at];
        let known = if day > 366.0 { &season } else { &past_season };
        let found = foretell(slot, which, day, known, spread);
        let levels = levels(&slot.cartridges[which], day);
        let lasted = empty - day;
        let Some(found) = found else {
            if marked {
                outcome.at_horizon.silent += 1;
            } else if day > 366.0 {
                outcome.any_day.silent += 1;
            }
            continue;
        };
        let days = |at: i64| (at as f64 / DAY as f64 - FIRST as f64) - day;
        if !marked && lasted > 1.0 {
            made.push(Made { made: day, over: empty, score: Spread::score(lasted, days(found.plain), found.doubt) });
        }
        let _ = made.last().map(|one| one.made);
        let into = match marked {
            true => &mut outcome.at_horizon,
            false if day > 366.0 && lasted <= 60.0 => &mut outcome.any_day,
            false => continue,
        };
        into.ours.push((days(found.p50) - lasted).abs());
        let (low, high) = (days(found.p5), days(found.p95));
        into.held += usize::from(low <= lasted && lasted <= high);
        into.below += usize::from(lasted < low);
        into.above += usize::from(lasted > high);
        for (peer, line) in [linear::whole, linear::month, linear::ends].into_iter().enumerate() {
            match line(&levels) {
                Some(days) => into.linear[peer].push((days - lasted).abs()),
                None if peer == 0 => into.silent_linear += 1,
                None => {}
            }
        }
    }
}

/// Levels of a cartridge up to a day, one a reading.
fn levels(cartridge: &Cartridge, day: f64) -> Vec<(f64, f64)> {
    cartridge.readings.iter().take_while(|reading| reading.at <= day).map(|reading| (reading.at, reading.told)).collect()
}

fn micros(day: f64) -> i64 {
    ((FIRST as f64 + day) * DAY as f64) as i64
}

fn foretell(slot: &Slot, which: usize, day: f64, season: &Season, spread: Spread) -> Option<super::rules::Outlook> {
    let cartridge = &slot.cartridges[which];
    let seen = cartridge.readings.partition_point(|reading| reading.at <= day);
    let readings = &cartridge.readings[..seen];
    let last = readings.last()?;
    let mut steps: Vec<Step> = Vec::new();
    for reading in readings {
        if steps.last().is_none_or(|step| step.left != reading.told) {
            steps.push(Step { at: micros(reading.at), left: reading.told, pages: reading.pages });
        }
    }
    let lived: Vec<Lived> = slot.cartridges[..which]
        .iter()
        .rev()
        .filter_map(|gone| {
            let (first, last) = (gone.readings.first()?, gone.readings.last()?);
            let used = first.told - last.told;
            let step = gone.readings.iter().find(|reading| reading.told < first.told);
            let until = step.filter(|_| gone.fresh).map(|step| step.pages - first.pages);
            (used > 20.0).then(|| Lived { pages: last.pages - first.pages, used, first: until })
        })
        .collect();
    let all = slot.cartridges[..which].iter().flat_map(|gone| gone.readings.iter()).chain(readings);
    let told: Vec<f64> = all.rev().take(600).map(|reading| reading.told).collect();
    let whole = (day.floor() as usize).min(DAYS);
    let activity = Activity::of(&slot.days[..whole], FIRST + whole as i64 - 1, season)?;
    let past = Past { steps: &steps, read_at: micros(last.at), pages: last.pages, fresh: cartridge.fresh, lived: &lived };
    forecast(&past, grain(told.iter().copied()), &activity, spread)
}
