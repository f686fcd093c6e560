//! `/api/v1/meters`.

use axum::{extract::Query, http::HeaderMap};
use platen_core::{
    Micros,
    devices::DeviceQuery,
    meters::{self, BillingQuery},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::Answered,
    caller::Caller,
    listing::{ListQuery, Listed, Row, answer},
    problem::Problem,
};

/// One counter of one device in one month.
#[derive(Serialize, ToSchema)]
#[schema(as = BillingRow)]
pub(crate) struct BillingView {
    organisation: String,
    customer: String,
    device: String,
    serial: Option<String>,
    asset_no: Option<String>,
    vendor: String,
    model: Option<String>,
    name: String,
    place: String,
    function: String,
    color: String,
    size: String,
    sides: String,
    unit: String,
    source: String,
    /// yyyymm in the organisation's zone.
    month: i64,
    /// `null`: the device was met within the month; usage counts from its first reading.
    opening: Option<i64>,
    #[schema(value_type = Option<String>, format = DateTime)]
    opening_at: Option<Micros>,
    opening_quality: Option<String>,
    closing: Option<i64>,
    #[schema(value_type = Option<String>, format = DateTime)]
    closing_at: Option<Micros>,
    closing_quality: Option<String>,
    /// Resets and wraps reckoned in: not always closing less opening.
    usage: Option<i64>,
    /// Segments that began within the month.
    breaks: i64,
    /// What nobody has settled yet about this figure: kinds of open doubts and `held_back`, joined by `; `.
    doubt: Option<String>,
}

impl Row for BillingView {
    const COLUMNS: &'static [&'static str] = &[
        "month",
        "customer",
        "organisation",
        "serial",
        "asset_no",
        "vendor",
        "model",
        "name",
        "place",
        "function",
        "color",
        "size",
        "sides",
        "unit",
        "opening",
        "opening_at",
        "opening_quality",
        "closing",
        "closing_at",
        "closing_quality",
        "usage",
        "breaks",
        "doubt",
        "source",
        "device",
    ];
}

impl From<meters::BillingRow> for BillingView {
    fn from(r: meters::BillingRow) -> Self {
        Self {
            organisation: r.org.to_string(),
            customer: r.customer,
            device: r.device.to_string(),
            serial: r.serial,
            asset_no: r.asset_no,
            vendor: r.vendor,
            model: r.model,
            name: r.name,
            place: r.place,
            function: r.function,
            color: r.color,
            size: r.size,
            sides: r.sides,
            unit: r.unit,
            source: r.source,
            month: r.month,
            opening: r.opening,
            opening_at: r.opening_at,
            opening_quality: r.opening_quality,
            closing: r.closing,
            closing_at: r.closing_at,
            closing_quality: r.closing_quality,
            usage: r.usage,
            breaks: r.breaks,
            doubt: r.doubt,
        }
    }
}

/// Query of the list of counters.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct BillingListQuery {
    /// `2026-01` or `202601`; the present month when not given.
    month: Option<String>,
    /// Rows wanted, 1 to 500; 50 when not given.
    limit: Option<u32>,
    /// `next` of the page before.
    after: Option<String>,
    /// Condition on the rows, as `status eq "stopped" and vendor eq "hp"`.
    filter: Option<String>,
    /// Field to sort by; `-` before it reverses.
    sort: Option<String>,
    /// Names of the fields to give, with commas between; all when not given.
    fields: Option<String>,
    /// `true` counts all matching rows too.
    count: Option<bool>,
    /// Look only at this organisation and those below it.
    org: Option<String>,
}

/// Reads `2026-01` or `202601`.
pub(super) fn month_of(text: &str) -> Result<i64, platen_core::Error> {
    text.replace('-', "")
        .parse()
        .map_err(|_| platen_core::Error::invalid("month", format!("{text:?} is no month as 2026-01 is")))
}

/// Opening, closing and usage of every counter in a month, device by device; `limit` and `count` are in devices. CSV by `Accept: text/csv`.
#[utoipa::path(get, path = "/api/v1/meters", tag = "meters", params(BillingListQuery),
    responses((status = 200, body = Listed<BillingView>), (status = "default", body = Problem)))]
pub(crate) async fn list_meters(caller: Caller, Query(q): Query<BillingListQuery>, headers: HeaderMap) -> Answered {
    let month = q.month.as_deref().map(month_of).transpose()?;
    let query = ListQuery {
        limit: q.limit,
        after: q.after,
        filter: q.filter,
        sort: q.sort,
        fields: q.fields,
        count: q.count,
        org: q.org,
    };
    let (sort, descending) = crate::devices::sort_of(query.sort.as_deref())?;
    let devices =
        DeviceQuery { filter: query.filter()?, sort, descending, page: query.page(), ..DeviceQuery::default() };
    let page = meters::billing_rows(&caller.ctx, &BillingQuery { devices, month }).await?;
    answer(page.map(BillingView::from), &query, &headers)
}
