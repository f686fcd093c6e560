//! Counters in canonical form: prtMarkerTable, then the vendor's own objects. Totals that the device does not count
//! are not made up here.

use snmp::Oid;
use wire::{ColorMode, Function, Meter, PaperSize, Sides, Unit};

use crate::profile::{CounterRecords, CounterTable, Meaning, Profile, RowKey};
use crate::snapshot::{Row, Snapshot, number, text};
use crate::standard::oid;
use crate::text::Charset;

/// All counters of a device; the standard ones first.
pub fn read<'a>(said: &Snapshot, charset: Charset, profiles: impl Iterator<Item = &'a Profile>) -> Vec<Meter> {
    let mut meters = markers(said);
    for profile in profiles {
        let counts = profile.counters.iter();
        meters.extend(counts.filter_map(|count| meter(said, &count.oid.0, &count.meaning, None)));
        for table in &profile.counter_tables {
            meters.extend(table_meters(said, charset, table));
        }
        for records in &profile.counter_records {
            meters.extend(record_meters(said, records));
        }
    }
    let mut seen = std::collections::HashSet::new();
    meters.retain(|meter| seen.insert(meter.source.clone()));
    meters
}

/// prtMarkerLifeCount. One marker counts everything. Of several, those with one process colorant are mono and those
/// with three or more full colour (the two-marker rule); where that tells nothing, each is a total of its own.
fn markers(said: &Snapshot) -> Vec<Meter> {
    let rows: Vec<_> =
        said.table(&oid::MARKER).into_iter().filter(|(_, row)| row.number(4).is_some_and(|n| n >= 0)).collect();
    let colors: Vec<ColorMode> = rows.iter().map(|(_, row)| marker_color(row)).collect();
    let told = rows.len() > 1 && colors.contains(&ColorMode::Mono) && colors.contains(&ColorMode::Full);
    let meter = |((index, row), color): (&(Vec<u32>, Row<'_>), &ColorMode)| Meter {
        function: Function::Total,
        color: if told { *color } else { ColorMode::All },
        size: PaperSize::All,
        sides: Sides::All,
        unit: marker_unit(row.number(3)),
        value: row.number(4).and_then(|value| u64::try_from(value).ok()).unwrap_or_default(),
        name: None,
        source: oid::MARKER.child(4).join(index).to_string(),
    };
    rows.iter().zip(&colors).map(meter).collect()
}

fn marker_color(row: &Row<'_>) -> ColorMode {
    match (row.number(6), row.number(7)) {
        (Some(1), None | Some(0)) => ColorMode::Mono,
        (Some(3..), _) => ColorMode::Full,
        _ => ColorMode::Unknown,
    }
}

/// PrtMarkerCounterUnitTC; without it the RFC's usual one.
fn marker_unit(code: Option<i64>) -> Unit {
    match code {
        None | Some(7) => Unit::Impressions,
        Some(8) => Unit::Sheets,
        Some(_) => Unit::Other,
    }
}

fn meter(said: &Snapshot, object: &Oid, meaning: &Meaning, name: Option<String>) -> Option<Meter> {
    let value = u64::try_from(said.number(object)?).ok()?;
    Some(named(meaning, value, name, object.to_string()))
}

fn named(meaning: &Meaning, value: u64, name: Option<String>, source: String) -> Meter {
    Meter {
        function: meaning.function,
        color: meaning.color,
        size: meaning.size,
        sides: meaning.sides,
        unit: meaning.unit,
        value,
        name: name.or_else(|| meaning.name.clone()),
        source,
    }
}

/// Counters that stand together in the octets of one object. The source of each is the object with its code behind it.
fn record_meters(said: &Snapshot, records: &CounterRecords) -> Vec<Meter> {
    const KIND: u8 = 1;
    const LENGTH: u8 = 4;
    let Some(mut octets) = said.get(&records.oid.0).and_then(|value| value.as_bytes()) else { return Vec::new() };
    let mut meters = Vec::new();
    while let [code, KIND, LENGTH, a, b, c, d, rest @ ..] = octets {
        octets = rest;
        let code = u32::from(*code);
        let Some(row) = records.rows.iter().find(|row| row.code == Some(i64::from(code))) else { continue };
        let count = u32::from_be_bytes([*a, *b, *c, *d]);
        meters.push(named(&row.meaning, u64::from(count), None, records.oid.0.child(code).to_string()));
    }
    meters
}

fn table_meters(said: &Snapshot, charset: Charset, table: &CounterTable) -> Vec<Meter> {
    if table.key == RowKey::Suffix {
        return table.objects().filter_map(|(object, row)| meter(said, &object, &row.meaning, None)).collect();
    }
    let mut meters = Vec::new();
    for (index, _) in said.column(&table.value.0) {
        let object = table.value.0.join(&index);
        let beside = |column: &Option<crate::profile::Dotted>| said.get(&column.as_ref()?.0.join(&index));
        let label = beside(&table.label).and_then(|value| text(value, charset));
        let code = match table.key {
            RowKey::Index => index.last().copied().map(i64::from),
            RowKey::Code => beside(&table.code).and_then(number),
            RowKey::Label | RowKey::Suffix => None,
        };
        let same =
            |known: &Option<String>| known.as_ref().zip(label.as_ref()).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b));
        let row = table.rows.iter().find(|row| match table.key {
            RowKey::Label => same(&row.label),
            RowKey::Index | RowKey::Code | RowKey::Suffix => row.code.is_some() && row.code == code,
        });
        match row {
            Some(row) => meters.extend(meter(said, &object, &row.meaning, label)),
            None if table.keep_unknown && label.is_some() => {
                let meaning = Meaning {
                    function: Function::Other,
                    color: ColorMode::Unknown,
                    unit: Unit::Other,
                    ..Meaning::default()
                };
                meters.extend(meter(said, &object, &meaning, label));
            }
            None => {}
        }
    }
    meters
}

#[cfg(test)]
mod tests {
    use snmp::Value;

    use super::*;

    fn marker(said: &mut Snapshot, index: u32, count: u32, colorants: i32) {
        said.insert(oid::MARKER.join(&[3, 1, index]), Value::Integer(7));
        said.insert(oid::MARKER.join(&[4, 1, index]), Value::Counter32(count));
        said.insert(oid::MARKER.join(&[6, 1, index]), Value::Integer(colorants));
        said.insert(oid::MARKER.join(&[7, 1, index]), Value::Integer(0));
    }

    fn none() -> std::iter::Empty<&'static Profile> {
        std::iter::empty()
    }

    #[test]
    fn one_marker_counts_everything() {
        let mut said = Snapshot::new();
        marker(&mut said, 1, 580_249, 4);
        let meters = read(&said, Charset::default(), none());
        assert_eq!(meters.len(), 1);
        assert_eq!((meters[0].function, meters[0].color, meters[0].value), (Function::Total, ColorMode::All, 580_249));
        assert_eq!(meters[0].source, "1.3.6.1.2.1.43.10.2.1.4.1.1");
    }

    #[test]
    fn two_markers_are_mono_and_colour() {
        let mut said = Snapshot::new();
        marker(&mut said, 1, 900, 1);
        marker(&mut said, 2, 100, 4);
        let colors: Vec<_> =
            read(&said, Charset::default(), none()).iter().map(|meter| (meter.color, meter.value)).collect();
        assert_eq!(colors, [(ColorMode::Mono, 900), (ColorMode::Full, 100)]);
    }

    #[test]
    fn conflicting_truth() {
        let profile: Profile = toml::from_str(
            "vendor = \"acme\"\ncounters = [{ oid = \"1.3.6.1.4.1.99999.1.0\", name = \"Machine total\" }]",
        )
        .unwrap();
        let mut said = Snapshot::new();
        marker(&mut said, 1, 1_004, 1);
        said.insert("1.3.6.1.4.1.99999.1.0".parse().unwrap(), Value::Counter32(1_000));
        let totals: Vec<_> =
            read(&said, Charset::default(), [&profile].into_iter()).into_iter().map(|m| (m.value, m.name)).collect();
        assert_eq!(
            totals,
            [(1_004, None), (1_000, Some("Machine total".to_owned()))],
            "both are kept, each with its source"
        );
    }

    #[test]
    fn rows_are_known_by_code_or_text_and_never_by_place() {
        let profile: Profile = toml::from_str(
            r#"
            vendor = "acme"
            [[counter_tables]]
            value = "1.3.6.1.4.1.99999.9"
            key = "code"
            code = "1.3.6.1.4.1.99999.2"
            rows = [{ code = 200, function = "copy" }, { code = 400, function = "print" }]
            [[counter_tables]]
            value = "1.3.6.1.4.1.99999.3"
            key = "label"
            label = "1.3.6.1.4.1.99999.4"
            keep_unknown = true
            rows = [{ label = "Full Color Copy Count", function = "copy", color = "full" }]
            "#,
        )
        .unwrap();
        let mut said = Snapshot::new();
        let mut put = |oid: &str, value: Value| said.insert(oid.parse().unwrap(), value);
        put("1.3.6.1.4.1.99999.2.1", Value::Integer(400));
        put("1.3.6.1.4.1.99999.9.1", Value::Integer(7));
        put("1.3.6.1.4.1.99999.2.2", Value::Integer(999));
        put("1.3.6.1.4.1.99999.9.2", Value::Integer(8));
        put("1.3.6.1.4.1.99999.3.1.4.63", Value::Counter32(5));
        put("1.3.6.1.4.1.99999.4.1.4.63", Value::text("Full color copy count"));
        put("1.3.6.1.4.1.99999.3.1.4.70", Value::Counter32(6));
        put("1.3.6.1.4.1.99999.4.1.4.70", Value::text("Document Feeder"));
        let meters = read(&said, Charset::default(), [&profile].into_iter());
        let words: Vec<_> = meters.iter().map(|m| (m.function, m.color, m.value)).collect();
        assert_eq!(
            words,
            [
                (Function::Print, ColorMode::All, 7),
                (Function::Copy, ColorMode::Full, 5),
                (Function::Other, ColorMode::Unknown, 6),
            ]
        );
        assert_eq!(meters[2].name.as_deref(), Some("Document Feeder"));
    }
}
