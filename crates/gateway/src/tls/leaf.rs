//! The certificate that the listener shows: kept on disk, renewed in time, renewed when its names change.

use std::{
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rcgen::{Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde::{Deserialize, Serialize};

use super::{
    LEAF_LIFE, RENEW_BEFORE,
    files::{read_text, write_private},
};
use crate::Error;

/// Certificate and key, and when they should be replaced.
pub(super) struct Leaf {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: PrivateKeyDer<'static>,
    pub(super) renew_at: SystemTime,
}

/// What the leaf on disk was made for; lies beside it so that no certificate has to be taken apart.
#[derive(Serialize, Deserialize)]
struct Made {
    names: Vec<String>,
    ends_s: u64,
}

impl Leaf {
    /// The leaf on disk when it fits and lasts, else a new one signed by `sign`.
    pub(super) fn open(
        folder: &Path,
        names: &[String],
        sign: impl FnOnce(CertificateParams, &KeyPair) -> Result<Certificate, rcgen::Error>,
    ) -> Result<Self, Error> {
        if let Some(leaf) = Self::kept(folder, names)? {
            return Ok(leaf);
        }
        let ends = SystemTime::now() + LEAF_LIFE;
        let ends_s = ends.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let make = || {
            let key = KeyPair::generate()?;
            let mut params = CertificateParams::new(names.to_vec())?;
            params.distinguished_name.push(DnType::CommonName, "Platen gateway");
            params.use_authority_key_identifier_extension = true;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            params.not_before = date_time_ymd(1970, 1, 1);
            params.not_after = date_time_ymd(1970, 1, 1) + Duration::from_secs(ends_s);
            Ok::<_, rcgen::Error>((sign(params, &key)?.pem(), key.serialize_pem()))
        };
        let (certificate, key) = make().map_err(|e| Error::Tls(e.to_string()))?;
        let made = serde_json::to_vec(&Made { names: names.to_vec(), ends_s }).unwrap_or_default();
        // `leaf.json` last: without it the next start makes a new pair instead of trusting half of one.
        let _ = std::fs::remove_file(folder.join("leaf.json"));
        write_private(&folder.join("leaf.key"), key.as_bytes())?;
        write_private(&folder.join("leaf.pem"), certificate.as_bytes())?;
        write_private(&folder.join("leaf.json"), &made)?;
        tracing::info!(names = names.join(" "), "issued a certificate for the gateway");
        Self::from_pem(&certificate, &key, ends).ok_or_else(|| Error::Tls("the new certificate is unusable".into()))
    }

    fn kept(folder: &Path, names: &[String]) -> Result<Option<Self>, Error> {
        let text = |name: &str| read_text(&folder.join(name));
        let (Some(made), Some(certificate), Some(key)) = (text("leaf.json")?, text("leaf.pem")?, text("leaf.key")?)
        else {
            return Ok(None);
        };
        let Ok(made) = serde_json::from_str::<Made>(&made) else { return Ok(None) };
        let ends = UNIX_EPOCH + Duration::from_secs(made.ends_s);
        if made.names != names || SystemTime::now() + RENEW_BEFORE >= ends {
            return Ok(None);
        }
        Ok(Self::from_pem(&certificate, &key, ends))
    }

    fn from_pem(certificate: &str, key: &str, ends: SystemTime) -> Option<Self> {
        Some(Self {
            certificate: CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?,
            key: PrivateKeyDer::from_pem_slice(key.as_bytes()).ok()?,
            renew_at: ends - RENEW_BEFORE,
        })
    }
}
