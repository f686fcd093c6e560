//! Usage over time for charts and sparks: black and colour apart, gaps marked.

use std::collections::{BTreeMap, HashMap};

use jiff::tz::TimeZone;
use serde::Serialize;
use store::{Sql, Tx, Value, params};

use super::calendar::{Grain, HOUR};
use super::intake::zone_of;
use super::sql;
use crate::devices::{DeviceId, tenant_of};
use crate::error::{Error, Result};
use crate::{Ctx, Micros, OrgId};

/// Most buckets of a series.
const MOST: usize = 2_000;
/// Bars of a spark.
const BARS: usize = 21;
/// Devices of one call of [`spark`].
const DEVICES: usize = 100;
const DAY: i64 = 24 * HOUR;

/// From when to before when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Included.
    pub from: Micros,
    /// Not included.
    pub to: Micros,
}

/// One bucket of a series. `None`: there was no reading, which is not the same as no pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Point {
    /// When it begins.
    pub start: Micros,
    /// When it ends.
    pub end: Micros,
    /// All pages.
    pub total: Option<i64>,
    /// Black pages, where the device tells them apart.
    pub mono: Option<i64>,
    /// Colour pages, where the device tells them apart.
    pub color: Option<i64>,
    /// The figure holds the pages of the gap before too.
    pub spans_gap: bool,
}

/// Usage of a device over time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Series {
    /// How finely.
    pub grain: Grain,
    /// Buckets in order, gaps included.
    pub points: Vec<Point>,
    /// Colour is reckoned as all less black, because the device does not count it.
    pub derived_color: bool,
}

/// Sums of one bucket by role.
#[derive(Clone, Copy, Debug, Default)]
struct ByRole {
    total: Option<i64>,
    mono: Option<i64>,
    color: Option<i64>,
}

impl ByRole {
    fn add(&mut self, role: &str, delta: i64) {
        let sum = match role {
            "total" => &mut self.total,
            "mono" => &mut self.mono,
            _ => &mut self.color,
        };
        *sum = Some(sum.unwrap_or(0) + delta);
    }

    fn all(self) -> Option<i64> {
        self.total.or(match (self.mono, self.color) {
            (None, None) => None,
            (mono, color) => Some(mono.unwrap_or(0) + color.unwrap_or(0)),
        })
    }

    fn point(self, start: i64, end: i64, derive: bool) -> Point {
        let reckoned = || self.total.zip(self.mono).map(|(total, mono)| (total - mono).max(0));
        Point {
            start: Micros(start),
            end: Micros(end),
            total: self.all(),
            mono: self.mono,
            color: self.color.or_else(|| if derive { reckoned() } else { None }),
            spans_gap: false,
        }
    }
}

/// Usage of a device over `range`, by `grain`.
///
/// # Errors
/// `NotFound` when the device is not visible; `Invalid` for more than 2,000 buckets.
pub async fn series(ctx: &Ctx, device: DeviceId, range: Range, grain: Grain) -> Result<Series> {
    let tenant = tenant_of(ctx, device).await?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let zone = zone_of(&mut tx, tenant).await?;
    let (buckets, starts) = match grain {
        Grain::Readings => readings(&mut tx, tenant, device, range).await?,
        _ => stored(&mut tx, tenant, device, range, grain, &zone).await?,
    };
    let any = |pick: fn(&ByRole) -> Option<i64>| buckets.values().any(|sum| pick(sum).is_some());
    let derived_color = any(|sum| sum.total) && any(|sum| sum.mono) && !any(|sum| sum.color);
    let mut points: Vec<Point> = Vec::with_capacity(starts.len());
    let mut had_before = None;
    for (bucket, start, end) in starts {
        let mut point = buckets.get(&bucket).copied().unwrap_or_default().point(start, end, derived_color);
        point.spans_gap = had_before == Some(false) && point.total.is_some_and(|total| total > 0);
        had_before = Some(point.total.is_some());
        points.push(point);
    }
    Ok(Series { grain, points, derived_color })
}

type Buckets = (BTreeMap<i64, ByRole>, Vec<(i64, i64, i64)>);

async fn stored(
    tx: &mut Tx,
    tenant: OrgId,
    device: DeviceId,
    range: Range,
    grain: Grain,
    zone: &TimeZone,
) -> Result<Buckets> {
    let (first, last) = (grain.bucket(range.from.0 + 1, zone), grain.bucket(range.to.0, zone));
    let mut starts = Vec::new();
    let mut bucket = first;
    while bucket <= last && range.from < range.to {
        let next = grain.next(bucket);
        starts.push((bucket, grain.start(bucket, zone), grain.start(next, zone)));
        if starts.len() > MOST {
            return Err(Error::invalid(
                "range",
                format!("the range has more than {MOST} buckets; take a coarser grain"),
            ));
        }
        bucket = next;
    }
    let mut buckets: BTreeMap<i64, ByRole> = BTreeMap::new();
    for row in tx.query(&sql::SERIES_BUCKETS, &params![tenant, device, grain.number(), first, last]).await? {
        buckets.entry(row.get(0)?).or_default().add(&row.get::<String>(1)?, row.get(2)?);
    }
    Ok((buckets, starts))
}

/// Every reading with what was used since the one before; a new segment begins without usage.
async fn readings(tx: &mut Tx, tenant: OrgId, device: DeviceId, range: Range) -> Result<Buckets> {
    let roles: HashMap<i64, String> = tx
        .query(&sql::CURRENT, &params![tenant, device])
        .await?
        .iter()
        .filter_map(|row| Some((row.get(0).ok()?, row.get::<Option<String>>(8).ok()??)))
        .collect();
    let mut buckets: BTreeMap<i64, ByRole> = BTreeMap::new();
    let mut before: Option<(i64, i64, i64)> = None;
    for row in tx.query(&sql::SERIES_READINGS, &params![tenant, device, range.from, range.to]).await? {
        let (meter, at, value, segment): (i64, i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
        let same = before.filter(|b| b.0 == meter && b.1 == segment);
        if let Some(role) = roles.get(&meter) {
            buckets.entry(at).or_default().add(role, same.map_or(0, |b| (value - b.2).max(0)));
        }
        before = Some((meter, segment, value));
    }
    if buckets.len() > MOST {
        return Err(Error::invalid("range", format!("the range has more than {MOST} readings; take a coarser grain")));
    }
    let starts = buckets.keys().map(|at| (*at, *at, *at)).collect();
    Ok((buckets, starts))
}

/// A small chart of one device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spark {
    /// Length of a bar, µs.
    pub width: i64,
    /// 21 bars, oldest first; `None`: no reading.
    pub values: Vec<Option<i64>>,
}

/// Small charts of up to 100 devices: the last 21 days; hours or minutes while all of them are young, so that they move.
///
/// # Errors
/// `Invalid` for more than 100 devices.
pub async fn spark(ctx: &Ctx, devices: &[DeviceId]) -> Result<HashMap<DeviceId, Spark>> {
    if devices.len() > DEVICES {
        return Err(Error::invalid("devices", format!("more than {DEVICES} devices")));
    }
    if devices.is_empty() {
        return Ok(HashMap::new());
    }
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut params = Vec::new();
    let place = place(ctx, devices, &mut params);
    let text = format!("select d.tenant, d.id, d.first_at from devices d where {place}");
    let rows = tx.query(&Sql::built_as("meters::spark_devices", text), &params).await?;
    let mut tenants: BTreeMap<OrgId, Vec<DeviceId>> = BTreeMap::new();
    let mut oldest = ctx.now.0;
    for row in &rows {
        tenants.entry(row.get(0)?).or_default().push(row.get(1)?);
        oldest = oldest.min(row.get(2)?);
    }
    let age = ctx.now.0 - oldest;
    let mut all = HashMap::new();
    for (tenant, devices) in tenants {
        let zone = zone_of(&mut tx, tenant).await?;
        let found = if age < 12 * HOUR {
            minutes(&mut tx, tenant, &devices, ctx.now.0, age).await?
        } else {
            let grain = if age < 2 * DAY { Grain::Hour } else { Grain::Day };
            buckets(&mut tx, tenant, &devices, grain, ctx.now.0, &zone).await?
        };
        all.extend(found);
    }
    Ok(all)
}

fn place(ctx: &Ctx, devices: &[DeviceId], params: &mut Vec<Value>) -> String {
    let scope = ctx.scope.condition("d", params);
    format!("{scope} and d.id in ({})", marks(devices, params))
}

fn marks(devices: &[DeviceId], params: &mut Vec<Value>) -> String {
    let first = params.len();
    params.extend(devices.iter().map(Value::from));
    (first + 1..=params.len()).map(|n| format!("${n}")).collect::<Vec<_>>().join(", ")
}

async fn buckets(
    tx: &mut Tx,
    tenant: OrgId,
    devices: &[DeviceId],
    grain: Grain,
    now: i64,
    zone: &TimeZone,
) -> Result<HashMap<DeviceId, Spark>> {
    let mut wanted = vec![grain.bucket(now, zone)];
    while wanted.len() < BARS {
        wanted.push(grain.previous(wanted[wanted.len() - 1]));
    }
    wanted.reverse();
    let mut params = Vec::from(params![tenant, grain.number(), wanted[0]]);
    let marks = marks(devices, &mut params);
    let text = format!(
        "select u.device, u.bucket, m.role, cast(sum(u.delta) as bigint) from usages u \
         join meters m on m.tenant = u.tenant and m.device = u.device and m.id = u.meter \
         where u.tenant = $1 and u.device in ({marks}) and u.grain = $2 and u.bucket >= $3 and m.role is not null \
         group by u.device, u.bucket, m.role"
    );
    let mut sums: HashMap<(DeviceId, i64), ByRole> = HashMap::new();
    for row in tx.query(&Sql::built_as("meters::spark", text), &params).await? {
        sums.entry((row.get(0)?, row.get(1)?)).or_default().add(&row.get::<String>(2)?, row.get(3)?);
    }
    let width = if grain == Grain::Hour { HOUR } else { DAY };
    let bars = |device: &DeviceId| wanted.iter().map(|b| sums.get(&(*device, *b)).and_then(|sum| sum.all())).collect();
    Ok(devices.iter().map(|device| (*device, Spark { width, values: bars(device) })).collect())
}

/// Bars of seconds or minutes, made from readings. Within the hour an unchanged value is not kept again, so that a bar
/// between the first reading and the newest look at the meter counts as none used.
async fn minutes(
    tx: &mut Tx,
    tenant: OrgId,
    devices: &[DeviceId],
    now: i64,
    age: i64,
) -> Result<HashMap<DeviceId, Spark>> {
    let bars = i64::try_from(BARS).unwrap_or(21);
    let widths = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600];
    let width = widths.into_iter().map(|s| s * 1_000_000).find(|width| width * bars >= age).unwrap_or(HOUR);
    let end = now.div_euclid(width) * width + width;
    let begin = end - width * bars;
    let mut params = Vec::from(params![tenant]);
    let marks = marks(devices, &mut params);
    let text = format!(
        "select m.device, m.role, m.id, r.taken_at, r.value, r.segment, m.read_at from readings r \
         join meters m on m.tenant = r.tenant and m.id = r.meter \
         where r.tenant = $1 and m.device in ({marks}) and m.role is not null and r.quality <> 'suspect' \
         order by m.id, r.taken_at"
    );
    let mut sums: HashMap<DeviceId, Vec<ByRole>> =
        devices.iter().map(|device| (*device, vec![ByRole::default(); BARS])).collect();
    let mut before: Option<(i64, i64, i64)> = None;
    for row in tx.query(&Sql::built_as("meters::spark_readings", text), &params).await? {
        let (device, role): (DeviceId, String) = (row.get(0)?, row.get(1)?);
        let (meter, at, value, segment): (i64, i64, i64, i64) = (row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?);
        let first = before.is_none_or(|b| b.0 != meter);
        let delta = before.filter(|b| b.0 == meter && b.1 == segment).map_or(0, |b| (value - b.2).max(0));
        before = Some((meter, segment, value));
        let Some(sums) = sums.get_mut(&device) else { continue };
        let bar = |at: i64| usize::try_from((at - begin).div_euclid(width)).unwrap_or(0).min(BARS - 1);
        if first {
            let read_at: i64 = row.get(6)?;
            for sum in &mut sums[bar(at)..=bar(read_at.max(at))] {
                sum.add(&role, 0);
            }
        }
        if at >= begin {
            sums[bar(at)].add(&role, delta);
        }
    }
    Ok(sums
        .into_iter()
        .map(|(device, sums)| (device, Spark { width, values: sums.into_iter().map(ByRole::all).collect() }))
        .collect())
}
