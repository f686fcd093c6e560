//! The one implementation that our programs share, on aws-lc.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::{hmac, rand};

use super::{POINT, Suite};

/// aws-lc, with the system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLc;

/// A private P-256 key.
#[derive(Debug)]
pub struct P256Secret(PrivateKey);

impl P256Secret {
    /// The key of 32 bytes that nobody else knows; `None` for the few that are no key (0, and from the order on).
    #[must_use]
    pub fn of(secret: &[u8]) -> Option<Self> {
        PrivateKey::from_private_key(&ECDH_P256, secret).ok().map(Self)
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> Option<[u8; POINT]> {
        self.0.compute_public_key().ok()?.as_ref().try_into().ok()
    }

    /// What it agrees on with another's public key; `None` when that is no point of the curve.
    #[must_use]
    pub fn agree(&self, peer: &[u8; POINT]) -> Option<[u8; 32]> {
        agreement::agree(&self.0, UnparsedPublicKey::new(&ECDH_P256, peer), (), |secret| {
            secret.try_into().map_err(|_| ())
        })
        .ok()
    }
}

impl Suite for AwsLc {
    fn random(&self, bytes: &mut [u8]) -> Option<()> {
        rand::fill(bytes).ok()
    }

    fn agree_once(&self, peer: &[u8; POINT]) -> Option<([u8; POINT], [u8; 32])> {
        let once = P256Secret(PrivateKey::generate(&ECDH_P256).ok()?);
        Some((once.public()?, once.agree(peer)?))
    }

    fn hmac_sha256(&self, key: &[u8], data: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }

    fn encrypt(&self, key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], mut plain: Vec<u8>) -> Option<Vec<u8>> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        gcm(key)?.seal_in_place_append_tag(nonce, Aad::from(aad), &mut plain).ok()?;
        Some(plain)
    }

    fn decrypt(&self, key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], mut cipher: Vec<u8>) -> Option<Vec<u8>> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = gcm(key)?.open_in_place(nonce, Aad::from(aad), &mut cipher).ok()?.len();
        cipher.truncate(length);
        Some(cipher)
    }
}

fn gcm(key: &[u8; 32]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}
