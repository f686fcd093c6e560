//! Closes as people see them: which periods are due, what each bills, what stands in the way.

use serde::Serialize;
use serde_json::json;
use store::{Row, Sql, Tx, params};

use super::contracts::{self, Line};
use super::{CloseId, ContractId, rules, sql, write};
use crate::audit::{self, Change};
use crate::ctx::{Ctx, Role};
use crate::error::{Error, Result};
use crate::filter::{Field, FieldKind, Filter};
use crate::ids::OrgId;
use crate::page::{Key, Page, PageQuery, Sort};
use crate::time::Micros;

const NEWEST: Sort = Sort { name: "closes.newest", keys: &[Key::down("k.to_at"), Key::down("k.id")] };
const SOONEST: Sort = Sort { name: "closes.soonest", keys: &[Key::up("k.to_at"), Key::up("k.id")] };

/// Fields of the filter of [`closes`].
pub const CLOSE_FIELDS: &[Field] = &[
    Field::new("org", "k.tenant", FieldKind::Org),
    Field::new("contract", "k.contract", FieldKind::Text),
    Field::new("number", "c.number", FieldKind::Text),
    Field::new("period", "k.period", FieldKind::Text),
    Field::new("state", "k.state", FieldKind::Word(&["scheduled", "gathering", "review", "closed"])),
    Field::new("to_at", "k.to_at", FieldKind::Time),
    Field::new("open_gaps", "k.open_gaps", FieldKind::Int),
];

/// Where a close stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseState {
    /// Its period runs.
    Scheduled,
    /// Its period ends within a day: who has not been read is listed.
    Gathering,
    /// Its period is over: what is missing waits for readings or a person.
    Review,
    /// Its lines and documents stand for good.
    Closed,
}

impl CloseState {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Gathering => "gathering",
            Self::Review => "review",
            Self::Closed => "closed",
        }
    }

    fn from_word(word: &str) -> Self {
        match word {
            "gathering" => Self::Gathering,
            "review" => Self::Review,
            "closed" => Self::Closed,
            _ => Self::Scheduled,
        }
    }
}

/// One period of one contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CloseRow {
    /// Its id; made of contract and end.
    pub id: CloseId,
    /// Whose.
    pub org: OrgId,
    /// The contract.
    pub contract: ContractId,
    /// Its number.
    pub number: String,
    /// Its name.
    pub contract_name: String,
    /// `2026-03` or `2026-Q1`.
    pub period: String,
    /// When the period begins; not part of it.
    pub from_at: Micros,
    /// When it ends; part of it.
    pub to_at: Micros,
    /// Where it stands.
    pub state: CloseState,
    /// When gathering began.
    pub gathered_at: Option<Micros>,
    /// When the review began.
    pub reviewed_at: Option<Micros>,
    /// When missing readings were last looked for.
    pub looked_at: Option<Micros>,
    /// From then on nothing that came in counts.
    pub frozen_at: Option<Micros>,
    /// How far its lines are written; `~`: all.
    #[serde(skip)]
    pub(super) done_device: Option<String>,
    /// When it was closed.
    pub closed_at: Option<Micros>,
    /// Who closed it.
    pub closed_by: Option<String>,
    /// Devices that belong to it.
    pub devices: i64,
    /// What is listed as missing.
    pub gaps: i64,
    /// Of these, what waits for a person.
    pub open_gaps: i64,
    /// SHA-256 over all that its lines were made of, hex.
    pub input_hash: Option<String>,
    /// Rises with each change.
    pub version: i64,
    /// ISO 4217.
    pub currency: String,
    /// Zone of the contract.
    pub zone: String,
}

/// One line of the contract over all devices of a close.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Total {
    /// The line as it held.
    #[serde(flatten)]
    pub line: Line,
    /// Devices with this counter.
    pub devices: i64,
    /// Billed units.
    pub units: i64,
    /// The same by the factor of the line, thousandths.
    pub units_milli: i64,
    /// Price before what is included, millionths.
    pub gross_micro: i64,
    /// What is included takes off, millionths.
    pub credit_micro: i64,
    /// Price, millionths.
    pub amount_micro: i64,
}

/// Which closes.
#[derive(Clone, Debug, Default)]
pub struct CloseQuery {
    /// Condition over [`CLOSE_FIELDS`].
    pub filter: Option<Filter>,
    /// Those that are due first, instead of the newest.
    pub soonest: bool,
    /// Which page.
    pub page: PageQuery,
}

/// Closes of the visible organisations.
///
/// # Errors
/// `Invalid` for a filter or cursor that does not fit.
pub async fn closes(ctx: &Ctx, query: &CloseQuery) -> Result<Page<CloseRow>> {
    ctx.require(Role::User, "see closes")?;
    let (limit, sort) = (query.page.limit()?, if query.soonest { &SOONEST } else { &NEWEST });
    let mut values = Vec::new();
    let mut conditions = vec![ctx.scope.condition("k", &mut values)];
    if let Some(filter) = &query.filter {
        conditions.push(filter.to_sql(CLOSE_FIELDS, &mut values)?);
    }
    let counted = (conditions.join(" and "), values.clone());
    conditions.push(sort.after(query.page.after.as_deref(), &mut values)?);
    let (whole, order) = (conditions.join(" and "), sort.order());
    let text = format!("{} where {whole} order by {order} limit {}", sql::CLOSES, limit + 1);
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&Sql::built_as("closes list", text), &values).await?;
    let mut page = sort.page(rows, limit, read)?;
    if query.page.count {
        let text = format!(
            "select count(*) from closes k join contracts c on c.tenant = k.tenant and c.id = k.contract where {}",
            counted.0
        );
        page.count = Some(tx.query_one(&Sql::built_as("closes count", text), &counted.1).await?.get(0)?);
    }
    Ok(page)
}

/// One close.
///
/// # Errors
/// `NotFound` outside the scope.
pub async fn close(ctx: &Ctx, id: CloseId) -> Result<CloseRow> {
    ctx.require(Role::User, "see closes")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    find_visible(ctx, &mut tx, id).await
}

/// What a close bills in sum: as written once it is closed, before that as it would have been when it was last looked at
/// ([`CloseRow::looked_at`]); while its lines are being written, as far as they are.
///
/// # Errors
/// `NotFound` outside the scope.
pub async fn totals(ctx: &Ctx, id: CloseId) -> Result<Vec<Total>> {
    ctx.require(Role::User, "see closes")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let close = find_visible(ctx, &mut tx, id).await?;
    let mut stored = stored_totals(&mut tx, close.org, id).await?;
    if close.state != CloseState::Closed {
        stored.iter_mut().for_each(Total::settle);
    }
    Ok(stored)
}

pub(super) async fn stored_totals(tx: &mut Tx, org: OrgId, id: CloseId) -> Result<Vec<Total>> {
    let rows = tx.query(&sql::TOTALS, &params![org, id]).await?;
    rows.iter()
        .map(|row| {
            Ok(Total {
                line: contracts::line(row)?,
                devices: row.get(11)?,
                units: row.get(12)?,
                units_milli: row.get(13)?,
                gross_micro: row.get(14)?,
                credit_micro: row.get(15)?,
                amount_micro: row.get(16)?,
            })
        })
        .collect()
}

impl Total {
    /// Takes off what is included.
    pub(super) fn settle(&mut self) {
        let line = &self.line;
        self.credit_micro = rules::credit(self.units_milli, line.included, line.price_micro, self.gross_micro);
        self.amount_micro = self.gross_micro - self.credit_micro;
    }
}

/// [`unbilled`] looks at so many devices of a close, the first by id.
pub const UNBILLED_OF: i64 = 10_000;

/// Counters of the devices of a close that no line bills.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unbilled {
    /// Brand slug.
    pub vendor: String,
    /// Model.
    pub model: Option<String>,
    /// Which counter.
    #[serde(flatten)]
    pub words: super::MeterWords,
    /// Devices that have it.
    pub devices: i64,
    /// Whether it counts towards the pages of some of them.
    pub counts: bool,
}

/// Which counters the first [`UNBILLED_OF`] devices of a close have and nobody bills, by model.
///
/// # Errors
/// `NotFound` outside the scope.
pub async fn unbilled(ctx: &Ctx, id: CloseId) -> Result<Vec<Unbilled>> {
    ctx.require(Role::User, "see closes")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let close = find_visible(ctx, &mut tx, id).await?;
    let rows = tx.query(&sql::UNBILLED, &params![close.org, id, UNBILLED_OF]).await?;
    rows.iter()
        .map(|row| {
            Ok(Unbilled {
                vendor: row.get(0)?,
                model: row.get(1)?,
                words: super::MeterWords {
                    function: row.get(2)?,
                    color: row.get(3)?,
                    size: row.get(4)?,
                    sides: row.get(5)?,
                    unit: row.get(6)?,
                },
                devices: row.get(7)?,
                counts: row.get::<i64>(8)? > 0,
            })
        })
        .collect()
}

/// Closes a period that is over, without waiting for the end of its review.
///
/// # Errors
/// `Forbidden` below manager, `NotFound`, `Conflict` while the period runs, something is open, or an earlier period is.
pub async fn close_now(ctx: &Ctx, id: CloseId) -> Result<CloseRow> {
    ctx.require(Role::Manager, "close periods")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut found = find_visible(ctx, &mut tx, id).await?;
    drop(tx);
    match found.state {
        CloseState::Closed => return Ok(found),
        CloseState::Review => {}
        _ => return Err(Error::conflict("the period still runs; it is closed after its end")),
    }
    if found.frozen_at.is_none() {
        super::gaps::look_again(ctx, id).await?;
        let mut tx = ctx.db().write(&ctx.scope.view()).await?;
        let now = find_visible(ctx, &mut tx, id).await?;
        if now.open_gaps > 0 {
            let what = format!("{} missing readings wait for a person: read, map or waive them first", now.open_gaps);
            return Err(Error::conflict(what));
        }
        write::freeze(&mut tx, ctx, &now).await?;
        let told = json!({ "period": now.period, "gaps": now.gaps });
        audit::record(&mut tx, ctx, Change::new(now.org, "closed", "close", id).after(told)).await?;
        found = find(&mut tx, now.org, id).await?;
        tx.commit().await?;
    }
    write::finish(ctx, &found).await?;
    close(ctx, id).await
}

/// A close that may be seen.
pub(super) async fn find_visible(ctx: &Ctx, tx: &mut Tx, id: CloseId) -> Result<CloseRow> {
    let row = tx.query_opt(&sql::CLOSE_TENANT, &params![id]).await?.ok_or_else(CloseId::missing)?;
    let org: OrgId = row.get(0)?;
    ctx.scope.require(org, CloseId::NOUN)?;
    find(tx, org, id).await
}

pub(super) async fn find(tx: &mut Tx, org: OrgId, id: CloseId) -> Result<CloseRow> {
    let row = tx.query_opt(&sql::CLOSE, &params![org, id]).await?;
    row.as_ref().map(read).transpose()?.ok_or_else(CloseId::missing)
}

fn read(row: &Row) -> Result<CloseRow> {
    Ok(CloseRow {
        org: row.get(0)?,
        id: row.get(1)?,
        contract: row.get(2)?,
        number: row.get(3)?,
        contract_name: row.get(4)?,
        period: row.get(5)?,
        from_at: row.get(6)?,
        to_at: row.get(7)?,
        state: CloseState::from_word(&row.get::<String>(8)?),
        gathered_at: row.get(9)?,
        reviewed_at: row.get(10)?,
        looked_at: row.get(11)?,
        frozen_at: row.get(12)?,
        done_device: row.get(13)?,
        closed_at: row.get(14)?,
        closed_by: row.get(15)?,
        devices: row.get(16)?,
        gaps: row.get(17)?,
        open_gaps: row.get(18)?,
        input_hash: row.get(19)?,
        version: row.get(20)?,
        currency: row.get(21)?,
        zone: row.get(22)?,
    })
}
