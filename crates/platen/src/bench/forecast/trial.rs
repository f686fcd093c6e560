//! The trial: forecasts of a fleet in its second year, held against what happened. Nothing of the second year is known
//! to a forecast before its day: seasons are learnt from the first year, the spread from forecasts that are over.

use super::fleet::{Cartridge, DAYS, Device, FIRST, Kind, Random, Site, Slot};
use super::linear;
use super::rules::{Activity, Lived, Past, SCORED_DAYS, Season, Spread, Step, forecast, grain};

const DAY: i64 = 86_400 * 1_000_000;
/// Whole days of the first year, from which seasons are learnt; the day after which forecasts count.
const YEAR: usize = 365;
const SECOND: f64 = 366.0;
/// Forecasts begin in the first year, so that the spread has something to learn from.
const BEGUN: f64 = 200.0;
/// Forecasts of any day are compared up to so many days ahead.
const FARTHEST: f64 = 60.0;
/// Days ahead at which forecasts are compared.
pub(super) const HORIZON: f64 = 14.0;

/// Days left by a straight line through days and levels.
type Line = fn(&[(f64, f64)]) -> Option<f64>;

/// The peers: all levels, the last thirty days, the ends.
const LINES: [Line; 3] = [linear::whole, linear::month, linear::ends];

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
    /// Takes a forecast (early, middle, late; days) of a cartridge that lasted so long, and what straight lines say.
    fn take(&mut self, [early, middle, late]: [f64; 3], lasted: f64, levels: &[(f64, f64)]) {
        self.ours.push((middle - lasted).abs());
        self.held += usize::from(early <= lasted && lasted <= late);
        self.below += usize::from(lasted < early);
        self.above += usize::from(lasted > late);
        for (peer, line) in LINES.into_iter().enumerate() {
            match line(levels) {
                Some(days) => self.linear[peer].push((days - lasted).abs()),
                None => self.silent_linear += usize::from(peer == 0),
            }
        }
    }

    /// Together with those of another fleet.
    pub(super) fn add(&mut self, other: &Self) {
        self.ours.extend(&other.ours);
        for (all, more) in self.linear.iter_mut().zip(&other.linear) {
            all.extend(more);
        }
        self.held += other.held;
        self.below += other.below;
        self.above += other.above;
        self.silent += other.silent;
        self.silent_linear += other.silent_linear;
    }

    /// Share of the intervals that held what happened.
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

/// How the weeks of a slot were beside the weeks around them.
fn seen_weeks(slot: &Slot, until: usize) -> Vec<(usize, f64)> {
    super::rules::seen_weeks(&slot.days[..until], FIRST + until as i64 - 1)
}

/// A forecast that will be over, and how it came true then.
struct Made {
    over: f64,
    score: f64,
}

/// A forecast to be made.
struct Due {
    day: f64,
    slot: usize,
    cartridge: usize,
    empty: f64,
    /// It is the one that is compared at the horizon.
    marked: bool,
}

fn one_site(slots: &[Slot], outcome: &mut Outcome, seed: u64) {
    let seen: Vec<(usize, f64)> = slots.iter().flat_map(|slot| seen_weeks(slot, YEAR)).collect();
    let (season, unknown) = (Season::learnt(&seen), Season::default());
    let mut made: Vec<Made> = Vec::new();
    let (mut spread, mut learnt_at) = (Spread::default(), 0.0);
    for due in dues(slots, outcome, seed) {
        if due.day - learnt_at > 7.0 {
            let mut over: Vec<f64> = made
                .iter()
                .filter(|one| one.over < due.day && one.over > due.day - SCORED_DAYS as f64)
                .map(|one| one.score)
                .collect();
            (spread, learnt_at) = (Spread::learnt(&mut over), due.day);
        }
        let second_year = due.day > SECOND;
        let season = if second_year { &season } else { &unknown };
        let found = foretell(&slots[due.slot], due.cartridge, due.day, season, spread);
        let lasted = due.empty - due.day;
        let into = match due.marked {
            true => Some(&mut outcome.at_horizon),
            false if second_year && lasted <= FARTHEST => Some(&mut outcome.any_day),
            false => None,
        };
        let Some(found) = found else {
            into.into_iter().for_each(|into| into.silent += 1);
            continue;
        };
        let days = |at: i64| (at as f64 / DAY as f64 - FIRST as f64) - due.day;
        if !due.marked && lasted > 1.0 {
            made.push(Made { over: due.empty, score: Spread::score(lasted, days(found.plain), found.doubt) });
        }
        if let Some(into) = into {
            let levels = levels(&slots[due.slot].cartridges[due.cartridge], due.day);
            into.take([days(found.p5), days(found.p50), days(found.p95)], lasted, &levels);
        }
    }
}

/// Forecasts of each third day of every cartridge, and of those that end in [`HORIZON`] days, in the order of the days,
/// so that the spread is learnt as it comes.
fn dues(slots: &[Slot], outcome: &mut Outcome, seed: u64) -> Vec<Due> {
    let mut random = Random::new(seed ^ 0x5eed);
    let mut all = Vec::new();
    for (slot, of) in slots.iter().enumerate() {
        for (cartridge, one) in of.cartridges.iter().enumerate() {
            let (Some(empty), Some(first)) = (one.empty, one.readings.first()) else { continue };
            outcome.cartridges += usize::from(empty > SECOND);
            let mut day = first.at + random.unit() * 3.0;
            while day < empty - 0.5 {
                if day > BEGUN {
                    all.push(Due { day, slot, cartridge, empty, marked: false });
                }
                day += 3.0;
            }
            if empty - HORIZON > SECOND && empty - HORIZON > first.at {
                all.push(Due { day: empty - HORIZON, slot, cartridge, empty, marked: true });
            }
        }
    }
    all.sort_by(|a, b| a.day.total_cmp(&b.day));
    all
}

/// Levels of a cartridge up to a day, one a reading.
fn levels(cartridge: &Cartridge, day: f64) -> Vec<(f64, f64)> {
    cartridge
        .readings
        .iter()
        .take_while(|reading| reading.at <= day)
        .map(|reading| (reading.at, reading.told))
        .collect()
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
            (used > 20.0).then_some(Lived { pages: last.pages - first.pages, used, first: until })
        })
        .collect();
    let all = slot.cartridges[..which].iter().flat_map(|gone| gone.readings.iter()).chain(readings);
    let told: Vec<f64> = all.rev().take(600).map(|reading| reading.told).collect();
    let whole = (day.floor() as usize).min(DAYS);
    let activity = Activity::of(&slot.days[..whole], FIRST + whole as i64 - 1, season)?;
    let past =
        Past { steps: &steps, read_at: micros(last.at), pages: last.pages, fresh: cartridge.fresh, lived: &lived };
    forecast(&past, grain(&told), &activity, spread)
}
