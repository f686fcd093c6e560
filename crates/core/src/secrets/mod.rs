//! Secrets in memory and at rest. A [`Secret`] has no `Display` and no `Serialize`: it leaves only by [`Secret::expose`].

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::ids::Hex;
use crate::platform::Ids;

mod seal;

pub use seal::Place;
pub(crate) use seal::Sealer;

/// A text that must not be shown; wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text into care.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// 256 random bits in base64url, 43 characters, after `prefix`.
    #[must_use]
    pub fn random(ids: &dyn Ids, prefix: &str) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        ids.random(&mut *bytes);
        Self::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(*bytes)))
    }

    /// The text itself: to hand it to its owner once, or to use it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Compares in a time that tells nothing.
    #[must_use]
    pub fn matches(&self, given: &str) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.expose().as_bytes(), given.as_bytes()).is_ok()
    }

    /// What the database keeps of a random secret. Not for passwords, which can be guessed.
    #[must_use]
    pub fn hash(&self) -> String {
        hash_of(self.expose())
    }
}

/// SHA-256 in hex, of a secret as somebody sent it.
#[must_use]
pub(crate) fn hash_of(text: &str) -> String {
    Hex(digest(&SHA256, text.as_bytes()).as_ref()).to_string()
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}
