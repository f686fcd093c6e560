//! Writes the lines of a close: a stretch of devices a transaction, with the place in the same one, so that a crash costs
//! nothing but time and nothing is written twice. The next stretch is read and reckoned while one is written.

use std::sync::Arc;

use store::{Tx, Value, params};
use tokio::task::JoinHandle;

use super::close::{self, CloseRow, CloseState};
use super::reckon::{Reckoned, Reckoner, Stretch};
use super::{document, members, sql};
use crate::ctx::Ctx;
use crate::error::{Error, Kind, Result};

/// Devices whose lines one transaction writes.
pub(super) const STRETCH: i64 = if cfg!(test) { 2 } else { 1_000 };
/// All lines are written.
const ALL: &str = "~";

/// Periods of the contract before this one that are not closed.
pub(super) async fn earlier_open(tx: &mut Tx, close: &CloseRow) -> Result<i64> {
    Ok(tx.query_one(&sql::EARLIER_OPEN, &params![close.org, close.contract, close.to_at]).await?.get(0)?)
}

/// From here on nothing that comes in counts for this period.
pub(super) async fn freeze(tx: &mut Tx, ctx: &Ctx, close: &CloseRow) -> Result<()> {
    if earlier_open(tx, close).await? > 0 {
        return Err(Error::conflict("an earlier period of the contract is not closed yet"));
    }
    if tx.execute(&sql::FREEZE, &params![close.org, close.id, ctx.now, close.version]).await? == 0 {
        return Err(Error::new(Kind::Conflict, "the period is being closed already"));
    }
    tx.execute(&sql::NO_TOTALS, &params![close.org, close.id]).await?;
    Ok(())
}

/// Freezes a close unless another server, or we before a crash, did so; the close as it is then.
pub(super) async fn frozen(tx: &mut Tx, ctx: &Ctx, close: &CloseRow) -> Result<CloseRow> {
    if close::find(tx, close.org, close.id).await?.frozen_at.is_none() {
        freeze(tx, ctx, close).await?;
    }
    close::find(tx, close.org, close.id).await
}

/// Writes all lines that are not written yet, then the document, then the end. Going on after a crash is the same call.
pub(super) async fn finish(ctx: &Ctx, close: &CloseRow) -> Result<()> {
    let Some(bound) = close.frozen_at else { return Err(Error::internal("a period is closed that was not frozen")) };
    if !is_written(close) {
        let mut tx = ctx.db().read(&ctx.scope.view()).await?;
        let reckoner = Arc::new(Reckoner::load(&mut tx, close, bound).await?);
        drop(tx);
        lines(ctx, close, &reckoner).await?;
    }
    document::conclude(ctx, close).await
}

fn is_written(close: &CloseRow) -> bool {
    close.state == CloseState::Closed || close.done_device.as_deref() == Some(ALL)
}

async fn lines(ctx: &Ctx, close: &CloseRow, reckoner: &Arc<Reckoner>) -> Result<()> {
    let mut done = close.done_device.clone().unwrap_or_default();
    let mut ahead = Some(read_ahead(ctx, reckoner, &done));
    while let Some(reading) = ahead.take() {
        let read = reading.await.map_err(|error| Error::internal("lines were not reckoned").with_source(error))??;
        if !read.is_last() {
            ahead = Some(read_ahead(ctx, reckoner, &read.last));
        }
        let mut tx = ctx.db().write(&ctx.scope.view()).await?;
        done = if stretch(&mut tx, close, reckoner, &done, &read).await? {
            read.last
        } else {
            // Another server is further, or what we wrote before a crash came to light only now: on from there.
            let now = close::find(&mut tx, close.org, close.id).await?;
            let place = now.done_device.clone().unwrap_or_default();
            ahead = (!is_written(&now)).then(|| read_ahead(ctx, reckoner, &place));
            place
        };
        // Also where nothing was written: behind it all that was written before is there to be read.
        tx.commit().await?;
    }
    Ok(())
}

/// Reads and reckons the next stretch on a thread of its own.
fn read_ahead(ctx: &Ctx, reckoner: &Arc<Reckoner>, after: &str) -> JoinHandle<Result<Stretch>> {
    let (ctx, reckoner, after) = (ctx.clone(), Arc::clone(reckoner), after.to_owned());
    tokio::spawn(async move {
        let mut tx = ctx.db().read(&ctx.scope.view()).await?;
        reckoner.stretch(&mut tx, &after, STRETCH).await
    })
}

/// Writes the lines of the devices behind `done` and notes how far it came; `false`: they are written already.
pub(super) async fn stretch(
    tx: &mut Tx,
    close: &CloseRow,
    reckoner: &Reckoner,
    done: &str,
    read: &Stretch,
) -> Result<bool> {
    let to = if read.is_last() { ALL } else { &read.last };
    if tx.execute(&sql::DONE_TO, &params![close.org, close.id, done, to]).await? == 0 {
        return Ok(false);
    }
    let gone = members::yield_to_others(tx, close, done, &read.last).await?;
    if gone.is_empty() {
        write(tx, close, reckoner, &read.lines).await?;
    } else {
        let stays = |line: &&Reckoned| !gone.contains(&line.device);
        let lines: Vec<Reckoned> = read.lines.iter().filter(stays).cloned().collect();
        write(tx, close, reckoner, &lines).await?;
    }
    Ok(true)
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
    for (statement, rows) in [(&sql::WRITE_LINE, rows), (&sql::WRITE_BORDER, borders)] {
        if !rows.is_empty() {
            tx.many(statement, rows).await?;
        }
    }
    reckoner.sums(lines).keep(tx, close).await
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
