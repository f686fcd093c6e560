//! What a device is. The brand on the device beats the maker behind it: names in texts come before sysObjectID,
//! which makers lend to others.

mod device_id;
mod firmware;
mod model;
mod serial;

pub use device_id::DeviceId;
pub(crate) use serial::two as two_serials;

use std::sync::Arc;

use snmp::Oid;
use wire::Identity;

use crate::profile::{Catalogue, Profile};
use crate::snapshot::Snapshot;
use crate::standard::{host, oid};
use crate::text::Charset;

/// The profiles that fit a device: that of its brand, and that of the maker whose objects it has.
#[derive(Clone, Debug, Default)]
pub struct Makers {
    /// The name on the device.
    pub brand: Option<Arc<Profile>>,
    /// Who made it, if that is another.
    pub maker: Option<Arc<Profile>>,
}

impl Makers {
    /// Both, the brand first.
    pub fn iter(&self) -> impl Iterator<Item = &Profile> {
        self.brand.iter().chain(&self.maker).map(Arc::as_ref)
    }

    /// Chooses by everything that was said.
    pub fn find(said: &Snapshot, catalogue: &Catalogue) -> Self {
        let printer = host::printer_index(said);
        let plain = |object: &Oid| said.text(object, Charset::default());
        let system = plain(&oid::SYS_DESCR);
        // Print servers of others call themselves compatible with a brand; that brand is not theirs.
        let system = system.map(|text| match text.to_ascii_lowercase().find(" compatible with ") {
            Some(at) => text[..at].to_owned(),
            None => text,
        });
        let device = plain(&oid::HR_DEVICE_DESCR.child(printer));
        let id = DeviceId::of(said, std::iter::empty());
        let arc =
            said.get(&oid::SYS_OBJECT_ID).and_then(|value| value.as_oid()).and_then(|object| catalogue.by_arc(object));
        let named = |text: &Option<String>| text.as_ref().and_then(|text| catalogue.by_name(text));
        let brand = named(&system).or_else(|| named(&device)).or_else(|| named(&id.maker));
        let lined = |text: &Option<String>| text.as_ref().and_then(|text| catalogue.by_line(text));
        let brand = brand.or_else(|| lined(&system)).or_else(|| lined(&device)).or(arc);
        match brand {
            Some(brand) => Self::of(brand, said, catalogue),
            None => Self::default(),
        }
    }

    /// A brand that is known, with its maker: the one that its profile names, else the one whose arc the device has.
    pub(crate) fn of(brand: &Arc<Profile>, said: &Snapshot, catalogue: &Catalogue) -> Self {
        let arc =
            said.get(&oid::SYS_OBJECT_ID).and_then(|value| value.as_oid()).and_then(|object| catalogue.by_arc(object));
        let maker = brand.made_by.as_deref().and_then(|vendor| catalogue.of_vendor(vendor)).or(arc);
        let maker = maker.filter(|maker| brand.vendor != maker.vendor);
        Self { brand: Some(Arc::clone(brand)), maker: maker.cloned() }
    }
}

/// Builds the identity from what was said.
pub fn read(said: &Snapshot, charset: Charset, makers: &Makers) -> Identity {
    let printer = host::printer_index(said);
    let id = DeviceId::of(said, makers.iter());
    let description = said.text(&oid::SYS_DESCR, charset);
    let serial = serial::find(said, charset, makers, printer, &id, description.as_deref());
    let texts = model::Texts {
        system: description.as_deref(),
        device: said.text(&oid::HR_DEVICE_DESCR.child(printer), charset),
        name: said.text(&oid::GENERAL_PRINTER_NAME.child(printer), charset),
        serial: serial.as_deref(),
    };
    let firmware = firmware::read(said, charset, makers, description.as_deref(), serial.as_deref());
    Identity {
        vendor: makers.brand.as_ref().map(|brand| brand.vendor.clone()).or_else(|| id.maker.as_deref().and_then(slug)),
        model: model::find(said, charset, makers, &id, &texts),
        serial,
        name: said.text(&oid::SYS_NAME, charset),
        hostname: None,
        location: said.text(&oid::SYS_LOCATION, charset),
        contact: said.text(&oid::SYS_CONTACT, charset),
        mac: host::mac(said),
        sys_object_id: said.get(&oid::SYS_OBJECT_ID).and_then(|value| value.as_oid()).map(Oid::to_string),
        firmware,
        description,
        engine_id: said.get(&oid::ENGINE_ID).and_then(|value| value.as_bytes()).and_then(engine_id),
    }
}

/// snmpEngineID in hexadecimal digits; RFC 3411 knows none shorter than five octets.
fn engine_id(octets: &[u8]) -> Option<String> {
    let some = octets.len() >= 5 && octets.iter().any(|octet| !matches!(octet, 0 | 0xff));
    some.then(|| octets.iter().map(|octet| format!("{octet:02x}")).collect())
}

/// What sysObjectID and sysDescr alone tell: enough to list a device that discovery has just met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guess {
    /// Slug of the brand.
    pub vendor: Option<String>,
    /// Model, where sysDescr holds it.
    pub model: Option<String>,
    /// Serial number, where sysDescr holds it.
    pub serial: Option<String>,
    /// Whether it is a printer, as far as the two tell.
    pub is_printer: bool,
}

impl Guess {
    /// What the objects that were heard tell.
    pub(crate) fn of(said: &Snapshot, makers: &Makers) -> Self {
        let catalogue = Catalogue::current();
        let identity = read(said, Charset::default(), makers);
        let object = said.get(&oid::SYS_OBJECT_ID).and_then(|value| value.as_oid());
        let arc = object.and_then(|object| catalogue.by_arc(object));
        let lined = identity.description.as_deref().is_some_and(|text| catalogue.by_line(text).is_some());
        let named = makers.brand.as_ref().is_some_and(|brand| {
            let text = identity.description.as_deref().unwrap_or_default().to_lowercase();
            let begins = brand.names.iter().any(|name| text.starts_with(&name.to_lowercase()));
            object.is_none() && (lined || brand.printers_only && begins && !brand.other_devices)
        });
        let is_printer = arc.is_some_and(|profile| profile.printers_only)
            || named
            || said.has(&oid::GENERAL_SERIAL_NUMBER)
            || speaks_of_printing(&identity);
        Self { vendor: identity.vendor, model: identity.model, serial: identity.serial, is_printer }
    }
}

/// Judges a device by what one packet brings.
pub fn identify(object: Option<&Oid>, descr: Option<&[u8]>) -> Guess {
    let mut said = Snapshot::new();
    if let Some(object) = object {
        said.insert(oid::SYS_OBJECT_ID.clone(), snmp::Value::ObjectId(object.clone()));
    }
    if let Some(descr) = descr {
        said.insert(oid::SYS_DESCR.clone(), snmp::Value::OctetString(bytes::Bytes::copy_from_slice(descr)));
    }
    Guess::of(&said, &Makers::find(&said, Catalogue::current()))
}

fn speaks_of_printing(identity: &Identity) -> bool {
    const WORDS: [&str; 12] = [
        "printer",
        "print server",
        "printserver",
        "printing",
        "mfp",
        "multifunction",
        "multi-function",
        "laserjet",
        "officejet",
        "jetdirect",
        "copier",
        "ethernet multi-environment",
    ];
    let text = identity.description.as_deref().unwrap_or_default().to_lowercase();
    WORDS.iter().any(|word| text.contains(word))
}

/// A brand that no profile knows, as a slug.
fn slug(name: &str) -> Option<String> {
    let mut slug = String::new();
    for letter in name.trim().to_lowercase().chars() {
        match letter {
            'a'..='z' | '0'..='9' => slug.push(letter),
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    let slug = slug.trim_end_matches('-');
    (!slug.is_empty() && slug != "generic").then(|| slug.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guess(object: &str, descr: &str) -> Guess {
        identify(object.parse().ok().as_ref(), Some(descr.as_bytes()))
    }

    fn known(object: &str, descr: &str) -> (String, String) {
        let guess = guess(object, descr);
        (guess.vendor.unwrap_or_default(), guess.model.unwrap_or_default())
    }

    /// sysObjectID and sysDescr as the vendors write them, with the brand and the model in them.
    const CASES: &[(&str, &str, &str, &str)] = &[
        (
            "1.3.6.1.4.1.367.1.1",
            "RICOH Aficio MP C3002 1.13 / RICOH Network Printer C model / RICOH Network Scanner C model",
            "ricoh",
            "Aficio MP C3002",
        ),
        ("1.3.6.1.4.1.367.1.1", "NRG MP 4000 2.04 / NRG Network Printer C model", "nrg", "MP 4000"),
        ("1.3.6.1.4.1.367.1.1", "LANIER LD425c 1.71 / LANIER Network Printer C model", "lanier", "LD425c"),
        (
            "1.3.6.1.4.1.253.8.62.1.20.5.39.1.1",
            "Xerox WorkCentre 7535 v1 Multifunction System; System Software 061.121.223, OS 1.1",
            "xerox",
            "WorkCentre 7535 v1",
        ),
        ("1.3.6.1.4.1.253.8.62.1", "Xerox AltaLink(R) C8045; System Software 100.002.008", "xerox", "AltaLink C8045"),
        (
            "1.3.6.1.4.1.253.8.62.1",
            "Xerox® VersaLink® C405 Color MFP; System 57.59",
            "xerox",
            "VersaLink C405 Color MFP",
        ),
        ("1.3.6.1.4.1.297.1.11", "FUJI XEROX DocuPrint CP305 d; Net 16.41,ESS 2012", "fuji-xerox", "DocuPrint CP305 d"),
        (
            "1.3.6.1.4.1.641.1.71107",
            "Lexmark MX722ade version MXTGW.052.024 kernel 4.17.19-yocto-standard-74b7175b2a3452f756ffa76f750e50db All-N-1",
            "lexmark",
            "MX722ade",
        ),
        (
            "1.3.6.1.4.1.1129.2.3",
            "TOSHIBA e-STUDIO339CS version CXTGV.221.068 kernel 5.4.90-yocto-standard All-N-1",
            "toshiba",
            "e-STUDIO339CS",
        ),
        (
            "1.3.6.1.4.1.11.2.3.9.1",
            "HP ETHERNET MULTI-ENVIRONMENT,ROM none,JETDIRECT,JD149,EEPROM JSI24090012",
            "hp",
            "",
        ),
        (
            "1.3.6.1.4.1.11.2.3.9.1",
            "HP ETHERNET MULTI-ENVIRONMENT,SN:X,FN:1,SVCID:2,PID:HP LaserJet 400 M401dn",
            "hp",
            "LaserJet 400 M401dn",
        ),
        (
            "1.3.6.1.4.1.236.11.5.1",
            "Samsung Samsung ML-371x Series; V3.00.01.15 JUL-05-2012;Engine V1.00.30;NIC ;S/N Z5LRBFAC500001X",
            "samsung",
            "ML-371x Series",
        ),
        ("1.3.6.1.4.1.18334.1.1.1.2.1.49.2.2", "KONICA MINOLTA bizhub C360", "konica-minolta", "bizhub C360"),
        ("1.3.6.1.4.1.18334.1.2.1.2.1.103.2.5", "Generic 55C-6E", "konica-minolta", "55C-6E"),
        ("1.3.6.1.4.1.18334.1.2.1.2.1.50.2.2", "Develop ineo+ 280", "develop", "ineo+ 280"),
        ("1.3.6.1.4.1.1602.4.7", "Canon iR-ADV C5235 /P", "canon", "iR-ADV C5235"),
        ("1.3.6.1.4.1.1602.4.2", "Canon MF620C Series /P", "canon", "MF620C Series"),
        (
            "1.3.6.1.4.1.2001.1.1.1.1",
            "OKI OkiLAN 8100e Rev.03.01 10/100BASE Ethernet PrintServer: Attached to C5600 Rev.01.24 : Oki Data",
            "oki",
            "C5600",
        ),
        (
            "1.3.6.1.4.1.674.10898.100.1",
            "Dell Laser Printer 1720dn version NM.NA.N099 kernel 2.6.6 All-N-1",
            "dell",
            "Laser Printer 1720dn",
        ),
        ("1.3.6.1.4.1.2435.2.3.9.1", "Brother NC-8300h, Firmware Ver.1.14", "brother", ""),
        ("1.3.6.1.4.1.1347.41", "KYOCERA Document Solutions Printing System", "kyocera", ""),
        ("1.3.6.1.4.1.1347.41", "UTAX_TA Printing System", "utax", ""),
        ("1.3.6.1.4.1.1248.1.1.2.1", "EPSON Built-in 11b/g/n Print Server", "epson", ""),
        ("1.3.6.1.4.1.10642.1.1", "Zebra Wireless", "zebra", ""),
        ("1.3.6.1.4.1.51966.2.6", "TTP244CE Version: 7.02 EZD", "tsc", "TTP244CE"),
        ("1.3.6.1.4.1.1129.1.2.1", "TOSHIBA TEC B-FV4", "toshiba", "B-FV4"),
        ("1.3.6.1.4.1.18334.1.2.1.2.1.50.2.2", "ineo+ 454e", "develop", "ineo+ 454e"),
        ("1.3.6.1.4.1.11.2.3.9.1", "HP Laser MFP 137fnw; V3.82.01.08", "hp", "Laser MFP 137fnw"),
        (
            "1.3.6.1.4.1.1248.1.1.2.1.3.8.65.76.45.67.49.49.48.48",
            "EPSON Type-B 10Base-T/100Base-TX Print Server",
            "epson",
            "AL-C1100",
        ),
        ("1.3.6.1.4.1.236.11.5.1", "Samsung Network Printer V1.02 10/100", "samsung", ""),
        ("1.3.6.1.4.1.40093.1.1", "Pantum M6500W Series", "pantum", "M6500W Series"),
        (
            "1.3.6.1.4.1.236.11.5.1",
            "Samsung ML-2850 Series OS 1.01.15.47 02-10-2010;Engine 1.01.25",
            "samsung",
            "ML-2850 Series",
        ),
        ("1.3.6.1.4.1.1248.1.1.2.1", "EPSON EPL-N2750 01.00", "epson", "EPL-N2750"),
        (
            "1.3.6.1.4.1.674.10898.10",
            "Dell Laser Printer 5100cn (Net 6.26, Engine 01.00.04)",
            "dell",
            "Laser Printer 5100cn",
        ),
        (
            "1.3.6.1.4.1.253.8.62.1",
            "Tektronix, Inc., Phaser 860N, PhaserShare Network Interface",
            "xerox",
            "Phaser 860N",
        ),
        ("1.3.6.1.4.1.253.8.62.1", "Xerox Phaser 6200 DX v(2.12/14.66) Printer 256MB", "xerox", "Phaser 6200 DX"),
        ("1.3.6.1.4.1.1602.4.7", "Canon MF6500 Series (UFRII LT)", "canon", "MF6500 Series"),
        ("1.3.6.1.4.1.367.1.1", "NRG DSc38 V.2.13 / NRG Network Printer C model", "nrg", "DSc38"),
        ("1.3.6.1.4.1.99999.1", "Oce, VarioPrint 2045 R3.2, Controller R8.2.15 print server", "oce", "VarioPrint 2045"),
    ];

    #[test]
    fn identity() {
        for (object, descr, vendor, model) in CASES {
            assert_eq!(known(object, descr), ((*vendor).to_owned(), (*model).to_owned()), "{descr}");
            assert!(guess(object, descr).is_printer, "{descr}");
        }
    }

    #[test]
    fn identity_serials_in_sys_descr() {
        let serial = |descr: &str| guess("", descr).serial;
        assert_eq!(serial("HP ETHERNET MULTI-ENVIRONMENT,SN:VNB3J99999,FN:1F31B6C").as_deref(), Some("VNB3J99999"));
        assert_eq!(
            serial("Samsung CLX-3170 Series;V1.00.01.64;NIC V4.01.20(CLX-3170) 02-05-2010;S/N AAAAAAA000AAAA000")
                .as_deref(),
            Some("AAAAAAA000AAAA000")
        );
        assert_eq!(serial("Samsung M4080FX; V11.01.03.04;NIC ;S/N "), None);
    }

    #[test]
    fn other_devices_are_no_printers() {
        for (object, descr) in [
            ("1.3.6.1.4.1.11.2.3.7.11.33", "HP J9019B ProCurve Switch 2510B-24"),
            ("1.3.6.1.4.1.8072.3.2.10", "Linux host 6.1.0 x86_64"),
            ("1.3.6.1.4.1.674.10892.5", "Dell iDRAC9"),
            ("1.3.6.1.4.1.9.1.1208", "Cisco IOS Software, C2960"),
            ("", "HP J9145A E2910al-24G Switch, revision W.15.08.0007"),
            ("", "Dell Out-of-band SNMP Agent for Remote Access Controller"),
            ("", "SonicWALL Toshiba / 133 Mhz"),
        ] {
            assert!(!guess(object, descr).is_printer, "{descr}");
        }
    }

    #[test]
    fn compatible_with_a_brand_is_not_that_brand() {
        let guess = guess("", "TROY PocketPro 100s print server compatible with an HP JETDIRECT EX");
        assert_eq!((guess.vendor, guess.is_printer), (None, true));
    }

    #[test]
    fn unknown_brands_become_slugs() {
        assert_eq!(slug("Seiko Instruments, Inc.").as_deref(), Some("seiko-instruments-inc"));
        assert_eq!(slug("Generic"), None);
        assert_eq!(slug("  "), None);
    }
}
