//! hrPrinterDetectedErrorState in the shapes that devices give it. Which octet comes first, and which bit of it, is
//! told by the profile, or by the rest of the reading where the bits as they stand contradict it.

use snmp::Value;
use wire::Level;

use crate::profile::ErrorState;
use crate::reasons::ERROR_BITS;
use crate::status::Evidence;

/// A supply with no more than this share left may be called low, or empty.
const LOW: f64 = 25.0;

/// An order in which makers put the bits, with the quirk that names it.
type Order = (&'static str, fn(&mut [u8]));

const ORDERS: [Order; 3] = [
    ("error-state-octets-swapped", |octets| octets.reverse()),
    ("error-state-bits-reversed", |octets| octets.iter_mut().for_each(|octet| *octet = octet.reverse_bits())),
    ("error-state-little-endian", |octets| {
        octets.reverse();
        octets.iter_mut().for_each(|octet| *octet = octet.reverse_bits());
    }),
];

/// Places of the set bits, from 0. Devices send no octet, one, two or more of them, or an INTEGER.
pub(crate) fn read(value: &Value, evidence: &Evidence<'_>, quirks: &mut Vec<String>) -> Vec<usize> {
    let mut octets = octets(value, quirks);
    if evidence.order == ErrorState::Swapped && octets.len() == 2 {
        quirks.push(ORDERS[0].0.to_owned());
        octets.reverse();
    }
    let told = places(&octets);
    let levels = may_be_levels(evidence);
    let is_contradicted = |bit: &usize| borne_out(*bit, evidence) == Some(false) && !(levels && matches!(bit, 2 | 3));
    if !told.iter().any(is_contradicted) {
        return told;
    }
    // Something is told that the list of conditions would show, and does not: is all of it right in another order? Nothing
    // is then told that the list does not tell as well, so that half a list makes nothing up.
    for (quirk, order) in ORDERS {
        let mut other = octets.clone();
        order(&mut other);
        let other = places(&other);
        if !other.is_empty() && other.iter().all(|bit| borne_out(*bit, evidence) == Some(true)) {
            quirks.push(quirk.to_owned());
            return other;
        }
    }
    told
}

fn octets(value: &Value, quirks: &mut Vec<String>) -> Vec<u8> {
    let mut octets = match (value.as_bytes(), value.as_i64()) {
        (Some(bytes), _) => bytes.to_vec(),
        (None, Some(number)) if number > 0 => {
            quirks.push("error-state-is-a-number".to_owned());
            let wide = number > 0xff;
            if wide { (number as u16).to_be_bytes().to_vec() } else { vec![number as u8] }
        }
        _ => return Vec::new(),
    };
    octets.truncate(2);
    octets
}

fn places(octets: &[u8]) -> Vec<usize> {
    let set = |place: &usize| octets.get(place / 8).is_some_and(|octet| octet & (0x80 >> (place % 8)) != 0);
    (0..ERROR_BITS.len()).filter(set).collect()
}

/// Whether levels explain what bits say of toner, where no row does.
fn may_be_levels(evidence: &Evidence<'_>) -> bool {
    evidence.supplies.iter().any(|supply| match supply.level {
        Level::Percent { value } => value <= LOW,
        Level::Staged { value, .. } => value <= 1,
        _ => false,
    })
}

/// Whether the conditions that the device lists bear out what a bit says; `None` where they could not.
fn borne_out(bit: usize, evidence: &Evidence<'_>) -> Option<bool> {
    let told = |words: &[&str]| {
        let alerts = evidence.alerts.iter().map(|alert| alert.reason.as_str());
        let conditions = evidence.told.iter().map(|(reason, _)| reason.as_str());
        alerts.chain(conditions).any(|reason| words.iter().any(|word| reason.contains(word)))
    };
    let open = || evidence.covers.iter().any(|cover| cover.open == Some(true));
    Some(match bit {
        0 => told(&["media-low"]),
        1 | 13 => told(&["media-empty", "media-needed"]),
        2 => told(&["toner-low", "supply-low", "ink-low", "toner-empty", "supply-empty"]),
        3 => told(&["toner-empty", "supply-empty", "toner-low", "supply-low"]),
        4 => told(&["-open"]) || open(),
        5 => told(&["jam"]),
        8 => told(&["input-tray-missing"]),
        9 => told(&["output-tray-missing"]),
        10 => told(&["-missing"]),
        11 => told(&["output-area-almost-full"]),
        12 => told(&["output-area-full"]),
        14 => told(&["service-needed", "near-eol", "life-over"]),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use wire::{Alert, AlertSeverity};

    use super::*;

    fn alert(reason: &str) -> Alert {
        let (group, part, text, code, since) = (None, None, None, Some(3), None);
        Alert { severity: AlertSeverity::Critical, reason: reason.to_owned(), group, part, text, code, since }
    }

    fn bits(octets: &[u8], order: ErrorState, alerts: &[Alert]) -> (Vec<usize>, Vec<String>) {
        let value = Value::OctetString(Bytes::copy_from_slice(octets));
        let evidence = Evidence { printer: 1, order, supplies: &[], covers: &[], alerts, told: &[] };
        let mut quirks = Vec::new();
        (read(&value, &evidence, &mut quirks), quirks)
    }

    #[test]
    fn error_state_shapes_of_octets_and_numbers() {
        let none = |value: Value| {
            let evidence = Evidence {
                printer: 1,
                order: ErrorState::Standard,
                supplies: &[],
                covers: &[],
                alerts: &[],
                told: &[],
            };
            read(&value, &evidence, &mut Vec::new())
        };
        assert_eq!(none(Value::Integer(0x80)), [0]);
        assert_eq!(none(Value::Integer(0x2000)), [2]);
        assert_eq!(none(Value::Integer(-1)), [0; 0]);
        assert_eq!(bits(&[], ErrorState::Standard, &[]).0, [0; 0]);
        let swapped = bits(&[0x00, 0x20], ErrorState::Swapped, &[]);
        assert_eq!(swapped, (vec![2], vec!["error-state-octets-swapped".to_owned()]), "the profile says so");
    }

    #[test]
    fn error_state_shapes_the_alerts_tell_which_order_is_meant() {
        let open = [alert("cover-open")];
        let read = |octets: &[u8]| bits(octets, ErrorState::Standard, &open);
        assert_eq!(read(&[0x08, 0x00]), (vec![4], vec![]), "as the RFC has it");
        assert_eq!(read(&[0x00, 0x08]), (vec![4], vec!["error-state-octets-swapped".to_owned()]));
        assert_eq!(read(&[0x10, 0x00]), (vec![4], vec!["error-state-bits-reversed".to_owned()]));
        assert_eq!(read(&[0x00, 0x10]), (vec![4], vec!["error-state-little-endian".to_owned()]));
        assert_eq!(bits(&[0x00, 0x08], ErrorState::Standard, &[]).0, [12], "nobody contradicts");
        assert_eq!(read(&[0x0a, 0x00]).0, [4, 6], "a device may be off line as well");
        assert_eq!(read(&[0x00, 0x0c]).0, [12, 13], "not all of it is right the other way round");
    }
}
