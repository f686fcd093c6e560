//! Making an envelope: compress, sign, encrypt to one receiver.

use super::cose::{self, Outer, SignedHead};
use super::suite::hkdf_sha256;
use super::{Addresses, Algorithm, Claims, Header, POINT, SealError, Suite};
use crate::packing;

/// For whom an envelope is encrypted.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// Name of the key, at most 64 bytes: a [`crate::hello::GatewayKey`]'s number in four bytes, big-endian, or a
    /// device's [`crate::Subject`].
    pub kid: &'a [u8],
    /// The P-256 key.
    pub key: &'a [u8; POINT],
}

/// Who signs.
pub struct Signer<'a> {
    /// How.
    pub algorithm: Algorithm,
    /// Name of the key, at most 64 bytes.
    pub kid: &'a [u8],
    /// Signs; `None` when the key cannot now.
    pub sign: &'a dyn Fn(&[u8]) -> Option<[u8; 64]>,
}

/// Seals a document (CBOR, uncompressed) for the mail from `addresses.from` to `addresses.to` that bears `header`.
///
/// # Errors
/// [`SealError::Mark`] when `header` does not repeat the claims, [`SealError::Key`] when a key is none.
pub fn seal(
    suite: &(impl Suite + ?Sized),
    claims: &Claims,
    content: &[u8],
    addresses: &Addresses<'_>,
    header: &Header,
    recipient: &Recipient<'_>,
    signer: &Signer<'_>,
) -> Result<Vec<u8>, SealError> {
    if !header.repeats(claims) {
        return Err(SealError::Mark);
    }
    let bound = addresses.bound(header);
    let head = SignedHead { algorithm: signer.algorithm, kid: signer.kid.to_vec(), claims: *claims }.encode();
    let payload = packing::pack(content, packing::USUAL).ok_or(SealError::Inflated)?;
    let signature = (signer.sign)(&cose::signed_bytes(&head, &bound, &payload)).ok_or(SealError::Key)?;
    let inner = cose::sign1(&head, &payload, &signature);
    let (ephemeral, secret) = suite.agree_once(recipient.key).ok_or(SealError::Key)?;
    let (protected, for_one) = (cose::outer_protected(), cose::recipient_protected());
    let key = hkdf_sha256(suite, &secret, &cose::kdf_context(&for_one));
    let mut nonce = [0; 12];
    suite.random(&mut nonce).ok_or(SealError::Key)?;
    let aad = cose::encrypted_bytes(&protected, &bound);
    let cipher = suite.encrypt(&key, &nonce, &aad, inner).ok_or(SealError::Key)?;
    Ok(Outer { protected, nonce, cipher, recipient: for_one, ephemeral, kid: recipient.kid.to_vec() }.encode())
}
