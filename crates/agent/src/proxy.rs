//! An HTTP proxy between the agent and the gateway, as customers' networks have them: one CONNECT (RFC 9110 §9.3.6), TLS
//! inside of it from end to end.

use std::{fmt, io, time::Duration};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use reqwest::Url;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::error::{Error, Result};

/// Time for a connection, and for the proxy's answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// Most bytes of a proxy's answer before the tunnel begins.
const ANSWER_BYTES: usize = 8 << 10;

/// A proxy and who we are to it.
#[derive(Clone)]
pub struct Proxy {
    host: String,
    port: u16,
    /// `name:password`.
    account: Option<String>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({}:{})", self.host, self.port)
    }
}

impl Proxy {
    /// Reads `http://host:port`; `account` is `name:password` for a proxy that asks who is there (RFC 7617).
    ///
    /// # Errors
    /// When it is no such address, or carries the account in itself, where command lines and logs would show it.
    pub fn parse(address: &str, account: Option<&str>) -> Result<Self> {
        let wrong = |reason| Error::Proxy { proxy: address.to_owned(), reason };
        let url = Url::parse(address.trim()).map_err(|_| wrong("write it as http://host:port"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Proxy {
                proxy: url.host_str().unwrap_or_default().to_owned(),
                reason: "give the account by --proxy-account-file, not in the address",
            });
        }
        let (host, port) = match (url.scheme(), url.host_str(), url.port_or_known_default()) {
            ("http", Some(host), Some(port)) => (host.to_owned(), port),
            _ => return Err(wrong("write it as http://host:port; the way to a proxy is plain HTTP, TLS runs inside")),
        };
        let account = account.map(str::trim).filter(|account| !account.is_empty());
        if account.is_some_and(|account| !account.contains(':') || account.contains(char::is_control)) {
            return Err(wrong("its account is not one line NAME:PASSWORD"));
        }
        Ok(Self { host, port, account: account.map(str::to_owned) })
    }

    pub(crate) fn for_http(&self) -> Result<reqwest::Proxy> {
        let made = reqwest::Proxy::all(format!("http://{}:{}", self.host, self.port));
        let made = made.map_err(|error| Error::Tls(error.to_string()))?;
        Ok(match self.account.as_deref().and_then(|account| account.split_once(':')) {
            Some((name, password)) => made.basic_auth(name, password),
            None => made,
        })
    }

    /// A tunnel through the proxy to `authority` (`host:port`).
    pub(crate) async fn tunnel(&self, authority: &str) -> io::Result<TcpStream> {
        let told = |what: String| io::Error::other(format!("the proxy {}:{} {what}", self.host, self.port));
        let mut stream = connect(&self.host, self.port).await?;
        let account = self.account.as_ref().map_or_else(String::new, |account| {
            format!("Proxy-Authorization: Basic {}\r\n", BASE64_STANDARD.encode(account))
        });
        let asked = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{account}\r\n");
        stream.write_all(asked.as_bytes()).await?;
        let mut answer = Vec::with_capacity(256);
        // Byte by byte: what follows the answer is the tunnel's.
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() >= ANSWER_BYTES {
                return Err(told(format!("answers with more than {ANSWER_BYTES} bytes")));
            }
            answer.push(stream.read_u8().await.map_err(|_| told("closed the connection".to_owned()))?);
        }
        let status = answer.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        match status {
            [b'2', ..] => Ok(stream),
            b"407" => Err(told("asks for an account: give --proxy-account-file".to_owned())),
            status => Err(told(format!("answers {}", String::from_utf8_lossy(status)))),
        }
    }
}

/// A connection to a host as addresses name it: IPv6 stands in brackets there, and nowhere else.
pub(crate) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    TcpStream::connect((host.trim_matches(['[', ']']), port)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_plain_http_without_its_account_in_the_address() {
        let proxy = Proxy::parse("http://proxy.example:3128/", Some("me:secret\n")).unwrap();
        assert_eq!(
            (proxy.host.as_str(), proxy.port, proxy.account.as_deref()),
            ("proxy.example", 3128, Some("me:secret"))
        );
        assert_eq!(format!("{proxy:?}"), "Proxy(proxy.example:3128)", "no password in a log");
        for wrong in ["proxy:3128", "https://proxy:3128", "socks5://proxy", ""] {
            assert!(Proxy::parse(wrong, None).unwrap_err().to_string().contains("http://host:port"), "{wrong}");
        }
        let shown = Proxy::parse("http://me:secret@proxy:3128", None).unwrap_err().to_string();
        assert!(shown.contains("--proxy-account-file") && !shown.contains("secret"), "{shown}");
        assert!(Proxy::parse("http://proxy", Some("no colon")).is_err());
    }
}
