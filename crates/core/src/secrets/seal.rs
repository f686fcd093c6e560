//! Envelopes for secret columns: AES-256-GCM under a key made for each record, bound to the place where it lies.
//! Layout: version 1 | key id 4 | salt 16 | nonce 12 | ciphertext and tag. Copied to another place it does not open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::{hkdf, hmac};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::ids::OrgId;
use crate::platform::Ids;

const VERSION: u8 = 1;
const SALT: usize = 16;
const HEAD: usize = 1 + 4 + SALT + NONCE_LEN;

/// Where a sealed value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Table.
    pub table: &'a str,
    /// Column.
    pub column: &'a str,
    /// Tenant of the row.
    pub tenant: OrgId,
    /// Key of the row after the tenant.
    pub row: &'a str,
}

impl Place<'_> {
    /// Each part with its length before it, so that no two places have the same bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [self.table.as_bytes(), self.column.as_bytes(), self.tenant.0.as_bytes(), self.row.as_bytes()] {
            bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }
}

/// Holds the root key, which is kept outside the database.
pub(crate) struct Sealer {
    root: Zeroizing<[u8; 32]>,
    key_id: [u8; 4],
}

impl Sealer {
    pub(crate) fn new(root: [u8; 32]) -> Self {
        let root = Zeroizing::new(root);
        let hash = digest(&SHA256, &[b"platen-key-id".as_slice(), &*root].concat());
        let key_id = [hash.as_ref()[0], hash.as_ref()[1], hash.as_ref()[2], hash.as_ref()[3]];
        Self { root, key_id }
    }

    /// Seals `plain` for `place`.
    pub(crate) fn seal(&self, ids: &dyn Ids, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>> {
        let mut random = [0; SALT + NONCE_LEN];
        ids.random(&mut random);
        let (salt, nonce) = random.split_at(SALT);
        let mut body = plain.to_vec();
        let unique = Nonce::try_assume_unique_for_key(nonce).map_err(|_| failed(place))?;
        let aad = place.bytes();
        self.key(salt, place)?
            .seal_in_place_append_tag(unique, Aad::from(&aad), &mut body)
            .map_err(|_| failed(place))?;
        let mut envelope = Vec::with_capacity(HEAD + body.len());
        envelope.push(VERSION);
        envelope.extend_from_slice(&self.key_id);
        envelope.extend_from_slice(&random);
        envelope.append(&mut body);
        Ok(envelope)
    }

    /// Opens what was sealed for `place`.
    pub(crate) fn open(&self, place: Place<'_>, envelope: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        if envelope.len() < HEAD || envelope[0] != VERSION || envelope[1..5] != self.key_id {
            return Err(failed(place));
        }
        let (salt, nonce) = envelope[5..HEAD].split_at(SALT);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| failed(place))?;
        let mut body = Zeroizing::new(envelope[HEAD..].to_vec());
        let aad = place.bytes();
        let plain =
            self.key(salt, place)?.open_in_place(nonce, Aad::from(&aad), &mut body).map_err(|_| failed(place))?;
        let length = plain.len();
        body.truncate(length);
        Ok(body)
    }

    /// HMAC-SHA-256 under a key of its own for each `purpose`.
    pub(crate) fn mac(&self, purpose: &str, data: &[u8]) -> Vec<u8> {
        let key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*self.root), purpose.as_bytes());
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), data).as_ref().to_vec()
    }

    fn key(&self, salt: &[u8], place: Place<'_>) -> Result<LessSafeKey> {
        let mut key = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
            .extract(&*self.root)
            .expand(&[b"platen-record"], &AES_256_GCM)
            .map_err(|_| failed(place))?
            .fill(&mut *key)
            .map_err(|_| failed(place))?;
        let key = UnboundKey::new(&AES_256_GCM, &*key).map_err(|_| failed(place))?;
        Ok(LessSafeKey::new(key))
    }
}

/// One error for all that can be wrong with an envelope; it names the place and nothing of the content.
fn failed(place: Place<'_>) -> Error {
    Error::internal(format!(
        "the sealed value in {}.{} does not open: the data key is another one, or the row was changed by hand",
        place.table, place.column
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestIds;
    use uuid::Uuid;

    fn place(row: &str) -> Place<'_> {
        Place { table: "agents", column: "plan_sealed", tenant: OrgId(Uuid::from_u128(1)), row }
    }

    #[test]
    fn an_envelope_opens_only_where_it_was_sealed() {
        let sealer = Sealer::new([7; 32]);
        let ids = TestIds::new(1);
        let envelope = sealer.seal(&ids, place("a"), b"public").unwrap();
        assert_eq!(&**sealer.open(place("a"), &envelope).unwrap(), b"public");
        for other in [
            place("b"),
            Place { column: "x", ..place("a") },
            Place { table: "x", ..place("a") },
            Place { tenant: OrgId(Uuid::from_u128(2)), ..place("a") },
        ] {
            assert!(sealer.open(other, &envelope).is_err(), "{other:?}");
        }
        assert!(Sealer::new([8; 32]).open(place("a"), &envelope).is_err());
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let sealer = Sealer::new([7; 32]);
        let envelope = sealer.seal(&TestIds::new(1), place("a"), b"secret").unwrap();
        for at in 0..envelope.len() * 8 {
            let mut bad = envelope.clone();
            bad[at / 8] ^= 1 << (at % 8);
            assert!(sealer.open(place("a"), &bad).is_err(), "bit {at}");
        }
        for length in 0..envelope.len() {
            assert!(sealer.open(place("a"), &envelope[..length]).is_err(), "length {length}");
        }
    }

    #[test]
    fn the_same_text_is_never_sealed_twice_the_same() {
        let (sealer, ids) = (Sealer::new([7; 32]), TestIds::new(1));
        assert_ne!(sealer.seal(&ids, place("a"), b"x").unwrap(), sealer.seal(&ids, place("a"), b"x").unwrap());
    }
}
