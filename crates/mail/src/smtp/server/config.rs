//! What a listener offers; the greeting and the EHLO replies are made once and copied for every session.

use crate::address::is_domain;
use crate::{Channel, Limits};

/// Shared by all sessions of a listener.
#[derive(Clone, Debug)]
pub struct Config {
    limits: Limits,
    tls: Tls,
    login: Login,
    greeting: Box<[u8]>,
    helo: Box<[u8]>,
    ehlo_clear: Box<[u8]>,
    ehlo_tls: Box<[u8]>,
}

/// STARTTLS (RFC 3207).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Not offered.
    Absent,
    /// Offered.
    Offered,
    /// No mail without it, answered by 530.
    Required,
}

/// AUTH PLAIN (RFC 4954), inside TLS only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// Not offered.
    Absent,
    /// Offered.
    Offered,
    /// No mail without it, answered by 530.
    Required,
}

impl Config {
    /// A listener that calls itself `host`. A name that is no domain is replaced by `localhost`.
    #[must_use]
    pub fn new(host: &str, limits: Limits, tls: Tls, login: Login) -> Self {
        let host = if is_domain(host) { host } else { "localhost" };
        let ehlo = |channel: Channel| {
            let mut text =
                format!("250-{host}\r\n250-SIZE {}\r\n250-8BITMIME\r\n250-PIPELINING\r\n", limits.max_message);
            match channel {
                Channel::Clear if tls != Tls::Absent => text.push_str("250-STARTTLS\r\n"),
                Channel::Tls if login != Login::Absent => text.push_str("250-AUTH PLAIN\r\n"),
                _ => {}
            }
            text.push_str("250 ENHANCEDSTATUSCODES\r\n");
            text.into_bytes().into_boxed_slice()
        };
        Self {
            greeting: format!("220 {host} ESMTP Platen\r\n").into_bytes().into_boxed_slice(),
            helo: format!("250 {host}\r\n").into_bytes().into_boxed_slice(),
            ehlo_clear: ehlo(Channel::Clear),
            ehlo_tls: ehlo(Channel::Tls),
            limits,
            tls,
            login,
        }
    }

    /// The limits of the listener; the shell holds some of them.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn tls(&self) -> Tls {
        self.tls
    }

    pub(super) fn login(&self) -> Login {
        self.login
    }

    pub(super) fn greeting(&self) -> &[u8] {
        &self.greeting
    }

    pub(super) fn helo(&self) -> &[u8] {
        &self.helo
    }

    pub(super) fn ehlo(&self, channel: Channel) -> &[u8] {
        match channel {
            Channel::Clear => &self.ehlo_clear,
            Channel::Tls => &self.ehlo_tls,
        }
    }
}
