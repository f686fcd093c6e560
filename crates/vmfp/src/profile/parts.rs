//! The parts of a device that people touch: trays, bins, covers, supplies, finishers.

use serde::Deserialize;

/// One tray (prtInputTable).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputPlan {
    /// prtInputIndex; 0 takes the next number.
    #[serde(default)]
    pub index: u32,
    /// prtInputName.
    pub name: String,
    /// prtInputDescription; the name when empty.
    #[serde(default)]
    pub description: String,
    /// PrtInputTypeTC: 3 removable tray, 4 fixed tray, 5 manual, 6 roll.
    #[serde(default = "tray")]
    pub kind: i32,
    /// Sheets it holds.
    pub sheets: u16,
    /// prtInputMediaName, `iso_a4_210x297mm`.
    #[serde(default = "a4")]
    pub media: String,
    /// Width and length of the media in micrometres.
    #[serde(default = "a4_size")]
    pub size: (i32, i32),
    /// How the level is told.
    #[serde(default)]
    pub report: Report,
}

impl InputPlan {
    /// A3, Ledger and larger.
    pub(crate) fn large(&self) -> bool {
        self.size.0.max(self.size.1) >= 400_000
    }

    /// A tray that people fill for one job; never counted upon.
    pub(crate) fn manual(&self) -> bool {
        self.kind == 5
    }
}

/// One bin (prtOutputTable).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputPlan {
    /// prtOutputName.
    pub name: String,
    /// Sheets it holds.
    pub sheets: u16,
    /// PrtOutputTypeTC: 3 removable bin, 4 fixed bin, 6 mailbox.
    #[serde(default = "fixed_bin")]
    pub kind: i32,
    /// How the remaining room is told.
    #[serde(default)]
    pub report: Report,
}

/// One cover (prtCoverTable).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoverPlan {
    /// prtCoverDescription.
    pub name: String,
    /// It is an interlock: 5 and 6 instead of 3 and 4.
    #[serde(default)]
    pub interlock: bool,
}

/// How a level is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Report {
    /// The level times the stated capacity.
    #[default]
    Exact,
    /// Rounded down to tenths of the capacity.
    Tenths,
    /// In quarters of the capacity.
    Quarters,
    /// 100, 10, 1, 0: fine, low, nearly out, out (laser printers of one brand).
    Steps,
    /// 0 fine, 1 low, 3 nearly out, 2 out (small devices of one brand).
    Staged,
    /// -3 while there is some, 0 when out.
    Some,
    /// Always -2.
    Unknown,
    /// Percent, whatever the capacity column says.
    Percent,
}

/// What a supply is (PrtMarkerSuppliesTypeTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SupplyType {
    /// 1
    Other = 1,
    /// 3
    Toner = 3,
    /// 4
    WasteToner = 4,
    /// 5
    Ink = 5,
    /// 6
    InkCartridge = 6,
    /// 7
    InkRibbon = 7,
    /// 8
    WasteInk = 8,
    /// 9: photoconductor, the drum.
    Opc = 9,
    /// 10
    Developer = 10,
    /// 15
    Fuser = 15,
    /// 18
    CleanerUnit = 18,
    /// 20
    TransferUnit = 20,
    /// 21
    TonerCartridge = 21,
    /// 32
    Staples = 32,
}

impl SupplyType {
    /// Toner and its like: without it the page stays white.
    pub(crate) const fn marks(self) -> bool {
        matches!(self, Self::Toner | Self::TonerCartridge | Self::Ink | Self::InkCartridge | Self::InkRibbon)
    }

    /// Filled by use.
    pub(crate) const fn waste(self) -> bool {
        matches!(self, Self::WasteToner | Self::WasteInk)
    }
}

/// What uses a supply up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumption {
    /// Black coverage of every page.
    Black,
    /// Coverage of colour pages.
    Colour,
    /// Every page side, whatever is on it.
    Image,
    /// Every colour page side.
    ColourImage,
    /// Each stapled job.
    Staple,
}

/// One row of prtMarkerSuppliesTable, or of finSupplyTable.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SupplyPlan {
    /// prtMarkerSuppliesIndex; 0 takes the next number.
    #[serde(default)]
    pub index: u32,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: SupplyType,
    /// `black`, `cyan`, `magenta`, `yellow`; none for what has no colour.
    #[serde(default)]
    pub colorant: Option<String>,
    /// prtMarkerSuppliesDescription; `{serial}` is the cartridge's serial.
    pub description: String,
    /// The description's octets in hexadecimal, where the device does not speak UTF-8.
    #[serde(default)]
    pub octets: Option<String>,
    /// prtMarkerSuppliesSupplyUnit: 7 impressions, 13 tenths of grams, 15 tenths of millilitres, 18 items, 19 percent.
    #[serde(default = "percent_unit")]
    pub unit: i32,
    /// prtMarkerSuppliesMaxCapacity as told.
    #[serde(default = "hundred")]
    pub max: i32,
    /// Pages (at 5 % coverage), images or staples that it lasts.
    pub lasts: f64,
    /// How the level is told.
    #[serde(default)]
    pub report: Report,
    /// A receptacle that tells what is in it instead of the room left.
    #[serde(default)]
    pub counts_up: bool,
    /// It is told low below this share (0.0 to 1.0).
    #[serde(default = "low_at")]
    pub low_at: f64,
    /// Belongs to finisher number N (1 for the first) instead of the marker.
    #[serde(default)]
    pub finisher: u8,
}

impl SupplyPlan {
    /// What uses it up.
    pub fn consumption(&self) -> Consumption {
        let colour = matches!(self.colorant.as_deref(), Some("cyan" | "magenta" | "yellow"));
        match self.kind {
            SupplyType::Staples => Consumption::Staple,
            kind if kind.marks() && colour => Consumption::Colour,
            kind if kind.marks() => Consumption::Black,
            SupplyType::Opc | SupplyType::Developer if colour => Consumption::ColourImage,
            _ => Consumption::Image,
        }
    }

    /// prtMarkerSuppliesClass.
    pub(crate) const fn class(&self) -> i32 {
        if self.kind.waste() { 4 } else { 3 }
    }
}

/// One finishing unit (finDeviceTable, RFC 3806).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinisherPlan {
    /// finDeviceDescription.
    pub name: String,
    /// FinDeviceTypeTC: 3 stitcher, 4 folder, 8 puncher, 16 stacker.
    pub kind: i32,
    /// Sheets it can take; -2 unknown.
    #[serde(default = "unknown")]
    pub sheets: i32,
}

const fn tray() -> i32 {
    3
}
const fn fixed_bin() -> i32 {
    4
}
const fn percent_unit() -> i32 {
    19
}
const fn hundred() -> i32 {
    100
}
const fn unknown() -> i32 {
    -2
}
const fn low_at() -> f64 {
    0.15
}
fn a4() -> String {
    "iso_a4_210x297mm".into()
}
const fn a4_size() -> (i32, i32) {
    (210_000, 297_000)
}
