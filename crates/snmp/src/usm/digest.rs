//! Hashes and message authentication of the six authentication protocols. MD5 comes from RustCrypto, because the
//! provider of the rest does not offer it; both sides of an HMAC key are hashed once, when the key is made.

use aws_lc_rs::{constant_time, digest, hmac};
use md5::{Digest as _, Md5};
use zeroize::Zeroizing;

use super::user::AuthProtocol;

/// Bytes of a secret.
pub(super) type Key = Zeroizing<Vec<u8>>;

impl AuthProtocol {
    /// Bytes of the digest in a message (RFC 3414 §6.3, RFC 7860 §4.1).
    pub(crate) fn mac_len(self) -> usize {
        match self {
            Self::Md5 | Self::Sha1 => 12,
            Self::Sha224 => 16,
            Self::Sha256 => 24,
            Self::Sha384 => 32,
            Self::Sha512 => 48,
        }
    }

    fn digest(self) -> Option<&'static digest::Algorithm> {
        Some(match self {
            Self::Md5 => return None,
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha224 => &digest::SHA224,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        })
    }

    /// Hash of the parts, one after another.
    pub(super) fn hash<'p>(self, parts: impl IntoIterator<Item = &'p [u8]>) -> Key {
        let Some(algorithm) = self.digest() else {
            let mut context = Md5::new();
            parts.into_iter().for_each(|part| context.update(part));
            return Zeroizing::new(context.finalize().to_vec());
        };
        let mut context = digest::Context::new(algorithm);
        parts.into_iter().for_each(|part| context.update(part));
        Zeroizing::new(context.finish().as_ref().to_vec())
    }
}

/// A key that authenticates messages.
pub(super) enum Mac {
    /// The state after the inner, and after the outer, padded key.
    Md5(Box<[Md5; 2]>),
    Sha {
        key: Box<hmac::Key>,
        len: usize,
    },
}

impl Mac {
    pub(super) fn new(protocol: AuthProtocol, key: &[u8]) -> Self {
        let algorithm = match protocol {
            AuthProtocol::Md5 => return Self::md5(key),
            AuthProtocol::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            AuthProtocol::Sha224 => hmac::HMAC_SHA224,
            AuthProtocol::Sha256 => hmac::HMAC_SHA256,
            AuthProtocol::Sha384 => hmac::HMAC_SHA384,
            AuthProtocol::Sha512 => hmac::HMAC_SHA512,
        };
        Self::Sha { key: Box::new(hmac::Key::new(algorithm, key)), len: protocol.mac_len() }
    }

    /// A localised MD5 key has 16 bytes, less than a block.
    fn md5(key: &[u8]) -> Self {
        let padded = |pad: u8| {
            let mut block = Zeroizing::new([pad; 64]);
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            Md5::new_with_prefix(block.as_slice())
        };
        Self::Md5(Box::new([padded(0x36), padded(0x5c)]))
    }

    /// Puts the digest of `message` into `out`; returns its length.
    pub(super) fn sign(&self, message: &[u8], out: &mut [u8; 48]) -> usize {
        match self {
            Self::Md5(states) => {
                let [inner, outer] = &**states;
                let mut outer = outer.clone();
                outer.update(inner.clone().chain_update(message).finalize());
                out[..12].copy_from_slice(&outer.finalize()[..12]);
                12
            }
            Self::Sha { key, len } => {
                out[..*len].copy_from_slice(&hmac::sign(key, message).as_ref()[..*len]);
                *len
            }
        }
    }

    /// Whether `given` is the digest of `message`, found in constant time.
    pub(super) fn verify(&self, message: &[u8], given: &[u8]) -> bool {
        let mut own = [0; 48];
        let len = self.sign(message, &mut own);
        constant_time::verify_slices_are_equal(&own[..len], given).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_rfc_2202_and_4231_cut_to_length() {
        let cases = [
            (AuthProtocol::Md5, 16, "9294727a3638bb1c13f48ef8"),
            (AuthProtocol::Sha1, 20, "b617318655057264e28bc0b6"),
            (AuthProtocol::Sha224, 20, "896fb1128abbdf196832107cd49df33f"),
            (AuthProtocol::Sha256, 20, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da7"),
            (AuthProtocol::Sha384, 20, "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59c"),
            (
                AuthProtocol::Sha512,
                20,
                "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4",
            ),
        ];
        for (protocol, key, expected) in cases {
            let mac = Mac::new(protocol, &vec![0x0b; key]);
            let mut out = [0; 48];
            let length = mac.sign(b"Hi There", &mut out);
            let shown: String = out[..length].iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(shown, expected, "{protocol:?}");
            assert!(mac.verify(b"Hi There", &out[..length]) && !mac.verify(b"Hi there", &out[..length]));
            assert!(!mac.verify(b"Hi There", &out[..length - 1]) && !mac.verify(b"Hi There", &[]));
        }
    }
}
