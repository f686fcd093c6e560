//! Kind 10: a log that lies on the server as a blob already; the message names it.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// A debug log, uploaded by `PUT /d/v1/blob/{id}` before this message is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct LogBody {
    /// SHA-256 of the log, 32 bytes.
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    #[serde(with = "crate::base64url")]
    pub sha256: Vec<u8>,
    /// Its size, bytes.
    #[n(1)]
    pub size_bytes: u64,
    /// When its first line was written, milliseconds since 1970 by the device's clock.
    #[n(2)]
    pub from_ms: i64,
    /// When its last line was written.
    #[n(3)]
    pub to_ms: i64,
}

/// How much of a log is on the server: the answer to each of its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cbor(map)]
pub struct UploadState {
    /// Bytes from its beginning; the next part begins there.
    #[n(1)]
    pub offset: u64,
    /// All of it is here, and its bytes are those of its name.
    #[n(2)]
    pub whole: bool,
}
