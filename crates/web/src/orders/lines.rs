//! An order as a line of a table.

use platen_core::orders::{CommandRow, CommandState};

use crate::words::{Zone, sentence};

/// One order.
pub(crate) struct OrderLine {
    pub(crate) id: String,
    pub(crate) what: &'static str,
    pub(crate) state: &'static str,
    pub(crate) open: bool,
    pub(crate) by: String,
    pub(crate) given: String,
    pub(crate) ended: String,
    pub(crate) detail: String,
}

/// As people read it.
pub(crate) fn order_line(row: CommandRow, zone: &Zone) -> OrderLine {
    OrderLine {
        id: row.id.to_string(),
        what: match row.what.as_str() {
            "report_now" => "Report now",
            "send_log" => "Send the log",
            "discover" => "Look for devices",
            "keys" => "Know the gateway’s keys",
            _ => "Follow a schedule",
        },
        open: row.state.is_open(),
        state: match row.state {
            CommandState::Queued => "waits to be fetched",
            CommandState::Taken => "fetched, not answered",
            CommandState::Done => "done",
            CommandState::Failed => "failed",
            CommandState::Refused => "refused",
            CommandState::Expired => "nobody did it in time",
            CommandState::Cancelled => "taken back",
        },
        by: row.given_by,
        given: zone.moment(row.issued_at),
        ended: row.ended_at.map_or_else(String::new, |at| zone.moment(at)),
        detail: row.detail.map(|text| sentence(&text)).unwrap_or_default(),
    }
}
