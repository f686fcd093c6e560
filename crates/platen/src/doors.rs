//! All doors of a server: opened in the order in which they need each other, closed together.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use gateway::{Gateway, GatewayConfig};
use platen_core::{Platform, reports, users};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use web::{WebConfig, WebDoor};

use crate::config::Resolved;
use crate::ready::ServeReady;
use crate::{housekeeping, outgoing};

/// How long open requests may take after the word to stop.
const PATIENCE: Duration = Duration::from_secs(9);

/// A server with everything open.
pub struct Doors {
    gateway: Gateway,
    web: WebDoor,
    housekeeping: JoinHandle<()>,
    drawing: JoinHandle<()>,
    outgoing: JoinHandle<()>,
    public_url: Option<String>,
}

impl Doors {
    /// Gateway first: the pages name it in enrolment tokens.
    pub async fn open(platform: Platform, config: &Resolved, demo: bool, stop: CancellationToken) -> Result<Self> {
        let gateway = gateway::serve(
            GatewayConfig {
                platform: platform.clone(),
                listen: config.gateway_listen,
                data: config.data.clone(),
                public_url: config.gateway_public_url.clone(),
                limits: gateway::Limits::default(),
                mail: config.mail.clone(),
                calls: config.calls.clone(),
            },
            stop.clone(),
        )
        .await
        .context("the gateway does not open; name another address with --gateway-listen")?;
        let web = web::serve(
            WebConfig {
                platform: platform.clone(),
                listen: config.listen,
                admin_listen: config.admin_listen,
                gateway_url: Some(gateway.url.clone()),
                ca_pin: Some(gateway.ca_pin),
                public_url: config.public_url.clone(),
                extra_metrics: vec![Arc::new(gateway.metrics())],
                demo,
                mail_out: config.outgoing.mail.is_some(),
            },
            stop.clone(),
        )
        .await
        .context("the web door does not open; name another address with --listen")?;
        let drawing = tokio::spawn(reports::keep(platform.clone(), stop.clone().cancelled_owned()));
        let base = config.public_url.clone().unwrap_or_else(|| web.url.clone());
        let leaving = outgoing::Outgoing { base, ..config.outgoing.clone() };
        let outgoing = tokio::spawn(outgoing::keep(platform.clone(), leaving, stop.clone()));
        let housekeeping = tokio::spawn(housekeeping::keep(platform, stop));
        Ok(Self { gateway, web, housekeeping, drawing, outgoing, public_url: config.public_url.clone() })
    }

    /// Where pages and API are.
    pub fn web_url(&self) -> &str {
        self.public_url.as_deref().unwrap_or(&self.web.url)
    }

    /// Where agents report.
    pub fn gateway_url(&self) -> &str {
        &self.gateway.url
    }

    /// The CA that devices and agents trust.
    pub fn ca_path(&self) -> &std::path::Path {
        &self.gateway.ca_path
    }

    /// Where the mail doors listen.
    pub fn mail(&self) -> gateway::MailAddresses {
        self.gateway.mail
    }

    /// What enrolment tokens carry.
    pub fn ca_pin(&self) -> [u8; 16] {
        self.gateway.ca_pin
    }

    /// What the ready file says.
    pub async fn ready(&self, platform: &Platform) -> Result<ServeReady> {
        let secret = users::setup_secret(platform).await.context("cannot make a set-up secret")?;
        Ok(ServeReady {
            web: Some(self.web_url().to_owned()),
            gateway: Some(self.gateway.url.clone()),
            ca: Some(self.gateway.ca_path.display().to_string()),
            smtp: self.mail_url("smtp", self.gateway.mail.smtp, self.gateway.mail.smtps),
            pop3: self.mail_url("pop3", self.gateway.mail.pop3, self.gateway.mail.pop3s),
            setup: secret.map(|secret| format!("{}/setup?key={}", self.web_url(), secret.expose())),
            admin_listener: self.web.admin_url.clone(),
            ..ServeReady::default()
        })
    }

    /// `smtp://…` begins in the clear and knows STARTTLS, `smtps://…` is inside TLS from the first byte; so with POP3.
    fn mail_url(&self, scheme: &str, clear: Option<SocketAddr>, tls: Option<SocketAddr>) -> Option<String> {
        clear
            .map(|address| format!("{scheme}://{address}"))
            .or_else(|| tls.map(|address| format!("{scheme}s://{address}")))
    }

    /// Waits until every door has drained, though not for ever.
    pub async fn closed(self) {
        let all =
            async { tokio::join!(self.gateway.task, self.web.task, self.housekeeping, self.drawing, self.outgoing) };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            tracing::warn!("some requests did not end within {} s", PATIENCE.as_secs());
        }
    }
}
