//! Printer-MIB (RFC 3805) and Finisher-MIB (RFC 3806) tables of one kind of device. hrDeviceIndex is always 1.

use snmp::Value;

use super::{Cell, Draft, PRINTER_MIB, private};
use crate::profile::{Expression, ObjectType, Profile, SupplyPlan};

pub(super) fn add(draft: &mut Draft, profile: &Profile) {
    general(draft, profile);
    covers(draft, profile);
    inputs(draft, profile);
    outputs(draft, profile);
    markers(draft, profile);
    supplies(draft, profile);
    paths(draft, profile);
    channels(draft, profile);
    console(draft, profile);
    finishers(draft, profile);
}

fn general(draft: &mut Draft, profile: &Profile) {
    const ONES: [u32; 6] = [2, 6, 7, 8, 9, 10];
    for column in ONES {
        draft.put(&format!("{PRINTER_MIB}.5.1.1.{column}.1"), Cell::number(1));
    }
    let contact = Cell::text(profile, "IT service, ext. 4400");
    let columns = [
        (1, Cell::ConfigChanges),
        (3, Cell::number(3)),
        (4, Cell::text(profile, "")),
        (5, contact),
        (11, Cell::number(profile.console.lines as i32)),
        (12, Cell::number(profile.console.width as i32)),
        (13, Cell::number(3)),
        (16, Cell::text(profile, &profile.identity.printer_name)),
        (17, Cell::text(profile, "{serial}")),
        (18, Cell::CriticalEvents),
        (19, Cell::AllEvents),
    ];
    for (column, cell) in columns {
        draft.put(&format!("{PRINTER_MIB}.5.1.1.{column}.1"), cell);
    }
    let (language, country) = &profile.identity.language;
    draft.column("7.1.1", 2, 1, Cell::text(profile, language));
    draft.column("7.1.1", 3, 1, Cell::text(profile, country));
    draft.column("7.1.1", 4, 1, Cell::number(profile.identity.charset));
}

fn covers(draft: &mut Draft, profile: &Profile) {
    for (number, cover) in profile.covers.iter().enumerate() {
        let index = number as u32 + 1;
        draft.column("6.1.1", 2, index, Cell::text(profile, &cover.name));
        draft.column("6.1.1", 3, index, Cell::Cover(number as u8, cover.interlock));
    }
}

fn inputs(draft: &mut Draft, profile: &Profile) {
    for (number, input) in profile.inputs.iter().enumerate() {
        let (width, length) = input.size;
        let description = if input.description.is_empty() { &input.name } else { &input.description };
        let empty = || Cell::Same(Value::text(""));
        let columns = [
            (2, Cell::number(input.kind)),
            (3, Cell::number(4)),
            (4, Cell::number(length)),
            (5, Cell::number(width)),
            (6, Cell::number(length)),
            (7, Cell::number(width)),
            (8, Cell::number(8)),
            (9, Cell::number(i32::from(input.sheets))),
            (10, Cell::InputLevel(number as u8)),
            (11, Cell::InputStatus(number as u8)),
            (12, Cell::text(profile, &input.media)),
            (13, Cell::text(profile, &input.name)),
            (14, empty()),
            (15, empty()),
            (16, empty()),
            (17, empty()),
            (18, Cell::text(profile, description)),
            (19, Cell::number(5)),
            (20, Cell::number(80)),
            (21, Cell::text(profile, "stationery")),
            (22, Cell::text(profile, "white")),
        ];
        for (column, cell) in columns {
            draft.column("8.2.1", column, input.index, cell);
        }
    }
}

fn outputs(draft: &mut Draft, profile: &Profile) {
    for (number, output) in profile.outputs.iter().enumerate() {
        let columns = [
            (2, Cell::number(output.kind)),
            (3, Cell::number(8)),
            (4, Cell::number(i32::from(output.sheets))),
            (5, Cell::OutputRoom(number as u8)),
            (6, Cell::OutputStatus(number as u8)),
            (7, Cell::text(profile, &output.name)),
            (12, Cell::text(profile, &output.name)),
            (13, Cell::number(5)),
            (19, Cell::number(3)),
            (20, Cell::number(4)),
        ];
        for (column, cell) in columns {
            draft.column("9.2.1", column, number as u32 + 1, cell);
        }
    }
}

fn markers(draft: &mut Draft, profile: &Profile) {
    let engine = &profile.engine;
    // Two rows tell mono and colour apart: one process colorant, and all four.
    let rows: &[(&str, i32)] = match (engine.markers, engine.colour, engine.marker_unit) {
        (2, ..) => &[("mono", 1), ("colour", 4)],
        (_, true, 8) => &[("sheets", 4)],
        (_, false, 8) => &[("sheets", 1)],
        (_, true, _) => &[("total", 4)],
        _ => &[("total", 1)],
    };
    for (number, (sum, colorants)) in rows.iter().enumerate() {
        let life = Expression::parse(sum).ok().map(|sum| Cell::Count(sum, ObjectType::Counter));
        let since = if number == 0 { "since_power_on" } else { "0" };
        let since = Expression::parse(since).ok().map(|sum| Cell::Count(sum, ObjectType::Counter));
        let columns = [
            (2, Some(Cell::number(engine.technology))),
            (3, Some(Cell::number(engine.marker_unit))),
            (4, life),
            (5, since),
            (6, Some(Cell::number(*colorants))),
            (7, Some(Cell::number(0))),
            (8, Some(Cell::number(3))),
            (9, Some(Cell::number(engine.resolution))),
            (10, Some(Cell::number(engine.resolution))),
            (11, Some(Cell::number(-2))),
            (12, Some(Cell::number(-2))),
            (13, Some(Cell::number(-2))),
            (14, Some(Cell::number(-2))),
            (15, Some(Cell::MarkerStatus)),
        ];
        for (column, cell) in columns {
            if let Some(cell) = cell {
                draft.column("10.2.1", column, number as u32 + 1, cell);
            }
        }
    }
}

/// Colour words in the order of their first supply; their place is prtMarkerColorantIndex.
fn colorants(profile: &Profile) -> Vec<&str> {
    let mut words: Vec<&str> = Vec::new();
    for word in profile.supplies.iter().filter_map(|supply| supply.colorant.as_deref()) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

fn supplies(draft: &mut Draft, profile: &Profile) {
    let lean = profile.manners.lean_supplies;
    let words = colorants(profile);
    for (number, supply) in profile.supplies.iter().enumerate().filter(|(_, supply)| supply.finisher == 0) {
        let place = |word: &str| words.iter().position(|known| *known == word).map_or(0, |place| place as i32 + 1);
        let colorant = supply.colorant.as_deref().map_or(0, place);
        if !lean {
            draft.column("11.1.1", 2, supply.index, Cell::number(1));
            draft.column("11.1.1", 3, supply.index, Cell::number(colorant));
            draft.column("11.1.1", 4, supply.index, Cell::number(supply.class()));
            draft.column("11.1.1", 7, supply.index, Cell::number(supply.unit));
        }
        draft.column("11.1.1", 5, supply.index, Cell::number(supply.kind as i32));
        let description = description(draft, profile, number, supply);
        draft.column("11.1.1", 6, supply.index, description);
        draft.column("11.1.1", 8, supply.index, Cell::number(supply.max));
        draft.column("11.1.1", 9, supply.index, Cell::SupplyLevel(number as u8));
    }
    if !lean {
        for (number, word) in words.iter().enumerate() {
            let index = number as u32 + 1;
            draft.column("12.1.1", 2, index, Cell::number(1));
            draft.column("12.1.1", 3, index, Cell::number(3));
            draft.column("12.1.1", 4, index, Cell::text(profile, word));
            draft.column("12.1.1", 5, index, Cell::number(256));
        }
    }
}

fn description(draft: &mut Draft, profile: &Profile, number: usize, supply: &SupplyPlan) -> Cell {
    if let Some(hex) = &supply.octets {
        return match private::octets(hex) {
            Some(octets) => Cell::Same(Value::OctetString(octets.into())),
            None => {
                draft.wrong = Some(format!("{hex} are no octets"));
                Cell::number(0)
            }
        };
    }
    let text = &supply.description;
    if text.contains("{serial}") {
        return Cell::SupplyText(number as u8, text.as_str().into());
    }
    match profile.manners.hex_tail_after {
        Some(cut) if cut < text.len() && text.is_char_boundary(cut) => {
            let (head, tail) = text.split_at(cut);
            let pairs: Vec<String> = tail.bytes().map(|byte| format!("{byte:02X}")).collect();
            Cell::Same(Value::text(&format!("{head}\n{}", pairs.join(" "))))
        }
        _ => Cell::text(profile, text),
    }
}

fn paths(draft: &mut Draft, profile: &Profile) {
    let duplex = profile.life.duplex > 0.0;
    let widest = profile.inputs.iter().map(|input| input.size.0).max().unwrap_or(210_000);
    let longest = profile.inputs.iter().map(|input| input.size.1).max().unwrap_or(297_000);
    let paths: &[(&str, i32)] =
        if duplex { &[("One-sided", 5), ("Two-sided, long edge", 3)] } else { &[("Straight", 5)] };
    for (number, (name, kind)) in paths.iter().enumerate() {
        let columns = [
            (2, Cell::number(8)),
            (3, Cell::number(4)),
            (4, Cell::number(profile.engine.ppm as i32 * 60)),
            (5, Cell::number(longest)),
            (6, Cell::number(widest)),
            (7, Cell::number(148_000)),
            (8, Cell::number(90_000)),
            (9, Cell::number(*kind)),
            (10, Cell::text(profile, name)),
            (11, Cell::number(0)),
        ];
        for (column, cell) in columns {
            draft.column("13.4.1", column, number as u32 + 1, cell);
        }
    }
}

fn channels(draft: &mut Draft, profile: &Profile) {
    for (number, (kind, information)) in [(11, "tcp-port=9100"), (8, "queue=lp")].iter().enumerate() {
        let columns = [
            (2, Cell::number(*kind)),
            (3, Cell::text(profile, "")),
            (4, Cell::number(1)),
            (5, Cell::number(1)),
            (6, Cell::number(3)),
            (7, Cell::number(1)),
            (8, Cell::number(0)),
            (9, Cell::text(profile, information)),
        ];
        for (column, cell) in columns {
            draft.column("14.1.1", column, number as u32 + 1, cell);
        }
    }
    for (number, (family, name)) in profile.interpreters.iter().enumerate() {
        let columns = [
            (2, Cell::number(*family)),
            (3, Cell::text(profile, "")),
            (4, Cell::text(profile, "")),
            (5, Cell::text(profile, name)),
            (6, Cell::text(profile, &profile.identity.firmware)),
            (7, Cell::number(3)),
            (8, Cell::number(profile.engine.resolution)),
            (9, Cell::number(profile.engine.resolution)),
            (12, Cell::number(4)),
        ];
        for (column, cell) in columns {
            draft.column("15.1.1", column, number as u32 + 1, cell);
        }
    }
}

fn console(draft: &mut Draft, profile: &Profile) {
    for line in 0..profile.console.lines {
        draft.column("16.5.1", 2, line as u32 + 1, Cell::Console(line as u8));
    }
    const COLOURS: [i32; 3] = [5, 4, 6];
    for (number, name) in profile.console.lights.iter().enumerate() {
        let index = number as u32 + 1;
        draft.column("17.6.1", 2, index, Cell::Light(number as u8, true));
        draft.column("17.6.1", 3, index, Cell::Light(number as u8, false));
        draft.column("17.6.1", 4, index, Cell::number(COLOURS[number % COLOURS.len()]));
        draft.column("17.6.1", 5, index, Cell::text(profile, name));
    }
}

fn finishers(draft: &mut Draft, profile: &Profile) {
    for (number, unit) in profile.finishers.iter().enumerate() {
        let columns = [
            (2, Cell::number(unit.kind)),
            (3, Cell::number(3)),
            (4, Cell::number(8)),
            (5, Cell::number(unit.sheets)),
            (6, Cell::number(-2)),
            (9, Cell::number(0)),
            (10, Cell::text(profile, &unit.name)),
        ];
        for (column, cell) in columns {
            draft.column("30.1.1", column, number as u32 + 1, cell);
        }
    }
    for (number, supply) in profile.supplies.iter().enumerate().filter(|(_, supply)| supply.finisher > 0) {
        let columns = [
            (2, Cell::number(i32::from(supply.finisher))),
            (3, Cell::number(supply.class())),
            (4, Cell::number(supply.kind as i32)),
            (5, Cell::text(profile, &supply.description)),
            (6, Cell::number(supply.unit)),
            (7, Cell::number(supply.max)),
            (8, Cell::SupplyLevel(number as u8)),
            (9, Cell::text(profile, "")),
        ];
        for (column, cell) in columns {
            draft.column("31.1.1", column, supply.index, cell);
        }
    }
}
