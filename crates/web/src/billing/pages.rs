//! `/contracts` and `/contracts/{id}`.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
};
use platen_core::{
    Error, Filter, Micros, OrgId, PageQuery, Role,
    billing::{
        self, CloseQuery, CloseRow, CloseState, Contract, ContractId, ContractQuery, Estimate, Line, NewContract,
        Period, money,
    },
};

use super::api::{LineView, clock, minute};
use crate::{
    app::App,
    fields::{Fields, Posted},
    shell::{Section, Shell, Shown, again, go, show},
    trouble::Trouble,
    viewer::Viewer,
    words::{self, Mark, Zone, capital, count, grouped},
};

/// Counters that are billed often; any other words are taken too.
pub(super) const METERS: &[&str] = &[
    "total",
    "total mono",
    "total full",
    "print mono",
    "print full",
    "copy mono",
    "copy full",
    "total mono large",
    "total full large",
    "fax",
    "scan",
    "total sheets",
];
/// Rows of the form of lines beyond those that there are.
const SPARE: usize = 2;

struct ContractLineRow {
    id: String,
    number: String,
    name: String,
    org: String,
    which: String,
    when: String,
    mark: Mark,
    next: String,
}

#[derive(Template)]
#[template(path = "billing/contracts.html")]
struct ContractsPage {
    shell: Shell,
    place: &'static str,
    summary: String,
    rows: Vec<ContractLineRow>,
    may_change: bool,
    meters: &'static [&'static str],
    zones: &'static [&'static str],
    zone: String,
    next: Option<String>,
}

/// When the periods of a contract end, in words.
fn ends(contract: &Contract) -> String {
    let each = match contract.period {
        Period::Month => "each month",
        Period::Quarter => "each quarter",
    };
    let time = if contract.close_minute == 0 { "midnight".to_owned() } else { clock(contract.close_minute) };
    format!("day {} of {each}, {time}", contract.due_day)
}

fn which(contract: &Contract) -> String {
    match contract.device_filter.as_deref() {
        None => "by name".to_owned(),
        Some("*") => "all devices".to_owned(),
        Some(filter) => filter.to_owned(),
    }
}

fn contract_mark(state: &str) -> Mark {
    if state == "active" { words::mark("", "s-ready", "Runs") } else { words::mark("off", "s-off", "Ended") }
}

pub(super) fn close_mark(close: &CloseRow) -> Mark {
    match close.state {
        CloseState::Scheduled => words::mark("sleep", "s-sleep", "Runs"),
        CloseState::Gathering => words::mark("busy", "s-busy", "Ends soon"),
        CloseState::Review if close.open_gaps > 0 => words::mark("warn", "s-warn", "Waits for you"),
        CloseState::Review => words::mark("busy", "s-busy", "Review"),
        CloseState::Closed => words::mark("", "s-ready", "Closed"),
    }
}

pub(super) fn name_in(shell: &Shell, org: OrgId) -> String {
    let org = org.to_string();
    shell.orgs.iter().find(|known| known.id == org).map(|known| known.name.clone()).unwrap_or_default()
}

async fn contracts_page(
    app: &App,
    viewer: &Viewer,
    fields: &Fields,
    error: Option<String>,
) -> Result<ContractsPage, Trouble> {
    let shell = Shell::of(app, viewer, "Contracts", Section::Meters).await?.with_error(error);
    let page = PageQuery { limit: Some(100), after: fields.get("after").map(str::to_owned), count: true };
    let page = billing::contracts(&viewer.ctx, &ContractQuery { filter: None, page }).await?;
    let open = Filter::parse("state ne \"closed\"")?;
    let soon = PageQuery { limit: Some(500), ..PageQuery::default() };
    let due = billing::closes(&viewer.ctx, &CloseQuery { filter: Some(open), soonest: true, page: soon }).await?.items;
    let rows = page.items.iter().map(|contract| {
        let next = due.iter().find(|close| close.contract == contract.id);
        ContractLineRow {
            id: contract.id.to_string(),
            number: contract.number.clone(),
            name: contract.name.clone(),
            org: name_in(&shell, contract.org),
            which: which(contract),
            when: ends(contract),
            mark: contract_mark(&contract.state),
            next: next.map_or_else(|| "–".to_owned(), |close| Zone::named(&contract.zone).day(close.to_at)),
        }
    });
    Ok(ContractsPage {
        place: "/contracts",
        summary: match page.count.unwrap_or(0) {
            0 => String::new(),
            n => format!("{}.", count(n, "contract", "contracts")),
        },
        rows: rows.collect(),
        may_change: viewer.ctx.role >= Role::Manager,
        meters: METERS,
        zones: crate::orgs::ZONES,
        zone: shell.zone_name.clone(),
        next: page.next.map(|next| format!("/contracts{}", fields.query_with("after", &next, &[]))),
        shell,
    })
}

/// `GET /contracts`.
pub(crate) async fn list(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    show(&contracts_page(&app, &viewer, &fields, None).await?)
}

pub(super) fn number(fields: &Fields, name: &str) -> Result<Option<i64>, Error> {
    let whole = |text: &str| text.parse().map_err(|_| Error::invalid(name, format!("{name} is a whole number")));
    fields.get(name).map(whole).transpose()
}

fn new_contract(f: &Fields) -> Result<NewContract, Error> {
    let first_at = match f.get("first_day") {
        None => None,
        Some(day) => {
            let wrong = || Error::invalid("first_day", "a day is written as 2026-01-31");
            let date: jiff::civil::Date = day.parse().map_err(|_| wrong())?;
            let zone = jiff::tz::TimeZone::get(f.text("zone")).map_err(|_| wrong())?;
            let start = date.to_zoned(zone).map_err(|_| wrong())?;
            Some(Micros(start.timestamp().as_microsecond()))
        }
    };
    let line = LineView::new(f.text("line_name"), f.text("meter"), f.get("erp_code"), f.text("price"), 0, 1_000);
    Ok(NewContract {
        number: f.text("number").to_owned(),
        name: f.text("name").to_owned(),
        device_filter: f.get("devices").map(str::to_owned),
        period: Period::parse(f.get("period").unwrap_or("month"))?,
        due_day: number(f, "due_day")?,
        close_minute: f.get("close_time").map(minute).transpose()?,
        zone: f.get("zone").map(str::to_owned),
        currency: f.get("currency").map(str::to_owned),
        estimate: Estimate::parse(f.get("estimate").unwrap_or("average"))?,
        mail_to: f.text("mail_to").to_owned(),
        first_at,
        lines: vec![line.line()?],
        ..NewContract::default()
    })
}

/// `POST /contracts`.
pub(crate) async fn create_page(State(app): State<App>, headers: HeaderMap, posted: Posted) -> Shown {
    let viewer = &posted.viewer;
    let org = viewer.ctx.scope.focus().unwrap_or(viewer.ctx.home);
    let made = match new_contract(&posted.fields) {
        Ok(new) => billing::create(&viewer.ctx, org, &new).await,
        Err(error) => Err(error),
    };
    match made {
        Ok(contract) => Ok(go(&app, &headers, &format!("/contracts/{}", contract.id), "created")),
        Err(error) => again(error, |why| contracts_page(&app, viewer, Fields::NONE, Some(why))).await,
    }
}

struct TermRow {
    at: usize,
    name: String,
    meter: String,
    title: String,
    price: String,
    included: String,
    /// The same, to be read.
    free: String,
    factor: String,
    code: String,
}

struct AssignedRow {
    id: String,
    name: String,
    serial: String,
    from: String,
    until: String,
    under: bool,
}

struct MapRow {
    id: String,
    whose: String,
    meter: String,
    code: String,
}

pub(super) struct CloseLine {
    pub(super) id: String,
    pub(super) number: String,
    pub(super) name: String,
    pub(super) org: String,
    pub(super) period: String,
    pub(super) mark: Mark,
    pub(super) ends: String,
    pub(super) devices: String,
    pub(super) missing: String,
}

pub(super) fn close_line(close: &CloseRow, shell: &Shell) -> CloseLine {
    let zone = Zone::named(&close.zone);
    CloseLine {
        id: close.id.to_string(),
        number: close.number.clone(),
        name: close.contract_name.clone(),
        org: name_in(shell, close.org),
        period: close.period.clone(),
        mark: close_mark(close),
        ends: zone.full(close.to_at),
        devices: grouped(u64::try_from(close.devices).unwrap_or(0)),
        missing: match (close.gaps, close.open_gaps) {
            (0, _) => String::new(),
            (gaps, 0) => grouped(u64::try_from(gaps).unwrap_or(0)),
            (gaps, open) => format!("{gaps}, {open} open"),
        },
    }
}

#[derive(Template)]
#[template(path = "billing/contract.html")]
pub(super) struct ContractPage {
    shell: Shell,
    place: &'static str,
    id: String,
    version: i64,
    number: String,
    name: String,
    mark: Mark,
    active: bool,
    identity: Vec<(&'static str, String)>,
    devices: String,
    estimate: &'static str,
    max_age_d: i64,
    review_d: i64,
    mail_to: String,
    currency: String,
    lines: Vec<TermRow>,
    spare: Vec<usize>,
    meters: &'static [&'static str],
    assigned: Vec<AssignedRow>,
    maps: Vec<MapRow>,
    closes: Vec<CloseLine>,
    may_change: bool,
}

pub(super) async fn contract_page(
    app: &App,
    viewer: &Viewer,
    id: ContractId,
    error: Option<String>,
) -> Result<ContractPage, Trouble> {
    let ctx = &viewer.ctx;
    let contract = billing::contract(ctx, id).await?;
    let shell = Shell::of(app, viewer, &contract.number, Section::Meters).await?.with_error(error);
    let zone = Zone::named(&contract.zone);
    let first = PageQuery { limit: Some(200), ..PageQuery::default() };
    let assigned = billing::assignments(ctx, id, &first).await?.items;
    let of_contract = Filter::Eq("contract".to_owned(), platen_core::filter::Operand::Text(id.to_string()));
    let page = PageQuery { limit: Some(24), ..PageQuery::default() };
    let closes = billing::closes(ctx, &CloseQuery { filter: Some(of_contract), soonest: false, page }).await?.items;
    let identity = vec![
        ("Organisation", name_in(&shell, contract.org)),
        ("Periods end", ends(&contract)),
        ("Zone", contract.zone.clone()),
        ("Billed since", zone.full(contract.first_at)),
    ];
    let lines: Vec<TermRow> = contract.lines.iter().enumerate().map(|(at, line)| term(at, line)).collect();
    Ok(ContractPage {
        place: "/contracts",
        spare: (lines.len()..lines.len() + SPARE).collect(),
        id: id.to_string(),
        version: contract.version,
        number: contract.number.clone(),
        name: contract.name.clone(),
        mark: contract_mark(&contract.state),
        active: contract.state == "active",
        devices: contract.device_filter.clone().unwrap_or_default(),
        estimate: contract.estimate.as_str(),
        max_age_d: contract.max_age_d,
        review_d: contract.review_d,
        mail_to: contract.mail_to.clone(),
        currency: contract.currency.clone(),
        identity,
        lines,
        meters: METERS,
        assigned: assigned
            .into_iter()
            .map(|one| AssignedRow {
                id: one.device.to_string(),
                name: one.name,
                serial: one.serial.unwrap_or_default(),
                from: zone.day(one.from_at),
                until: one.until_at.map(|at| zone.day(at)).unwrap_or_default(),
                under: one.until_at.is_none(),
            })
            .collect(),
        maps: billing::maps(ctx, contract.org).await?.into_iter().map(map_row).collect(),
        closes: closes.iter().map(|close| close_line(close, &shell)).collect(),
        may_change: ctx.role >= Role::Manager,
        shell,
    })
}

fn term(at: usize, line: &Line) -> TermRow {
    TermRow {
        at,
        name: line.name.clone(),
        meter: line.words.to_string(),
        title: capital(&line.words.title()),
        price: money(line.price_micro),
        included: line.included.to_string(),
        free: grouped(u64::try_from(line.included).unwrap_or(0)),
        factor: line.factor_milli.to_string(),
        code: line.erp_code.clone().unwrap_or_default(),
    }
}

fn map_row(map: billing::MeterMap) -> MapRow {
    let whose = match (&map.device, map.vendor.as_str(), map.model.as_str()) {
        (Some(_), ..) => "one device".to_owned(),
        (None, "", "") => "every device".to_owned(),
        (None, vendor, model) => {
            words::model_name(Some(vendor).filter(|v| !v.is_empty()), Some(model).filter(|m| !m.is_empty()))
        }
    };
    MapRow { id: map.id.to_string(), whose, meter: capital(&map.words.title()), code: map.erp_code }
}

/// `GET /contracts/{id}`.
pub(crate) async fn sheet(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Shown {
    show(&contract_page(&app, &viewer, ContractId::parse(&id)?, None).await?)
}
