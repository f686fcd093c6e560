//! The catalogue of reasons: prtAlertCode and the bits of hrPrinterDetectedErrorState to IPP keywords.

use wire::{AlertSeverity, Supply};

/// What of the device an alert speaks of (PrtAlertGroupTC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Other,
    Storage,
    Device,
    General,
    Cover,
    Localization,
    Input,
    Output,
    Marker,
    MarkerSupplies,
    MarkerColorant,
    MediaPath,
    Channel,
    Interpreter,
    ConsoleDisplay,
    ConsoleLights,
    Alert,
    Finisher,
    FinisherSupply,
    FinisherMediaInput,
    FinisherAttribute,
}

impl Group {
    /// The group of a code; unknown codes have none.
    pub fn from_code(code: i64) -> Option<Self> {
        Some(match code {
            1 => Self::Other,
            3 => Self::Storage,
            4 => Self::Device,
            5 => Self::General,
            6 => Self::Cover,
            7 => Self::Localization,
            8 => Self::Input,
            9 => Self::Output,
            10 => Self::Marker,
            11 => Self::MarkerSupplies,
            12 => Self::MarkerColorant,
            13 => Self::MediaPath,
            14 => Self::Channel,
            15 => Self::Interpreter,
            16 => Self::ConsoleDisplay,
            17 => Self::ConsoleLights,
            18 => Self::Alert,
            30 => Self::Finisher,
            31 => Self::FinisherSupply,
            32 => Self::FinisherMediaInput,
            33 => Self::FinisherAttribute,
            _ => return None,
        })
    }

    /// The group in kebab-case.
    pub fn word(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::Storage => "host-resources-storage",
            Self::Device => "host-resources-device",
            Self::General => "general-printer",
            Self::Cover => "cover",
            Self::Localization => "localization",
            Self::Input => "input",
            Self::Output => "output",
            Self::Marker => "marker",
            Self::MarkerSupplies => "marker-supplies",
            Self::MarkerColorant => "marker-colorant",
            Self::MediaPath => "media-path",
            Self::Channel => "channel",
            Self::Interpreter => "interpreter",
            Self::ConsoleDisplay => "console-display-buffer",
            Self::ConsoleLights => "console-lights",
            Self::Alert => "alert",
            Self::Finisher => "fin-device",
            Self::FinisherSupply => "fin-supply",
            Self::FinisherMediaInput => "fin-supply-media-input",
            Self::FinisherAttribute => "fin-attribute",
        }
    }

    fn is_finisher(self) -> bool {
        matches!(self, Self::Finisher | Self::FinisherSupply | Self::FinisherMediaInput | Self::FinisherAttribute)
    }
}

/// Kinds of supplies that words are chosen by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stuff {
    Toner,
    Waste,
    Drum,
    Developer,
    Any,
}

fn stuff(supply: Option<&Supply>) -> Stuff {
    match supply.map_or("", |supply| supply.kind.as_str()) {
        kind if kind.starts_with("waste") => Stuff::Waste,
        "toner" | "toner-cartridge" => Stuff::Toner,
        "opc" => Stuff::Drum,
        "developer" => Stuff::Developer,

        _ => Stuff::Any,
    }
}

/// Keyword of a prtAlertCode. Generic codes take their noun from the group and, for supplies, the row's kind.
pub fn of_code(code: Option<i64>, group: Option<Group>, supply: Option<&Supply>) -> &'static str {
    let Some(code) = code else { return "other" };
    match code {
        3 => "cover-open",
        5 => "interlock-open",
        7 | 25..=28 | 503 | 505 | 506 | 1501..=1506 => "configuration-change",
        8 => "media-jam",
        9..=38 => of_generic_code(code, group, supply),
        501 => "door-open",
        504 => "shutdown",
        801 => "input-tray-missing",
        802..=806 | 809 | 810 => "media-needed",
        807 => "media-low",
        808 => "media-empty",
        811 | 812 => "input-tray-elevation-failure",
        813 => "input-cannot-feed-size-selected",
        901 => "output-tray-missing",
        902 => "output-area-almost-full",
        903 => "output-area-full",
        904 => "output-mailbox-select-failure",
        1001..=1005 | 1101..=1115 => of_marker_code(code),
        1304 => "media-path-cannot-duplex-media-selected",
        1507 => "interpreter-resource-unavailable",
        _ => "other",
    }
}

fn of_marker_code(code: i64) -> &'static str {
    match code {
        1001 => "fuser-under-temp",
        1002 => "fuser-over-temp",
        1003 => "marker-fuser-timing-failure",
        1004 => "marker-fuser-thermistor-failure",
        1005 => "marker-adjusting-print-quality",
        1101 => "toner-empty",
        1102 | 1103 => "marker-supply-empty",
        1104 => "toner-low",
        1105 | 1106 => "marker-supply-low",
        1107 | 1108 => "marker-waste-almost-full",
        1109 | 1110 => "marker-waste-full",
        1111 => "opc-near-eol",
        1112 => "opc-life-over",
        1113 => "developer-low",
        1114 => "developer-empty",
        1115 => "marker-supply-missing",
        _ => "other",
    }
}

fn of_generic_code(code: i64, group: Option<Group>, supply: Option<&Supply>) -> &'static str {
    match code {
        9..=15 => of_amount_code(code, group, supply),
        18 => "door-open",
        21 => "paused",
        22 => "offline",
        29 => "subunit-recoverable-failure",
        30 => "service-needed",
        31 => "subunit-recoverable-storage-error",
        32 => "subunit-unrecoverable-storage-error",
        33 => "subunit-motor-failure",
        34 => "subunit-memory-exhausted",
        35 => "fuser-under-temp",
        36 => "fuser-over-temp",
        37 => "marker-fuser-timing-failure",
        38 => "marker-fuser-thermistor-failure",
        _ => "other",
    }
}

/// Missing, life, low, empty, nearly full, full.
fn of_amount_code(code: i64, group: Option<Group>, supply: Option<&Supply>) -> &'static str {
    use Group::{Input, Output};
    let stuff = stuff(supply);
    match (code, group) {
        (9, Some(Input)) => "input-tray-missing",
        (9, Some(Output)) => "output-tray-missing",
        (12, Some(Input)) => "media-low",
        (13, Some(Input)) => "media-empty",
        (14, Some(Output)) => "output-area-almost-full",
        (15, Some(Output)) => "output-area-full",
        (9, Some(group)) if group.is_finisher() => "stapler-missing",
        (12, Some(group)) if group.is_finisher() => "stapler-near-empty",
        (13, Some(group)) if group.is_finisher() => "stapler-empty",
        (14, Some(group)) if group.is_finisher() => "puncher-almost-full",
        (15, Some(group)) if group.is_finisher() => "puncher-full",
        (9, Some(Group::MarkerSupplies)) => "marker-supply-missing",
        (10, _) if stuff == Stuff::Drum => "opc-near-eol",
        (11, _) if stuff == Stuff::Drum => "opc-life-over",
        (10, _) => "subunit-life-almost-over",
        (11, _) => "subunit-life-over",
        (12, _) if stuff == Stuff::Toner => "toner-low",
        (13, _) if stuff == Stuff::Toner => "toner-empty",
        (12, _) if stuff == Stuff::Developer => "developer-low",
        (13, _) if stuff == Stuff::Developer => "developer-empty",
        (12, Some(Group::MarkerSupplies | Group::MarkerColorant)) => "marker-supply-low",
        (13, Some(Group::MarkerSupplies | Group::MarkerColorant)) => "marker-supply-empty",
        (14, _) if stuff == Stuff::Waste => "marker-waste-almost-full",
        (15, _) if stuff == Stuff::Waste => "marker-waste-full",
        (14, Some(Group::MarkerSupplies)) => "marker-waste-almost-full",
        (15, Some(Group::MarkerSupplies)) => "marker-waste-full",
        _ => "other",
    }
}

/// Bits of hrPrinterDetectedErrorState by place, with the keyword and how grave it is by itself.
pub const ERROR_BITS: [(&str, Gravity); 15] = [
    ("media-low", Gravity::Warning),
    ("media-empty", Gravity::Warning),
    ("toner-low", Gravity::Warning),
    ("toner-empty", Gravity::Error),
    ("door-open", Gravity::Error),
    ("media-jam", Gravity::Error),
    ("offline", Gravity::Error),
    ("service-needed", Gravity::Warning),
    ("input-tray-missing", Gravity::Warning),
    ("output-tray-missing", Gravity::Error),
    ("marker-supply-missing", Gravity::Error),
    ("output-area-almost-full", Gravity::Warning),
    ("output-area-full", Gravity::Error),
    ("media-empty", Gravity::Warning),
    ("service-needed", Gravity::Warning),
];

/// Suffix of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// For information.
    Report,
    /// Goes on, but will want a person.
    Warning,
    /// Cannot go on without a person.
    Error,
}

impl From<AlertSeverity> for Gravity {
    fn from(severity: AlertSeverity) -> Self {
        match severity {
            AlertSeverity::Critical => Self::Error,
            AlertSeverity::Warning => Self::Warning,
            AlertSeverity::Other => Self::Report,
        }
    }
}

impl Gravity {
    /// `-report`, `-warning`, `-error`.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Report => "-report",
            Self::Warning => "-warning",
            Self::Error => "-error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generic_codes_take_their_noun_from_the_group() {
        assert_eq!(of_code(Some(12), Some(Group::Input), None), "media-low");
        assert_eq!(of_code(Some(13), Some(Group::MarkerSupplies), None), "marker-supply-empty");
        assert_eq!(of_code(Some(15), Some(Group::Output), None), "output-area-full");
        assert_eq!(of_code(Some(9), Some(Group::FinisherSupply), None), "stapler-missing");
        assert_eq!(of_code(Some(1104), None, None), "toner-low");
        assert_eq!(of_code(Some(30), Some(Group::Marker), None), "service-needed");
        assert_eq!(of_code(Some(60_001), None, None), "other");
        assert_eq!(of_code(None, None, None), "other");
    }

    #[test]
    fn every_code_has_some_keyword() {
        for code in -5..2_000 {
            for group in (0..40).map(Group::from_code) {
                let word = of_code(Some(code), group, None);
                assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{word}");
            }
        }
    }
}
