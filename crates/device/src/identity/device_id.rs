//! The IEEE 1284 device id: `MFG:…;MDL:…;SN:…;`.

use crate::profile::Profile;
use crate::snapshot::Snapshot;
use crate::standard::oid;
use crate::text::{self, Charset};

/// The parts of a device id that identify.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceId {
    /// MFG or MANUFACTURER.
    pub maker: Option<String>,
    /// MDL or MODEL.
    pub model: Option<String>,
    /// SN, SERN or SERIALNUMBER.
    pub serial: Option<String>,
}

impl DeviceId {
    /// The first device id that was said: of the port monitor MIB, of HP's arc, of the vendor's own objects.
    pub fn of<'a>(said: &Snapshot, profiles: impl Iterator<Item = &'a Profile>) -> Self {
        let own = profiles.flat_map(|profile| &profile.device_ids).map(|object| &object.0);
        let standard = [&oid::PPM_DEVICE_ID as &snmp::Oid, &oid::HP_DEVICE_ID];
        let mut objects = standard.into_iter().chain(own);
        let texts = objects.find_map(|object| said.get(object)?.as_bytes().and_then(Self::parse));
        texts.unwrap_or_default()
    }

    /// Parses the text; two bytes of length may stand before it. `None` if it tells neither maker nor model.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = match bytes {
            [0..=3, _, rest @ ..] if rest.contains(&b':') => rest,
            _ => bytes,
        };
        let text = text::line(bytes, Charset::default());
        let mut id = Self::default();
        for part in text.split(';') {
            let Some((key, value)) = part.split_once(':') else { continue };
            let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
            let place = match key.trim().to_ascii_uppercase().as_str() {
                "MFG" | "MANUFACTURER" | "MANUFACTURE" | "MFR" => &mut id.maker,
                "MDL" | "MODEL" => &mut id.model,
                "SN" | "SERN" | "SERIALNUMBER" => &mut id.serial,
                _ => continue,
            };
            if place.is_none() {
                *place = value;
            }
        }
        (id.maker.is_some() || id.model.is_some()).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_under_both_names() {
        let id = DeviceId::parse(b"MFG:Hewlett-Packard;CMD:PJL,PML;MDL:HP Color LaserJet M452nw;CLS:PRINTER;SN:X1;")
            .unwrap();
        assert_eq!(id.maker.as_deref(), Some("Hewlett-Packard"));
        assert_eq!(id.model.as_deref(), Some("HP Color LaserJet M452nw"));
        assert_eq!(id.serial.as_deref(), Some("X1"));
        let id = DeviceId::parse(b"\x00\x29MANUFACTURER:OKI;MODEL:MC873;").unwrap();
        assert_eq!((id.maker.as_deref(), id.model.as_deref()), (Some("OKI"), Some("MC873")));
        assert_eq!(DeviceId::parse(b"COMMAND SET:;"), None);
        assert_eq!(DeviceId::parse(b""), None);
    }
}
