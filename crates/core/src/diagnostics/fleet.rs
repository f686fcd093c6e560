//! Errors, jams and alarms across the fleet: the list with its filter, and what the numbers mean.

use serde::Serialize;
use store::{Row, Sql, Value};
use wire::monitor::{EventBody, Kind};

use super::service::kind;
use crate::codes::{self, Meaning};
use crate::ctx::{Ctx, Role};
use crate::devices::DeviceId;
use crate::error::Result;
use crate::filter::{Field, FieldKind, Filter};
use crate::ids::OrgId;
use crate::page::{Key, Page, PageQuery, Sort};
use crate::time::Micros;

const KINDS: &str = "case e.kind when 1 then 'error' when 2 then 'jam' else 'alarm' end";
const NEWEST: Sort = Sort {
    name: "told.newest",
    keys: &[
        Key::down("e.at"),
        Key::down("e.device"),
        Key::down("e.kind"),
        Key::down("e.code"),
        Key::down("e.taken_ms"),
        Key::down("e.total"),
        Key::down("e.standing"),
    ],
};

/// Fields of the filter of [`told`] and [`super::troubles`].
pub const FIELDS: &[Field] = &[
    Field::new("kind", KINDS, FieldKind::Word(&["error", "jam", "alarm"])),
    Field::new("code", "e.code", FieldKind::Text),
    Field::new("sub_code", "e.sub_code", FieldKind::Text),
    Field::new("level", "e.level", FieldKind::Int),
    Field::new("tray", "e.tray", FieldKind::Text),
    Field::new("media", "e.media", FieldKind::Text),
    Field::new("total", "e.total", FieldKind::Int),
    Field::new("at", "e.at", FieldKind::Time),
    Field::new("device", "e.device", FieldKind::Text),
    Field::new("name", "d.label", FieldKind::Text),
    Field::new("serial", "d.serial_no", FieldKind::Text),
    Field::new("vendor", "d.vendor", FieldKind::Text),
    Field::new("model", "d.model", FieldKind::Text),
    Field::new("place", "d.place", FieldKind::Text),
    Field::new("org", "e.tenant", FieldKind::Org),
];

/// Which of them.
#[derive(Clone, Debug, Default)]
pub struct ToldQuery {
    /// Condition over [`FIELDS`].
    pub filter: Option<Filter>,
    /// Only of this device.
    pub device: Option<DeviceId>,
    /// Which page; newest first.
    pub page: PageQuery,
}

/// An error, jam or alarm with the device that told it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ToldRow {
    /// Whose device it is.
    pub org: OrgId,
    /// Which device.
    pub device: DeviceId,
    /// Its name for people.
    pub name: String,
    /// Its maker.
    pub vendor: String,
    /// Its model; empty when it told none.
    pub model: String,
    /// Its serial number.
    pub serial: Option<String>,
    /// Error, jam or alarm.
    pub kind: Kind,
    /// When it happened, by our clock.
    pub at: Micros,
    /// When it happened, by the device's clock; milliseconds since 1970.
    pub taken_ms: i64,
    /// What was told.
    #[serde(flatten)]
    pub event: EventBody,
    /// What the code means; `None`: the catalogue lacks it.
    pub meaning: Option<&'static Meaning>,
}

/// Errors, jams and alarms in sight, newest first.
///
/// # Errors
/// `Invalid` for a filter, cursor or limit that does not fit.
pub async fn told(ctx: &Ctx, query: &ToldQuery) -> Result<Page<ToldRow>> {
    ctx.require(Role::User, "see what devices tell")?;
    let limit = query.page.limit()?;
    let mut values = Vec::new();
    let mut conditions = vec![ctx.scope.condition("e", &mut values), ctx.scope.condition("d", &mut values)];
    if let Some(device) = query.device {
        values.push(device.into());
        conditions.push(format!("e.device = ${}", values.len()));
    }
    if let Some(filter) = &query.filter {
        conditions.push(filter.to_sql(FIELDS, &mut values)?);
    }
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut count = None;
    if query.page.count {
        let text = format!("select count(*) from {FROM} where {}", conditions.join(" and "));
        count = Some(tx.query_one(&Sql::built_as("told count", text), &values).await?.get(0)?);
    }
    conditions.push(NEWEST.after(query.page.after.as_deref(), &mut values)?);
    let text = format!(
        "select e.tenant, e.device, d.label, d.vendor, coalesce(d.model, ''), d.serial_no, e.sub_code, e.level, e.tray, e.media,
           e.at, e.device, e.kind, e.code, e.taken_ms, e.total, e.standing
         from {FROM}
         where {}
         order by {}
         limit {}",
        conditions.join(" and "),
        NEWEST.order(),
        limit + 1
    );
    let rows = tx.query(&Sql::built_as("told list", text), &values).await?;
    let mut page = NEWEST.page(rows, limit, read)?;
    page.count = count;
    Ok(page)
}

const FROM: &str = "device_events e join devices d on d.tenant = e.tenant and d.id = e.device";

fn read(row: &Row) -> Result<ToldRow> {
    let (total, standing): (i64, i64) = (row.get(15)?, row.get(16)?);
    let level: Option<i64> = row.get(7)?;
    let event = EventBody {
        code: row.get(13)?,
        sub_code: row.get(6)?,
        level: level.and_then(|level| u8::try_from(level).ok()),
        total: u64::try_from(total).ok(),
        tray: row.get(8)?,
        media: row.get(9)?,
        standing: (standing >= 0).then_some(standing == 1),
    };
    let (vendor, model, kind): (String, String, Kind) = (row.get(3)?, row.get(4)?, kind(row, 12)?);
    Ok(ToldRow {
        meaning: codes::of(&vendor, &model, kind, &event.code, event.sub_code.as_deref()),
        org: row.get(0)?,
        device: row.get(1)?,
        name: row.get(2)?,
        vendor,
        model,
        serial: row.get(5)?,
        kind,
        at: row.get(10)?,
        taken_ms: row.get(14)?,
        event,
    })
}

/// How many of each kind there were in each of so many steps of time, for a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// When it begins.
    pub from: Micros,
    /// Errors, jams, alarms.
    pub counts: [i64; 3],
}

/// Counts what was told in `steps` steps of `width` µs, the last of which ends now; that something is over does not count.
///
/// # Errors
/// `Invalid` for a filter that does not fit.
pub async fn told_steps(ctx: &Ctx, query: &ToldQuery, width: i64, steps: usize) -> Result<Vec<Step>> {
    ctx.require(Role::User, "see what devices tell")?;
    let (width, steps) = (width.max(1_000_000), steps.clamp(1, 400));
    let begin = ctx.now.0 - width * i64::try_from(steps).unwrap_or(1);
    let mut values: Vec<Value> = vec![begin.into(), width.into()];
    let mut conditions = vec![ctx.scope.condition("e", &mut values), ctx.scope.condition("d", &mut values)];
    conditions.push("e.at >= $1 and e.standing <> 0".to_owned());
    if let Some(device) = query.device {
        values.push(device.into());
        conditions.push(format!("e.device = ${}", values.len()));
    }
    if let Some(filter) = &query.filter {
        conditions.push(filter.to_sql(FIELDS, &mut values)?);
    }
    let text = format!(
        "select (e.at - $1) / $2, e.kind, count(*) from {FROM} where {} group by (e.at - $1) / $2, e.kind",
        conditions.join(" and ")
    );
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut all: Vec<Step> =
        (0..steps).map(|n| Step { from: Micros(begin + width * n as i64), counts: [0; 3] }).collect();
    for row in tx.query(&Sql::built_as("told steps", text), &values).await? {
        let (place, kind, count): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let place = usize::try_from(place).unwrap_or(usize::MAX).min(steps - 1);
        if let Some(slot) = usize::try_from(kind - 1).ok().and_then(|kind| all[place].counts.get_mut(kind)) {
            *slot += count;
        }
    }
    Ok(all)
}
