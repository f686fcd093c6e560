//! Reports as tests say them: one device with a serial, changed as the test needs it.

use wire::report::StatusBody;
use wire::{Identity, SnmpVersion, State, Status};

/// A quiet device with this serial.
pub(crate) fn status(serial: &str, change: impl FnOnce(&mut StatusBody)) -> StatusBody {
    let mut body = StatusBody {
        address: "10.4.0.21".into(),
        port: 161,
        snmp: SnmpVersion::V2c,
        identity: Identity {
            vendor: Some("ricoh".into()),
            model: Some("IM C3000".into()),
            serial: Some(serial.into()),
            name: Some(format!("printer {serial}")),
            location: Some("Main building".into()),
            ..Identity::default()
        },
        status: Status { state: State::Idle, reasons: Vec::new(), console: None },
        supplies: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        covers: Vec::new(),
        alerts: Vec::new(),
        quirks: Vec::new(),
    };
    change(&mut body);
    body
}
