//! Messages to log hosts: RFC 5424, by UDP (RFC 5426), TCP (RFC 6587, counted) and TLS (RFC 5425).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use platen_core::notifications::{Due, Outcome};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::egress::Egress;
use super::tls;

/// How long a log host may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// A message by UDP is cut here: receivers must take 2,048 bytes (RFC 5425 §4.3.1, RFC 5426 §3.2).
const DATAGRAM: usize = 2_048;
/// Any other message is cut here.
const LONGEST: usize = 8_192;
/// local0.
const FACILITY: u8 = 16;

/// Sends a message; what came of it.
pub async fn send(egress: &Egress, due: &Due, target: &str) -> Outcome {
    match tokio::time::timeout(PATIENCE, attempt(egress, due, target)).await {
        Ok(Ok(())) => Outcome::Sent { status: None },
        Ok(Err(why)) => Outcome::Later { status: None, why },
        Err(_) => Outcome::Later { status: None, why: "the log host takes too long".to_owned() },
    }
}

async fn attempt(egress: &Egress, due: &Due, target: &str) -> Result<(), String> {
    let (scheme, rest) = target.split_once("://").ok_or("the log host has no address")?;
    let (host, port) = rest.rsplit_once(':').ok_or("the log host has no port")?;
    let port = port.parse().map_err(|_| "the log host has no port")?;
    let addresses = egress.resolve(host, port).await?;
    let address = *addresses.first().ok_or("the log host has no address")?;
    let words = |error: std::io::Error| format!("cannot reach the log host: {error}");
    match scheme {
        "udp" => by_udp(due, address).await.map_err(words),
        "tcp" => {
            let stream = TcpStream::connect(address).await.map_err(words)?;
            counted(stream, due).await.map_err(words)
        }
        _ => {
            let config = tls::client(egress.ca.as_deref()).map_err(|error| format!("{error:#}"))?;
            let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            let name = ServerName::try_from(name).map_err(|_| "the name of the log host is none")?;
            let stream = TcpStream::connect(address).await.map_err(words)?;
            let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
            counted(connector.connect(name, stream).await.map_err(words)?, due).await.map_err(words)
        }
    }
}

async fn by_udp(due: &Due, to: SocketAddr) -> std::io::Result<()> {
    let from = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(from).await?;
    socket.connect(to).await?;
    socket.send(&frame(due, DATAGRAM)).await.map(drop)
}

/// The length in words, a blank, the message. Syslog has no acknowledgement: it has gone when the other side has closed.
async fn counted(mut stream: impl AsyncRead + AsyncWrite + Unpin, due: &Due) -> std::io::Result<()> {
    let frame = frame(due, LONGEST);
    let mut bytes = format!("{} ", frame.len()).into_bytes();
    bytes.extend_from_slice(&frame);
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    stream.shutdown().await?;
    // Some hosts keep the line open; that is no failure.
    let mut rest = [0; 16];
    match tokio::time::timeout(Duration::from_secs(2), stream.read(&mut rest)).await {
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionReset => Err(error),
        _ => Ok(()),
    }
}

/// One message of RFC 5424, at most `most` bytes.
fn frame(due: &Due, most: usize) -> Vec<u8> {
    let severity = if due.critical { 2 } else { 5 };
    let host = hostname();
    let data = [
        ("id", due.id.to_string()),
        ("kind", due.kind.clone()),
        ("about", format!("{}/{}", due.subject.0, due.subject.1)),
        ("organisation", due.organisation.clone()),
    ];
    let mut text = format!(
        "<{}>1 {} {host} platen {} {} [platen@32473",
        FACILITY * 8 + severity,
        due.created_at,
        std::process::id(),
        printable(&due.kind, 32),
    );
    for (name, value) in data {
        text.push_str(&format!(" {name}=\"{}\"", escaped(&value)));
    }
    text.push_str("] \u{feff}");
    text.push_str(&due.title);
    for line in due.text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        text.push_str(" | ");
        text.extend(line.chars().map(|c| if c.is_control() { ' ' } else { c }));
    }
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.into_bytes()
}

fn escaped(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Printable ASCII without blanks; `-` when nothing is left.
fn printable(text: &str, most: usize) -> String {
    let text: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    printable(name.trim(), 255)
}
