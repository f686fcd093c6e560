//! State and reasons from all that a device says of itself: hrPrinterStatus, hrDeviceStatus, error bits, alerts,
//! console. Each source may be missing, and may contradict the others.

use std::collections::BTreeMap;

use wire::{Alert, AlertSeverity, Cover, State, Status, Supply};

use crate::bits;
use crate::profile::{Condition, ErrorState, Profile};
use crate::reasons::{ERROR_BITS, Gravity};
use crate::snapshot::{Snapshot, number};
use crate::standard::{host, oid, supplies};

const OFFLINE_BIT: usize = 6;
/// Bits that stop the marker by themselves: no toner, door, jam, supply missing, output full.
const STOPPING_BITS: [usize; 5] = [3, 4, 5, 10, 12];

/// The parts of a reading that a status is judged with.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// hrDeviceIndex of the printer.
    pub printer: u32,
    /// Order of the error octets.
    pub order: ErrorState,
    /// Supplies of the same reading.
    pub supplies: &'a [Supply],
    /// Covers of the same reading.
    pub covers: &'a [Cover],
    /// Alerts of the same reading.
    pub alerts: &'a [Alert],
    /// Conditions that private objects tell: reason and how grave.
    pub told: &'a [(String, Gravity)],
}

/// Judges the status.
pub fn read(said: &Snapshot, console: Option<String>, evidence: Evidence<'_>, quirks: &mut Vec<String>) -> Status {
    let printer = host::cell(said, &oid::HR_PRINTER_STATUS, evidence.printer).and_then(number);
    let device = said.number(&oid::HR_DEVICE_STATUS.child(evidence.printer));
    let errors = host::cell(said, &oid::HR_PRINTER_ERROR_STATE, evidence.printer);
    let bits = errors.map(|value| bits::read(value, &evidence, quirks)).unwrap_or_default();
    Status {
        state: state(printer, device, &bits, evidence.alerts, console.as_deref()),
        reasons: reasons(device, &bits, &evidence),
        console,
    }
}

/// Conditions that hold by a vendor's private columns.
pub fn told<'a>(said: &Snapshot, profiles: impl Iterator<Item = &'a Profile>) -> Vec<(String, Gravity)> {
    let conditions = profiles.flat_map(|profile| &profile.conditions);
    let holds = |condition: &&Condition| {
        said.column(&condition.column.0).any(|(_, value)| number(value) == Some(condition.value))
    };
    conditions.filter(holds).map(|condition| (condition.reason.clone(), condition.severity.into())).collect()
}

fn state(printer: Option<i64>, device: Option<i64>, bits: &[usize], alerts: &[Alert], console: Option<&str>) -> State {
    let offline = bits.contains(&OFFLINE_BIT);
    let stopped = bits.iter().any(|bit| STOPPING_BITS.contains(bit));
    let critical = alerts.iter().any(|alert| alert.severity == AlertSeverity::Critical);
    let powered_down = |code| alerts.iter().any(|alert| alert.code == Some(code));
    match (printer, device) {
        (Some(5), _) => State::WarmingUp,
        (Some(4), device) if device != Some(5) => State::Processing,
        (Some(3), device) if device != Some(5) => State::Idle,
        _ if offline => State::Offline,
        (_, Some(5)) => State::Stopped,
        _ if stopped || critical => State::Stopped,
        _ if powered_down(23) => State::Asleep,
        _ if powered_down(24) => State::WarmingUp,
        // RFC 3805 §2.2.13.2.2: running with printer status other is the stand-by of power saving.
        (Some(1), Some(2)) => State::Asleep,
        _ => console.map_or(State::Unknown, console_state),
    }
}

/// The panel's words, when no object told the state.
fn console_state(text: &str) -> State {
    const WORDS: [(&str, State); 14] = [
        ("sleep", State::Asleep),
        ("power save", State::Asleep),
        ("energy saver", State::Asleep),
        ("powersave", State::Asleep),
        ("warming up", State::WarmingUp),
        ("warmup", State::WarmingUp),
        ("please wait", State::WarmingUp),
        ("printing", State::Processing),
        ("processing", State::Processing),
        ("copying", State::Processing),
        ("offline", State::Offline),
        ("jam", State::Stopped),
        ("ready", State::Idle),
        ("bereit", State::Idle),
    ];
    let text = text.to_lowercase();
    WORDS.iter().find(|(word, _)| text.contains(word)).map_or(State::Unknown, |(_, state)| *state)
}

fn reasons(device: Option<i64>, bits: &[usize], evidence: &Evidence<'_>) -> Vec<String> {
    let mut found: BTreeMap<&str, Gravity> = BTreeMap::new();
    let mut add = |word, gravity: Gravity| {
        found.entry(word).and_modify(|known| *known = gravity.max(*known)).or_insert(gravity);
    };
    for alert in evidence.alerts.iter().filter(|alert| alert.reason != "configuration-change") {
        let gravity = alert.severity.into();
        if !matches!(alert.code, Some(4 | 6 | 19 | 20 | 23 | 24 | 502 | 507)) {
            add(known_word(&alert.reason), gravity);
        }
    }
    for (reason, gravity) in evidence.told {
        add(reason, *gravity);
    }
    let down = device == Some(5);
    for bit in bits {
        let (word, gravity) = ERROR_BITS[*bit];
        let word = special_word(word, evidence);
        let gravity = if down && matches!(bit, 1 | 13) { Gravity::Error } else { gravity };
        // An alert row for the same condition knows better how grave it is.
        if !evidence.alerts.iter().any(|alert| alert.reason == word) {
            add(word, gravity);
        }
    }
    let mut reasons: Vec<String> =
        found.into_iter().map(|(word, gravity)| format!("{word}{}", gravity.suffix())).collect();
    reasons.sort();
    reasons
}

/// Bits speak of toner and doors; the device may have ink, and covers that it lists.
fn special_word<'a>(word: &'a str, evidence: &Evidence<'_>) -> &'a str {
    match word {
        "toner-low" if supplies::only_ink(evidence.supplies) => "marker-supply-low",
        "toner-empty" if supplies::only_ink(evidence.supplies) => "marker-supply-empty",
        "door-open" if evidence.covers.iter().any(|cover| cover.open == Some(true)) => "cover-open",
        _ => word,
    }
}

fn known_word(reason: &str) -> &str {
    if reason.is_empty() { "other" } else { reason }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use snmp::Value;

    use super::*;

    fn judge(printer: Option<i32>, device: Option<i32>, octets: Option<&[u8]>) -> Status {
        let mut said = Snapshot::new();
        let mut put = |column: &snmp::Oid, value: Option<i32>| {
            if let Some(value) = value {
                said.insert(column.child(1), Value::Integer(value));
            }
        };
        put(&oid::HR_PRINTER_STATUS, printer);
        put(&oid::HR_DEVICE_STATUS, device);
        if let Some(octets) = octets {
            said.insert(oid::HR_PRINTER_ERROR_STATE.child(1), Value::OctetString(Bytes::copy_from_slice(octets)));
        }
        let evidence =
            Evidence { printer: 1, order: ErrorState::Standard, supplies: &[], covers: &[], alerts: &[], told: &[] };
        read(&said, None, evidence, &mut Vec::new())
    }

    #[test]
    fn error_state_shapes() {
        let reasons = |octets: &[u8]| judge(Some(3), Some(3), Some(octets)).reasons;
        assert_eq!(reasons(&[]), [""; 0]);
        assert_eq!(reasons(&[0x00]), [""; 0]);
        assert_eq!(reasons(&[0x80]), ["media-low-warning"]);
        assert_eq!(reasons(&[0x01, 0x00]), ["service-needed-warning"]);
        assert_eq!(reasons(&[0x20, 0x04]), ["media-empty-warning", "toner-low-warning"]);
        assert_eq!(reasons(&[0x20, 0x00, 0xff, 0xff]), ["toner-low-warning"], "octets beyond the second mean nothing");
    }

    #[test]
    fn states_of_the_table_in_rfc_3805() {
        let state = |printer, device, octet: u8| judge(printer, device, Some(&[octet])).state;
        assert_eq!(state(Some(3), Some(2), 0), State::Idle);
        assert_eq!(state(Some(4), Some(3), 0x80), State::Processing);
        assert_eq!(state(Some(5), Some(5), 0x02), State::WarmingUp, "moving on line");
        assert_eq!(state(Some(1), Some(5), 0x02), State::Offline);
        assert_eq!(state(Some(1), Some(5), 0x04), State::Stopped);
        assert_eq!(state(Some(1), Some(2), 0), State::Asleep);
        assert_eq!(state(None, Some(2), 0), State::Unknown, "running is neither idle nor busy");
        assert_eq!(state(None, None, 0x04), State::Stopped);
        assert_eq!(judge(None, None, None), Status::default());
    }

    #[test]
    fn an_alert_knows_better_than_a_bit() {
        let alert = Alert {
            severity: AlertSeverity::Critical,
            reason: "media-empty".to_owned(),
            group: None,
            part: None,
            text: None,
            code: Some(808),
            since: None,
        };
        let mut said = Snapshot::new();
        said.insert(oid::HR_PRINTER_ERROR_STATE.child(1), Value::OctetString(Bytes::from_static(&[0x40])));
        let evidence = Evidence {
            printer: 1,
            order: ErrorState::Standard,
            supplies: &[],
            covers: &[],
            alerts: &[alert],
            told: &[],
        };
        let status = read(&said, Some("Load paper".to_owned()), evidence, &mut Vec::new());
        assert_eq!(status.reasons, ["media-empty-error"]);
        assert_eq!(status.state, State::Stopped);
    }

    #[test]
    fn the_console_is_the_last_evidence() {
        assert_eq!(console_state("Sleep mode on"), State::Asleep);
        assert_eq!(console_state("Bereit"), State::Idle);
        assert_eq!(console_state("待機"), State::Unknown);
    }

    #[test]
    fn level_sentinels_of_private_columns_become_reasons() {
        let profile: Profile = toml::from_str(
            "vendor = \"acme\"\n[[conditions]]\ncolumn = \"1.3.6.1.4.1.99999.5\"\nvalue = -100\nreason = \"toner-low\"\nseverity = \"warning\"",
        )
        .unwrap();
        let mut said = Snapshot::new();
        said.insert("1.3.6.1.4.1.99999.5.2".parse().unwrap(), Value::Integer(-100));
        assert_eq!(told(&said, [&profile].into_iter()), [("toner-low".to_owned(), Gravity::Warning)]);
        assert_eq!(told(&Snapshot::new(), [&profile].into_iter()), []);
    }
}
