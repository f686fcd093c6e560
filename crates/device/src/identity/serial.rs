//! The serial number: prtGeneralSerialNumber, then the vendor's own objects, the device id, sysDescr.

use super::{DeviceId, Makers};
use crate::snapshot::{Snapshot, text};
use crate::standard::{host, oid};
use crate::text::{Charset, behind};

pub(super) fn find(
    said: &Snapshot,
    charset: Charset,
    makers: &Makers,
    printer: u32,
    id: &DeviceId,
    description: Option<&str>,
) -> Option<String> {
    let standard = || standard(said, charset, printer);
    let own = || own(said, charset, makers);
    let stated = if own_first(makers) { own().or_else(standard) } else { standard().or_else(own) };
    let by_text = || {
        let marks: Vec<String> = makers.iter().flat_map(|profile| profile.serial.after.iter().cloned()).collect();
        usable(&behind(description?, &marks)?)
    };
    stated.or_else(|| usable(id.serial.as_deref()?)).or_else(by_text)
}

fn own_first(makers: &Makers) -> bool {
    makers.iter().any(|profile| profile.serial.own_first)
}

fn standard(said: &Snapshot, charset: Charset, printer: u32) -> Option<String> {
    usable(&text(host::cell(said, &oid::GENERAL_SERIAL_NUMBER, printer)?, charset)?)
}

fn own(said: &Snapshot, charset: Charset, makers: &Makers) -> Option<String> {
    let mut objects = makers.iter().flat_map(|profile| &profile.serial.oids);
    objects.find_map(|object| usable(&said.text(&object.0, charset)?))
}

/// What the standard object and the maker's own one tell; the one that is believed first.
pub(crate) fn two(said: &Snapshot, makers: &Makers) -> [Option<String>; 2] {
    let printer = host::printer_index(said);
    let charset = host::charset(said, printer);
    let (standard, own) = (standard(said, charset, printer), own(said, charset, makers));
    if own_first(makers) { [own, standard] } else { [standard, own] }
}

/// A serial number that is one: filling and "not available" are none.
fn usable(text: &str) -> Option<String> {
    let text = text.trim();
    let filling =
        text.chars().all(|letter| matches!(letter, '0' | '-' | '?' | '*' | '.' | '_' | ' ' | '#' | '\u{fffd}'));
    const NONE: [&str; 8] = ["n/a", "na", "none", "unknown", "not available", "null", "undefined", "no serial number"];
    let none = NONE.contains(&text.to_lowercase().as_str());
    (!filling && !none && text.len() <= 64).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filling_is_no_serial_number() {
        for text in ["", "  ", "0000000000", "----", "N/A", "unknown", "None"] {
            assert_eq!(usable(text), None, "{text}");
        }
        assert_eq!(usable(" E216R220016 ").as_deref(), Some("E216R220016"));
        assert_eq!(usable("AAA0A00000").as_deref(), Some("AAA0A00000"));
        assert_eq!(usable("XXXXXXXXXX").as_deref(), Some("XXXXXXXXXX"), "what somebody wrote over is still a text");
    }
}
