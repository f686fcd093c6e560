//! Recorded walks of real printers, when they are at hand: read whole, in few exchanges.

use std::path::PathBuf;

use bytes::Bytes;
use snmp::{Oid, Value, WalkLimits};

use crate::agents::{ALL, Table, engine, honest, oid, target};

pub fn folder() -> Option<PathBuf> {
    let shared = std::env::var_os("PLATEN_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let folder = shared.join("recordings/walks");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: recordings not found (set PLATEN_SHARED)");
    None
}

/// A line of a recording: `oid|tag|value`, the value in hexadecimal if the tag ends in x.
fn row(line: &str) -> Option<(Oid, Value)> {
    let mut parts = line.splitn(3, '|');
    let (oid, tag, text) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
    let bytes = match tag.strip_suffix('x') {
        Some(_) => (0..text.len() / 2)
            .map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok())
            .collect::<Option<Vec<u8>>>()?,
        None => text.as_bytes().to_vec(),
    };
    let value = match tag.trim_end_matches('x').parse::<u8>().ok()? {
        2 => Value::Integer(text.parse().ok()?),
        4 => Value::OctetString(Bytes::from(bytes)),
        5 => Value::Null,
        6 => Value::ObjectId(text.parse().ok()?),
        64 => Value::IpAddress(bytes.try_into().ok()?),
        65 => Value::Counter32(text.parse().ok()?),
        66 => Value::Gauge32(text.parse().ok()?),
        67 => Value::TimeTicks(text.parse().ok()?),
        68 => Value::Opaque(Bytes::from(bytes)),
        70 => Value::Counter64(text.parse().ok()?),
        _ => return None,
    };
    Some((oid, value))
}

pub fn load(path: &PathBuf) -> Table {
    let bytes = std::fs::read(path).unwrap();
    Table::of(String::from_utf8_lossy(&bytes).lines().filter_map(row))
}

#[tokio::test]
async fn recordings_of_printers_are_read_whole() {
    let Some(folder) = folder() else { return };
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let table = load(&path);
        if table.0.is_empty() {
            continue;
        }
        let (rows, engine) = (table.0.len(), engine());
        let agent = honest(table.clone(), ALL, 1_472);
        let walk = engine.walk(&target(agent.address), &oid("1.3"), &WalkLimits::default()).await.unwrap();
        assert!(walk.rows.iter().map(|row| (&row.oid, &row.value)).eq(&table.0), "{path:?}");
        assert_eq!(walk.quirks, []);
        if (270..=380).contains(&rows) {
            println!("{rows} rows of {path:?} in {} exchanges", walk.exchanges);
            assert!(walk.exchanges <= 8, "{rows} rows of {path:?} in {} exchanges", walk.exchanges);
        }
        files += 1;
    }
    println!("{files} recordings read");
}

#[tokio::test]
async fn columns_of_a_large_printer_come_in_few_exchanges() {
    let Some(folder) = folder() else { return };
    let table = load(&folder.join("sharp.snmprec"));
    // Every second column of what there is: nothing can be read in one run.
    let mut columns: Vec<Oid> = table.0.keys().filter_map(Oid::parent).filter_map(|oid| oid.parent()).collect();
    columns.dedup();
    let columns: Vec<Oid> = columns.into_iter().step_by(2).collect();
    let agent = honest(table.clone(), ALL, 1_472);
    let walk = engine().walk_columns(&target(agent.address), &columns, &WalkLimits::default()).await.unwrap();
    let expected = table.0.keys().filter(|oid| columns.iter().any(|column| oid.starts_with(column)));
    assert!(walk.rows.iter().map(|row| &row.oid).eq(expected));
    println!("{} rows of {} columns in {} exchanges", walk.rows.len(), columns.len(), walk.exchanges);
    assert!(walk.exchanges <= 10);
}
