//! What a kind of device is: a description of our own, read from `profiles/virtual/NAME.toml`.
//! Many devices share one; what differs between them comes from the seed.

mod load;
mod meter;
mod parts;

pub use load::{ProfileError, find, names};
pub(crate) use load::{by_share, embedded};
pub(crate) use meter::{Expression, Meters};
pub use parts::{Consumption, CoverPlan, FinisherPlan, InputPlan, OutputPlan, Report, SupplyPlan, SupplyType};

use serde::Deserialize;

use crate::rhythm::Rhythm;
use crate::usm;

/// One kind of device.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// File name without `.toml`; filled in on loading.
    #[serde(skip)]
    pub name: String,
    /// Vendor slug of the brand on the device: `konica-minolta`.
    pub vendor: String,
    /// Model as the brand writes it.
    pub model: String,
    /// What it is, for people: `colour A3 with finisher`.
    pub kind: String,
    /// How common it is in a mixed fleet; 1.0 is usual, 0 never appears by chance.
    #[serde(default = "one")]
    pub share: f64,
    /// Names, numbers and first words.
    pub identity: IdentityPlan,
    /// Speeds and abilities.
    pub engine: EnginePlan,
    /// How it is used.
    pub life: LifePlan,
    /// Manners that differ from the standard.
    #[serde(default)]
    pub manners: Manners,
    /// Panel lines and lamps.
    #[serde(default)]
    pub console: ConsolePlan,
    /// Trays.
    pub inputs: Vec<InputPlan>,
    /// Bins.
    pub outputs: Vec<OutputPlan>,
    /// Doors and covers.
    pub covers: Vec<CoverPlan>,
    /// Supplies and parts that wear.
    pub supplies: Vec<SupplyPlan>,
    /// Finishing units.
    #[serde(default)]
    pub finishers: Vec<FinisherPlan>,
    /// Page description languages: `(PrtInterpreterLangFamilyTC, words)`.
    #[serde(default)]
    pub interpreters: Vec<(i32, String)>,
    /// Objects outside the standard tables: identity and counters in the vendor's tree.
    #[serde(default)]
    pub objects: Vec<ObjectPlan>,
    /// SNMPv3 users that the device knows beside those of the fleet.
    #[serde(default)]
    pub users: Vec<UserPlan>,
}

/// Names, numbers and first words. Texts may hold `{serial}`, `{model}`, `{firmware}`, `{name}`, `{mac}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityPlan {
    /// Serial number pattern: `#` digit, `?` capital letter, `*` hexadecimal digit, else literal.
    pub serial: String,
    /// First three octets of the hardware address, `00:17:c8`.
    pub mac: String,
    /// Firmware release.
    pub firmware: String,
    /// sysDescr.
    pub sys_descr: String,
    /// sysObjectID, dotted.
    pub sys_object_id: String,
    /// hrDeviceDescr; the vendor's way of writing the model.
    pub hr_descr: String,
    /// prtGeneralPrinterName; absent where the device leaves it empty.
    #[serde(default)]
    pub printer_name: String,
    /// Character set of prtLocalization (IANA MIBenum): 106 UTF-8, 4 Latin-1, 17 Shift-JIS.
    #[serde(default = "utf8")]
    pub charset: i32,
    /// Language and country of prtLocalization.
    #[serde(default = "english")]
    pub language: (String, String),
}

/// Speeds and abilities.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnginePlan {
    /// A4 sheets a minute.
    pub ppm: u32,
    /// Seconds from sleep to the first sheet.
    pub warm_up_s: u32,
    /// Idle minutes before it sleeps; 0 never.
    pub sleep_after_min: u32,
    /// PrtMarkerMarkTechTC: 4 laser, 3 LED, 12 aqueous ink, 16 thermal transfer.
    pub technology: i32,
    /// Prints colour.
    #[serde(default)]
    pub colour: bool,
    /// PrtMarkerCounterUnitTC: 7 impressions, 8 sheets.
    #[serde(default = "impressions")]
    pub marker_unit: i32,
    /// Marker rows: 1, or 2 where mono and colour count apart.
    #[serde(default = "one_marker")]
    pub markers: u8,
    /// Dots per inch.
    #[serde(default = "dpi")]
    pub resolution: i32,
}

/// How it is used. Ranges are `[least, most]`; each device draws its own value.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LifePlan {
    /// Pages in a working day.
    pub pages_per_day: (f64, f64),
    /// Age in days when the fleet begins.
    pub age_days: (f64, f64),
    /// Pages of a usual job.
    pub job_pages: f64,
    /// Toner coverage of a page in per cent; yields are meant at 5.
    #[serde(default = "coverage")]
    pub coverage: (f64, f64),
    /// Share of pages in colour.
    #[serde(default)]
    pub colour: f64,
    /// Share of jobs on both sides.
    #[serde(default)]
    pub duplex: f64,
    /// Share of jobs on A3 or larger.
    #[serde(default)]
    pub large: f64,
    /// Share of printed pages that are copies.
    #[serde(default)]
    pub copy: f64,
    /// Share of printed pages that are received faxes.
    #[serde(default)]
    pub fax: f64,
    /// Scan jobs for each print job.
    #[serde(default)]
    pub scan: f64,
    /// Share of jobs that are stapled.
    #[serde(default)]
    pub staple: f64,
    /// Sheets between jams.
    pub jam_every: f64,
    /// Calendar days between failures that need a technician; 0 never.
    #[serde(default)]
    pub upset_every_days: f64,
    /// Calendar days between times off the network; 0 never.
    #[serde(default)]
    pub outage_every_days: f64,
    /// Weekly curve.
    #[serde(default)]
    pub rhythm: Rhythm,
    /// Names of the places where such a device stands; office names when empty.
    #[serde(default)]
    pub places: Vec<String>,
}

/// Manners that differ from the standard.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Manners {
    /// Texts end with a NUL octet.
    pub trailing_nul: bool,
    /// Supply descriptions are cut at this octet; the rest follows on a second line as hexadecimal pairs.
    pub hex_tail_after: Option<usize>,
    /// Form of hrPrinterDetectedErrorState.
    pub error_state: ErrorShape,
    /// Cleared rows leave an alertRemovalOfBinaryChangeEntry row.
    pub removal_rows: bool,
    /// prtAlertIndex is itself readable.
    pub readable_index: bool,
    /// Supplies and device id are told in this SNMP context only.
    pub supplies_context: Option<String>,
    /// hrPrinterStatus stays `idle` while the device sleeps (else `other`).
    pub idle_asleep: bool,
    /// The alert table stays empty: errors are seen in hrPrinterDetectedErrorState and on the panel only.
    pub no_alert_table: bool,
    /// prtMarkerSuppliesClass, unit and colorant are missing (older firmware).
    pub lean_supplies: bool,
    /// Rows of prtAlertTable that the device can hold; 0 means 12.
    pub alert_rows: usize,
    /// It speaks v1 and v2c only.
    pub no_v3: bool,
    /// It sends no traps.
    pub no_traps: bool,
}

/// Forms of hrPrinterDetectedErrorState in the field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorShape {
    /// Two octets, as RFC 3805 asks.
    #[default]
    Two,
    /// One octet: the first eight bits only.
    One,
    /// An empty string while all is well, else two octets.
    EmptyWhenReady,
    /// Two octets in the wrong order.
    Swapped,
    /// Two octets, the lowest bit of the second first.
    LittleEndian,
    /// Four octets, the last two always 0.
    Four,
    /// Always an empty string.
    Never,
}

/// Panel lines and lamps.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsolePlan {
    /// Lines of the display; 0 has no console rows.
    pub lines: usize,
    /// Characters in a line; longer texts are cut.
    pub width: usize,
    /// What the panel says when ready.
    pub ready: String,
    /// What the panel says when asleep.
    pub asleep: String,
    /// Names of the lamps: the first shines when ready, the second when people are needed, the third with data.
    pub lights: Vec<String>,
}

impl Default for ConsolePlan {
    fn default() -> Self {
        Self {
            lines: 1,
            width: 40,
            ready: "Ready".into(),
            asleep: "Sleep mode".into(),
            lights: vec!["Ready".into(), "Attention".into()],
        }
    }
}

/// One object in the vendor's tree.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectPlan {
    /// Dotted, with instance.
    pub oid: String,
    /// SNMP type.
    #[serde(rename = "type")]
    pub kind: ObjectType,
    /// Text: with `{…}` fields. `hex`: octets. Numbers: a sum of counters such as `print.mono + copy.mono`, or a number.
    #[serde(alias = "text", alias = "count")]
    pub value: String,
}

/// SNMP type of a vendor object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectType {
    /// OCTET STRING given as text.
    Text,
    /// OCTET STRING given as hexadecimal digits.
    Hex,
    /// INTEGER.
    Integer,
    /// Counter32.
    Counter,
    /// Counter64.
    #[serde(rename = "counter64")]
    Counter64,
    /// Gauge32.
    Gauge,
    /// OBJECT IDENTIFIER.
    Oid,
    /// INTEGER: percent left of supply number N; -100 near its end, 0 at its end.
    NearLevel,
}

/// One SNMPv3 user of the device. Virtual secrets protect nothing, so they stand in the profile.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserPlan {
    /// securityName.
    pub name: String,
    /// `md5`, `sha1`, `sha224`, `sha256`, `sha384`, `sha512`.
    #[serde(default)]
    pub auth: Option<String>,
    /// Passphrase for authentication.
    #[serde(default)]
    pub auth_pass: Option<String>,
    /// `des`, `aes128`, `aes192`, `aes256`.
    #[serde(default)]
    pub privacy: Option<String>,
    /// Passphrase for privacy.
    #[serde(default)]
    pub privacy_pass: Option<String>,
}

impl UserPlan {
    /// The user with his protocols; the error says what is wrong with it.
    pub(crate) fn user(&self) -> Result<snmp::UsmUser, String> {
        let mut user = snmp::UsmUser::new(&self.name);
        let wrong = |why: &dyn std::fmt::Display| format!("SNMPv3 user {}: {why}", self.name);
        if let Some(auth) = &self.auth {
            let protocol = auth.parse().map_err(|error| wrong(&error))?;
            user = user.auth(protocol, self.auth_pass.as_deref().unwrap_or_default());
        }
        if let Some(privacy) = &self.privacy {
            let protocol = privacy.parse().map_err(|error| wrong(&error))?;
            user = user.privacy(protocol, self.privacy_pass.as_deref().unwrap_or_default());
        }
        usm::check(&user).map_err(|error| wrong(&error))?;
        Ok(user)
    }
}

impl Profile {
    /// Rows that the alert table can hold.
    pub(crate) fn alert_rows(&self) -> usize {
        if self.manners.alert_rows == 0 { 12 } else { self.manners.alert_rows }
    }
}

const fn one() -> f64 {
    1.0
}
const fn one_marker() -> u8 {
    1
}
const fn utf8() -> i32 {
    106
}
const fn impressions() -> i32 {
    7
}
const fn dpi() -> i32 {
    600
}
const fn coverage() -> (f64, f64) {
    (4.0, 9.0)
}
fn english() -> (String, String) {
    ("en".into(), "US".into())
}
