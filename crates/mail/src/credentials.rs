//! A name and a password, and SASL PLAIN (RFC 4616), the one mechanism that both protocols speak here.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// A password: wiped from memory when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text into care.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, to be compared or sent.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// Who somebody claims to be, with the proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The name, as sent: UTF-8 without NUL.
    pub user: String,
    /// The password.
    pub password: Secret,
}

impl Credentials {
    /// A name and a password.
    #[must_use]
    pub fn new(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self { user: user.into(), password: Secret::new(password) }
    }

    /// The initial response of SASL PLAIN, in base64.
    pub(crate) fn to_plain(&self) -> Zeroizing<String> {
        let plain = Zeroizing::new(format!("\0{}\0{}", self.user, self.password.expose()));
        Zeroizing::new(STANDARD.encode(plain.as_bytes()))
    }

    /// Reads a response of SASL PLAIN. Acting for somebody else (an `authzid` of another name) is refused.
    pub(crate) fn from_plain(base64: &[u8]) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(base64).ok()?);
        let text = std::str::from_utf8(&bytes).ok()?;
        let mut parts = text.split('\0');
        let (acting, user, password) = (parts.next()?, parts.next()?, parts.next()?);
        let whole = parts.next().is_none() && !user.is_empty() && !password.is_empty();
        (whole && (acting.is_empty() || acting == user)).then(|| Self::new(user, password))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_comes_back_and_is_never_shown() {
        let given = Credentials::new("device-7", "open sesame");
        assert_eq!(Credentials::from_plain(given.to_plain().as_bytes()), Some(given.clone()));
        assert!(!format!("{given:?}").contains("sesame"));
    }

    #[test]
    fn plain_that_is_malformed_or_acts_for_another_is_refused() {
        for text in ["", "\0a", "\0a\0", "\0\0b", "\0a\0b\0", "root\0a\0b"] {
            assert_eq!(Credentials::from_plain(STANDARD.encode(text).as_bytes()), None, "{text:?}");
        }
        assert_eq!(Credentials::from_plain(b"AGEAYg"), None, "padding is not optional");
        assert_eq!(Credentials::from_plain(STANDARD.encode(b"\0a\0\xff").as_bytes()), None);
        assert_eq!(Credentials::from_plain(STANDARD.encode("a\0a\0b").as_bytes()), Some(Credentials::new("a", "b")));
    }
}
