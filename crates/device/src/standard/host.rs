//! The device as a host: which of its parts is the printer, its network card, its character set, its console.

use snmp::{Oid, Value};

use crate::snapshot::{Snapshot, number, text};
use crate::standard::oid;
use crate::text::Charset;

/// ifType softwareLoopback.
const LOOPBACK: i64 = 24;

/// hrDeviceIndex of the printer: the row of type hrDevicePrinter, else the row with a printer status, else the row of
/// prtGeneralTable, else 1. A print server with several printers answers with its first.
pub fn printer_index(said: &Snapshot) -> u32 {
    let printer = |value: &Value| value.as_oid() == Some(&oid::HR_DEVICE_PRINTER);
    let typed = said.column(&oid::HR_DEVICE_TYPE).find(|(_, value)| printer(value));
    let first = |column: &'static Oid| said.column(column).next();
    typed
        .or_else(|| first(&oid::HR_PRINTER_ERROR_STATE))
        .or_else(|| first(&oid::HR_PRINTER_STATUS))
        .or_else(|| first(&oid::GENERAL_SERIAL_NUMBER))
        .or_else(|| first(&oid::SUPPLY).map(|(index, value)| (index[1..].to_vec(), value)))
        .and_then(|(index, _)| index.first().copied())
        .unwrap_or(1)
}

/// The cell of a column in the printer's row, else the column's only or first cell.
pub fn cell<'a>(said: &'a Snapshot, column: &'a Oid, printer: u32) -> Option<&'a Value> {
    said.get(&column.child(printer)).or_else(|| said.column(column).next().map(|(_, value)| value))
}

/// Character set of the texts: that of the current localization, else that of the only one.
pub fn charset(said: &Snapshot, printer: u32) -> Charset {
    let current = cell(said, &oid::GENERAL_LOCALIZATION, printer).and_then(number);
    let of_current = current
        .and_then(|current| u32::try_from(current).ok())
        .and_then(|current| said.number(&oid::LOCALIZATION_CHARSET.join(&[printer, current])));
    let mut all = said.column(&oid::LOCALIZATION_CHARSET).filter_map(|(_, value)| number(value));
    Charset(of_current.or_else(|| all.next().filter(|first| all.all(|other| other == *first))))
}

/// Hardware address of the first interface that has one and is no loopback.
pub fn mac(said: &Snapshot) -> Option<String> {
    said.column(&oid::IF_PHYS_ADDRESS).find_map(|(index, value)| {
        let kind = index.first().and_then(|interface| said.number(&oid::IF_TYPE.child(*interface)));
        let address = hardware_address(value.as_bytes()?)?;
        (kind != Some(LOOPBACK)).then_some(address)
    })
}

/// Six bytes, or the text of them that some devices send.
fn hardware_address(bytes: &[u8]) -> Option<String> {
    let mut octets = [0u8; 6];
    match bytes.len() {
        6 => octets.copy_from_slice(bytes),
        12..=17 => {
            let digits: String = std::str::from_utf8(bytes).ok()?.chars().filter(char::is_ascii_hexdigit).collect();
            let number = u64::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 12)?;
            octets.copy_from_slice(&number.to_be_bytes()[2..]);
        }
        _ => return None,
    }
    let text = octets.map(|octet| format!("{octet:02x}")).join(":");
    (octets != [0; 6] && octets != [0xff; 6]).then_some(text)
}

/// What the panel shows, its lines joined by a blank.
pub fn console(said: &Snapshot, printer: u32, charset: Charset) -> Option<String> {
    let lines: Vec<String> = said
        .column(&oid::CONSOLE_TEXT)
        .filter(|(index, _)| index.first() == Some(&printer))
        .filter_map(|(_, value)| text(value, charset))
        .collect();
    (!lines.is_empty()).then(|| lines.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_addresses_in_both_shapes() {
        assert_eq!(hardware_address(&[0, 0x26, 0x73, 0xaa, 0xbb, 0xcc]).as_deref(), Some("00:26:73:aa:bb:cc"));
        assert_eq!(hardware_address(b"00-26-73-AA-BB-CC").as_deref(), Some("00:26:73:aa:bb:cc"));
        assert_eq!(hardware_address(&[0; 6]), None);
        assert_eq!(hardware_address(b""), None);
    }

    #[test]
    fn the_printer_is_found_among_the_devices() {
        let mut said = Snapshot::new();
        said.insert(oid::HR_DEVICE_TYPE.child(1), Value::ObjectId(Oid::of("1.3.6.1.2.1.25.3.1.3")));
        said.insert(oid::HR_DEVICE_TYPE.child(7), Value::ObjectId(oid::HR_DEVICE_PRINTER.clone()));
        assert_eq!(printer_index(&said), 7);
        assert_eq!(printer_index(&Snapshot::new()), 1);
        let mut said = Snapshot::new();
        said.insert(oid::SUPPLY.join(&[9, 3, 1]), Value::Integer(5));
        assert_eq!(printer_index(&said), 3);
    }

    #[test]
    fn the_character_set_is_that_of_the_current_language() {
        let mut said = Snapshot::new();
        said.insert(oid::LOCALIZATION_CHARSET.join(&[1, 1]), Value::Integer(106));
        said.insert(oid::LOCALIZATION_CHARSET.join(&[1, 2]), Value::Integer(17));
        assert_eq!(charset(&said, 1), Charset(None), "two sets and no word which");
        said.insert(oid::GENERAL_LOCALIZATION.child(1), Value::Integer(2));
        assert_eq!(charset(&said, 1), Charset(Some(17)));
    }
}
