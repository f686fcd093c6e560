//! Lines of a close as people see them: as they were written, or, before it is closed, as they would be now.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use store::{FromValue, Row, Tx, params};

use super::contracts::Line;
use super::reckon::{Reckoned, Reckoner};
use super::{CloseId, CloseRow, CloseState, close, sql};
use crate::ctx::{Ctx, Role};
use crate::devices::DeviceId;
use crate::error::Result;
use crate::page::{Key, Page, PageQuery, Sort};
use crate::time::Micros;

const BY_DEVICE: Sort = Sort { name: "close.lines", keys: &[Key::up("l.device"), Key::up("l.no")] };

/// One counter of one device in one close.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineRow {
    /// The device.
    pub device: DeviceId,
    /// Line of the contract.
    pub no: i64,
    /// What is billed, in words.
    pub name: String,
    /// Serial number as it was then.
    pub serial: Option<String>,
    /// Asset number as it was then.
    pub asset_no: Option<String>,
    /// Brand slug.
    pub vendor: String,
    /// Model.
    pub model: Option<String>,
    /// What people called it then.
    pub device_name: String,
    /// Where it stood then.
    pub place: String,
    /// Code in the books; `None`: not mapped.
    pub erp_code: Option<String>,
    /// Number of the meter; `None`: the device has no such counter.
    pub meter: Option<i64>,
    /// The device's part of the period.
    pub from_at: Micros,
    /// Its end.
    pub to_at: Micros,
    /// Value at the beginning.
    pub opening: Option<i64>,
    /// When it was read.
    pub opening_at: Option<Micros>,
    /// actual or manual.
    pub opening_quality: Option<String>,
    /// Value at the end.
    pub closing: Option<i64>,
    /// When it was read.
    pub closing_at: Option<Micros>,
    /// actual or manual.
    pub closing_quality: Option<String>,
    /// actual, manual, reset-adjusted, estimated, suspect or missing: the worst of its parts.
    pub quality: String,
    /// How far the clock of whoever read was behind ours, ms; 0 where it is nothing to speak of.
    pub clock_offset_ms: i64,
    /// Used in the period by readings.
    pub usage: i64,
    /// The estimate of the period before, which is taken back.
    pub estimate_in: i64,
    /// Estimated until the end.
    pub estimate: i64,
    /// Billed too much before.
    pub carry_in: i64,
    /// Still billed too much.
    pub carry_out: i64,
    /// Billed now.
    pub billed: i64,
    /// Its price before what is included, millionths.
    pub amount_micro: i64,
    /// Borders of segments in the period: `reset`, `rollover`, `board_swap` …
    pub breaks: Vec<Border>,
}

/// Where a counter began anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Border {
    /// When the first reading behind it was taken.
    pub at: Micros,
    /// rollover, reset, set_back, board_swap, jump, resumed, manual.
    pub reason: String,
    /// Last value before.
    pub before: i64,
    /// First value behind.
    pub after: i64,
    /// Units counted over it.
    pub bridged: i64,
}

impl Border {
    /// Reads it from the third column on.
    pub(super) fn read(row: &Row) -> Result<Self> {
        Ok(Self { at: row.get(2)?, reason: row.get(3)?, before: row.get(4)?, after: row.get(5)?, bridged: row.get(6)? })
    }
}

/// What a device was called when the close was made.
#[derive(Clone, Debug, Default)]
pub(super) struct Brief {
    pub(super) serial: Option<String>,
    pub(super) asset_no: Option<String>,
    pub(super) vendor: String,
    pub(super) model: Option<String>,
    pub(super) name: String,
    pub(super) place: String,
}

pub(super) fn brief(row: &Row, first: usize) -> Result<Brief> {
    Ok(Brief {
        serial: row.get(first)?,
        asset_no: row.get(first + 1)?,
        vendor: row.get(first + 2)?,
        model: row.get(first + 3)?,
        name: row.get(first + 4)?,
        place: row.get(first + 5)?,
    })
}

/// The lines of a close: as they were written, or, before it is closed, as they would be now. `limit` is in lines once it
/// is closed, in devices before.
///
/// # Errors
/// `NotFound` outside the scope, `Invalid` for a cursor that does not fit.
pub async fn lines(ctx: &Ctx, id: CloseId, page: &PageQuery) -> Result<Page<LineRow>> {
    ctx.require(Role::User, "see closes")?;
    let limit = i64::try_from(page.limit()?).unwrap_or(i64::MAX);
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let found = close::find_visible(ctx, &mut tx, id).await?;
    let mut after = Vec::new();
    BY_DEVICE.after(page.after.as_deref(), &mut after)?;
    let (device, no) = match after.as_slice() {
        [device, no] => (FromValue::from_value(device).unwrap_or_default(), no.clone()),
        _ => (String::new(), 0_i64.into()),
    };
    if found.state == CloseState::Closed {
        let no = FromValue::from_value(&no).unwrap_or(0);
        return written(&mut tx, &found, (&device, no), limit).await;
    }
    let reckoner = Reckoner::load(&mut tx, &found, found.frozen_at.unwrap_or(ctx.now)).await?;
    let reckoned = reckoner.stretch(&mut tx, &device, limit).await?;
    let mut briefs = HashMap::new();
    for row in tx.query(&sql::BRIEFS, &params![found.org, found.id, &device, limit]).await? {
        briefs.insert(row.get::<DeviceId>(0)?, brief(&row, 1)?);
    }
    let last = reckoned.lines.last().filter(|_| !reckoned.is_last());
    let next = last.map(|last| BY_DEVICE.cursor(&[last.device.into(), last.no.into()]));
    // A device without one of the counters has no such line; one without any is among what is missing.
    let items = reckoned
        .lines
        .into_iter()
        .filter(|line| line.meter.is_some())
        .map(|line| {
            let brief = briefs.get(&line.device).cloned().unwrap_or_default();
            shown(line, brief, &reckoner.lines)
        })
        .collect();
    Ok(Page { items, next, count: None })
}

fn shown(line: Reckoned, brief: Brief, lines: &BTreeMap<i64, Line>) -> LineRow {
    let opening = line.opening();
    let clock_offset_ms = line.clock_offset_ms();
    LineRow {
        device: line.device,
        no: line.no,
        name: lines.get(&line.no).map(|line| line.name.clone()).unwrap_or_default(),
        serial: brief.serial,
        asset_no: brief.asset_no,
        vendor: brief.vendor,
        model: brief.model,
        device_name: brief.name,
        place: brief.place,
        erp_code: line.erp_code,
        meter: line.meter,
        from_at: Micros(line.facts.from_at),
        to_at: Micros(line.facts.until_at),
        opening: opening.as_ref().map(|opening| opening.0),
        opening_at: opening.as_ref().map(|opening| Micros(opening.1)),
        opening_quality: opening.map(|opening| opening.2),
        closing: line.facts.closing.as_ref().map(|read| read.value),
        closing_at: line.facts.closing.as_ref().map(|read| Micros(read.at)),
        closing_quality: line.facts.closing.map(|read| read.quality),
        quality: line.quality.to_string(),
        clock_offset_ms,
        usage: line.owed.usage,
        estimate_in: line.owed.estimate_in,
        estimate: line.owed.estimate,
        carry_in: line.owed.carry_in,
        carry_out: line.owed.carry_out,
        billed: line.owed.billed,
        amount_micro: line.amount_micro,
        breaks: line.borders,
    }
}

async fn written(tx: &mut Tx, close: &CloseRow, after: (&str, i64), limit: i64) -> Result<Page<LineRow>> {
    let names = names(tx, close).await?;
    let rows = tx.query(&sql::WRITTEN, &params![close.org, close.id, after.0, after.1, limit + 1]).await?;
    let mut items = rows.iter().map(|row| stored(row, &names)).collect::<Result<Vec<_>>>()?;
    let longer = i64::try_from(items.len()).unwrap_or(0) > limit;
    items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let last = items.last().filter(|_| longer);
    let next = last.map(|last| BY_DEVICE.cursor(&[last.device.into(), last.no.into()]));
    let mut borders = adjusted(tx, close).await?;
    for item in &mut items {
        item.breaks = borders.remove(&(item.device, item.no)).unwrap_or_default();
    }
    Ok(Page { items, next, count: None })
}

/// Names of the lines of a close.
pub(super) async fn names(tx: &mut Tx, close: &CloseRow) -> Result<BTreeMap<i64, String>> {
    let rows = tx.query(&sql::TOTALS, &params![close.org, close.id]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// The borders that were written with a close.
pub(super) async fn adjusted(tx: &mut Tx, close: &CloseRow) -> Result<HashMap<(DeviceId, i64), Vec<Border>>> {
    let mut all: HashMap<_, Vec<Border>> = HashMap::new();
    for row in tx.query(&sql::ADJUSTED, &params![close.org, close.id]).await? {
        let border = Border::read(&row)?;
        all.entry((row.get(0)?, row.get(1)?)).or_default().push(border);
    }
    Ok(all)
}

/// Reads a row of [`sql::WRITTEN`].
pub(super) fn stored(row: &Row, names: &BTreeMap<i64, String>) -> Result<LineRow> {
    let brief = brief(row, 23)?;
    let no: i64 = row.get(1)?;
    Ok(LineRow {
        device: row.get(0)?,
        no,
        name: names.get(&no).cloned().unwrap_or_default(),
        serial: brief.serial,
        asset_no: brief.asset_no,
        vendor: brief.vendor,
        model: brief.model,
        device_name: brief.name,
        place: brief.place,
        meter: row.get(2)?,
        erp_code: row.get(3)?,
        from_at: row.get(4)?,
        to_at: row.get(5)?,
        opening: row.get(6)?,
        opening_at: row.get(7)?,
        opening_quality: row.get(8)?,
        closing: row.get(9)?,
        closing_at: row.get(10)?,
        closing_quality: row.get(11)?,
        quality: row.get(12)?,
        clock_offset_ms: row.get(13)?,
        usage: row.get(16)?,
        estimate_in: row.get(17)?,
        estimate: row.get(18)?,
        carry_in: row.get(19)?,
        carry_out: row.get(20)?,
        billed: row.get(21)?,
        amount_micro: row.get(22)?,
        breaks: Vec::new(),
    })
}
