//! Moves closes along: scheduled → gathering → review → closed. Each step compares what is with what should be, so that it
//! may run twice or be killed anywhere. Reading and reckoning need no write transaction, so that other writers go on.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use serde_json::json;
use store::{Tx, params};
use tokio::task::JoinSet;
use wire::command::What;

use super::close::{self, CloseRow, CloseState};
use super::contracts::{self, Contract};
use super::members::{self, BEHIND_ALL};
use super::reckon::Reckoner;
use super::write::{self, STRETCH};
use super::{CloseId, gaps, sql};
use crate::ctx::Ctx;
use crate::error::{Error, Result};
use crate::events;
use crate::ids::OrgId;
use crate::monitors;
use crate::platform::Platform;
use crate::time::{DAY, Micros};

/// Closes that are moved along at the same time: one reads and reckons while another writes or waits for the disk.
const WORKERS: usize = 3;
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

impl Moved {
    fn add(&mut self, other: Self) {
        self.gathering += other.gathering;
        self.review += other.review;
        self.closed += other.closed;
    }
}

/// What a look that finds nothing missing may do at the end of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Write the lines at once.
    Close,
    /// Nothing: a person looks.
    Wait,
}

/// Moves each close as far as it can go now; call it each minute. What cannot be closed holds up nothing else.
///
/// # Errors
/// When the database refuses.
pub async fn run(platform: &Platform) -> Result<Moved> {
    let ctx = platform.system("periods that are due");
    let queue = Arc::new(Mutex::new(due(&ctx).await?.into_iter()));
    let mut workers = JoinSet::new();
    for _ in 0..WORKERS {
        let (ctx, queue) = (ctx.clone(), Arc::clone(&queue));
        workers.spawn(async move { work(&ctx, &queue).await });
    }
    let mut moved = Moved::default();
    while let Some(one) = workers.join_next().await {
        moved.add(one.map_err(|error| Error::internal("a close stopped half-way").with_source(error))?);
    }
    Ok(moved)
}

async fn due(ctx: &Ctx) -> Result<Vec<(OrgId, CloseId)>> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&sql::DUE, &params![ctx.now.0 + DAY]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// Closes that wait to be moved along.
type Queue = Mutex<std::vec::IntoIter<(OrgId, CloseId)>>;

/// Moves one close after another along, until none waits.
async fn work(ctx: &Ctx, queue: &Queue) -> Moved {
    let mut moved = Moved::default();
    loop {
        let next = queue.lock().next();
        let Some((org, id)) = next else { return moved };
        if let Err(error) = step(ctx, org, id, &mut moved).await {
            tracing::warn!(close.id = %id, %error, "a period could not be moved along; it is tried again in a minute");
        }
    }
}

/// As [`run`], without tasks of its own: a test can stop it anywhere.
#[cfg(test)]
pub(super) async fn run_here(platform: &Platform) -> Result<Moved> {
    let ctx = platform.system("periods that are due");
    let queue = Mutex::new(due(&ctx).await?.into_iter());
    Ok(work(&ctx, &queue).await)
}

async fn step(ctx: &Ctx, org: OrgId, id: CloseId, moved: &mut Moved) -> Result<()> {
    let close = load(ctx, org, id).await?;
    if close.frozen_at.is_none() {
        let over = close.to_at <= ctx.now;
        let wanted = if over { CloseState::Review } else { CloseState::Gathering };
        let due = |at: Micros| ctx.now.0 - at.0 >= LOOK_EACH;
        if close.state != wanted || close.looked_at.is_none_or(due) {
            look(ctx, &close, wanted, Then::Close).await?;
            if close.state != wanted && !over {
                ask(ctx, &close).await?;
            }
            moved.gathering += u64::from(close.state != wanted && !over);
            moved.review += u64::from(close.state != wanted && over);
        }
    }
    let mut close = load(ctx, org, id).await?;
    if close.frozen_at.is_none() {
        if !is_ready(ctx, &close).await? {
            return Ok(());
        }
        let mut tx = ctx.db().write(&ctx.scope.view()).await?;
        close = write::frozen(&mut tx, ctx, &close).await?;
        tx.commit().await?;
    }
    write::finish(ctx, &close).await?;
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

/// Brings a close into a state, notes who belongs to it, looks for what is missing, and keeps what it comes to. Where one
/// stretch holds all of its devices and nothing is missing at its end, its lines are written at once: most closes are such.
pub(super) async fn look(ctx: &Ctx, close: &CloseRow, state: CloseState, then: Then) -> Result<()> {
    let Some(close) = gather(ctx, close, state).await? else { return Ok(()) };
    let close = &close;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let reckoner = Reckoner::load(&mut tx, close, ctx.now).await?;
    let mut stretch = reckoner.stretch(&mut tx, "", STRETCH).await?;
    drop(tx);
    let (mut after, mut sums) = (String::new(), reckoner.sums(&stretch.lines));
    while !stretch.is_last() {
        gaps::note_apart(ctx, close, &after, &stretch).await?;
        after = stretch.last;
        let mut tx = ctx.db().read(&ctx.scope.view()).await?;
        stretch = reckoner.stretch(&mut tx, &after, STRETCH).await?;
        sums.add(&reckoner.sums(&stretch.lines), 1);
    }
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    if close::find(&mut tx, close.org, close.id).await?.version != close.version {
        return Ok(());
    }
    let missing = gaps::note(&mut tx, close, &after, &stretch).await?;
    tx.execute(&sql::NO_TOTALS, &params![close.org, close.id]).await?;
    sums.keep(&mut tx, close).await?;
    tx.execute(&sql::LOOKED, &params![close.org, close.id, ctx.now]).await?;
    let whole = after.is_empty() && missing == 0;
    if whole && then == Then::Close && state == CloseState::Review && write::earlier_open(&mut tx, close).await? == 0 {
        let close = CloseRow { version: close.version + 1, ..close.clone() };
        write::freeze(&mut tx, ctx, &close).await?;
        if !write::stretch(&mut tx, &close, &reckoner, "", &stretch).await? {
            return Err(Error::conflict("another server writes these lines"));
        }
    }
    Ok(tx.commit().await?)
}

/// The first half of a look: its state, its lines and its devices, as they are then; `None`: another server was faster.
async fn gather(ctx: &Ctx, close: &CloseRow, state: CloseState) -> Result<Option<CloseRow>> {
    let mut after = String::new();
    let mut version = close.version;
    while after != BEHIND_ALL {
        let mut tx = ctx.db().write(&ctx.scope.view()).await?;
        let now = close::find(&mut tx, close.org, close.id).await?;
        if now.version != version || now.frozen_at.is_some() {
            return Ok(None);
        }
        if now.state != state {
            if !enter(ctx, &mut tx, &now, state).await? {
                return Ok(None);
            }
            version += 1;
        }
        let contract = contracts::find(&mut tx, close.org, close.contract).await?;
        if after.is_empty() {
            members::begin(&mut tx, close, &contract).await?;
        }
        after = members::stretch(&mut tx, close, &contract, &after).await?;
        tx.commit().await?;
    }
    load(ctx, close.org, close.id).await.map(|now| Some(now).filter(|now| now.version == version))
}

async fn load(ctx: &Ctx, org: OrgId, id: CloseId) -> Result<CloseRow> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    close::find(&mut tx, org, id).await
}

/// Nothing waits for a person; and either nothing is missing, or the time to read it after all is over.
async fn is_ready(ctx: &Ctx, close: &CloseRow) -> Result<bool> {
    if close.state != CloseState::Review || close.looked_at.is_none() || close.open_gaps > 0 {
        return Ok(false);
    }
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let contract = contracts::find(&mut tx, close.org, close.contract).await?;
    let waits = close.gaps > 0 && ctx.now.0 < close.to_at.0 + contract.review_d * DAY;
    Ok(!waits && write::earlier_open(&mut tx, close).await? == 0)
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
