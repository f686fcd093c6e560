//! What is known of a vendor, as data: `profiles/<vendor>.toml`. The standard tables are read for every device; a
//! profile only adds where the vendor says more, says it elsewhere, or says it oddly.

mod catalogue;
mod check;
mod counters;
mod parts;
mod places;

pub use catalogue::{Catalogue, LoadError};
pub use check::{Finding, check, check_text};
pub use counters::{Count, CounterRecords, CounterTable, Labelled, Meaning, RowKey};
pub use parts::{FirmwareTable, SupplyTable};

use serde::Deserialize;
use snmp::Oid;
use wire::Level;

/// A vendor's profile. Every key but `vendor` may be left out.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Slug of the brand: lower case, `-` between words.
    pub vendor: String,
    /// How the brand writes itself at the start of its texts, longest form first. Compared without regard to case.
    #[serde(default)]
    pub names: Vec<String>,
    /// Names of product lines: they tell the brand where its name is missing, and stay part of the model.
    #[serde(default)]
    pub lines: Vec<String>,
    /// Arcs of sysObjectID under which this vendor's printers stand. Weaker than a name: makers lend their arcs.
    #[serde(default)]
    pub arcs: Vec<Dotted>,
    /// The brand makes other things too: its name alone, without an arc or a product line, makes no device a printer.
    #[serde(default)]
    pub other_devices: bool,
    /// The arcs hold printers only, so that the arc alone makes a device one.
    #[serde(default = "yes")]
    pub printers_only: bool,
    /// Another profile whose counters, model and serial objects this brand shares (its maker's slug).
    #[serde(default)]
    pub made_by: Option<String>,
    /// Where the model stands.
    #[serde(default)]
    pub model: ModelRules,
    /// Where the serial number stands.
    #[serde(default)]
    pub serial: SerialRules,
    /// Where firmware versions stand.
    #[serde(default)]
    pub firmware: Vec<FirmwareRule>,
    /// Tables of firmware parts that name themselves.
    #[serde(default)]
    pub firmware_tables: Vec<FirmwareTable>,
    /// Objects with an IEEE 1284 device id.
    #[serde(default)]
    pub device_ids: Vec<Dotted>,
    /// SNMP context to ask once more when supplies or device id are missing.
    #[serde(default)]
    pub needs_context: Option<String>,
    /// Port of the web page that must have been opened before the device answers SNMP.
    #[serde(default)]
    pub wake_by_http: Option<u16>,
    /// Single counters.
    #[serde(default)]
    pub counters: Vec<Count>,
    /// Tables of counters.
    #[serde(default)]
    pub counter_tables: Vec<CounterTable>,
    /// Objects that hold several counters each.
    #[serde(default)]
    pub counter_records: Vec<CounterRecords>,
    /// Levels in coarse steps.
    #[serde(default)]
    pub staged: Vec<StagedLevels>,
    /// Private objects that tell a condition.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// Supplies: where part and serial numbers stand in descriptions.
    #[serde(default)]
    pub supplies: SupplyRules,
    /// Tables that tell part and serial numbers of supplies.
    #[serde(default)]
    pub supply_tables: Vec<SupplyTable>,
    /// Subtrees with names of people and of their jobs, which a recording that is sent in leaves out.
    #[serde(default)]
    pub personal: Vec<Dotted>,
    /// Order of the octets of hrPrinterDetectedErrorState.
    #[serde(default)]
    pub error_state: ErrorState,
}

fn yes() -> bool {
    true
}

/// Sources of the model, in the order they are believed unless a profile says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ModelSource {
    /// The vendor's own objects (`oids`).
    Own,
    /// hrDeviceDescr of the printer.
    Device,
    /// sysDescr.
    System,
    /// MDL of the IEEE 1284 device id.
    DeviceId,
    /// prtGeneralPrinterName, which people often rename.
    Name,
    /// The profile's own table of sysObjectIDs.
    ObjectId,
    /// Letters written as arcs of sysObjectID (`object_text`).
    ObjectText,
}

/// How to find the model in what the device says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelRules {
    /// Order of belief.
    pub from: Vec<ModelSource>,
    /// Objects that hold the model.
    pub oids: Vec<Dotted>,
    /// sysDescr: the model starts behind the first of these that occurs.
    pub after: Vec<String>,
    /// sysDescr holds a model only behind one of `after`.
    pub only_after: bool,
    /// The model ends before the first of these that occurs, in any source.
    pub before: Vec<String>,
    /// sysDescr: a last word that is a version (`1.09`) is not of the model.
    pub drop_version: bool,
    /// hrDeviceDescr: serial number and firmware follow the model, as words of their own.
    pub first_words: bool,
    /// Endings that are not of the model.
    pub drop_endings: Vec<String>,
    /// Beginnings besides the brand's names that are not of the model.
    pub drop_beginnings: Vec<String>,
    /// Texts that begin with one of these name a network card or a family, not a model.
    pub not: Vec<String>,
    /// Models that only sysObjectID tells.
    pub object_ids: Vec<KnownObject>,
    /// Below these arcs sysObjectID spells the model: its length, then its letters.
    pub object_text: Vec<Dotted>,
}

impl Default for ModelRules {
    fn default() -> Self {
        use ModelSource::{Device, DeviceId, Own, System};
        Self {
            from: vec![Own, Device, System, DeviceId],
            oids: Vec::new(),
            after: Vec::new(),
            only_after: false,
            before: vec![";".to_owned(), " version ".to_owned(), " / ".to_owned()],
            drop_version: false,
            first_words: false,
            drop_endings: Vec::new(),
            drop_beginnings: Vec::new(),
            not: Vec::new(),
            object_ids: Vec::new(),
            object_text: Vec::new(),
        }
    }
}

/// A model that only sysObjectID tells.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownObject {
    /// sysObjectID.
    pub oid: Dotted,
    /// The model.
    pub model: String,
}

/// How to find the serial number.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SerialRules {
    /// Objects that hold it, asked after prtGeneralSerialNumber.
    pub oids: Vec<Dotted>,
    /// The vendor's own objects are right and prtGeneralSerialNumber is not.
    pub own_first: bool,
    /// sysDescr: it stands behind one of these, up to a comma, semicolon or blank.
    pub after: Vec<String>,
}

/// One firmware part.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirmwareRule {
    /// Name of the part, `system` for the whole.
    pub name: String,
    /// Object that holds the version.
    #[serde(default)]
    pub oid: Option<Dotted>,
    /// sysDescr: the version stands behind this, up to a comma, semicolon or blank, and holds a digit.
    #[serde(default)]
    pub after: Option<String>,
    /// sysDescr: only what stands behind this is looked at.
    #[serde(default)]
    pub beyond: Option<String>,
    /// sysDescr: the version is the last word of its first part, such as `MP 3053 1.09 / …`.
    #[serde(default)]
    pub last_word: bool,
}

/// A value in a private column that means a reason, such as Ricoh's -100 for toner near its end.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The column.
    pub column: Dotted,
    /// The value that means it.
    pub value: i64,
    /// IPP keyword.
    pub reason: String,
    /// How grave it is.
    pub severity: wire::AlertSeverity,
}

/// How descriptions of supplies are taken apart.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SupplyRules {
    /// The word behind one of these is the part number, if it holds a digit.
    pub part_after: Vec<String>,
    /// The word behind one of these is the cartridge's serial number, if it holds a digit.
    pub serial_after: Vec<String>,
}

/// Levels that are steps and no measure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StagedLevels {
    /// Models they hold for, by their beginning; none: all of the vendor.
    pub models: Vec<String>,
    /// Only where the device states no capacity.
    pub capacity_unknown: bool,
    /// Raw values from empty to full.
    pub steps: Vec<i64>,
}

impl StagedLevels {
    /// Whether these steps hold for a model.
    pub fn fits(&self, model: Option<&str>) -> bool {
        let begins =
            |start: &String| model.is_some_and(|model| model.to_lowercase().starts_with(&start.to_lowercase()));
        self.models.is_empty() || self.models.iter().any(begins)
    }

    /// The step that a raw level stands for.
    pub fn step(&self, level: i64, max: Option<i64>) -> Option<Level> {
        if self.capacity_unknown && max.is_some_and(|max| max > 0) {
            return None;
        }
        let value = self.steps.iter().position(|step| *step == level)?;
        Some(Level::Staged { value: value as u32, steps: self.steps.len().saturating_sub(1) as u32 })
    }
}

/// Order of the octets of hrPrinterDetectedErrorState.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorState {
    /// As in RFC 2790: bit 0 is the first of the first octet.
    #[default]
    Standard,
    /// The two octets are swapped.
    Swapped,
}

/// An OID as profiles write it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dotted(pub Oid);

impl<'de> Deserialize<'de> for Dotted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// Arcs without a root, as profiles write them: `2.1.5.1.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arcs(pub Vec<u32>);

impl<'de> Deserialize<'de> for Arcs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let arcs: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
        let wrong = || serde::de::Error::custom(format!("`{text}` is not a row of numbers such as 2.1.5"));
        arcs.map(Self).map_err(|_| wrong())
    }
}
