//! Trust in what the server calls: the CAs of the system, and those of a file that the operator names.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;

/// Certificates of a PEM file; none without one.
pub fn extra(path: Option<&Path>) -> Result<Vec<CertificateDer<'static>>> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let certificates =
        CertificateDer::pem_file_iter(path).with_context(|| format!("cannot read {}", path.display()))?;
    certificates.collect::<Result<_, _>>().with_context(|| format!("{} holds no certificates", path.display()))
}

/// A client that trusts them.
pub fn client(path: Option<&Path>) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier =
        Verifier::new_with_extra_roots(extra(path)?, provider.clone()).context("the system's CAs are not readable")?;
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}
