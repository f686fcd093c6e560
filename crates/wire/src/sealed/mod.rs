//! The sealed envelope of mail (gateway.md §5): COSE_Encrypt over COSE_Sign1 over zstd over CBOR (RFC 9052, RFC 9053).
//! Both layers are bound to the addresses and the mark of the mail that carries them. Tour: [`Claims`] (what is signed),
//! [`seal`], [`open`], [`Suite`] (cryptography, lent); `cose` holds the bytes of the standard.

#[cfg(feature = "aws-lc")]
mod aws_lc;
mod claims;
mod cose;
mod header;
mod opening;
mod sealing;
mod suite;

#[cfg(feature = "aws-lc")]
pub use aws_lc::{AwsLc, P256Secret};
pub use claims::{Claims, Content, GATEWAY, MAX_LIFE_MS};
pub use header::{Addresses, Header, NotAHeader};
pub use opening::{Limits, Opener, Unseal, Verify, open, recipient_of};
pub use sealing::{Recipient, Signer, seal};
pub use suite::{Algorithm, POINT, Suite};

/// Why an envelope was not made or not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SealError {
    /// Larger than the limit, before anything was read.
    #[error("the envelope is larger than allowed")]
    TooLarge,
    /// Not the form of this profile; says what was expected.
    #[error("the envelope is not as it should be: {0}")]
    Shape(&'static str),
    /// Encrypted for a key that is not here, or no longer.
    #[error("the envelope is for a key that is not in use here")]
    UnknownKey,
    /// It was changed on its way, or its addresses or mark were.
    #[error("the envelope does not open: it, its addresses or its mark were changed, or it is for somebody else")]
    Tampered,
    /// The signature is not that of the sender.
    #[error("the signature is not the sender's")]
    Signature,
    /// What is signed says something else than the mark.
    #[error("the mark says something else than what is signed")]
    Mark,
    /// Its time is over, or has not come, or it claims to live longer than seven days.
    #[error("the envelope's time is over, or has not come")]
    Expired,
    /// The content grows beyond what is allowed, or is not zstd.
    #[error("the content is no zstd, or grows beyond what is allowed")]
    Inflated,
    /// The lent cryptography failed or was given a key that is none.
    #[error("the key is not one that can be used")]
    Key,
}
