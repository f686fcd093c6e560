//! Who is told: rules, recipients, and the log of messages.

mod messages;
mod messages_api;
mod recipients;
mod recipients_api;
mod rules;
mod rules_api;

use platen_core::notifications::Notification;

pub(crate) use messages::{list as message_list, resend as message_resend};
pub(crate) use messages_api::*;
pub(crate) use recipients::{
    act as recipient_act, create as recipient_create, list as recipient_list, sheet as recipient_sheet,
};
pub(crate) use recipients_api::*;
pub(crate) use rules::{
    create as rule_create, form as rule_form, list as rule_list, save as rule_save, sheet as rule_sheet,
};
pub(crate) use rules_api::*;

use crate::{shell::facets::Tab, words::Zone};

/// Tabs of the pages of this capability.
pub(crate) fn tabs(current: &str) -> Vec<Tab> {
    let pages =
        [("/rules", "Rules"), ("/recipients", "Recipients"), ("/webhooks", "Webhooks"), ("/notifications", "Log")];
    pages
        .into_iter()
        .map(|(href, label)| Tab { href: href.to_owned(), label, n: None, current: href == current })
        .collect()
}

/// What became of a message, in words.
pub(crate) fn message_state(message: &Notification, zone: &Zone) -> String {
    let error = message.error.as_deref().map(|error| format!(": {error}")).unwrap_or_default();
    match message.state.as_str() {
        "sent" => "sent".to_owned(),
        "handed" => "went to the webhook".to_owned(),
        "folded" => "went with another message".to_owned(),
        "dead" => format!("given up{error}"),
        _ => match (message.held.as_deref(), message.next_at) {
            (Some("quiet"), Some(at)) => format!("waits for the end of quiet hours, {}", zone.moment(at)),
            (Some(_), Some(at)) => format!("waits: the cap of an hour is reached, until {}", zone.moment(at)),
            (None, Some(at)) if message.tries > 0 => {
                format!("tried {} times, again {}{error}", message.tries, zone.moment(at))
            }
            _ => "waits".to_owned(),
        },
    }
}
