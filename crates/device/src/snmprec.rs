//! Reads recordings of the form `OID|tag|value`, so that a profile can be tried on a walk without the device.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use snmp::{Oid, Value};

use crate::snapshot::Snapshot;

/// A recording that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read recording {}", path.display())]
pub struct RecordingError {
    path: PathBuf,
    source: std::io::Error,
}

/// Loads a recording with the contexts beside it (`NAME@Context.snmprec`), which add what it lacks.
pub fn load_recording(path: &Path) -> Result<Snapshot, RecordingError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| RecordingError { path, source }
    };
    let mut said = parse_recording(&std::fs::read(path).map_err(failed(path))?);
    let stem = path.file_stem().map(|stem| format!("{}@", stem.to_string_lossy())).unwrap_or_default();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    for entry in std::fs::read_dir(folder).map_err(failed(folder))?.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&stem) {
            let more = parse_recording(&std::fs::read(entry.path()).map_err(failed(&entry.path()))?);
            for (oid, value) in more.iter() {
                said.insert(oid.clone(), value.clone());
            }
        }
    }
    Ok(said)
}

/// Parses a recording. Lines that do not parse are skipped, of two equal objects the first counts.
pub fn parse_recording(text: &[u8]) -> Snapshot {
    let mut said = Snapshot::new();
    for line in text.split(|byte| *byte == b'\n') {
        if let Some((oid, value)) = parse_line(line.strip_suffix(b"\r").unwrap_or(line)) {
            said.insert(oid, value);
        }
    }
    said
}

/// Writes a recording, one object a line in the order of the tree. Texts that are not plain are hexadecimal.
pub fn write_recording(said: &Snapshot) -> String {
    let mut lines = String::new();
    for (oid, value) in said.iter() {
        let plain = |octets: &[u8]| octets.iter().all(|octet| matches!(octet, b' '..=b'~'));
        let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
        let (tag, text) = match value {
            Value::Integer(number) => ("2", number.to_string()),
            Value::OctetString(octets) if plain(octets) => ("4", String::from_utf8_lossy(octets).into_owned()),
            Value::OctetString(octets) => ("4x", hex(octets)),
            Value::ObjectId(object) => ("6", object.to_string()),
            Value::IpAddress([a, b, c, d]) => ("64", format!("{a}.{b}.{c}.{d}")),
            Value::Counter32(number) => ("65", number.to_string()),
            Value::Gauge32(number) => ("66", number.to_string()),
            Value::TimeTicks(number) => ("67", number.to_string()),
            Value::Opaque(octets) => ("68x", hex(octets)),
            Value::Counter64(number) => ("70", number.to_string()),
            Value::Null | Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => continue,
        };
        lines.push_str(&format!("{oid}|{tag}|{text}\n"));
    }
    lines
}

fn parse_line(line: &[u8]) -> Option<(Oid, Value)> {
    let mut parts = line.splitn(3, |byte| *byte == b'|');
    let word = |part: &[u8]| std::str::from_utf8(part).ok().map(|text| text.trim().to_owned());
    let (oid, tag, raw) = (word(parts.next()?)?, word(parts.next()?)?, parts.next()?);
    let tag = tag.split(':').next()?;
    let (tag, bytes) = match tag.strip_suffix('x') {
        Some(tag) => (tag, from_hex(raw)?),
        None => (tag, raw.to_vec()),
    };
    let number = || word(raw)?.parse::<i64>().ok();
    let unsigned = || u32::try_from(number()?).ok();
    let value = match tag {
        "2" => Value::Integer(i32::try_from(number()?).ok()?),
        "4" => Value::OctetString(Bytes::from(bytes)),
        "5" => Value::Null,
        "6" => Value::ObjectId(word(raw)?.parse().ok()?),
        "64" => Value::IpAddress(address(&bytes)?),
        "65" => Value::Counter32(unsigned()?),
        "66" => Value::Gauge32(unsigned()?),
        "67" => Value::TimeTicks(unsigned()?),
        "68" => Value::Opaque(Bytes::from(bytes)),
        "70" => Value::Counter64(word(raw)?.parse().ok()?),
        _ => return None,
    };
    Some((oid.parse().ok()?, value))
}

fn address(bytes: &[u8]) -> Option<[u8; 4]> {
    let text = std::str::from_utf8(bytes).ok().and_then(|text| text.trim().parse::<std::net::Ipv4Addr>().ok());
    text.map(|address| address.octets()).or_else(|| bytes.try_into().ok())
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.trim_ascii();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(pair).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_kind() {
        let said = parse_recording(
            b".1.3.6.1.2.1.1.1.0|4|SHARP MX|x\r\n1.3.6.1.2.1.1.2.0|6|.1.3.6.1.4.1.2385.3\n1.3.6.1.2.1.1.3.0|67|12h\n\
              1.3.6.1.2.1.2.2.1.6.1|4x|0025aa00BBcc\n1.3.6.1.2.1.2.2.1.7.1|2:noise|-3\n1.3.6.1.2.1.1.1.0|4|second\nrubbish\n",
        );
        assert_eq!(said.len(), 4);
        assert_eq!(said.text(&Oid::of("1.3.6.1.2.1.1.1.0"), crate::Charset::default()).as_deref(), Some("SHARP MX|x"));
        assert_eq!(said.number(&Oid::of("1.3.6.1.2.1.2.2.1.7.1")), Some(-3));
        assert_eq!(said.get(&Oid::of("1.3.6.1.2.1.2.2.1.6.1")).unwrap().as_bytes().unwrap().len(), 6);
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let said = parse_recording(
            b"1.3.6.1.2.1.1.1.0|4|SHARP MX|x\n1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.2385.3\n1.3.6.1.2.1.1.5.0|4|\n\
              1.3.6.1.2.1.2.2.1.6.1|4x|0025aa00bbcc\n1.3.6.1.2.1.2.2.1.7.1|2|-3\n1.3.6.1.2.1.4.20.1.1.1|64|10.0.0.1\n\
              1.3.6.1.2.1.43.10.2.1.4.1.1|65|7\n1.3.6.1.4.1.9.1|70|99999999999\n",
        );
        let again = parse_recording(write_recording(&said).as_bytes());
        assert!(said.iter().eq(again.iter()));
        assert_eq!(said.len(), 8);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>) {
            parse_recording(&bytes);
        }
    }
}
