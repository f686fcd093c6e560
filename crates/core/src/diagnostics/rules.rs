//! What a message of the seed's kinds may hold, what it means for alerts, and which counters are meters.

use std::collections::BTreeMap;

use wire::monitor::{CounterSet, Dictionary, EventBody, Kind};
use wire::{AlertSeverity, Body, ColorMode, Function, Message, Meter, PaperSize, Sides, Unit};

/// Largest dictionary, bytes.
const DICTIONARY_BYTES: usize = 1024 * 1024;
const CODE: usize = 32;
const TEXT: usize = 120;
const VALUE: usize = 1_000;
/// Most meters of one set; other counters stay in the snapshot.
pub(super) const MOST_METERS: usize = 2_000;
const LARGEST: u64 = i64::MAX as u64 / 4;

/// The kind of a body of the seed's kinds, apart from status and what agents tell in their own words.
pub(crate) fn told(body: &Body) -> Option<Kind> {
    match body {
        Body::Status(_) | Body::Counters(_) | Body::Unknown(..) => None,
        body => Kind::of_number(body.kind()),
    }
}

/// The set of counters in a body.
pub(crate) fn set(body: &Body) -> Option<&CounterSet> {
    match body {
        Body::Billing(set) | Body::Detailed(set) | Body::Parts(set) | Body::Modes(set) => Some(set),
        _ => None,
    }
}

/// Why a message is too large for its kind; `None`: it is not. What agents tell in their own words has no budget here
/// unless the sender is a device itself.
/// `of_device`: the sender is one, and the message has so many bytes.
pub(crate) fn oversize(message: &Message, of_device: Option<usize>) -> Option<String> {
    let kind = match &message.body {
        Body::Status(_) | Body::Counters(_) if of_device.is_some() => Kind::of_number(message.body.kind()),
        body => told(body),
    };
    let budget = match (kind, &message.body) {
        (Some(kind), _) => usize::try_from(kind.budget_bytes()).unwrap_or(usize::MAX),
        (None, Body::Dictionary(_)) => DICTIONARY_BYTES,
        _ => return None,
    };
    let size = of_device.unwrap_or_else(|| wire::cbor::encode(message).len());
    (size > budget).then(|| format!("{size} bytes; {budget} are the budget of its kind"))
}

/// Why a body of the seed's kinds cannot be believed; `None`: it can.
pub(crate) fn fault(body: &Body) -> Option<String> {
    match body {
        Body::Error(event) | Body::Jam(event) | Body::Alarm(event) => event_fault(event),
        Body::Billing(set) if set.values.values().any(|value| u64::try_from(*value).map_or(true, |v| v > LARGEST)) => {
            Some("a billing counter that cannot be a count".into())
        }
        Body::Billing(set) | Body::Detailed(set) | Body::Parts(set) | Body::Modes(set) => {
            let base = set.base_seq.is_some_and(|base| base > LARGEST);
            base.then(|| "the number of its base is too large".into())
        }
        Body::Dictionary(dictionary) => {
            let bad = dictionary.names.values().find(|name| !fits(name, 1, TEXT));
            let bad = bad.or(Some(&dictionary.model).filter(|model| !fits(model, 0, TEXT)));
            bad.map(|name| format!("a name of {} bytes; 1 to {TEXT} without control characters", name.len()))
        }
        Body::Rom(rom) => {
            let bad = rom.parts.iter().any(|part| !fits(&part.part, 1, TEXT) || !fits(&part.version, 0, TEXT));
            (bad || rom.parts.len() > 256).then(|| "more than 256 parts, or a text that is none".into())
        }
        Body::DebugLog(log) => {
            let bad = log.sha256.len() != 32 || log.size_bytes > LARGEST;
            bad.then(|| "a log is named by its SHA-256 of 32 bytes".into())
        }
        Body::Environment(body) => (body.samples.len() > 2_000).then(|| "more than 2,000 samples".into()),
        Body::ServiceAll(body) | Body::ServiceDisplay(body) => {
            let bad = body.values.iter().any(|value| !fits(&value.path, 1, TEXT * 2) || !fits(&value.value, 0, VALUE));
            bad.then(|| "a service value whose path or value is none".into())
        }
        Body::Smart(body) => {
            let bad = body.attributes.len() > 256 || !fits(&body.disk, 0, TEXT) || body.hours > LARGEST;
            bad.then(|| "a disk that cannot be".into())
        }
        _ => None,
    }
}

fn event_fault(event: &EventBody) -> Option<String> {
    let optional = |text: &Option<String>, most| text.as_deref().is_none_or(|text| fits(text, 1, most));
    if !fits(&event.code, 1, CODE) || !optional(&event.sub_code, CODE) {
        return Some(format!("a code is 1 to {CODE} bytes without control characters"));
    }
    if !optional(&event.tray, CODE) || !optional(&event.media, TEXT) {
        return Some("the tray or the paper is no name".into());
    }
    if event.level.is_some_and(|level| !(1..=3).contains(&level)) {
        return Some("the level of an alarm is 1 to 3".into());
    }
    event.total.filter(|total| *total > LARGEST).map(|total| format!("{total} cannot be a count"))
}

fn fits(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// The reason and weight of an error, jam or alarm that stands (model.md §5, seed levels).
pub(super) fn alert(kind: Kind, level: Option<u8>) -> (&'static str, AlertSeverity) {
    match (kind, level) {
        (Kind::Jam, _) => ("media-jam", AlertSeverity::Critical),
        (Kind::Alarm, Some(2)) => ("service-needed", AlertSeverity::Warning),
        (Kind::Alarm, Some(1) | None) => ("other", AlertSeverity::Other),
        _ => ("service-needed", AlertSeverity::Critical),
    }
}

/// First 8 bytes of the SHA-256 of a dictionary's CBOR, as the wire names it.
pub(crate) fn hash(dictionary: &Dictionary) -> u64 {
    let digest = store::Sha256::of(&wire::cbor::encode(dictionary)).0;
    digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

/// The name of a dictionary in the database.
pub(crate) fn key(hash: u64) -> String {
    format!("{hash:016x}")
}

/// A counter by its five words; `None` for a name that is the device's own.
pub(super) fn meter(name: &str, value: u64) -> Option<Meter> {
    let mut words = name.split('/');
    let mut word = || words.next();
    let meter = Meter {
        function: Function::from_word(word()?)?,
        color: ColorMode::from_word(word()?)?,
        size: PaperSize::from_word(word()?)?,
        sides: Sides::from_word(word()?)?,
        unit: Unit::from_word(word()?)?,
        value,
        name: None,
        source: format!("told:{name}"),
    };
    words.next().is_none().then_some(meter)
}

/// The part of a dictionary that bills are made from.
pub(super) fn billed(dictionary: &Dictionary) -> BTreeMap<u32, String> {
    let named = dictionary.names.iter().filter(|(_, name)| meter(name, 0).is_some());
    named.take(MOST_METERS).map(|(id, name)| (*id, name.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_five_words_are_meters() {
        let found = meter("total/all/all/all/impressions", 7).unwrap();
        assert_eq!((found.function, found.value), (Function::Total, 7));
        for other in ["parts.fuser", "total/all/all/all", "total/all/all/all/impressions/dept-1", "", "a/b/c/d/e"] {
            assert!(meter(other, 1).is_none(), "{other}");
        }
    }

    #[test]
    fn the_hash_is_that_of_the_wire() {
        let dictionary = Dictionary { model: "m".into(), names: [(1, "n".into())].into() };
        let digest = store::Sha256::of(&wire::cbor::encode(&dictionary)).0;
        assert_eq!(hash(&dictionary), u64::from_be_bytes(digest[..8].try_into().unwrap()));
    }
}
