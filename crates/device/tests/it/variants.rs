//! Recordings that nobody has seen: each visible one with a plausible change, as another firmware, another model of the
//! family, or another country would give it. What the change does not touch must read as before.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use device::profile::{Catalogue, RowKey};
use device::{Origin, Snapshot, assemble, load_recording};
use snmp::{Oid, Value};
use wire::{Level, Reading, SnmpVersion};

use crate::recordings::{pairs, recordings};

const SUPPLY: &str = "1.3.6.1.2.1.43.11.1.1";
const PRINTER_MIB: &str = "1.3.6.1.2.1.43";
const HOST: &str = "1.3.6.1.2.1.25.3";

fn oid(text: &str) -> Oid {
    text.parse().unwrap()
}

fn read(said: &Snapshot) -> Reading {
    assemble(said, Origin::new("127.0.0.1", 161, SnmpVersion::V2c))
}

/// Every recording by its name, as it is.
fn all() -> Vec<(String, Snapshot)> {
    let Some(folder) = recordings() else { return Vec::new() };
    let name = |walk: &Path| walk.file_stem().unwrap().to_string_lossy().into_owned();
    pairs(&folder).iter().map(|(_, walk)| (name(walk), load_recording(walk).unwrap())).collect()
}

/// The same with each object changed: another identifier, another value, or gone.
fn changed(said: &Snapshot, change: impl Fn(&Oid, &Value) -> Option<(Oid, Value)>) -> Snapshot {
    let mut other = Snapshot::new();
    for (oid, value) in said.iter().filter_map(|(oid, value)| change(oid, value)) {
        other.insert(oid, value);
    }
    other
}

/// Column and index of a cell of the table with this entry.
fn cell(object: &Oid, entry: &str) -> Option<(u32, Vec<u32>)> {
    let arcs = object.suffix_of(&oid(entry))?;
    let (column, index) = arcs.split_first()?;
    (!index.is_empty()).then(|| (*column, index.to_vec()))
}

/// What a reading says, without the places where it found it.
fn facts(reading: &Reading) -> BTreeMap<&'static str, Vec<String>> {
    let identity = &reading.identity;
    let supply = |supply: &wire::Supply| {
        let level = serde_json::to_string(&supply.level).unwrap();
        format!("{:?} {} {:?} {:?} {level}", supply.description, supply.kind, supply.color, supply.class)
    };
    let meter = |meter: &wire::Meter| {
        format!(
            "{:?} {:?} {:?} {:?} {:?} {} {:?}",
            meter.function, meter.color, meter.size, meter.sides, meter.unit, meter.value, meter.name
        )
    };
    let mut facts: BTreeMap<&'static str, Vec<String>> = BTreeMap::from([
        ("identity", vec![format!("{:?} {:?} {:?}", identity.vendor, identity.model, identity.serial)]),
        ("supplies", reading.supplies.iter().map(supply).collect()),
        ("meters", reading.meters.iter().map(meter).collect()),
        ("state", vec![format!("{:?}", reading.status.state)]),
        ("reasons", reading.status.reasons.clone()),
        ("inputs", reading.inputs.iter().map(|tray| format!("{:?} {:?}", tray.name, tray.level)).collect()),
    ]);
    facts.values_mut().for_each(|list| list.sort());
    facts
}

/// What of two readings differs.
fn differences(name: &str, before: &Reading, after: &Reading) -> Vec<String> {
    let (before, after) = (facts(before), facts(after));
    let differs = |(what, list): (&&'static str, &Vec<String>)| {
        let other = &after[*what];
        let gone: Vec<_> = list.iter().filter(|fact| !other.contains(fact)).collect();
        let new: Vec<_> = other.iter().filter(|fact| !list.contains(fact)).collect();
        (list != other).then(|| format!("{name} {what}: no longer {gone:?}, now {new:?}"))
    };
    before.iter().filter_map(differs).collect()
}

/// Reads all recordings before and after a change that must change nothing.
fn hold(change: impl Fn(&Oid, &Value) -> Option<(Oid, Value)>) {
    let mut wrong = Vec::new();
    for (name, said) in all() {
        wrong.extend(differences(&name, &read(&said), &read(&changed(&said, &change))));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn another_unit_of_levels_changes_no_share() {
    let mut wrong = Vec::new();
    for (name, said) in all() {
        let before = read(&said);
        let measured = |index: &[u32]| {
            let index = index.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
            let supply = before.supplies.iter().find(|supply| supply.index == index);
            supply.is_some_and(|supply| {
                supply.level.percent().is_some() && supply.raw.max.is_some_and(|max| (1..1_000_000).contains(&max))
            })
        };
        // Tenths of grams instead of whatever they were.
        let after = changed(&said, |object, value| {
            let value = match cell(object, SUPPLY) {
                Some((7, index)) if measured(&index) => Value::Integer(13),
                Some((8 | 9, index)) if measured(&index) => Value::Integer(value.as_i64()? as i32 * 37),
                _ => value.clone(),
            };
            Some((object.clone(), value))
        });
        wrong.extend(differences(&name, &before, &read(&after)));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn capacities_that_are_unknown_make_no_figure_that_nobody_said() {
    let mut wrong = Vec::new();
    for (name, said) in all() {
        let after = read(&changed(&said, |object, value| {
            let unknown = cell(object, SUPPLY).is_some_and(|(column, _)| column == 8);
            Some((object.clone(), if unknown { Value::Integer(-2) } else { value.clone() }))
        }));
        for supply in after.supplies.iter().filter(|supply| supply.raw.max == Some(-2)) {
            let told = supply.raw.level.unwrap_or(-2);
            let right = match supply.level {
                Level::Percent { value } => supply.raw.unit == Some(19) && (value - told as f64).abs() < 0.01,
                Level::Staged { steps, .. } => (0..=i64::from(steps)).contains(&told),
                Level::SomeRemaining => told == -3,
                Level::Unrestricted => told == -1,
                Level::Unknown => true,
            };
            if !right {
                wrong.push(format!("{name} {}: {:?} of {:?}", supply.index, supply.level, supply.raw));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn gaps_in_the_indices_of_supplies_lose_nothing() {
    // Private tables that are joined by the index go along.
    let joined = |object: &Oid| {
        let tables = Catalogue::current().iter().flat_map(|profile| profile.supply_tables.clone()).collect::<Vec<_>>();
        let columns = tables.iter().filter(|table| table.description.is_none());
        let columns = columns.flat_map(|table| [table.part_number.clone(), table.serial.clone()]).flatten();
        columns.map(|column| column.0).any(|column| object.starts_with(&column))
    };
    hold(|object, value| {
        let supplies = cell(object, SUPPLY).is_some();
        if !supplies && !joined(object) {
            return Some((object.clone(), value.clone()));
        }
        let last = object.arcs().last()?;
        Some((object.parent()?.child(last * 3 + 4), value.clone()))
    });
}

#[test]
fn another_place_of_the_printer_among_the_devices_of_its_host_changes_nothing() {
    hold(|object, value| {
        let moved = |entry: &str| {
            let (column, mut index) = cell(object, entry)?;
            (index[0] == 1).then(|| index[0] = 7)?;
            Some(oid(entry).child(column).join(&index))
        };
        let printer_tables =
            ["5.1.1", "6.1.1", "7.1.1", "8.2.1", "9.2.1", "10.2.1", "11.1.1", "12.1.1", "16.5.1", "18.1.1"];
        let entries = printer_tables.map(|table| format!("{PRINTER_MIB}.{table}"));
        let host = ["2.1", "5.1"].map(|table| format!("{HOST}.{table}"));
        let place = entries.iter().chain(&host).find_map(|entry| moved(entry));
        Some((place.unwrap_or_else(|| object.clone()), value.clone()))
    });
}

#[test]
fn counters_of_a_marker_with_another_number_are_the_same() {
    let marker = format!("{PRINTER_MIB}.10.2.1");
    hold(|object, value| match cell(object, &marker) {
        Some((column, mut index)) => {
            *index.last_mut()? += 2;
            Some((oid(&marker).child(column).join(&index), value.clone()))
        }
        None => Some((object.clone(), value.clone())),
    });
}

#[test]
fn numbers_of_other_types_and_texts_with_tails_are_the_same() {
    hold(|object, value| {
        let value = match value {
            // -1, -2 and -3 come as the largest numbers of an unsigned type.
            Value::Integer(number) if cell(object, SUPPLY).is_some() => Value::Gauge32(*number as u32),
            Value::Counter32(number) if *number <= i32::MAX as u32 => Value::Integer(*number as i32),
            Value::OctetString(bytes) if !bytes.is_empty() && bytes.iter().all(|byte| (b' '..0x7f).contains(byte)) => {
                Value::OctetString(Bytes::from([&bytes[..], b" \0"].concat()))
            }
            other => other.clone(),
        };
        Some((object.clone(), value))
    });
}

#[test]
fn another_order_of_the_rows_of_private_counters_changes_no_meaning() {
    let mut moved = 0;
    let mut wrong = Vec::new();
    for (name, said) in all() {
        let tables: Vec<[Option<Oid>; 3]> = Catalogue::current()
            .iter()
            .flat_map(|profile| &profile.counter_tables)
            .filter(|table| matches!(table.key, RowKey::Code | RowKey::Label))
            .map(|table| {
                let column = |column: &Option<device::profile::Dotted>| column.as_ref().map(|column| column.0.clone());
                [Some(table.value.0.clone()), column(&table.code), column(&table.label)]
            })
            .collect();
        let mut places: BTreeMap<Oid, Oid> = BTreeMap::new();
        for columns in tables {
            let Some(values) = &columns[0] else { continue };
            let indices: Vec<Vec<u32>> = said.column(values).map(|(index, _)| index).collect();
            for column in columns.iter().flatten() {
                for (index, other) in indices.iter().zip(indices.iter().rev()) {
                    places.insert(column.join(index), column.join(other));
                }
            }
        }
        let after = changed(&said, |object, value| Some((places.get(object).unwrap_or(object).clone(), value.clone())));
        moved += places.keys().filter(|object| said.get(object).is_some()).count();
        wrong.extend(differences(&name, &read(&said), &read(&after)));
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    assert!(moved > 50 || recordings().is_none(), "{moved}");
}

/// Each table by itself is missing: the others say what they said.
#[test]
fn a_missing_table_takes_only_what_it_told() {
    let mut wrong = Vec::new();
    for (name, said) in all() {
        let before = read(&said);
        for (table, takes) in [
            ("1.3.6.1.2.1.2", &[][..]),
            ("1.3.6.1.2.1.25", &["state", "reasons", "identity"]),
            ("1.3.6.1.2.1.43.5", &["identity"]),
            ("1.3.6.1.2.1.43.8", &["inputs"]),
            ("1.3.6.1.2.1.43.10", &["meters"]),
            ("1.3.6.1.2.1.43.11", &["supplies", "reasons"]),
            ("1.3.6.1.2.1.43.12", &["supplies"]),
            ("1.3.6.1.2.1.43.16", &["state"]),
            ("1.3.6.1.2.1.43.18", &["state", "reasons"]),
        ] {
            let without = oid(table);
            let after = read(&changed(&said, |object, value| {
                (!object.starts_with(&without)).then(|| (object.clone(), value.clone()))
            }));
            let differ = differences(&format!("{name} without {table}"), &before, &after);
            wrong.extend(
                differ.into_iter().filter(|line| !takes.iter().any(|what| line.contains(&format!(" {what}: ")))),
            );
            // Less may be told of who it is, never something else.
            for (was, is) in
                [(&before.identity.vendor, &after.identity.vendor), (&before.identity.serial, &after.identity.serial)]
            {
                if is.is_some() && was != is {
                    wrong.push(format!("{name} without {table}: was {was:?}, is {is:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

/// Another model of the same family: its number is another wherever it stands.
#[test]
fn another_model_of_the_same_family_is_called_by_its_own_name() {
    let mut wrong = Vec::new();
    for (name, said) in all() {
        let before = read(&said);
        let Some(model) = before.identity.model.clone() else { continue };
        let digits = |word: &&str| word.bytes().filter(u8::is_ascii_digit).count() >= 3;
        let Some(word) = model.split([' ', '-', '/']).find(digits) else { continue };
        // 2503 becomes 2589, say.
        let at = word.rfind(|letter: char| letter.is_ascii_digit()).unwrap();
        let other = format!("{}{}{}", &word[..at], if &word[at..=at] == "7" { "9" } else { "7" }, &word[at + 1..]);
        let after = read(&changed(&said, |object, value| {
            let value = match value {
                Value::OctetString(bytes) => {
                    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
                    Value::OctetString(text.replace(word, &other).chars().map(|letter| letter as u8).collect())
                }
                other => other.clone(),
            };
            Some((object.clone(), value))
        }));
        let wanted = model.replace(word, &other);
        if after.identity.model.as_ref() != Some(&wanted) || after.identity.vendor != before.identity.vendor {
            wrong.push(format!("{name}: {:?} {:?}, not {wanted}", after.identity.vendor, after.identity.model));
        }
        let told = |reading: &Reading| (facts(reading)["meters"].len(), reading.supplies.len());
        if told(&after) != told(&before) {
            wrong.push(format!("{name}: {:?} counters and supplies, not {:?}", told(&after), told(&before)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The four colours and a waste box in the words of a country, in the bytes of a character set.
#[test]
fn descriptions_of_other_countries_tell_the_same_colours() {
    const COLORS: [&str; 4] = ["black", "cyan", "magenta", "yellow"];
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    let latin1 = |text: &str| text.chars().map(|letter| letter as u8).collect::<Vec<u8>>();
    let utf8 = |text: &str| text.as_bytes().to_vec();
    let shift_jis = |text: &str| encoding_rs::SHIFT_JIS.encode(text).0.into_owned();
    type Write<'a> = &'a dyn Fn(&str) -> Vec<u8>;
    let countries: [(&str, i64, Write<'_>, [&str; 5]); 8] = [
        ("German", 4, &latin1, ["Schwarztoner", "Cyantoner", "Magentatoner", "Gelbtoner", "Resttonerbehälter"]),
        ("French", 4, &latin1, ["Toner noir", "Toner cyan", "Toner magenta", "Toner jaune", "Bac de récupération"]),
        ("Spanish", 1_013, &utf16, ["Tóner negro", "Tóner cian", "Tóner magenta", "Tóner amarillo", "Tóner residual"]),
        ("Italian", 106, &utf8, ["Toner nero", "Toner ciano", "Toner magenta", "Toner giallo", "Recupero toner"]),
        ("Polish", 106, &utf8, ["Czarny toner", "Błękitny toner", "Purpurowy toner", "Żółty toner", "Zużyty toner"]),
        (
            "Russian",
            1_013,
            &utf16,
            ["Чёрный тонер", "Голубой тонер", "Пурпурный тонер", "Жёлтый тонер", "Отработанный тонер"],
        ),
        (
            "Japanese",
            17,
            &shift_jis,
            ["ブラックトナー", "シアントナー", "マゼンタトナー", "イエロートナー", "廃トナーボックス"],
        ),
        ("Chinese", 106, &utf8, ["黑色墨粉", "青色墨粉", "品红色墨粉", "黄色墨粉", "废粉盒"]),
    ];
    let (mut wrong, mut named) = (Vec::new(), 0);
    for (name, said) in all() {
        let before = read(&said);
        for (country, charset, write, words) in &countries {
            let word = |index: &[u32]| {
                let index = index.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
                let supply = before.supplies.iter().find(|supply| supply.index == index)?;
                let color = COLORS.iter().position(|color| supply.color.as_deref() == Some(color));
                match supply.kind.as_str() {
                    "toner" | "toner-cartridge" => Some(words[color?]),
                    "waste-toner" => Some(words[4]),
                    _ => None,
                }
            };
            // The words are all that there is: neither colorants nor types.
            let mut after = changed(&said, |object, value| {
                let value = match cell(object, SUPPLY) {
                    Some((6, index)) => word(&index).map(|word| Value::OctetString(write(word).into()))?,
                    Some((3..=5, _)) => return None,
                    _ => value.clone(),
                };
                let texts = [format!("{PRINTER_MIB}.7.1.1.4"), format!("{PRINTER_MIB}.12.1.1")];
                (!texts.iter().any(|gone| object.starts_with(&oid(gone)))).then(|| (object.clone(), value))
            });
            after.insert(oid(&format!("{PRINTER_MIB}.7.1.1.4.1.1")), Value::Integer(*charset as i32));
            for supply in &read(&after).supplies {
                let index: Vec<u32> = supply.index.split('.').filter_map(|arc| arc.parse().ok()).collect();
                let Some(word) = word(&index).filter(|_| supply.description.is_some()) else { continue };
                let color = words.iter().position(|known| *known == word).and_then(|place| COLORS.get(place));
                let kind = if color.is_some() { "toner" } else { "waste-toner" };
                named += 1;
                let right = supply.description.as_deref() == Some(word)
                    && supply.kind == kind
                    && supply.color.as_deref() == color.copied();
                if !right {
                    wrong.push(format!("{name} in {country}: {word} is {supply:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong[..wrong.len().min(40)].join("\n"));
    assert!(named > 200 || recordings().is_none(), "{named}");
}

/// The maker behind a brand.
fn maker_of(brand: Option<&str>) -> Option<String> {
    match brand? {
        "fuji-xerox" => Some("fujifilm".to_owned()),
        brand => Catalogue::current().iter().find(|profile| profile.vendor == brand)?.made_by.clone(),
    }
}

/// Embedded Linux with its own agent: the system group tells of the agent's maker, or nothing.
#[test]
fn a_system_group_without_the_maker_hides_no_device_that_names_itself_elsewhere() {
    let mut wrong = Vec::new();
    for (name, said) in all() {
        let before = read(&said);
        let text = |object: &str| said.get(&oid(object)).and_then(Value::as_bytes).map(<[u8]>::to_ascii_lowercase);
        let names =
            Catalogue::current().iter().find(|profile| Some(&profile.vendor) == before.identity.vendor.as_ref());
        let names: Vec<String> =
            names.map(|profile| profile.names.iter().map(|name| name.to_lowercase()).collect()).unwrap();
        let tells = |object: &str| {
            text(object).is_some_and(|text| {
                let text = String::from_utf8_lossy(&text).into_owned();
                names.iter().any(|name| text.contains(name.as_str()))
            })
        };
        let (system, device) = (tells("1.3.6.1.2.1.1.1.0"), tells("1.3.6.1.2.1.25.3.2.1.3.1"));
        for (what, object, descr, known) in [
            ("object", Some("1.3.6.1.4.1.8072.3.2.10"), None, system || device),
            ("no object", Some("0.0"), None, system || device),
            ("description", None, Some("Linux PRN 4.9.88 #1 SMP PREEMPT armv7l"), true),
            ("both", Some("1.3.6.1.4.1.8072.3.2.10"), Some("Linux PRN 4.9.88 #1 SMP PREEMPT armv7l"), device),
        ] {
            let after = read(&changed(&said, |object_id, value| {
                let value = match object_id.to_string().as_str() {
                    "1.3.6.1.2.1.1.1.0" => descr.map_or_else(|| value.clone(), Value::text),
                    "1.3.6.1.2.1.1.2.0" => object.map_or_else(|| value.clone(), |text| Value::ObjectId(oid(text))),
                    _ => value.clone(),
                };
                Some((object_id.clone(), value))
            }));
            let (was, is) = (&before.identity, &after.identity);
            let system_said = is.model.as_deref().is_some_and(|model| model.contains("Linux"));
            // Where nothing names the brand the maker behind it does, by sysObjectID.
            let maker = is.vendor.is_some() && is.vendor == maker_of(was.vendor.as_deref());
            let known = known && (what != "description" || said.get(&oid("1.3.6.1.2.1.1.2.0")).is_some());
            if known && was.vendor != is.vendor && !maker
                || system_said
                || is.serial.is_some() && is.serial != was.serial
            {
                wrong.push(format!(
                    "{name} {what}: {:?} {:?} {:?}, was {:?} {:?} {:?}",
                    is.vendor, is.model, is.serial, was.vendor, was.model, was.serial
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Cells that a device leaves out at random: less is told, and nothing else.
#[test]
fn objects_that_are_missing_at_random_make_no_other_answer() {
    let mut wrong = Vec::new();
    for (name, said) in all() {
        let before = read(&said);
        for seed in 0..40_u64 {
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let objects: Vec<Oid> = said
                .iter()
                .filter(|_| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    state % 5 == 0
                })
                .map(|(oid, _)| oid.clone())
                .collect();
            let gone: std::collections::BTreeSet<&Oid> = objects.iter().collect();
            let after = read(&changed(&said, |object, value| {
                (!gone.contains(object)).then(|| (object.clone(), value.clone()))
            }));
            let mut check = |what: &str, right: bool, is: &dyn std::fmt::Debug, was: &dyn std::fmt::Debug| {
                if !right {
                    wrong.push(format!("{name} {seed} {what}: {is:?}, was {was:?}"));
                }
            };
            let (was, is) = (&before.identity, &after.identity);
            // Two numbers of one device are told apart by what is remembered of it, see `hard`.
            let serial = is.serial.is_none() || is.serial == was.serial || was.vendor.as_deref() == Some("brother");
            check("serial", serial, &is.serial, &was.serial);
            let maker = is.vendor == maker_of(was.vendor.as_deref());
            check("vendor", is.vendor.is_none() || is.vendor == was.vendor || maker, &is.vendor, &was.vendor);
            for supply in &after.supplies {
                let same = before.supplies.iter().find(|known| known.index == supply.index).unwrap();
                let level = supply.level == same.level || supply.level == Level::Unknown;
                check("level", level, &(supply.level, supply.raw), &(same.level, same.raw));
                check(
                    "class",
                    supply.class == same.class
                        || supply.class == wire::Class::Other
                        || same.class == wire::Class::Other,
                    &supply,
                    &same,
                );
                check("color", supply.color.is_none() || supply.color == same.color, &supply.color, &same.color);
            }
            for meter in &after.meters {
                let same = before.meters.iter().find(|known| known.source == meter.source);
                check(
                    "meter",
                    same.is_some_and(|same| (same.value, same.function) == (meter.value, meter.function)),
                    &meter,
                    &same,
                );
            }
            for reason in &after.status.reasons {
                check("reason", before.status.reasons.contains(reason), reason, &before.status.reasons);
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong[..wrong.len().min(60)].join("\n"));
}
