//! A socket that receives notifications in batches and acknowledges informs.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::Interest;

use super::{NotificationRef, write_receipt};
use crate::responder::{is_passing, is_v3};
use crate::socket::{Inbox, Options, Outbox, Port};
use crate::usm::{Authority, Refused};

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
    authority: Option<Arc<Authority>>,
}

impl Listener {
    /// Opens the socket; port 0 picks one.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let port = Port::open(Options { destinations: true, ..Options::new(address) })?;
        let local = port.local_addr()?;
        Ok(Self { port, local, authority: None })
    }

    /// Also takes SNMPv3: traps of the users of `authority`, and informs sent to its engine.
    pub fn with_authority(mut self, authority: Arc<Authority>) -> Self {
        self.authority = Some(authority);
        self
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
            match self.port.receive_watched(&watch, &mut inbox) {
                Ok(_) => {}
                Err(error) if is_passing(&error) => continue,
                Err(error) => return Err(error),
            }
            outbox.clear();
            for place in 0..inbox.len() {
                let item = inbox.get(place);
                let answers = match self.authority.as_ref().filter(|_| is_v3(item.bytes)) {
                    Some(authority) => take_v3(authority, item.bytes, item.from, &mut take, &mut answer),
                    None => take_plain(item.bytes, item.from, &mut take, &mut answer),
                };
                if answers {
                    outbox.push(item.from, item.to, 0, &answer);
                }
            }
            // An acknowledgement that the system does not take is asked for again by the sender.
            let _ = self.port.send(&mut outbox);
            tokio::task::consume_budget().await;
        }
    }
}

/// Shows a notification of v1 or v2c; true if `answer` is to be sent.
fn take_plain(
    datagram: &[u8],
    from: SocketAddr,
    take: &mut impl FnMut(Received<'_>) -> bool,
    answer: &mut Vec<u8>,
) -> bool {
    let Ok(notification) = NotificationRef::parse(datagram) else { return false };
    let acknowledges = notification.acknowledge(answer);
    take(Received { from, notification }) && acknowledges
}

/// As [`take_plain`] for v3; the answer may also be a report.
fn take_v3(
    authority: &Authority,
    datagram: &mut [u8],
    from: SocketAddr,
    take: &mut impl FnMut(Received<'_>) -> bool,
    answer: &mut Vec<u8>,
) -> bool {
    let incoming = match authority.open(datagram, answer) {
        Ok(incoming) => incoming,
        Err(Refused::Report) => return true,
        Err(Refused::Silence(_)) => return false,
    };
    let Ok(scoped) = incoming.envelope.scoped(datagram) else { return false };
    let Some(notification) = NotificationRef::of_v3(&incoming.envelope.user, &scoped.pdu) else { return false };
    if !Authority::is_protected(&incoming) {
        return false;
    }
    let inform = notification.inform;
    if !take(Received { from, notification }) {
        return false;
    }
    let Some(pdu) = inform else { return false };
    authority.reply(&incoming, scoped.engine_id, scoped.context, answer, |writer| write_receipt(writer, &pdu));
    true
}
