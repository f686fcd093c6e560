//! Which columns are asked together. Tables of about the same length share an exchange; a table that the device
//! lacks costs nothing beside one that it has.

use std::sync::LazyLock;

use snmp::Oid;

use crate::profile::{Profile, RowKey};
use crate::standard::oid;

/// Columns that are walked in one go.
pub(super) type Columns = Vec<Oid>;

/// Objects of the first packet; every agent has most of them.
pub(super) fn opening() -> [Oid; 6] {
    [&oid::SYS_DESCR, &oid::SYS_OBJECT_ID, &oid::SYS_UP_TIME, &oid::SYS_CONTACT, &oid::SYS_NAME, &oid::SYS_LOCATION]
        .map(|object: &Oid| object.clone())
}

/// Which standard tables a reading needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tables {
    /// Host and printer: identity, status, console.
    Host,
    /// Supplies and markers.
    Supplies,
    /// Trays, bins, covers.
    Paper,
    /// Alerts and the finisher's supplies.
    Alerts,
    /// Markers alone.
    Markers,
}

/// What a full reading asks, in pairs that are under way together.
pub(super) const FULL: &[Tables] = &[Tables::Host, Tables::Supplies, Tables::Paper, Tables::Alerts];

static HOST: LazyLock<Columns> = LazyLock::new(|| {
    [
        &oid::IF_TYPE,
        &oid::IF_PHYS_ADDRESS,
        &oid::HR_DEVICE_TYPE,
        &oid::HR_DEVICE_DESCR,
        &oid::HR_DEVICE_STATUS,
        &oid::HR_PRINTER_STATUS,
        &oid::HR_PRINTER_ERROR_STATE,
        &oid::GENERAL_CONFIG_CHANGES,
        &oid::GENERAL_LOCALIZATION,
        &oid::GENERAL_PRINTER_NAME,
        &oid::GENERAL_SERIAL_NUMBER,
        &oid::ALERT_ALL_EVENTS,
        &oid::LOCALIZATION_CHARSET,
        &oid::CONSOLE_TEXT,
    ]
    .map(|column: &Oid| column.clone())
    .to_vec()
});

/// The columns of a group.
pub(super) fn columns(tables: Tables) -> Columns {
    let of = |entry: &Oid, columns: &[u32]| columns.iter().map(|column| entry.child(*column)).collect::<Columns>();
    match tables {
        Tables::Host => HOST.clone(),
        Tables::Supplies => {
            let mut columns = of(&oid::SUPPLY, &[3, 4, 5, 6, 7, 8, 9]);
            columns.push(oid::COLORANT_VALUE.clone());
            columns.extend(of(&oid::MARKER, &[3, 4, 6, 7]));
            columns
        }
        Tables::Paper => {
            let mut columns = of(&oid::INPUT, &[8, 9, 10, 12, 13, 18]);
            columns.extend(of(&oid::OUTPUT, &[3, 4, 5, 7, 12]));
            columns.extend(of(&oid::COVER, &[2, 3]));
            columns
        }
        Tables::Alerts => {
            let mut columns = of(&oid::ALERT, &[2, 4, 5, 7, 8, 9]);
            columns.extend(of(&oid::FINISHER_SUPPLY, &[3, 4, 5, 6, 7, 8]));
            columns
        }
        Tables::Markers => of(&oid::MARKER, &[3, 4, 6, 7]),
    }
}

/// How much of a profile is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// What tells who the device is.
    Identity,
    /// What it has done.
    Counters,
    /// Both.
    All,
}

/// Single objects of a profile.
pub(super) fn own_objects(profile: &Profile, depth: Depth) -> Vec<Oid> {
    let mut objects = Vec::new();
    if depth != Depth::Counters {
        objects.extend(profile.model.oids.iter().map(|object| object.0.clone()));
        objects.extend(profile.serial.oids.iter().map(|object| object.0.clone()));
        objects.extend(profile.firmware.iter().filter_map(|part| Some(part.oid.as_ref()?.0.clone())));
        objects.extend(profile.device_ids.iter().map(|object| object.0.clone()));
    }
    if depth != Depth::Identity {
        objects.extend(profile.counters.iter().map(|count| count.oid.0.clone()));
        objects.extend(profile.counter_records.iter().map(|records| records.oid.0.clone()));
        objects.extend(profile.counter_tables.iter().flat_map(|table| table.objects().map(|(object, _)| object)));
    }
    objects
}

/// Columns of a profile's tables and conditions.
pub(super) fn own_columns(profile: &Profile, depth: Depth) -> Columns {
    let mut columns = Columns::new();
    if depth != Depth::Counters {
        columns.extend(profile.conditions.iter().map(|condition| condition.column.0.clone()));
        let supplies = profile.supply_tables.iter();
        let supplies = supplies.flat_map(|table| [&table.description, &table.part_number, &table.serial]);
        columns.extend(supplies.flatten().map(|column| column.0.clone()));
    }
    if depth == Depth::All {
        let firmware = profile.firmware_tables.iter().flat_map(|table| [&table.name, &table.version]);
        columns.extend(firmware.map(|column| column.0.clone()));
    }
    if depth == Depth::Identity {
        columns.dedup();
        return columns;
    }
    let tables = profile.counter_tables.iter().filter(|table| table.key != RowKey::Suffix);
    let counters = tables
        .flat_map(|table| [Some(&table.value), table.code.as_ref(), table.label.as_ref()].into_iter().flatten())
        .map(|column| column.0.clone());
    columns.extend(counters);
    columns.dedup();
    columns
}
