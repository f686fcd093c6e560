//! Kinds 1, 2 and 3: one fault, jam or alarm, with what surrounded it.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// One occurrence. The time of it is the message's `taken_ms`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct EventBody {
    /// The vendor's own number, as it stands in the service manual.
    #[n(0)]
    pub code: String,
    /// Its detail number.
    #[n(1)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub_code: Option<String>,
    /// Level of an alarm, 1 (note) to 3 (a person must come); `None` for errors and jams.
    #[n(2)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
    /// Total counter when it happened, impressions.
    #[n(3)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Where the paper came from, as a tray's index (`1.2`).
    #[n(4)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tray: Option<String>,
    /// Size of the paper, PWG 5101.1 name (`iso_a4_210x297mm`).
    #[n(5)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<String>,
    /// `true` when the condition stands until it is told again with `false`; `None`: it happened and is over.
    #[n(6)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<bool>,
}
