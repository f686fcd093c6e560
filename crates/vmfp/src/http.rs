//! The devices' own pages: one plain page each, made by hand. Real devices are asked here for what SNMP leaves out.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::fleet::{Shared, v4};
use crate::truth::{TrueState, Truth};

/// Longest request head that is read.
const HEAD: usize = 8_192;
/// Patience with one visitor.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens the port for all loopback addresses.
pub(crate) fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Only where a socket can be tied to the loopback device may it be bound to all addresses.
    #[cfg(target_os = "linux")]
    let address = {
        socket.bind_device(Some(b"lo"))?;
        Ipv4Addr::UNSPECIFIED
    };
    #[cfg(not(target_os = "linux"))]
    let address = Ipv4Addr::LOCALHOST;
    socket.bind(&SocketAddr::from((address, port)).into())?;
    socket.listen(1_024)?;
    TcpListener::from_std(socket.into())
}

/// Serves pages until the socket fails.
pub(crate) async fn serve(shared: Arc<Shared>, listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = match listener.accept().await {
            Ok(accepted) => accepted,
            // A visitor that is gone already is no reason to close the door.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) => return Err(error),
        };
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            if let Ok(Err(error)) = tokio::time::timeout(PATIENCE, visit(&shared, stream)).await {
                tracing::debug!(%error, "a visitor left early");
            }
        });
    }
}

async fn visit(shared: &Shared, mut stream: TcpStream) -> io::Result<()> {
    let address = stream.local_addr()?;
    let Some(path) = read_path(&mut stream).await? else {
        return respond(&mut stream, "400 Bad Request", "This is no HTTP request.").await;
    };
    if let Some(address) = v4(address.ip()) {
        shared.visited(address);
    }
    let truth = v4(address.ip()).and_then(|address| shared.truth(address).ok());
    let Some(truth) = truth.filter(|truth| truth.state != TrueState::Off) else {
        // Nobody lives at this address: close without a word, as an empty address would.
        return Ok(());
    };
    match path.as_str() {
        "/" | "/index.html" => respond(&mut stream, "200 OK", &page(&truth)).await,
        _ => respond(&mut stream, "404 Not Found", "<p>This device has one page only: <a href=\"/\">/</a></p>").await,
    }
}

/// The path of a GET or HEAD request.
async fn read_path(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = Vec::with_capacity(512);
    while head.len() < HEAD && !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    let line = String::from_utf8_lossy(head.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
    let mut words = line.split(' ');
    let known = matches!(words.next(), Some("GET" | "HEAD"));
    Ok(words.next().filter(|path| known && path.starts_with('/')).map(str::to_owned))
}

async fn respond(stream: &mut TcpStream, status: &str, body: &str) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

fn page(truth: &Truth) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let row = |name: &str, value: &str| format!("<tr><th>{name}</th><td>{}</td></tr>", escape(value));
    let mut rows = vec![
        row("Model", &truth.model),
        row("Serial number", &truth.serial),
        row("Name", &truth.name),
        row("Location", &truth.location),
        row("Firmware", &truth.firmware),
        row("Status", &truth.console),
        row("Total pages", &truth.life_count.to_string()),
    ];
    for supply in &truth.supplies {
        rows.push(row(&escape(&supply.description), &format!("{:.0} %", supply.left * 100.0)));
    }
    let alerts: String = truth.alerts.iter().map(|alert| format!("<li>{}</li>", escape(&alert.text))).collect();
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{model}</title><h1>{model}</h1>\
         <p>A virtual device.</p><ul>{alerts}</ul><table>{}</table></html>\n",
        rows.concat(),
        model = escape(&truth.model)
    )
}
