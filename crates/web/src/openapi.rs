//! The document of the API, made from the handlers.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

use crate::{
    account, agents, alerting, alerts, audit, billing, devices, doubts, events, incidents, messages, meters, monitors,
    orders, orgs, supplies, tasks, told, troubles, users, webhooks,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Platen",
        description = "Fleets of printers: devices, meters, supplies, alerts. Lists are paged by key; errors follow RFC 9457; \
                       changes need If-Match with the ETag that was seen; a POST may be repeated under one Idempotency-Key."
    ),
    paths(
        account::get_session, account::change_password,
        devices::list_devices, devices::get_device_facets, devices::get_device, devices::update_device, devices::retire_device,
        devices::get_device_meters, devices::get_device_supplies, devices::get_device_history,
        troubles::list_device_events, troubles::list_events_of_device, troubles::list_troubles, troubles::list_codes,
        told::list_counter_sets, told::compare_counter_sets, told::list_diagnostics, told::get_device_log,
        messages::list_reports, messages::get_report,
        tasks::list_tasks, tasks::preview_task, tasks::create_task, tasks::get_task, tasks::list_task_shares, tasks::cancel_task,
        tasks::retry_task,
        supplies::list_supplies, supplies::get_supply, supplies::get_supply_calibration,
        supplies::list_supply_limits, supplies::set_supply_limits,
        supplies::list_shipments, supplies::get_shipment, supplies::act_on_shipments,
        supplies::get_shipment_terms, supplies::set_shipment_terms,
        supplies::list_parts, supplies::list_part_ratings, supplies::set_part_rating,
        meters::list_meters,
        billing::list_contracts, billing::create_contract, billing::get_contract, billing::update_contract, billing::end_contract,
        billing::set_contract_lines, billing::list_contract_devices, billing::assign_contract_device,
        billing::unassign_contract_device, billing::list_meter_maps, billing::create_meter_map, billing::delete_meter_map,
        billing::list_closes, billing::get_close, billing::list_close_lines, billing::list_close_gaps, billing::list_unbilled_meters,
        billing::waive_close_gap, billing::enter_close_reading, billing::look_at_close, billing::close_period,
        billing::list_close_documents, billing::get_close_document, billing::correct_close,
        doubts::list_doubts, doubts::get_doubt, doubts::settle_doubt, doubts::reopen_doubt,
        alerts::list_alerts, alerts::acknowledge_alert,
        incidents::list_incidents, incidents::get_incident, incidents::acknowledge_incident, incidents::resolve_incident,
        alerting::list_alert_rules, alerting::create_alert_rule, alerting::get_alert_rule, alerting::update_alert_rule,
        alerting::delete_alert_rule, alerting::dry_run_alert_rule,
        alerting::list_recipients, alerting::create_recipient, alerting::get_recipient, alerting::update_recipient,
        alerting::delete_recipient, alerting::test_recipient, alerting::resume_recipient, alerting::get_digest,
        alerting::list_notifications, alerting::resend_notification,
        webhooks::list_webhooks, webhooks::create_webhook, webhooks::get_webhook, webhooks::update_webhook,
        webhooks::delete_webhook, webhooks::rotate_webhook_secret, webhooks::retire_webhook_secret, webhooks::enable_webhook,
        webhooks::test_webhook, webhooks::list_webhook_deliveries, webhooks::resend_webhook_delivery,
        agents::list_agents, agents::get_agent, agents::update_agent, agents::revoke_agent, agents::invite_agent,
        agents::get_agent_plan, agents::set_agent_plan, agents::import_agent_targets,
        agents::get_agent_discovery, agents::discover_at_agent, agents::get_agent_traps, agents::list_agent_trap_senders,
        monitors::list_monitors, monitors::register_monitor, monitors::get_monitor, monitors::update_monitor,
        monitors::release_monitor, monitors::make_monitor_claim, monitors::make_monitor_activation, monitors::get_monitor_kinds, monitors::set_monitor_period,
        orders::list_device_commands, orders::order_device, orders::cancel_device_command, orders::list_agent_commands,
        orders::order_agent, orders::cancel_agent_command, orders::list_agent_logs, orders::get_agent_log,
        monitors::list_monitor_commands, monitors::order_monitor, monitors::cancel_monitor_command, monitors::list_strangers,
        orgs::list_organisations, orgs::get_organisation, orgs::create_organisation, orgs::update_organisation,
        users::list_users, users::get_user, users::create_user, users::update_user, users::reset_user_password,
        account::list_tokens, account::create_token, account::revoke_token_api,
        account::list_filters, account::create_filter, account::update_filter, account::delete_filter,
        audit::list_audit,
        events::stream_events,
    ),
    modifiers(&Security)
)]
struct Document;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        components.add_security_scheme("token_as_password", SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)));
        let need = |name: &str| openapi::SecurityRequirement::new(name, Vec::<String>::new());
        document.security = Some(vec![need("token"), need("token_as_password")]);
        "1".clone_into(&mut document.info.version);
        document.info.license = None;
    }
}

/// The document, as served and as committed.
#[must_use]
pub fn document() -> openapi::OpenApi {
    Document::openapi()
}

/// `GET /api/openapi.json`.
pub(crate) async fn serve() -> Response {
    match document().to_pretty_json() {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the API document could not be written");
            axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn openapi_document_is_the_committed_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi/platen-v1.json");
        let now = super::document().to_pretty_json().unwrap() + "\n";
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(path, &now).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(now == committed, "the API changed: look at the difference, then run `cargo xtask openapi`");
    }
}
