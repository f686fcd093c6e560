//! What a device uses up and fills (prtMarkerSuppliesTable with prtMarkerColorantTable, finSupplyTable).

use wire::{Class, RawLevel, Supply};

use crate::level;
use crate::profile::{Dotted, StagedLevels, SupplyRules, SupplyTable};
use crate::snapshot::{Row, Snapshot, dotted};
use crate::standard::{oid, words};
use crate::text::Charset;

/// How this vendor's supplies differ from the RFC.
#[derive(Clone, Debug, Default)]
pub struct Habits<'a> {
    /// Coarse steps that fit this device.
    pub staged: Option<&'a StagedLevels>,
    /// Where descriptions hold part and serial numbers, brand and maker.
    pub rules: Vec<&'a SupplyRules>,
    /// Private tables that hold part and serial numbers.
    pub tables: Vec<&'a SupplyTable>,
}

/// Kinds by PrtMarkerSuppliesTypeTC, from 1.
const KINDS: [&str; 34] = [
    "other",
    "unknown",
    "toner",
    "waste-toner",
    "ink",
    "ink-cartridge",
    "ink-ribbon",
    "waste-ink",
    "opc",
    "developer",
    "fuser-oil",
    "solid-wax",
    "ribbon-wax",
    "waste-wax",
    "fuser",
    "corona-wire",
    "fuser-oil-wick",
    "cleaner-unit",
    "fuser-cleaning-pad",
    "transfer-unit",
    "toner-cartridge",
    "fuser-oiler",
    "water",
    "waste-water",
    "glue-water-additive",
    "waste-paper",
    "binding-supply",
    "banding-supply",
    "stitching-wire",
    "shrink-wrap",
    "paper-wrap",
    "staples",
    "inserts",
    "covers",
];

/// prtMarkerSuppliesTable, then the finisher's supplies. Faults met on the way are added to `quirks`.
pub fn read(said: &Snapshot, charset: Charset, habits: &Habits<'_>, quirks: &mut Vec<String>) -> Vec<Supply> {
    let mut supplies = Vec::new();
    for (index, row) in said.table(&oid::SUPPLY) {
        let raw = RawLevel { unit: row.number(7), max: row.signed(8), level: row.signed(9) };
        let judged = level::judge(raw, habits.staged);
        if judged.above_capacity {
            quirks.push("supply-level-above-capacity".to_owned());
        }
        let description = row.text(6, charset);
        let kind = kind(row.number(5), description.as_deref());
        supplies.push(Supply {
            index: dotted(&index),
            color: color(said, charset, &index, &row, description.as_deref(), &kind),
            class: class(row.number(4), &kind),
            part_number: habits.rules.iter().find_map(|rules| word_after(description.as_deref()?, &rules.part_after)),
            serial: habits.rules.iter().find_map(|rules| word_after(description.as_deref()?, &rules.serial_after)),
            level: judged.level,
            description,
            kind,
            raw,
        });
    }
    for table in &habits.tables {
        numbers_of(said, charset, table, &mut supplies);
    }
    supplies.extend(said.table(&oid::FINISHER_SUPPLY).iter().filter_map(|(index, row)| finisher(index, row, charset)));
    supplies
}

/// Part and serial numbers of a private table, for the supplies that lack them. Rows are known by their description,
/// if the table has one that no two rows share, else by the index.
fn numbers_of(said: &Snapshot, charset: Charset, table: &SupplyTable, supplies: &mut [Supply]) {
    let rows: Vec<(String, Vec<u32>)> = match &table.description {
        Some(column) => said
            .column(&column.0)
            .filter_map(|(index, value)| Some((crate::snapshot::text(value, charset)?, index)))
            .collect(),
        None => {
            let columns = table.part_number.iter().chain(&table.serial);
            let indexes = columns.flat_map(|column| said.column(&column.0).map(|(index, _)| index));
            let row = |index: &Vec<u32>| match index[..] {
                [row, 0] if table.scalars => format!("1.{row}"),
                _ => dotted(index),
            };
            indexes.map(|index| (row(&index), index)).collect()
        }
    };
    let by_text = table.description.is_some();
    for place in 0..supplies.len() {
        let supply = &supplies[place];
        let key = if by_text { supply.description.clone() } else { Some(supply.index.clone()) };
        let twin = |other: &Supply| other.index != supply.index && other.description == supply.description;
        let mut fitting = rows.iter().filter(|(name, _)| Some(name) == key.as_ref());
        let Some((_, index)) = fitting.next() else { continue };
        if by_text && (fitting.next().is_some() || supplies.iter().any(twin)) {
            continue;
        }
        let told = |column: &Option<Dotted>| {
            said.text(&column.as_ref()?.0.join(index), charset).filter(|text| is_number_of_a_part(text))
        };
        let supply = &mut supplies[place];
        supply.part_number = supply.part_number.take().or_else(|| told(&table.part_number));
        supply.serial = supply.serial.take().or_else(|| told(&table.serial));
    }
}

/// "unknown" and filling are no numbers.
fn is_number_of_a_part(text: &str) -> bool {
    text.len() >= 3 && text.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
}

/// A row of finSupplyTable; its index is told apart from the marker's by a leading `f`.
fn finisher(index: &[u32], row: &Row<'_>, charset: Charset) -> Option<Supply> {
    let raw = RawLevel { unit: row.number(6), max: row.signed(7), level: row.signed(8) };
    let description = row.text(5, charset);
    if description.is_none() && raw.level.is_none() {
        return None;
    }
    let kind = kind(row.number(4), description.as_deref());
    Some(Supply {
        index: format!("f{}", dotted(index)),
        color: None,
        class: class(row.number(3), &kind),
        part_number: None,
        serial: None,
        level: level::judge(raw, None).level,
        description,
        kind,
        raw,
    })
}

fn kind(code: Option<i64>, description: Option<&str>) -> String {
    let stated = code.and_then(|code| KINDS.get(usize::try_from(code).ok()?.checked_sub(1)?));
    if let Some(stated) = stated.filter(|kind| !matches!(**kind, "other" | "unknown")) {
        return (*stated).to_owned();
    }
    let told = description.and_then(words::kind).filter(|_| code != Some(1));
    told.unwrap_or("other").to_owned()
}

/// The direction as the device says it, else as the kind implies it.
fn class(code: Option<i64>, kind: &str) -> Class {
    match code {
        Some(3) => Class::Consumed,
        Some(4) => Class::Receptacle,
        Some(_) => Class::Other,
        None if kind.starts_with("waste") => Class::Receptacle,
        None if kind == "other" || kind == "unknown" => Class::Other,
        None => Class::Consumed,
    }
}

fn color(
    said: &Snapshot,
    charset: Charset,
    index: &[u32],
    row: &Row<'_>,
    description: Option<&str>,
    kind: &str,
) -> Option<String> {
    let colorant = row.number(3).and_then(|colorant| u32::try_from(colorant).ok()).filter(|colorant| *colorant > 0);
    let stated = colorant
        .and_then(|colorant| said.text(&oid::COLORANT_VALUE.join(&[*index.first()?, colorant]), charset))
        .map(|word| words::color(&word).map_or_else(|| word.to_lowercase(), str::to_owned))
        .filter(|word| !matches!(word.as_str(), "none" | "unknown" | "other"));
    let colored = matches!(
        kind,
        "toner" | "toner-cartridge" | "ink" | "ink-cartridge" | "ink-ribbon" | "opc" | "developer" | "other"
    );
    stated.or_else(|| words::color(description.filter(|_| colored)?).map(str::to_owned))
}

/// The word behind one of `marks`, if it holds a digit: `…, PN 006R01509` is 006R01509.
fn word_after(description: &str, marks: &[String]) -> Option<String> {
    let lower = description.to_ascii_lowercase();
    marks.iter().find_map(|mark| {
        let at = lower.find(&mark.to_ascii_lowercase())? + mark.len();
        let rest = description.get(at..)?.trim_start_matches([' ', ':', '.']);
        let word = rest.split([' ', ',', ';', ')']).next()?.trim();
        (word.len() >= 4 && word.bytes().any(|byte| byte.is_ascii_digit())).then(|| word.to_owned())
    })
}

/// Whether every supply that is named is ink: then low and empty are not said of toner.
pub fn only_ink(supplies: &[Supply]) -> bool {
    let ink = |supply: &Supply| supply.kind.contains("ink");
    supplies.iter().any(ink) && !supplies.iter().any(|supply| supply.kind.contains("toner"))
}

#[cfg(test)]
mod tests {
    use snmp::{Oid, Value};
    use wire::Level;

    use super::*;

    fn read_row(cells: &[(u32, Value)]) -> Supply {
        let mut said = Snapshot::new();
        for (column, value) in cells {
            said.insert(oid::SUPPLY.join(&[*column, 1, 1]), value.clone());
        }
        said.insert(oid::COLORANT_VALUE.join(&[1, 2]), Value::text("cyan"));
        let rules = SupplyRules {
            part_after: vec![", PN".to_owned(), "cartridge HP ".to_owned()],
            serial_after: vec!["S/N:".to_owned()],
        };
        let habits = Habits { staged: None, rules: vec![&rules], tables: vec![] };
        read(&said, Charset::default(), &habits, &mut Vec::new()).remove(0)
    }

    #[test]
    fn receptacles() {
        let full = read_row(&[
            (4, Value::Integer(4)),
            (5, Value::Integer(4)),
            (8, Value::Integer(100)),
            (9, Value::Integer(10)),
        ]);
        assert_eq!(
            (full.class, full.level),
            (Class::Receptacle, Level::Percent { value: 10.0 }),
            "the device's number, its direction beside it"
        );
        let unstated = read_row(&[(5, Value::Integer(4)), (8, Value::Integer(-2)), (9, Value::Integer(-3))]);
        assert_eq!((unstated.class, unstated.level), (Class::Receptacle, Level::SomeRemaining));
        let by_name = read_row(&[(6, Value::text("Waste Toner Box"))]);
        assert_eq!((by_name.class, by_name.kind.as_str()), (Class::Receptacle, "waste-toner"));
        assert_eq!(
            read_row(&[(4, Value::Integer(3)), (5, Value::Integer(4))]).class,
            Class::Consumed,
            "what the device says stands"
        );
    }

    #[test]
    fn text_holds_part_and_serial_numbers() {
        let supply = read_row(&[(6, Value::text("Cyan Toner Cartridge, PN 106R02229"))]);
        assert_eq!(supply.part_number.as_deref(), Some("106R02229"));
        let supply = read_row(&[(6, Value::text("Black Toner Cartridge S/N:CRUM-17042012345"))]);
        assert_eq!(supply.serial.as_deref(), Some("CRUM-17042012345"));
        assert_eq!(supply.description.as_deref(), Some("Black Toner Cartridge S/N:CRUM-17042012345"));
        assert_eq!(read_row(&[(6, Value::text("Fuser S/N:"))]).serial, None);
        assert_eq!(read_row(&[(6, Value::text("Black Cartridge HP CF410A"))]).part_number.as_deref(), Some("CF410A"));
    }

    #[test]
    fn part_and_serial_numbers_of_private_tables() {
        let table: SupplyTable = toml::from_str(
            "description = \"1.3.6.1.4.1.99999.5\"\npart_number = \"1.3.6.1.4.1.99999.7\"\nserial = \"1.3.6.1.4.1.99999.6\"",
        )
        .unwrap();
        let by_index = SupplyTable { description: None, part_number: None, ..table.clone() };
        let scalars =
            SupplyTable { serial: Some(Dotted(Oid::of("1.3.6.1.4.1.99999.9"))), scalars: true, ..by_index.clone() };
        let mut said = Snapshot::new();
        let mut put = |oid: String, text: &'static str| said.insert(oid.parse().unwrap(), Value::text(text));
        for (index, name) in [(1, "Black Toner"), (2, "Roller"), (3, "Roller")] {
            put(oid::SUPPLY.join(&[6, 1, index]).to_string(), name);
        }
        for (index, name) in [(4, "Roller"), (5, "Black Toner")] {
            put(format!("1.3.6.1.4.1.99999.5.1.{index}"), name);
            put(format!("1.3.6.1.4.1.99999.7.1.{index}"), "71B2XK0");
            put(format!("1.3.6.1.4.1.99999.6.1.{index}"), "CAN240110AB");
        }
        put("1.3.6.1.4.1.99999.6.1.1".to_owned(), "000000");
        put("1.3.6.1.4.1.99999.6.1.2".to_owned(), "R-77812");
        put("1.3.6.1.4.1.99999.9.3.0".to_owned(), "R-77813");
        let numbers = |table: &SupplyTable| -> Vec<(Option<String>, Option<String>)> {
            let habits = Habits { staged: None, rules: vec![], tables: vec![table] };
            let supplies = read(&said, Charset::default(), &habits, &mut Vec::new());
            supplies.into_iter().map(|supply| (supply.part_number, supply.serial)).collect()
        };
        let told = |text: &str| Some(text.to_owned());
        assert_eq!(
            numbers(&table),
            [(told("71B2XK0"), told("CAN240110AB")), (None, None), (None, None)],
            "two of one name cannot be told apart"
        );
        assert_eq!(numbers(&by_index), [(None, None), (None, told("R-77812")), (None, None)], "zeros are filling");
        assert_eq!(numbers(&scalars), [(None, None), (None, None), (None, told("R-77813"))]);
    }

    #[test]
    fn colours_come_from_the_colorant_or_the_words() {
        let by_row = read_row(&[(3, Value::Integer(2)), (6, Value::text("Toner 2"))]);
        assert_eq!(by_row.color.as_deref(), Some("cyan"));
        assert_eq!(read_row(&[(6, Value::text("黑色碳粉"))]).color.as_deref(), Some("black"));
        assert_eq!(
            read_row(&[(6, Value::text("Cartouche noire")), (5, Value::Integer(3))]).color.as_deref(),
            Some("black")
        );
        assert_eq!(read_row(&[(6, Value::text("Fuser")), (5, Value::Integer(15))]).color, None);
    }
}
