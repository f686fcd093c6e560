//! Forecasts as they are kept, held against what happened, and what is learnt from that: the seasons of an organisation
//! and how far its forecasts may be trusted.

use serde::Serialize;
use serde_json::json;
use store::{Row, Tx, Value, params};

use super::past::{self, Made, Slot};
use super::rules::activity::{DAY, Season, YEAR, seen_weeks};
use super::rules::forecast::{SCORED_DAYS, Spread};
use super::sql;
use crate::devices::DeviceId;
use crate::error::Result;
use crate::{Ctx, Micros, OrgId};

/// Seasons are learnt anew each week, from at most so many devices.
const SEASON_DEVICES: i64 = 200;
/// So many scored forecasts, the newest, tell how far forecasts may be trusted.
const SCORES: i64 = 4_000;
/// A forecast is kept to be scored each time so much more was used, per cent.
const KEPT_EACH: f64 = 5.0;
/// At and below this per cent a cartridge that is taken out was used up.
const USED_UP: f64 = 5.0;

/// What an organisation's past says of all its devices.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Habits {
    pub(super) season: Season,
    pub(super) spread: Spread,
}

/// Loads what was learnt; learns anew what is old.
pub(super) async fn habits(ctx: &Ctx, tenant: OrgId) -> Result<Habits> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let row = tx.query_opt(&sql::HABITS, &params![tenant]).await?;
    drop(tx);
    let known = row.as_ref().map(read_habits).transpose()?;
    let (season_at, scored_at) = known.as_ref().map_or((0, 0), |(_, season_at, scored_at)| (*season_at, *scored_at));
    let (fresh_season, fresh_spread) = (ctx.now.0 - season_at < 7 * DAY, ctx.now.0 - scored_at < DAY);
    let mut habits =
        known.map_or_else(|| Habits { season: Season::default(), spread: Spread::default() }, |(habits, ..)| habits);
    if fresh_season && fresh_spread {
        return Ok(habits);
    }
    let mut weeks = 0;
    if !fresh_season {
        let seen = weeks_seen(ctx, tenant).await?;
        weeks = seen.len();
        habits.season = Season::learnt(&seen);
    }
    let mut scores = scores(ctx, tenant).await?;
    habits.spread = Spread::learnt(&mut scores);
    let season: Vec<String> = habits.season.0.iter().map(|factor| format!("{factor:.4}")).collect();
    let values = params![
        tenant,
        season.join(","),
        if fresh_season { -1 } else { i64::try_from(weeks).unwrap_or(i64::MAX) },
        if fresh_season { season_at } else { ctx.now.0 },
        habits.spread.low,
        habits.spread.mid,
        habits.spread.high,
        i64::try_from(scores.len()).unwrap_or(i64::MAX),
        ctx.now
    ];
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    tx.execute(&sql::HABITS_SET, &values).await?;
    tx.commit().await?;
    Ok(habits)
}

fn read_habits(row: &Row) -> Result<(Habits, i64, i64)> {
    let text: String = row.get(0)?;
    let mut season = Season::default();
    for (factor, word) in season.0.iter_mut().zip(text.split(',')) {
        *factor = word.parse().unwrap_or(1.0);
    }
    let spread = Spread { low: row.get(2)?, mid: row.get(3)?, high: row.get(4)? };
    Ok((Habits { season, spread }, row.get(1)?, row.get(5)?))
}

async fn weeks_seen(ctx: &Ctx, tenant: OrgId) -> Result<Vec<(usize, f64)>> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let zone = crate::meters::intake::zone_of(&mut tx, tenant).await?;
    let offset = past::offset(&zone, ctx.now);
    let mut seen = Vec::new();
    for row in tx.query(&sql::OLDEST, &params![tenant, ctx.now.days_ago(182), SEASON_DEVICES]).await? {
        let days = past::days(&mut tx, tenant, row.get(0)?, ctx.now.0, offset).await?;
        seen.extend(seen_weeks(&days.pages, days.last));
    }
    seen.retain(|(week, _)| *week < YEAR);
    Ok(seen)
}

async fn scores(ctx: &Ctx, tenant: OrgId) -> Result<Vec<f64>> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&sql::SCORES, &params![tenant, ctx.now.days_ago(SCORED_DAYS), SCORES]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect::<store::Result<_>>()?)
}

/// Forecasts of one device as they will be written.
#[derive(Default)]
pub(super) struct Book {
    kept: Vec<Vec<Value>>,
    promises: Vec<Vec<Value>>,
    ended: Vec<Vec<Value>>,
    dropped: Vec<Vec<Value>>,
}

/// A forecast as it is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    fitted_at: i64,
    p50_at: i64,
    kept_left: f64,
}

/// Forecasts of a device by slot.
pub(super) async fn stored(tx: &mut Tx, tenant: OrgId, device: DeviceId) -> Result<Vec<(String, Stored)>> {
    let rows = tx.query(&sql::FORECASTS, &params![tenant, device]).await?;
    rows.iter()
        .map(|row| Ok((row.get(0)?, Stored { fitted_at: row.get(1)?, p50_at: row.get(2)?, kept_left: row.get(3)? })))
        .collect()
}

impl Book {
    /// Takes a new forecast over; returns the event that tells it, where it is news.
    pub(super) fn take(
        &mut self,
        (tenant, device): (OrgId, DeviceId),
        slot: &Slot,
        made: &Made,
        before: Option<Stored>,
        now: Micros,
    ) -> Option<serde_json::Value> {
        let (outlook, index) = (&made.outlook, &slot.supply.index);
        let same = before.filter(|before| before.fitted_at == slot.fitted_at);
        let keeps = same.is_none_or(|before| before.kept_left - outlook.left >= KEPT_EACH);
        let kept_left = if keeps { outlook.left } else { same.map_or(outlook.left, |before| before.kept_left) };
        let moments = [outlook.p5, outlook.p50, outlook.p95, outlook.plain];
        let mut row: Vec<Value> = params![tenant, device, index, now, slot.fitted_at].into();
        row.extend(moments.map(Value::from));
        row.push(outlook.doubt.into());
        if keeps {
            self.promises.push(row.clone());
        }
        row.extend([outlook.left.into(), made.daily.into(), kept_left.into()]);
        self.kept.push(row);
        let moved = same.map_or(i64::MAX, |before| (before.p50_at - outlook.p50).abs());
        let news = moved > DAY.max((outlook.p50 - now.0) / 10);
        news.then(|| {
            json!({
                "device": device, "index": index, "color": slot.supply.color, "kind": slot.supply.kind,
                "p5": Micros(outlook.p5), "p50": Micros(outlook.p50), "p95": Micros(outlook.p95),
            })
        })
    }

    /// Nothing can be foretold of a slot any more.
    pub(super) fn drop(&mut self, tenant: OrgId, device: DeviceId, index: &str) {
        self.dropped.push(params![tenant, device, index].into());
    }

    /// Holds forecasts of cartridges that are gone against what happened.
    pub(super) async fn score(
        &mut self,
        tx: &mut Tx,
        (tenant, device): (OrgId, DeviceId),
        slots: &[Slot],
    ) -> Result<()> {
        for row in tx.query(&sql::PROMISES_OPEN, &params![tenant, device]).await? {
            let (index, made_at, fitted_at): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let Some(slot) = slots.iter().find(|slot| slot.supply.index == index) else { continue };
            let Some(change) = slot.changes.iter().find(|change| change.fitted_at == fitted_at) else { continue };
            let (plain_at, doubt): (i64, f64) = (row.get(3)?, row.get(4)?);
            let (ended_at, outcome) = end_of(slot, change);
            let days = |at: i64| (at - made_at) as f64 / DAY as f64;
            let score = (outcome == "empty" && ended_at > made_at)
                .then(|| Spread::score(days(ended_at), days(plain_at), doubt));
            self.ended.push(params![tenant, device, index, made_at, ended_at, outcome, score].into());
        }
        Ok(())
    }

    /// Writes everything.
    pub(super) async fn flush(self, tx: &mut Tx) -> Result<()> {
        let writes = [
            (&sql::FORECAST_DROP, self.dropped),
            (&sql::FORECAST, self.kept),
            (&sql::PROMISE, self.promises),
            (&sql::PROMISE_END, self.ended),
        ];
        for (statement, rows) in writes {
            if !rows.is_empty() {
                tx.many(statement, rows).await?;
            }
        }
        Ok(())
    }
}

/// When a cartridge that is gone was empty; `early` when it was taken out before, and nobody knows.
fn end_of(slot: &Slot, change: &past::Change) -> (i64, &'static str) {
    let of = slot.levels.iter().filter(|told| told.at >= change.fitted_at && told.at < change.at);
    let lowest = of.clone().map(|told| told.left).fold(f64::INFINITY, f64::min);
    let empty = of.clone().find(|told| told.left <= 1.0);
    match (empty, change.before) {
        (Some(told), _) => (told.at, "empty"),
        (None, Some(before)) if before <= USED_UP => (change.at, "empty"),
        (None, None) if lowest <= USED_UP => (change.at, "empty"),
        _ => (change.at, "early"),
    }
}

/// How forecasts came true.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Calibration {
    /// Forecasts that were held against an empty cartridge, the newest 4,000.
    pub scored: u64,
    /// Of them: the interval held what happened.
    pub held: u64,
    /// It was empty before the interval began.
    pub below: u64,
    /// It lasted longer than the interval.
    pub above: u64,
    /// Cartridges that were taken out before they were empty; nothing is learnt from them.
    pub early: u64,
    /// Median of how far the middle was off, days.
    pub median_error_days: Option<f64>,
    /// The same by how far ahead it was.
    pub bands: Vec<Band>,
}

/// Forecasts that looked so far ahead.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Band {
    /// From so many days ahead.
    pub from_days: f64,
    /// To so many.
    pub to_days: f64,
    /// Forecasts.
    pub scored: u64,
    /// Held.
    pub held: u64,
    /// Median of how far the middle was off, days.
    pub median_error_days: Option<f64>,
}

const BANDS: [(f64, f64); 5] = [(0.0, 3.0), (3.0, 7.0), (7.0, 14.0), (14.0, 30.0), (30.0, 3_650.0)];

/// How the forecasts of all that is visible came true.
///
/// # Errors
/// When the database refuses.
pub async fn calibration(ctx: &Ctx) -> Result<Calibration> {
    let mut values = Vec::new();
    let scope = ctx.scope.condition("p", &mut values);
    let text = format!(
        "select p.made_at, p.p5_at, p.p50_at, p.p95_at, p.ended_at, p.outcome
        from supply_promises p
        where {scope}
          and p.ended_at is not null
        order by p.ended_at desc
        limit {SCORES}"
    );
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&store::Sql::built_as("supplies::calibration", text), &values).await?;
    let mut found = Calibration::default();
    let mut errors: Vec<(f64, f64, bool)> = Vec::new();
    for row in rows {
        let at = |column: usize| row.get::<i64>(column);
        let (made, ended) = (at(0)?, at(4)?);
        if row.get::<String>(5)? != "empty" || ended <= made {
            found.early += 1;
            continue;
        }
        let (below, above) = (ended < at(1)?, ended > at(3)?);
        found.scored += 1;
        found.below += u64::from(below);
        found.above += u64::from(above);
        found.held += u64::from(!below && !above);
        let days = |micros: i64| micros as f64 / DAY as f64;
        errors.push((days(ended - made), days((at(2)? - ended).abs()), !below && !above));
    }
    let middle = |within: &[(f64, f64, bool)]| {
        let mut errors: Vec<f64> = within.iter().map(|(_, error, _)| *error).collect();
        (!errors.is_empty()).then(|| super::rules::activity::median(&mut errors))
    };
    found.median_error_days = middle(&errors);
    for (from_days, to_days) in BANDS {
        let within: Vec<_> = errors.iter().filter(|(days, ..)| (from_days..to_days).contains(days)).copied().collect();
        found.bands.push(Band {
            from_days,
            to_days,
            scored: within.len() as u64,
            held: within.iter().filter(|(.., held)| *held).count() as u64,
            median_error_days: middle(&within),
        });
    }
    Ok(found)
}
