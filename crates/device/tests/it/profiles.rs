//! Each profile has an invented walk beside (`tests/walks/<vendor>.snmprec`) that has each of its objects once. Lines of
//! the walk that begin with `=` say what is read from it. `PLATEN_BLESS=1` writes these lines anew: read them then.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use device::profile::{Catalogue, Profile, RowKey};
use device::{Origin, Snapshot, assemble, parse_recording};
use snmp::{Oid, Value};
use wire::{Level, Reading, SnmpVersion};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/walks")
}

fn walk(profile: &Profile) -> (PathBuf, String) {
    let path = folder().join(format!("{}.snmprec", profile.vendor));
    let text = std::fs::read_to_string(&path);
    let text = text.unwrap_or_else(|_| {
        panic!("profiles/{}.toml has no walk of its own: write {}", profile.vendor, path.display())
    });
    (path, text)
}

fn profiles() -> Vec<Arc<Profile>> {
    Catalogue::current().iter().cloned().collect()
}

fn read(said: &Snapshot) -> Reading {
    assemble(said, Origin::new("127.0.0.1", 161, SnmpVersion::V2c))
}

/// What was read, a line a fact.
fn facts(reading: &Reading) -> Vec<String> {
    let identity = &reading.identity;
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let mut lines = vec![
        format!("= vendor {}", text(&identity.vendor)),
        format!("= model {}", text(&identity.model)),
        format!("= serial {}", text(&identity.serial)),
    ];
    lines.extend(identity.firmware.iter().map(|part| format!("= firmware {}: {}", part.name, part.version)));
    lines.extend(reading.status.reasons.iter().map(|reason| format!("= reason {reason}")));
    for supply in &reading.supplies {
        let level = match supply.level {
            Level::Percent { value } => format!("{value} %"),
            Level::Staged { value, steps } => format!("step {value} of {steps}"),
            other => other.kind().to_owned(),
        };
        let (part, serial) = (text(&supply.part_number), text(&supply.serial));
        lines.push(format!("= supply {} {level}, part {part}, serial {serial}", supply.index));
    }
    for meter in &reading.meters {
        let words = [
            meter.function.as_str(),
            meter.color.as_str(),
            meter.size.as_str(),
            meter.sides.as_str(),
            meter.unit.as_str(),
        ];
        lines.push(format!("= meter {} {} ({})", words.join(" "), meter.value, text(&meter.name)));
    }
    lines
}

#[test]
fn every_profile_reads_its_walk_as_written() {
    let bless = std::env::var_os("PLATEN_BLESS").is_some();
    let mut wrong = Vec::new();
    for profile in profiles() {
        let (path, text) = walk(&profile);
        let read = facts(&read(&parse_recording(text.as_bytes())));
        let expected: Vec<&str> = text.lines().filter(|line| line.starts_with('=')).collect();
        if bless {
            let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with('=')).collect();
            std::fs::write(&path, format!("{}\n{}\n", kept.join("\n"), read.join("\n"))).unwrap();
        } else if read != expected {
            let missing = expected.iter().filter(|line| !read.iter().any(|fact| fact == *line));
            let strange = read.iter().filter(|fact| !expected.contains(&fact.as_str()));
            wrong.push(format!(
                "{}: not read {:?}, not expected {:?}",
                profile.vendor,
                missing.collect::<Vec<_>>(),
                strange.collect::<Vec<_>>()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The objects of a profile that its walk lacks, and the counters that nobody gets.
fn missing(profile: &Profile, said: &Snapshot, reading: &Reading) -> Vec<String> {
    let mut missing = Vec::new();
    let mut need = |what: &str, oid: &Oid, there: bool| {
        if !there {
            missing.push(format!("{}: {what} {oid}", profile.vendor));
        }
    };
    let sources: BTreeSet<&str> = reading.meters.iter().map(|meter| meter.source.as_str()).collect();
    let own = profile.model.oids.iter().chain(&profile.serial.oids).chain(&profile.device_ids);
    let firmware = profile.firmware.iter().filter_map(|rule| rule.oid.as_ref());
    for object in own.chain(firmware) {
        need("object", &object.0, said.get(&object.0).is_some());
    }
    let columns = profile.conditions.iter().map(|condition| &condition.column);
    let columns = columns.chain(profile.firmware_tables.iter().flat_map(|table| [&table.name, &table.version]));
    let supplies = profile.supply_tables.iter();
    let supplies = supplies.flat_map(|table| [&table.description, &table.part_number, &table.serial]).flatten();
    for column in columns.chain(supplies) {
        need("column", &column.0, said.has(&column.0));
    }
    for count in &profile.counters {
        need("counter", &count.oid.0, sources.contains(count.oid.0.to_string().as_str()));
    }
    for table in &profile.counter_tables {
        for row in &table.rows {
            let read = match table.key {
                RowKey::Suffix => table.objects().all(|(object, _)| sources.contains(object.to_string().as_str())),
                RowKey::Index => {
                    let code = u32::try_from(row.code.unwrap()).unwrap();
                    sources.contains(table.value.0.child(code).to_string().as_str())
                }
                RowKey::Code => {
                    said.column(&table.code.as_ref().unwrap().0).any(|(_, value)| value.as_i64() == row.code)
                }
                RowKey::Label => reading.meters.iter().any(|meter| meter.name == row.label),
            };
            need(&format!("row {:?} {:?} {:?}", row.code, row.label, row.at), &table.value.0, read);
        }
    }
    for records in &profile.counter_records {
        let count = reading.meters.iter().filter(|meter| meter.source.starts_with(&records.oid.0.to_string())).count();
        need("records", &records.oid.0, count == records.rows.len());
    }
    missing
}

#[test]
fn every_object_of_every_profile_stands_in_its_walk() {
    let mut all = Vec::new();
    for profile in profiles() {
        let said = parse_recording(walk(&profile).1.as_bytes());
        all.extend(missing(&profile, &said, &read(&said)));
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

/// Model and serial number from each of the objects by itself: later ones of a list are exercised too.
#[test]
fn every_object_of_model_and_serial_number_serves_by_itself() {
    let mut tried = 0;
    for profile in profiles() {
        let full = parse_recording(walk(&profile).1.as_bytes());
        let alone = |object: &Oid, text: &'static str| {
            let mut said = Snapshot::new();
            for known in ["1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0"].map(|oid| oid.parse::<Oid>().unwrap()) {
                said.insert(known.clone(), full.get(&known).unwrap().clone());
            }
            said.insert(object.clone(), Value::text(text));
            read(&said).identity
        };
        for object in &profile.serial.oids {
            assert_eq!(
                alone(&object.0, "QX7788990").serial.as_deref(),
                Some("QX7788990"),
                "{} {}",
                profile.vendor,
                object.0
            );
            tried += 1;
        }
        let first = profile.model.from.first() == Some(&device::profile::ModelSource::Own);
        for object in profile.model.oids.iter().filter(|_| first) {
            assert_eq!(
                alone(&object.0, "Quux 77").model.as_deref(),
                Some("Quux 77"),
                "{} {}",
                profile.vendor,
                object.0
            );
            tried += 1;
        }
    }
    assert!(tried > 25, "{tried}");
}
