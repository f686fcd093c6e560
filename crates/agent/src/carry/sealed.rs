//! A stream under a passphrase: Argon2id gives the key, AES-256-GCM seals chunks of 64 KiB whose numbers are their nonces,
//! the last one marked (the STREAM construction, as age has it). Cut, changed or reordered bytes do not open.

use std::io::{self, Read, Write};

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};

/// First bytes of a file.
const MAGIC: &[u8; 16] = b"platen-agent-1\r\n";
const SALT: usize = 16;
/// Head: magic, salt, KiB of memory and passes, big-endian.
const HEAD: usize = MAGIC.len() + SALT + 8;
/// Plain bytes of a chunk.
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;
/// RFC 9106, second choice: 64 MiB, three passes.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
/// A file cannot ask for more memory or passes than these.
const MOST_KIB: u32 = 1024 * 1024;
const MOST_PASSES: u32 = 32;

/// A key for one file.
struct Key {
    key: LessSafeKey,
    head: [u8; HEAD],
    chunk: u64,
}

fn bad(words: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, words)
}

impl Key {
    fn derive(passphrase: &str, head: [u8; HEAD]) -> io::Result<Self> {
        let number = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (memory, passes) = (number(HEAD - 8), number(HEAD - 4));
        if memory > MOST_KIB || passes > MOST_PASSES {
            return Err(bad("it asks for more work than any export of ours"));
        }
        let params = Params::new(memory, passes, 1, Some(32)).map_err(|_| bad("its head is damaged"))?;
        let mut bytes = [0; 32];
        let salt = &head[MAGIC.len()..MAGIC.len() + SALT];
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon.hash_password_into(passphrase.as_bytes(), salt, &mut bytes).map_err(|_| bad("no key could be made"))?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| bad("no key could be made"))?;
        Ok(Self { key: LessSafeKey::new(key), head, chunk: 0 })
    }

    /// The nonce of the next chunk: its number, and whether it is the last.
    fn nonce(&mut self, last: bool) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[3..11].copy_from_slice(&self.chunk.to_be_bytes());
        nonce[11] = u8::from(last);
        self.chunk += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

/// Seals what is written; call [`Sealer::finish`].
pub(super) struct Sealer<W> {
    out: W,
    key: Key,
    buffer: Vec<u8>,
}

impl<W: Write> Sealer<W> {
    /// Begins a file.
    pub(super) fn new(mut out: W, passphrase: &str) -> io::Result<Self> {
        let mut head = [0; HEAD];
        head[..MAGIC.len()].copy_from_slice(MAGIC);
        let salt = &mut head[MAGIC.len()..MAGIC.len() + SALT];
        SystemRandom::new().fill(salt).map_err(|_| io::Error::other("no randomness"))?;
        head[HEAD - 8..HEAD - 4].copy_from_slice(&MEMORY_KIB.to_be_bytes());
        head[HEAD - 4..].copy_from_slice(&PASSES.to_be_bytes());
        out.write_all(&head)?;
        Ok(Self { out, key: Key::derive(passphrase, head)?, buffer: Vec::with_capacity(CHUNK + TAG) })
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let nonce = self.key.nonce(last);
        let head = Aad::from(self.key.head);
        let sealed = self.key.key.seal_in_place_append_tag(nonce, head, &mut self.buffer);
        sealed.map_err(|_| io::Error::other("a chunk could not be sealed"))?;
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Seals the last chunk.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() == CHUNK {
            self.seal(false)?;
        }
        let take = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..take]);
        Ok(take)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens what [`Sealer`] wrote; gives nothing of a chunk that was changed.
pub(super) struct Opener<R> {
    from: R,
    key: Key,
    /// Sealed bytes read ahead: a chunk is the last one when nothing follows it.
    ahead: Vec<u8>,
    plain: Vec<u8>,
    given: usize,
    done: bool,
}

impl<R: Read> Opener<R> {
    /// Reads the head.
    pub(super) fn new(mut from: R, passphrase: &str) -> io::Result<Self> {
        let mut head = [0; HEAD];
        from.read_exact(&mut head).map_err(|_| bad("this is no export of an agent"))?;
        if !head.starts_with(MAGIC) {
            return Err(bad("this is no export of an agent"));
        }
        let key = Key::derive(passphrase, head)?;
        let mut opener = Self { from, key, ahead: Vec::new(), plain: Vec::new(), given: 0, done: false };
        opener.ahead = opener.sealed()?;
        Ok(opener)
    }

    fn sealed(&mut self) -> io::Result<Vec<u8>> {
        let mut chunk = Vec::with_capacity(CHUNK + TAG);
        (&mut self.from).take((CHUNK + TAG) as u64).read_to_end(&mut chunk)?;
        Ok(chunk)
    }

    fn next(&mut self) -> io::Result<()> {
        let following = self.sealed()?;
        let last = following.is_empty();
        let mut chunk = std::mem::replace(&mut self.ahead, following);
        let nonce = self.key.nonce(last);
        let wrong = |_| bad("the passphrase is wrong, or the file was changed or cut");
        let plain = self.key.key.open_in_place(nonce, Aad::from(self.key.head), &mut chunk).map_err(wrong)?.len();
        chunk.truncate(plain);
        (self.plain, self.given, self.done) = (chunk, 0, last);
        Ok(())
    }
}

impl<R: Read> Read for Opener<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.plain.len() {
            if self.done {
                return Ok(0);
            }
            self.next()?;
        }
        let take = out.len().min(self.plain.len() - self.given);
        out[..take].copy_from_slice(&self.plain[self.given..self.given + take]);
        self.given += take;
        Ok(take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let mut sealer = Sealer::new(Vec::new(), "five grey owls").unwrap();
        sealer.write_all(plain).unwrap();
        sealer.finish().unwrap()
    }

    fn opened(sealed: &[u8], passphrase: &str) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        Opener::new(sealed, passphrase)?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    #[test]
    fn what_was_sealed_opens_by_its_passphrase_alone() {
        for size in [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let plain: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            let sealed = sealed(&plain);
            assert_eq!(opened(&sealed, "five grey owls").unwrap(), plain, "{size}");
        }
        assert!(opened(&sealed(b"key"), "five grey owl").is_err());
        assert!(!sealed(b"a word that can be found").windows(6).any(|bytes| bytes == b"a word"));
    }

    #[test]
    fn changed_cut_and_reordered_bytes_do_not_open() {
        let plain = vec![7; 2 * CHUNK + 9];
        let whole = sealed(&plain);
        for cut in [0, 5, HEAD, HEAD + 1, HEAD + CHUNK + TAG, whole.len() - 1] {
            assert!(opened(&whole[..cut], "five grey owls").is_err(), "cut at {cut}");
        }
        for at in [0, 20, HEAD - 1, HEAD, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(opened(&changed, "five grey owls").is_err(), "changed at {at}");
        }
        let mut swapped = whole[..HEAD].to_vec();
        swapped.extend_from_slice(&whole[HEAD + CHUNK + TAG..HEAD + 2 * (CHUNK + TAG)]);
        swapped.extend_from_slice(&whole[HEAD..HEAD + CHUNK + TAG]);
        swapped.extend_from_slice(&whole[HEAD + 2 * (CHUNK + TAG)..]);
        assert!(opened(&swapped, "five grey owls").is_err());
    }

    #[test]
    fn a_file_cannot_ask_for_any_amount_of_memory() {
        let mut head = sealed(b"");
        head[HEAD - 8..HEAD - 4].copy_from_slice(&u32::MAX.to_be_bytes());
        let error = opened(&head, "five grey owls").unwrap_err();
        assert!(error.to_string().contains("more work"), "{error}");
    }
}
