//! Table of contents: every address of the web door. A page names the operations of the API that do the same.

#[cfg(test)]
use std::collections::BTreeSet;
use std::time::Instant;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{Method, StatusCode, header},
    middleware::{self, Next},
    response::{Redirect, Response},
    routing::{MethodRouter, any, delete, get, patch, post, put},
};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};

use crate::{
    account, agents, alerting, alerts, api,
    app::{App, cookie},
    assets, audit, billing, devices, doubts, events, health, incidents, messages, meters, monitors, orders, orgs,
    security,
    session::{self, LIVE, NOTE, add_cookie, set_cookie},
    shell, supplies, tasks, told, trouble, troubles, users, webhooks,
};

/// Largest form or JSON body, bytes.
const MOST_BODY: usize = 256 * 1024;
/// Largest plan: it may name thousands of places.
const MOST_PLAN: usize = 2 << 20;
/// Largest list of places with its form.
const MOST_LIST: usize = platen_core::agents::import::MAX_BYTES + (64 << 10);

/// Pages, and what in the API does the same.
struct Pages {
    router: Router<App>,
    pairs: Vec<(&'static str, &'static [&'static str])>,
}

impl Pages {
    fn page(mut self, path: &'static str, methods: MethodRouter<App>, api: &'static [&'static str]) -> Self {
        self.router = self.router.route(path, methods);
        self.pairs.push((path, api));
        self
    }
}

#[rustfmt::skip]
fn pages() -> Pages {
    Pages { router: Router::new(), pairs: Vec::new() }
        .page("/devices", get(devices::list), &["list_devices", "get_device_facets"])
        .page("/devices.csv", get(devices::csv), &["list_devices"])
        .page("/devices/{id}", get(devices::sheet).post(devices::edit), &["get_device", "get_device_meters", "get_device_supplies", "get_device_history", "update_device"])
        .page("/devices/{id}/told", get(told::sheet), &["list_events_of_device", "list_counter_sets", "compare_counter_sets", "list_diagnostics"])
        .page("/devices/{id}/logs/{sha256}", get(told::log), &["get_device_log"])
        .page("/devices/{id}/orders", post(orders::order_device_page), &["order_device", "list_device_commands"])
        .page("/devices/{id}/orders/{command}/cancel", post(orders::cancel_device), &["cancel_device_command"])
        .page("/agents/{id}/orders", post(orders::order_agent_page), &["order_agent", "list_agent_commands"])
        .page("/agents/{id}/orders/{command}/cancel", post(orders::cancel_agent), &["cancel_agent_command"])
        .page("/agents/{id}/logs/{sha256}", get(orders::agent_log), &["list_agent_logs", "get_agent_log"])
        .page("/devices/{id}/retire", post(devices::retire), &["retire_device"])
        .page("/filters", post(devices::save_filter_page), &["create_filter", "list_filters"])
        .page("/filters/{id}/delete", post(devices::delete_filter_page), &["delete_filter"])
        .page("/search", get(devices::search), &["list_devices"])
        .page("/search/suggest", get(devices::suggest), &["list_devices"])
        .page("/alerts", get(alerts::list), &["list_alerts"])
        .page("/alerts.csv", get(alerts::csv), &["list_alerts"])
        .page("/alerts/{id}/acknowledge", post(alerts::acknowledge), &["acknowledge_alert"])
        .page("/alerts/{id}/snooze", post(alerts::snooze), &["acknowledge_alert"])
        .page("/troubles", get(troubles::list), &["list_device_events", "list_troubles"])
        .page("/troubles.csv", get(troubles::csv), &["list_device_events"])
        .page("/troubles/codes", get(troubles::codes_page), &["list_codes"])
        .page("/messages", get(messages::list), &["list_reports"])
        .page("/messages.csv", get(messages::csv), &["list_reports"])
        .page("/messages/{name}", get(messages::sheet), &["get_report"])
        .page("/messages/{name}/cbor", get(messages::download), &["get_report"])
        .page("/tasks", get(tasks::list).post(tasks::create), &["list_tasks", "create_task"])
        .page("/tasks/new", get(tasks::form), &["preview_task"])
        .page("/tasks/{id}", get(tasks::sheet), &["get_task", "list_task_shares"])
        .page("/tasks/{id}/cancel", post(tasks::cancel), &["cancel_task"])
        .page("/tasks/{id}/retry", post(tasks::retry), &["retry_task"])
        .page("/incidents", get(incidents::list), &["list_incidents"])
        .page("/incidents.csv", get(incidents::csv), &["list_incidents"])
        .page("/incidents/{id}", get(incidents::sheet).post(incidents::act), &["get_incident", "acknowledge_incident", "resolve_incident", "list_notifications"])
        .page("/rules", get(alerting::rule_list).post(alerting::rule_create), &["list_alert_rules", "create_alert_rule", "dry_run_alert_rule"])
        .page("/rules/new", get(alerting::rule_form), &["create_alert_rule"])
        .page("/rules/{id}", get(alerting::rule_sheet).post(alerting::rule_save), &["get_alert_rule", "update_alert_rule", "delete_alert_rule"])
        .page("/recipients", get(alerting::recipient_list).post(alerting::recipient_create), &["list_recipients", "create_recipient"])
        .page(
            "/recipients/{id}",
            get(alerting::recipient_sheet).post(alerting::recipient_act),
            &["get_recipient", "update_recipient", "delete_recipient", "test_recipient", "resume_recipient"],
        )
        .page("/notifications", get(alerting::message_list), &["list_notifications"])
        .page("/notifications/{id}/resend", post(alerting::message_resend), &["resend_notification"])
        .page("/webhooks", get(webhooks::list).post(webhooks::create), &["list_webhooks", "create_webhook"])
        .page(
            "/webhooks/{id}",
            get(webhooks::sheet).post(webhooks::act),
            &["get_webhook", "update_webhook", "delete_webhook", "rotate_webhook_secret", "retire_webhook_secret", "enable_webhook",
              "test_webhook", "list_webhook_deliveries"],
        )
        .page("/webhooks/{id}/deliveries/{delivery}/resend", post(webhooks::resend), &["resend_webhook_delivery"])
        .page("/supplies", get(supplies::list), &["list_supplies"])
        .page("/supplies.csv", get(supplies::csv), &["list_supplies"])
        .page("/supplies/forecasts", get(supplies::forecasts), &["get_supply_calibration"])
        .page("/supplies/limits", get(supplies::limits).post(supplies::set_limits_page), &["list_supply_limits", "set_supply_limits", "get_shipment_terms"])
        .page("/devices/{id}/supplies/{index}", get(supplies::sheet), &["get_supply", "get_device"])
        .page("/shipments", get(supplies::shipments).post(supplies::act), &["list_shipments", "get_shipment", "act_on_shipments"])
        .page("/shipments.csv", get(supplies::shipments_csv), &["list_shipments"])
        .page("/shipments/terms", post(supplies::terms_page), &["set_shipment_terms"])
        .page("/parts", get(supplies::parts), &["list_parts", "list_part_ratings"])
        .page("/parts.csv", get(supplies::parts_csv), &["list_parts"])
        .page("/parts/ratings", post(supplies::rate), &["set_part_rating"])
        .page("/meters", get(meters::billing), &["list_meters"])
        .page("/meters.csv", get(meters::csv), &["list_meters"])
        .page("/contracts", get(billing::list).post(billing::create_page), &["list_contracts", "create_contract"])
        .page(
            "/contracts/{id}",
            get(billing::sheet).post(billing::change),
            &["get_contract", "update_contract", "list_contract_devices", "list_meter_maps", "list_closes"],
        )
        .page("/contracts/{id}/lines", post(billing::lines_page), &["set_contract_lines"])
        .page("/contracts/{id}/devices", post(billing::assign_device), &["assign_contract_device", "unassign_contract_device"])
        .page("/contracts/{id}/maps", post(billing::map_page), &["create_meter_map", "delete_meter_map"])
        .page("/contracts/{id}/end", post(billing::end_page), &["end_contract"])
        .page("/closes", get(billing::closes), &["list_closes"])
        .page(
            "/closes/{id}",
            get(billing::close_sheet).post(billing::act),
            &["get_close", "list_close_lines", "list_close_gaps", "list_unbilled_meters", "list_close_documents", "waive_close_gap",
              "enter_close_reading", "look_at_close", "close_period", "correct_close"],
        )
        .page("/closes/{id}/documents/{no}", get(billing::download_document), &["get_close_document"])
        .page("/doubts", get(doubts::list), &["list_doubts"])
        .page("/doubts.csv", get(doubts::csv), &["list_doubts"])
        .page("/doubts/{id}", get(doubts::sheet), &["get_doubt"])
        .page("/doubts/{id}/settle", post(doubts::settle), &["settle_doubt"])
        .page("/doubts/{id}/reopen", post(doubts::reopen), &["reopen_doubt"])
        .page("/agents", get(agents::list), &["list_agents"])
        .page("/agents/invite", get(agents::invite), &["invite_agent"])
        .page("/agents/invitations", post(agents::make_invitation), &["invite_agent"])
        .page(
            "/agents/{id}",
            get(agents::sheet).post(agents::rename),
            &["get_agent", "update_agent", "get_agent_traps", "list_agent_trap_senders"],
        )
        .page("/agents/{id}/plan", post(agents::set_plan).layer(DefaultBodyLimit::max(MOST_PLAN)), &["get_agent_plan", "set_agent_plan"])
        .page("/agents/{id}/discovery", post(agents::discover_now), &["get_agent_discovery", "discover_at_agent"])
        .page(
            "/agents/{id}/import",
            get(agents::import_form).post(agents::import_list).layer(DefaultBodyLimit::max(MOST_LIST)),
            &["import_agent_targets"],
        )
        .page("/agents/{id}/revoke", post(agents::revoke), &["revoke_agent"])
        .page("/registrations", get(monitors::list).post(monitors::register), &["list_monitors", "register_monitor", "list_strangers"])
        .page(
            "/registrations/{id}",
            get(monitors::sheet).post(monitors::act),
            &["get_monitor", "update_monitor", "release_monitor", "make_monitor_claim", "get_monitor_kinds", "list_monitor_commands"],
        )
        .page("/registrations/{id}/schedule", post(monitors::set_schedule), &["set_monitor_period"])
        .page("/registrations/{id}/activation", post(monitors::download_activation), &["make_monitor_activation"])
        .page("/registrations/{id}/orders", post(monitors::order), &["order_monitor"])
        .page("/registrations/{id}/orders/{command}/cancel", post(monitors::cancel), &["cancel_monitor_command"])
        .page("/organisations", get(orgs::tree).post(orgs::create), &["list_organisations", "create_organisation"])
        .page("/organisations/{id}", get(orgs::sheet).post(orgs::update), &["get_organisation", "update_organisation"])
        .page("/users", get(users::list).post(users::create), &["list_users", "create_user"])
        .page("/users/{id}", get(users::sheet).post(users::rename), &["get_user", "update_user"])
        .page("/users/{id}/role", post(users::role), &["update_user"])
        .page("/users/{id}/state", post(users::state), &["update_user"])
        .page("/users/{id}/password", post(users::reset), &["reset_user_password"])
        .page("/audit", get(audit::list), &["list_audit"])
        .page("/account", get(account::account), &["get_session", "list_tokens"])
        .page("/account/password", post(account::password), &["change_password"])
        .page("/account/tokens", post(account::make_token), &["create_token"])
        .page("/account/tokens/{id}/revoke", post(account::revoke_token), &["revoke_token"])
        .page("/events", get(events::page_events), &["stream_events"])
        // Of the browser alone: cookies and words, nothing that is stored.
        .page("/account/theme", post(account::theme), &[])
        .page("/focus", post(session::focus), &[])
        .page("/sign-in", get(session::sign_in_form).post(session::sign_in), &[])
        .page("/sign-out", post(session::sign_out), &[])
        .page("/setup", get(session::setup_form).post(session::setup), &[])
        .page("/help", get(shell::help), &[])
}

#[rustfmt::skip]
fn api_routes() -> Router<App> {
    Router::new()
        .route("/api/v1/session", get(account::get_session))
        .route("/api/v1/session/password", post(account::change_password))
        .route("/api/v1/devices", get(devices::list_devices))
        .route("/api/v1/devices/facets", get(devices::get_device_facets))
        .route("/api/v1/devices/{id}", get(devices::get_device).patch(devices::update_device).delete(devices::retire_device))
        .route("/api/v1/devices/{id}/meters", get(devices::get_device_meters))
        .route("/api/v1/devices/{id}/supplies", get(devices::get_device_supplies))
        .route("/api/v1/devices/{id}/history", get(devices::get_device_history))
        .route("/api/v1/devices/{id}/events", get(troubles::list_events_of_device))
        .route("/api/v1/devices/{id}/counters", get(told::list_counter_sets))
        .route("/api/v1/devices/{id}/counters/{kind}", get(told::compare_counter_sets))
        .route("/api/v1/devices/{id}/diagnostics", get(told::list_diagnostics))
        .route("/api/v1/devices/{id}/logs/{sha256}", get(told::get_device_log))
        .route("/api/v1/device-events", get(troubles::list_device_events))
        .route("/api/v1/troubles", get(troubles::list_troubles))
        .route("/api/v1/codes", get(troubles::list_codes))
        .route("/api/v1/reports", get(messages::list_reports))
        .route("/api/v1/reports/{name}", get(messages::get_report))
        .route("/api/v1/tasks", get(tasks::list_tasks).post(tasks::create_task))
        .route("/api/v1/tasks/preview", post(tasks::preview_task))
        .route("/api/v1/tasks/{id}", get(tasks::get_task))
        .route("/api/v1/tasks/{id}/shares", get(tasks::list_task_shares))
        .route("/api/v1/tasks/{id}/cancel", post(tasks::cancel_task))
        .route("/api/v1/tasks/{id}/retry", post(tasks::retry_task))
        .route("/api/v1/supplies", get(supplies::list_supplies))
        .route("/api/v1/supplies/calibration", get(supplies::get_supply_calibration))
        .route("/api/v1/supplies/limits", get(supplies::list_supply_limits).put(supplies::set_supply_limits))
        .route("/api/v1/devices/{id}/supplies/{index}", get(supplies::get_supply))
        .route("/api/v1/shipments", get(supplies::list_shipments))
        .route("/api/v1/shipments/acts", post(supplies::act_on_shipments))
        .route("/api/v1/shipments/terms", get(supplies::get_shipment_terms).put(supplies::set_shipment_terms))
        .route("/api/v1/shipments/{id}", get(supplies::get_shipment))
        .route("/api/v1/parts", get(supplies::list_parts))
        .route("/api/v1/parts/ratings", get(supplies::list_part_ratings).put(supplies::set_part_rating))
        .route("/api/v1/meters", get(meters::list_meters))
        .route("/api/v1/contracts", get(billing::list_contracts).post(billing::create_contract))
        .route("/api/v1/contracts/{id}", get(billing::get_contract).patch(billing::update_contract).delete(billing::end_contract))
        .route("/api/v1/contracts/{id}/lines", put(billing::set_contract_lines))
        .route("/api/v1/contracts/{id}/devices", get(billing::list_contract_devices).post(billing::assign_contract_device))
        .route("/api/v1/contracts/{id}/devices/{device}", delete(billing::unassign_contract_device))
        .route("/api/v1/meter-maps", get(billing::list_meter_maps).post(billing::create_meter_map))
        .route("/api/v1/meter-maps/{id}", delete(billing::delete_meter_map))
        .route("/api/v1/closes", get(billing::list_closes))
        .route("/api/v1/closes/{id}", get(billing::get_close))
        .route("/api/v1/closes/{id}/lines", get(billing::list_close_lines))
        .route("/api/v1/closes/{id}/gaps", get(billing::list_close_gaps))
        .route("/api/v1/closes/{id}/unbilled", get(billing::list_unbilled_meters))
        .route("/api/v1/closes/{id}/waivers", post(billing::waive_close_gap))
        .route("/api/v1/closes/{id}/readings", post(billing::enter_close_reading))
        .route("/api/v1/closes/{id}/look", post(billing::look_at_close))
        .route("/api/v1/closes/{id}/close", post(billing::close_period))
        .route("/api/v1/closes/{id}/documents", get(billing::list_close_documents))
        .route("/api/v1/closes/{id}/documents/{no}", get(billing::get_close_document))
        .route("/api/v1/closes/{id}/corrections", post(billing::correct_close))
        .route("/api/v1/doubts", get(doubts::list_doubts))
        .route("/api/v1/doubts/{id}", get(doubts::get_doubt))
        .route("/api/v1/doubts/{id}/settle", post(doubts::settle_doubt))
        .route("/api/v1/doubts/{id}/reopen", post(doubts::reopen_doubt))
        .route("/api/v1/alerts", get(alerts::list_alerts))
        .route("/api/v1/alerts/{id}/acknowledge", post(alerts::acknowledge_alert))
        .route("/api/v1/incidents", get(incidents::list_incidents))
        .route("/api/v1/incidents/{id}", get(incidents::get_incident))
        .route("/api/v1/incidents/{id}/acknowledge", post(incidents::acknowledge_incident))
        .route("/api/v1/incidents/{id}/resolve", post(incidents::resolve_incident))
        .route("/api/v1/alert-rules", get(alerting::list_alert_rules).post(alerting::create_alert_rule))
        .route("/api/v1/alert-rules/dry-run", post(alerting::dry_run_alert_rule))
        .route(
            "/api/v1/alert-rules/{id}",
            get(alerting::get_alert_rule).put(alerting::update_alert_rule).delete(alerting::delete_alert_rule),
        )
        .route("/api/v1/recipients", get(alerting::list_recipients).post(alerting::create_recipient))
        .route(
            "/api/v1/recipients/{id}",
            get(alerting::get_recipient).put(alerting::update_recipient).delete(alerting::delete_recipient),
        )
        .route("/api/v1/recipients/{id}/test", post(alerting::test_recipient))
        .route("/api/v1/recipients/{id}/resume", post(alerting::resume_recipient))
        .route("/api/v1/digest", get(alerting::get_digest))
        .route("/api/v1/notifications", get(alerting::list_notifications))
        .route("/api/v1/notifications/{id}/resend", post(alerting::resend_notification))
        .route("/api/v1/webhooks", get(webhooks::list_webhooks).post(webhooks::create_webhook))
        .route("/api/v1/webhooks/{id}", get(webhooks::get_webhook).put(webhooks::update_webhook).delete(webhooks::delete_webhook))
        .route("/api/v1/webhooks/{id}/secret", post(webhooks::rotate_webhook_secret).delete(webhooks::retire_webhook_secret))
        .route("/api/v1/webhooks/{id}/enable", post(webhooks::enable_webhook))
        .route("/api/v1/webhooks/{id}/test", post(webhooks::test_webhook))
        .route("/api/v1/webhooks/{id}/deliveries", get(webhooks::list_webhook_deliveries))
        .route("/api/v1/webhooks/{id}/deliveries/{delivery}/resend", post(webhooks::resend_webhook_delivery))
        .route("/api/v1/agents", get(agents::list_agents))
        .route("/api/v1/agents/invitations", post(agents::invite_agent))
        .route("/api/v1/agents/{id}", get(agents::get_agent).patch(agents::update_agent))
        .route("/api/v1/devices/{id}/commands", get(orders::list_device_commands).post(orders::order_device))
        .route("/api/v1/devices/{id}/commands/{command}", delete(orders::cancel_device_command))
        .route("/api/v1/agents/{id}/commands", get(orders::list_agent_commands).post(orders::order_agent))
        .route("/api/v1/agents/{id}/commands/{command}", delete(orders::cancel_agent_command))
        .route("/api/v1/agents/{id}/logs", get(orders::list_agent_logs))
        .route("/api/v1/agents/{id}/logs/{sha256}", get(orders::get_agent_log))
        .route("/api/v1/agents/{id}/revoke", post(agents::revoke_agent))
        .route("/api/v1/agents/{id}/traps", get(agents::get_agent_traps))
        .route("/api/v1/agents/{id}/traps/senders", get(agents::list_agent_trap_senders))
        .route("/api/v1/agents/{id}/plan", get(agents::get_agent_plan).put(agents::set_agent_plan).layer(DefaultBodyLimit::max(MOST_PLAN)))
        .route("/api/v1/agents/{id}/targets", post(agents::import_agent_targets).layer(DefaultBodyLimit::max(MOST_LIST)))
        .route("/api/v1/agents/{id}/discovery", get(agents::get_agent_discovery).post(agents::discover_at_agent))
        .route("/api/v1/monitors", get(monitors::list_monitors).post(monitors::register_monitor))
        .route("/api/v1/monitors/{id}", get(monitors::get_monitor).patch(monitors::update_monitor).delete(monitors::release_monitor))
        .route("/api/v1/monitors/{id}/claim", post(monitors::make_monitor_claim))
        .route("/api/v1/monitors/{id}/activation", post(monitors::make_monitor_activation))
        .route("/api/v1/monitors/{id}/kinds", get(monitors::get_monitor_kinds))
        .route("/api/v1/monitors/{id}/kinds/{number}", put(monitors::set_monitor_period))
        .route("/api/v1/monitors/{id}/commands", get(monitors::list_monitor_commands).post(monitors::order_monitor))
        .route("/api/v1/monitors/{id}/commands/{command}", delete(monitors::cancel_monitor_command))
        .route("/api/v1/strangers", get(monitors::list_strangers))
        .route("/api/v1/organisations", get(orgs::list_organisations).post(orgs::create_organisation))
        .route("/api/v1/organisations/{id}", get(orgs::get_organisation).patch(orgs::update_organisation))
        .route("/api/v1/users", get(users::list_users).post(users::create_user))
        .route("/api/v1/users/{id}", get(users::get_user).patch(users::update_user))
        .route("/api/v1/users/{id}/password", post(users::reset_user_password))
        .route("/api/v1/tokens", get(account::list_tokens).post(account::create_token))
        .route("/api/v1/tokens/{id}", delete(account::revoke_token_api))
        .route("/api/v1/filters", get(account::list_filters).post(account::create_filter))
        .route("/api/v1/filters/{id}", patch(account::update_filter).delete(account::delete_filter))
        .route("/api/v1/audit", get(audit::list_audit))
        .route("/api/v1/events", get(events::stream_events))
        .route("/api/openapi.json", get(crate::openapi::serve))
        .route("/api/{*rest}", any(api::missing))
        .method_not_allowed_fallback(api::method)
}

/// All of the web door.
pub(crate) fn web(app: App) -> Router {
    let pages = pages()
        .router
        .route("/", get(|| async { Redirect::to("/devices") }))
        .fallback(|| async { trouble::Trouble::not_found() })
        .layer(middleware::from_fn_with_state(app.clone(), forget_note))
        .layer(middleware::from_fn(trouble::dress));
    let machines = Router::new()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics_here))
        .route("/.well-known/platen", get(health::well_known))
        .route("/assets/{name}", get(assets::serve))
        .route("/favicon.ico", get(assets::icon));
    finish(pages.merge(api_routes()).merge(machines), app)
}

/// The admin listener: metrics and health only.
pub(crate) fn admin(app: App) -> Router {
    let router = Router::new()
        .route("/metrics", get(health::metrics_text))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready));
    finish(router, app)
}

fn finish(router: Router<App>, app: App) -> Router {
    router
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(middleware::from_fn_with_state(app.clone(), security::guard))
        .layer(CatchPanicLayer::custom(|_| {
            tracing::error!("a handler panicked");
            axum::response::IntoResponse::into_response(StatusCode::INTERNAL_SERVER_ERROR)
        }))
        .layer(CompressionLayer::new().gzip(true))
        .layer(middleware::from_fn_with_state(app.clone(), measure))
        .with_state(app)
}

/// A note was shown once: its cookie goes.
async fn forget_note(State(app): State<App>, request: Request, next: Next) -> Response {
    let headers = request.headers().clone();
    let shown = request.method() == Method::GET && cookie(&headers, NOTE).is_some() && !headers.contains_key(LIVE);
    let mut response = next.run(request).await;
    let page = response.headers().get(header::CONTENT_TYPE).is_some_and(|v| v.as_bytes().starts_with(b"text/html"));
    if shown && page {
        add_cookie(response.headers_mut(), set_cookie(&app, &headers, NOTE, None, None));
    }
    response
}

async fn measure(State(app): State<App>, request: Request, next: Next) -> Response {
    let (path, method, begun) = (request.uri().path().to_owned(), request.method().clone(), Instant::now());
    let response = next.run(request).await;
    let took = begun.elapsed();
    app.metrics.count(&path, response.status().as_u16(), took);
    tracing::debug!(%method, path, status = response.status().as_u16(), duration_ms = took.as_secs_f64() * 1e3, "answered");
    response
}

/// Operations of the API that some page does.
#[cfg(test)]
fn done_by_pages() -> BTreeSet<&'static str> {
    pages().pairs.iter().flat_map(|(_, api)| api.iter().copied()).collect()
}

/// Pages that name no operation of the API.
#[cfg(test)]
fn pages_alone() -> Vec<&'static str> {
    pages().pairs.iter().filter(|(_, api)| api.is_empty()).map(|(path, _)| *path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_page_does_the_api_does() {
        let document = serde_json::to_value(crate::openapi::document()).unwrap();
        let mut operations = BTreeSet::new();
        for path in document["paths"].as_object().unwrap().values() {
            operations.extend(
                path.as_object().unwrap().values().filter_map(|op| op["operationId"].as_str().map(str::to_owned)),
            );
        }
        let missing: Vec<_> = done_by_pages().into_iter().filter(|id| !operations.contains(*id)).collect();
        assert!(missing.is_empty(), "pages do what the API cannot: {missing:?}");
        assert_eq!(pages_alone(), ["/account/theme", "/focus", "/sign-in", "/sign-out", "/setup", "/help"]);
    }
}
