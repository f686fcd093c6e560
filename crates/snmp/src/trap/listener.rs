//! A socket that receives notifications in batches and acknowledges informs.

use std::io;
use std::net::SocketAddr;

use tokio::io::Interest;

use super::NotificationRef;
use crate::responder::is_passing;
use crate::socket::{Inbox, Options, Outbox, Port};

/// A notification and who sent it.
#[derive(Debug)]
pub struct Received<'a> {
    /// Sender of the datagram.
    pub from: SocketAddr,
    /// What it says.
    pub notification: NotificationRef<'a>,
}

/// An open socket for notifications, usually on port 162.
#[derive(Debug)]
pub struct Listener {
    port: Port,
    local: SocketAddr,
}

impl Listener {
    /// Opens the socket; port 0 picks one.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let port = Port::open(Options { destinations: true, ..Options::new(address) })?;
        let local = port.local_addr()?;
        Ok(Self { port, local })
    }

    /// The address it is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Receives until the socket fails or the future is dropped. `take` returns true to have an inform acknowledged:
    /// do so only when the notification is safely kept.
    pub async fn serve(&self, mut take: impl FnMut(Received<'_>) -> bool + Send) -> io::Result<()> {
        let watch = self.port.watch()?;
        let (mut inbox, mut outbox, mut answer) = (Inbox::new(), Outbox::default(), Vec::new());
        loop {
            watch.ready(Interest::READABLE).await?;
            match watch.try_io(Interest::READABLE, || self.port.receive(&mut inbox)) {
                Ok(()) => {}
                Err(error) if is_passing(&error) => continue,
                Err(error) => return Err(error),
            }
            outbox.clear();
            for place in 0..inbox.len() {
                let item = inbox.get(place);
                let Ok(notification) = NotificationRef::parse(item.bytes) else { continue };
                let acknowledges = notification.acknowledge(&mut answer);
                if take(Received { from: item.from, notification }) && acknowledges {
                    outbox.push(item.from, item.to, 0, &answer);
                }
            }
            // An acknowledgement that the system does not take is asked for again by the sender.
            let _ = self.port.send(&mut outbox);
            tokio::task::consume_budget().await;
        }
    }
}
