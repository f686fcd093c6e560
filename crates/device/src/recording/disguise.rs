//! Replaces the owner's traces in what a device said, consistently, and tells what was replaced.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use snmp::{Oid, Value};

use super::people::{self, HARDWARE, LEFT_OUT, OWN, SHORTEST};
use super::standin::{StandIns, tells_a_place};
use crate::identity::{DeviceId, Makers};
use crate::profile::Catalogue;
use crate::snapshot::Snapshot;
use crate::standard::{host, oid};
use crate::text::{self, Charset};
use crate::{Origin, assemble};

/// How a recording is disguised.
#[derive(Clone, Copy, Debug)]
pub struct Disguise {
    /// Chooses the stand-ins.
    pub seed: u64,
    /// Serial numbers stay as they are.
    pub keep_serial: bool,
}

/// One kind of trace, and how often it was replaced.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Replaced {
    /// serial, mac, address, name, contact, location, person, mail or telephone.
    pub kind: &'static str,
    /// How many different values.
    pub values: usize,
    /// In how many objects.
    pub objects: usize,
}

/// A recording that can be sent in.
#[derive(Clone, Debug)]
pub struct Disguised {
    /// What may be shown.
    pub said: Snapshot,
    /// What was replaced.
    pub replaced: Vec<Replaced>,
    /// Objects that were left out: the network around the device, who may ask it, its jobs.
    pub left_out: usize,
    /// Private objects whose texts were neither replaced nor known to be harmless: somebody should read them.
    pub texts_left: Vec<(Oid, String)>,
}

impl Disguise {
    /// Disguises what was said. `whole` is the device as a whole, where `said` is only what it says in another context.
    pub fn apply(self, said: &Snapshot, whole: &Snapshot) -> Disguised {
        let mut work = Work::new(self, whole);
        let mut out = Snapshot::new();
        let mut left_out = 0;
        for (object, value) in said.iter() {
            if LEFT_OUT.iter().any(|root| object.starts_with(root)) || work.personal(object) {
                left_out += 1;
                continue;
            }
            out.insert(object.clone(), work.value(object, value));
        }
        let replaced = work.summary();
        Disguised { texts_left: work.texts_left, said: out, replaced, left_out }
    }
}

/// Finds places in a text.
type Finder = fn(&str) -> Vec<std::ops::Range<usize>>;

/// What is being replaced, and what came of it.
struct Work {
    stand_ins: StandIns,
    charset: Charset,
    /// Texts to be replaced wherever they stand, longest first.
    secrets: Vec<(String, &'static str)>,
    macs: Vec<[u8; 6]>,
    addresses: Vec<[u8; 4]>,
    makers: Makers,
    keep_serial: bool,
    counts: BTreeMap<&'static str, (BTreeSet<Vec<u8>>, BTreeSet<Oid>)>,
    texts_left: Vec<(Oid, String)>,
}

impl Work {
    fn new(how: Disguise, whole: &Snapshot) -> Self {
        let makers = Makers::find(whole, Catalogue::current());
        let charset = host::charset(whole, host::printer_index(whole));
        let mut work = Self {
            stand_ins: StandIns::new(how.seed),
            charset,
            secrets: Vec::new(),
            macs: Vec::new(),
            addresses: Vec::new(),
            makers,
            keep_serial: how.keep_serial,
            counts: BTreeMap::new(),
            texts_left: Vec::new(),
        };
        work.gather(whole);
        work
    }

    /// Finds what must not be told.
    fn gather(&mut self, whole: &Snapshot) {
        let reading = assemble(whole, Origin::new("", 0, wire::SnmpVersion::V2c));
        let mut secrets = self.words_of_the_owner(whole);
        if !self.keep_serial {
            secrets.extend(self.serial_numbers(whole, &reading).into_iter().map(|text| (text, "serial")));
        }
        let model = reading.identity.model.unwrap_or_default().to_lowercase();
        // A model is no secret, whatever somebody named after it.
        let of_model = |text: &str| {
            let text = text.to_lowercase();
            !model.is_empty() && (text.contains(&model) || model.contains(&text))
        };
        let tells = |text: &str, kind| text.len() >= SHORTEST && !(kind == "name" && of_model(text));
        self.secrets = secrets.into_iter().filter(|(text, kind)| tells(text, *kind)).collect();
        self.secrets.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        for (object, value) in whole.iter() {
            match value {
                Value::IpAddress(octets) if tells_a_place(*octets) => self.addresses.push(*octets),
                Value::OctetString(octets) if HARDWARE.iter().any(|column| object.starts_with(column)) => {
                    self.macs.extend(<[u8; 6]>::try_from(&octets[..]).ok().filter(|mac| *mac != [0; 6]));
                }
                _ => {}
            }
        }
        self.macs.sort_unstable();
        self.macs.dedup();
    }

    /// Serial numbers of the device and of its cartridges, wherever it tells them.
    fn serial_numbers(&self, whole: &Snapshot, reading: &wire::Reading) -> BTreeSet<String> {
        let mut found: BTreeSet<String> = reading.identity.serial.iter().cloned().collect();
        found.extend(DeviceId::of(whole, self.makers.iter()).serial);
        found.extend(reading.supplies.iter().filter_map(|supply| supply.serial.clone()));
        let own = self.makers.iter().flat_map(|profile| &profile.serial.oids);
        found.extend(own.filter_map(|object| whole.text(&object.0, self.charset)));
        let standard = whole.column(&oid::GENERAL_SERIAL_NUMBER);
        found.extend(standard.filter_map(|(_, value)| crate::snapshot::text(value, self.charset)));
        found
    }

    /// What the owner called the device, where it stands, who looks after it.
    fn words_of_the_owner(&self, whole: &Snapshot) -> BTreeSet<(String, &'static str)> {
        let mut found = BTreeSet::new();
        for (root, kind) in OWN.iter() {
            for text in whole.below(root).filter_map(|(_, value)| crate::snapshot::text(value, self.charset)) {
                // A name with its domain: both parts stand elsewhere by themselves.
                if let Some((name, domain)) = text.split_once('.').filter(|_| *kind == "name" && !text.contains(' ')) {
                    found.extend([(name.to_owned(), *kind), (domain.to_owned(), *kind)]);
                }
                found.insert((text, *kind));
            }
        }
        let printer = host::printer_index(whole);
        let called = whole.text(&oid::GENERAL_PRINTER_NAME.child(printer), self.charset);
        found.extend(called.map(|name| (name, "name")));
        found
    }

    /// Whether the maker keeps people's names and jobs there.
    fn personal(&self, object: &Oid) -> bool {
        self.makers.iter().flat_map(|profile| &profile.personal).any(|root| object.starts_with(&root.0))
    }

    /// Whether a rule reads this object, so that its text is known to be of the device.
    fn understood(&self, object: &Oid) -> bool {
        let single = self.makers.iter().flat_map(|profile| {
            let firmware = profile.firmware.iter().filter_map(|rule| rule.oid.as_ref());
            profile.model.oids.iter().chain(&profile.device_ids).chain(firmware)
        });
        let columns = self.makers.iter().flat_map(|profile| {
            let counters = profile.counter_tables.iter().filter_map(|table| table.label.as_ref());
            let firmware = profile.firmware_tables.iter().flat_map(|table| [&table.name, &table.version]);
            let supplies = profile.supply_tables.iter();
            let supplies = supplies.flat_map(|table| [&table.description, &table.part_number]).flatten();
            counters.chain(firmware).chain(supplies)
        });
        let standard = [&oid::HP_DEVICE_ID as &Oid, &oid::PPM_DEVICE_ID];
        standard.contains(&object) || single.chain(columns).any(|known| object.starts_with(&known.0))
    }

    fn value(&mut self, object: &Oid, value: &Value) -> Value {
        match value {
            Value::IpAddress(octets) => {
                let made = self.stand_ins.address(*octets);
                if made != *octets {
                    self.count("address", octets, object);
                }
                Value::IpAddress(made)
            }
            Value::OctetString(octets) => self.octets(object, octets).map_or_else(|| value.clone(), Value::OctetString),
            Value::Opaque(_) => Value::Opaque(Bytes::new()),
            other => other.clone(),
        }
    }

    /// The octets that may be shown, if they differ.
    fn octets(&mut self, object: &Oid, octets: &[u8]) -> Option<Bytes> {
        if let Some(made) = self.hardware(object, octets) {
            return Some(made);
        }
        if let Some((_, kind)) = OWN.iter().find(|(root, _)| object.starts_with(root)) {
            let text = text::line(octets, self.charset);
            if text.is_empty() {
                return None;
            }
            self.count(kind, text.as_bytes(), object);
            return Some(self.stand_ins.text(&text).into());
        }
        let plain = std::str::from_utf8(octets).ok().map(str::to_owned);
        let was = plain.clone().unwrap_or_else(|| text::line(octets, self.charset));
        let mut shown = self.hide(object, &was).unwrap_or_else(|| was.clone());
        // As it stands, so that its form stays; then as it reads, for texts in pieces of hexadecimal digits.
        let reads = text::line(shown.as_bytes(), self.charset);
        if let Some(hidden) = self.hide(object, &reads) {
            shown = hidden;
        }
        self.patterns(object, &mut shown);
        if shown == was {
            let mut reads = reads;
            self.patterns(object, &mut reads);
            if reads != text::line(was.as_bytes(), self.charset) {
                shown = reads;
            }
        }
        if shown != was {
            return Some(shown.into());
        }
        let reads = text::line(octets, self.charset);
        let private = object.starts_with(&Oid::of("1.3.6.1.4.1")) && !self.understood(object);
        if private && reads.chars().filter(|letter| letter.is_alphabetic()).count() >= 4 {
            self.texts_left.push((object.clone(), reads));
        }
        None
    }

    /// A hardware address as six octets, by itself or inside others.
    fn hardware(&mut self, object: &Oid, octets: &[u8]) -> Option<Bytes> {
        let known = self.macs.iter().find_map(|mac| Some((*mac, octets.windows(6).position(|part| part == mac)?)));
        let (mac, at) = known?;
        let mut made = octets.to_vec();
        made[at..at + 6].copy_from_slice(&self.stand_ins.mac(mac));
        self.count("mac", &mac, object);
        Some(made.into())
    }

    /// The text without the values that are known, if it held one.
    fn hide(&mut self, object: &Oid, text: &str) -> Option<String> {
        let mut made = text.to_owned();
        for (secret, kind) in self.secrets.clone() {
            if made.contains(&secret) {
                made = made.replace(&secret, &self.stand_ins.text(&secret));
                self.count(kind, secret.as_bytes(), object);
            }
        }
        for mac in self.macs.clone() {
            let instead = self.stand_ins.mac(mac);
            for (form, stand_in) in forms(mac).into_iter().zip(forms(instead)) {
                if made.contains(&form) {
                    made = made.replace(&form, &stand_in);
                    self.count("mac", &mac, object);
                }
            }
        }
        (made != text).then_some(made)
    }

    /// Replaces what looks like an address or a number of a person.
    fn patterns(&mut self, object: &Oid, made: &mut String) {
        for (place, octets) in people::addresses(made, &self.addresses).into_iter().rev() {
            let [a, b, c, d] = self.stand_ins.address(octets);
            made.replace_range(place, &format!("{a}.{b}.{c}.{d}"));
            self.count("address", &octets, object);
        }
        let finders: [(&'static str, Finder); 3] = [
            ("address", people::long_addresses),
            ("mail", people::mail_addresses),
            ("telephone", people::telephone_numbers),
        ];
        for (kind, find) in finders {
            for place in find(made).into_iter().rev() {
                let was = made[place.clone()].to_owned();
                let stand_in = match kind {
                    "address" => "2001:db8::".to_owned() + &self.stand_ins.text("1a2b"),
                    _ => self.stand_ins.text(&was),
                };
                made.replace_range(place, &stand_in);
                self.count(kind, was.as_bytes(), object);
            }
        }
    }

    fn count(&mut self, kind: &'static str, value: &[u8], object: &Oid) {
        let (values, objects) = self.counts.entry(kind).or_default();
        values.insert(value.to_vec());
        objects.insert(object.clone());
    }

    fn summary(&self) -> Vec<Replaced> {
        let row = |(kind, (values, objects)): (&&'static str, &(BTreeSet<Vec<u8>>, BTreeSet<Oid>))| Replaced {
            kind,
            values: values.len(),
            objects: objects.len(),
        };
        self.counts.iter().map(row).collect()
    }
}

/// The ways in which a hardware address is written.
fn forms(mac: [u8; 6]) -> Vec<String> {
    let joined = |with: &str| mac.map(|octet| format!("{octet:02x}")).join(with);
    let lower = ["", ":", "-", " "].map(joined);
    lower.iter().cloned().chain(lower.iter().map(|form| form.to_uppercase())).collect()
}
