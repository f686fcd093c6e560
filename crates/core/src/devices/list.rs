//! Lists of devices: filter, search by words, sort, page by key, counts for facets, neighbours in a list.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use store::{Row, Sql, Tx, Value};

use super::known::{read_json, split_words};
use super::words::{Comm, DeviceId, Word};
use super::{DeviceRow, Neighbours, fold};
use crate::error::Result;
use crate::filter::{Field, FieldKind, Filter};
use crate::page::{Key, Page, PageQuery, Sort};
use crate::{AgentId, Ctx};

/// Up to so many tokens a word of a search leads the query; above, devices are asked one by one.
const FEW: usize = 500;

/// Fields of the filter of [`list`].
pub const FIELDS: &[Field] = &[
    Field::new(
        "status",
        "d.word",
        FieldKind::Word(&["stopped", "not-seen", "attention", "printing", "warming-up", "ready", "asleep", "unknown"]),
    ),
    Field::new("reason", "d.reasons", FieldKind::Words),
    Field::new("name", "d.label", FieldKind::Text),
    Field::new("vendor", "d.vendor", FieldKind::Text),
    Field::new("model", "d.model", FieldKind::Text),
    Field::new("serial", "d.serial_no", FieldKind::Text),
    Field::new("address", "d.address", FieldKind::Text),
    Field::new("mac", "d.mac", FieldKind::Text),
    Field::new("place", "d.place", FieldKind::Text),
    Field::new("asset_no", "d.asset_no", FieldKind::Text),
    Field::new("firmware", "d.firmware", FieldKind::Text),
    Field::new("agent", "d.agent", FieldKind::Text),
    Field::new("org", "d.tenant", FieldKind::Org),
    Field::new("comm", "d.comm", FieldKind::Word(&["reporting", "late", "silent", "unreachable", "unknown_path"])),
    Field::new(
        "state",
        "d.state",
        FieldKind::Word(&["idle", "processing", "stopped", "warming-up", "asleep", "offline", "unknown"]),
    ),
    Field::new("pages", "d.pages_month", FieldKind::Int),
    Field::new("life", "d.pages_life", FieldKind::Int),
    Field::new("seen", "p.seen_at", FieldKind::Time),
    Field::new("first", "d.first_at", FieldKind::Int),
    Field::new("version", "d.version", FieldKind::Int),
];

/// What a list of devices is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortBy {
    /// Worst first, then by name.
    #[default]
    Status,
    /// Name, numbers by value.
    Name,
    /// Vendor and model.
    Model,
    /// Place.
    Place,
    /// Pages this month.
    Pages,
    /// Last heard.
    Seen,
    /// Serial number.
    Serial,
    /// Address, numbers by value.
    Address,
}

macro_rules! sorts {
    ($($by:ident $name:literal: $($column:literal),+;)+) => {
        impl SortBy {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$by),+];

            /// The word in `?sort=`.
            pub fn word(self) -> &'static str {
                match self { $(Self::$by => $name),+ }
            }

            fn up(self) -> &'static Sort {
                match self { $(Self::$by => {
                    const SORT: Sort = Sort { name: concat!("devices.", $name), keys: &[$(Key::up($column)),+] };
                    &SORT
                }),+ }
            }

            fn down(self) -> &'static Sort {
                match self { $(Self::$by => {
                    const SORT: Sort = Sort { name: concat!("devices.-", $name), keys: &[$(Key::down($column)),+] };
                    &SORT
                }),+ }
            }
        }
    };
}

sorts! {
    Status "status": "d.rank", "d.sort_name", "d.id";
    Name "name": "d.sort_name", "d.id";
    Model "model": "d.sort_model", "d.id";
    Place "place": "d.sort_place", "d.id";
    Pages "pages": "d.pages_month", "d.id";
    Seen "seen": "p.seen_at", "p.device";
    Serial "serial": "d.sort_serial", "d.id";
    Address "address": "d.sort_address", "d.id";
}

impl SortBy {
    /// The sort for a word of `?sort=`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|by| by.word() == word)
    }
}

/// Which devices, in which order.
#[derive(Clone, Debug, Default)]
pub struct DeviceQuery {
    /// Condition over [`FIELDS`].
    pub filter: Option<Filter>,
    /// Words that are searched in serial, address, name, model, place, MAC, asset number; each must be found.
    pub text: Option<String>,
    /// Sorted by.
    pub sort: SortBy,
    /// Largest first.
    pub descending: bool,
    /// Retired devices instead of the others.
    pub retired: bool,
    /// Which page.
    pub page: PageQuery,
}

impl DeviceQuery {
    fn order(&self) -> &'static Sort {
        if self.descending { self.sort.down() } else { self.sort.up() }
    }
}

const COLUMNS: &str =
    "d.id, d.tenant, d.word, d.why, d.label, d.vendor, d.model, d.serial_no, d.address, d.mac, d.place, d.supplies,
    d.pages_month, d.pages_life,
    (select s.seen_at from device_presence s where s.tenant = d.tenant and s.device = d.id), d.agent, d.comm, d.state, d.reasons, d.version";

/// The narrow table is joined only where a sort or filter asks for it.
fn tables(wanted: &str) -> &'static str {
    if wanted.contains("p.seen_at") {
        "devices d join device_presence p on p.tenant = d.tenant and p.device = d.id"
    } else {
        "devices d"
    }
}

pub(super) fn read_row(row: &Row) -> Result<DeviceRow> {
    let supplies: String = row.get(11)?;
    let reasons: String = row.get(18)?;
    Ok(DeviceRow {
        id: row.get(0)?,
        org: row.get(1)?,
        word: Word::from_key(&row.get::<String>(2)?),
        why: row.get(3)?,
        name: row.get(4)?,
        vendor: row.get(5)?,
        model: row.get(6)?,
        serial: row.get(7)?,
        address: row.get(8)?,
        mac: row.get(9)?,
        place: row.get(10)?,
        supplies: read_json(&supplies)?,
        pages_month: row.get(12)?,
        pages_life: row.get(13)?,
        seen_at: row.get(14)?,
        agent: row.get(15)?,
        comm: Comm::from_word(&row.get::<String>(16)?),
        state: wire::State::from_word(&row.get::<String>(17)?).unwrap_or(wire::State::Unknown),
        reasons: split_words(&reasons),
        version: row.get(19)?,
    })
}

/// Conditions on rows, joined by `and`; `None`: a searched word is found nowhere.
async fn conditions(ctx: &Ctx, tx: &mut Tx, query: &DeviceQuery, params: &mut Vec<Value>) -> Result<Option<String>> {
    let mut all = vec![ctx.scope.condition("d", params)];
    all.push(format!("d.lifecycle {} 'retired'", if query.retired { "=" } else { "<>" }));
    if let Some(filter) = &query.filter {
        all.push(filter.to_sql(FIELDS, params)?);
    }
    if !words(ctx, tx, query.text.as_deref().unwrap_or_default(), &mut all, params).await? {
        return Ok(None);
    }
    Ok(Some(all.join("\n  and ")))
}

/// Tokens that begin with a word lie between it and it with the last of all characters behind.
fn range(term: &str, params: &mut Vec<Value>) -> String {
    params.push(term.into());
    params.push(format!("{term}\u{10FFFD}").into());
    format!("t.token >= ${} and t.token < ${}", params.len() - 1, params.len())
}

/// The devices that a word leads to, if they are few; `None`: many.
async fn few(ctx: &Ctx, tx: &mut Tx, term: &str) -> Result<Option<BTreeSet<DeviceId>>> {
    let mut params = Vec::new();
    let scope = ctx.scope.condition("t", &mut params);
    let range = range(term, &mut params);
    let text = format!("select t.device from device_tokens t where {scope} and {range} limit {}", FEW + 1);
    let rows = tx.query(&Sql::built_as("devices::search", text), &params).await?;
    if rows.len() > FEW {
        return Ok(None);
    }
    Ok(Some(rows.iter().map(|row| row.get(0)).collect::<store::Result<_>>()?))
}

/// Conditions for the words of a search; `false`: nothing can be found.
async fn words(ctx: &Ctx, tx: &mut Tx, text: &str, all: &mut Vec<String>, params: &mut Vec<Value>) -> Result<bool> {
    let mut found: Option<BTreeSet<DeviceId>> = None;
    for term in fold::terms(text) {
        match (few(ctx, tx, &term).await?, &found) {
            (Some(devices), None) => found = Some(devices),
            (Some(devices), Some(before)) => found = Some(&devices & before),
            (None, _) => all.push(format!(
                "exists (select 1 from device_tokens t where t.tenant = d.tenant and t.device = d.id and {})",
                range(&term, params)
            )),
        }
    }
    let Some(found) = found else { return Ok(true) };
    let first = params.len();
    params.extend(found.iter().map(Value::from));
    let marks: Vec<String> = (first + 1..=params.len()).map(|n| format!("${n}")).collect();
    all.push(format!("d.id in ({})", marks.join(", ")));
    Ok(!found.is_empty())
}

fn keys(sort: &Sort) -> String {
    sort.keys.iter().map(|key| key.column).collect::<Vec<_>>().join(", ")
}

/// One page of devices.
///
/// # Errors
/// `Invalid` for a filter, cursor or limit that does not fit.
pub async fn list(ctx: &Ctx, query: &DeviceQuery) -> Result<Page<DeviceRow>> {
    let (limit, sort) = (query.page.limit()?, query.order());
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut params = Vec::new();
    let Some(conditions) = conditions(ctx, &mut tx, query, &mut params).await? else {
        return Ok(Page { items: Vec::new(), next: None, count: query.page.count.then_some(0) });
    };
    let mut count = None;
    if query.page.count {
        let text = format!("select count(*) from {} where {conditions}", tables(&conditions));
        let found: i64 = tx.query_one(&Sql::built_as("devices::count", text), &params).await?.get(0)?;
        count = Some(u64::try_from(found).unwrap_or(0));
    }
    let after = sort.after(query.page.after.as_deref(), &mut params)?;
    params.push(i64::try_from(limit + 1).unwrap_or(i64::MAX).into());
    let text = format!(
        "select {COLUMNS}, {} from {} where {conditions} and {after} order by {} limit ${}",
        keys(sort),
        tables(&format!("{conditions} {}", sort.order())),
        sort.order(),
        params.len()
    );
    let rows = tx.query(&Sql::built_as("devices::list", text), &params).await?;
    let mut page = sort.page(rows, limit, read_row)?;
    page.count = count;
    Ok(page)
}

/// The first devices that the words of a search lead to.
///
/// # Errors
/// `Invalid` for a limit that does not fit.
pub async fn search(ctx: &Ctx, text: &str, limit: u32) -> Result<Vec<DeviceRow>> {
    if fold::terms(text).is_empty() {
        return Ok(Vec::new());
    }
    let page = PageQuery { limit: Some(limit), ..PageQuery::default() };
    let query = DeviceQuery { text: Some(text.to_owned()), sort: SortBy::Name, page, ..DeviceQuery::default() };
    Ok(list(ctx, &query).await?.items)
}

/// How many devices have a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FacetCount {
    /// The value, as a filter compares it.
    pub key: String,
    /// As people read it.
    pub label: String,
    /// Devices.
    pub count: u64,
}

/// Counts beside a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Facets {
    /// All devices of the present filter.
    pub total: u64,
    /// By status, in the order of its rank; words that no device has are left out.
    pub status: Vec<FacetCount>,
    /// By place, most first.
    pub places: Vec<FacetCount>,
    /// By vendor, most first.
    pub vendors: Vec<FacetCount>,
    /// By agent, most first; the label is the agent's name.
    pub agents: Vec<FacetCount>,
}

/// Counts the devices of the present filter by status, place, vendor and agent, in one pass. Sort and page are not looked at.
///
/// # Errors
/// `Invalid` for a filter that does not fit.
pub async fn facets(ctx: &Ctx, query: &DeviceQuery) -> Result<Facets> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut params = Vec::new();
    let Some(conditions) = conditions(ctx, &mut tx, query, &mut params).await? else { return Ok(Facets::default()) };
    let tables = tables(&conditions);
    let text = format!(
        "select d.word, d.vendor, d.place, d.agent, count(*) from {tables} where {conditions} group by d.word, d.vendor, d.place, d.agent"
    );
    let rows = tx.query(&Sql::built_as("devices::facets", text), &params).await?;
    let mut sums: [BTreeMap<String, u64>; 4] = Default::default();
    let mut total = 0;
    for row in rows {
        let count: u64 = row.get(4)?;
        total += count;
        for (sum, column) in sums.iter_mut().zip(0..) {
            *sum.entry(row.get::<Option<String>>(column)?.unwrap_or_default()).or_default() += count;
        }
    }
    let [words, vendors, places, agents] = sums;
    let names = agent_names(ctx, &mut tx).await?;
    let name = |key: &str| key.parse::<AgentId>().ok().and_then(|id| names.get(&id).cloned());
    // A device that reports by itself is no agent's.
    let agents = agents.into_iter().filter(|(key, _)| name(key).is_some()).collect();
    let label = |key: &str| name(key).unwrap_or_default();
    let mut status = counts(words, |key| Word::from_key(key).label().to_owned());
    status.sort_by_key(|facet| Word::from_key(&facet.key).rank());
    Ok(Facets {
        total,
        status,
        places: counts(places, str::to_owned),
        vendors: counts(vendors, str::to_owned),
        agents: counts(agents, label),
    })
}

fn counts(sums: BTreeMap<String, u64>, label: impl Fn(&str) -> String) -> Vec<FacetCount> {
    let mut all: Vec<_> = sums.into_iter().map(|(key, count)| FacetCount { label: label(&key), key, count }).collect();
    all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
    all
}

/// Names of the agents in sight.
pub(super) async fn agent_names(ctx: &Ctx, tx: &mut Tx) -> Result<BTreeMap<AgentId, String>> {
    let mut params = Vec::new();
    let text = format!("select a.id, a.name from agents a where {}", ctx.scope.condition("a", &mut params));
    let rows = tx.query(&Sql::built_as("devices::agent_names", text), &params).await?;
    rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
}

/// The devices before and after one in a list.
///
/// # Errors
/// `Invalid` for a filter that does not fit.
pub async fn neighbours(ctx: &Ctx, device: DeviceId, query: &DeviceQuery) -> Result<Neighbours> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let forward = query.order();
    let mut params = Vec::new();
    let scope = ctx.scope.condition("d", &mut params);
    params.push(device.into());
    let text =
        format!("select {} from {} where {scope} and d.id = ${}", keys(forward), tables(&keys(forward)), params.len());
    let Some(row) = tx.query_opt(&Sql::built_as("devices::key", text), &params).await? else {
        return Ok(Neighbours::default());
    };
    let values = row.into_values();
    let mut found = [None, None];
    let backward = if query.descending { query.sort.up() } else { query.sort.down() };
    for (slot, sort) in found.iter_mut().zip([backward, forward]) {
        let mut params = Vec::new();
        let Some(conditions) = conditions(ctx, &mut tx, query, &mut params).await? else {
            return Ok(Neighbours::default());
        };
        let after = sort.after(Some(&sort.cursor(&values)), &mut params)?;
        let text = format!(
            "select d.id from {} where {conditions} and {after} order by {} limit 1",
            tables(&format!("{conditions} {}", sort.order())),
            sort.order()
        );
        *slot = tx
            .query_opt(&Sql::built_as("devices::neighbour", text), &params)
            .await?
            .map(|row| row.get(0))
            .transpose()?;
    }
    let [previous, next] = found;
    Ok(Neighbours { previous, next })
}
