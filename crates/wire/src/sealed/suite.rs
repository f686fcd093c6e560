//! The cryptography that sealing needs, lent by whoever has it: firmware by its chip or library, our programs by aws-lc.

/// Bytes of a P-256 public key: SEC 1, uncompressed, with its leading 4.
pub const POINT: usize = 65;

/// How a signature is made (RFC 9053 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256; a signature is r and s, 32 bytes each.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// Its number in the register of COSE algorithms.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::Es256 => -7,
            Self::EdDsa => -8,
        }
    }

    pub(super) fn of_number(number: i64) -> Option<Self> {
        [Self::Es256, Self::EdDsa].into_iter().find(|algorithm| algorithm.number() == number)
    }
}

/// Operations that need no secret of the device. `None` means that it failed; nothing is said why.
pub trait Suite {
    /// Fills with bytes that nobody can guess.
    fn random(&self, bytes: &mut [u8]) -> Option<()>;
    /// Makes a P-256 key for this once: its public half, and what it agrees on with `peer` (the x coordinate).
    /// A `peer` that is no point of the curve fails.
    fn agree_once(&self, peer: &[u8; POINT]) -> Option<([u8; POINT], [u8; 32])>;
    /// HMAC with SHA-256.
    fn hmac_sha256(&self, key: &[u8], data: &[u8]) -> [u8; 32];
    /// AES-256-GCM: the cipher text with its tag of 16 bytes behind it.
    fn encrypt(&self, key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], plain: Vec<u8>) -> Option<Vec<u8>>;
    /// The other way; `None` when the tag does not fit.
    fn decrypt(&self, key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], cipher: Vec<u8>) -> Option<Vec<u8>>;
}

/// HKDF with SHA-256 (RFC 5869) without salt, for 32 bytes: one block of the expansion.
pub(super) fn hkdf_sha256(suite: &(impl Suite + ?Sized), secret: &[u8], info: &[u8]) -> [u8; 32] {
    let extracted = suite.hmac_sha256(&[0; 32], secret);
    suite.hmac_sha256(&extracted, &[info, &[1]].concat())
}
