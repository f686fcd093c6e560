//! The listener of a device on the road on which the server calls: TLS 1.3 with a certificate made by the device's own key,
//! for callers whose certificate comes from the gateway's CA; one small request a connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use embedded::CALL_PATH;
use rcgen::{CertificateParams, PKCS_ED25519};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_rustls::TlsAcceptor;

/// Longest head and largest body.
const HEAD: usize = 8 * 1_024;
const BODY: usize = 256 * 1_024;
/// Time for one caller, and callers at a time.
const PATIENCE: Duration = Duration::from_secs(20);
const CALLERS: usize = 4;

/// A call for the device of this number, and where its answer goes.
pub(super) struct Visit {
    pub(super) number: usize,
    pub(super) body: Vec<u8>,
    /// Status and body; the other half comes back true when the answer has left whole.
    pub(super) answer: oneshot::Sender<(u16, Vec<u8>, oneshot::Sender<()>)>,
}

/// The doorstep of one device.
pub(super) struct Listener {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    pub(super) url: String,
}

impl Listener {
    /// Opens a free port at the device's own address. `pkcs8` is the key that the server knows the device by.
    pub(super) fn open(address: Ipv4Addr, pkcs8: &[u8], roots: RootCertStore) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(SocketAddr::from((address, 0)))?;
        listener.set_nonblocking(true)?;
        let url = format!("https://{}", listener.local_addr()?);
        let acceptor = TlsAcceptor::from(Arc::new(config(address, pkcs8, roots).map_err(io::Error::other)?));
        Ok(Self { listener: TcpListener::from_std(listener)?, acceptor, url })
    }

    /// Lets callers in until the program ends.
    pub(super) async fn serve(self, number: usize, visits: mpsc::Sender<Visit>) {
        let places = Arc::new(Semaphore::new(CALLERS));
        while let Ok(place) = Arc::clone(&places).acquire_owned().await {
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(%error, "a virtual device's listener rests a moment");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let (acceptor, visits) = (self.acceptor.clone(), visits.clone());
            tokio::spawn(async move {
                if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, serve(&acceptor, stream, number, &visits)).await
                {
                    tracing::debug!(%error, "a caller of a virtual device left early");
                }
                drop(place);
            });
        }
    }
}

fn config(
    address: Ipv4Addr,
    pkcs8: &[u8],
    roots: RootCertStore,
) -> Result<ServerConfig, Box<dyn std::error::Error + Send + Sync>> {
    let der = PrivatePkcs8KeyDer::from(pkcs8.to_vec());
    let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_ED25519)?;
    let certificate = CertificateParams::new(vec![address.to_string()])?.self_signed(&pair)?;
    let provider = Arc::new(default_provider());
    let callers = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13])?;
    let key = PrivateKeyDer::from(der);
    Ok(builder.with_client_cert_verifier(callers).with_single_cert(vec![certificate.der().clone()], key)?)
}

async fn serve(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    number: usize,
    visits: &mpsc::Sender<Visit>,
) -> io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    let (status, body, whole) = match read(&mut stream).await? {
        Err(status) => (status, Vec::new(), None),
        Ok(body) => {
            let (answer, answered) = oneshot::channel();
            let gone = |_| io::Error::other("the fleet has ended");
            visits.send(Visit { number, body, answer }).await.map_err(|_| io::Error::other("the fleet has ended"))?;
            let (status, body, whole) = answered.await.map_err(gone)?;
            (status, body, Some(whole))
        }
    };
    respond(&mut stream, status, &body).await?;
    if let Some(whole) = whole {
        let _ = whole.send(());
    }
    Ok(())
}

/// The body of the one request that there is, or the status of a refusal.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Result<Vec<u8>, u16>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if bytes.len() > HEAD || stream.read_buf(&mut bytes).await? == 0 {
            return Ok(Err(400));
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    if (words.next(), words.next()) != (Some("POST"), Some(CALL_PATH)) {
        return Ok(Err(404));
    }
    let lengths: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, value)| value.trim().parse::<usize>().ok())
        .collect();
    let [Some(length)] = lengths[..] else { return Ok(Err(411)) };
    if length > BODY {
        return Ok(Err(413));
    }
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Ok(Err(400));
        }
    }
    Ok(if body.len() == length { Ok(body) } else { Err(400) })
}

async fn respond(stream: &mut (impl AsyncWrite + Unpin), status: u16, body: &[u8]) -> io::Result<()> {
    let words = match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        404 => "Not Found",
        411 => "Length Required",
        413 => "Content Too Large",
        _ => "Service Unavailable",
    };
    let mut head = format!("HTTP/1.1 {status} {words}\r\nconnection: close\r\n");
    if status != 204 {
        head.push_str(&format!("content-type: {}\r\ncontent-length: {}\r\n", wire::cbor::CBOR, body.len()));
    }
    head.push_str("\r\n");
    stream.write_all(&[head.as_bytes(), body].concat()).await?;
    stream.flush().await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::{BasicConstraints, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
    use rustls::ClientConfig;
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, SignatureScheme};
    use tokio_rustls::TlsConnector;

    use super::*;

    type Issuer = CertifiedIssuer<'static, KeyPair>;

    fn authority() -> Issuer {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    /// The server looks at the device's key instead of its name; here any will do.
    #[derive(Debug)]
    struct Anybody;

    impl ServerCertVerifier for Anybody {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            Ok(ServerCertVerified::assertion())
        }
        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Err(rustls::Error::General("TLS 1.3 alone".to_owned()))
        }
        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            let known = default_provider().signature_verification_algorithms;
            rustls::crypto::verify_tls13_signature(message, certificate, signature, &known)
        }
        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            vec![SignatureScheme::ED25519]
        }
    }

    fn caller(issuer: Option<&Issuer>, purpose: ExtendedKeyUsagePurpose) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody));
        let Some(issuer) = issuer else { return builder.with_no_client_auth() };
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![purpose];
        let certificate = params.signed_by(&key, issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        builder.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
    }

    /// What is answered to a request, or nothing when the caller is not let in.
    async fn ask(url: &str, caller: ClientConfig, request: &str) -> String {
        let stream = TcpStream::connect(url.trim_start_matches("https://")).await.unwrap();
        let mut answer = Vec::new();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        if let Ok(mut stream) = TlsConnector::from(Arc::new(caller)).connect(name, stream).await {
            let _ = stream.write_all(request.as_bytes()).await;
            let _ = stream.read_to_end(&mut answer).await;
        }
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn only_callers_of_the_gateways_authority_are_let_in_and_rubbish_is_refused() {
        let (ours, theirs) = (authority(), authority());
        let mut roots = RootCertStore::empty();
        roots.add(ours.der().clone()).unwrap();
        let pkcs8 = KeyPair::generate_for(&PKCS_ED25519).unwrap().serialize_der();
        let listener = Listener::open(Ipv4Addr::LOCALHOST, &pkcs8, roots).unwrap();
        let url = listener.url.clone();
        let (door, mut visits) = mpsc::channel::<Visit>(4);
        tokio::spawn(listener.serve(7, door));
        tokio::spawn(async move {
            while let Some(visit) = visits.recv().await {
                let (whole, _) = oneshot::channel();
                let status = if visit.number == 7 && visit.body == b"orders" { 200 } else { 400 };
                drop(visit.answer.send((status, visit.body, whole)));
            }
        });
        let right = || caller(Some(&ours), ExtendedKeyUsagePurpose::ClientAuth);
        let good = "POST /d/v1/orders HTTP/1.1\r\nhost: x\r\nContent-Length: 6\r\n\r\norders";
        assert!(ask(&url, right(), good).await.ends_with("content-length: 6\r\n\r\norders"));
        for stranger in [
            caller(None, ExtendedKeyUsagePurpose::ClientAuth),
            caller(Some(&theirs), ExtendedKeyUsagePurpose::ClientAuth),
            caller(Some(&ours), ExtendedKeyUsagePurpose::ServerAuth),
        ] {
            assert_eq!(ask(&url, stranger, good).await, "");
        }
        let long = format!("POST /d/v1/orders HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(20_000));
        for (request, status) in [
            ("GET /d/v1/orders HTTP/1.1\r\n\r\n", 404),
            ("POST /elsewhere HTTP/1.1\r\ncontent-length: 0\r\n\r\n", 404),
            ("POST /d/v1/orders HTTP/1.1\r\n\r\n", 411),
            ("POST /d/v1/orders HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\nx", 411),
            ("POST /d/v1/orders HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 411),
            ("POST /d/v1/orders HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n", 413),
            ("POST /d/v1/orders HTTP/1.1\r\ncontent-length: 1\r\n\r\nxy", 400),
            (&long, 400),
        ] {
            let answer = ask(&url, right(), request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:.60}: {answer}");
        }
    }
}
