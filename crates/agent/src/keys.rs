//! The agent's own Ed25519 key, and secret files that only their owner may read.

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use wire::signature::signing_input;

use crate::error::{Error, Result};

/// Signs requests. `Debug` shows nothing.
pub(crate) struct AgentKey(Ed25519KeyPair);

impl std::fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AgentKey(…)")
    }
}

impl AgentKey {
    /// Reads the key, or makes it and keeps it.
    pub(crate) fn load_or_create(path: &Path) -> Result<Self> {
        match fs::read(path) {
            Ok(pkcs8) => Self::from_pkcs8(&pkcs8, path),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Self::create(path),
            Err(source) => Err(Error::File { path: path.to_owned(), source }),
        }
    }

    fn create(path: &Path) -> Result<Self> {
        let unusable = |_| Error::Damaged { path: path.to_owned(), reason: "no key could be made".into() };
        let pkcs8 = Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8()).map_err(unusable)?;
        write_secret(path, pkcs8.as_ref())?;
        Self::from_pkcs8(pkcs8.as_ref(), path)
    }

    fn from_pkcs8(pkcs8: &[u8], path: &Path) -> Result<Self> {
        Ed25519KeyPair::from_pkcs8(pkcs8)
            .map(Self)
            .map_err(|e| Error::Damaged { path: path.to_owned(), reason: e.to_string() })
    }

    /// 32 bytes that the server checks our signatures with.
    pub(crate) fn public(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }

    /// Value of the signature header for one request.
    pub(crate) fn sign(&self, method: &str, path: &str, time_ms: i64, body: &[u8]) -> String {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, body).as_ref());
        URL_SAFE_NO_PAD.encode(self.0.sign(&signing_input(method, path, time_ms, &hash)))
    }
}

/// Writes a file that only the owner may read, so that a crash leaves the old or the new content whole.
pub(crate) fn write_secret(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        let part = path.with_extension("part");
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        path.parent().map_or(Ok(()), |folder| fs::File::open(folder)?.sync_all())
    };
    write().map_err(|source| Error::File { path: path.to_owned(), source })
}
