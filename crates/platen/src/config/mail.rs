//! The part of the configuration that speaks of mail: doors for devices with their limits.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use gateway::MailConfig;
use mail::Limits;
use mail::pop3::server::Login;
use mail::smtp::server::Tls;
use serde::{Deserialize, Serialize};

use crate::cli::ServeArgs;

/// `[mail]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// The right side of all addresses of devices, as `print.example.com`; its MX points here. Default `localhost`.
    pub domain: Option<String>,
    /// Name or address by which devices reach these doors. Default: the listeners' own address.
    pub host: Option<String>,
    /// Address and port of SMTP with STARTTLS (25, 587). Without it this door is shut.
    pub smtp_listen: Option<SocketAddr>,
    /// Address and port of SMTP inside TLS (465). Without it this door is shut.
    pub smtps_listen: Option<SocketAddr>,
    /// Address and port of POP3 with STLS (110). Without it this door is shut.
    pub pop3_listen: Option<SocketAddr>,
    /// Address and port of POP3 inside TLS (995). Without it this door is shut.
    pub pop3s_listen: Option<SocketAddr>,
    /// `offered` or `required`: whether mail is taken before STARTTLS. Reports are sealed either way. Default `offered`.
    pub smtp_tls: Option<SmtpTls>,
    /// `true`: POP3 takes passwords in the clear, for devices too old for TLS; everybody on the way reads them. Default `false`.
    pub pop3_legacy_login: Option<bool>,
    /// Connection rate throttling: new connections a second from everywhere. Delayed, then 421. Default 500.
    pub connection_rate: Option<u32>,
    /// The same from one /24 (IPv4) or /64 (IPv6). Default 50.
    pub connection_rate_network: Option<u32>,
    /// How many seconds' worth of connections may come at once after quiet. Default 10.
    pub connection_burst: Option<u32>,
    /// Max daemon children: sessions at once, for each protocol. 421 beyond. Default 2000.
    pub max_sessions: Option<usize>,
    /// The same from one address. Default 50.
    pub max_sessions_address: Option<usize>,
    /// Min free blocks: bytes that must stay free on the disk of the data folder. 452 at MAIL FROM below. Default 536870912.
    pub min_free: Option<u64>,
    /// Inodes that must stay free there. Default 10000.
    pub min_free_inodes: Option<u64>,
    /// Max headers length: bytes of the head of a message. 552 beyond. Default 32768.
    pub max_header: Option<usize>,
    /// Fields of the head of a message. 554 beyond. Default 100.
    pub max_header_fields: Option<usize>,
    /// Max message size in bytes, told by SIZE and counted while bytes come. 552 beyond. Default 4194304.
    pub max_message: Option<usize>,
    /// Seconds of silence after which a session is closed. Default 300.
    pub idle_s: Option<u64>,
    /// Longest life of a session, seconds. Default 3600.
    pub session_s: Option<u64>,
    /// Bytes a second below which a message in transfer is given up, after its first 30 s. Default 100.
    pub min_rate: Option<u32>,
    /// Messages of one session. Default 1000.
    pub messages: Option<u32>,
    /// Refused commands, recipients and passwords before a session is closed. Default 10.
    pub errors: Option<u32>,
    /// Where mail to people is handed in: `smtp://mail.example.com:587` (STARTTLS, never without), `smtps://mail.example.com:465`,
    /// `smtp+clear://localhost:25` only on this machine. Without it no mail is sent.
    pub submission: Option<String>,
    /// Name to sign in with there.
    pub submission_user: Option<String>,
    /// Password to sign in with there.
    pub submission_password: Option<String>,
    /// Sender of mail to people: `Platen <platen@example.com>`.
    pub from: Option<String>,
    /// Domain that failure reports come back to: its MX points to `smtp_listen`. Default `domain` where that door is open; else
    /// they go to `from`, and nobody reads them.
    pub bounces: Option<String>,
}

/// Whether mail is taken in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmtpTls {
    /// STARTTLS is offered.
    Offered,
    /// No mail before STARTTLS (530).
    Required,
}

impl Mail {
    /// The doors; `None` when none has an address.
    pub fn resolve(&self, args: &ServeArgs) -> Result<Option<MailConfig>> {
        let domain = args.mail_domain.as_ref().or(self.domain.as_ref()).map_or("localhost", String::as_str);
        let lawful = format!("device@{domain}").parse::<mail::Address>().is_ok() && !domain.starts_with('[');
        ensure!(lawful, "`{domain}` is no domain; write it as print.example.com");
        let config = MailConfig {
            host: self.host.clone(),
            smtp: args.smtp_listen.or(self.smtp_listen),
            smtps: args.smtps_listen.or(self.smtps_listen),
            pop3: args.pop3_listen.or(self.pop3_listen),
            pop3s: args.pop3s_listen.or(self.pop3s_listen),
            smtp_tls: if self.smtp_tls == Some(SmtpTls::Required) { Tls::Required } else { Tls::Offered },
            pop3_login: if self.pop3_legacy_login == Some(true) { Login::Legacy } else { Login::TlsOnly },
            limits: self.limits(),
            ..MailConfig::new(domain)
        };
        let open = [config.smtp, config.smtps, config.pop3, config.pop3s].iter().any(Option::is_some);
        Ok(open.then_some(config))
    }

    fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        let (rate, sessions) = (&mut limits.connection_rate, &mut limits.max_sessions);
        set(&mut rate.total, self.connection_rate);
        set(&mut rate.network, self.connection_rate_network);
        set(&mut rate.burst, self.connection_burst);
        set(&mut sessions.total, self.max_sessions);
        set(&mut sessions.address, self.max_sessions_address);
        set(&mut limits.min_free.bytes, self.min_free);
        set(&mut limits.min_free.inodes, self.min_free_inodes);
        set(&mut limits.max_header.bytes, self.max_header);
        set(&mut limits.max_header.fields, self.max_header_fields);
        set(&mut limits.max_message, self.max_message);
        set(&mut limits.idle, self.idle_s.map(Duration::from_secs));
        set(&mut limits.session, self.session_s.map(Duration::from_secs));
        set(&mut limits.min_rate, self.min_rate);
        set(&mut limits.messages, self.messages);
        set(&mut limits.errors, self.errors);
        limits
    }
}

fn set<T>(limit: &mut T, told: Option<T>) {
    if let Some(told) = told {
        *limit = told;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_limits_are_set_by_their_names() {
        let text = "domain = \"print.example.com\"\nsmtp_listen = \"127.0.0.1:0\"\nconnection_rate = 1\nmax_sessions = 2\n\
                    min_free = 3\nmax_header = 4\nmax_message = 5\nsmtp_tls = \"required\"\n";
        let mail: Mail = toml::from_str(text).unwrap();
        let config = mail.resolve(&ServeArgs::default()).unwrap().unwrap();
        let limits = &config.limits;
        assert_eq!((limits.connection_rate.total, limits.max_sessions.total), (1, 2));
        assert_eq!((limits.min_free.bytes, limits.max_header.bytes, limits.max_message), (3, 4, 5));
        assert_eq!((config.domain.as_str(), config.smtp_tls), ("print.example.com", Tls::Required));
        let keys: Vec<&str> = mail::limits::Named::ALL.iter().map(|limit| limit.key()).collect();
        assert!(keys.iter().all(|key| text.contains(key)));
    }

    #[test]
    fn doors_without_an_address_are_shut() {
        let mail = Mail { domain: Some("print.example.com".to_owned()), ..Mail::default() };
        assert!(mail.resolve(&ServeArgs::default()).unwrap().is_none());
        let args = ServeArgs { pop3s_listen: Some("127.0.0.1:0".parse().unwrap()), ..ServeArgs::default() };
        assert!(mail.resolve(&args).unwrap().is_some_and(|config| config.pop3s.is_some() && config.smtp.is_none()));
        let wrong = Mail { domain: Some("a b".to_owned()), ..Mail::default() };
        assert!(wrong.resolve(&args).is_err());
    }

    #[test]
    fn defaults_in_the_reference_are_those_of_the_limits() {
        let limits = Limits::default();
        let reference = include_str!("mail.rs");
        for number in [
            u64::from(limits.connection_rate.total),
            limits.max_sessions.total as u64,
            limits.min_free.bytes,
            limits.max_header.bytes as u64,
            limits.max_message as u64,
            limits.idle.as_secs(),
            limits.session.as_secs(),
        ] {
            assert!(reference.contains(&format!("Default {number}.")), "{number}");
        }
    }
}
