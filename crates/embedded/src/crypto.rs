//! What the firmware's own cryptography must give; the private key may live in a chip and never leaves it.

use wire::sealed::{POINT, Suite};

/// What mail is sealed with, on top of [`Crypto`].
pub trait Sealing {
    /// The operations that need no secret of the device.
    fn suite(&self) -> &dyn Suite;
    /// P-256 public key that mail to the device is sealed for.
    fn seal_key(&self) -> [u8; POINT];
    /// What the private half of [`Sealing::seal_key`] agrees on with another's public key (the x coordinate); `None` when
    /// that is no point of the curve.
    fn agree(&self, peer: &[u8; POINT]) -> Option<[u8; 32]>;
}

/// Signatures, hashes and randomness of the device.
pub trait Crypto {
    /// Ed25519 public key of the device.
    fn public_key(&self) -> [u8; 32];
    /// Ed25519 signature with the device's key.
    fn sign(&self, message: &[u8]) -> [u8; 64];
    /// Whether `signature` over `message` is that of an Ed25519 `key`.
    fn verify(&self, key: &[u8], message: &[u8], signature: &[u8]) -> bool;
    /// SHA-256.
    fn sha256(&self, bytes: &[u8]) -> [u8; 32];
    /// 32 random bits; they spread devices in time and need not be secret.
    fn random(&self) -> u32;
    /// What mail is sealed with; `None`: this firmware keeps to HTTPS, whatever road it is set to.
    fn sealing(&self) -> Option<&dyn Sealing> {
        None
    }
}
