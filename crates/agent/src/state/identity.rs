//! Who the agent is and whom it reports to: `agent.json`, `agent.key` and `ca.pem` in its folder.
//! They stand apart from the database, so that a lost outbox costs messages and not the name.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde::{Deserialize, Serialize};
use wire::Subject;

use crate::{
    error::{Error, Result},
    keys::write_secret,
};

/// Kept after enrolment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Name on the wire.
    pub(crate) agent: Subject,
    /// `https://…` that reports go to.
    pub(crate) gateway: String,
    /// For the log.
    pub(crate) organisation: String,
    /// Epoch of the present outbox; a new outbox gets a higher one.
    pub(crate) epoch: u64,
}

/// The folder of an agent.
#[derive(Clone, Debug)]
pub(crate) struct Home(PathBuf);

impl Home {
    /// The folder, made if it is missing, open to its owner alone.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        use std::os::unix::fs::DirBuilderExt as _;
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| Error::File { path: path.to_owned(), source })?;
        Ok(Self(path.to_owned()))
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.0.join("agent.key")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("agent.db")
    }

    fn file(&self) -> PathBuf {
        self.0.join("agent.json")
    }

    fn ca_file(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// Who this is; `None` before enrolment.
    pub(crate) fn identity(&self) -> Result<Option<Identity>> {
        let path = self.file();
        match fs::read(&path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map(Some).map_err(|e| Error::Damaged { path, reason: e.to_string() })
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::File { path, source }),
        }
    }

    /// Keeps who this is. Written last at enrolment: with it the agent is enrolled, without it not.
    pub(crate) fn keep(&self, identity: &Identity) -> Result<()> {
        write_secret(&self.file(), &serde_json::to_vec_pretty(identity).unwrap_or_default())
    }

    /// The CA to trust; `None` when the gateway's certificate is one that the system trusts.
    pub(crate) fn ca(&self) -> Result<Option<CertificateDer<'static>>> {
        let path = self.ca_file();
        match fs::read(&path) {
            Ok(pem) => CertificateDer::from_pem_slice(&pem)
                .map(Some)
                .map_err(|e| Error::Damaged { path, reason: e.to_string() }),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::File { path, source }),
        }
    }

    /// Keeps the CA as PEM, so that people can look at it.
    pub(crate) fn keep_ca(&self, ca: &CertificateDer<'_>) -> Result<()> {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let body = STANDARD.encode(ca);
        let lines: Vec<&str> = body.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"));
        write_secret(&self.ca_file(), pem.as_bytes())
    }
}
