//! The way to the server: HTTPS that trusts one CA, follows nobody elsewhere, and reads answers up to a bound.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use embedded::{Answer, Call, Trouble};
use reqwest::{Method, Url, header};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use rustls::{ClientConfig, RootCertStore};
use wire::signature::TIME_HEADER;

use super::Reports;

/// Time for one call as a whole.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes of an answer.
const ANSWER_BYTES: usize = 4 << 20;

/// All devices of a fleet call over the same few connections.
#[derive(Clone)]
pub(super) struct Line {
    http: reqwest::Client,
    base: Arc<str>,
    pub(super) host: Arc<str>,
}

impl Line {
    /// `from`: the address that calls come from, where it matters.
    pub(super) fn new(reports: &Reports, from: Option<IpAddr>) -> Result<Self, String> {
        let Reports { server, ca_pem, proxy, .. } = reports;
        let url: Url = server.parse().map_err(|_| "this is no address".to_owned())?;
        let host = url.host_str().filter(|_| url.scheme() == "https").ok_or("an https address is needed")?;
        let builder = reqwest::Client::builder().no_proxy();
        let builder = match proxy {
            Some(proxy) => builder.proxy(reqwest::Proxy::all(proxy).map_err(|error| format!("{proxy}: {error}"))?),
            None => builder,
        };
        let http = builder
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .local_address(from)
            .pool_max_idle_per_host(8)
            .user_agent(concat!("platen-vmfp/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(trust_only(ca_pem)?)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { http, base: server.trim_end_matches('/').into(), host: host.into() })
    }

    pub(super) async fn send(&self, call: &Call) -> Result<Answer, Trouble> {
        let method = match call.method {
            "GET" => Method::GET,
            "PUT" => Method::PUT,
            _ => Method::POST,
        };
        let mut request = self.http.request(method, format!("{}{}", self.base, call.path));
        request = request.header(header::ACCEPT, wire::cbor::CBOR);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let sent = request.body(call.body.clone()).send().await;
        let mut answer = sent.map_err(|error| {
            tracing::debug!(%error, "a virtual device does not reach its server");
            Trouble
        })?;
        let number = |name: &str| answer.headers().get(name)?.to_str().ok()?.parse::<i64>().ok();
        let (server_ms, later) = (number(TIME_HEADER), number(header::RETRY_AFTER.as_str()));
        let (status, mut body) = (answer.status().as_u16(), Vec::new());
        while let Some(chunk) = answer.chunk().await.map_err(|_| Trouble)? {
            if body.len() + chunk.len() > ANSWER_BYTES {
                return Err(Trouble);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, retry_after_s: later.and_then(|s| u32::try_from(s).ok()), server_ms, body })
    }
}

/// The CA of the gateway as the only one that is trusted.
pub(super) fn roots(ca_pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem) {
        let certificate = certificate.map_err(|error| format!("the CA cannot be read: {error}"))?;
        roots.add(certificate).map_err(|error| format!("the CA cannot be used: {error}"))?;
    }
    if roots.is_empty() {
        return Err("the CA's file holds no certificate".to_owned());
    }
    Ok(roots)
}

pub(super) fn trust_only(ca_pem: &[u8]) -> Result<ClientConfig, String> {
    let roots = roots(ca_pem)?;
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_https_with_a_ca_is_called() {
        let wrong = |server: &str, pem: &[u8]| {
            let (server, ca_pem) = (server.to_owned(), pem.to_vec());
            Line::new(
                &Reports { server, ca_pem, claims: Vec::new(), documents: Vec::new(), keep: None, proxy: None },
                None,
            )
            .err()
            .unwrap()
        };
        assert!(wrong("http://127.0.0.1:1", b"").contains("https"));
        assert!(wrong("https://127.0.0.1:1", b"").contains("no certificate"));
    }
}
