//! `/api/v1/shipments`.

use axum::{
    Json,
    extract::{Path, Query},
    http::HeaderMap,
    response::IntoResponse,
};
use platen_core::{
    Error, Micros,
    supplies::{
        rules::shipments::{Act, State, Terms},
        shipments::{self, Item, Outcome, Shipment, ShipmentId, ShipmentQuery},
    },
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::api::{Saved, org_of, text};
use crate::{
    api::{Answered, Body, IfMatch, Posting},
    caller::Caller,
    listing::{Listed, OpenListQuery, Row, answer},
    problem::Problem,
};

/// A shipment to one device.
#[derive(Serialize, ToSchema)]
#[schema(as = Shipment)]
pub(crate) struct ShipmentView {
    pub(crate) id: String,
    organisation: String,
    customer: String,
    device: String,
    device_name: String,
    vendor: String,
    model: Option<String>,
    serial: Option<String>,
    place: String,
    /// `proposed`, `ordered`, `shipped`, `arrived`, `done`, `cancelled` or `expired`.
    #[schema(value_type = String)]
    state: State,
    /// When the first of its items is needed.
    #[schema(value_type = String, format = DateTime)]
    needed_at: Micros,
    #[schema(value_type = String, format = DateTime)]
    made_at: Micros,
    #[schema(value_type = Option<String>, format = DateTime)]
    ordered_at: Option<Micros>,
    #[schema(value_type = Option<String>, format = DateTime)]
    shipped_at: Option<Micros>,
    #[schema(value_type = Option<String>, format = DateTime)]
    arrived_at: Option<Micros>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Micros>,
    /// When it is given up if nobody fits it.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Micros,
    changed_by: Option<String>,
    note: Option<String>,
    version: i64,
    #[schema(value_type = Vec<Object>)]
    items: Vec<Item>,
}

impl Row for ShipmentView {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "organisation",
        "customer",
        "device",
        "device_name",
        "vendor",
        "model",
        "serial",
        "place",
        "state",
        "needed_at",
        "made_at",
        "ordered_at",
        "shipped_at",
        "arrived_at",
        "ended_at",
        "expires_at",
        "changed_by",
        "note",
        "version",
        "items",
    ];
}

impl From<Shipment> for ShipmentView {
    fn from(one: Shipment) -> Self {
        Self {
            id: one.id.to_string(),
            organisation: one.org.to_string(),
            customer: one.customer,
            device: one.device.to_string(),
            device_name: one.device_name,
            vendor: one.vendor,
            model: one.model,
            serial: one.serial,
            place: one.place,
            state: one.state,
            needed_at: one.needed_at,
            made_at: one.made_at,
            ordered_at: one.ordered_at,
            shipped_at: one.shipped_at,
            arrived_at: one.arrived_at,
            ended_at: one.ended_at,
            expires_at: one.expires_at,
            changed_by: one.changed_by,
            note: one.note,
            version: one.version,
            items: one.items,
        }
    }
}

/// One thing that is sent, as the warehouse needs it: a line of the CSV file.
#[derive(Serialize)]
pub(crate) struct PickLine {
    shipment: String,
    state: State,
    customer: String,
    device: String,
    model: Option<String>,
    serial: Option<String>,
    place: String,
    item: String,
    part_number: Option<String>,
    quantity: u32,
    why: String,
    needed_at: String,
    note: Option<String>,
}

impl Row for PickLine {
    const COLUMNS: &'static [&'static str] = &[
        "shipment",
        "state",
        "customer",
        "place",
        "device",
        "model",
        "serial",
        "item",
        "part_number",
        "quantity",
        "why",
        "needed_at",
        "note",
    ];
}

/// The open items of a shipment, one a line; all of them once it is over.
pub(crate) fn pick_lines(shipment: Shipment) -> Vec<PickLine> {
    let over = shipment.state.is_over();
    let items = shipment.items.into_iter().filter(|item| item.open || over);
    items
        .map(|item| PickLine {
            shipment: shipment.id.to_string(),
            state: shipment.state,
            customer: shipment.customer.clone(),
            device: shipment.device_name.clone(),
            model: shipment.model.clone(),
            serial: shipment.serial.clone(),
            place: shipment.place.clone(),
            item: item.name,
            part_number: item.part_number,
            quantity: 1,
            why: item.why,
            needed_at: text(item.needed_at),
            note: shipment.note.clone(),
        })
        .collect()
}

/// Shipments: those that are not over by when they are needed, others newest first. Filter by `state device name place vendor model org needed made`.
#[utoipa::path(get, path = "/api/v1/shipments", tag = "shipments", params(OpenListQuery),
    responses((status = 200, body = Listed<ShipmentView>), (status = "default", body = Problem)))]
pub(crate) async fn list_shipments(caller: Caller, Query(q): Query<OpenListQuery>, headers: HeaderMap) -> Answered {
    let (open, query) = q.split();
    query.one_order()?;
    let asked = ShipmentQuery { filter: query.filter()?, open, page: query.page() };
    let page = shipments::list(&caller.ctx, &asked).await?;
    answer(page.map(ShipmentView::from), &query, &headers)
}

/// One shipment.
#[utoipa::path(get, path = "/api/v1/shipments/{id}", tag = "shipments", params(("id" = String, Path)),
    responses((status = 200, body = ShipmentView), (status = "default", body = Problem)))]
pub(crate) async fn get_shipment(caller: Caller, Path(id): Path<String>) -> Answered {
    let shipment = shipments::get(&caller.ctx, ShipmentId::parse(&id)?).await?;
    Ok(Json(ShipmentView::from(shipment)).into_response())
}

/// One thing to do to many shipments.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShipmentActs {
    /// Which, at most 500.
    ids: Vec<String>,
    /// `order`, `ship`, `arrive` or `cancel`.
    act: String,
    /// As an order number.
    note: Option<String>,
    /// Only say what would happen.
    #[serde(default)]
    dry_run: bool,
}

/// What an act did, or would do.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShipmentOutcomes {
    dry_run: bool,
    #[schema(value_type = Vec<Object>)]
    items: Vec<Outcome>,
}

/// Orders, sends, receives or takes back many shipments, each by itself; with `dry_run` nothing changes.
#[utoipa::path(post, path = "/api/v1/shipments/acts", tag = "shipments", request_body = ShipmentActs,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = ShipmentOutcomes), (status = "default", body = Problem)))]
pub(crate) async fn act_on_shipments(caller: Caller, Posting(new, once): Posting<ShipmentActs>) -> Answered {
    let act = Act::from_word(&new.act).ok_or_else(|| Error::invalid("act", "order, ship, arrive or cancel"))?;
    let ctx = &caller.ctx;
    once.run(ctx, async {
        let items = shipments::act(ctx, &new.ids, act, new.note.as_deref(), new.dry_run).await?;
        Ok(Json(ShipmentOutcomes { dry_run: new.dry_run, items }).into_response())
    })
    .await
}

/// How an organisation has things sent.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ShipmentTerms)]
pub(crate) struct TermsPut {
    /// The own one when not given.
    organisation: Option<String>,
    /// Whether shipments are proposed at all.
    proposes: bool,
    /// Days from order to arrival.
    delivery_days: i64,
    /// Days that it should lie there before it is needed.
    margin_days: i64,
    /// What ends within so many days more goes with it.
    together_days: i64,
    /// Days between two orders for one slot at least.
    interval_days: i64,
    /// Days until an item that nobody fits is given up.
    expiry_days: i64,
}

/// Whose terms.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TermsQuery {
    /// The own one when not given.
    org: Option<String>,
}

/// How an organisation has things sent; the `ETag` is the version, 0 while nobody has said.
#[utoipa::path(get, path = "/api/v1/shipments/terms", tag = "shipments", params(TermsQuery),
    responses((status = 200, body = TermsPut), (status = "default", body = Problem)))]
pub(crate) async fn get_shipment_terms(caller: Caller, Query(q): Query<TermsQuery>) -> Answered {
    let org = org_of(&caller, q.org.as_deref())?;
    let (terms, version) = shipments::terms(&caller.ctx, org).await?;
    let view = TermsPut {
        organisation: Some(org.to_string()),
        proposes: terms.proposes,
        delivery_days: terms.delivery_days,
        margin_days: terms.margin_days,
        together_days: terms.together_days,
        interval_days: terms.interval_days,
        expiry_days: terms.expiry_days,
    };
    Ok(crate::api::tagged(axum::http::StatusCode::OK, &view, version))
}

/// Says how an organisation has things sent.
#[utoipa::path(put, path = "/api/v1/shipments/terms", tag = "shipments", request_body = TermsPut,
    params(("If-Match" = Option<String>, Header)),
    responses((status = 200, body = Saved), (status = "default", body = Problem)))]
pub(crate) async fn set_shipment_terms(
    caller: Caller,
    IfMatch(version): IfMatch,
    Body(new): Body<TermsPut>,
) -> Answered {
    let org = org_of(&caller, new.organisation.as_deref())?;
    let terms = Terms {
        proposes: new.proposes,
        delivery_days: new.delivery_days,
        margin_days: new.margin_days,
        together_days: new.together_days,
        interval_days: new.interval_days,
        expiry_days: new.expiry_days,
    };
    let version = shipments::set_terms(&caller.ctx, org, terms, version).await?;
    Ok(Json(Saved { version }).into_response())
}
