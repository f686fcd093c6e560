//! `/api/v1/contracts` and `/api/v1/meter-maps`.

use axum::{
    Json,
    extract::{Path, Query},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use platen_core::{
    DeviceId, Micros, OrgId,
    billing::{
        self, Assignment, Contract, ContractId, ContractPatch, ContractQuery, Estimate, Line, MapId, MeterMap,
        MeterWords, NewContract, NewMap, Period,
    },
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{Answered, Body, IfMatch, Posting, tagged},
    caller::Caller,
    listing::{ListQuery, Listed, Row, answer, whole},
    problem::Problem,
};

/// One kind of page and what it costs.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = ContractLine)]
#[serde(deny_unknown_fields)]
pub(crate) struct LineView {
    /// As it stands on the bill; the counter's words when not given.
    #[serde(default)]
    name: String,
    /// Which counter: `total`, `print full large`, `copy mono`, `total sheets` …
    meter: String,
    /// Code in the books, where no map gives one.
    #[serde(default)]
    erp_code: Option<String>,
    /// Price of one unit, at most six places, as text: `0.0085`.
    price: String,
    /// Units of a period that cost nothing, over all devices.
    #[serde(default)]
    included: i64,
    /// What one unit counts for, thousandths: 2000 for A3 that counts twice; 1000 when not given.
    #[serde(default = "one")]
    factor_milli: i64,
}

fn one() -> i64 {
    1_000
}

impl LineView {
    pub(super) fn new(
        name: &str,
        meter: &str,
        erp_code: Option<&str>,
        price: &str,
        included: i64,
        factor_milli: i64,
    ) -> Self {
        let erp_code = erp_code.map(str::to_owned);
        Self {
            name: name.to_owned(),
            meter: meter.to_owned(),
            erp_code,
            price: price.to_owned(),
            included,
            factor_milli,
        }
    }

    pub(super) fn line(self) -> platen_core::Result<Line> {
        Ok(Line {
            no: 0,
            name: self.name,
            words: MeterWords::parse(&self.meter)?,
            erp_code: self.erp_code,
            price_micro: billing::price(&self.price)?,
            included: self.included,
            factor_milli: self.factor_milli,
        })
    }
}

impl From<&Line> for LineView {
    fn from(line: &Line) -> Self {
        Self {
            name: line.name.clone(),
            meter: line.words.to_string(),
            erp_code: line.erp_code.clone(),
            price: billing::money(line.price_micro),
            included: line.included,
            factor_milli: line.factor_milli,
        }
    }
}

/// What is billed, when, and for which devices.
#[derive(Serialize, ToSchema)]
#[schema(as = Contract)]
pub(crate) struct ContractView {
    id: String,
    organisation: String,
    number: String,
    name: String,
    /// `active` or `ended`.
    state: String,
    /// `*`, a filter over name, vendor, model, serial, place, asset_no, agent; `null`: devices that were assigned.
    devices: Option<String>,
    /// `month` or `quarter`.
    period: &'static str,
    due_day: i64,
    /// Local time at which a period ends, `HH:MM`.
    close_time: String,
    zone: String,
    currency: String,
    max_age_d: i64,
    /// `none`, `average` or `last_period`.
    estimate: &'static str,
    review_d: i64,
    mail_to: String,
    #[schema(value_type = String, format = DateTime)]
    first_at: Micros,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Micros>,
    /// What it bills; empty in lists.
    lines: Vec<LineView>,
}

impl Row for ContractView {
    const COLUMNS: &'static [&'static str] = &[
        "number",
        "name",
        "state",
        "organisation",
        "devices",
        "period",
        "due_day",
        "close_time",
        "zone",
        "currency",
        "max_age_d",
        "estimate",
        "review_d",
        "mail_to",
        "first_at",
        "ended_at",
        "id",
    ];
}

impl From<Contract> for ContractView {
    fn from(contract: Contract) -> Self {
        Self {
            id: contract.id.to_string(),
            organisation: contract.org.to_string(),
            number: contract.number,
            name: contract.name,
            state: contract.state,
            devices: contract.device_filter,
            period: contract.period.as_str(),
            due_day: contract.due_day,
            close_time: clock(contract.close_minute),
            zone: contract.zone,
            currency: contract.currency,
            max_age_d: contract.max_age_d,
            estimate: contract.estimate.as_str(),
            review_d: contract.review_d,
            mail_to: contract.mail_to,
            first_at: contract.first_at,
            ended_at: contract.ended_at,
            lines: contract.lines.iter().map(Into::into).collect(),
        }
    }
}

/// `HH:MM` of minutes after midnight.
pub(super) fn clock(minute: i64) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// Minutes after midnight of `HH:MM`.
pub(super) fn minute(text: &str) -> platen_core::Result<i64> {
    let wrong = || platen_core::Error::invalid("close_time", "a time is written as 18:00");
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let (hour, minute): (i64, i64) = (hour.parse().map_err(|_| wrong())?, minute.parse().map_err(|_| wrong())?);
    if (0..24).contains(&hour) && (0..60).contains(&minute) { Ok(hour * 60 + minute) } else { Err(wrong()) }
}

/// A new contract.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContractPost {
    /// Number in the books; one in its organisation.
    number: String,
    #[serde(default)]
    name: String,
    /// The own one when not given.
    organisation: Option<String>,
    /// `*`, a filter, or nothing.
    devices: Option<String>,
    /// `month` when not given.
    period: Option<String>,
    /// 1 to 28; 1 when not given.
    due_day: Option<i64>,
    /// `HH:MM`; midnight when not given.
    close_time: Option<String>,
    /// IANA zone; the organisation's when not given.
    zone: Option<String>,
    currency: Option<String>,
    max_age_d: Option<i64>,
    estimate: Option<String>,
    review_d: Option<i64>,
    #[serde(default)]
    mail_to: String,
    /// When billing begins; now when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    first_at: Option<Micros>,
    lines: Vec<LineView>,
}

/// What to change in a contract.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContractChange {
    name: Option<String>,
    /// `*` or a filter; empty: only devices that were assigned.
    devices: Option<String>,
    max_age_d: Option<i64>,
    estimate: Option<String>,
    review_d: Option<i64>,
    mail_to: Option<String>,
}

/// All lines of a contract.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinesPut {
    lines: Vec<LineView>,
}

/// A device under a contract.
#[derive(Serialize, ToSchema)]
#[schema(as = Assignment)]
pub(crate) struct AssignmentView {
    device: String,
    name: String,
    serial: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    from_at: Micros,
    #[schema(value_type = Option<String>, format = DateTime)]
    until_at: Option<Micros>,
}

impl Row for AssignmentView {
    const COLUMNS: &'static [&'static str] = &["device", "name", "serial", "from_at", "until_at"];
}

impl From<Assignment> for AssignmentView {
    fn from(a: Assignment) -> Self {
        let device = a.device.to_string();
        Self { device, name: a.name, serial: a.serial, from_at: a.from_at, until_at: a.until_at }
    }
}

/// Which device, and since when.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssignmentPost {
    device: String,
    /// Now when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    from_at: Option<Micros>,
}

/// A counter of some devices and its code in the books.
#[derive(Serialize, ToSchema)]
#[schema(as = MeterMap)]
pub(crate) struct MapView {
    id: String,
    /// Empty: of any maker.
    vendor: String,
    /// Empty: any model.
    model: String,
    device: Option<String>,
    meter: String,
    erp_code: String,
}

impl From<MeterMap> for MapView {
    fn from(map: MeterMap) -> Self {
        Self {
            id: map.id.to_string(),
            vendor: map.vendor,
            model: map.model,
            device: map.device.map(|device| device.to_string()),
            meter: map.words.to_string(),
            erp_code: map.erp_code,
        }
    }
}

/// A new map; one for the same counter of the same devices takes its place.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MapPost {
    #[serde(default)]
    vendor: String,
    #[serde(default)]
    model: String,
    device: Option<String>,
    /// As in a line: `print full large`.
    meter: String,
    erp_code: String,
    /// The own one when not given.
    organisation: Option<String>,
}

pub(super) fn org_of(caller: &Caller, given: Option<&str>) -> platen_core::Result<OrgId> {
    let own = || caller.ctx.scope.focus().unwrap_or(caller.ctx.home);
    Ok(given.map(OrgId::parse).transpose()?.unwrap_or_else(own))
}

/// Contracts by number; CSV by `Accept: text/csv`.
#[utoipa::path(get, path = "/api/v1/contracts", tag = "billing", params(ListQuery),
    responses((status = 200, body = Listed<ContractView>), (status = "default", body = Problem)))]
pub(crate) async fn list_contracts(caller: Caller, Query(query): Query<ListQuery>, headers: HeaderMap) -> Answered {
    query.one_order()?;
    let asked = ContractQuery { filter: query.filter()?, page: query.page() };
    let page = billing::contracts(&caller.ctx, &asked).await?;
    answer(page.map(ContractView::from), &query, &headers)
}

/// Makes a contract; its first period begins at `first_at`.
#[utoipa::path(post, path = "/api/v1/contracts", tag = "billing", request_body = ContractPost,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = ContractView), (status = "default", body = Problem)))]
pub(crate) async fn create_contract(caller: Caller, Posting(new, once): Posting<ContractPost>) -> Answered {
    let ctx = &caller.ctx;
    once.run(ctx, async {
        let org = org_of(&caller, new.organisation.as_deref())?;
        let contract = NewContract {
            number: new.number,
            name: new.name,
            device_filter: new.devices,
            period: new.period.as_deref().map(Period::parse).transpose()?.unwrap_or_default(),
            due_day: new.due_day,
            close_minute: new.close_time.as_deref().map(minute).transpose()?,
            zone: new.zone,
            currency: new.currency,
            max_age_d: new.max_age_d,
            estimate: new.estimate.as_deref().map(Estimate::parse).transpose()?.unwrap_or_default(),
            review_d: new.review_d,
            mail_to: new.mail_to,
            first_at: new.first_at,
            lines: new.lines.into_iter().map(LineView::line).collect::<Result<_, _>>()?,
        };
        let made = billing::create(ctx, org, &contract).await?;
        let version = made.version;
        Ok(tagged(StatusCode::CREATED, &ContractView::from(made), version))
    })
    .await
}

fn told(contract: Contract) -> Answered {
    let version = contract.version;
    Ok(tagged(StatusCode::OK, &ContractView::from(contract), version))
}

/// One contract with its lines.
#[utoipa::path(get, path = "/api/v1/contracts/{id}", tag = "billing", params(("id" = String, Path)),
    responses((status = 200, body = ContractView), (status = "default", body = Problem)))]
pub(crate) async fn get_contract(caller: Caller, Path(id): Path<String>) -> Answered {
    told(billing::contract(&caller.ctx, ContractId::parse(&id)?).await?)
}

/// Changes a contract; when its periods end cannot be changed.
#[utoipa::path(patch, path = "/api/v1/contracts/{id}", tag = "billing", request_body = ContractChange,
    params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = ContractView), (status = "default", body = Problem)))]
pub(crate) async fn update_contract(
    caller: Caller,
    Path(id): Path<String>,
    if_match: IfMatch,
    Body(patch): Body<ContractChange>,
) -> Answered {
    let patch = ContractPatch {
        name: patch.name,
        device_filter: patch.devices.map(Some),
        max_age_d: patch.max_age_d,
        estimate: patch.estimate.as_deref().map(Estimate::parse).transpose()?,
        review_d: patch.review_d,
        mail_to: patch.mail_to,
    };
    told(billing::update(&caller.ctx, ContractId::parse(&id)?, &patch, if_match.0).await?)
}

/// Ends a contract: the running period is still closed, none follows.
#[utoipa::path(delete, path = "/api/v1/contracts/{id}", tag = "billing",
    params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = ContractView), (status = "default", body = Problem)))]
pub(crate) async fn end_contract(caller: Caller, Path(id): Path<String>, if_match: IfMatch) -> Answered {
    told(billing::end(&caller.ctx, ContractId::parse(&id)?, if_match.0).await?)
}

/// Sets all lines of a contract; they hold for periods that are closed from now on.
#[utoipa::path(put, path = "/api/v1/contracts/{id}/lines", tag = "billing", request_body = LinesPut,
    params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = ContractView), (status = "default", body = Problem)))]
pub(crate) async fn set_contract_lines(
    caller: Caller,
    Path(id): Path<String>,
    if_match: IfMatch,
    Body(put): Body<LinesPut>,
) -> Answered {
    let lines = put.lines.into_iter().map(LineView::line).collect::<Result<Vec<_>, _>>()?;
    told(billing::set_lines(&caller.ctx, ContractId::parse(&id)?, &lines, if_match.0).await?)
}

/// Devices that a contract names one by one.
#[utoipa::path(get, path = "/api/v1/contracts/{id}/devices", tag = "billing", params(("id" = String, Path), ListQuery),
    responses((status = 200, body = Listed<AssignmentView>), (status = "default", body = Problem)))]
pub(crate) async fn list_contract_devices(
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Answered {
    query.one_order()?;
    let page = billing::assignments(&caller.ctx, ContractId::parse(&id)?, &query.page()).await?;
    answer(page.map(AssignmentView::from), &query, &headers)
}

/// Puts a device under a contract; it may be under one at a time.
#[utoipa::path(post, path = "/api/v1/contracts/{id}/devices", tag = "billing", request_body = AssignmentPost,
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn assign_contract_device(
    caller: Caller,
    Path(id): Path<String>,
    Posting(new, once): Posting<AssignmentPost>,
) -> Answered {
    once.run(&caller.ctx, async {
        let device = DeviceId::parse(&new.device)?;
        billing::assign(&caller.ctx, ContractId::parse(&id)?, device, new.from_at).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

/// Takes a device out of a contract, from now on; what it did until now is still billed.
#[utoipa::path(delete, path = "/api/v1/contracts/{id}/devices/{device}", tag = "billing",
    params(("id" = String, Path), ("device" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn unassign_contract_device(caller: Caller, Path((id, device)): Path<(String, String)>) -> Answered {
    billing::unassign(&caller.ctx, ContractId::parse(&id)?, DeviceId::parse(&device)?, None).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Codes of counters in the books.
#[utoipa::path(get, path = "/api/v1/meter-maps", tag = "billing", params(("org" = Option<String>, Query)),
    responses((status = 200, body = Listed<MapView>), (status = "default", body = Problem)))]
pub(crate) async fn list_meter_maps(caller: Caller) -> Answered {
    let org = org_of(&caller, None)?;
    let items: Vec<MapView> = billing::maps(&caller.ctx, org).await?.into_iter().map(Into::into).collect();
    Ok(whole(items))
}

/// Sets the code of a counter: for a maker, a model, or one device; the narrowest holds.
#[utoipa::path(post, path = "/api/v1/meter-maps", tag = "billing", request_body = MapPost,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = MapView), (status = "default", body = Problem)))]
pub(crate) async fn create_meter_map(caller: Caller, Posting(new, once): Posting<MapPost>) -> Answered {
    once.run(&caller.ctx, async {
        let org = org_of(&caller, new.organisation.as_deref())?;
        let map = NewMap {
            vendor: new.vendor,
            model: new.model,
            device: new.device.as_deref().map(DeviceId::parse).transpose()?,
            words: MeterWords::parse(&new.meter)?,
            erp_code: new.erp_code,
        };
        let made = billing::map(&caller.ctx, org, &map).await?;
        Ok((StatusCode::CREATED, Json(MapView::from(made))).into_response())
    })
    .await
}

/// Takes a map away.
#[utoipa::path(delete, path = "/api/v1/meter-maps/{id}", tag = "billing", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn delete_meter_map(caller: Caller, Path(id): Path<String>) -> Answered {
    billing::unmap(&caller.ctx, MapId::parse(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
