//! Parts that wear: what is used of their rated life, when it ends, and that they were exchanged. The standard table
//! tells of some, parts counters of others; a rated life is told, set by people, or learnt from parts that are gone.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use store::{Row, Sql, Tx, Value, params};
use wire::Class;

use super::past::Slot;
use super::rules::activity::{Activity, DAY};
use super::rules::parts::{exchanged, learnt, named};
use super::rules::thresholds::is_part;
use super::{Forecast, sql, thresholds};
use crate::audit::{self, Change};
use crate::devices::DeviceId;
use crate::devices::fold::clean;
use crate::devices::intake::Fleet;
use crate::diagnostics::Counters;
use crate::error::{Error, Result};
use crate::filter::{Field, FieldKind, Filter};
use crate::page::{Key, Page, PageQuery, Sort};
use crate::{Ctx, Micros, OrgId, Role};

/// Nothing ends later than this, for sorting. Ten years in µs.
const FAR: i64 = 3_650 * DAY;
/// Pages that must have been made before a part's share of them is believed.
const ENOUGH_PAGES: i64 = 200;

/// Fields of the filter of [`list`].
pub const FIELDS: &[Field] = &[
    Field::new("kind", "p.kind", FieldKind::Text),
    Field::new("color", "p.color", FieldKind::Text),
    Field::new("source", "p.source", FieldKind::Word(&["supply", "told"])),
    Field::new("device", "p.device", FieldKind::Text),
    Field::new("name", "d.label", FieldKind::Text),
    Field::new("vendor", "d.vendor", FieldKind::Text),
    Field::new("model", "d.model", FieldKind::Text),
    Field::new("place", "d.place", FieldKind::Text),
    Field::new("org", "p.tenant", FieldKind::Org),
    Field::new("ends", "p.sort_at", FieldKind::Time),
];

/// A part that wears.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartRow {
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
    /// Slot of the standard table, or the name of the counter.
    pub part: String,
    /// `fuser`, `opc` …
    pub kind: String,
    /// Colorant.
    pub color: Option<String>,
    /// supply: by the standard table; told: by parts counters.
    pub source: String,
    /// pages or percent.
    pub unit: String,
    /// Used since it was new.
    pub used: f64,
    /// What it is rated for; `None`: nobody has said.
    pub rated: Option<f64>,
    /// told by the device, set by a person, or learnt from parts that are gone.
    pub rated_by: Option<String>,
    /// When this was read.
    pub read_at: Micros,
    /// Since when it is in, or first seen.
    pub fitted_at: Micros,
    /// When it will be at its end.
    pub forecast: Option<Forecast>,
}

/// Which parts.
#[derive(Clone, Debug, Default)]
pub struct PartQuery {
    /// Condition over [`FIELDS`].
    pub filter: Option<Filter>,
    /// Only of this device.
    pub device: Option<DeviceId>,
    /// Which page.
    pub page: PageQuery,
}

const SOONEST: Sort =
    Sort { name: "parts.ends", keys: &[Key::up("p.sort_at"), Key::up("p.device"), Key::up("p.part")] };
const TABLES: &str = "part_lives p join devices d on d.tenant = p.tenant and d.id = p.device";

/// One page of parts, those that end first before others.
///
/// # Errors
/// `Invalid` for a filter, cursor or limit that does not fit.
pub async fn list(ctx: &Ctx, query: &PartQuery) -> Result<Page<PartRow>> {
    let limit = query.page.limit()?;
    let mut values = Vec::new();
    let mut all = vec![ctx.scope.condition("p", &mut values), "d.lifecycle <> 'retired'".to_owned()];
    if let Some(filter) = &query.filter {
        all.push(filter.to_sql(FIELDS, &mut values)?);
    }
    if let Some(device) = query.device {
        values.push(device.into());
        all.push(format!("p.device = ${}", values.len()));
    }
    let conditions = all.join(" and ");
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut count = None;
    if query.page.count {
        let text = format!("select count(*) from {TABLES} where {conditions}");
        count = Some(tx.query_one(&Sql::built_as("parts::count", text), &values).await?.get(0)?);
    }
    let after = SOONEST.after(query.page.after.as_deref(), &mut values)?;
    values.push(i64::try_from(limit + 1).unwrap_or(i64::MAX).into());
    let text = format!(
        "select p.tenant, p.device, d.label, d.vendor, d.model, d.place, p.part, p.kind, p.color, p.source, p.unit, p.used,
          p.rated, p.rated_by, p.read_at, p.fitted_at, p.p5_at, p.end_at, p.p95_at, p.sort_at, p.device, p.part
        from {TABLES} where {conditions} and {after} order by {} limit ${}",
        SOONEST.order(),
        values.len()
    );
    let rows = tx.query(&Sql::built_as("parts::list", text), &values).await?;
    let mut page = SOONEST.page(rows, limit, |row| read(row, ctx.now))?;
    page.count = count;
    Ok(page)
}

fn read(row: &Row, now: Micros) -> Result<PartRow> {
    let (read_at, end): (Micros, Option<i64>) = (row.get(14)?, row.get(17)?);
    let early: Option<i64> = row.get(16)?;
    let late: Option<i64> = row.get(18)?;
    Ok(PartRow {
        org: row.get(0)?,
        device: row.get(1)?,
        device_name: row.get(2)?,
        vendor: row.get(3)?,
        model: row.get(4)?,
        place: row.get(5)?,
        part: row.get(6)?,
        kind: row.get(7)?,
        color: row.get(8)?,
        source: row.get(9)?,
        unit: row.get(10)?,
        used: row.get(11)?,
        rated: row.get(12)?,
        rated_by: row.get(13)?,
        read_at,
        fitted_at: row.get(15)?,
        forecast: end.map(|end| Forecast::seen(now, (early.unwrap_or(end), end, late.unwrap_or(end)), read_at)),
    })
}

/// What parts of a model are rated for, as a person said.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rating {
    /// Whose.
    pub org: OrgId,
    /// `vendor model`, lower case.
    pub model: String,
    /// `fuser`, `opc` …
    pub kind: String,
    /// Pages.
    pub rated: f64,
    /// For `If-Match`.
    pub version: i64,
}

/// Rated lives that people set, of all that is visible.
///
/// # Errors
/// When the database refuses.
pub async fn ratings(ctx: &Ctx) -> Result<Vec<Rating>> {
    let mut values = Vec::new();
    let scope = ctx.scope.condition("r", &mut values);
    let text = format!(
        "select r.tenant, r.model, r.kind, r.rated, r.version from part_ratings r where {scope} order by r.model, r.kind limit 500"
    );
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&Sql::built_as("parts::ratings", text), &values).await?;
    rows.iter()
        .map(|row| {
            Ok(Rating {
                org: row.get(0)?,
                model: row.get(1)?,
                kind: row.get(2)?,
                rated: row.get(3)?,
                version: row.get(4)?,
            })
        })
        .collect()
}

/// Says what parts of a model are rated for; `None` takes it back. Returns the new version.
///
/// # Errors
/// `Forbidden`, `Invalid`, `Stale` when `if_match` is given and older.
pub async fn set_rating(
    ctx: &Ctx,
    org: OrgId,
    (model, kind): (&str, &str),
    rated: Option<f64>,
    if_match: Option<i64>,
) -> Result<i64> {
    ctx.scope.require(org, "organisation")?;
    ctx.require(Role::Manager, "say what parts are rated for")?;
    let key = |text: &str| clean(Some(text)).unwrap_or_default().to_lowercase();
    let (model, kind) = (key(model), key(kind));
    if model.is_empty() || kind.is_empty() {
        return Err(Error::invalid("model", "name the model and the kind of part"));
    }
    if rated.is_some_and(|rated| !(100.0..=1e9).contains(&rated)) {
        return Err(Error::invalid("rated", "a part is rated for 100 to 1,000,000,000 pages"));
    }
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let before = tx.query_opt(&sql::RATING, &params![org, &model, &kind]).await?;
    let before: Option<(f64, i64)> = match before {
        Some(row) => Some((row.get(0)?, row.get(1)?)),
        None => None,
    };
    let version = before.map_or(0, |(_, version)| version);
    if if_match.is_some() {
        Error::check_version(if_match, version)?;
    }
    match rated {
        Some(rated) => {
            tx.execute(&sql::RATING_SET, &params![org, &model, &kind, rated, version + 1, ctx.now]).await?;
        }
        None => {
            tx.execute(&sql::RATING_DROP, &params![org, &model, &kind]).await?;
        }
    }
    tx.execute(&sql::LOOK_ALL, &params![org, ctx.now]).await?;
    let change = Change::new(org, "changed", "part_rating", format!("{model}/{kind}"))
        .before(json!({ "rated": before.map(|(rated, _)| rated) }))
        .after(json!({ "rated": rated }));
    audit::record(&mut tx, ctx, change).await?;
    tx.commit().await?;
    Ok(version + 1)
}

/// Parts counters of a device (kind 7), read before the transaction that uses them.
pub(super) async fn told(ctx: &Ctx, device: DeviceId) -> Result<Option<Counters>> {
    crate::diagnostics::counters(ctx, device, wire::monitor::Kind::Parts).await
}

/// Early end, middle and late end, µs.
pub(super) type Ends = (i64, i64, i64);

/// A part as it was kept.
struct Before {
    used: f64,
    fitted_at: i64,
    first_used: f64,
    first_pages: Option<i64>,
}

/// A part as it is told now.
struct Now {
    part: String,
    kind: String,
    color: Option<String>,
    source: &'static str,
    unit: &'static str,
    used: f64,
    rated: Option<f64>,
    read_at: i64,
    fitted_at: Option<i64>,
    ends: Option<(i64, i64, i64)>,
}

/// What is known beside the part itself.
pub(super) struct Around<'a> {
    pub(super) activity: Option<&'a Activity>,
    pub(super) offset: i64,
    pub(super) pages: Option<i64>,
    pub(super) model: &'a str,
    pub(super) ratings: &'a [(String, String, f64)],
}

/// A told part that is near its end: its name, what it is called, its kind, per cent left, days left.
pub(super) struct Worn {
    pub(super) part: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) left: f64,
    pub(super) days: Option<(f64, f64)>,
}

/// Brings the parts of a device up to date; returns those that parts counters tell of, for their alerts.
pub(super) async fn look(
    ctx: &Ctx,
    tx: &mut Tx,
    (fleet, at): (&mut Fleet, usize),
    slots: &[(&Slot, Option<Ends>)],
    told: Option<&Counters>,
    around: &Around<'_>,
) -> Result<Vec<Worn>> {
    let (tenant, device) = (fleet.tenant, fleet.get(at).id);
    let mut known: BTreeMap<String, Before> = BTreeMap::new();
    for row in tx.query(&sql::PARTS_OF, &params![tenant, device]).await? {
        let before =
            Before { used: row.get(1)?, fitted_at: row.get(2)?, first_used: row.get(3)?, first_pages: row.get(4)? };
        known.insert(row.get(0)?, before);
    }
    let mut all = told.map(of_counters).unwrap_or_default();
    for (slot, ends) in slots {
        if let Some(part) = of_slot(slot, *ends)
            && !all.iter().any(|other| other.kind == part.kind && other.color == part.color)
        {
            all.push(part);
        }
    }
    let (mut rows, mut worn) = (Vec::new(), Vec::new());
    for part in &mut all {
        let before = known.remove(&part.part);
        let changed = before.as_ref().is_some_and(|before| part.source == "told" && exchanged(before.used, part.used));
        if let Some(before) = before.as_ref().filter(|_| changed) {
            let values = params![tenant, device, &part.part, part.read_at, &part.kind, before.used];
            tx.execute(&sql::PART_REPLACED, &values).await?;
            let data = json!({
                "device": device, "part": part.part, "kind": part.kind, "color": part.color, "lived": before.used,
            });
            fleet.note(at, part.read_at, "part_replaced", &data, None);
            fleet.events.push(("part.replaced", "device", device.to_string(), data));
        }
        let rated_by = rate(ctx, tx, tenant, part, around).await?;
        let begun = before.filter(|_| !changed);
        let fitted_at = part.fitted_at.or(begun.as_ref().map(|b| b.fitted_at)).unwrap_or(part.read_at);
        let (first_used, first_pages) =
            begun.map_or((part.used, around.pages), |begun| (begun.first_used, begun.first_pages));
        if part.source == "told" {
            part.ends = ends_of(part, around, first_used, first_pages);
            worn.extend(worn_of(part, ctx.now));
        }
        rows.push(row_of((tenant, device), part, rated_by, fitted_at, (first_used, first_pages)));
    }
    let gone: Vec<Vec<Value>> = known.into_keys().map(|part| params![tenant, device, part].into()).collect();
    for (statement, rows) in [(&sql::PART_DROP, gone), (&sql::PART, rows)] {
        if !rows.is_empty() {
            tx.many(statement, rows).await?;
        }
    }
    Ok(worn)
}

fn row_of(
    (tenant, device): (OrgId, DeviceId),
    part: &Now,
    rated_by: Option<&'static str>,
    fitted_at: i64,
    (first_used, first_pages): (f64, Option<i64>),
) -> Vec<Value> {
    let sort_at = match (part.ends, part.rated) {
        (Some((_, end, _)), _) => end,
        // Without a forecast the most worn come first behind those with one.
        (None, Some(rated)) if rated > 0.0 => {
            part.read_at.saturating_add(FAR * 2 - (part.used / rated * DAY as f64) as i64)
        }
        _ => i64::MAX,
    };
    params![
        tenant,
        device,
        &part.part,
        &part.kind,
        part.color.as_ref(),
        part.source,
        part.unit,
        part.used,
        part.rated,
        rated_by,
        part.read_at,
        fitted_at,
        first_used,
        first_pages,
        part.ends.map(|(early, ..)| early),
        part.ends.map(|(_, end, _)| end),
        part.ends.map(|(.., late)| late),
        sort_at
    ]
    .into()
}

/// Parts in a set of counters, each with the rated life that the device tells beside it.
fn of_counters(told: &Counters) -> Vec<Now> {
    let mut rated: BTreeMap<&str, f64> = BTreeMap::new();
    for (name, value) in &told.values {
        if let Some(named) = named(name).filter(|named| named.rated) {
            rated.insert(named.part, *value as f64);
        }
    }
    let parts =
        told.values.iter().filter_map(|(name, value)| Some((named(name).filter(|named| !named.rated)?, *value)));
    parts
        .filter(|(_, value)| *value >= 0)
        .map(|(named, value)| Now {
            part: named.part.to_owned(),
            kind: named.kind,
            color: named.color.map(str::to_owned),
            source: "told",
            unit: "pages",
            used: value as f64,
            rated: rated.get(named.part).copied().filter(|rated| *rated > 0.0),
            read_at: told.at.0,
            fitted_at: None,
            ends: None,
        })
        .collect()
}

/// A part of the standard table.
fn of_slot(slot: &Slot, ends: Option<(i64, i64, i64)>) -> Option<Now> {
    let supply = &slot.supply;
    // prtMarkerSuppliesSupplyUnit: 7 impressions, 8 sheets.
    let counts = matches!(supply.raw.unit, Some(7 | 8));
    let wears = is_part(&supply.kind) || (supply.kind == "other" && counts);
    if !wears || supply.class == Class::Receptacle {
        return None;
    }
    let left = slot.left()?;
    let rated = supply.raw.max.filter(|max| counts && *max > 0).map(|max| max as f64);
    let (unit, used, rated) = match rated {
        Some(rated) => ("pages", rated * (1.0 - left / 100.0), rated),
        None => ("percent", 100.0 - left, 100.0),
    };
    Some(Now {
        part: supply.index.clone(),
        kind: supply.kind.clone(),
        color: supply.color.clone(),
        source: "supply",
        unit,
        used,
        rated: Some(rated),
        read_at: slot.read_at,
        fitted_at: Some(slot.fitted_at),
        ends,
    })
}

/// What a part is rated for, and who says so: a person before the device before what was learnt.
async fn rate(
    ctx: &Ctx,
    tx: &mut Tx,
    tenant: OrgId,
    part: &mut Now,
    around: &Around<'_>,
) -> Result<Option<&'static str>> {
    let set = around.ratings.iter().find(|(model, kind, _)| model == around.model && *kind == part.kind);
    if let Some((.., rated)) = set.filter(|_| part.unit == "pages") {
        part.rated = Some(*rated);
        return Ok(Some("set"));
    }
    if part.rated.is_some() {
        return Ok(Some("told"));
    }
    let rows = tx.query(&sql::PART_LIVES, &params![tenant, &part.kind, around.model, ctx.now.days_ago(1_460)]).await?;
    let mut lives = rows.iter().map(|row| row.get(0)).collect::<store::Result<Vec<f64>>>()?;
    part.rated = learnt(&mut lives);
    Ok(part.rated.map(|_| "learnt"))
}

/// When a told part is at its end, by the pages of the device.
fn ends_of(part: &Now, around: &Around<'_>, first_used: f64, first_pages: Option<i64>) -> Option<(i64, i64, i64)> {
    let (rated, activity) = (part.rated?, around.activity?);
    let pages = around.pages.zip(first_pages).map_or(0, |(now, first)| now - first);
    // A part may wear with colour pages only.
    let share = if pages >= ENOUGH_PAGES { (part.used - first_used) / pages as f64 } else { 1.0 };
    if share <= 0.0 {
        return None;
    }
    let left = ((rated - part.used) / share).max(0.0);
    let weeks = (left / (activity.daily * 7.0)).max(0.25);
    let doubt = (activity.scatter.powi(2) * (1.0 / weeks + 1.0 / activity.weeks) + 0.01).sqrt().min(1.5);
    let when =
        |score: f64| activity.when(part.read_at + around.offset, left * (score * doubt).exp(), FAR) - around.offset;
    Some((when(-1.645), when(0.0), when(1.645)))
}

fn worn_of(part: &Now, now: Micros) -> Option<Worn> {
    let left = 100.0 * (1.0 - part.used / part.rated?).max(0.0);
    let days = part.ends.map(|(early, end, _)| {
        let days = (end - now.0).max(0) as f64 / DAY as f64;
        let early = (early - now.0).max(0) as f64 / DAY as f64;
        (days, if days > 0.0 { (days - early) / days / 1.645 } else { 0.0 })
    });
    let kind = part.kind.replace('-', " ");
    let name = part.color.as_ref().map_or_else(|| kind.clone(), |color| format!("{color} {kind}"));
    Some(Worn { part: part.part.clone(), name, kind: part.kind.clone(), left, days })
}

/// Rated lives that hold in an organisation: its own and those of the organisations above, nearest first.
pub(super) async fn ratings_of(tx: &mut Tx, tenant: OrgId) -> Result<Vec<(String, String, f64)>> {
    let rows = tx.query(&sql::RATINGS_ABOVE, &params![tenant]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

/// The key of a model, as ratings name it.
pub(super) fn model_key(vendor: &str, model: Option<&str>) -> String {
    thresholds::model_key(vendor, model)
}
