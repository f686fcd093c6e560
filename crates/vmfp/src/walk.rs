//! Recorded walks (`.snmprec`): one object a line, `OID|tag|value`. Reads what recorders write, errors included.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use snmp::responder::Mib;
use snmp::{Oid, Value};

/// The objects of a recorded device, in order.
#[derive(Debug, Clone, Default)]
pub struct Walk {
    rows: Vec<(Oid, Value)>,
    /// Lines that could not be read and were left out.
    pub skipped: usize,
}

/// A recording with its further SNMP contexts (`NAME@Context.snmprec` beside `NAME.snmprec`).
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// What the device says without a context.
    pub main: Walk,
    /// What it says in others, by context name.
    pub contexts: Vec<(String, Walk)>,
}

impl Recording {
    /// Reads a file and its contexts.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let main = Walk::parse(&std::fs::read(path)?);
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let mut contexts = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let context = name.strip_suffix(".snmprec").and_then(|rest| rest.strip_prefix(&stem)?.strip_prefix('@'));
            if let Some(context) = context {
                contexts.push((context.to_owned(), Walk::parse(&std::fs::read(path.with_file_name(&name))?)));
            }
        }
        contexts.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Self { main, contexts })
    }
}

impl Walk {
    /// Reads the lines of a recording; what does not parse is skipped and counted, the first of two rows wins.
    pub fn parse(text: &[u8]) -> Self {
        let (mut rows, mut skipped) = (Vec::new(), 0);
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.iter().all(u8::is_ascii_whitespace) || line.starts_with(b"#") {
                continue;
            }
            match row(line) {
                Some(row) => rows.push(row),
                None => skipped += 1,
            }
        }
        rows.sort_by(|a: &(Oid, Value), b| a.0.cmp(&b.0));
        rows.dedup_by(|later, first| later.0 == first.0);
        Self { rows, skipped }
    }

    /// Objects in order.
    pub fn rows(&self) -> &[(Oid, Value)] {
        &self.rows
    }

    /// A text of the recording, without padding.
    pub fn text(&self, oid: &Oid) -> Option<String> {
        let value = self.get(oid);
        let text = String::from_utf8_lossy(value.as_bytes()?).trim_matches(['\0', ' ', '\n', '\r']).to_owned();
        (!text.is_empty()).then_some(text)
    }
}

impl Mib for Walk {
    fn get(&self, oid: &Oid) -> Value {
        match self.rows.binary_search_by(|(row, _)| row.cmp(oid)) {
            Ok(place) => self.rows[place].1.clone(),
            Err(_) => Value::NoSuchInstance,
        }
    }

    fn next(&self, oid: &Oid) -> Option<(Oid, Value)> {
        self.rows.get(self.rows.partition_point(|(row, _)| row <= oid)).cloned()
    }
}

fn row(line: &[u8]) -> Option<(Oid, Value)> {
    let mut parts = line.splitn(3, |byte| *byte == b'|');
    let oid = std::str::from_utf8(parts.next()?).ok()?.trim().parse().ok()?;
    let tag = std::str::from_utf8(parts.next()?).ok()?.trim();
    // A name after the tag asks for a simulator's variation module; the value still is a value.
    let tag = tag.split(':').next()?;
    let (tag, hex) = tag.strip_suffix('x').map_or((tag, false), |tag| (tag, true));
    let raw = parts.next()?;
    let octets = if hex { unhex(raw)? } else { raw.to_vec() };
    Some((oid, value(tag.parse().ok()?, octets, hex)?))
}

fn value(tag: u8, octets: Vec<u8>, hex: bool) -> Option<Value> {
    let text = || std::str::from_utf8(&octets).ok().map(str::trim);
    Some(match tag {
        2 => match text()?.parse::<i64>().ok()? {
            number if i32::try_from(number).is_ok() => Value::Integer(number as i32),
            number => Value::Gauge32(u32::try_from(number).ok()?),
        },
        4 => Value::OctetString(Bytes::from(octets)),
        5 => Value::Null,
        6 => Value::ObjectId(text()?.parse().ok()?),
        64 if hex => Value::IpAddress(octets.try_into().ok()?),
        64 => Value::IpAddress(text()?.parse::<std::net::Ipv4Addr>().ok()?.octets()),
        65 => match text()?.parse::<u64>().ok()? {
            number if u32::try_from(number).is_ok() => Value::Counter32(number as u32),
            number => Value::Counter64(number),
        },
        66 => Value::Gauge32(text()?.parse().ok()?),
        67 => Value::TimeTicks(text()?.parse::<u64>().ok()? as u32),
        68 => Value::Opaque(Bytes::from(octets)),
        70 => Value::Counter64(text()?.parse().ok()?),
        _ => return None,
    })
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.trim_ascii();
    let digits = text.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    digits.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "1.3.6.1.2.1.1.5.0|4|later name\n\
        .1.3.6.1.2.1.1.1.0|4|first|with bars\n\
        1.3.6.1.2.1.1.1.0|4|second\n\
        1.3.6.1.2.1.1.3.0|67|6git3159\n\
        1.3.6.1.2.1.1.6.0|4|\n\
        1.3.6.1.2.1.2.2.1.6.1|4x|0017C8aabbcc\n\
        1.3.6.1.2.1.2.2.1.10.1|65|4294967295\n\
        1.3.6.1.2.1.2.2.1.5.1|66|1000000000\n\
        1.3.6.1.2.1.4.20.1.1.1|64|10.0.0.1\n\
        1.3.6.1.2.1.4.20.1.1.2|64x|0a000002\n\
        1.3.6.1.2.1.31.1.1.1.6.1|70|18446744073709551615\n\
        1.3.6.1.2.1.43.11.1.1.9.1.1|2|-3\n\
        1.3.6.1.2.1.1.2.0|6|.1.3.6.1.4.1.1347.41\n\
        1.3.6.1.4.1.1.1|5|\n\
        1.3.6.1.4.1.1.2|68x|9f780401\n\
        nonsense\n\
        1.3.6.1.4.1.1.3|99|x\n";

    #[test]
    fn lines_are_sorted_and_bad_ones_counted() {
        let walk = Walk::parse(LINES.as_bytes());
        assert_eq!(walk.skipped, 3);
        assert_eq!(walk.rows().len(), 13);
        assert!(walk.rows().windows(2).all(|pair| pair[0].0 < pair[1].0));
        let get = |oid: &str| walk.get(&oid.parse().unwrap());
        assert_eq!(get("1.3.6.1.2.1.1.1.0"), Value::text("first|with bars"));
        assert_eq!(get("1.3.6.1.2.1.1.6.0"), Value::text(""));
        assert_eq!(get("1.3.6.1.2.1.2.2.1.6.1").as_bytes(), Some(&[0, 0x17, 0xC8, 0xAA, 0xBB, 0xCC][..]));
        assert_eq!(get("1.3.6.1.2.1.4.20.1.1.2"), Value::IpAddress([10, 0, 0, 2]));
        assert_eq!(get("1.3.6.1.2.1.31.1.1.1.6.1"), Value::Counter64(u64::MAX));
        assert_eq!(get("1.3.6.1.2.1.1.3.0"), Value::NoSuchInstance);
    }

    #[test]
    fn a_walk_visits_every_row_once() {
        let walk = Walk::parse(LINES.as_bytes());
        let (mut at, mut seen) = (Oid::of("1.3"), 0);
        while let Some((oid, _)) = walk.next(&at) {
            assert!(oid > at);
            (at, seen) = (oid, seen + 1);
        }
        assert_eq!(seen, walk.rows().len());
    }
}
