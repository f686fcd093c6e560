//! The mark `X-Platen` and the addresses, in the one form to which envelopes are bound.

use std::fmt;
use std::str::FromStr;

use super::{Claims, Content, GATEWAY};
use crate::Subject;

/// `X-Platen: v=1; d=DEVICE; k=KIND; e=EPOCH; s=SEQ`. A claim that anybody can write; what is signed must repeat it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// The device, whoever speaks.
    pub device: Subject,
    /// Kind of the first message inside.
    pub kind: u32,
    /// Its epoch.
    pub epoch: u64,
    /// Its number.
    pub seq: u64,
}

/// Not a mark of version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a mark of version 1; it reads `v=1; d=DEVICE; k=KIND; e=EPOCH; s=SEQ`")]
pub struct NotAHeader;

impl Header {
    /// The mark of an envelope that concerns `device`.
    #[must_use]
    pub fn of(device: Subject, claims: &Claims) -> Self {
        Self { device, kind: claims.kind, epoch: claims.epoch, seq: claims.seq }
    }

    /// Whether it says what was signed.
    pub(super) fn repeats(&self, claims: &Claims) -> bool {
        let speaker = match claims.content {
            Content::Orders => claims.sender == GATEWAY,
            Content::Report | Content::Acks | Content::Hello => claims.sender == self.device,
        };
        // A test is told by its mark before it is opened, for its key is looked for elsewhere.
        let test = (claims.content == Content::Hello) == (claims.kind == Content::HELLO);
        speaker && test && *self == Self::of(self.device, claims)
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v=1; d={:?}; k={}; e={}; s={}", self.device, self.kind, self.epoch, self.seq)
    }
}

impl FromStr for Header {
    type Err = NotAHeader;

    /// Reads exactly what [`fmt::Display`] writes: five values in their order, numbers without sign or leading zero.
    fn from_str(text: &str) -> Result<Self, NotAHeader> {
        let rest = text.strip_prefix("v=1; d=").ok_or(NotAHeader)?;
        let mut parts = rest.split("; ");
        let device = parts.next().and_then(Subject::from_text).ok_or(NotAHeader)?;
        let mut number = |name: &str| parts.next()?.strip_prefix(name)?.parse::<u64>().ok();
        let kind = number("k=").and_then(|kind| u32::try_from(kind).ok()).ok_or(NotAHeader)?;
        let (epoch, seq) = (number("e=").ok_or(NotAHeader)?, number("s=").ok_or(NotAHeader)?);
        let header = Self { device, kind, epoch, seq };
        if header.to_string() == text { Ok(header) } else { Err(NotAHeader) }
    }
}

/// From and To of the mail: the pair that is registered for the device, the one that sends first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses<'a> {
    /// Sender.
    pub from: &'a str,
    /// Receiver.
    pub to: &'a str,
}

impl Addresses<'_> {
    /// The external data that both layers authenticate: a CBOR list of version, From, To and mark, addresses in lower
    /// case, for mail servers change it.
    pub(super) fn bound(&self, header: &Header) -> Vec<u8> {
        let words =
            ("platen-mail-v1", self.from.to_ascii_lowercase(), self.to.to_ascii_lowercase(), header.to_string());
        crate::cbor::encode(&words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_as_it_is_written_and_in_no_other_way() {
        let header = Header { device: Subject([0xfb; 16]), kind: 5, epoch: 3, seq: u64::MAX };
        let text = header.to_string();
        assert_eq!(text, "v=1; d=-_v7-_v7-_v7-_v7-_v7-w; k=5; e=3; s=18446744073709551615");
        assert_eq!(text.parse(), Ok(header));
        for wrong in [
            text.replace("v=1", "v=2"),
            text.replace("; k=5", ";k=5"),
            text.replace("k=5", "k=05"),
            text.replace("k=5", "k=+5"),
            text.replace("e=3", "e=-3"),
            text.replace("; e=3", ""),
            format!("{text}; x=1"),
            text.replace("-w;", "-w=;"),
            String::new(),
        ] {
            assert_eq!(wrong.parse::<Header>(), Err(NotAHeader), "{wrong}");
        }
    }
}
