//! One signed request to the gateway, and what its answer means.

use std::{sync::Arc, time::Duration};

use reqwest::{Method, Response, StatusCode, header};
use wire::{
    Reply, Report, Subject, cbor,
    command::Acks,
    packing,
    signature::{AGENT_HEADER, CLOCK_TOLERANCE_MS, SIGNATURE_HEADER, TIME_HEADER},
};

use crate::{
    clock::Clock,
    error::{Error, Result},
    keys::AgentKey,
    proxy::Proxy,
    trust,
};

/// Time for one request as a whole.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Most bytes of an answer that are read.
const ANSWER_BYTES: usize = 8 << 20;
/// Bodies below this are sent as they are.
const PACK_FROM: usize = 512;

/// Why a report was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// No answer, or half of one: the line, the name, the certificate.
    #[error("the server cannot be reached: {0}")]
    Line(String),
    /// 429, 5xx: later, and not before this.
    #[error("the server asks to come back later ({status})")]
    Later {
        /// HTTP status.
        status: u16,
        /// The server's wish.
        wait: Option<Duration>,
    },
    /// 403 although our clock is right: revoked, or another server stands there.
    #[error("the server does not accept this agent: it was revoked, or this is another server")]
    Forbidden,
    /// 403 while our clock was wrong; it has been corrected.
    #[error("the clock of this machine is {0} s away from the server's; signing with the server's time from now on")]
    Clock(i64),
    /// 413: send less at once.
    #[error("the report is too large for the server")]
    TooLarge,
    /// 400: something in the report is not understood.
    #[error("the server does not understand the report: {0}")]
    Malformed(String),
    /// An answer that makes no sense.
    #[error("the server's answer cannot be read: {0}")]
    Answer(String),
}

/// The way to the gateway.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    gateway: String,
    agent: Subject,
    key: AgentKey,
    clock: Arc<Clock>,
}

impl Client {
    /// A client that trusts `tls` and signs as `agent`.
    pub(crate) fn new(
        tls: Option<rustls::ClientConfig>,
        gateway: &str,
        agent: Subject,
        key: AgentKey,
        clock: Arc<Clock>,
        proxy: Option<&Proxy>,
    ) -> Result<Self> {
        let http = http_client(tls, TIMEOUT, proxy)?;
        Ok(Self { http, gateway: gateway.trim_end_matches('/').to_owned(), agent, key, clock })
    }

    /// Delivers one report.
    pub(crate) async fn report(&self, report: &Report) -> std::result::Result<Reply, Failure> {
        let plain = cbor::encode(report);
        let packed = if plain.len() < PACK_FROM { None } else { packing::pack(&plain, packing::USUAL) };
        let encoding = packed.is_some().then_some((header::CONTENT_ENCODING, "zstd"));
        let bytes = self.send(Method::POST, "/d/v1/report", packed.unwrap_or(plain), encoding).await?;
        cbor::decode(&bytes).map_err(|e| Failure::Answer(e.to_string()))
    }

    /// Tells what became of orders.
    pub(crate) async fn acknowledge(&self, acks: &Acks) -> std::result::Result<(), Failure> {
        self.send(Method::POST, "/d/v1/ack", cbor::encode(acks), None).await.map(drop)
    }

    /// Uploads a log in one part; `name` is its SHA-256, hex.
    pub(crate) async fn upload(&self, name: &str, log: Vec<u8>) -> std::result::Result<(), Failure> {
        self.send(Method::PUT, &format!("/d/v1/blob/{name}"), log, None).await.map(drop)
    }

    /// One signed request; the body of the answer if it was taken.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        encoding: Option<(header::HeaderName, &'static str)>,
    ) -> std::result::Result<Vec<u8>, Failure> {
        let time = self.clock.server_ms();
        let signature = self.key.sign(method.as_str(), path, time, &body);
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.gateway))
            .header(header::CONTENT_TYPE, cbor::CBOR)
            .header(header::ACCEPT, cbor::CBOR)
            .header(AGENT_HEADER, self.agent.to_text())
            .header(TIME_HEADER, time)
            .header(SIGNATURE_HEADER, signature);
        if let Some((name, value)) = encoding {
            request = request.header(name, value);
        }
        let answer = request.body(body).send().await.map_err(|e| Failure::Line(chain(&e)))?;
        let moved = header_number(&answer, TIME_HEADER).map(|server_ms| self.clock.learn(server_ms));
        match answer.status() {
            StatusCode::OK | StatusCode::NO_CONTENT => body_of(answer).await,
            StatusCode::FORBIDDEN => match moved {
                Some(moved) if moved.abs() > CLOCK_TOLERANCE_MS / 2 => {
                    Err(Failure::Clock(self.clock.offset_ms() / 1_000))
                }
                _ => Err(Failure::Forbidden),
            },
            StatusCode::PAYLOAD_TOO_LARGE => Err(Failure::TooLarge),
            StatusCode::BAD_REQUEST => {
                let bytes = body_of(answer).await?;
                Err(Failure::Malformed(String::from_utf8_lossy(&bytes).chars().take(300).collect()))
            }
            status => {
                let wait = header_number(&answer, header::RETRY_AFTER.as_str());
                let wait = wait.and_then(|s| u64::try_from(s).ok()).map(|s| Duration::from_secs(s.min(86_400)));
                Err(Failure::Later { status: status.as_u16(), wait })
            }
        }
    }
}

fn header_number(answer: &Response, name: &str) -> Option<i64> {
    answer.headers().get(name)?.to_str().ok()?.parse().ok()
}

async fn body_of(mut answer: Response) -> std::result::Result<Vec<u8>, Failure> {
    let mut all = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|e| Failure::Line(chain(&e)))? {
        if all.len() + chunk.len() > ANSWER_BYTES {
            return Err(Failure::Answer(format!("larger than {ANSWER_BYTES} bytes")));
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

/// A client for `tls`, or for what the system trusts. Never follows redirects: a signature names one path of one server.
pub(crate) fn http_client(
    tls: Option<rustls::ClientConfig>,
    timeout: Duration,
    proxy: Option<&Proxy>,
) -> Result<reqwest::Client> {
    trust::install_provider();
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(timeout)
        .connect_timeout(Duration::from_secs(10))
        .pool_max_idle_per_host(1)
        .user_agent(concat!("platen-agent/", env!("CARGO_PKG_VERSION")));
    let builder = match proxy {
        Some(proxy) => builder.no_proxy().proxy(proxy.for_http()?),
        None if tls.is_some() => builder.no_proxy(),
        None => builder,
    };
    let builder = match tls {
        Some(tls) => builder.tls_backend_preconfigured(tls),
        None => builder,
    };
    builder.build().map_err(|e| Error::Tls(chain(&e)))
}

/// An error with all its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
