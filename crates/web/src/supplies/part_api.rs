//! `/api/v1/parts`.

use axum::{Json, extract::Query, http::HeaderMap, response::IntoResponse};
use platen_core::{
    Micros,
    supplies::parts::{self, PartQuery, PartRow, Rating},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::api::{Saved, org_of};
use crate::{
    api::{Answered, Body, IfMatch},
    caller::Caller,
    listing::{ListQuery, Listed, Row, answer},
    problem::Problem,
};

/// A part that wears.
#[derive(Serialize, ToSchema)]
#[schema(as = Part)]
pub(crate) struct PartView {
    organisation: String,
    device: String,
    device_name: String,
    vendor: String,
    model: Option<String>,
    place: String,
    /// Slot of the standard table, or the name of the counter.
    part: String,
    kind: String,
    color: Option<String>,
    /// `supply`: by the standard table; `told`: by parts counters.
    source: String,
    /// `pages` or `percent`.
    unit: String,
    used: f64,
    rated: Option<f64>,
    /// `told` by the device, `set` by a person, `learnt` from parts that are gone.
    rated_by: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    read_at: Micros,
    #[schema(value_type = String, format = DateTime)]
    fitted_at: Micros,
    /// Days until the end of its life; `null`: nobody can say.
    days: Option<f64>,
    least_days: Option<f64>,
    most_days: Option<f64>,
}

impl Row for PartView {
    const COLUMNS: &'static [&'static str] = &[
        "organisation",
        "device",
        "device_name",
        "vendor",
        "model",
        "place",
        "part",
        "kind",
        "color",
        "source",
        "unit",
        "used",
        "rated",
        "rated_by",
        "read_at",
        "fitted_at",
        "days",
        "least_days",
        "most_days",
    ];
}

impl From<PartRow> for PartView {
    fn from(row: PartRow) -> Self {
        let round = |days: f64| (days * 100.0).round() / 100.0;
        Self {
            organisation: row.org.to_string(),
            device: row.device.to_string(),
            device_name: row.device_name,
            vendor: row.vendor,
            model: row.model,
            place: row.place,
            part: row.part,
            kind: row.kind,
            color: row.color,
            source: row.source,
            unit: row.unit,
            used: row.used.round(),
            rated: row.rated,
            rated_by: row.rated_by,
            read_at: row.read_at,
            fitted_at: row.fitted_at,
            days: row.forecast.map(|forecast| round(forecast.days)),
            least_days: row.forecast.map(|forecast| round(forecast.least_days)),
            most_days: row.forecast.map(|forecast| round(forecast.most_days)),
        }
    }
}

/// Parts that wear, those that end first at the top. Filter by `kind color source device name vendor model place org ends`.
#[utoipa::path(get, path = "/api/v1/parts", tag = "parts", params(ListQuery),
    responses((status = 200, body = Listed<PartView>), (status = "default", body = Problem)))]
pub(crate) async fn list_parts(caller: Caller, Query(query): Query<ListQuery>, headers: HeaderMap) -> Answered {
    query.one_order()?;
    let asked = PartQuery { filter: query.filter()?, device: None, page: query.page() };
    let page = parts::list(&caller.ctx, &asked).await?;
    answer(page.map(PartView::from), &query, &headers)
}

/// What parts of a model are rated for.
#[derive(Serialize, ToSchema)]
#[schema(as = PartRating)]
pub(crate) struct RatingView {
    organisation: String,
    /// `vendor model`, lower case.
    model: String,
    kind: String,
    /// Pages.
    rated: f64,
    /// For `If-Match`.
    version: i64,
}

/// All rated lives that people set.
#[derive(Serialize, ToSchema)]
#[schema(as = PartRatings)]
pub(crate) struct RatingsView {
    items: Vec<RatingView>,
}

/// Rated lives that people set.
#[utoipa::path(get, path = "/api/v1/parts/ratings", tag = "parts",
    responses((status = 200, body = RatingsView), (status = "default", body = Problem)))]
pub(crate) async fn list_part_ratings(caller: Caller) -> Answered {
    let view = |rating: Rating| RatingView {
        organisation: rating.org.to_string(),
        model: rating.model,
        kind: rating.kind,
        rated: rating.rated,
        version: rating.version,
    };
    let items = parts::ratings(&caller.ctx).await?.into_iter().map(view).collect();
    Ok(Json(RatingsView { items }).into_response())
}

/// A rated life to set; `null` takes it back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RatingPut {
    /// The own one when not given.
    organisation: Option<String>,
    /// `vendor model`.
    model: String,
    /// `fuser`, `opc` …
    kind: String,
    /// Pages.
    rated: Option<f64>,
}

/// Says what parts of a model are rated for.
#[utoipa::path(put, path = "/api/v1/parts/ratings", tag = "parts", request_body = RatingPut,
    params(("If-Match" = Option<String>, Header)),
    responses((status = 200, body = Saved), (status = "default", body = Problem)))]
pub(crate) async fn set_part_rating(caller: Caller, IfMatch(version): IfMatch, Body(new): Body<RatingPut>) -> Answered {
    let org = org_of(&caller, new.organisation.as_deref())?;
    let version = parts::set_rating(&caller.ctx, org, (&new.model, &new.kind), new.rated, version).await?;
    Ok(Json(Saved { version }).into_response())
}
