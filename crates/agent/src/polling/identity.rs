//! Which device is which: by vendor and serial, else by MAC, else by address; the address itself is an attribute.

use std::net::SocketAddr;

use aws_lc_rs::digest::{Context, SHA256};
use wire::{Identity, Subject};

use crate::state::devices::DeviceRow;

/// What a device is recognised by.
pub(crate) fn key_of(identity: &Identity, address: SocketAddr) -> String {
    let vendor = identity.vendor.as_deref().unwrap_or("?");
    if let Some(serial) = identity.serial.as_deref().and_then(fold_serial) {
        format!("serial/{vendor}/{serial}")
    } else if let Some(mac) = identity.mac.as_deref().and_then(fold_mac) {
        format!("mac/{mac}")
    } else {
        format!("address/{address}")
    }
}

/// A serial number as compared; `None` for what makers leave in when they forget to set one.
fn fold_serial(serial: &str) -> Option<String> {
    let folded: String = serial.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    let first = folded.chars().next()?;
    let hollow = folded.len() < 3
        || folded.chars().all(|c| c == first)
        || ["UNKNOWN", "NONE", "NULL", "DEFAULT", "SERIAL", "SERIALNUMBER", "NOTAVAILABLE", "1234567890", "123456789"]
            .contains(&folded.as_str());
    (!hollow).then_some(folded)
}

pub(super) fn fold_mac(mac: &str) -> Option<String> {
    let folded: String = mac.chars().filter(char::is_ascii_hexdigit).map(|c| c.to_ascii_lowercase()).collect();
    (folded.len() == 12 && folded.chars().any(|c| c != '0' && c != 'f')).then_some(folded)
}

/// Whether a reading at the device's own address is of that same device. Only contrary evidence says no:
/// a device that forgets its serial for once is still itself.
pub(crate) fn is_same(row: &DeviceRow, identity: &Identity) -> bool {
    let differ = |a: Option<String>, b: Option<String>| matches!((&a, &b), (Some(a), Some(b)) if a != b);
    let agree = |a: Option<String>, b: Option<String>| matches!((&a, &b), (Some(a), Some(b)) if a == b);
    let serials = || (row.serial.as_deref().and_then(fold_serial), identity.serial.as_deref().and_then(fold_serial));
    let macs = || (row.mac.as_deref().and_then(fold_mac), identity.mac.as_deref().and_then(fold_mac));
    let (old, new) = serials();
    if old.is_some() && new.is_some() {
        return agree(old, new) && !differ(row.vendor.clone(), identity.vendor.clone());
    }
    let (old, new) = macs();
    if old.is_some() && new.is_some() {
        return agree(old, new);
    }
    !differ(row.vendor.clone(), identity.vendor.clone()) && !differ(row.model.clone(), identity.model.clone())
}

/// The key that a device keeps: once it is known by its serial, a reading without one does not weaken it.
pub(crate) fn stronger_key(old: &str, new: String) -> String {
    let rank = |key: &str| match key.split('/').next() {
        Some("serial") => 2,
        Some("mac") => 1,
        _ => 0,
    };
    if rank(&new) >= rank(old) { new } else { old.to_owned() }
}

/// Name of a device that is met for the first time. It follows from agent and key, so that an agent that lost its
/// file names most devices as before; `round` rises while the name is taken.
pub(crate) fn name_for(agent: Subject, key: &str, round: u32) -> Subject {
    let mut context = Context::new(&SHA256);
    context.update(&agent.0);
    context.update(&round.to_be_bytes());
    context.update(key.as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&context.finish().as_ref()[..16]);
    Subject(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(vendor: &str, serial: &str, mac: &str) -> Identity {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Identity { vendor: some(vendor), serial: some(serial), mac: some(mac), ..Identity::default() }
    }

    fn row(vendor: &str, serial: &str, mac: &str) -> DeviceRow {
        let Identity { vendor, model, serial, mac, .. } = identity(vendor, serial, mac);
        DeviceRow {
            subject: Subject([1; 16]),
            key: String::new(),
            vendor,
            model,
            serial,
            mac,
            address: None,
            known: std::sync::Arc::default(),
            vitals_hash: 0,
            status_hash: 0,
            meters_hash: 0,
            full_ms: 0,
            meters_ms: 0,
        }
    }

    #[test]
    fn empty_and_hollow_serials_are_no_identity() {
        let at: SocketAddr = "10.0.0.9:161".parse().unwrap();
        let key = |serial: &str, mac: &str| key_of(&identity("hp", serial, mac), at);
        assert_eq!(key("VNB-3j 99999", ""), "serial/hp/VNB3J99999");
        for hollow in ["", "0000000000", "XXXXXXXX", "unknown", "N/A", "1234567890"] {
            assert_eq!(key(hollow, "00:26:73:AA:BB:CC"), "mac/002673aabbcc", "{hollow}");
        }
        assert_eq!(key("0", "00:00:00:00:00:00"), "address/10.0.0.9:161");
    }

    #[test]
    fn a_device_stays_itself_until_the_evidence_says_otherwise() {
        let known = row("hp", "ABC123", "00:26:73:aa:bb:cc");
        assert!(is_same(&known, &identity("hp", "abc-123", "00:26:73:00:00:01")), "new network card");
        assert!(is_same(&known, &identity("hp", "", "00:26:73:aa:bb:cc")), "serial missing for once");
        assert!(is_same(&known, &identity("", "", "")), "hardly any answer");
        assert!(!is_same(&known, &identity("hp", "ABC124", "00:26:73:aa:bb:cc")), "swapped unit");
        assert!(!is_same(&known, &identity("ricoh", "ABC123", "")), "same serial, other maker");
        assert!(!is_same(&known, &identity("ricoh", "", "")), "other maker");
    }

    #[test]
    fn a_key_only_grows_stronger() {
        assert_eq!(stronger_key("address/10.0.0.1:161", "serial/hp/A".into()), "serial/hp/A");
        assert_eq!(stronger_key("serial/hp/A", "mac/001122334455".into()), "serial/hp/A");
    }
}
