//! From pass phrase to key: stretched once for a user (RFC 3414 A.2), localised for each engine (§2.6), made longer
//! where a cipher wants more than the hash gives.

use zeroize::Zeroizing;

use super::AuthFailure;
use super::cipher::Cipher;
use super::digest::{Key, Mac};
use super::user::{AuthProtocol, KeyExtension, PrivProtocol, UsmUser};

/// Bytes a pass phrase is stretched to before it is hashed.
const STRETCH: usize = 1 << 20;
/// Shortest pass phrase (RFC 3414 §11.2).
const SHORTEST: usize = 8;

/// Stretched keys of a user, the same for every engine. Making them is slow on purpose: keep them.
pub(crate) struct MasterKeys {
    auth: Option<(AuthProtocol, Key)>,
    privacy: Option<(AuthProtocol, PrivProtocol, KeyExtension, Key)>,
}

/// Keys of a user at one engine.
pub(crate) struct LocalKeys {
    pub(super) auth: Option<(AuthProtocol, Mac)>,
    pub(super) privacy: Option<Cipher>,
}

impl MasterKeys {
    pub(crate) fn new(user: &UsmUser) -> Result<Self, AuthFailure> {
        let stretch = |hash, pass: &crate::target::Secret| {
            let pass = pass.expose();
            if pass.len() < SHORTEST { Err(AuthFailure::ShortPassPhrase) } else { Ok(pass_to_key(hash, pass)) }
        };
        let Some((hash, pass)) = &user.auth else {
            return match user.privacy {
                None => Ok(Self { auth: None, privacy: None }),
                Some(_) => Err(AuthFailure::PrivacyWithoutAuth),
            };
        };
        let auth = Some((*hash, stretch(*hash, pass)?));
        let privacy = match &user.privacy {
            Some((cipher, pass)) => Some((*hash, *cipher, user.extension, stretch(*hash, pass)?)),
            None => None,
        };
        Ok(Self { auth, privacy })
    }

    /// The keys at one engine.
    pub(crate) fn localise(&self, engine_id: &[u8]) -> LocalKeys {
        let auth = self.auth.as_ref().map(|(hash, key)| (*hash, Mac::new(*hash, &localise(*hash, key, engine_id))));
        let privacy = self.privacy.as_ref().and_then(|(hash, cipher, extension, key)| {
            let local = localise(*hash, key, engine_id);
            Cipher::new(*cipher, &extend(*hash, local, engine_id, cipher.key_len(), *extension))
        });
        LocalKeys { auth, privacy }
    }
}

/// RFC 3414 A.2: the hash of a megabyte of the pass phrase, repeated.
pub(super) fn pass_to_key(hash: AuthProtocol, pass: &[u8]) -> Key {
    if pass.is_empty() {
        return hash.hash([]);
    }
    let copies = 4_096 / pass.len() + 1;
    let block = Zeroizing::new(pass.repeat(copies));
    let (whole, rest) = (STRETCH / block.len(), STRETCH % block.len());
    let parts = std::iter::repeat_n(block.as_slice(), whole).chain([&block[..rest]]);
    hash.hash(parts)
}

/// RFC 3414 §2.6
pub(super) fn localise(hash: AuthProtocol, key: &[u8], engine_id: &[u8]) -> Key {
    hash.hash([key, engine_id, key])
}

/// Makes a localised key at least `wanted` bytes long.
pub(super) fn extend(
    hash: AuthProtocol,
    mut key: Key,
    engine_id: &[u8],
    wanted: usize,
    extension: KeyExtension,
) -> Key {
    let mut last = Zeroizing::new(key.to_vec());
    while key.len() < wanted {
        let more = match extension {
            KeyExtension::Blumenthal => hash.hash([key.as_slice()]),
            KeyExtension::Reeder => localise(hash, &pass_to_key(hash, &last), engine_id),
        };
        key = Zeroizing::new([key.as_slice(), more.as_slice()].concat());
        last = more;
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine_id() -> [u8; 12] {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn rfc_3414_a_3_gives_these_keys() {
        let md5 = pass_to_key(AuthProtocol::Md5, b"maplesyrup");
        assert_eq!(hex(&md5), "9faf3283884e92834ebc9847d8edd963");
        assert_eq!(hex(&localise(AuthProtocol::Md5, &md5, &engine_id())), "526f5eed9fcce26f8964c2930787d82b");
        let sha = pass_to_key(AuthProtocol::Sha1, b"maplesyrup");
        assert_eq!(hex(&sha), "9fb5cc0381497b3793528939ff788d5d79145211");
        assert_eq!(hex(&localise(AuthProtocol::Sha1, &sha, &engine_id())), "6695febc9288e36282235fc7151f128497b38f3f");
    }

    #[test]
    fn reeder_extends_by_the_key_as_a_pass_phrase() {
        // draft-reeder-snmpv3-usm-3desede-00, B.1 and B.2
        let md5 = localise(AuthProtocol::Md5, &pass_to_key(AuthProtocol::Md5, b"maplesyrup"), &engine_id());
        let long = extend(AuthProtocol::Md5, md5, &engine_id(), 32, KeyExtension::Reeder);
        assert_eq!(hex(&long), "526f5eed9fcce26f8964c2930787d82b79eff44a90650ee0a3a40abfac5acc12");
        let sha = localise(AuthProtocol::Sha1, &pass_to_key(AuthProtocol::Sha1, b"maplesyrup"), &engine_id());
        let long = extend(AuthProtocol::Sha1, sha, &engine_id(), 40, KeyExtension::Reeder);
        assert_eq!(hex(&long), "6695febc9288e36282235fc7151f128497b38f3f9b8b6d78936ba6e7d19dfd9cd2d5065547743fb5");
    }

    #[test]
    fn blumenthal_extends_by_the_hash_of_the_key() {
        let key = Zeroizing::new(vec![7u8; 16]);
        let once = AuthProtocol::Md5.hash([[7u8; 16].as_slice()]);
        let long = extend(AuthProtocol::Md5, key, &engine_id(), 32, KeyExtension::Blumenthal);
        assert_eq!(long[16..], once[..]);
    }

    #[test]
    fn weak_or_impossible_users_are_refused() {
        let short = UsmUser::new("u").auth(AuthProtocol::Sha256, "seven77");
        assert_eq!(MasterKeys::new(&short).err(), Some(AuthFailure::ShortPassPhrase));
        let bare = UsmUser::new("u").privacy(PrivProtocol::Aes128, "privpass1");
        assert_eq!(MasterKeys::new(&bare).err(), Some(AuthFailure::PrivacyWithoutAuth));
        assert!(MasterKeys::new(&UsmUser::new("u")).is_ok());
    }
}
