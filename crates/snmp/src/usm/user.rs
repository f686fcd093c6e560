//! Users, protocols and how their names are written.

use std::str::FromStr;

use crate::target::Secret;

/// Authentication protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthProtocol {
    /// HMAC-MD5-96 (RFC 3414)
    Md5,
    /// HMAC-SHA-96 (RFC 3414)
    Sha1,
    /// HMAC-128-SHA-224 (RFC 7860)
    Sha224,
    /// HMAC-192-SHA-256 (RFC 7860)
    Sha256,
    /// HMAC-256-SHA-384 (RFC 7860)
    Sha384,
    /// HMAC-384-SHA-512 (RFC 7860)
    Sha512,
}

/// Privacy protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrivProtocol {
    /// CBC-DES (RFC 3414)
    Des,
    /// CFB128-AES-128 (RFC 3826)
    Aes128,
    /// CFB128 with AES-192, not standardised: see [`KeyExtension`]
    Aes192,
    /// CFB128 with AES-256, not standardised: see [`KeyExtension`]
    Aes256,
}

/// How a key is made longer than the hash gives: two ways are in use in the field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyExtension {
    /// draft-blumenthal-aes-usm-04, as net-snmp does it.
    #[default]
    Blumenthal,
    /// draft-reeder-snmpv3-usm-3desede, as Cisco and several makers of printers do it.
    Reeder,
}

/// A user of SNMPv3. `Debug` shows no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsmUser {
    /// User name.
    pub user: String,
    /// Authentication protocol and pass phrase.
    pub auth: Option<(AuthProtocol, Secret)>,
    /// Privacy protocol and pass phrase; needs authentication.
    pub privacy: Option<(PrivProtocol, Secret)>,
    /// For AES-192 and AES-256 with short hashes.
    pub extension: KeyExtension,
}

impl UsmUser {
    /// A user without authentication and privacy.
    pub fn new(user: impl Into<String>) -> Self {
        Self { user: user.into(), auth: None, privacy: None, extension: KeyExtension::default() }
    }

    /// The same user with authentication.
    pub fn auth(mut self, protocol: AuthProtocol, pass: &str) -> Self {
        self.auth = Some((protocol, Secret::from(pass)));
        self
    }

    /// The same user with privacy.
    pub fn privacy(mut self, protocol: PrivProtocol, pass: &str) -> Self {
        self.privacy = Some((protocol, Secret::from(pass)));
        self
    }

    /// The same user with another key extension.
    pub fn extension(mut self, extension: KeyExtension) -> Self {
        self.extension = extension;
        self
    }
}

impl UsmUser {
    /// Names this user with all his secrets, without holding them.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        let mut add = |bytes: &[u8]| {
            context.update(&(bytes.len() as u64).to_be_bytes());
            context.update(bytes);
        };
        add(self.user.as_bytes());
        for (protocol, pass) in [
            self.auth.as_ref().map(|(protocol, pass)| (*protocol as u8, pass)),
            self.privacy.as_ref().map(|(protocol, pass)| (*protocol as u8, pass)),
        ]
        .into_iter()
        .map(Option::unzip)
        {
            add(&[protocol.map_or(0xff, |protocol| protocol), self.extension as u8]);
            add(pass.map_or(&[], Secret::expose));
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }
}

/// A protocol name nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no protocol: choose one of {known}")]
pub struct UnknownProtocol {
    given: String,
    known: &'static str,
}

impl FromStr for AuthProtocol {
    type Err = UnknownProtocol;

    fn from_str(name: &str) -> Result<Self, UnknownProtocol> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "md5" => Self::Md5,
            "sha1" | "sha" => Self::Sha1,
            "sha224" | "sha-224" => Self::Sha224,
            "sha256" | "sha-256" => Self::Sha256,
            "sha384" | "sha-384" => Self::Sha384,
            "sha512" | "sha-512" => Self::Sha512,
            _ => {
                let known = "md5, sha1, sha224, sha256, sha384, sha512";
                return Err(UnknownProtocol { given: name.to_owned(), known });
            }
        })
    }
}

impl FromStr for PrivProtocol {
    type Err = UnknownProtocol;

    fn from_str(name: &str) -> Result<Self, UnknownProtocol> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "des" => Self::Des,
            "aes128" | "aes-128" | "aes" => Self::Aes128,
            "aes192" | "aes-192" => Self::Aes192,
            "aes256" | "aes-256" => Self::Aes256,
            _ => {
                let known = "des, aes128, aes192, aes256";
                return Err(UnknownProtocol { given: name.to_owned(), known });
            }
        })
    }
}
