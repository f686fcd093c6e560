//! The one way to people: recipients, and messages that are queued in the transaction of the change that they tell of.
//! Doors send them: [`claim`] lends the next ones, [`settle`] takes back what became of each.

mod bounces;
mod digest;
mod queue;
mod recipients;
pub(crate) mod rules;
mod service;
mod sql;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use bounces::{Returned, is_bounce_address, returned};
pub use digest::{digest, run as run_digests};
pub use queue::{Channel, Due, Outcome, claim, expire, settle};
pub use recipients::{
    NewRecipient, create_recipient, delete_recipient, list_recipients, recipient, resume_recipient, test_recipient,
    update_recipient,
};
pub(crate) use recipients::{exists as recipient_exists, goes_to};
pub(crate) use service::home;
pub use service::{Attachment, NewNotification, NotificationQuery, To, about, counts, list, post, resend};

use crate::webhooks::WebhookId;
use crate::{Micros, UserId};

crate::id!(
    /// Somebody, or something, that is told.
    RecipientId,
    "recipient"
);
crate::id!(
    /// One message to one recipient.
    NotificationId,
    "notification"
);

/// How a recipient is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// A person with an account, by mail.
    User,
    /// A mail address without account.
    Mail,
    /// A webhook of the same organisation.
    Webhook,
    /// A log host.
    Syslog,
}

impl ChannelKind {
    /// As stored and as the API says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Mail => "mail",
            Self::Webhook => "webhook",
            Self::Syslog => "syslog",
        }
    }

    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "user" => Self::User,
            "webhook" => Self::Webhook,
            "syslog" => Self::Syslog,
            _ => Self::Mail,
        }
    }
}

/// A recipient as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recipient {
    /// Its id.
    pub id: RecipientId,
    /// For `If-Match`.
    pub version: i64,
    /// Name for people.
    pub name: String,
    /// How it is reached.
    pub kind: ChannelKind,
    /// Mail address, address of the log host; for a user the address of the account, for a webhook its name.
    pub target: String,
    /// The account.
    pub user: Option<UserId>,
    /// The webhook.
    pub webhook: Option<WebhookId>,
    /// Who is told instead while it is suspended.
    pub fallback: Option<RecipientId>,
    /// Whether it is suspended: its address does not exist any more.
    pub suspended: bool,
    /// Why it is suspended.
    pub why: Option<String>,
    /// Since when it is, or is not.
    pub state_at: Micros,
    /// How often it was suspended.
    pub bounces: i64,
    /// IANA name of the zone of its hours.
    pub zone: String,
    /// Beginning and end of the quiet hours, `22:00`.
    pub quiet: Option<(String, String)>,
    /// Whether critical messages pass in quiet hours.
    pub critical_passes: bool,
    /// Most mails within an hour; what is more waits and becomes one mail.
    pub cap_per_hour: i64,
    /// `none`, `daily` or `weekly`.
    pub digest: String,
    /// Time of day of the digest, `07:00`.
    pub digest_time: String,
    /// Day of a weekly digest, 1 Monday to 7 Sunday.
    pub digest_weekday: i64,
    /// When the next digest is due.
    pub digest_at: Option<Micros>,
}

/// A message as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// Who is told.
    pub recipient: RecipientId,
    /// What people call that recipient; empty when it was deleted.
    pub recipient_name: String,
    /// `user`, `mail`, `webhook` or `syslog`.
    pub channel: String,
    /// `incident`, `escalation`, `end`, `digest`, `test` or what a capability calls its own.
    pub kind: String,
    /// What it is about: kind and id.
    pub subject: (String, String),
    /// One line.
    pub title: String,
    /// `queued`, `sent`, `handed` (to a webhook), `folded` (into another one), `dead`.
    pub state: String,
    /// Why it waits: `quiet` hours or the `cap` of its recipient.
    pub held: Option<String>,
    /// How often it was tried.
    pub tries: i64,
    /// When it is tried next, while it is queued.
    pub next_at: Option<Micros>,
    /// The last code of the other side: SMTP reply or HTTP status.
    pub status: Option<i64>,
    /// What went wrong at last.
    pub error: Option<String>,
    /// The message that tells it too.
    pub went_into: Option<NotificationId>,
    /// When it was queued.
    pub created_at: Micros,
    /// When it was sent or given up.
    pub ended_at: Option<Micros>,
}
