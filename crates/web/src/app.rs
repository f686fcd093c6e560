//! What every handler shares.

use std::{net::SocketAddr, sync::Arc};

use axum::http::{HeaderMap, header};
use platen_core::Platform;
use tokio_util::sync::CancellationToken;

use crate::{metrics::Metrics, security};

/// Metrics of other doors, as Prometheus text.
pub type MetricsSource = Arc<dyn Fn() -> String + Send + Sync>;

/// How the web door opens.
pub struct WebConfig {
    /// The product.
    pub platform: Platform,
    /// Address for people and programs; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Address of `/metrics` and health; `None`: on the web address, metrics for loopback peers only.
    pub admin_listen: Option<SocketAddr>,
    /// Where agents deliver, told at `/.well-known/platen`.
    pub gateway_url: Option<String>,
    /// First 16 bytes of the SHA-256 of the gateway's CA certificate: a part of enrolment codes.
    pub ca_pin: Option<[u8; 16]>,
    /// Address of this door as people type it, where a proxy stands before it.
    pub public_url: Option<String>,
    /// Metrics of other doors of this process.
    pub extra_metrics: Vec<MetricsSource>,
    /// Whether this is `platen demo`.
    pub demo: bool,
    /// Whether mail leaves this server; pages say so where it does not.
    pub mail_out: bool,
}

/// Shared by all handlers; cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) platform: Platform,
    pub(crate) gateway_url: Option<String>,
    pub(crate) ca_pin: Option<[u8; 16]>,
    pub(crate) public_url: Option<String>,
    pub(crate) extra_metrics: Vec<MetricsSource>,
    pub(crate) demo: bool,
    pub(crate) mail_out: bool,
    pub(crate) admin_apart: bool,
    pub(crate) metrics: Metrics,
    pub(crate) shutdown: CancellationToken,
}

impl std::ops::Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    pub(crate) fn new(config: WebConfig, shutdown: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            platform: config.platform,
            gateway_url: config.gateway_url,
            ca_pin: config.ca_pin,
            public_url: config.public_url.map(|url| url.trim_end_matches('/').to_owned()),
            extra_metrics: config.extra_metrics,
            demo: config.demo,
            mail_out: config.mail_out,
            admin_apart: config.admin_listen.is_some(),
            metrics: Metrics::default(),
            shutdown,
        }))
    }

    /// A new id for a request: rises with time, so that logs sort.
    pub(crate) fn request_id(&self) -> String {
        self.platform.ids().uuid7().simple().to_string()
    }

    /// Address of this door as the present reader reaches it.
    pub(crate) fn base_url(&self, headers: &HeaderMap) -> String {
        if let Some(url) = &self.public_url {
            return url.clone();
        }
        let scheme = if is_https(self, headers) { "https" } else { "http" };
        format!("{scheme}://{}", security::host(headers).unwrap_or("localhost"))
    }
}

/// Whether the reader's connection is encrypted, so that cookies may insist on it.
pub(crate) fn is_https(app: &App, headers: &HeaderMap) -> bool {
    match &app.public_url {
        Some(url) => url.starts_with("https://"),
        None => headers.get("x-forwarded-proto").is_some_and(|v| v.as_bytes() == b"https"),
    }
}

/// One cookie of the request.
pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}
