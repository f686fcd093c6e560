//! Contracts and their lines: made, changed and ended by people. A change holds for closes that begin after it.

use serde::Serialize;
use serde_json::json;
use store::{Row, Sql, Tx, params};

use super::rules::{self, Calendar, Estimate, Period};
use super::{CloseId, ContractId, MeterWords, sql, stages};
use crate::audit::{self, Change};
use crate::ctx::{Ctx, Role};
use crate::devices::fold::clean;
use crate::error::{Error, Kind, Result};
use crate::events;
use crate::filter::{Field, FieldKind, Filter};
use crate::ids::OrgId;
use crate::page::{Key, Page, PageQuery, Sort};
use crate::time::Micros;

const BY_NUMBER: Sort = Sort { name: "contracts.number", keys: &[Key::up("c.number"), Key::up("c.id")] };
/// All devices of the organisation.
pub(super) const EVERY: &str = "*";
const MOST_LINES: usize = 50;

/// Fields of the filter of [`contracts`].
pub const CONTRACT_FIELDS: &[Field] = &[
    Field::new("org", "c.tenant", FieldKind::Org),
    Field::new("number", "c.number", FieldKind::Text),
    Field::new("name", "c.name", FieldKind::Text),
    Field::new("state", "c.state", FieldKind::Word(&["active", "ended"])),
    Field::new("period", "c.period", FieldKind::Word(&["month", "quarter"])),
];

/// What a contract may choose its devices by: what a device is and where it stands, not how it is just now.
pub const DEVICE_FIELDS: &[Field] = &[
    Field::new("name", "d.label", FieldKind::Text),
    Field::new("vendor", "d.vendor", FieldKind::Text),
    Field::new("model", "d.model", FieldKind::Text),
    Field::new("serial", "d.serial_no", FieldKind::Text),
    Field::new("place", "d.place", FieldKind::Text),
    Field::new("asset_no", "d.asset_no", FieldKind::Text),
    Field::new("agent", "d.agent", FieldKind::Text),
];

/// One kind of page and what it costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// From 1; given when the lines are set.
    pub no: i64,
    /// As it stands on the bill.
    pub name: String,
    /// Which counter.
    #[serde(flatten)]
    pub words: MeterWords,
    /// Code in the books, where no map gives one.
    pub erp_code: Option<String>,
    /// Price of one unit, millionths of the currency.
    pub price_micro: i64,
    /// Units of a period that cost nothing, over all devices.
    pub included: i64,
    /// What one impression or sheet counts for, thousandths: 2000 for A3 that counts twice.
    pub factor_milli: i64,
}

/// A contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contract {
    /// Its id.
    pub id: ContractId,
    /// Whose devices.
    pub org: OrgId,
    /// For `If-Match`.
    pub version: i64,
    /// Number in the books; one in its organisation.
    pub number: String,
    /// What people call it.
    pub name: String,
    /// active or ended.
    pub state: String,
    /// Which devices: `*` for all, a filter over [`DEVICE_FIELDS`]; `None`: those that were assigned.
    pub device_filter: Option<String>,
    /// How often.
    pub period: Period,
    /// Day of the month on which a period ends, 1 to 28.
    pub due_day: i64,
    /// Minutes after local midnight at which it ends.
    pub close_minute: i64,
    /// IANA zone of the place.
    pub zone: String,
    /// ISO 4217.
    pub currency: String,
    /// A reading may be so many days old at the close.
    pub max_age_d: i64,
    /// What is billed where nobody read.
    pub estimate: Estimate,
    /// Days after the close in which missing readings are waited for before estimates are billed.
    pub review_d: i64,
    /// Who gets the documents; empty: nobody.
    pub mail_to: String,
    /// When its first period begins.
    pub first_at: Micros,
    /// When it was ended.
    pub ended_at: Option<Micros>,
    /// When it was made.
    pub made_at: Micros,
    /// What it bills; empty in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
}

impl Contract {
    pub(super) fn calendar(&self) -> Calendar {
        Calendar {
            period: self.period,
            due_day: self.due_day,
            close_minute: self.close_minute,
            zone: rules::known_zone(&self.zone),
        }
    }
}

/// What a new contract says; what is not said is as usual.
#[derive(Clone, Debug, Default)]
pub struct NewContract {
    /// Number in the books.
    pub number: String,
    /// What people call it; empty: the number.
    pub name: String,
    /// `*`, a filter, or nothing.
    pub device_filter: Option<String>,
    /// How often.
    pub period: Period,
    /// 1 to 28; 1 when not given.
    pub due_day: Option<i64>,
    /// Minutes after local midnight; midnight when not given.
    pub close_minute: Option<i64>,
    /// IANA zone; that of the organisation when not given.
    pub zone: Option<String>,
    /// ISO 4217; that of the organisation when not given.
    pub currency: Option<String>,
    /// 0 to 60; 5 when not given.
    pub max_age_d: Option<i64>,
    /// What is billed where nobody read.
    pub estimate: Estimate,
    /// 0 to 28; 3 when not given.
    pub review_d: Option<i64>,
    /// One or more mail addresses, with commas between.
    pub mail_to: String,
    /// When billing begins; now when not given.
    pub first_at: Option<Micros>,
    /// What it bills.
    pub lines: Vec<Line>,
}

/// What to change; `None` stays. When periods end cannot be changed: end the contract and make another.
#[derive(Clone, Debug, Default)]
pub struct ContractPatch {
    /// What people call it.
    pub name: Option<String>,
    /// `*`, a filter, or nothing.
    pub device_filter: Option<Option<String>>,
    /// 0 to 60.
    pub max_age_d: Option<i64>,
    /// What is billed where nobody read.
    pub estimate: Option<Estimate>,
    /// 0 to 28.
    pub review_d: Option<i64>,
    /// Who gets the documents.
    pub mail_to: Option<String>,
}

/// Which contracts.
#[derive(Clone, Debug, Default)]
pub struct ContractQuery {
    /// Condition over [`CONTRACT_FIELDS`].
    pub filter: Option<Filter>,
    /// Which page; by number.
    pub page: PageQuery,
}

fn within(field: &str, value: i64, least: i64, most: i64) -> Result<i64> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        Err(Error::invalid(field, format!("{field} is {least} to {most}")))
    }
}

fn text(field: &str, value: &str, most: usize) -> Result<String> {
    let value = clean(Some(value)).unwrap_or_default();
    if value.chars().count() > most {
        return Err(Error::invalid(field, format!("{field} is longer than {most} characters")));
    }
    Ok(value)
}

fn addresses(given: &str) -> Result<String> {
    let all: Vec<&str> = given.split([',', ';']).map(str::trim).filter(|address| !address.is_empty()).collect();
    let fits = |address: &&str| {
        let (local, domain) = address.split_once('@').unwrap_or_default();
        !local.is_empty()
            && domain.contains('.')
            && address.len() <= 254
            && address.bytes().all(|b| b.is_ascii_graphic() && !b"<>,;\"".contains(&b))
    };
    match all.iter().find(|address| !fits(address)) {
        Some(wrong) => Err(Error::invalid("mail_to", format!("{wrong:?} is no mail address"))),
        None if all.len() > 10 => Err(Error::invalid("mail_to", "at most ten addresses")),
        None => Ok(all.join(", ")),
    }
}

fn devices(given: Option<&str>) -> Result<Option<String>> {
    let Some(given) = given.map(str::trim).filter(|given| !given.is_empty()) else { return Ok(None) };
    if given == EVERY {
        return Ok(Some(given.to_owned()));
    }
    let filter = Filter::parse(given)?;
    filter.to_sql(DEVICE_FIELDS, &mut Vec::new())?;
    Ok(Some(filter.to_string()))
}

fn checked(lines: &[Line]) -> Result<Vec<Line>> {
    if lines.is_empty() || lines.len() > MOST_LINES {
        return Err(Error::invalid("lines", format!("a contract bills 1 to {MOST_LINES} kinds of pages")));
    }
    let mut all: Vec<Line> = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        let words = line.words.clone().check()?;
        if all.iter().any(|other| other.words == words) {
            return Err(Error::invalid("lines", format!("{} is billed twice", words.title())));
        }
        let name = text("name", &line.name, 120)?;
        all.push(Line {
            no: i64::try_from(at).unwrap_or(0) + 1,
            name: if name.is_empty() { words.title() } else { name },
            words,
            erp_code: clean(line.erp_code.as_deref()).filter(|code| code.len() <= 60),
            price_micro: within("price", line.price_micro, 0, 10_000_000_000_000)?,
            included: within("included", line.included, 0, 1_000_000_000)?,
            factor_milli: within("factor", line.factor_milli, 1, 100_000)?,
        });
    }
    Ok(all)
}

/// Makes a contract; its first period begins at `first_at`.
///
/// # Errors
/// `Forbidden` below manager, `Invalid`, `Conflict` for a number that there is.
pub async fn create(ctx: &Ctx, org: OrgId, new: &NewContract) -> Result<Contract> {
    ctx.require(Role::Manager, "make contracts")?;
    ctx.scope.require(org, OrgId::NOUN)?;
    let number = text("number", &new.number, 60)?;
    if number.is_empty() {
        return Err(Error::invalid("number", "a contract has a number"));
    }
    let lines = checked(&new.lines)?;
    let id = ContractId::new(ctx.ids());
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let own = tx.query_opt(&sql::ORG, &params![org]).await?.ok_or_else(OrgId::missing)?;
    let zone = new.zone.clone().unwrap_or(own.get(0)?);
    rules::zone(&zone)?;
    let currency = new.currency.clone().unwrap_or(own.get(1)?).to_ascii_uppercase();
    if currency.len() != 3 || !currency.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(Error::invalid("currency", "a currency is three letters as EUR"));
    }
    let name = text("name", &new.name, 120)?;
    let first_at = new.first_at.unwrap_or(ctx.now);
    let values = params![
        org,
        id,
        &number,
        if name.is_empty() { number.clone() } else { name },
        devices(new.device_filter.as_deref())?,
        new.period.as_str(),
        within("due_day", new.due_day.unwrap_or(1), 1, 28)?,
        within("close_minute", new.close_minute.unwrap_or(0), 0, 1_439)?,
        &zone,
        &currency,
        within("max_age_d", new.max_age_d.unwrap_or(5), 0, 60)?,
        new.estimate.as_str(),
        within("review_d", new.review_d.unwrap_or(3), 0, 28)?,
        addresses(&new.mail_to)?,
        first_at,
        ctx.now
    ];
    if tx.execute(&sql::INSERT, &values).await? == 0 {
        return Err(Error::conflict(format!("there is a contract {number} already")));
    }
    write_lines(&mut tx, org, id, &lines).await?;
    let contract = find(&mut tx, org, id).await?;
    stages::schedule(&mut tx, &contract, first_at.0).await?;
    let told = json!({ "number": contract.number, "name": contract.name, "lines": contract.lines });
    events::emit(&mut tx, ctx, org, "contract.created", ("contract", id.to_string()), told.clone()).await?;
    audit::record(&mut tx, ctx, Change::new(org, "created", "contract", id).after(told)).await?;
    tx.commit().await?;
    Ok(contract)
}

async fn write_lines(tx: &mut Tx, org: OrgId, id: ContractId, lines: &[Line]) -> Result<()> {
    tx.execute(&sql::DROP_LINES, &params![org, id]).await?;
    let rows = lines.iter().map(|line| {
        let w = &line.words;
        Vec::from(params![
            org,
            id,
            line.no,
            &line.name,
            &w.function,
            &w.color,
            &w.size,
            &w.sides,
            &w.unit,
            line.erp_code.as_ref(),
            line.price_micro,
            line.included,
            line.factor_milli
        ])
    });
    tx.many(&sql::LINE, rows.collect()).await?;
    Ok(())
}

/// Contracts of the visible organisations, without their lines.
///
/// # Errors
/// `Invalid` for a filter or cursor that does not fit.
pub async fn contracts(ctx: &Ctx, query: &ContractQuery) -> Result<Page<Contract>> {
    ctx.require(Role::User, "see contracts")?;
    let limit = query.page.limit()?;
    let mut values = Vec::new();
    let mut conditions = vec![ctx.scope.condition("c", &mut values)];
    if let Some(filter) = &query.filter {
        conditions.push(filter.to_sql(CONTRACT_FIELDS, &mut values)?);
    }
    let counted = (conditions.join(" and "), values.clone());
    conditions.push(BY_NUMBER.after(query.page.after.as_deref(), &mut values)?);
    let (whole, order) = (conditions.join(" and "), BY_NUMBER.order());
    let text = format!("{} where {whole} order by {order} limit {}", sql::CONTRACTS, limit + 1);
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&Sql::built_as("contracts list", text), &values).await?;
    let mut page = BY_NUMBER.page(rows, limit, read)?;
    if query.page.count {
        let text = format!("select count(*) from contracts c where {}", counted.0);
        page.count = Some(tx.query_one(&Sql::built_as("contracts count", text), &counted.1).await?.get(0)?);
    }
    Ok(page)
}

/// One contract with its lines.
///
/// # Errors
/// `NotFound` outside the scope.
pub async fn contract(ctx: &Ctx, id: ContractId) -> Result<Contract> {
    ctx.require(Role::User, "see contracts")?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let org = tenant(ctx, &mut tx, id).await?;
    find(&mut tx, org, id).await
}

/// Changes a contract; the next period that is closed goes by it.
///
/// # Errors
/// `Forbidden` below manager, `NotFound`, `Invalid`, `PreconditionRequired`, `Stale`.
pub async fn update(ctx: &Ctx, id: ContractId, patch: &ContractPatch, if_match: Option<i64>) -> Result<Contract> {
    ctx.require(Role::Manager, "change contracts")?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = tenant(ctx, &mut tx, id).await?;
    let old = find(&mut tx, org, id).await?;
    Error::check_version(if_match, old.version)?;
    let name = patch.name.as_deref().map(|name| text("name", name, 120)).transpose()?.filter(|name| !name.is_empty());
    let filter = match &patch.device_filter {
        Some(given) => devices(given.as_deref())?,
        None => old.device_filter.clone(),
    };
    let values = params![
        org,
        id,
        old.version,
        name.unwrap_or_else(|| old.name.clone()),
        filter,
        within("max_age_d", patch.max_age_d.unwrap_or(old.max_age_d), 0, 60)?,
        patch.estimate.unwrap_or(old.estimate).as_str(),
        within("review_d", patch.review_d.unwrap_or(old.review_d), 0, 28)?,
        patch.mail_to.as_deref().map(addresses).transpose()?.unwrap_or_else(|| old.mail_to.clone())
    ];
    if tx.execute(&sql::UPDATE, &values).await? == 0 {
        return Err(Error::new(Kind::Stale, "it was changed meanwhile"));
    }
    let new = find(&mut tx, org, id).await?;
    changed(ctx, &mut tx, &old, &new).await?;
    tx.commit().await?;
    Ok(new)
}

/// Sets what a contract bills, all lines at once.
///
/// # Errors
/// As [`update`].
pub async fn set_lines(ctx: &Ctx, id: ContractId, lines: &[Line], if_match: Option<i64>) -> Result<Contract> {
    ctx.require(Role::Manager, "change contracts")?;
    let lines = checked(lines)?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = tenant(ctx, &mut tx, id).await?;
    let old = find(&mut tx, org, id).await?;
    Error::check_version(if_match, old.version)?;
    write_lines(&mut tx, org, id, &lines).await?;
    tx.execute(&sql::BUMP, &params![org, id]).await?;
    let new = find(&mut tx, org, id).await?;
    changed(ctx, &mut tx, &old, &new).await?;
    tx.commit().await?;
    Ok(new)
}

/// Ends a contract: the period that runs is still closed, at its usual end; none follows.
///
/// # Errors
/// As [`update`]; `Conflict` when it has ended.
pub async fn end(ctx: &Ctx, id: ContractId, if_match: Option<i64>) -> Result<Contract> {
    ctx.require(Role::Manager, "end contracts")?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = tenant(ctx, &mut tx, id).await?;
    let old = find(&mut tx, org, id).await?;
    Error::check_version(if_match, old.version)?;
    if tx.execute(&sql::END, &params![org, id, ctx.now]).await? == 0 {
        return Err(Error::conflict("the contract has ended already"));
    }
    let new = find(&mut tx, org, id).await?;
    changed(ctx, &mut tx, &old, &new).await?;
    tx.commit().await?;
    Ok(new)
}

async fn changed(ctx: &Ctx, tx: &mut Tx, old: &Contract, new: &Contract) -> Result<()> {
    let (before, after) = (json!(old), json!(new));
    let data = json!({ "number": new.number, "state": new.state });
    events::emit(tx, ctx, new.org, "contract.changed", ("contract", new.id.to_string()), data).await?;
    audit::record(tx, ctx, Change::new(new.org, "changed", "contract", new.id).before(before).after(after)).await
}

/// Whose contract it is, if that organisation is visible.
pub(super) async fn tenant(ctx: &Ctx, tx: &mut Tx, id: ContractId) -> Result<OrgId> {
    let row = tx.query_opt(&sql::TENANT, &params![id]).await?.ok_or_else(ContractId::missing)?;
    let org = row.get(0)?;
    ctx.scope.require(org, ContractId::NOUN)?;
    Ok(org)
}

pub(super) async fn find(tx: &mut Tx, org: OrgId, id: ContractId) -> Result<Contract> {
    let row = tx.query_opt(&sql::GET, &params![org, id]).await?.ok_or_else(ContractId::missing)?;
    let mut contract = read(&row)?;
    contract.lines = tx.query(&sql::LINES, &params![org, id]).await?.iter().map(line).collect::<Result<_>>()?;
    Ok(contract)
}

/// Reads `no`, the words, code, price, included, factor.
pub(super) fn line(row: &Row) -> Result<Line> {
    Ok(Line {
        no: row.get(0)?,
        name: row.get(1)?,
        words: MeterWords {
            function: row.get(2)?,
            color: row.get(3)?,
            size: row.get(4)?,
            sides: row.get(5)?,
            unit: row.get(6)?,
        },
        erp_code: row.get(7)?,
        price_micro: row.get(8)?,
        included: row.get(9)?,
        factor_milli: row.get(10)?,
    })
}

fn read(row: &Row) -> Result<Contract> {
    Ok(Contract {
        org: row.get(0)?,
        id: row.get(1)?,
        version: row.get(2)?,
        number: row.get(3)?,
        name: row.get(4)?,
        state: row.get(5)?,
        device_filter: row.get(6)?,
        period: Period::parse(&row.get::<String>(7)?)?,
        due_day: row.get(8)?,
        close_minute: row.get(9)?,
        zone: row.get(10)?,
        currency: row.get(11)?,
        max_age_d: row.get(12)?,
        estimate: Estimate::parse(&row.get::<String>(13)?)?,
        review_d: row.get(14)?,
        mail_to: row.get(15)?,
        first_at: row.get(16)?,
        ended_at: row.get(17)?,
        made_at: row.get(18)?,
        lines: Vec::new(),
    })
}

/// The id of the close of a period: made of what it is, so that whoever makes it gives it the same.
pub(super) fn close_id(org: OrgId, contract: ContractId, to_at: i64) -> CloseId {
    CloseId(named("platen-close", &[&org.to_string(), &contract.to_string(), &to_at.to_string()]))
}

/// A UUID (version 8) made of words.
pub(super) fn named(what: &str, words: &[&str]) -> uuid::Uuid {
    let text = format!("{what}\n{}\n", words.join("\n"));
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
