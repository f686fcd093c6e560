//! Doubts for people: lists, counts, one with all that was seen, flags for bills.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value as Json;
use store::{Row, Sql, Tx, params};

use super::{DoubtId, DoubtMeter, DoubtRow, DoubtSheet, Kind, sql, words};
use crate::devices::DeviceId;
use crate::error::{Error, Result};
use crate::filter::{Field, FieldKind, Filter};
use crate::page::{Key, Page, PageQuery, Sort};
use crate::{Ctx, Micros, OrgId};

/// Fields of the filter of [`list`].
pub const FIELDS: &[Field] = &[
    Field::new("kind", "t.kind", FieldKind::Word(&Kind::WORDS)),
    Field::new("family", "t.family", FieldKind::Word(&["counter", "identity", "totals"])),
    Field::new("state", "t.state", FieldKind::Word(&["open", "settled"])),
    Field::new("device", "t.device", FieldKind::Text),
    Field::new("org", "t.tenant", FieldKind::Org),
    Field::new("at", "t.at", FieldKind::Time),
    Field::new("opened", "t.opened_at", FieldKind::Time),
    Field::new("settled", "t.settled_at", FieldKind::Time),
    Field::new("decision", "t.decision", FieldKind::Text),
    Field::new("pages", "t.pages", FieldKind::Int),
    Field::new("name", "d.label", FieldKind::Text),
    Field::new("vendor", "d.vendor", FieldKind::Text),
    Field::new("place", "d.place", FieldKind::Text),
];

const NEWEST: Sort = Sort { name: "doubts.at", keys: &[Key::down("t.at"), Key::down("t.id")] };
const COLUMNS: &str =
    "t.id, t.tenant, t.kind, t.state, t.device, d.label, d.vendor, d.model, d.serial_no, d.place, t.other,
    o.label, t.at, t.opened_at, t.data, t.pages, t.decision, t.note, t.settled_at, t.settled_by, t.version, t.until_at";
const TABLES: &str = "doubts t join devices d on d.tenant = t.tenant and d.id = t.device
    left join devices o on o.tenant = t.tenant and o.id = t.other";

/// Which doubts.
#[derive(Clone, Debug, Default)]
pub struct DoubtQuery {
    /// Condition over [`FIELDS`].
    pub filter: Option<Filter>,
    /// `Some(true)`: those that wait for a person; `Some(false)`: those that are settled; `None`: all.
    pub open: Option<bool>,
    /// Only of this device.
    pub device: Option<DeviceId>,
    /// Which page; newest first.
    pub page: PageQuery,
}

/// Doubts that wait for a person, counted for the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DoubtCounts {
    /// All.
    pub open: u64,
    /// Of these, about counters.
    pub counters: u64,
    /// Of these, about identities.
    pub identities: u64,
    /// Of these, about two totals.
    pub totals: u64,
}

/// An open doubt as a bill must show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoubtFlag {
    /// Which counter; `None`: all of the device.
    pub meter: Option<i64>,
    /// What is doubted.
    pub kind: Kind,
    /// When it began.
    pub at: i64,
    /// About a counter: only the month in which it began is concerned.
    pub of_counter: bool,
}

impl DoubtFlag {
    /// Whether it concerns a counter between two moments.
    pub(crate) fn concerns(&self, meter: i64, from: i64, to: i64) -> bool {
        self.meter.is_none_or(|own| own == meter) && self.at <= to && (!self.of_counter || self.at > from)
    }
}

pub(super) fn kind(word: &str) -> Result<Kind> {
    Kind::from_word(word).ok_or_else(|| Error::internal(format!("a doubt of kind {word:?} is not known")))
}

fn json(text: &str) -> Result<Json> {
    serde_json::from_str(text).map_err(|error| Error::internal("stored JSON does not fit").with_source(error))
}

fn read(row: &Row) -> Result<(DoubtRow, Json)> {
    let kind = kind(&row.get::<String>(2)?)?;
    let data = json(&row.get::<String>(14)?)?;
    let (vendor, model): (String, Option<String>) = (row.get(6)?, row.get(7)?);
    let decision: Option<String> = row.get(16)?;
    let other: String = row.get(10)?;
    let doubt = DoubtRow {
        id: row.get(0)?,
        org: row.get(1)?,
        kind,
        state: row.get(3)?,
        title: words::title(kind).to_owned(),
        assumed: words::assumed(kind, &data).to_owned(),
        device: row.get(4)?,
        device_name: row.get(5)?,
        device_model: format!("{vendor} {}", model.unwrap_or_default()).trim().to_owned(),
        serial: row.get(8)?,
        place: row.get(9)?,
        other: if other.is_empty() { None } else { Some(DeviceId::parse(&other)?) },
        other_name: row.get(11)?,
        at: row.get(12)?,
        opened_at: row.get(13)?,
        pages: row.get(15)?,
        decision_title: decision.as_deref().map(|key| words::decision(key).to_owned()),
        decision,
        note: row.get(17)?,
        settled_at: row.get(18)?,
        settled_by: row.get(19)?,
        version: row.get(20)?,
    };
    Ok((doubt, data))
}

/// One page of doubts, newest first.
///
/// # Errors
/// `Invalid` for a filter, cursor or limit that does not fit.
pub async fn list(ctx: &Ctx, query: &DoubtQuery) -> Result<Page<DoubtRow>> {
    let limit = query.page.limit()?;
    let mut params = Vec::new();
    let mut all = vec![ctx.scope.condition("t", &mut params)];
    all.push(match query.open {
        Some(true) => "t.state = 'open'".to_owned(),
        Some(false) => "t.state = 'settled'".to_owned(),
        None => "t.state <> 'withdrawn'".to_owned(),
    });
    if let Some(filter) = &query.filter {
        all.push(filter.to_sql(FIELDS, &mut params)?);
    }
    if let Some(device) = query.device {
        params.push(device.into());
        all.push(format!("t.device = ${}", params.len()));
    }
    let conditions = all.join(" and ");
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut count = None;
    if query.page.count {
        let text = format!("select count(*) from {TABLES} where {conditions}");
        count = Some(tx.query_one(&Sql::built_as("doubts::count", text), &params).await?.get(0)?);
    }
    let after = NEWEST.after(query.page.after.as_deref(), &mut params)?;
    params.push(i64::try_from(limit + 1).unwrap_or(i64::MAX).into());
    let text = format!(
        "select {COLUMNS}, t.at, t.id from {TABLES} where {conditions} and {after} order by {} limit ${}",
        NEWEST.order(),
        params.len()
    );
    let rows = tx.query(&Sql::built_as("doubts::list", text), &params).await?;
    let mut page = NEWEST.page(rows, limit, |row| Ok(read(row)?.0))?;
    page.count = count;
    Ok(page)
}

/// Doubts that wait for a person.
///
/// # Errors
/// When the database refuses.
pub async fn counts(ctx: &Ctx) -> Result<DoubtCounts> {
    let mut params = Vec::new();
    let scope = ctx.scope.condition("t", &mut params);
    let text = format!("select t.family, count(*) from doubts t where {scope} and t.state = 'open' group by t.family");
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut counts = DoubtCounts::default();
    for row in tx.query(&Sql::built_as("doubts::counts", text), &params).await? {
        let (family, count): (String, u64) = (row.get(0)?, row.get(1)?);
        counts.open += count;
        match family.as_str() {
            "counter" => counts.counters += count,
            "identity" => counts.identities += count,
            _ => counts.totals += count,
        }
    }
    Ok(counts)
}

/// The doubts that stand on a device, for its sheet.
pub(crate) async fn open_of(tx: &mut Tx, tenant: OrgId, device: DeviceId) -> Result<Vec<DoubtRow>> {
    let text = format!(
        "select {COLUMNS} from {TABLES} where t.tenant = $1 and t.state = 'open' and (t.device = $2 or t.other = $2) \
         order by t.at desc, t.id desc limit 20"
    );
    let rows = tx.query(&Sql::built_as("doubts::open_of", text), &params![tenant, device]).await?;
    rows.iter().map(|row| Ok(read(row)?.0)).collect()
}

/// The open doubts of all devices of an organisation, for bills.
pub(crate) async fn flags(tx: &mut Tx, tenant: OrgId) -> Result<HashMap<DeviceId, Vec<DoubtFlag>>> {
    let mut all: HashMap<DeviceId, Vec<DoubtFlag>> = HashMap::new();
    for row in tx.query(&sql::FLAGS, &params![tenant]).await? {
        let flag = DoubtFlag {
            meter: row.get(4)?,
            kind: kind(&row.get::<String>(1)?)?,
            at: row.get(2)?,
            of_counter: row.get::<String>(3)? == "counter",
        };
        all.entry(row.get(0)?).or_default().push(flag);
    }
    Ok(all)
}

/// Loads a doubt that may be seen, with the moment when the reading came that decided.
pub(super) async fn load(ctx: &Ctx, tx: &mut Tx, id: DoubtId) -> Result<(DoubtRow, Json)> {
    let mut params = Vec::new();
    let scope = ctx.scope.condition("t", &mut params);
    params.push(id.into());
    let text =
        format!("select {COLUMNS} from {TABLES} where {scope} and t.id = ${} and t.state <> 'withdrawn'", params.len());
    let row = tx.query_opt(&Sql::built_as("doubts::get", text), &params).await?;
    read(&row.ok_or_else(DoubtId::missing)?)
}

/// Readings shown before and after the border.
const AROUND: i64 = 3 * 86_400_000_000;

pub(super) async fn meters(tx: &mut Tx, doubt: &DoubtRow) -> Result<Vec<DoubtMeter>> {
    let mut all = Vec::new();
    for row in tx.query(&sql::METERS, &params![doubt.org, doubt.id]).await? {
        all.push(meter(tx, doubt.org, &row).await?);
    }
    Ok(all)
}

async fn meter(tx: &mut Tx, org: OrgId, row: &Row) -> Result<DoubtMeter> {
    let number: i64 = row.get(0)?;
    let (before_at, border_at, until_at): (Micros, Micros, Micros) = (row.get(8)?, row.get(10)?, row.get(12)?);
    let from = before_at.0 - AROUND.max(border_at.0 - before_at.0);
    let readings = crate::meters::around(tx, org, number, from, until_at.0 + 4 * AROUND).await?;
    let (before, until, cause): (i64, i64, String) = (row.get(9)?, row.get(13)?, row.get(14)?);
    let (assumed, verdict, bridge): (i64, Option<String>, Option<i64>) = (row.get(15)?, row.get(16)?, row.get(17)?);
    Ok(DoubtMeter {
        meter: number,
        title: crate::meters::title(
            &row.get::<String>(1)?,
            &row.get::<String>(2)?,
            &row.get::<String>(3)?,
            &row.get::<String>(4)?,
            &row.get::<String>(5)?,
        ),
        role: row.get(7)?,
        source: row.get(6)?,
        before_at,
        before,
        border_at,
        after: row.get(11)?,
        until_at,
        until,
        counted: match verdict.as_deref() {
            Some("bridge") => bridge.unwrap_or(0),
            Some(_) if cause == "resumed" => (until - before).max(0),
            Some(_) => 0,
            None => assumed,
        },
        cause,
        assumed,
        readings,
    })
}

/// Everything of one doubt.
///
/// # Errors
/// `NotFound` when it is not visible.
pub async fn get(ctx: &Ctx, id: DoubtId) -> Result<DoubtSheet> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let (row, data) = load(ctx, &mut tx, id).await?;
    let meters = meters(&mut tx, &row).await?;
    let last = row.decision.as_deref();
    Ok(DoubtSheet {
        question: words::question(row.kind).to_owned(),
        effect: words::effect(row.kind, &data, &meters),
        choices: words::choices(row.kind, &data, &meters),
        reopenable: row.state == "settled" && !matches!(last, Some("same" | "split")),
        evidence: data,
        meters,
        row,
    })
}
