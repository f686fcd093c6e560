//! The mark `X-Platen`: which stream and place a message claims, so that it can be refused before any cryptography.

use std::fmt;
use std::str::FromStr;

/// Longest device id in a mark.
const MAX_DEVICE: usize = 64;

/// `X-Platen: v=1; d=ID; k=KIND; e=EPOCH; s=SEQ`. A claim, never trusted alone: the envelope inside repeats it, signed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    device: Box<str>,
    /// The kind of the first message inside, by the table of kinds.
    pub kind: u32,
    /// The sender's epoch.
    pub epoch: u64,
    /// The sequence number of the first message inside.
    pub sequence: u64,
}

/// Not a mark of version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a mark of version 1; it reads `v=1; d=ID; k=KIND; e=EPOCH; s=SEQ`")]
pub struct NotAStamp;

impl Stamp {
    /// The name of its header field.
    pub const FIELD: &'static str = "X-Platen";

    /// A mark. `device` is opaque: 1–64 letters, digits, `-` or `_` (base64url fits).
    ///
    /// # Errors
    /// When `device` is anything else.
    pub fn new(device: &str, kind: u32, epoch: u64, sequence: u64) -> Result<Self, NotAStamp> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if !(1..=MAX_DEVICE).contains(&device.len()) || !device.bytes().all(plain) {
            return Err(NotAStamp);
        }
        Ok(Self { device: device.into(), kind, epoch, sequence })
    }

    /// The opaque id of the device.
    #[must_use]
    pub fn device(&self) -> &str {
        &self.device
    }
}

impl fmt::Display for Stamp {
    /// The canonical form; what the sealed envelope is bound to.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "v=1; d={}; k={}; e={}; s={}", self.device, self.kind, self.epoch, self.sequence)
    }
}

impl FromStr for Stamp {
    type Err = NotAStamp;

    /// Reads the five values in their order; white space around them is a relay's folding.
    fn from_str(text: &str) -> Result<Self, NotAStamp> {
        if text.len() > 256 {
            return Err(NotAStamp);
        }
        let mut parts = text.split(';');
        let mut value = |name: &str| {
            let part = parts.next().ok_or(NotAStamp)?.trim_matches([' ', '\t']);
            part.strip_prefix(name).and_then(|part| part.strip_prefix('=')).ok_or(NotAStamp)
        };
        if value("v")? != "1" {
            return Err(NotAStamp);
        }
        let device = value("d")?;
        let (kind, epoch, sequence) = (number(value("k")?)?, number(value("e")?)?, number(value("s")?)?);
        if parts.next().is_some() {
            return Err(NotAStamp);
        }
        Self::new(device, u32::try_from(kind).map_err(|_| NotAStamp)?, epoch, sequence)
    }
}

/// Digits without leading zeros: one number, one spelling.
fn number(text: &str) -> Result<u64, NotAStamp> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = digits && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().map_err(|_| NotAStamp) } else { Err(NotAStamp) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_comes_back_also_when_it_was_folded() {
        let stamp = Stamp::new("aZ_9-", 5, 2, u64::MAX).unwrap();
        assert_eq!(stamp.to_string().parse(), Ok(stamp.clone()));
        assert_eq!(stamp.to_string().replace("; k", ";\t k").parse(), Ok(stamp));
    }

    #[test]
    fn any_other_spelling_is_refused() {
        let refused = [
            "",
            "v=1",
            "v=2; d=a; k=1; e=1; s=1",
            "d=a; v=1; k=1; e=1; s=1",
            "v=1; d=; k=1; e=1; s=1",
            "v=1; d=a b; k=1; e=1; s=1",
            "v=1; d=a; k=01; e=1; s=1",
            "v=1; d=a; k=+1; e=1; s=1",
            "v=1; d=a; k=1; e=1; s=",
            "v=1; d=a; k=4294967296; e=1; s=1",
            "v=1; d=a; k=1; e=1; s=18446744073709551616",
            "v=1; d=a; k=1; e=1; s=1;",
            "v=1; d=a; k=1; e=1; s=1; x=1",
            "V=1; d=a; k=1; e=1; s=1",
            "v=1; d=é; k=1; e=1; s=1",
        ];
        for text in refused {
            assert_eq!(text.parse::<Stamp>(), Err(NotAStamp), "{text:?}");
        }
        assert_eq!(Stamp::new(&"a".repeat(65), 1, 1, 1), Err(NotAStamp));
    }
}
