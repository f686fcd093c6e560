//! The device's key and dice: the same for the same seed and place, so that a fleet started again is known again.
//! They protect nothing; a real device makes its key in its chip.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use embedded::{Crypto, Sealing};
use parking_lot::Mutex;
use wire::sealed::{AwsLc, P256Secret, POINT, Suite};

use crate::random::Random;

#[derive(Clone)]
pub(super) struct Keys {
    pair: Arc<Ed25519KeyPair>,
    seal: Arc<(P256Secret, [u8; POINT])>,
    random: Arc<Mutex<Random>>,
    /// Highest draw: a fleet's first calls are spread over as many milliseconds, a minute at most.
    spread: u32,
}

impl Keys {
    /// Keys of a unit in a fleet of `devices` that report.
    pub(super) fn new(seed: u64, stream: u32, devices: usize) -> Option<Self> {
        let mut random = Random::stream(seed ^ 0x6D6F_6E69, u64::from(stream));
        let secret: Vec<u8> = (0..4).flat_map(|_| random.next().to_be_bytes()).collect();
        let pair = Arc::new(Ed25519KeyPair::from_seed_unchecked(&secret).ok()?);
        let other: Vec<u8> = (0..4).flat_map(|_| random.next().to_be_bytes()).collect();
        let seal = P256Secret::of(&other)?;
        let public = seal.public()?;
        let seal = Arc::new((seal, public));
        // Two devices need no minute to stay out of each other's way; twelve hundred do.
        let spread = u32::try_from(devices.saturating_mul(50)).map_or(60_001, |spread| spread.clamp(1, 60_001));
        Some(Self { pair, seal, random: Arc::new(Mutex::new(random)), spread })
    }
}

impl Keys {
    /// The key that signs, for the certificate of the device's own listener.
    pub(super) fn pkcs8(&self) -> Option<Vec<u8>> {
        Some(self.pair.to_pkcs8v1().ok()?.as_ref().to_vec())
    }
}

impl Sealing for Keys {
    fn suite(&self) -> &dyn Suite {
        &AwsLc
    }

    fn seal_key(&self) -> [u8; POINT] {
        self.seal.1
    }

    fn agree(&self, peer: &[u8; POINT]) -> Option<[u8; 32]> {
        self.seal.0.agree(peer)
    }
}

impl Crypto for Keys {
    fn sealing(&self) -> Option<&dyn Sealing> {
        Some(self)
    }

    fn public_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        key.copy_from_slice(self.pair.public_key().as_ref());
        key
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(message).as_ref());
        signature
    }

    fn verify(&self, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
    }

    fn sha256(&self, bytes: &[u8]) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
        hash
    }

    fn random(&self) -> u32 {
        let draw = self.random.lock().next() as u32;
        if self.spread > 60_000 { draw } else { draw % self.spread }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_unit_has_the_same_key() {
        let key = |seed, stream| Keys::new(seed, stream, 1).unwrap().public_key();
        assert_eq!(key(1, 2), key(1, 2));
        assert_ne!(key(1, 2), key(1, 3));
        assert_ne!(key(1, 2), key(2, 2));
    }
}
