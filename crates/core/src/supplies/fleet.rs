//! Supplies of all devices, those that end first before others; and one slot with its past, to be drawn.

use serde::Serialize;
use store::{Row, Sql, params};
use wire::{Class, Level};

use super::past::{self, Slot};
use super::receptacles::{Steps, filled, steps};
use super::{Forecast, LevelPoint, Replacement, name_of, service, sql};
use crate::devices::rules::letter;
use crate::devices::{DeviceId, tenant_of};
use crate::error::{Error, Result};
use crate::filter::{Field, FieldKind, Filter};
use crate::page::{Key, Page, PageQuery, Sort};
use crate::{Ctx, Micros, OrgId};

/// Fields of the filter of [`list`].
pub const FIELDS: &[Field] = &[
    Field::new("kind", "s.kind", FieldKind::Text),
    Field::new("color", "s.color", FieldKind::Text),
    Field::new("class", "s.class", FieldKind::Word(&["consumed", "receptacle", "other"])),
    Field::new("part_number", "s.part_number", FieldKind::Text),
    Field::new("level", "s.level_value", FieldKind::Int),
    Field::new("told", "s.level_kind", FieldKind::Text),
    Field::new("device", "s.device", FieldKind::Text),
    Field::new("name", "d.label", FieldKind::Text),
    Field::new("vendor", "d.vendor", FieldKind::Text),
    Field::new("model", "d.model", FieldKind::Text),
    Field::new("place", "d.place", FieldKind::Text),
    Field::new("org", "s.tenant", FieldKind::Org),
    Field::new("empty", "f.p50_at", FieldKind::Time),
];

/// A supply of the fleet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SupplyRow {
    /// Organisation.
    pub org: OrgId,
    /// The device.
    pub device: DeviceId,
    /// What people call it.
    pub device_name: String,
    /// Vendor slug.
    pub vendor: String,
    /// Model.
    pub model: Option<String>,
    /// Where it stands.
    pub place: String,
    /// Slot.
    pub index: String,
    /// `yellow toner`.
    pub name: String,
    /// C, M, Y, K, W or the first letter of what it is.
    pub letter: char,
    /// `toner`, `waste-toner` …
    pub kind: String,
    /// Colorant.
    pub color: Option<String>,
    /// The maker's part number.
    pub part_number: Option<String>,
    /// As the device states it.
    pub level: Level,
    /// How full a waste box is, per cent, where its model has shown which way its level runs.
    pub filled: Option<f64>,
    /// When it will be empty (or full).
    pub forecast: Option<Forecast>,
    /// State of the shipment that holds one for it.
    pub shipment: Option<String>,
}

/// Which supplies, in which order.
#[derive(Clone, Debug, Default)]
pub struct SupplyQuery {
    /// Condition over [`FIELDS`].
    pub filter: Option<Filter>,
    /// Those of which nothing can be foretold instead of those with a forecast.
    pub without_forecast: bool,
    /// Which page.
    pub page: PageQuery,
}

const SOONEST: Sort =
    Sort { name: "supplies.empty", keys: &[Key::up("f.p50_at"), Key::up("f.device"), Key::up("f.idx")] };
const LOWEST: Sort = Sort { name: "supplies.left", keys: &[Key::up(LEFT), Key::up("s.device"), Key::up("s.idx")] };
/// Whole per cent that are left: of the steps where a device tells steps, and the other way round for boxes that are known
/// to tell how full they are ([`Steps::direction`]). Who states no figure comes last.
const LEFT: &str = "cast(case
    when s.level_value is null then 1000
    when s.level_steps > 0 then 100 * s.level_value / s.level_steps
    when s.class = 'receptacle' and r.rising >= 3 and r.rising >= 4 * r.falling then 100 - s.level_value
    else s.level_value end as bigint)";

/// One page of supplies: with a forecast those that end first, else the lowest levels first.
///
/// # Errors
/// `Invalid` for a filter, cursor or limit that does not fit.
pub async fn list(ctx: &Ctx, query: &SupplyQuery) -> Result<Page<SupplyRow>> {
    let limit = query.page.limit()?;
    let sort = if query.without_forecast { &LOWEST } else { &SOONEST };
    let join = "f.tenant = s.tenant and f.device = s.device and f.idx = s.idx and f.fitted_at = s.fitted_at";
    let device = "join devices d on d.tenant = s.tenant and d.id = s.device";
    let model = "left join receptacles r on r.tenant = s.tenant and r.vendor = d.vendor
          and r.model = coalesce(d.model, '') and r.kind = s.kind";
    let tables = if query.without_forecast {
        format!("supplies s {device} {model} left join supply_forecasts f on {join}")
    } else {
        format!("supply_forecasts f join supplies s on {join} {device} {model}")
    };
    let mut values = Vec::new();
    let alias = if query.without_forecast { "s" } else { "f" };
    let mut all = vec![ctx.scope.condition(alias, &mut values), "d.lifecycle <> 'retired'".to_owned()];
    if query.without_forecast {
        all.push("f.device is null".to_owned());
    }
    if let Some(filter) = &query.filter {
        all.push(filter.to_sql(FIELDS, &mut values)?);
    }
    let conditions = all.join(" and ");
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut count = None;
    if query.page.count {
        let text = format!("select count(*) from {tables} where {conditions}");
        count = Some(tx.query_one(&Sql::built_as("supplies::count", text), &values).await?.get(0)?);
    }
    let after = sort.after(query.page.after.as_deref(), &mut values)?;
    values.push(i64::try_from(limit + 1).unwrap_or(i64::MAX).into());
    let keys: Vec<_> = sort.keys.iter().map(|key| key.column).collect();
    let text = format!(
        "select s.idx, s.description, s.kind, s.color, s.class, s.part_number, s.serial_no, s.level_kind, s.level_value,
          s.level_steps, s.raw_unit, s.raw_max, s.raw_level, s.tenant, s.device, d.label, d.vendor, d.model, d.place,
          r.rising, r.falling, f.p5_at, f.p50_at, f.p95_at, f.made_at,
          (select h.state from shipment_items i join shipments h on h.tenant = i.tenant and h.id = i.shipment
            where i.tenant = s.tenant and i.device = s.device and i.idx = s.idx and i.is_open = 1), {}
        from {tables} where {conditions} and {after} order by {} limit ${}",
        keys.join(", "),
        sort.order(),
        values.len()
    );
    let rows = tx.query(&Sql::built_as("supplies::list", text), &values).await?;
    let mut page = sort.page(rows, limit, |row| read(row, ctx.now))?;
    page.count = count;
    Ok(page)
}

fn read(row: &Row, now: Micros) -> Result<SupplyRow> {
    let supply = service::read_supply(row, 0)?;
    let direction = steps(row, 19)?.and_then(Steps::direction).filter(|_| supply.class == Class::Receptacle);
    let made_at: Option<Micros> = row.get(24)?;
    let forecast = match made_at {
        Some(made_at) => Some(Forecast::seen(now, (row.get(21)?, row.get(22)?, row.get(23)?), made_at)),
        None => None,
    };
    Ok(SupplyRow {
        org: row.get(13)?,
        device: row.get(14)?,
        device_name: row.get(15)?,
        vendor: row.get(16)?,
        model: row.get(17)?,
        place: row.get(18)?,
        name: name_of(&supply),
        letter: letter(&supply.kind, supply.color.as_deref(), supply.class),
        filled: supply.level.percent().zip(direction).map(|(level, direction)| filled(level, direction)),
        index: supply.index,
        kind: supply.kind,
        color: supply.color,
        part_number: supply.part_number,
        level: supply.level,
        forecast,
        shipment: row.get(25)?,
    })
}

/// One slot with its past and its future, to be drawn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SupplySheet {
    /// The slot as lists show it.
    #[serde(flatten)]
    pub supply: super::SupplyNow,
    /// `yellow toner`.
    pub name: String,
    /// Levels of the last year, oldest first.
    pub levels: Vec<LevelPoint>,
    /// What was left at each of them, per cent; `None` where it is not told as a figure.
    pub left: Vec<Option<f64>>,
    /// Changes of cartridges, newest first.
    pub replacements: Vec<Replacement>,
    /// When the forecast begins, how much is left then, and its three moments.
    pub outlook: Option<Outline>,
    /// What cartridges of this kind gave in devices of this model.
    pub yields: Yield,
}

/// A forecast as a drawing needs it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Outline {
    /// When the level was read that it begins with.
    pub from: Micros,
    /// Per cent that are left then, between the steps that the device tells.
    pub left: f64,
    /// Nineteen times of twenty it lasts longer.
    pub p5_at: Micros,
    /// The middle.
    pub p50_at: Micros,
    /// Nineteen times of twenty it is empty by then.
    pub p95_at: Micros,
    /// Relative doubt behind the interval.
    pub doubt: f64,
    /// Per cent a day, on average.
    pub daily: f64,
}

/// What cartridges gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Yield {
    /// Cartridges that were used up.
    pub cartridges: i64,
    /// Median of their pages; `None`: too few.
    pub pages: Option<f64>,
    /// Cartridges that were taken out though much was left.
    pub premature: i64,
}

/// One slot of a device.
///
/// # Errors
/// `NotFound` when the device or the slot is not visible.
pub async fn supply(ctx: &Ctx, device: DeviceId, index: &str) -> Result<SupplySheet> {
    let tenant = tenant_of(ctx, device).await?;
    let now = super::current(ctx, device).await?.into_iter().find(|supply| supply.index == index);
    let supply = now.ok_or_else(|| Error::not_found("supply"))?;
    let past = super::history(ctx, device, ctx.now.days_ago(365), Micros(i64::MAX)).await?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let slots: Vec<Slot> = past::slots(&mut tx, tenant, device, ctx.now).await?;
    let slot = slots.iter().find(|slot| slot.supply.index == index).ok_or_else(|| Error::not_found("supply"))?;
    let outlook = tx.query_opt(&sql::OUTLINE, &params![tenant, device, index, slot.fitted_at]).await?;
    let outlook = match outlook {
        Some(row) => Some(Outline {
            from: Micros(slot.read_at),
            p5_at: row.get(0)?,
            p50_at: row.get(1)?,
            p95_at: row.get(2)?,
            left: row.get(3)?,
            doubt: row.get(4)?,
            daily: row.get(5)?,
        }),
        None => None,
    };
    let rows = tx.query(&sql::YIELDS, &params![tenant, device, &supply.kind, supply.color.as_ref()]).await?;
    let mut lives = Vec::new();
    let mut yields = Yield::default();
    for row in rows {
        let (lived, premature): (Option<i64>, bool) = (row.get(0)?, row.get(1)?);
        if premature {
            yields.premature += 1;
        } else if let Some(pages) = lived.filter(|pages| *pages > 0) {
            lives.push(pages as f64);
        }
    }
    yields.cartridges = i64::try_from(lives.len()).unwrap_or(i64::MAX);
    yields.pages = (lives.len() >= 2).then(|| super::rules::activity::median(&mut lives));
    let levels: Vec<LevelPoint> = past.levels.into_iter().filter(|point| point.index == index).collect();
    Ok(SupplySheet {
        name: name_of(&slot.supply),
        left: levels.iter().map(|point| past::left(point.level, supply.class, slot.direction)).collect(),
        levels,
        replacements: past.replacements.into_iter().filter(|change| change.index == index).collect(),
        outlook,
        yields,
        supply,
    })
}
