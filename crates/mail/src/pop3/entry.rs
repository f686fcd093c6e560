//! A message as a maildrop lists it.

/// Longest unique id (RFC 1939 §7).
const MAX_UID: usize = 70;

/// Size and unique id of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    size: u64,
    uid: Box<str>,
}

impl Entry {
    /// A message of `size` bytes, as it is given by RETR: lines ended by CRLF, dots not doubled.
    /// None when `uid` is not 1–70 characters of `!`–`~` (RFC 1939 §7).
    #[must_use]
    pub fn new(size: u64, uid: &str) -> Option<Self> {
        let lawful = (1..=MAX_UID).contains(&uid.len()) && uid.bytes().all(|byte| byte.is_ascii_graphic());
        lawful.then(|| Self { size, uid: uid.into() })
    }

    /// Bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The unique id, the same in every session.
    #[must_use]
    pub fn uid(&self) -> &str {
        &self.uid
    }
}
