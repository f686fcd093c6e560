//! Who speaks at both ends of a call: the gateway shows a certificate of its own authority, the device one with the key that it
//! proved at its communication test. No other name or authority counts.

use std::{fmt, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::{
        ResolvesClientCert,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs::default_provider, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
    sign::CertifiedKey,
};

use crate::{Error, tls::Authority};

/// An Ed25519 key as `SubjectPublicKeyInfo` (RFC 8410 §4): this, then its 32 bytes.
const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// The certificate that calls are made with, and the cryptography below.
#[derive(Debug)]
pub(super) struct Identity {
    certificate: Arc<CertifiedKey>,
    provider: Arc<CryptoProvider>,
}

impl Identity {
    pub(super) fn issue(authority: &Authority) -> Result<Self, Error> {
        let provider = Arc::new(default_provider());
        let (chain, key) = authority.caller()?;
        let certificate = CertifiedKey::from_der(chain, key, &provider).map_err(|e| Error::Tls(e.to_string()))?;
        Ok(Self { certificate: Arc::new(certificate), provider })
    }

    /// TLS 1.3 with the holder of this key, and nobody else.
    pub(super) fn toward(&self, device: [u8; 32]) -> Result<ClientConfig, Error> {
        let verifier = OnlyThis { key: [ED25519.as_slice(), &device].concat(), provider: Arc::clone(&self.provider) };
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|e| Error::Tls(e.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(Always(Arc::clone(&self.certificate))));
        Ok(config)
    }
}

/// Shown whatever authorities the device names.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// Accepts one public key: stricter than any chain of names.
struct OnlyThis {
    key: Vec<u8>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for OnlyThis {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OnlyThis")
    }
}

impl ServerCertVerifier for OnlyThis {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = ParsedCertificate::try_from(end_entity)?.subject_public_key_info();
        if shown.as_ref() == self.key {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General("the listener does not hold the key of the device".to_owned()))
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("calls are made by TLS 1.3".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
