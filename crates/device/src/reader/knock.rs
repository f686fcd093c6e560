//! Some devices answer SNMP only after somebody has opened their web page. They get one request, and no other device
//! is woken.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::access::Known;
use crate::profile::Catalogue;

/// Longest wait for the page.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// The port of the page that must be opened first, if the device is of such a make.
pub(super) fn port(known: &Known) -> Option<u16> {
    Catalogue::current().of_vendor(known.vendor.as_deref()?)?.wake_by_http
}

/// Opens the page once; `true` if something was there.
pub(super) async fn knock(host: IpAddr, port: u16) -> bool {
    let visit = async {
        let mut page = TcpStream::connect(SocketAddr::new(host, port)).await?;
        page.write_all(b"GET / HTTP/1.0\r\nConnection: close\r\n\r\n").await?;
        let mut start = [0; 256];
        page.read(&mut start).await
    };
    matches!(tokio::time::timeout(PATIENCE, visit).await, Ok(Ok(_)))
}
