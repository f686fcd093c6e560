//! The client of the ingest benchmarks: HTTP/1.1 over TLS with next to no cost of its own, the same towards every server.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Longest wait for a connection or an answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Largest answer.
const LARGEST: usize = 4 * 1024 * 1024;

/// A server and whom it must prove to be.
#[derive(Clone)]
pub(super) struct Server {
    connector: TlsConnector,
    name: ServerName<'static>,
    address: SocketAddr,
}

impl Server {
    /// Trusts exactly the certificates of a file.
    pub(super) fn new(address: SocketAddr, ca: &Path) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        let unread = || format!("{} holds no certificate", ca.display());
        for certificate in CertificateDer::pem_file_iter(ca).with_context(unread)? {
            roots.add(certificate.with_context(unread)?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::IpAddress(address.ip().into());
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name, address })
    }

    pub(super) async fn connect(&self) -> Result<Line> {
        let open = async {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            self.connector.connect(self.name.clone(), stream).await
        };
        let stream = tokio::time::timeout(PATIENCE, open).await.context("a connection took too long")??;
        Ok(Line { stream, buffer: Vec::with_capacity(4_096) })
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) retry_after_s: Option<u64>,
    pub(super) body: Vec<u8>,
}

/// One connection; a request at a time.
pub(super) struct Line {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

impl Line {
    /// Sends a request as it stands and reads its answer.
    pub(super) async fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        tokio::time::timeout(PATIENCE, self.exchange(request)).await.context("an answer took too long")?
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await?;
        };
        let head = std::str::from_utf8(&self.buffer[..end]).context("the head of an answer is no text")?;
        let status = head.get(9..12).and_then(|text| text.parse().ok()).context("an answer without a status")?;
        let field = |name: &str| {
            let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
            lines
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .and_then(|(_, value)| value.trim().parse::<u64>().ok())
        };
        let retry_after_s = field("retry-after");
        let length = if matches!(status, 204 | 304) { 0 } else { field("content-length").unwrap_or(0) };
        let length = usize::try_from(length)?;
        if length > LARGEST {
            bail!("an answer of {length} bytes");
        }
        while self.buffer.len() < end + length {
            self.more().await?;
        }
        let body = self.buffer[end..end + length].to_vec();
        self.buffer.drain(..end + length);
        Ok(Answer { status, retry_after_s, body })
    }

    async fn more(&mut self) -> Result<()> {
        let read = self.stream.read_buf(&mut self.buffer).await?;
        if read == 0 {
            bail!("the server closed the connection");
        }
        Ok(())
    }
}
