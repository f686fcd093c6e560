//! `/api/v1/monitors` and `/api/v1/strangers`.

use axum::{
    Json,
    extract::{Path, Query},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use platen_core::{
    Micros, MonitorId, OrgId,
    monitors::{self, KindState, Monitor, MonitorQuery, NewMonitor, Registered, Stranger},
    orders::CommandId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::{command::What, monitor::Kind};

use crate::{
    api::{Answered, Body, Posting},
    caller::Caller,
    listing::{ListQuery, Listed, Row, answer, whole},
    orders::{CommandQueued, CommandView, life_ms, queued},
    problem::Problem,
};

/// A device that reports by itself, as it is registered.
#[derive(Serialize, ToSchema)]
#[schema(as = Monitor)]
pub(crate) struct MonitorView {
    id: String,
    organisation: String,
    vendor: String,
    serial: String,
    /// As it told it; empty before its communication test.
    model: String,
    /// `registered`, `active` or `suspended`.
    state: &'static str,
    /// `https`, `https-both-ways`, `mail` or `mail-both-ways`; `null` before its communication test.
    #[schema(value_type = Option<String>)]
    road: Option<wire::hello::Road>,
    /// The road by which it last said something; of mail and HTTPS alike the plain name.
    #[schema(value_type = Option<String>)]
    said_road: Option<wire::hello::Road>,
    /// Where the server calls it, on the road `https-both-ways`.
    listener: Option<String>,
    firmware: Option<String>,
    schedule_revision: i64,
    /// How far its clock is ahead of ours.
    clock_offset_ms: i64,
    #[schema(value_type = String, format = DateTime)]
    registered_at: Micros,
    #[schema(value_type = Option<String>, format = DateTime)]
    hello_at: Option<Micros>,
    #[schema(value_type = Option<String>, format = DateTime)]
    said_at: Option<Micros>,
    /// The device of the fleet; `null` before its first status.
    device: Option<String>,
    /// Until when its claim code is good; `null` once it was used.
    #[schema(value_type = Option<String>, format = DateTime)]
    claim_until: Option<Micros>,
}

impl Row for MonitorView {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "organisation",
        "vendor",
        "serial",
        "model",
        "state",
        "road",
        "said_road",
        "listener",
        "firmware",
        "schedule_revision",
        "clock_offset_ms",
        "registered_at",
        "hello_at",
        "said_at",
        "device",
        "claim_until",
    ];
}

impl From<Monitor> for MonitorView {
    fn from(monitor: Monitor) -> Self {
        Self {
            id: monitor.id.to_string(),
            organisation: monitor.org.to_string(),
            vendor: monitor.vendor,
            serial: monitor.serial,
            model: monitor.model,
            state: monitor.state.as_str(),
            road: monitor.road,
            said_road: monitor.said_road,
            listener: monitor.listener,
            firmware: monitor.firmware,
            schedule_revision: monitor.schedule_revision,
            clock_offset_ms: monitor.clock_offset_ms,
            registered_at: monitor.registered_at,
            hello_at: monitor.hello_at,
            said_at: monitor.said_at,
            device: monitor.device.map(|device| device.to_string()),
            claim_until: monitor.claim_until,
        }
    }
}

/// A serial number that shall be heard.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MonitorPost {
    /// Vendor slug.
    vendor: String,
    /// As on the rating plate.
    serial: String,
    model: Option<String>,
    /// The own one when not given.
    organisation: Option<String>,
}

/// A registration with its claim code, shown only here.
#[derive(Serialize, ToSchema)]
#[schema(as = RegisteredMonitor)]
pub(crate) struct RegisteredView {
    monitor: MonitorView,
    /// What the technician types at the device.
    claim: String,
}

impl From<Registered> for RegisteredView {
    fn from(made: Registered) -> Self {
        Self { claim: made.claim.expose().to_owned(), monitor: made.monitor.into() }
    }
}

/// What to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MonitorPatch {
    /// `active` or `suspended`.
    state: String,
}

/// One kind of message of one device.
#[derive(Serialize, ToSchema)]
#[schema(as = MonitorKind)]
pub(crate) struct KindView {
    /// Number of the kind, 1 to 16.
    number: u8,
    /// Its name.
    #[schema(value_type = String)]
    kind: Kind,
    /// Told once in so many seconds; `null`: as it happens.
    period_s: Option<u32>,
    /// Whether a person set the period.
    set: bool,
    #[schema(value_type = Option<String>, format = DateTime)]
    next_at: Option<Micros>,
    #[schema(value_type = Option<String>, format = DateTime)]
    said_at: Option<Micros>,
    size_bytes: i64,
    messages: i64,
}

impl From<KindState> for KindView {
    fn from(state: KindState) -> Self {
        Self {
            number: state.kind.number(),
            kind: state.kind,
            period_s: state.period_s,
            set: state.set,
            next_at: state.next_at,
            said_at: state.said_at,
            size_bytes: state.size_bytes,
            messages: state.messages,
        }
    }
}

/// How often a kind is told.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PeriodPut {
    /// A minute to ninety days; `null`: as usual.
    period_s: Option<u32>,
}

/// An order to a device.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandPost {
    /// `report_now` or `send_log`.
    what: String,
    /// For `report_now`: names of kinds; all regular ones when not given.
    #[schema(value_type = Option<Vec<String>>)]
    kinds: Option<Vec<Kind>>,
    /// A minute to seven days; a day when not given.
    life_s: Option<u32>,
}

impl CommandPost {
    pub(super) fn order(self) -> Result<(What, i64), Problem> {
        let what = match self.what.as_str() {
            "report_now" => What::ReportNow(self.kinds.unwrap_or_default()),
            "send_log" => What::SendLog,
            _ => return Err(Problem::invalid("/what", "an order is `report_now` or `send_log`")),
        };
        Ok((what, life_ms(self.life_s)))
    }

    pub(super) fn named(what: &str) -> Self {
        Self { what: what.to_owned(), kinds: None, life_s: None }
    }
}

/// Somebody who asked to be heard and was refused.
#[derive(Serialize, ToSchema)]
#[schema(as = Stranger)]
pub(crate) struct StrangerView {
    vendor: String,
    serial: String,
    model: String,
    why: String,
    peer: String,
    tries: i64,
    #[schema(value_type = String, format = DateTime)]
    first_at: Micros,
    #[schema(value_type = String, format = DateTime)]
    last_at: Micros,
}

impl Row for StrangerView {
    const COLUMNS: &'static [&'static str] =
        &["vendor", "serial", "model", "why", "peer", "tries", "first_at", "last_at"];
}

impl From<Stranger> for StrangerView {
    fn from(s: Stranger) -> Self {
        Self {
            vendor: s.vendor,
            serial: s.serial,
            model: s.model,
            why: s.why,
            peer: s.peer,
            tries: s.tries,
            first_at: s.first_at,
            last_at: s.last_at,
        }
    }
}

/// Devices that report by themselves, by serial number.
#[utoipa::path(get, path = "/api/v1/monitors", tag = "monitors", params(ListQuery),
    responses((status = 200, body = Listed<MonitorView>), (status = "default", body = Problem)))]
pub(crate) async fn list_monitors(caller: Caller, Query(query): Query<ListQuery>, headers: HeaderMap) -> Answered {
    query.one_order()?;
    let page = monitors::list(&caller.ctx, &MonitorQuery { filter: query.filter()?, page: query.page() }).await?;
    answer(page.map(MonitorView::from), &query, &headers)
}

/// Registers a serial number. The claim code is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/monitors", tag = "monitors", request_body = MonitorPost,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = RegisteredView), (status = "default", body = Problem)))]
pub(crate) async fn register_monitor(caller: Caller, Posting(new, once): Posting<MonitorPost>) -> Answered {
    let ctx = &caller.ctx;
    let org = new.organisation.as_deref().map(OrgId::parse).transpose()?.unwrap_or(ctx.home);
    once.run_but(ctx, &["claim"], async {
        let new = NewMonitor { vendor: new.vendor, serial: new.serial, model: new.model };
        let made = monitors::register(ctx, org, &new).await?;
        Ok((StatusCode::CREATED, Json(RegisteredView::from(made))).into_response())
    })
    .await
}

/// One registration.
#[utoipa::path(get, path = "/api/v1/monitors/{id}", tag = "monitors", params(("id" = String, Path)),
    responses((status = 200, body = MonitorView), (status = "default", body = Problem)))]
pub(crate) async fn get_monitor(caller: Caller, Path(id): Path<String>) -> Answered {
    Ok(Json(MonitorView::from(monitors::get(&caller.ctx, MonitorId::parse(&id)?).await?)).into_response())
}

/// Suspends a device or hears it again.
#[utoipa::path(patch, path = "/api/v1/monitors/{id}", tag = "monitors", request_body = MonitorPatch,
    params(("id" = String, Path)), responses((status = 200, body = MonitorView), (status = "default", body = Problem)))]
pub(crate) async fn update_monitor(
    caller: Caller,
    Path(id): Path<String>,
    Body(patch): Body<MonitorPatch>,
) -> Answered {
    let id = MonitorId::parse(&id)?;
    let monitor = match patch.state.as_str() {
        "active" => monitors::resume(&caller.ctx, id).await?,
        "suspended" => monitors::suspend(&caller.ctx, id).await?,
        _ => return Err(Problem::invalid("/state", "a state to set is `active` or `suspended`")),
    };
    Ok(Json(MonitorView::from(monitor)).into_response())
}

/// Gives a serial number back; the device's history stays.
#[utoipa::path(delete, path = "/api/v1/monitors/{id}", tag = "monitors", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn release_monitor(caller: Caller, Path(id): Path<String>) -> Answered {
    monitors::release(&caller.ctx, MonitorId::parse(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A new claim code, for a device that lost its key.
#[utoipa::path(post, path = "/api/v1/monitors/{id}/claim", tag = "monitors", params(("id" = String, Path)),
    responses((status = 200, body = RegisteredView), (status = "default", body = Problem)))]
pub(crate) async fn make_monitor_claim(caller: Caller, Path(id): Path<String>) -> Answered {
    let made = monitors::new_claim(&caller.ctx, MonitorId::parse(&id)?).await?;
    Ok(Json(RegisteredView::from(made)).into_response())
}

/// What a device told of each kind, and when it is due next.
#[utoipa::path(get, path = "/api/v1/monitors/{id}/kinds", tag = "monitors", params(("id" = String, Path)),
    responses((status = 200, body = Listed<KindView>), (status = "default", body = Problem)))]
pub(crate) async fn get_monitor_kinds(caller: Caller, Path(id): Path<String>) -> Answered {
    let items: Vec<KindView> =
        monitors::kinds(&caller.ctx, MonitorId::parse(&id)?).await?.into_iter().map(Into::into).collect();
    Ok(whole(items))
}

/// Sets how often a kind is told; the device learns it with its next answer, one that only sends mail from a new activation document.
#[utoipa::path(put, path = "/api/v1/monitors/{id}/kinds/{number}", tag = "monitors", request_body = PeriodPut,
    params(("id" = String, Path), ("number" = u64, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn set_monitor_period(
    caller: Caller,
    Path((id, number)): Path<(String, u64)>,
    Body(put): Body<PeriodPut>,
) -> Answered {
    let kind = Kind::of_number(number).ok_or_else(|| Problem::invalid("/number", "a kind is 1 to 16"))?;
    monitors::set_period(&caller.ctx, MonitorId::parse(&id)?, kind, put.period_s).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The last 100 orders to a device, newest first.
#[utoipa::path(get, path = "/api/v1/monitors/{id}/commands", tag = "monitors", params(("id" = String, Path)),
    responses((status = 200, body = Listed<CommandView>), (status = "default", body = Problem)))]
pub(crate) async fn list_monitor_commands(caller: Caller, Path(id): Path<String>) -> Answered {
    let items: Vec<CommandView> =
        monitors::commands(&caller.ctx, MonitorId::parse(&id)?).await?.into_iter().map(Into::into).collect();
    Ok(whole(items))
}

/// Gives an order; the device fetches it with its next contact.
#[utoipa::path(post, path = "/api/v1/monitors/{id}/commands", tag = "monitors", request_body = CommandPost,
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 202, body = CommandQueued), (status = "default", body = Problem)))]
pub(crate) async fn order_monitor(
    caller: Caller,
    Path(id): Path<String>,
    Posting(new, once): Posting<CommandPost>,
) -> Answered {
    let id = MonitorId::parse(&id)?;
    once.run(&caller.ctx, async {
        let (what, life_ms) = new.order()?;
        let command = monitors::order(&caller.ctx, id, what, life_ms).await?;
        Ok(queued(command))
    })
    .await
}

/// Takes an order back.
#[utoipa::path(delete, path = "/api/v1/monitors/{id}/commands/{command}", tag = "monitors",
    params(("id" = String, Path), ("command" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn cancel_monitor_command(caller: Caller, Path((id, command)): Path<(String, String)>) -> Answered {
    monitors::cancel(&caller.ctx, MonitorId::parse(&id)?, CommandId::parse(&command)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Who asked to be heard and was refused, newest first.
#[utoipa::path(get, path = "/api/v1/strangers", tag = "monitors", params(ListQuery),
    responses((status = 200, body = Listed<StrangerView>), (status = "default", body = Problem)))]
pub(crate) async fn list_strangers(caller: Caller, Query(query): Query<ListQuery>, headers: HeaderMap) -> Answered {
    query.plain()?;
    let page = monitors::strangers(&caller.ctx, &query.page()).await?;
    answer(page.map(StrangerView::from), &query, &headers)
}
