//! One device as it lies in memory, a hundred thousand times: its texts in one piece, numbers for the rest.

use std::{net::SocketAddr, sync::Arc};

use device::{Known, Vitals};
use wire::Subject;

use crate::state::devices::DeviceRow;

/// No text; no number.
const NONE: u16 = u16::MAX;
const NO_NUMBER: u64 = u64::MAX;

/// Five texts in one allocation.
#[derive(Debug)]
struct Texts {
    all: Box<str>,
    lengths: [u16; 5],
}

impl Texts {
    fn new(texts: [Option<&str>; 5]) -> Self {
        let texts = texts.map(|text| text.map(|text| &text[..text.floor_char_boundary(usize::from(NONE) / 8)]));
        let lengths = texts.map(|text| text.map_or(NONE, |text| text.len() as u16));
        Self { all: texts.into_iter().flatten().collect::<String>().into(), lengths }
    }

    fn get(&self, place: usize) -> Option<&str> {
        let length = |length: u16| usize::from(if length == NONE { 0 } else { length });
        let start: usize = self.lengths[..place].iter().copied().map(length).sum();
        (self.lengths[place] != NONE).then(|| &self.all[start..start + length(self.lengths[place])])
    }
}

/// What is kept of the cheap look before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    life_count: u64,
    uptime: u64,
}

impl Before {
    pub(super) fn of(vitals: &Vitals) -> Self {
        let number = |number: Option<u64>| number.unwrap_or(NO_NUMBER);
        Self { life_count: number(vitals.life_count), uptime: number(vitals.uptime) }
    }

    pub(super) fn vitals(self) -> Vitals {
        let number = |number: u64| (number != NO_NUMBER).then_some(number);
        Vitals { life_count: number(self.life_count), uptime: number(self.uptime), ..Vitals::default() }
    }
}

/// A [`DeviceRow`] in little room, and what is only known while the agent runs.
#[derive(Debug)]
pub(super) struct Record {
    subject: Subject,
    texts: Texts,
    pub(super) address: Option<SocketAddr>,
    known: Arc<Known>,
    pub(super) vitals_hash: u64,
    pub(super) status_hash: u64,
    pub(super) meters_hash: u64,
    full_ms: i64,
    meters_ms: i64,
    pub(super) condition_ms: i64,
    pub(super) before: Option<Before>,
    pub(super) failures: u32,
    pub(super) moved_slowly: bool,
    /// Readings in a row that the device left incomplete.
    pub(super) partial: u8,
    pub(super) busy: bool,
}

impl Record {
    pub(super) fn new(row: DeviceRow) -> Self {
        let mut record = Self {
            subject: row.subject,
            texts: Texts::new([None; 5]),
            address: None,
            known: Arc::default(),
            vitals_hash: 0,
            status_hash: 0,
            meters_hash: 0,
            full_ms: 0,
            meters_ms: 0,
            condition_ms: 0,
            before: None,
            failures: 0,
            moved_slowly: false,
            partial: 0,
            busy: false,
        };
        record.take(row);
        record
    }

    /// Takes over a row; the rest stays.
    pub(super) fn take(&mut self, row: DeviceRow) {
        let texts = [Some(row.key.as_str()), row.vendor.as_deref(), row.model.as_deref(), row.serial.as_deref()];
        let [key, vendor, model, serial] = texts;
        self.texts = Texts::new([key, vendor, model, serial, row.mac.as_deref()]);
        self.address = row.address;
        self.known = row.known;
        (self.vitals_hash, self.status_hash, self.meters_hash) = (row.vitals_hash, row.status_hash, row.meters_hash);
        (self.full_ms, self.meters_ms) = (row.full_ms, row.meters_ms);
    }

    pub(super) fn key(&self) -> &str {
        self.texts.get(0).unwrap_or_default()
    }

    pub(super) fn mac(&self) -> Option<&str> {
        self.texts.get(4)
    }

    /// The row as the file has it.
    pub(super) fn row(&self) -> DeviceRow {
        let text = |place| self.texts.get(place).map(str::to_owned);
        DeviceRow {
            subject: self.subject,
            key: self.key().to_owned(),
            vendor: text(1),
            model: text(2),
            serial: text(3),
            mac: text(4),
            address: self.address,
            known: self.known.clone(),
            vitals_hash: self.vitals_hash,
            status_hash: self.status_hash,
            meters_hash: self.meters_hash,
            full_ms: self.full_ms,
            meters_ms: self.meters_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_comes_back_as_it_was() {
        let row = DeviceRow {
            subject: Subject([3; 16]),
            key: "serial/hp/ABC".to_owned(),
            vendor: Some("hp".to_owned()),
            model: None,
            serial: Some(String::new()),
            mac: Some("00:11:22:33:44:55".to_owned()),
            address: Some("10.0.0.9:161".parse().unwrap()),
            known: Arc::new(Known { printer: 7, ..Known::default() }),
            vitals_hash: 1,
            status_hash: 2,
            meters_hash: 3,
            full_ms: 4,
            meters_ms: 5,
        };
        let mut record = Record::new(row.clone());
        assert_eq!(record.row(), row);
        assert_eq!((record.key(), record.mac()), ("serial/hp/ABC", Some("00:11:22:33:44:55")));
        let other = DeviceRow { vendor: None, serial: Some("é".repeat(40_000)), address: None, ..row };
        record.take(other);
        let now = record.row();
        assert_eq!((now.vendor, now.mac.as_deref(), now.address), (None, Some("00:11:22:33:44:55"), None));
        assert!(now.serial.is_some_and(|serial| serial.chars().all(|c| c == 'é')));
    }

    #[test]
    fn a_device_takes_little_memory() {
        assert!(size_of::<Record>() <= 176, "{}", size_of::<Record>());
    }
}
