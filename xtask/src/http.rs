//! The few lines of HTTP/1.1 that a chore needs to ask a server on loopback; no crate is worth its compile time here.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// One account's view of a server.
pub(crate) struct Http {
    authority: String,
    token: String,
}

impl Http {
    /// `base`: `http://127.0.0.1:8080`.
    pub(crate) fn new(base: &str, token: &str) -> Result<Self> {
        let authority = base.strip_prefix("http://").context("only plain http on loopback")?;
        Ok(Self { authority: authority.trim_end_matches('/').to_owned(), token: token.to_owned() })
    }

    /// Body of a GET that answered 200, and how long it took.
    pub(crate) fn get(&self, path: &str, accept: &str) -> Result<(String, Duration)> {
        self.call("GET", path, accept, "")
    }

    /// JSON of a GET.
    pub(crate) fn json(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.get(path, "application/json")?.0)?)
    }

    /// JSON of a POST or PUT.
    pub(crate) fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let (text, _) = self.call(method, path, "application/json", &body.to_string())?;
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }

    fn call(&self, method: &str, path: &str, accept: &str, body: &str) -> Result<(String, Duration)> {
        let start = Instant::now();
        let mut stream = TcpStream::connect(&self.authority)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nAccept: {accept}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.authority,
            self.token,
            body.len()
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let took = start.elapsed();
        let text = String::from_utf8_lossy(&answer);
        let (head, body) = text.split_once("\r\n\r\n").context("an answer without a head")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if !status.starts_with('2') {
            bail!("{method} {path} answered {status}: {}", body.chars().take(300).collect::<String>());
        }
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        Ok((if chunked { unchunk(body) } else { body.to_owned() }, took))
    }
}

fn unchunk(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((size, rest)) = body.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else { break };
        let Some(chunk) = rest.get(..size) else { break };
        whole.push_str(chunk);
        body = rest.get(size + 2..).unwrap_or_default();
    }
    whole
}
