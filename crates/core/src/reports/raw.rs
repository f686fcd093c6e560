//! The raw log as people look at it: which reports a sender delivered, by which road and when by either clock, what became
//! of them, and each message decoded beside its bytes.

use serde::Serialize;
use serde_json::{Value as Json, json};
use store::{Row, Sql};
use wire::{Message, Subject};

use super::logged::{self, Elsewhere};
use crate::ctx::{Ctx, Role};
use crate::devices::DeviceId;
use crate::diagnostics;
use crate::error::{Error, Result};
use crate::filter::{Field, FieldKind, Filter};
use crate::ids::{AgentId, OrgId};
use crate::page::{Key, Page, PageQuery, Sort};
use crate::time::Micros;

const NEWEST: Sort = Sort { name: "raw.newest", keys: &[Key::down("i.recv_at"), Key::down("i.id")] };
const OUTCOME: &str =
    "case when q.id is not null then 'quarantined' when o.id is not null then 'waiting' else 'taken' end";

/// Fields of the filter of [`raw`].
pub const FIELDS: &[Field] = &[
    Field::new("received_at", "i.recv_at", FieldKind::Time),
    Field::new("road", "i.road", FieldKind::Word(&["https", "https-both-ways", "mail", "mail-both-ways"])),
    Field::new("outcome", OUTCOME, FieldKind::Word(&["taken", "waiting", "quarantined"])),
    Field::new("messages", "i.messages", FieldKind::Int),
    Field::new("invalid", "i.invalid", FieldKind::Int),
    Field::new("unknown_kinds", "i.unknown_kinds", FieldKind::Int),
    Field::new("clock_offset_ms", "i.clock_offset_ms", FieldKind::Int),
    Field::new("size_bytes", "i.size_bytes", FieldKind::Int),
];

/// One report in the raw log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RawReport {
    /// Its name: the day it was received on and its id.
    pub name: String,
    /// Whose it is.
    pub org: OrgId,
    /// Who sent it: a registered device or an agent.
    pub sender: AgentId,
    /// When it was received, by our clock.
    pub received_at: Micros,
    /// By which road; `None`: an agent's HTTPS.
    pub road: Option<String>,
    /// Epoch of its numbers.
    pub epoch: i64,
    /// Lowest number of a message.
    pub first_seq: i64,
    /// Highest number of a message.
    pub last_seq: i64,
    /// Messages that were new; repeats are answered and not kept.
    pub messages: i64,
    /// Messages that could not be understood.
    pub invalid: i64,
    /// Messages of kinds that this version does not know.
    pub unknown_kinds: i64,
    /// How far the sender's clock was ahead of ours, milliseconds.
    pub clock_offset_ms: i64,
    /// Size of its messages as CBOR, bytes.
    pub size_bytes: i64,
    /// `taken`: it had its effect; `waiting`: it is about to; `quarantined`: it was tried in vain.
    pub outcome: String,
    /// Why it is quarantined.
    pub why: Option<String>,
}

/// One message of a report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RawMessage {
    /// Its number.
    pub seq: u64,
    /// Number of its kind.
    pub kind: u64,
    /// Whom it speaks of; `None`: the sender itself.
    pub subject: Option<Subject>,
    /// Of when it is, by the sender's clock; milliseconds since 1970.
    pub taken_ms: i64,
    /// Of when it is, by ours.
    pub taken_at: Micros,
    /// The JSON twin.
    pub json: Json,
    /// CBOR; nothing where its set of counters is no longer kept.
    #[serde(skip)]
    pub cbor: Vec<u8>,
}

/// Reports of one sender, newest first.
///
/// # Errors
/// `Forbidden` below manager; `Invalid` for a filter, cursor or limit that does not fit.
pub async fn raw(ctx: &Ctx, sender: AgentId, filter: Option<&Filter>, page: &PageQuery) -> Result<Page<RawReport>> {
    ctx.require(Role::Manager, "look at raw messages")?;
    let limit = page.limit()?;
    let mut values = Vec::new();
    let mut conditions = vec![ctx.scope.condition("i", &mut values)];
    values.push(sender.into());
    conditions.push(format!("i.sender = ${}", values.len()));
    if let Some(filter) = filter {
        conditions.push(filter.to_sql(FIELDS, &mut values)?);
    }
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut count = None;
    if page.count {
        let text = format!("select count(*) from {FROM} where {}", conditions.join(" and "));
        count = Some(tx.query_one(&Sql::built_as("raw count", text), &values).await?.get(0)?);
    }
    conditions.push(NEWEST.after(page.after.as_deref(), &mut values)?);
    let (whole, order) = (conditions.join(" and "), NEWEST.order());
    let text =
        format!("select {COLUMNS}, i.recv_at, i.id from {FROM} where {whole} order by {order} limit {}", limit + 1);
    let rows = tx.query(&Sql::built_as("raw list", text), &values).await?;
    let mut found = NEWEST.page(rows, limit, read)?;
    found.count = count;
    Ok(found)
}

/// One report with its messages, in the order of their numbers.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` outside the scope or when it is no longer kept.
pub async fn raw_report(ctx: &Ctx, name: &str) -> Result<(RawReport, Vec<RawMessage>)> {
    ctx.require(Role::Manager, "look at raw messages")?;
    let missing = || Error::not_found("report");
    let (day, id) = name.split_once('-').ok_or_else(missing)?;
    let day: i64 = day.parse().map_err(|_| missing())?;
    let mut values = Vec::new();
    let scope = ctx.scope.condition("i", &mut values);
    values.extend([day.into(), id.into()]);
    let (day, id) = (values.len() - 1, values.len());
    let text = format!("select {COLUMNS}, i.body from {FROM} where {scope} and i.recv_day = ${day} and i.id = ${id}");
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let row = tx.query_opt(&Sql::built_as("raw report", text), &values).await?.ok_or_else(missing)?;
    let (report, body): (RawReport, Vec<u8>) = (read(&row)?, row.get(16)?);
    let offset_ms = report.clock_offset_ms;
    let logged = logged::read(&body)?;
    let mut messages: Vec<_> = logged.messages.iter().map(|message| decoded(message, offset_ms)).collect();
    for away in &logged.elsewhere {
        let (device, kind) = (DeviceId(uuid::Uuid::from_bytes(away.device.0)), i64::try_from(away.kind).unwrap_or(0));
        let set = diagnostics::whole(&mut tx, report.org, device, kind, away.taken_ms).await?;
        let message = set.and_then(|set| away.with(set));
        messages.push(message.map_or_else(|| lost(away, offset_ms), |message| decoded(&message, offset_ms)));
    }
    messages.sort_by_key(|message| message.seq);
    Ok((report, messages))
}

/// A message whose set went with the device's counters, which may be kept for a shorter time than the log.
fn lost(away: &Elsewhere, offset_ms: i64) -> RawMessage {
    let (seq, kind, taken_ms) = (away.seq, away.kind, away.taken_ms);
    RawMessage {
        seq,
        kind,
        subject: away.subject,
        taken_ms,
        taken_at: ours(taken_ms, offset_ms),
        json: json!({ "seq": seq, "kind": kind, "taken_ms": taken_ms, "body": null }),
        cbor: Vec::new(),
    }
}

/// A time of the sender's clock by ours.
fn ours(taken_ms: i64, offset_ms: i64) -> Micros {
    Micros(taken_ms.saturating_sub(offset_ms).saturating_mul(1_000))
}

fn decoded(message: &Message, offset_ms: i64) -> RawMessage {
    let cbor = wire::cbor::encode(message);
    // A kind that this version does not know has no twin.
    let json = serde_json::to_value(message).unwrap_or_else(
        |_| json!({ "seq": message.seq, "kind": message.body.kind(), "taken_ms": message.taken_ms, "body": null }),
    );
    RawMessage {
        seq: message.seq,
        kind: message.body.kind(),
        subject: message.subject,
        taken_ms: message.taken_ms,
        taken_at: ours(message.taken_ms, offset_ms),
        json,
        cbor,
    }
}

const COLUMNS: &str = "i.tenant, i.recv_day, i.id, i.recv_at, i.sender, i.epoch, i.first_seq, i.last_seq, i.messages, i.invalid, \
     i.unknown_kinds, i.clock_offset_ms, i.size_bytes, i.road, case when q.id is not null then 'quarantined' \
     when o.id is not null then 'waiting' else 'taken' end, q.why";
const FROM: &str = "inbox i \
     left join inbox_open o on o.tenant = i.tenant and o.id = i.id \
     left join inbox_quarantine q on q.tenant = i.tenant and q.id = i.id";

fn read(row: &Row) -> Result<RawReport> {
    let (day, id): (i64, String) = (row.get(1)?, row.get(2)?);
    Ok(RawReport {
        name: format!("{day}-{id}"),
        org: row.get(0)?,
        received_at: row.get(3)?,
        sender: row.get(4)?,
        epoch: row.get(5)?,
        first_seq: row.get(6)?,
        last_seq: row.get(7)?,
        messages: row.get(8)?,
        invalid: row.get(9)?,
        unknown_kinds: row.get(10)?,
        clock_offset_ms: row.get(11)?,
        size_bytes: row.get(12)?,
        road: row.get(13)?,
        outcome: row.get(14)?,
        why: row.get(15)?,
    })
}
