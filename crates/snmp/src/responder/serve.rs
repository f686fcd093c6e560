//! A UDP socket of agents. Bound to `0.0.0.0` on the loopback device, one socket is every address of 127.0.0.0/8:
//! the destination of a request tells the device, and the answer leaves from there.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::io::Interest;

use crate::socket::{Inbox, Options, Outbox, Port};

/// How the socket is opened.
#[derive(Clone, Copy, Debug)]
pub struct ResponderConfig {
    /// Address and port to listen on; port 0 picks one.
    pub bind: SocketAddr,
    /// Reached through the loopback device only (Linux): with an address of `0.0.0.0` it is safe to be 127.0.0.0/8.
    pub loopback_only: bool,
}

/// A request as it came.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Who asks.
    pub from: SocketAddr,
    /// Whom it asks: one of our addresses (known on Linux), else the address bound to.
    pub to: SocketAddr,
}

/// An open socket of agents. Clones share it, so that answers may also be sent later.
#[derive(Clone, Debug)]
pub struct Responder {
    port: Arc<Port>,
    local: SocketAddr,
}

impl Responder {
    /// Opens the socket.
    pub fn bind(config: ResponderConfig) -> io::Result<Self> {
        let options = Options { destinations: true, loopback_only: config.loopback_only, ..Options::new(config.bind) };
        let port = Port::open(options)?;
        let local = port.local_addr()?;
        Ok(Self { port: Arc::new(port), local })
    }

    /// The address it is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Sends a datagram from one of our addresses, for answers that come late, twice, or unasked (traps).
    /// `WouldBlock` when the system takes no more for now.
    pub fn send(&self, from: IpAddr, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        let mut outbox = Outbox::default();
        outbox.push(to, usable(from), 0, bytes);
        self.port.send(&mut outbox)?;
        outbox.failed.pop().map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Serves until the socket fails or the future is dropped. `handle` sees each request and an empty buffer;
    /// it returns true to have the buffer sent back as the answer.
    pub async fn serve(&self, mut handle: impl FnMut(&Datagram<'_>, &mut Vec<u8>) -> bool + Send) -> io::Result<()> {
        let watch = self.port.watch()?;
        let (mut inbox, mut outbox, mut answer) = (Inbox::new(), Outbox::default(), Vec::with_capacity(2_048));
        loop {
            watch.ready(Interest::READABLE).await?;
            match self.port.receive_watched(&watch, &mut inbox) {
                Ok(_) => {}
                Err(error) if is_passing(&error) => continue,
                Err(error) => return Err(error),
            }
            outbox.clear();
            for place in 0..inbox.len() {
                let item = inbox.get(place);
                let to = SocketAddr::new(item.to.unwrap_or(self.local.ip()), self.local.port());
                answer.clear();
                if handle(&Datagram { bytes: item.bytes, from: item.from, to }, &mut answer) {
                    outbox.push(item.from, item.to.and_then(usable), 0, &answer);
                }
            }
            while outbox.waiting() > 0 && self.port.send(&mut outbox).is_err() {
                watch.ready(Interest::WRITABLE).await?;
                let _ = watch.try_io(Interest::WRITABLE, || self.port.send(&mut outbox));
            }
            // A loop that is never idle must not keep the thread for itself.
            tokio::task::consume_budget().await;
        }
    }
}

/// An unspecified or broadcast destination cannot be a source.
fn usable(address: IpAddr) -> Option<IpAddr> {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast() || v4.is_multicast());
    (!address.is_unspecified() && !broadcast).then_some(address)
}

/// Errors after which a datagram socket works on.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable, WouldBlock,
    };
    matches!(
        error.kind(),
        WouldBlock | Interrupted | ConnectionRefused | ConnectionReset | HostUnreachable | NetworkUnreachable
    )
}
