//! prtAlertTable: the conditions that stand, in the words of the catalogue.

use wire::{Alert, AlertSeverity, Supply};

use crate::reasons::{self, Group};
use crate::snapshot::{Row, Snapshot};
use crate::standard::oid;
use crate::text::Charset;

/// alertRemovalOfBinaryChangeEntry: the row says that another one is over.
pub(super) const REMOVAL: i64 = 1801;
/// PrtAlertGroupTC alert(18): the group index is the number of another row.
const ALERT_GROUP: i64 = 18;

/// What is known beside the table: the supplies that alerts speak of, and the clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around<'a> {
    /// Supplies of the same reading.
    pub supplies: &'a [Supply],
    /// When the device started, milliseconds since 1970.
    pub boot_ms: Option<i64>,
}

/// Rows that stand now. Rows that only clear others, and events that are no condition, are left out.
pub fn read(said: &Snapshot, charset: Charset, around: Around<'_>) -> Vec<Alert> {
    let table = said.table(&oid::ALERT);
    let removals: Vec<_> = table.iter().filter(|(_, row)| row.number(7) == Some(REMOVAL)).collect();
    let is_over = |index: &[u32], row: &Row<'_>| removals.iter().any(|(_, removal)| names(removal, index, row));
    let standing = table.iter().filter(|(index, row)| row.number(7) != Some(REMOVAL) && !is_over(index, row));
    standing.map(|(index, row)| alert(index, row, charset, around)).collect()
}

/// Whether a removal row speaks of this one. Row numbers begin anew with the device, so a younger row is another one.
fn names(removal: &Row<'_>, index: &[u32], row: &Row<'_>) -> bool {
    let younger = row.number(9).zip(removal.number(9)).is_some_and(|(raised, removed)| raised > removed);
    removal.number(4) == Some(ALERT_GROUP)
        && removal.number(5).is_some_and(|named| index.last().is_some_and(|own| i64::from(*own) == named))
        && !younger
}

fn alert(index: &[u32], row: &Row<'_>, charset: Charset, around: Around<'_>) -> Alert {
    let group = row.number(4).and_then(Group::from_code);
    let part = row.number(5).filter(|part| *part > 0);
    let part = part.map(|part| format!("{}.{part}", index.first().copied().unwrap_or(1)));
    let supply = part.as_ref().and_then(|part| around.supplies.iter().find(|supply| supply.index == *part));
    let code = row.number(7);
    Alert {
        severity: match row.number(2) {
            Some(3) => AlertSeverity::Critical,
            Some(4) => AlertSeverity::Warning,
            _ => AlertSeverity::Other,
        },
        reason: reasons::of_code(code, group, supply).to_owned(),
        group: group.map(|group| group.word().to_owned()),
        part,
        text: row.text(8, charset),
        code,
        since: since(row.number(9), around.boot_ms),
    }
}

/// prtAlertTime counts hundredths of a second since the start of the device.
fn since(ticks: Option<i64>, boot_ms: Option<i64>) -> Option<String> {
    let ticks = ticks.filter(|ticks| *ticks > 0)?;
    Some(crate::time::rfc3339(boot_ms? + ticks * 10))
}

#[cfg(test)]
mod tests {
    use snmp::Value;
    use wire::{Class, Level, RawLevel};

    use super::*;

    fn row(said: &mut Snapshot, index: u32, cells: [i32; 5], text: &str) {
        for (column, value) in [2, 4, 5, 7, 9].into_iter().zip(cells) {
            said.insert(oid::ALERT.join(&[column, 1, index]), Value::Integer(value));
        }
        said.insert(oid::ALERT.join(&[8, 1, index]), Value::text(text));
    }

    #[test]
    fn alert_lifecycle_a_removal_row_closes_the_row_it_names() {
        let mut said = Snapshot::new();
        row(&mut said, 1, [3, 13, 1, 8, 100], "Paper jam");
        row(&mut said, 2, [4, 11, 1, 1104, 120], "Toner low");
        row(&mut said, 3, [1, 18, 1, 1801, 300], "Alert 1 cleared");
        let reasons = |said: &Snapshot| -> Vec<String> {
            read(said, Charset::default(), Around::default()).into_iter().map(|alert| alert.reason).collect()
        };
        assert_eq!(reasons(&said), ["toner-low"]);
        // The number was given anew since the device started: this row is younger than the removal.
        let mut said = Snapshot::new();
        row(&mut said, 1, [3, 13, 1, 8, 400], "Paper jam");
        row(&mut said, 3, [1, 18, 1, 1801, 300], "Alert 1 cleared");
        assert_eq!(reasons(&said), ["media-jam"]);
    }

    #[test]
    fn alert_lifecycle_of_one_table() {
        let mut said = Snapshot::new();
        row(&mut said, 1, [3, 13, 1, 8, 100], "Paper jam");
        row(&mut said, 2, [4, 11, 1, 12, 0], "Toner low");
        row(&mut said, 3, [1, 11, 1, 1801, 0], "gone");
        row(&mut said, 4, [4, 77, -1, 4711, 0], "");
        let toner = Supply {
            index: "1.1".to_owned(),
            description: None,
            kind: "toner".to_owned(),
            color: None,
            class: Class::Consumed,
            part_number: None,
            serial: None,
            level: Level::Unknown,
            raw: RawLevel::default(),
        };
        let alerts = read(&said, Charset::default(), Around { supplies: &[toner], boot_ms: Some(0) });
        let reasons: Vec<_> = alerts.iter().map(|alert| alert.reason.as_str()).collect();
        assert_eq!(reasons, ["media-jam", "toner-low", "other"]);
        assert_eq!(alerts[0].group.as_deref(), Some("media-path"));
        assert_eq!(alerts[0].since.as_deref(), Some("1970-01-01T00:00:01Z"));
        assert_eq!((alerts[1].part.as_deref(), alerts[1].since.as_deref()), (Some("1.1"), None));
        assert_eq!((alerts[2].code, alerts[2].part.as_deref(), alerts[2].text.as_deref()), (Some(4711), None, None));
    }
}
