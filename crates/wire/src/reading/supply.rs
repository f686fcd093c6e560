//! What a device uses up (toner, ink, staples) and what it fills (waste).

use serde::{Deserialize, Serialize};

use super::{Level, RawLevel};

super::meter::words! {
    /// prtMarkerSuppliesClass: the direction of a supply.
    Class {
        /// Used up: toner, ink, drum, fuser.
        Consumed = 0 "consumed",
        /// Filled: waste toner, punch dust.
        Receptacle = 1 "receptacle",
        /// Neither, or not told.
        Other = 2 "other",
    }
}

/// One supply slot (prtMarkerSuppliesTable, or a finisher's supply).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Supply {
    /// `hrDeviceIndex.prtMarkerSuppliesIndex`, as `1.1`.
    #[n(0)]
    pub index: String,
    /// As the device calls it, decoded to one line of text.
    #[n(1)]
    pub description: Option<String>,
    /// PrtMarkerSuppliesTypeTC as kebab-case: `toner`, `waste-toner`, `opc`, `fuser`, `ink-cartridge`, …, `other`.
    #[n(2)]
    pub kind: String,
    /// Colorant: `black`, `cyan`, `magenta`, `yellow` or the device's own word.
    #[n(3)]
    pub color: Option<String>,
    /// Used up or filled.
    #[n(4)]
    pub class: Class,
    /// The maker's part number, where the device gives one.
    #[n(5)]
    pub part_number: Option<String>,
    /// Serial of the cartridge, where the device gives one.
    #[n(6)]
    pub serial: Option<String>,
    /// How much is left; for a receptacle the space left.
    #[n(7)]
    pub level: Level,
    /// The numbers behind the level.
    #[n(8)]
    pub raw: RawLevel,
}
