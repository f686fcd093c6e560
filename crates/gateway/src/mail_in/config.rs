//! What the mail doors are started with.

use std::net::SocketAddr;

use mail::{Limits, pop3::server::Login, smtp::server::Tls};

/// Doors for mail. A listener without address is not opened; port 0 is chosen once and kept.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// The right side of all addresses of devices, and the name by which the SMTP door greets.
    pub domain: String,
    /// Name or address by which devices reach these doors, where it differs from the listeners' own.
    pub host: Option<String>,
    /// SMTP that begins in the clear (port 25 or 587).
    pub smtp: Option<SocketAddr>,
    /// SMTP inside TLS from the first byte (port 465).
    pub smtps: Option<SocketAddr>,
    /// POP3 that begins in the clear (port 110).
    pub pop3: Option<SocketAddr>,
    /// POP3 inside TLS from the first byte (port 995).
    pub pop3s: Option<SocketAddr>,
    /// Whether mail is taken before STARTTLS. What is inside is sealed in any case.
    pub smtp_tls: Tls,
    /// Whether POP3 takes passwords in the clear.
    pub pop3_login: Login,
    /// What connections and messages may cost.
    pub limits: Limits,
}

impl MailConfig {
    /// All doors shut, the limits at their defaults.
    #[must_use]
    pub fn new(domain: impl Into<String>) -> Self {
        Self {
            domain: domain.into(),
            host: None,
            smtp: None,
            smtps: None,
            pop3: None,
            pop3s: None,
            smtp_tls: Tls::Offered,
            pop3_login: Login::TlsOnly,
            limits: Limits::default(),
        }
    }
}
