//! What a person should see before a close: who was not read, what has no code, what is doubted. Looked for anew while the
//! period is gathered and reviewed; a person waives by name, or reads the counter by hand.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::json;
use store::{Tx, Value, params};

use super::reckon::{Reckoned, Reckoner, Stretch, Sums};
use super::{CloseId, CloseRow, CloseState, close, sql, stages};
use crate::audit::{self, Change};
use crate::ctx::{Ctx, Role};
use crate::devices::DeviceId;
use crate::devices::fold::clean;
use crate::error::{Error, Result};
use crate::page::{Key, Page, PageQuery, Sort};
use crate::time::Micros;

const ORDER: Sort = Sort { name: "close.gaps", keys: &[Key::up("g.device"), Key::up("g.no"), Key::up("g.kind")] };

/// Why a counter is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GapKind {
    /// No reading that is young enough, and nobody hears the device.
    Silent,
    /// No reading that is young enough; the device stands in error, or its agent cannot reach it.
    Error,
    /// The device has no such counter, or nothing says its code in the books.
    Unmapped,
    /// Its newest value is held back, or a doubt about it is open.
    Suspect,
}

impl GapKind {
    const ALL: [Self; 4] = [Self::Silent, Self::Error, Self::Unmapped, Self::Suspect];

    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Error => "error",
            Self::Unmapped => "unmapped",
            Self::Suspect => "suspect",
        }
    }

    /// Reads the word.
    ///
    /// # Errors
    /// `Invalid` for any other.
    pub fn parse(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| Error::invalid("kind", "a kind is silent, error, unmapped or suspect"))
    }
}

/// One counter that somebody should look at before a period is closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The device.
    pub device: DeviceId,
    /// What people call it.
    pub device_name: String,
    /// Serial number.
    pub serial: Option<String>,
    /// Line of the contract.
    pub no: i64,
    /// What it bills.
    pub line: String,
    /// Why it is listed.
    pub kind: GapKind,
    /// More of it, in words.
    pub why: String,
    /// Number of the meter; `None`: there is none.
    pub meter: Option<i64>,
    /// When it was read last.
    pub read_at: Option<Micros>,
    /// What it said.
    pub value: Option<i64>,
    /// What the contract's rule bills instead; `None`: nothing, and a person must waive it.
    pub estimate: Option<i64>,
    /// When it was waived.
    pub waived_at: Option<Micros>,
    /// By whom.
    pub waived_by: Option<String>,
    /// What they said.
    pub note: Option<String>,
}

impl Gap {
    /// Whether the close waits for a person.
    pub fn is_open(&self) -> bool {
        self.waived_at.is_none()
            && (self.estimate.is_none() || matches!(self.kind, GapKind::Suspect | GapKind::Unmapped))
    }
}

/// A counter that a person read at the device.
#[derive(Clone, Debug)]
pub struct ManualRead {
    /// The device.
    pub device: DeviceId,
    /// Line of the contract.
    pub no: i64,
    /// What the counter says.
    pub value: i64,
    /// When it said so; `None`: at the end of the period, or now if that is earlier.
    pub at: Option<Micros>,
}

/// What is missing for a close.
///
/// # Errors
/// `NotFound` outside the scope, `Invalid` for a cursor that does not fit.
pub async fn gaps(ctx: &Ctx, id: CloseId, page: &PageQuery) -> Result<Page<Gap>> {
    ctx.require(Role::User, "see closes")?;
    let limit = page.limit()?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let close = close::find_visible(ctx, &mut tx, id).await?;
    let mut after: Vec<Value> = Vec::new();
    ORDER.after(page.after.as_deref(), &mut after)?;
    if after.is_empty() {
        after = params!["", 0_i64, ""].into();
    }
    let mut values: Vec<Value> = params![close.org, close.id].into();
    values.extend(after);
    values.push(i64::try_from(limit + 1).unwrap_or(i64::MAX).into());
    let rows = tx.query(&sql::GAPS, &values).await?;
    let mut items = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
    let longer = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| longer);
    let next = last.map(|gap| ORDER.cursor(&[gap.device.into(), gap.no.into(), gap.kind.as_str().into()]));
    let count = page.count.then(|| u64::try_from(close.gaps).unwrap_or(0));
    Ok(Page { items, next, count })
}

pub(super) fn read(row: &store::Row) -> Result<Gap> {
    Ok(Gap {
        device: row.get(0)?,
        no: row.get(1)?,
        kind: GapKind::parse(&row.get::<String>(2)?)?,
        meter: row.get(3)?,
        read_at: row.get(4)?,
        value: row.get(5)?,
        estimate: row.get(6)?,
        why: row.get(7)?,
        waived_at: row.get(8)?,
        waived_by: row.get(9)?,
        note: row.get(10)?,
        device_name: row.get(11)?,
        serial: row.get(12)?,
        line: row.get::<Option<String>>(13)?.unwrap_or_default(),
    })
}

/// Lets a period be closed without something, by name and with a reason.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` when it is not listed, `Invalid` without a reason, `Conflict` once closed.
pub async fn waive(ctx: &Ctx, id: CloseId, (device, no, kind): (DeviceId, i64, GapKind), note: &str) -> Result<()> {
    ctx.require(Role::Manager, "waive missing readings")?;
    let note = clean(Some(note)).ok_or_else(|| Error::invalid("note", "say why it may be closed without"))?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let close = open(ctx, &mut tx, id).await?;
    let values = params![close.org, id, device, no, kind.as_str(), ctx.now, ctx.actor.name(), &note];
    if tx.execute(&sql::WAIVE, &values).await? == 0 {
        return Err(Error::not_found("open gap of this device, line and kind"));
    }
    tx.execute(&sql::LOOKED, &params![close.org, id, ctx.now]).await?;
    let told = json!({ "device": device, "line": no, "kind": kind, "note": note });
    audit::record(&mut tx, ctx, Change::new(close.org, "waived", "close", id).after(told)).await?;
    Ok(tx.commit().await?)
}

async fn open(ctx: &Ctx, tx: &mut Tx, id: CloseId) -> Result<CloseRow> {
    let close = close::find_visible(ctx, tx, id).await?;
    if close.frozen_at.is_some() || close.state == CloseState::Closed {
        return Err(Error::conflict("the period is closed; what comes now counts in the next one"));
    }
    Ok(close)
}

/// Takes what a person read at the device, as a reading of its own; it counts as any other.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` when nothing is missing there, `Invalid` for a value that does not go on from the
/// readings around it or a moment outside the period, `Conflict` once closed.
pub async fn read_by_hand(ctx: &Ctx, id: CloseId, read: &ManualRead) -> Result<()> {
    ctx.require(Role::Manager, "enter readings")?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let close = open(ctx, &mut tx, id).await?;
    let at = read.at.unwrap_or_else(|| close.to_at.min(ctx.now));
    if at > ctx.now || at > close.to_at {
        return Err(Error::invalid("at", "a reading for this close is of its period, and not of the future"));
    }
    if !(0..=i64::MAX / 4).contains(&read.value) {
        return Err(Error::invalid("value", "a counter is a whole number, not negative"));
    }
    let row = tx.query_opt(&sql::METER_OF_GAP, &params![close.org, id, read.device, read.no]).await?;
    let meter: i64 = row.ok_or_else(|| Error::not_found("missing reading of a counter that the device has"))?.get(0)?;
    // Only this device is looked at again: the one behind the id before its own.
    let before = uuid::Uuid::from_u128(read.device.0.as_u128().saturating_sub(1)).to_string();
    let reckoner = Reckoner::load(&mut tx, &close, ctx.now).await?;
    let mut sums = Sums::default();
    sums.add(&reckoner.sums(&reckoner.stretch(&mut tx, &before, 1).await?.lines), -1);
    crate::meters::take_manual(&mut tx, ctx, (close.org, read.device, meter), at, read.value).await?;
    let told = json!({ "device": read.device, "meter": meter, "value": read.value, "at": at });
    audit::record(&mut tx, ctx, Change::new(close.org, "read by hand", "close", id).after(told)).await?;
    let found = reckoner.stretch(&mut tx, &before, 1).await?;
    sums.add(&reckoner.sums(&found.lines), 1);
    sums.keep(&mut tx, &close).await?;
    note(&mut tx, &close, &before, &found).await?;
    tx.execute(&sql::LOOKED, &params![close.org, id, ctx.now]).await?;
    Ok(tx.commit().await?)
}

/// Looks for what is missing anew: who belongs to the close, how each stands, what it comes to.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope, `Conflict` once closed.
pub async fn look_again(ctx: &Ctx, id: CloseId) -> Result<()> {
    ctx.require(Role::Manager, "look for missing readings")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let close = open(ctx, &mut tx, id).await?;
    drop(tx);
    stages::look(ctx, &close, close.state, stages::Then::Wait).await
}

/// Notes what is missing in a stretch in a transaction of its own, where there is or was anything.
pub(super) async fn note_apart(ctx: &Ctx, close: &CloseRow, after: &str, stretch: &Stretch) -> Result<()> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let values = params![close.org, close.id, after, &stretch.last];
    let listed: i64 = tx.query_one(&sql::HAS_GAPS, &values).await?.get(0)?;
    drop(tx);
    if listed == 0 && missing(&stretch.lines).next().is_none() {
        return Ok(());
    }
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    if close::find(&mut tx, close.org, close.id).await?.version == close.version {
        note(&mut tx, close, after, stretch).await?;
    }
    Ok(tx.commit().await?)
}

/// Lines that may have something missing: a device without a colour counter has no colour pages; one without any counter of
/// the contract is not billed, and is told once.
fn missing(lines: &[Reckoned]) -> impl Iterator<Item = &Reckoned> {
    lines.chunk_by(|a, b| a.device == b.device).flat_map(|lines| {
        let counted = lines.iter().any(|line| line.meter.is_some());
        let shown = if counted { lines } else { &lines[..1] };
        shown.iter().filter(move |line| !counted || (line.meter.is_some() && line.lacks()))
    })
}

/// Notes what is missing among the lines of a stretch behind `after`; how much.
pub(super) async fn note(tx: &mut Tx, close: &CloseRow, after: &str, stretch: &Stretch) -> Result<usize> {
    let last = &stretch.last;
    let mut troubled = HashMap::new();
    if stretch.lines.iter().any(|line| line.stale) {
        for row in tx.query(&sql::TROUBLED, &params![close.org, close.id, after, last]).await? {
            troubled.insert(row.get::<DeviceId>(0)?, (row.get::<String>(1)?, row.get::<String>(2)?));
        }
    }
    let mut rows = Vec::new();
    for line in missing(&stretch.lines) {
        for (kind, why, estimate) in kinds(line, troubled.get(&line.device)) {
            let closing = line.facts.closing.as_ref();
            let (read_at, value) = (closing.map(|read| read.at), closing.map(|read| read.value));
            rows.push(Vec::from(params![
                close.org,
                close.id,
                line.device,
                line.no,
                kind.as_str(),
                line.meter,
                read_at,
                value,
                estimate,
                why,
                close.to_at
            ]));
        }
    }
    let missing = rows.len();
    tx.execute(&sql::DROP_GAPS, &params![close.org, close.id, after, last]).await?;
    if !rows.is_empty() {
        tx.many(&sql::WRITE_GAP, rows).await?;
    }
    Ok(missing)
}

/// Why a line is listed; mostly it is not.
fn kinds(line: &Reckoned, device: Option<&(String, String)>) -> Vec<(GapKind, String, Option<i64>)> {
    let mut all = Vec::new();
    if line.meter.is_none() {
        all.push((GapKind::Unmapped, "the device has no counter that the contract bills".to_owned(), None));
        return all;
    }
    if line.erp_code.is_none() {
        all.push((GapKind::Unmapped, "nothing says its code in the books".to_owned(), None));
    }
    if line.stale {
        let (comm, word) = device.map(|(comm, word)| (comm.as_str(), word.as_str())).unwrap_or_default();
        let (kind, why) = match (comm, word) {
            ("unreachable", _) => (GapKind::Error, "its agent does not reach it"),
            (_, "stopped") => (GapKind::Error, "it stands in error and told no counters"),
            ("reporting", _) => (GapKind::Error, "it is heard, and tells no counters"),
            _ => (GapKind::Silent, "nobody hears it"),
        };
        all.push((kind, why.to_owned(), line.facts.estimate));
    }
    if !line.doubts.is_empty() {
        let told: Vec<&str> = line.doubts.iter().map(|kind| doubted(kind)).collect();
        all.push((GapKind::Suspect, told.join("; "), None));
    }
    all
}

/// A doubt in words.
fn doubted(kind: &str) -> &'static str {
    match kind {
        "reset" => "its counter began anew",
        "set_back" => "its counter went back",
        "board_swap" => "its board was changed",
        "jump" => "its counter jumped",
        "wrap" => "its counter ran over its end",
        "passing_fault" => "its counter told something else for a while",
        "device_swap" => "another device answers in its place",
        "doubled_serial" => "two devices tell its serial number",
        "two_agents" => "two agents read it",
        "conflicting_totals" => "its counters contradict each other",
        _ => "its newest value is held back",
    }
}
