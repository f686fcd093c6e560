//! Privacy: DES in CBC mode (RFC 3414 §8) and AES in CFB mode (RFC 3826, also with longer keys).

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use des::Des;
use des::cipher::{Block, BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use zeroize::Zeroizing;

use super::user::PrivProtocol;

impl PrivProtocol {
    /// Bytes of key material it needs; for DES the second half hides the initialisation vector.
    pub(super) fn key_len(self) -> usize {
        match self {
            Self::Des | Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }
}

/// A key that hides messages.
pub(super) enum Cipher {
    Des { key: Box<Des>, pre_iv: Zeroizing<[u8; 8]> },
    Aes { encrypting: Box<EncryptingKey>, decrypting: Box<DecryptingKey> },
}

/// The clock of the engine and the salt of one message: together they never repeat.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nonce {
    pub(super) boots: u32,
    pub(super) time: u32,
    pub(super) salt: [u8; 8],
}

impl Nonce {
    /// RFC 3826 §3.1.2.1
    fn aes(self) -> FixedLength<16> {
        let mut iv = [0; 16];
        iv[..4].copy_from_slice(&self.boots.to_be_bytes());
        iv[4..8].copy_from_slice(&self.time.to_be_bytes());
        iv[8..].copy_from_slice(&self.salt);
        FixedLength::from(iv)
    }
}

impl Cipher {
    /// `None` only if the key is too short.
    pub(super) fn new(protocol: PrivProtocol, key: &[u8]) -> Option<Self> {
        let key = key.get(..protocol.key_len())?;
        let algorithm = match protocol {
            PrivProtocol::Des => {
                let pre_iv = Zeroizing::new(*key.last_chunk()?);
                return Some(Self::Des { key: Box::new(Des::new_from_slice(&key[..8]).ok()?), pre_iv });
            }
            PrivProtocol::Aes128 => &AES_128,
            PrivProtocol::Aes192 => &AES_192,
            PrivProtocol::Aes256 => &AES_256,
        };
        let unbound = || UnboundCipherKey::new(algorithm, key).ok();
        Some(Self::Aes {
            encrypting: Box::new(EncryptingKey::cfb128(unbound()?).ok()?),
            decrypting: Box::new(DecryptingKey::cfb128(unbound()?).ok()?),
        })
    }

    /// What the length of a plain text must be a multiple of.
    pub(super) fn block(&self) -> usize {
        match self {
            Self::Des { .. } => 8,
            Self::Aes { .. } => 1,
        }
    }

    /// The salt of the message with this number (RFC 3414 §8.1.1.1: DES takes half of it from the boots).
    pub(super) fn salt(&self, boots: u32, number: u64) -> [u8; 8] {
        match self {
            Self::Des { .. } => ((u64::from(boots) << 32) | (number & 0xffff_ffff)).to_be_bytes(),
            Self::Aes { .. } => number.to_be_bytes(),
        }
    }

    /// Encrypts in place; false if the length does not fit the block.
    pub(super) fn encrypt(&self, nonce: Nonce, text: &mut [u8]) -> bool {
        match self {
            Self::Des { key, pre_iv } => {
                let mut chain = des_iv(pre_iv, nonce);
                for block in text.chunks_exact_mut(8) {
                    block.iter_mut().zip(chain).for_each(|(byte, chain)| *byte ^= chain);
                    let mut out = Block::<Des>::default();
                    out.copy_from_slice(block);
                    key.encrypt_block(&mut out);
                    block.copy_from_slice(&out);
                    chain.copy_from_slice(&out);
                }
                text.len().is_multiple_of(8)
            }
            Self::Aes { encrypting, .. } => {
                encrypting.less_safe_encrypt(text, EncryptionContext::Iv128(nonce.aes())).is_ok()
            }
        }
    }

    /// Decrypts in place; false if the length does not fit the block.
    pub(super) fn decrypt(&self, nonce: Nonce, text: &mut [u8]) -> bool {
        match self {
            Self::Des { key, pre_iv } => {
                let mut chain = des_iv(pre_iv, nonce);
                for block in text.chunks_exact_mut(8) {
                    let mut out = Block::<Des>::default();
                    out.copy_from_slice(block);
                    let next = <[u8; 8]>::from(out);
                    key.decrypt_block(&mut out);
                    block.iter_mut().zip(out.iter().zip(chain)).for_each(|(byte, (out, chain))| *byte = out ^ chain);
                    chain = next;
                }
                text.len().is_multiple_of(8)
            }
            Self::Aes { decrypting, .. } => decrypting.decrypt(text, DecryptionContext::Iv128(nonce.aes())).is_ok(),
        }
    }
}

fn des_iv(pre_iv: &[u8; 8], nonce: Nonce) -> [u8; 8] {
    let mut iv = *pre_iv;
    iv.iter_mut().zip(nonce.salt).for_each(|(byte, salt)| *byte ^= salt);
    iv
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn aes_gives_what_sp_800_38a_says_for_cfb128() {
        let nonce = Nonce { boots: 0x0001_0203, time: 0x0405_0607, salt: [8, 9, 10, 11, 12, 13, 14, 15] };
        for (protocol, key, expected) in [
            (PrivProtocol::Aes128, "2b7e151628aed2a6abf7158809cf4f3c", "3b3fd92eb72dad20333449f8e83cfb4a"),
            (
                PrivProtocol::Aes192,
                "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
                "cdc80d6fddf18cab34c25909c99a4174",
            ),
            (
                PrivProtocol::Aes256,
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                "dc7e84bfda79164b7ecd8486985d3860",
            ),
        ] {
            let cipher = Cipher::new(protocol, &bytes(key)).unwrap();
            let mut text = bytes("6bc1bee22e409f96e93d7e117393172a");
            assert!(cipher.encrypt(nonce, &mut text));
            assert_eq!(text, bytes(expected), "{protocol:?}");
            assert!(cipher.decrypt(nonce, &mut text));
            assert_eq!(text, bytes("6bc1bee22e409f96e93d7e117393172a"));
            // No block to fill: any length goes.
            assert!(cipher.encrypt(nonce, &mut text[..5]));
        }
    }

    #[test]
    fn des_hides_its_vector_and_chains_its_blocks() {
        let cipher = Cipher::new(PrivProtocol::Des, &bytes("133457799bbcdff1aabbccddeeff0011")).unwrap();
        let nonce = Nonce { boots: 1, time: 2, salt: [0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00, 0x11] };
        let plain = bytes("0123456789abcdef0123456789abcdef");
        let mut text = plain.clone();
        assert!(cipher.encrypt(nonce, &mut text));
        assert_eq!(text[..8], bytes("85e813540f0ab405"));
        assert_ne!(text[8..], text[..8]);
        assert!(cipher.decrypt(nonce, &mut text));
        assert_eq!(text, plain);
        assert!(!cipher.decrypt(nonce, &mut text[..7]));
    }
}
