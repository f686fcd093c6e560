//! Webhooks: events to other programs, signed as Standard Webhooks says. An event is delivered once it is there for
//! all; its receiver knows a repeat by `webhook-id`. A receiver that fails for days is disabled.

mod deliveries;
mod fan_out;
mod rules;
mod service;
mod sql;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub(crate) use deliveries::hand;
pub use deliveries::{Answer, Due, claim, list_deliveries, resend, settle, test};
pub use fan_out::run as fan_out;
pub use service::{
    NewWebhook, create_webhook, delete_webhook, enable_webhook, list_webhooks, retire_secret, rotate_secret,
    update_webhook, webhook,
};

use crate::Micros;

crate::id!(
    /// A webhook.
    WebhookId,
    "webhook"
);

/// A webhook as people see it; its secrets are never shown again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// For `If-Match`.
    pub version: i64,
    /// Name for people.
    pub name: String,
    /// Where events go.
    pub url: String,
    /// Types that are sent, as `incident.opened` or `device.*`; none: all that the organisation may see.
    pub types: Vec<String>,
    /// Secrets that sign: one, or two while one replaces the other.
    pub secrets: i64,
    /// When the newest secret was made.
    pub rotated_at: Option<Micros>,
    /// Whether it is delivered to.
    pub active: bool,
    /// Why it is not.
    pub why: Option<String>,
    /// Since when it is, or is not.
    pub state_at: Micros,
    /// Since when nothing arrives.
    pub failing_since: Option<Micros>,
    /// When something arrived last.
    pub delivered_at: Option<Micros>,
}

/// One event to one webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// `webhook-id`: the same in each try.
    pub id: String,
    /// Type of the event.
    #[serde(rename = "type")]
    pub kind: String,
    /// `queued`, `sent` or `dead`.
    pub state: String,
    /// How often it was tried.
    pub tries: i64,
    /// When it is tried next, while it is queued.
    pub next_at: Option<Micros>,
    /// HTTP status of the last try.
    pub status: Option<i64>,
    /// What went wrong at last.
    pub error: Option<String>,
    /// How long the last try took.
    pub took_ms: Option<i64>,
    /// When it was queued.
    pub created_at: Micros,
    /// When it was taken or given up.
    pub ended_at: Option<Micros>,
    /// What is sent.
    pub body: String,
}
