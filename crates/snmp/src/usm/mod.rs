//! The user-based security model of v3 (RFC 3414, 3826, 7860). `keys` makes keys from pass phrases, `digest` and
//! `cipher` use them, `envelope` seals and opens messages, `client` is the side that asks, `authority` the one asked.

mod authority;
mod cipher;
mod client;
mod digest;
mod envelope;
mod keys;
mod params;
mod user;

pub use authority::{Authority, Users};
pub(crate) use authority::{Incoming, Refused};
pub(crate) use client::{Clock, Failure, Memory, Opened, open};
pub(crate) use envelope::{Envelope, Seal};
pub(crate) use keys::LocalKeys;
pub use user::{AuthProtocol, KeyExtension, PrivProtocol, UsmUser};

/// Seconds by which clocks may differ (RFC 3414 §2.2.3).
pub(crate) const WINDOW: u32 = 150;

/// Why an authenticated exchange failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthFailure {
    /// usmStatsUnsupportedSecLevels
    #[error("it does not offer this level of security to the user: check that it has the same protocols")]
    UnsupportedLevel,
    /// usmStatsNotInTimeWindows, also after one resynchronisation
    #[error("its clock and ours disagree, also after asking again")]
    NotInTimeWindow,
    /// usmStatsUnknownUserNames
    #[error("it does not know the user: check the user name")]
    UnknownUser,
    /// usmStatsUnknownEngineIDs
    #[error("it calls itself by another engine id each time")]
    UnknownEngine,
    /// usmStatsWrongDigests
    #[error("wrong digest: check the authentication protocol and pass phrase")]
    WrongDigest,
    /// usmStatsDecryptionErrors
    #[error("it could not decrypt: check the privacy protocol and pass phrase")]
    Decryption,
    /// The answer itself does not carry the right digest.
    #[error("its answer carries a wrong digest")]
    AnswerNotAuthentic,
    /// The answer could not be decrypted.
    #[error("its answer cannot be decrypted: check the privacy protocol, key extension and pass phrase")]
    AnswerNotDecrypted,
    /// The agent answered below the level of security that was asked for.
    #[error("its answer is less protected than the request")]
    AnswerUnprotected,
    /// Privacy without authentication does not exist.
    #[error("privacy needs authentication: give an authentication protocol and pass phrase")]
    PrivacyWithoutAuth,
    /// RFC 3414 §11.2: pass phrases have eight characters at least.
    #[error("a pass phrase has fewer than 8 characters")]
    ShortPassPhrase,
    /// snmpUnknownContexts
    #[error("it does not know the context: check the context name")]
    UnknownContext,
    /// A Report we do not know.
    #[error("it reported an error of its own")]
    OtherReport,
}
