//! Opening an envelope: nothing is believed before it is verified, nothing grows beyond its limit.

use super::cose::{self, Outer, Signed};
use super::suite::hkdf_sha256;
use super::{Addresses, Algorithm, Claims, Header, POINT, SealError, Suite};
use crate::packing;

/// What a small frame may always grow to, whatever the ratio says.
const RATIO_FREE: usize = 64 * 1_024;

/// What an envelope may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the envelope.
    pub envelope: usize,
    /// Bytes of the content once decompressed.
    pub content: usize,
    /// How many times its size the content may grow to; 64 KiB are always granted.
    pub ratio: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { envelope: 3 << 20, content: 4 << 20, ratio: 200 }
    }
}

impl Limits {
    /// Bytes that may come out of a frame of so many.
    fn most(&self, frame: usize) -> usize {
        self.content.min(frame.saturating_mul(self.ratio).max(RATIO_FREE))
    }
}

/// Agrees with an ephemeral key by the private key of that name; `None` when there is none of that name.
pub type Unseal<'a> = &'a dyn Fn(&[u8], &[u8; POINT]) -> Option<[u8; 32]>;
/// Whether a signature (algorithm, name of the key, message, signature) is the sender's.
pub type Verify<'a> = &'a dyn Fn(Algorithm, &[u8], &[u8], &[u8]) -> bool;

/// What the receiver has: keys, a clock, limits.
pub struct Opener<'a> {
    /// Its private keys.
    pub unseal: Unseal<'a>,
    /// The senders that it knows.
    pub verify: Verify<'a>,
    /// The receiver's clock, milliseconds since 1970.
    pub now_ms: i64,
    /// What it may cost.
    pub limits: Limits,
}

/// Opens the envelope of a mail that came from `addresses.from` to `addresses.to` with `header`: claims and document.
///
/// Whether it was seen before is the stream's window to say; whether the sender may speak for the device is checked here.
///
/// # Errors
/// The first thing that does not fit; see [`SealError`].
pub fn open(
    suite: &(impl Suite + ?Sized),
    envelope: &[u8],
    addresses: &Addresses<'_>,
    header: &Header,
    opener: &Opener<'_>,
) -> Result<(Claims, Vec<u8>), SealError> {
    if envelope.len() > opener.limits.envelope {
        return Err(SealError::TooLarge);
    }
    let outer = Outer::decode(envelope)?;
    let bound = addresses.bound(header);
    let secret = (opener.unseal)(&outer.kid, &outer.ephemeral).ok_or(SealError::UnknownKey)?;
    let key = hkdf_sha256(suite, &secret, &cose::kdf_context(&outer.recipient));
    let aad = cose::encrypted_bytes(&outer.protected, &bound);
    let inner = suite.decrypt(&key, &outer.nonce, &aad, outer.cipher).ok_or(SealError::Tampered)?;
    let signed = Signed::decode(&inner)?;
    let message = cose::signed_bytes(signed.protected, &bound, signed.payload);
    if !(opener.verify)(signed.head.algorithm, &signed.head.kid, &message, signed.signature) {
        return Err(SealError::Signature);
    }
    let claims = signed.head.claims;
    if !header.repeats(&claims) {
        return Err(SealError::Mark);
    }
    claims.in_time(opener.now_ms)?;
    let content = packing::unpack(signed.payload, opener.limits.most(signed.payload.len()));
    Ok((claims, content.map_err(|_| SealError::Inflated)?))
}

/// The name of the key that an envelope was encrypted for; to be told to people, never trusted.
///
/// # Errors
/// [`SealError::Shape`] when it is no envelope.
pub fn recipient_of(envelope: &[u8]) -> Result<Vec<u8>, SealError> {
    Outer::decode(envelope).map(|outer| outer.kid)
}
