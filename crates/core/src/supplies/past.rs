//! What is known of the slots of one device: its days, the steps of the cartridge fitted now, the cartridges before it.
//! Where no counter tells pages, per cents themselves are what is counted.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use store::{Row, Tx, params};
use wire::{Class, Level, Supply};

use super::receptacles::{Direction, Steps, filled};
use super::rules::activity::{Activity, DAY, Season};
use super::rules::forecast::{Lived, Outlook, Past, Spread, Step, forecast, grain};
use super::{receptacles, service, sql};
use crate::devices::DeviceId;
use crate::error::Result;
use crate::{Micros, OrgId};

/// How far back levels and pages speak of tomorrow, days.
const LOOK_BACK: i64 = 420;
/// A cartridge must have been seen for so long, µs: ten minutes.
const SEEN: i64 = 600 * 1_000_000;

/// A slot as it stands.
pub(super) struct Slot {
    pub(super) supply: Supply,
    pub(super) fitted_at: i64,
    pub(super) read_at: i64,
    pub(super) direction: Option<Direction>,
    pub(super) levels: Vec<Told>,
    pub(super) changes: Vec<Change>,
}

/// A level as it was told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) at: i64,
    pub(super) left: f64,
    pub(super) pages: Option<i64>,
}

/// A change of the cartridge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) at: i64,
    pub(super) fitted_at: i64,
    pub(super) before: Option<f64>,
    pub(super) lived: Option<i64>,
}

/// What a device prints, day by day of its site.
pub(super) struct Days {
    pub(super) pages: Vec<f64>,
    /// The last whole day, counted from 1970-01-01.
    pub(super) last: i64,
}

/// The site's clock: µs to add to UTC.
pub(super) fn offset(zone: &TimeZone, now: Micros) -> i64 {
    i64::from(zone.to_offset(now.timestamp()).seconds()) * 1_000_000
}

/// How much is left of a slot by its level, per cent; `None`: it is not told as a figure, or nobody knows which way it runs.
pub(super) fn left(level: Level, class: Class, direction: Option<Direction>) -> Option<f64> {
    let told = match level {
        Level::Percent { value } => value,
        Level::Staged { value, steps } if steps > 0 => 100.0 * f64::from(value.min(steps)) / f64::from(steps),
        _ => return None,
    };
    match (class, direction) {
        (Class::Receptacle, Some(direction)) => Some(100.0 - filled(told, direction)),
        (Class::Receptacle, None) => None,
        _ => Some(told),
    }
}

/// Whole days of a device until the day before `until`.
pub(super) async fn days(tx: &mut Tx, tenant: OrgId, device: DeviceId, until: i64, offset: i64) -> Result<Days> {
    let last = (until + offset).div_euclid(DAY) - 1;
    let first = last - LOOK_BACK;
    let rows = tx.query(&sql::DAYS, &params![tenant, device, day_key(first), day_key(last)]).await?;
    let read = |row: &Row| -> Result<(i64, i64, i64)> { Ok((row.get(0)?, row.get(1)?, row.get(2)?)) };
    let rows = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
    let totals = rows.iter().any(|(_, total, _)| *total > 0);
    let mut pages = vec![0.0; usize::try_from(last - first + 1).unwrap_or(0)];
    for (key, total, parts) in rows {
        let at = day_of(key).and_then(|day| usize::try_from(day - first).ok());
        if let Some(of) = at.and_then(|at| pages.get_mut(at)) {
            *of = if totals { total } else { parts } as f64;
        }
    }
    Ok(Days { pages, last })
}

/// yyyymmdd of a day counted from 1970-01-01.
fn day_key(day: i64) -> i64 {
    Micros(day * DAY).day(&TimeZone::UTC)
}

fn day_of(key: i64) -> Option<i64> {
    let part = |value: i64| i8::try_from(value).ok();
    let date =
        jiff::civil::Date::new(i16::try_from(key / 10_000).ok()?, part(key / 100 % 100)?, part(key % 100)?).ok()?;
    let at = date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_microsecond();
    Some(at.div_euclid(DAY))
}

/// The slots of a device with their past.
pub(super) async fn slots(tx: &mut Tx, tenant: OrgId, device: DeviceId, now: Micros) -> Result<Vec<Slot>> {
    let mut slots = Vec::new();
    for row in tx.query(&sql::SLOTS, &params![tenant, device]).await? {
        let supply = service::read_supply(&row, 0)?;
        let direction = receptacles::steps(&row, 13)?.and_then(Steps::direction);
        let (told_at, seen_at): (i64, Option<i64>) = (row.get(16)?, row.get(17)?);
        slots.push(Slot {
            direction: direction.filter(|_| supply.class == Class::Receptacle),
            supply,
            fitted_at: row.get(15)?,
            read_at: told_at.max(seen_at.unwrap_or(0)).min(now.0),
            levels: Vec::new(),
            changes: Vec::new(),
        });
    }
    let since = now.days_ago(LOOK_BACK);
    for row in tx.query(&sql::LEVELS, &params![tenant, device, since, i64::MAX]).await? {
        let index: String = row.get(0)?;
        let Some(slot) = slots.iter_mut().find(|slot| slot.supply.index == index) else { continue };
        let level = service::level(&row.get::<String>(2)?, row.get(3)?, row.get(4)?);
        if let Some(left) = left(level, slot.supply.class, slot.direction) {
            slot.levels.push(Told { at: row.get(1)?, left, pages: row.get(5)? });
        }
    }
    for row in tx.query(&sql::REPLACEMENTS, &params![tenant, device]).await? {
        let index: String = row.get(0)?;
        let Some(slot) = slots.iter_mut().find(|slot| slot.supply.index == index) else { continue };
        let before: Option<f64> = row.get(4)?;
        let before = before.and_then(|value| left(Level::Percent { value }, slot.supply.class, slot.direction));
        slot.changes.push(Change { at: row.get(1)?, fitted_at: row.get(7)?, before, lived: row.get(6)? });
    }
    Ok(slots)
}

/// A forecast in UTC, and what it stands on.
pub(super) struct Made {
    pub(super) outlook: Outlook,
    /// Per cent a day on an average day.
    pub(super) daily: f64,
}

impl Slot {
    /// How much is left, as told.
    pub(super) fn left(&self) -> Option<f64> {
        left(self.supply.level, self.supply.class, self.direction)
    }

    /// When it will be empty; `None` where the past does not say.
    pub(super) fn outlook(
        &self,
        days: &Days,
        pages_now: Option<i64>,
        offset: i64,
        season: &Season,
        spread: Spread,
    ) -> Option<Made> {
        self.left()?;
        let told = self.levels.iter().filter(|told| told.at >= self.fitted_at);
        let told: Vec<&Told> = told.collect();
        let by_pages = pages_now.is_some() && told.iter().all(|told| told.pages.is_some()) && rising(&told, pages_now);
        let all: Vec<f64> = self.levels.iter().map(|told| told.left).collect();
        let grain = grain(&all);
        if by_pages {
            let steps: Vec<Step> = told.iter().map(|told| step(told, told.pages.unwrap_or(0) as f64, offset)).collect();
            let activity = Activity::of(&days.pages, days.last, season);
            let found =
                self.make(&steps, pages_now? as f64, &self.lived(grain), activity, grain, offset, season, spread);
            if found.is_some() {
                return found;
            }
        }
        let counted = Counted::of(&self.levels);
        let steps: Vec<Step> = told.iter().map(|told| step(told, counted.at(told.at), offset)).collect();
        let whole = counted.days(self.read_at + offset, offset);
        let activity = Activity::of(&whole.pages, whole.last, season);
        self.make(
            &steps,
            counted.at(self.read_at),
            &counted.lived(&self.changes),
            activity,
            grain,
            offset,
            season,
            spread,
        )
    }

    #[expect(clippy::too_many_arguments, reason = "one call, made twice, of what both ways of counting have in common")]
    fn make(
        &self,
        steps: &[Step],
        now: f64,
        lived: &[Lived],
        activity: Option<Activity>,
        grain: f64,
        offset: i64,
        season: &Season,
        spread: Spread,
    ) -> Option<Made> {
        let (first, read_at) = (steps.first()?, self.read_at + offset);
        if read_at - first.at < SEEN {
            return None;
        }
        let activity = activity.or_else(|| Activity::even(now - first.pages, read_at - first.at, season))?;
        let fresh = self.changes.iter().any(|change| change.at == self.fitted_at);
        let past = Past { steps, read_at, pages: now, fresh, lived };
        let mut outlook = forecast(&past, grain, &activity, spread)?;
        for at in [&mut outlook.p5, &mut outlook.p50, &mut outlook.p95, &mut outlook.plain] {
            *at -= offset;
        }
        Some(Made { daily: activity.daily / outlook.each.max(1e-9), outlook })
    }

    /// Cartridges that are gone, the newest first, by pages.
    fn lived(&self, grain: f64) -> Vec<Lived> {
        let mut all = Vec::new();
        for change in &self.changes {
            let (Some(lived), Some(before)) = (change.lived, change.before) else { continue };
            let mut told = self.levels.iter().filter(|told| told.at >= change.fitted_at && told.at < change.at);
            // Only of one whose fitting was seen do we know how full it was.
            let whole = self.changes.iter().any(|other| other.at == change.fitted_at);
            let Some(start) = told.next().filter(|_| whole) else { continue };
            let first = told.find(|told| told.left < start.left - grain * 0.4);
            let first = first.and_then(|next| Some((next.pages? - start.pages?).max(0) as f64));
            let used = start.left - before;
            if used > 20.0 && lived > 0 {
                all.push(Lived { pages: lived as f64, used, first });
            }
        }
        all
    }
}

fn step(told: &Told, pages: f64, offset: i64) -> Step {
    Step { at: told.at + offset, left: told.left, pages }
}

/// Whether the pages beside levels never fall: a board that was exchanged counts anew.
fn rising(told: &[&Told], now: Option<i64>) -> bool {
    let pages: Vec<i64> = told.iter().filter_map(|told| told.pages).chain(now).collect();
    pages.windows(2).all(|pair| pair[0] <= pair[1])
}

/// Per cents used since the first level, over all cartridges.
struct Counted(Vec<(i64, f64)>);

impl Counted {
    fn of(levels: &[Told]) -> Self {
        let mut sum = 0.0;
        let mut all: Vec<(i64, f64)> = Vec::with_capacity(levels.len());
        for (at, told) in levels.iter().enumerate() {
            if at > 0 {
                sum += (levels[at - 1].left - told.left).max(0.0);
            }
            all.push((told.at, sum));
        }
        Self(all)
    }

    fn at(&self, at: i64) -> f64 {
        let place = self.0.partition_point(|(when, _)| *when <= at);
        if place == 0 { 0.0 } else { self.0[place - 1].1 }
    }

    /// Shared out over the days between the levels.
    fn days(&self, until: i64, offset: i64) -> Days {
        let last = until.div_euclid(DAY) - 1;
        let mut of: BTreeMap<i64, f64> = BTreeMap::new();
        for pair in self.0.windows(2) {
            let ((from, before), (to, after)) = (pair[0], pair[1]);
            let (from, to) = (from + offset, (to + offset).max(from + offset + 1));
            for day in from.div_euclid(DAY)..=to.div_euclid(DAY) {
                let within = to.min((day + 1) * DAY) - from.max(day * DAY);
                *of.entry(day).or_default() += (after - before) * within.max(0) as f64 / (to - from) as f64;
            }
        }
        let Some(first) = of.keys().next().copied().filter(|first| *first <= last) else {
            return Days { pages: Vec::new(), last };
        };
        let first = first.max(last - LOOK_BACK);
        Days { pages: (first..=last).map(|day| of.get(&day).copied().unwrap_or(0.0)).collect(), last }
    }

    fn lived(&self, changes: &[Change]) -> Vec<Lived> {
        let whole = changes.iter().filter(|change| changes.iter().any(|other| other.at == change.fitted_at));
        let used = whole.map(|change| self.at(change.at) - self.at(change.fitted_at));
        used.filter(|used| *used > 20.0).map(|used| Lived { pages: used, used, first: None }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_found_by_their_keys() {
        for day in [0, 59, 19_723, 20_454] {
            assert_eq!(day_of(day_key(day)), Some(day));
        }
        assert_eq!((day_key(19_723), day_of(20_269_999)), (20_240_101, None));
    }

    #[test]
    fn per_cents_are_counted_over_cartridges_and_shared_out_over_days() {
        let told = |day: i64, left: f64| Told { at: day * DAY, left, pages: None };
        let counted = Counted::of(&[told(0, 30.0), told(2, 10.0), told(3, 100.0), told(5, 90.0)]);
        assert!((counted.at(5 * DAY) - 30.0).abs() < 1e-9, "a new cartridge uses nothing up");
        let days = counted.days(5 * DAY, 0);
        assert_eq!(days.last, 4);
        assert_eq!(days.pages.iter().map(|used| used.round()).collect::<Vec<_>>(), [10.0, 10.0, 0.0, 5.0, 5.0]);
    }

    #[test]
    fn sentinels_never_become_numbers() {
        for level in [Level::SomeRemaining, Level::Unknown, Level::Unrestricted, Level::Staged { value: 0, steps: 0 }] {
            assert_eq!(left(level, Class::Consumed, None), None);
        }
        let tank = Level::Percent { value: 30.0 };
        assert_eq!(left(tank, Class::Receptacle, None), None, "nobody knows which way it runs");
        assert_eq!(left(tank, Class::Receptacle, Some(Direction::Fill)), Some(70.0));
        assert_eq!(left(Level::Staged { value: 2, steps: 4 }, Class::Consumed, None), Some(50.0));
    }
}
