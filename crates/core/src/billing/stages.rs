//! Moves closes along: scheduled → gathering → review → closed. Each step compares what is with what should be, so that it
//! may run twice or be killed anywhere; lines are written a stretch of devices a transaction, with the place in the same one.

use serde::Serialize;
use serde_json::json;
use store::{Sql, Tx, Value, params};
use wire::command::What;

use super::close::{self, CloseRow, CloseState, Total};
use super::contracts::{self, Contract, DEVICE_FIELDS, EVERY};
use super::reckon::{Reckoned, Reckoner};
use super::{CloseId, document, gaps, sql};
use crate::ctx::Ctx;
use crate::error::{Error, Kind, Result};
use crate::events;
use crate::filter::Filter;
use crate::ids::OrgId;
use crate::monitors;
use crate::platform::Platform;
use crate::time::{DAY, Micros};

/// Devices whose lines one transaction writes.
pub(super) const STRETCH: i64 = if cfg!(test) { 2 } else { 1_000 };
/// All lines are written.
const ALL: &str = "~";
/// Missing readings are looked for again after so long. One hour in µs.
const LOOK_EACH: i64 = 3_600 * 1_000_000;

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Periods whose missing readings are listed from now on.
    pub gathering: u64,
    /// Periods that ended.
    pub review: u64,
    /// Periods that were closed.
    pub closed: u64,
}

/// Moves each close as far as it can go now; call it each minute. What cannot be closed holds up nothing else.
///
/// # Errors
/// When the database refuses.
pub async fn run(platform: &Platform) -> Result<Moved> {
    let ctx = platform.system("periods that are due");
    let mut moved = Moved::default();
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&sql::DUE, &params![ctx.now.0 + DAY]).await?;
    drop(tx);
    let due = rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<Vec<(OrgId, CloseId)>>>()?;
    // Some at a time: what waits for the disk waits together.
    for some in due.chunks(4) {
        let at = |place: usize| attempt(&ctx, some.get(place).copied());
        let (a, b, c, d) = tokio::join!(at(0), at(1), at(2), at(3));
        for one in [a, b, c, d] {
            moved.gathering += one.gathering;
            moved.review += one.review;
            moved.closed += one.closed;
        }
    }
    Ok(moved)
}

async fn attempt(ctx: &Ctx, close: Option<(OrgId, CloseId)>) -> Moved {
    let mut moved = Moved::default();
    if let Some((org, id)) = close
        && let Err(error) = step(ctx, org, id, &mut moved).await
    {
        tracing::warn!(close.id = %id, %error, "a period could not be moved along; it is tried again in a minute");
    }
    moved
}

async fn step(ctx: &Ctx, org: OrgId, id: CloseId, moved: &mut Moved) -> Result<()> {
    let close = load(ctx, org, id).await?;
    if close.frozen_at.is_none() {
        let over = close.to_at <= ctx.now;
        let wanted = if over { CloseState::Review } else { CloseState::Gathering };
        let due = |at: Micros| ctx.now.0 - at.0 >= LOOK_EACH;
        if close.state != wanted || close.looked_at.is_none_or(due) {
            look(ctx, &close, wanted).await?;
            if close.state != wanted && !over {
                ask(ctx, &close).await?;
            }
            moved.gathering += u64::from(close.state != wanted && !over);
            moved.review += u64::from(close.state != wanted && over);
        }
        let close = load(ctx, org, id).await?;
        if close.frozen_at.is_none() {
            if !is_ready(ctx, &close).await? {
                return Ok(());
            }
            let mut tx = ctx.db().write(&ctx.scope.view()).await?;
            freeze(&mut tx, ctx, &close).await?;
            tx.commit().await?;
        }
    }
    finish(ctx, org, id).await?;
    moved.closed += 1;
    Ok(())
}

/// Asks devices that report by themselves for the counters that are missing, once a period; others are read by their agents
/// anyway.
async fn ask(ctx: &Ctx, close: &CloseRow) -> Result<()> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&sql::ASKED, &params![close.org, close.id]).await?;
    drop(tx);
    for row in rows {
        let what = What::ReportNow(vec![wire::monitor::Kind::Billing]);
        monitors::order(ctx, row.get(0)?, what, DAY / 1_000).await?;
    }
    Ok(())
}

/// Brings a close into a state, and looks for what is missing. Where a stretch holds all of its devices and nothing is
/// missing at its end, its lines are written at once: most closes are such.
async fn look(ctx: &Ctx, close: &CloseRow, state: CloseState) -> Result<()> {
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    if close.state != state && !enter(ctx, &mut tx, close, state).await? {
        return Ok(());
    }
    members(&mut tx, close).await?;
    let reckoner = Reckoner::load(&mut tx, close, ctx.now).await?;
    let lines = reckoner.stretch(&mut tx, "", STRETCH).await?;
    let per_device = reckoner.lines.len().max(1);
    if lines.len() / per_device >= usize::try_from(STRETCH).unwrap_or(usize::MAX) {
        tx.commit().await?;
        return gaps::look(ctx, close).await;
    }
    let missing = gaps::note(&mut tx, close, "", &lines).await?;
    tx.execute(&sql::LOOKED, &params![close.org, close.id, ctx.now]).await?;
    if missing == 0 && state == CloseState::Review && earlier_open(&mut tx, close).await? == 0 {
        freeze(&mut tx, ctx, close).await?;
        tx.execute(&sql::DONE_TO, &params![close.org, close.id, "", ALL]).await?;
        write(&mut tx, close, &reckoner, &lines).await?;
    }
    Ok(tx.commit().await?)
}

async fn load(ctx: &Ctx, org: OrgId, id: CloseId) -> Result<CloseRow> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    close::find(&mut tx, org, id).await
}

/// Nothing waits for a person; and either nothing is missing, or the time to read it after all is over.
async fn is_ready(ctx: &Ctx, close: &CloseRow) -> Result<bool> {
    if close.state != CloseState::Review || close.open_gaps > 0 {
        return Ok(false);
    }
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let contract = contracts::find(&mut tx, close.org, close.contract).await?;
    let waits = close.gaps > 0 && ctx.now.0 < close.to_at.0 + contract.review_d * DAY;
    Ok(!waits && earlier_open(&mut tx, close).await? == 0)
}

async fn earlier_open(tx: &mut Tx, close: &CloseRow) -> Result<i64> {
    Ok(tx.query_one(&sql::EARLIER_OPEN, &params![close.org, close.contract, close.to_at]).await?.get(0)?)
}

/// Plans the period that begins at `from`.
pub(super) async fn schedule(tx: &mut Tx, contract: &Contract, from: i64) -> Result<()> {
    let calendar = contract.calendar();
    let to = calendar.end_after(from);
    let id = contracts::close_id(contract.org, contract.id, to);
    let values = params![contract.org, id, contract.id, calendar.label(to), from, to];
    tx.execute(&sql::SCHEDULE, &values).await?;
    Ok(())
}

/// Brings a close into a state; `false`: another server did.
async fn enter(ctx: &Ctx, tx: &mut Tx, close: &CloseRow, to: CloseState) -> Result<bool> {
    let values = params![close.org, close.id, to.as_str(), ctx.now, close.state.as_str()];
    if tx.execute(&sql::SET_STATE, &values).await? == 0 {
        return Ok(false);
    }
    if to == CloseState::Review {
        let contract = contracts::find(tx, close.org, close.contract).await?;
        let goes_on = contract.ended_at.is_none_or(|ended| ended > close.to_at);
        if goes_on {
            schedule(tx, &contract, close.to_at.0).await?;
        }
        let data = json!({ "contract": close.contract, "number": close.number, "period": close.period });
        events::emit(tx, ctx, close.org, "close.review.started", ("close", close.id.to_string()), data).await?;
    }
    Ok(true)
}

/// Notes who belongs to a close and what its lines are, as of now.
pub(super) async fn members(tx: &mut Tx, close: &CloseRow) -> Result<()> {
    let contract = contracts::find(tx, close.org, close.contract).await?;
    let (org, id, from, to) = (close.org, close.id, close.from_at, close.to_at);
    for statement in [&sql::DROP_DEVICES, &sql::DROP_TOTALS] {
        tx.execute(statement, &params![org, id]).await?;
    }
    tx.execute(&sql::TAKE_LINES, &params![org, id, contract.id]).await?;
    tx.execute(&sql::TAKE_ASSIGNED, &params![org, id, contract.id, from, to]).await?;
    let Some(wanted) = &contract.device_filter else { return Ok(()) };
    let mut values: Vec<Value> = params![org, id, contract.id, from, to].into();
    let condition =
        if wanted == EVERY { "1 = 1".to_owned() } else { Filter::parse(wanted)?.to_sql(DEVICE_FIELDS, &mut values)? };
    // Who is assigned by name, or was billed by another contract for some of this time, is not taken by a filter.
    let text = format!(
        "insert into close_devices (tenant, close, device, from_at, until_at, serial_no, asset_no, vendor, model, name, place)
        select $1, $2, d.id, $4, case when d.retired_at is not null and d.retired_at < $5 then d.retired_at else $5 end,
          d.serial_no, d.asset_no, d.vendor, d.model, d.label, d.place
        from devices d
        where d.tenant = $1 and d.first_at < $5 and (d.retired_at is null or d.retired_at > $4)
          and not exists (select 1 from device_assignments a where a.tenant = $1 and a.device = d.id and a.from_at < $5
            and (a.until_at is null or a.until_at > $4))
          and not exists (select 1 from close_lines l where l.tenant = $1 and l.device = d.id and l.contract <> $3 and l.to_at > $4
            and l.from_at < $5)
          and ({condition})
        order by d.id"
    );
    tx.execute(&Sql::built_as("billing::members", text), &values).await?;
    Ok(())
}

/// From here on nothing that comes in counts for this period.
pub(super) async fn freeze(tx: &mut Tx, ctx: &Ctx, close: &CloseRow) -> Result<()> {
    if earlier_open(tx, close).await? > 0 {
        return Err(Error::conflict("an earlier period of the contract is not closed yet"));
    }
    if tx.execute(&sql::FREEZE, &params![close.org, close.id, ctx.now]).await? == 0 {
        return Err(Error::new(Kind::Conflict, "the period is being closed already"));
    }
    Ok(())
}

/// Writes all lines that are not written yet, then the document, then the end. Going on after a crash is the same call.
pub(super) async fn finish(ctx: &Ctx, org: OrgId, id: CloseId) -> Result<()> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let close = close::find(&mut tx, org, id).await?;
    let Some(bound) = close.frozen_at else { return Err(Error::internal("a period is closed that was not frozen")) };
    let reckoner = Reckoner::load(&mut tx, &close, bound).await?;
    drop(tx);
    while stretch(ctx, &close, &reckoner).await? {}
    document::conclude(ctx, &close).await
}

/// The next stretch of lines; `false`: all are written.
async fn stretch(ctx: &Ctx, close: &CloseRow, reckoner: &Reckoner) -> Result<bool> {
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let now = close::find(&mut tx, close.org, close.id).await?;
    let done = now.done_device.unwrap_or_default();
    if now.state == CloseState::Closed || done == ALL {
        return Ok(false);
    }
    let lines = reckoner.stretch(&mut tx, &done, STRETCH).await?;
    let to = lines.last().map_or_else(|| ALL.to_owned(), |line| line.device.to_string());
    if tx.execute(&sql::DONE_TO, &params![close.org, close.id, &done, &to]).await? == 0 {
        return Err(Error::conflict("another server writes these lines"));
    }
    write(&mut tx, close, reckoner, &lines).await?;
    tx.commit().await?;
    Ok(to != ALL)
}

async fn write(tx: &mut Tx, close: &CloseRow, reckoner: &Reckoner, lines: &[Reckoned]) -> Result<()> {
    let (mut rows, mut borders) = (Vec::with_capacity(lines.len()), Vec::new());
    for line in lines {
        let Some(row) = row(close, line) else { continue };
        rows.push(row);
        for border in &line.borders {
            borders.push(Vec::from(params![
                close.org,
                close.id,
                line.device,
                line.no,
                border.at,
                &border.reason,
                border.before,
                border.after,
                border.bridged
            ]));
        }
    }
    let mut totals = Vec::new();
    for (no, own) in &reckoner.lines {
        let of_line = || lines.iter().filter(|line| line.no == *no && line.meter.is_some());
        let units: i64 = of_line().map(|line| line.owed.billed).sum();
        let gross: i64 = of_line().map(|line| line.amount_micro).sum();
        let devices = i64::try_from(of_line().count()).unwrap_or(0);
        totals.push(Vec::from(params![close.org, close.id, *no, devices, units, units * own.factor_milli, gross]));
    }
    for (statement, rows) in [(&sql::WRITE_LINE, rows), (&sql::WRITE_BORDER, borders), (&sql::ADD_TOTAL, totals)] {
        if !rows.is_empty() {
            tx.many(statement, rows).await?;
        }
    }
    Ok(())
}

/// A line as it is kept; a counter that the device does not have is listed as a gap and has none.
fn row(close: &CloseRow, line: &Reckoned) -> Option<Vec<Value>> {
    let meter = line.meter?;
    let (opening, owed) = (line.opening(), &line.owed);
    let closing = line.facts.closing.as_ref();
    Some(
        params![
            close.org,
            close.id,
            line.device,
            line.no,
            meter,
            close.contract,
            line.erp_code.as_ref(),
            line.facts.from_at,
            line.facts.until_at,
            opening.as_ref().map(|opening| opening.0),
            opening.as_ref().map(|opening| opening.1),
            opening.as_ref().map(|opening| opening.2.as_str()),
            closing.map(|read| read.value),
            closing.map(|read| read.at),
            closing.map(|read| read.quality.as_str()),
            line.quality.to_string(),
            line.clock_offset_ms(),
            owed.base.map(|base| base.0),
            owed.base.map(|base| base.1),
            owed.actual_total,
            owed.billed_total,
            owed.usage,
            owed.estimate_in,
            owed.estimate,
            owed.carry_in,
            owed.carry_out,
            owed.billed,
            line.amount_micro
        ]
        .into(),
    )
}

/// The sums of a close that is not closed yet, as they would be now.
pub(super) async fn would_be(
    tx: &mut Tx,
    close: &CloseRow,
    mut totals: Vec<Total>,
    bound: Micros,
) -> Result<Vec<Total>> {
    let reckoner = Reckoner::load(tx, close, bound).await?;
    for total in &mut totals {
        (total.devices, total.units, total.units_milli, total.gross_micro) = (0, 0, 0, 0);
    }
    let mut after = String::new();
    loop {
        let lines = reckoner.stretch(tx, &after, STRETCH).await?;
        let Some(last) = lines.last() else { break };
        after = last.device.to_string();
        for line in lines.iter().filter(|line| line.meter.is_some()) {
            let Some(total) = totals.iter_mut().find(|total| total.line.no == line.no) else { continue };
            total.devices += 1;
            total.units += line.owed.billed;
            total.units_milli += line.owed.billed * total.line.factor_milli;
            total.gross_micro += line.amount_micro;
        }
    }
    for total in &mut totals {
        total.settle();
    }
    Ok(totals)
}
