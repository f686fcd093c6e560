//! What the firmware is set to, and the one rule about it: never call a server outside the service's domain (seed 002).

use wire::hello::Road;
use wire::monitor::Dictionary;

/// Where to report and who the device is.
#[derive(Clone, Debug)]
pub struct Config {
    /// The gateway, `https://host[:port]`; a technician may change it.
    pub server: String,
    /// Domain burnt into the firmware: `server` must be it or end in `.` and it.
    pub domain: String,
    /// Vendor slug.
    pub vendor: String,
    /// Serial number.
    pub serial: String,
    /// Model.
    pub model: String,
    /// Version of the firmware.
    pub firmware: String,
    /// Claim code that the technician typed; forgotten after the first communication test.
    pub claim: Option<String>,
    /// The road that the device is set to.
    pub road: Road,
    /// Hardware address.
    pub mac: Option<String>,
    /// Own listener, for the road on which the server calls.
    pub listener: Option<String>,
    /// Where mail is sent, `smtp://host:port` (STARTTLS) or `smtps://host:port`; `None`: where the server says.
    pub mail_server: Option<String>,
    /// Where mail is fetched, `pop3://host:port` (STLS) or `pop3s://host:port`; `None`: where the server says.
    pub mailbox_server: Option<String>,
    /// What the ids of its counters mean; told when the server asks. Empty: the firmware tells it by itself.
    pub dictionaries: Vec<Dictionary>,
}

/// A setting with which nothing is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not an https address of a host.
    #[error("`{0}` is no https address such as https://gateway.example.com; nothing is sent")]
    NotHttps(String),
    /// Not the address of a mail server.
    #[error("`{0}` is no address of a mail server such as smtp://mail.example.com:587; nothing is sent")]
    NotMail(String),
    /// A host outside the domain.
    #[error("`{host}` is outside of `{domain}`, the only domain that this device reports to; nothing is sent")]
    OutsideDomain {
        /// The host of `server`.
        host: String,
        /// The domain of the firmware.
        domain: String,
    },
}

impl Config {
    /// Checks where the device would report to.
    pub fn check(&self) -> Result<(), ConfigError> {
        let host = host(&self.server, "https").ok_or_else(|| ConfigError::NotHttps(self.server.clone()))?;
        self.inside(host)
    }

    /// Checks a mail server, `smtp://` or `pop3://` with or without an `s` behind the name.
    pub(crate) fn check_mail(&self, server: &str, protocol: &str) -> Result<(), ConfigError> {
        let host = host(server, protocol).or_else(|| host(server, &format!("{protocol}s")));
        self.inside(host.ok_or_else(|| ConfigError::NotMail(server.to_owned()))?)
    }

    fn inside(&self, host: &str) -> Result<(), ConfigError> {
        let (host, domain) = (host.to_ascii_lowercase(), self.domain.trim_start_matches('.').to_ascii_lowercase());
        let inside = host == domain || host.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.'));
        if inside && !domain.is_empty() { Ok(()) } else { Err(ConfigError::OutsideDomain { host, domain }) }
    }
}

/// The host of `scheme://host[:port][/]`; anything else, such as a name and password before the host, is none.
fn host<'u>(url: &'u str, scheme: &str) -> Option<&'u str> {
    let rest = url.strip_prefix(scheme)?.strip_prefix("://")?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !authority.ends_with(']') => {
            port.parse::<u16>().ok()?;
            host
        }
        _ => authority,
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b".-[]:".contains(&b);
    (!host.is_empty() && host.bytes().all(allowed)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(server: &str, domain: &str) -> Config {
        Config {
            server: server.to_owned(),
            domain: domain.to_owned(),
            vendor: String::new(),
            serial: String::new(),
            model: String::new(),
            firmware: String::new(),
            claim: None,
            road: Road::Https,
            mac: None,
            listener: None,
            mail_server: None,
            mailbox_server: None,
            dictionaries: Vec::new(),
        }
    }

    fn config(server: &str, domain: &str) -> Result<(), ConfigError> {
        settings(server, domain).check()
    }

    #[test]
    fn only_mail_servers_of_the_domain_are_used() {
        let settings = settings("https://example.com", "example.com");
        for good in ["smtp://mail.example.com:587", "smtps://example.com"] {
            assert_eq!(settings.check_mail(good, "smtp"), Ok(()), "{good}");
        }
        for bad in ["smtp://mail.example.org", "pop3://example.com", "smtp:example.com", "smtps://a@example.com", ""] {
            assert!(settings.check_mail(bad, "smtp").is_err(), "{bad}");
        }
    }

    #[test]
    fn only_servers_of_the_domain_are_called() {
        for good in ["https://example.com", "https://gw.Example.com:8443/", "https://a.b.example.com"] {
            assert_eq!(config(good, "example.com"), Ok(()), "{good}");
        }
        for bad in [
            "http://example.com",
            "https://example.com.evil.net",
            "https://notexample.com",
            "https://example.com@evil.net",
            "https://evil.net/example.com",
            "https://evil.net#.example.com",
            "https://",
            "example.com",
        ] {
            assert!(config(bad, "example.com").is_err(), "{bad}");
        }
        assert!(config("https://example.com", "").is_err(), "without a domain nothing is sent");
    }
}
