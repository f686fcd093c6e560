//! The parts of a profile that say where a vendor keeps tables of firmware versions and of cartridges.

use serde::Deserialize;

use super::Dotted;

/// Firmware parts that name themselves: two columns with the same index.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirmwareTable {
    /// Column of names.
    pub name: Dotted,
    /// Column of versions.
    pub version: Dotted,
    /// Versions that are none, such as `-`.
    #[serde(default)]
    pub not: Vec<String>,
    /// Endings of names that say nothing, such as ` version`.
    #[serde(default)]
    pub drop_endings: Vec<String>,
}

/// What a private table tells of the supplies that prtMarkerSuppliesTable lists.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SupplyTable {
    /// Column of the descriptions by which its rows are known again. Without it the index is that of
    /// prtMarkerSuppliesTable.
    #[serde(default)]
    pub description: Option<Dotted>,
    /// Column of part numbers.
    #[serde(default)]
    pub part_number: Option<Dotted>,
    /// Column of serial numbers.
    #[serde(default)]
    pub serial: Option<Dotted>,
    /// Its cells are objects of their own, `COLUMN.ROW.0`, and ROW is prtMarkerSuppliesIndex.
    #[serde(default)]
    pub scalars: bool,
}
