//! What a walk is allowed to cost, what it brought, and which faults of the agent it had to work around.

use crate::oid::Oid;
use crate::value::VarBind;

/// A fault of an agent that was worked around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Quirk {
    /// GETBULK brought no usable answer; GETNEXT did.
    NoBulk,
    /// The agent speaks v1 only.
    V1Only,
    /// Long answers did not arrive; fewer rows were asked for.
    BulkTimeout,
    /// tooBig came back for GETBULK, which the RFC does not allow for.
    BulkTooBig,
    /// GETBULK was answered without any variable binding.
    EmptyBulk,
    /// An object was not behind the one before it.
    NotIncreasing,
    /// An object came twice: the agent runs in a circle.
    Repeated,
    /// genErr in the middle or at the end of a walk.
    GenErr,
    /// An answer was cut off; what was whole was used.
    Truncated,
    /// An answer held bytes that are not SNMP.
    Garbage,
    /// noSuchObject or noSuchInstance where only endOfMibView may come.
    ExceptionInWalk,
    /// noSuchName in v2c.
    V1ErrorInV2,
    /// More rows came than were asked for.
    TooManyRows,
    /// A column did not end where columns do.
    Endless,
}

impl Quirk {
    /// Its name in reports, stable.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoBulk => "snmp-no-bulk",
            Self::V1Only => "snmp-v1-only",
            Self::BulkTimeout => "snmp-bulk-timeout",
            Self::BulkTooBig => "snmp-bulk-too-big",
            Self::EmptyBulk => "snmp-empty-bulk",
            Self::NotIncreasing => "snmp-oid-not-increasing",
            Self::Repeated => "snmp-oid-repeated",
            Self::GenErr => "snmp-gen-err",
            Self::Truncated => "snmp-truncated",
            Self::Garbage => "snmp-garbage",
            Self::ExceptionInWalk => "snmp-exception-in-walk",
            Self::V1ErrorInV2 => "snmp-v1-error-in-v2c",
            Self::TooManyRows => "snmp-too-many-rows",
            Self::Endless => "snmp-column-without-end",
        }
    }
}

/// Whether a walk may use GETBULK.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BulkUse {
    /// As long as the agent does it right.
    #[default]
    Auto,
    /// Not at all: some agents give wrong values in it.
    Never,
}

/// Bounds of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkLimits {
    /// Most rows kept.
    pub rows: usize,
    /// Most rows of one root, behind which the walk goes on with the next.
    pub column_rows: usize,
    /// Most bytes of datagrams read.
    pub bytes: usize,
    /// Most requests.
    pub exchanges: u32,
    /// Length of an answer aimed at, in bytes of UDP payload.
    pub answer_bytes: usize,
    /// Whether GETBULK is used.
    pub bulk: BulkUse,
}

impl Default for WalkLimits {
    /// 20,000 rows, 4 MB, 5,000 exchanges, answers that fit an Ethernet frame.
    fn default() -> Self {
        Self {
            rows: 20_000,
            column_rows: usize::MAX,
            bytes: 4 << 20,
            exchanges: 5_000,
            answer_bytes: 1_472,
            bulk: BulkUse::Auto,
        }
    }
}

/// What a walk brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Objects in the order of the tree.
    pub rows: Vec<VarBind>,
    /// Faults worked around, each once, sorted.
    pub quirks: Vec<Quirk>,
    /// Requests sent, without repetitions of lost ones.
    pub exchanges: u32,
    /// Whether a limit, a fault or silence ended it before the end of the subtree.
    pub incomplete: bool,
    /// Roots of which rows may be missing, because a limit, a fault or silence came before their end.
    pub unfinished: Vec<Oid>,
    /// Roots that had more rows than a column may have; the first of them are in `rows`.
    pub endless: Vec<Oid>,
}

impl Walk {
    pub(crate) fn note(&mut self, quirk: Quirk) {
        if let Err(place) = self.quirks.binary_search(&quirk) {
            self.quirks.insert(place, quirk);
        }
    }
}
