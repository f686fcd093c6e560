//! Whom the agent believes: first the CA with the pin of the token, afterwards exactly that CA.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use parking_lot::Mutex;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs::default_provider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};

use crate::error::{Error, Result};

/// First 16 bytes of the SHA-256 of a certificate.
pub(crate) fn pin_of(certificate: &[u8]) -> [u8; 16] {
    let mut pin = [0; 16];
    pin.copy_from_slice(&digest(&SHA256, certificate).as_ref()[..16]);
    pin
}

/// TLS that trusts one CA and no other.
pub(crate) fn trust_only(ca: &CertificateDer<'static>) -> Result<ClientConfig> {
    let verifier = verifier_for(ca, &Arc::new(default_provider())).map_err(|e| Error::Tls(e.to_string()))?;
    configure(|builder| builder.with_webpki_verifier(verifier))
}

/// TLS for the first contact: whoever shows a chain that leads to the CA with this pin.
/// The second part holds that CA once a handshake has succeeded.
pub(crate) fn trust_pin(pin: [u8; 16]) -> Result<(ClientConfig, Arc<Mutex<Option<CertificateDer<'static>>>>)> {
    let found = Arc::new(Mutex::new(None));
    let verifier = PinVerifier { pin, provider: Arc::new(default_provider()), found: found.clone() };
    let config = configure(|builder| builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)))?;
    Ok((config, found))
}

type Wanting = rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>;
type Verified = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn configure(verify: impl FnOnce(Wanting) -> Verified) -> Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|e| Error::Tls(e.to_string()))?;
    Ok(verify(builder).with_no_client_auth())
}

fn verifier_for(
    ca: &CertificateDer<'static>,
    provider: &Arc<CryptoProvider>,
) -> std::result::Result<Arc<WebPkiServerVerifier>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone())?;
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|e| rustls::Error::General(e.to_string()))
}

/// Accepts a chain that holds the CA with the pin and is valid under it, as any other chain would have to be.
#[derive(Debug)]
struct PinVerifier {
    pin: [u8; 16],
    provider: Arc<CryptoProvider>,
    found: Arc<Mutex<Option<CertificateDer<'static>>>>,
}

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let ca = intermediates
            .iter()
            .find(|certificate| pin_of(certificate) == self.pin)
            .ok_or(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))?
            .clone()
            .into_owned();
        let done = verifier_for(&ca, &self.provider)?.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        *self.found.lock() = Some(ca);
        Ok(done)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Makes aws-lc the provider of this process, unless one was chosen already: clients that trust the system ask for it.
pub(crate) fn install_provider() {
    let _ = default_provider().install_default();
}
