//! Reckons the lines of a close, a stretch of devices at a time: the same way for a look beforehand, for the close itself
//! and for a correction. Facts come by one statement a stretch, the arithmetic is `rules`.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use store::{FromValue, Row, Tx, params};

use super::contracts::{self, Contract, Line};
use super::maps::{self, MeterMap};
use super::rules::{self, Before, Estimate, Facts, Owed, Quality, Read, owed};
use super::{CloseId, CloseRow, CloseState, close, sql};
use crate::ctx::{Ctx, Role};
use crate::devices::DeviceId;
use crate::doubts::DoubtFlag;
use crate::error::Result;
use crate::ids::OrgId;
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

/// A line with all that is known of it.
#[derive(Clone, Debug)]
pub(super) struct Reckoned {
    pub(super) device: DeviceId,
    pub(super) no: i64,
    pub(super) meter: Option<i64>,
    pub(super) erp_code: Option<String>,
    pub(super) facts: Facts,
    pub(super) owed: Owed,
    pub(super) quality: Quality,
    pub(super) amount_micro: i64,
    pub(super) borders: Vec<Border>,
    pub(super) stale: bool,
    /// Kinds of open doubts, and whether the newest value is held back.
    pub(super) doubts: Vec<&'static str>,
}

impl Reckoned {
    /// The value that the period began with: the end of the one before, else the reading that billing began with.
    pub(super) fn opening(&self) -> Option<(i64, i64, String)> {
        let before = self.facts.before.as_ref().and_then(|before| before.closing.clone());
        before.or_else(|| self.facts.base.as_ref().map(|read| (read.value, read.at, read.quality.clone())))
    }

    pub(super) fn clock_offset_ms(&self) -> i64 {
        let offset = self.facts.closing.as_ref().map_or(0, |read| read.offset_ms);
        if offset.abs() > rules::CLOCK_FLAG { offset } else { 0 }
    }
}

/// What all stretches of one close share.
pub(super) struct Reckoner {
    pub(super) org: OrgId,
    pub(super) close: CloseId,
    pub(super) contract: Contract,
    /// Lines as they hold for this close.
    pub(super) lines: BTreeMap<i64, Line>,
    maps: Vec<MeterMap>,
    flags: HashMap<DeviceId, Vec<DoubtFlag>>,
    /// What came in later does not count.
    bound: Micros,
}

impl Reckoner {
    pub(super) async fn load(tx: &mut Tx, close: &CloseRow, bound: Micros) -> Result<Self> {
        let contract = contracts::find(tx, close.org, close.contract).await?;
        let mut lines = BTreeMap::new();
        for row in tx.query(&sql::TOTALS, &params![close.org, close.id]).await? {
            let line = contracts::line(&row)?;
            lines.insert(line.no, line);
        }
        let maps = maps::load(tx, close.org).await?;
        let flags = crate::doubts::flags(tx, close.org).await?;
        Ok(Self { org: close.org, close: close.id, contract, lines, maps, flags, bound })
    }

    /// The lines of the next `count` devices behind `after`; none: there are no more.
    pub(super) async fn stretch(&self, tx: &mut Tx, after: &str, count: i64) -> Result<Vec<Reckoned>> {
        let values = params![self.org, self.close, self.bound, after, count, self.contract.id];
        let rows = tx.query(&sql::FACTS, &values).await?;
        let mut broken = false;
        let mut all = Vec::with_capacity(rows.len());
        for row in &rows {
            broken |= row.get::<Option<i64>>(17)?.is_some_and(|segment| segment > 1);
            all.push(self.line(tx, row).await?);
        }
        if broken && let (Some(first), Some(last)) = (all.first(), all.last()) {
            let borders = self.borders(tx, after, first.device.max(last.device)).await?;
            for line in &mut all {
                self.mark(line, &borders);
            }
        }
        Ok(all)
    }

    async fn line(&self, tx: &mut Tx, row: &Row) -> Result<Reckoned> {
        let (device, no, meter): (DeviceId, i64, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let mut facts = Facts {
            from_at: row.get(3)?,
            until_at: row.get(4)?,
            base: read(row, 12)?,
            closing: read(row, 7)?,
            before: before(row)?,
            estimate: None,
        };
        let stale = rules::is_stale(facts.closing.as_ref().map(|r| r.at), facts.until_at, self.contract.max_age_d);
        if let (true, Some(meter)) = (stale, meter) {
            facts.estimate = self.estimate(tx, device, meter, &facts).await?;
        }
        let line = self.lines.get(&no);
        let (vendor, model): (String, Option<String>) = (row.get(5)?, row.get(6)?);
        let mapped = line.and_then(|line| maps::code(&self.maps, device, &vendor, model.as_deref(), &line.words));
        let erp_code = mapped.or(line.and_then(|line| line.erp_code.as_deref())).map(str::to_owned);
        let owed = owed(&facts);
        let (read_at, held): (Option<i64>, Option<String>) = (row.get(18)?, row.get(19)?);
        let doubts = self.doubts(device, meter, &facts, (read_at, held.as_deref()));
        let factor = line.map_or(1_000, |line| line.factor_milli);
        let amount_micro = rules::amount(owed.billed, factor, line.map_or(0, |line| line.price_micro));
        let mut quality = match &facts.closing {
            None => Quality::Missing,
            Some(closing) if closing.quality == "manual" => Quality::Manual,
            Some(_) => Quality::Actual,
        };
        if owed.estimate > 0 {
            quality = quality.max(Quality::Estimated);
        }
        if !doubts.is_empty() {
            quality = quality.max(Quality::Suspect);
        }
        Ok(Reckoned {
            device,
            no,
            meter,
            erp_code,
            facts,
            owed,
            quality,
            amount_micro,
            borders: Vec::new(),
            stale,
            doubts,
        })
    }

    /// Kinds of what nobody has settled about a counter in this period.
    fn doubts(
        &self,
        device: DeviceId,
        meter: Option<i64>,
        facts: &Facts,
        (read_at, quality): (Option<i64>, Option<&str>),
    ) -> Vec<&'static str> {
        let Some(meter) = meter else { return Vec::new() };
        let from = self.opening_at(facts);
        let open = self.flags.get(&device).into_iter().flatten();
        let mut kinds: Vec<&'static str> =
            open.filter(|flag| flag.concerns(meter, from, facts.until_at)).map(|flag| flag.kind.as_str()).collect();
        let held = quality == Some("suspect") && read_at.is_some_and(|at| at > from && at <= facts.until_at);
        kinds.extend(held.then_some("held_back"));
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    fn opening_at(&self, facts: &Facts) -> i64 {
        let before = facts.before.as_ref().and_then(|before| before.closing.as_ref()).map(|closing| closing.1);
        before.or(facts.base.as_ref().map(|base| base.at)).unwrap_or(facts.from_at)
    }

    /// Usage from the newest reading to the end, as the contract estimates it.
    async fn estimate(&self, tx: &mut Tx, device: DeviceId, meter: i64, facts: &Facts) -> Result<Option<i64>> {
        let Some(closing) = &facts.closing else { return Ok(None) };
        let missing = facts.until_at - closing.at;
        // A period in which nothing was read says nothing.
        let before = facts.before.as_ref().filter(|before| before.usage > 0 && before.span > 0);
        match (self.contract.estimate, before) {
            (Estimate::None, _) => return Ok(None),
            (Estimate::LastPeriod, Some(before)) => return Ok(rules::at_pace(before.usage, before.span, missing)),
            (Estimate::LastPeriod | Estimate::Average, _) => {}
        }
        let since = closing.at - rules::LOOK_BACK;
        let row = tx.query_opt(&sql::SINCE, &params![self.org, device, meter, since, self.bound]).await?;
        let Some(row) = row else { return Ok(None) };
        let (at, counted): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(rules::at_pace(closing.counted - counted, closing.at - at, missing))
    }

    async fn borders(&self, tx: &mut Tx, after: &str, last: DeviceId) -> Result<HashMap<(DeviceId, i64), Vec<Border>>> {
        let mut all: HashMap<_, Vec<Border>> = HashMap::new();
        for row in tx.query(&sql::BORDERS, &params![self.org, self.close, after, last]).await? {
            let border = Border {
                at: row.get(2)?,
                reason: row.get(3)?,
                before: row.get(4)?,
                after: row.get(5)?,
                bridged: row.get(6)?,
            };
            all.entry((row.get(0)?, row.get(1)?)).or_default().push(border);
        }
        Ok(all)
    }

    fn mark(&self, line: &mut Reckoned, borders: &HashMap<(DeviceId, i64), Vec<Border>>) {
        let (Some(meter), Some(closing)) = (line.meter, &line.facts.closing) else { return };
        let from = self.opening_at(&line.facts);
        let within = |border: &&Border| border.at.0 > from && border.at.0 <= closing.at;
        let of_meter = borders.get(&(line.device, meter)).into_iter().flatten();
        line.borders = of_meter.filter(within).cloned().collect();
        if !line.borders.is_empty() {
            line.quality = line.quality.max(Quality::ResetAdjusted);
        }
    }
}

fn read(row: &Row, first: usize) -> Result<Option<Read>> {
    let (at, counted): (Option<i64>, Option<i64>) = (row.get(first)?, row.get(first + 4)?);
    let (Some(at), Some(counted)) = (at, counted) else { return Ok(None) };
    Ok(Some(Read {
        at,
        value: row.get(first + 1)?,
        quality: row.get(first + 2)?,
        offset_ms: row.get(first + 3)?,
        counted,
    }))
}

fn before(row: &Row) -> Result<Option<Before>> {
    let Some(billed_total) = row.get::<Option<i64>>(26)? else { return Ok(None) };
    let closing: (Option<i64>, Option<i64>, Option<String>) = (row.get(20)?, row.get(21)?, row.get(22)?);
    let base: (Option<i64>, Option<i64>) = (row.get(23)?, row.get(24)?);
    Ok(Some(Before {
        closing: match closing {
            (Some(value), Some(at), Some(quality)) => Some((value, at, quality)),
            _ => None,
        },
        base: base.0.zip(base.1),
        actual_total: row.get(25)?,
        billed_total,
        estimate: row.get(27)?,
        carry: row.get(28)?,
        usage: row.get(29)?,
        span: row.get(30)?,
    }))
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
    let devices = i64::try_from(briefs.len()).unwrap_or(0);
    let last = reckoned.last().filter(|_| devices >= limit);
    let next = last.map(|last| BY_DEVICE.cursor(&[last.device.into(), last.no.into()]));
    let items = reckoned
        .into_iter()
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
        let border = Border {
            at: row.get(2)?,
            reason: row.get(3)?,
            before: row.get(4)?,
            after: row.get(5)?,
            bridged: row.get(6)?,
        };
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
