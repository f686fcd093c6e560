//! Trays, bins and covers (prtInputTable, prtOutputTable, prtCoverTable).

use wire::{Cover, Input, Level, Output, RawLevel};

use crate::level;
use crate::snapshot::{Row, Snapshot, dotted};
use crate::standard::oid;
use crate::text::Charset;

/// prtInputTable.
pub fn inputs(said: &Snapshot, charset: Charset) -> Vec<Input> {
    let rows = said.table(&oid::INPUT);
    let input = |(index, row): (Vec<u32>, Row<'_>)| {
        let raw = RawLevel { unit: row.number(8), max: row.signed(9), level: row.signed(10) };
        Input {
            index: dotted(&index),
            name: row.text(13, charset).or_else(|| row.text(18, charset)),
            media: row.text(12, charset),
            level: paper_level(raw),
            raw,
        }
    };
    rows.into_iter().map(input).collect()
}

/// prtOutputTable; its levels count the room that is left.
pub fn outputs(said: &Snapshot, charset: Charset) -> Vec<Output> {
    let rows = said.table(&oid::OUTPUT);
    let output = |(index, row): (Vec<u32>, Row<'_>)| {
        let raw = RawLevel { unit: row.number(3), max: row.signed(4), level: row.signed(5) };
        let name = row.text(7, charset).or_else(|| row.text(12, charset));
        Output { index: dotted(&index), name, level: paper_level(raw), raw }
    };
    rows.into_iter().map(output).collect()
}

/// prtCoverTable: coverOpen 3 and interlockOpen 5 are open, coverClosed 4 and interlockClosed 6 are closed.
pub fn covers(said: &Snapshot, charset: Charset) -> Vec<Cover> {
    let rows = said.table(&oid::COVER);
    let cover = |(index, row): (Vec<u32>, Row<'_>)| Cover {
        index: dotted(&index),
        name: row.text(2, charset),
        open: match row.number(3) {
            Some(3 | 5) => Some(true),
            Some(4 | 6) => Some(false),
            _ => None,
        },
    };
    rows.into_iter().map(cover).collect()
}

/// A tray that holds more than its nominal capacity is full: paper is thinner than the maker thought.
fn paper_level(raw: RawLevel) -> Level {
    let judged = level::judge(raw, None);
    if judged.above_capacity { Level::Percent { value: 100.0 } } else { judged.level }
}

#[cfg(test)]
mod tests {
    use snmp::Value;

    use super::*;

    #[test]
    fn trays_say_what_they_know() {
        let mut said = Snapshot::new();
        let mut tray = |index: u32, max: i32, level: i32, name: &str| {
            said.insert(oid::INPUT.join(&[9, 1, index]), Value::Integer(max));
            said.insert(oid::INPUT.join(&[10, 1, index]), Value::Integer(level));
            said.insert(oid::INPUT.join(&[13, 1, index]), Value::text(name));
        };
        tray(1, 550, 385, "Paper Tray 1");
        tray(2, 100, -3, "Bypass Tray");
        tray(3, 500, 640, "Tray 3");
        tray(4, -2, 20, "");
        let trays = inputs(&said, Charset::default());
        let levels: Vec<_> = trays.iter().map(|tray| tray.level).collect();
        let percent = |value| Level::Percent { value };
        assert_eq!(levels, [percent(70.0), Level::SomeRemaining, percent(100.0), Level::Unknown]);
        assert_eq!(trays[3].name, None);
        assert_eq!(trays[1].index, "1.2");
    }

    #[test]
    fn covers_are_open_closed_or_untold() {
        let mut said = Snapshot::new();
        for (index, status) in [(1, 3), (2, 4), (3, 1)] {
            said.insert(oid::COVER.join(&[3, 1, index]), Value::Integer(status));
        }
        let open: Vec<_> = covers(&said, Charset::default()).iter().map(|cover| cover.open).collect();
        assert_eq!(open, [Some(true), Some(false), None]);
    }
}
