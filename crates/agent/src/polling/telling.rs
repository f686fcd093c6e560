//! What an agent tells of other makers' devices in the kinds that devices use themselves: jams, faults and worn parts as
//! events when they begin, firmware when it changes and once a week, and an alarm when another answers in a device's place.

use store::Tx;
use wire::monitor::{EventBody, RomBody, RomVersion};
use wire::{Alert, AlertSeverity, Body, Component, Identity, Subject, cbor};

use super::identity::fold_mac;
use super::intake::hash_of;
use crate::error::Result;
use crate::state::{outbox::Draft, told::Told};

/// Unchanged firmware is told again after this time (gateway.md §1.1, kind 9).
const REPEAT_FIRMWARE_MS: i64 = 7 * 24 * 3_600_000;
/// Longest code of an event, bytes.
const CODE: usize = 32;
/// The alarm that another answers in a device's place.
pub(super) const MISMATCH: &str = "platen-identity-mismatch";

/// What a reading says that is told beside the condition.
#[derive(Debug, Default)]
pub(super) struct News<'r> {
    /// Conditions that stand now.
    pub(super) alerts: &'r [Alert],
    /// Some conditions may stand that the reading does not name.
    pub(super) partial: bool,
    /// Total counter, impressions.
    pub(super) total: Option<u64>,
    /// Parts of the firmware; `None`: they were not read.
    pub(super) firmware: Option<&'r [Component]>,
    /// What answered with its serial number but another network card; `None` inside: all is as it was.
    pub(super) card: Option<Option<String>>,
}

/// How one condition is told; `None`: it stays a matter of the condition alone, as users mend it themselves.
fn event_of(alert: &Alert) -> Option<fn(EventBody) -> Body> {
    let reason = alert.reason.as_str();
    let starts = |words: &[&str]| words.iter().any(|word| reason.starts_with(word));
    match reason {
        "media-jam" => Some(Body::Jam),
        _ if starts(&["opc-", "developer-", "subunit-life"]) => Some(Body::Alarm),
        _ if alert.severity == AlertSeverity::Other => None,
        _ if reason.contains("failure") || starts(&["fuser", "subunit", "service", "interlock"]) => Some(Body::Error),
        _ => None,
    }
}

fn key_of(alert: &Alert) -> String {
    let part = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}/{}/{}/{}", alert.reason, part(&alert.group), part(&alert.part), alert.code.unwrap_or(0))
}

fn level(alert: &Alert) -> u8 {
    match alert.severity {
        AlertSeverity::Critical => 3,
        AlertSeverity::Warning => 2,
        AlertSeverity::Other => 1,
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(CODE)].to_owned()
}

/// The message that a condition is worth when it begins.
fn event(alert: &Alert, kind: fn(EventBody) -> Body, total: Option<u64>) -> Body {
    let place = [alert.group.as_deref(), alert.part.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let from_tray = alert.group.as_deref() == Some("input");
    let body = kind(EventBody {
        code: alert.code.map_or_else(|| cut(&alert.reason), |code| format!("prt:{code}")),
        sub_code: (!place.is_empty()).then(|| cut(&place)),
        total,
        tray: alert.part.clone().filter(|_| from_tray).map(|part| cut(&part)),
        ..EventBody::default()
    });
    match body {
        Body::Alarm(event) => Body::Alarm(EventBody { level: Some(level(alert)), ..event }),
        other => other,
    }
}

/// Adds what is new of a device to what is told in this transaction.
pub(super) async fn tell(
    tx: &mut Tx,
    subject: Subject,
    news: &News<'_>,
    taken_ms: i64,
    drafts: &mut Vec<Draft>,
) -> Result<()> {
    let before = Told::of(tx, subject).await?;
    let mut told = before.clone();
    let mut say = |body| drafts.push(Draft { taken_ms, subject: Some(subject), body });
    let standing: Vec<(String, Body)> = news
        .alerts
        .iter()
        .filter_map(|alert| Some((key_of(alert), event(alert, event_of(alert)?, news.total))))
        .collect();
    if !news.partial {
        told.alerts.retain(|key| standing.iter().any(|(other, _)| other == key));
    }
    for (key, body) in standing {
        if !told.alerts.contains(&key) {
            told.alerts.push(key);
            say(body);
        }
    }
    if let Some(firmware) = news.firmware.filter(|parts| !parts.is_empty()) {
        let part = |part: &Component| RomVersion { part: part.name.clone(), version: part.version.clone() };
        let body = RomBody { parts: firmware.iter().map(part).collect() };
        let hash = hash_of(&cbor::encode(&body));
        if hash != told.firmware_hash || taken_ms - told.firmware_ms >= REPEAT_FIRMWARE_MS {
            (told.firmware_hash, told.firmware_ms) = (hash, taken_ms);
            say(Body::Rom(body));
        }
    }
    if let Some(card) = news.card.as_ref().filter(|card| card.is_none() || **card != told.mismatch) {
        if let Some(old) = told.mismatch.take() {
            say(mismatch(&old, false));
        }
        if let Some(seen) = card {
            say(mismatch(seen, true));
            told.mismatch = Some(seen.clone());
        }
    }
    if told != before {
        told.keep(tx, subject).await?;
    }
    Ok(())
}

/// Adds the alarm that another device answers where this one stood.
pub(super) async fn displaced(
    tx: &mut Tx,
    subject: Subject,
    by: &Identity,
    taken_ms: i64,
    drafts: &mut Vec<Draft>,
) -> Result<()> {
    let seen = by.mac.as_deref().or(by.serial.as_deref()).map_or_else(|| "unknown".to_owned(), cut);
    let mut told = Told::of(tx, subject).await?;
    let mut say = |body| drafts.push(Draft { taken_ms, subject: Some(subject), body });
    if told.mismatch.as_ref() == Some(&seen) {
        return Ok(());
    }
    if let Some(old) = told.mismatch.replace(seen.clone()) {
        say(mismatch(&old, false));
    }
    say(mismatch(&seen, true));
    tracing::warn!(device.id = crate::uplink::short(subject), seen, "another device answers where this one stood");
    told.keep(tx, subject).await
}

/// The alarm of level 3, and its end.
fn mismatch(seen: &str, standing: bool) -> Body {
    Body::Alarm(EventBody {
        code: MISMATCH.to_owned(),
        sub_code: Some(cut(seen)),
        level: Some(3),
        standing: Some(standing),
        ..EventBody::default()
    })
}

/// What answers with a device's serial number but another network card.
pub(super) fn other_card(before: Option<&str>, now: Option<&str>) -> Option<String> {
    let (before, seen) = (fold_mac(before?)?, fold_mac(now?)?);
    (before != seen).then(|| now.map(cut)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(reason: &str, severity: AlertSeverity) -> Alert {
        Alert {
            severity,
            reason: reason.into(),
            group: Some("input".into()),
            part: Some("1.2".into()),
            text: None,
            code: Some(8),
            since: None,
        }
    }

    #[test]
    fn jams_faults_and_worn_parts_are_events_and_paper_is_not() {
        let kind = |reason: &str, severity| {
            let alert = alert(reason, severity);
            event_of(&alert).map(|kind| event(&alert, kind, Some(7)).kind())
        };
        assert_eq!(kind("media-jam", AlertSeverity::Critical), Some(2));
        assert_eq!(kind("fuser-over-temp", AlertSeverity::Critical), Some(1));
        assert_eq!(kind("opc-near-eol", AlertSeverity::Warning), Some(3));
        for users in ["media-empty", "cover-open", "toner-low", "output-area-full"] {
            assert_eq!(kind(users, AlertSeverity::Critical), None, "{users}");
        }
        let Body::Alarm(told) = event(&alert("opc-life-over", AlertSeverity::Critical), Body::Alarm, None) else {
            panic!("an alarm")
        };
        assert_eq!((told.code.as_str(), told.sub_code.as_deref(), told.level), ("prt:8", Some("input 1.2"), Some(3)));
        assert_eq!(told.tray.as_deref(), Some("1.2"));
    }

    #[test]
    fn only_two_known_cards_can_differ() {
        assert_eq!(other_card(Some("00:26:73:aa:bb:cc"), Some("00-26-73-AA-BB-CC")), None);
        assert_eq!(other_card(None, Some("00:26:73:aa:bb:cc")), None);
        assert_eq!(other_card(Some("00:26:73:aa:bb:cc"), None), None);
        let seen = other_card(Some("00:26:73:aa:bb:cc"), Some("00:26:73:00:00:01"));
        assert_eq!(seen.as_deref(), Some("00:26:73:00:00:01"));
    }
}
