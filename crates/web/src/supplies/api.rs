//! `/api/v1/supplies`: supplies of the fleet, one slot, limits, how forecasts came true.

use axum::{
    Json,
    extract::{Path, Query},
    http::HeaderMap,
    response::IntoResponse,
};
use platen_core::{
    DeviceId, Micros, OrgId,
    supplies::{self, Forecast, SupplyQuery, rules::thresholds::Limits},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{Answered, Body, IfMatch},
    caller::Caller,
    listing::{ListQuery, Listed, Row, answer},
    problem::Problem,
};

/// A supply of the fleet.
#[derive(Serialize, ToSchema)]
#[schema(as = FleetSupply)]
pub(crate) struct SupplyView {
    organisation: String,
    device: String,
    device_name: String,
    vendor: String,
    model: Option<String>,
    place: String,
    /// Slot of the device.
    index: String,
    /// `yellow toner`.
    name: String,
    /// C, M, Y, K, W or the first letter of what it is.
    #[schema(value_type = String)]
    letter: char,
    kind: String,
    color: Option<String>,
    part_number: Option<String>,
    /// As the device states it; never a number that it did not give.
    #[schema(value_type = Object)]
    level: wire::Level,
    /// How full a waste box is, per cent, once its model has shown which way its level runs.
    filled: Option<f64>,
    /// Days until it is empty (a waste box: full); `null`: the past does not say.
    days: Option<f64>,
    /// Nineteen times of twenty it lasts longer than so many days.
    least_days: Option<f64>,
    /// Nineteen times of twenty it is empty after so many days.
    most_days: Option<f64>,
    /// `proposed`, `ordered`, `shipped` or `arrived` where a shipment holds one for it.
    shipment: Option<String>,
}

impl Row for SupplyView {
    const COLUMNS: &'static [&'static str] = &[
        "organisation",
        "device",
        "device_name",
        "vendor",
        "model",
        "place",
        "index",
        "name",
        "letter",
        "kind",
        "color",
        "part_number",
        "level",
        "filled",
        "days",
        "least_days",
        "most_days",
        "shipment",
    ];
}

impl From<supplies::SupplyRow> for SupplyView {
    fn from(row: supplies::SupplyRow) -> Self {
        let of =
            |part: fn(&Forecast) -> f64| row.forecast.as_ref().map(|forecast| (part(forecast) * 100.0).round() / 100.0);
        Self {
            days: of(|forecast| forecast.days),
            least_days: of(|forecast| forecast.least_days),
            most_days: of(|forecast| forecast.most_days),
            organisation: row.org.to_string(),
            device: row.device.to_string(),
            device_name: row.device_name,
            vendor: row.vendor,
            model: row.model,
            place: row.place,
            index: row.index,
            name: row.name,
            letter: row.letter,
            kind: row.kind,
            color: row.color,
            part_number: row.part_number,
            level: row.level,
            filled: row.filled,
            shipment: row.shipment,
        }
    }
}

/// Query of the list of supplies.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SupplyListQuery {
    /// `true`: those of which nothing can be foretold, lowest level first; else those with a forecast, soonest first.
    without_forecast: Option<bool>,
    /// Rows wanted, 1 to 500; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
    /// Condition on the rows, as `kind eq "toner" and vendor eq "hp"`.
    filter: Option<String>,
    /// Not of this list: it has one order.
    sort: Option<String>,
    /// Names of the fields to give, with commas between; all when not given.
    fields: Option<String>,
    /// `true` counts all matching rows too.
    count: Option<bool>,
    /// Look only at this organisation and those below it.
    org: Option<String>,
}

/// Supplies of all devices, those that are empty first at the top. Filter by `kind color class part_number level told device name vendor model place org empty`.
#[utoipa::path(get, path = "/api/v1/supplies", tag = "supplies", params(SupplyListQuery),
    responses((status = 200, body = Listed<SupplyView>), (status = "default", body = Problem)))]
pub(crate) async fn list_supplies(caller: Caller, Query(q): Query<SupplyListQuery>, headers: HeaderMap) -> Answered {
    let SupplyListQuery { without_forecast, limit, after, filter, sort, fields, count, org } = q;
    let query = ListQuery { limit, after, filter, sort, fields, count, org };
    query.one_order()?;
    let asked = SupplyQuery {
        filter: query.filter()?,
        without_forecast: without_forecast.unwrap_or(false),
        page: query.page(),
    };
    let page = supplies::list(&caller.ctx, &asked).await?;
    answer(page.map(SupplyView::from), &query, &headers)
}

/// One slot of a device: its levels of a year, changes of cartridges, forecast with its band, yields of its model.
#[utoipa::path(get, path = "/api/v1/devices/{id}/supplies/{index}", tag = "supplies",
    params(("id" = String, Path), ("index" = String, Path)),
    responses((status = 200, body = Object), (status = "default", body = Problem)))]
pub(crate) async fn get_supply(caller: Caller, Path((id, index)): Path<(String, String)>) -> Answered {
    Ok(Json(supplies::supply(&caller.ctx, DeviceId::parse(&id)?, &index).await?).into_response())
}

/// How forecasts came true: how many intervals held what happened, how far the middle was off, by days ahead.
#[utoipa::path(get, path = "/api/v1/supplies/calibration", tag = "supplies",
    responses((status = 200, body = Object), (status = "default", body = Problem)))]
pub(crate) async fn get_supply_calibration(caller: Caller) -> Answered {
    Ok(Json(supplies::calibration(&caller.ctx).await?).into_response())
}

/// Limits of one model and colorant.
#[derive(Serialize, ToSchema)]
#[schema(as = SupplyLimitRule)]
pub(crate) struct LimitView {
    organisation: String,
    /// `vendor model`, lower case; empty: all models.
    model: String,
    /// Colorant (`black`) or kind (`waste-toner`); empty: all.
    what: String,
    #[serde(flatten)]
    #[schema(value_type = Object)]
    limits: Limits,
    /// For `If-Match`.
    version: i64,
}

/// Limits that people set, and what holds where nobody did.
#[derive(Serialize, ToSchema)]
#[schema(as = SupplyLimits)]
pub(crate) struct LimitsView {
    items: Vec<LimitView>,
    #[schema(value_type = Object)]
    usual: Limits,
}

/// The limits of all visible organisations.
#[utoipa::path(get, path = "/api/v1/supplies/limits", tag = "supplies",
    responses((status = 200, body = LimitsView), (status = "default", body = Problem)))]
pub(crate) async fn list_supply_limits(caller: Caller) -> Answered {
    let (rules, usual) = supplies::limits(&caller.ctx).await?;
    let items = rules.into_iter().map(|rule| LimitView {
        organisation: rule.org.to_string(),
        model: rule.model,
        what: rule.what,
        limits: rule.limits,
        version: rule.version,
    });
    Ok(Json(LimitsView { items: items.collect(), usual }).into_response())
}

/// Limits to set. A field that is missing or `null` is what the wider rule says; all of them take the rule away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitPut {
    /// The own one when not given.
    organisation: Option<String>,
    /// `vendor model`; empty or missing: all models.
    #[serde(default)]
    model: String,
    /// Colorant or kind; empty or missing: all.
    #[serde(default)]
    what: String,
    /// At and below this per cent a supply is almost empty.
    almost_empty: Option<f64>,
    /// At and below this per cent it is empty.
    empty: Option<f64>,
    /// At and above this per cent a waste box is almost full.
    almost_full: Option<f64>,
    /// At and above this per cent it is full.
    full: Option<f64>,
    /// Within so many days of its end a supply ends soon.
    soon_days: Option<f64>,
}

/// A new version.
#[derive(Serialize, ToSchema)]
#[schema(as = SavedVersion)]
pub(crate) struct Saved {
    pub(super) version: i64,
}

/// The organisation that is named, or the own one.
pub(super) fn org_of(caller: &Caller, named: Option<&str>) -> Result<OrgId, Problem> {
    Ok(named.map(OrgId::parse).transpose()?.unwrap_or(caller.ctx.home))
}

/// Sets the limits of a model and colorant.
#[utoipa::path(put, path = "/api/v1/supplies/limits", tag = "supplies", request_body = LimitPut,
    params(("If-Match" = Option<String>, Header)),
    responses((status = 200, body = Saved), (status = "default", body = Problem)))]
pub(crate) async fn set_supply_limits(
    caller: Caller,
    IfMatch(version): IfMatch,
    Body(new): Body<LimitPut>,
) -> Answered {
    let org = org_of(&caller, new.organisation.as_deref())?;
    let limits = Limits {
        almost_empty: new.almost_empty,
        empty: new.empty,
        almost_full: new.almost_full,
        full: new.full,
        soon_days: new.soon_days,
    };
    let version = supplies::set_limits(&caller.ctx, org, (&new.model, &new.what), limits, version).await?;
    Ok(Json(Saved { version }).into_response())
}

/// A time as the API writes it, for lists.
pub(super) fn text(at: Micros) -> String {
    at.to_string()
}
