//! A socket that receives notifications in batches and acknowledges informs.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::io::Interest;

use super::{NotificationRef, write_receipt};
use crate::responder::{is_passing, is_v3};
use crate::socket::{Inbox, Options, Outbox, Port};
use crate::usm::{Authority, Incoming, Refused};

/// Bytes of receive buffer asked for: nobody repeats a trap, so a second of a storm must find room while the machine is
/// busy with something else.
const ROOM: usize = 32 << 20;

/// A notification and who sent it.
#[derive(Debug)]
pub struct Received<'a> {
    /// Sender of the datagram.
    pub from: SocketAddr,
    /// What it says.
    pub notification: NotificationRef<'a>,
    to: Option<IpAddr>,
    sealed: Option<Sealed<'a>>,
}

/// What the acknowledgement of an inform of v3 is made with.
#[derive(Debug)]
struct Sealed<'a> {
    authority: &'a Authority,
    incoming: &'a Incoming,
    engine_id: &'a [u8],
    context: &'a [u8],
}

/// The acknowledgement of an inform, ready to be sent once what it says is kept.
#[derive(Clone, Debug)]
pub struct Receipt {
    to: SocketAddr,
    from: Option<IpAddr>,
    bytes: Vec<u8>,
}

impl Received<'_> {
    /// The acknowledgement of an inform, for [`Listener::acknowledge`]; `None` for a trap. Whoever takes it lets
    /// `serve` answer nothing.
    pub fn receipt(&self) -> Option<Receipt> {
        let mut bytes = Vec::new();
        self.answer(&mut bytes).then_some(Receipt { to: self.from, from: self.to, bytes })
    }

    /// Writes the acknowledgement over the contents of `out`; false if none is due.
    fn answer(&self, out: &mut Vec<u8>) -> bool {
        match (&self.sealed, self.notification.inform) {
            (None, _) => self.notification.acknowledge(out),
            (Some(_), None) => false,
            (Some(sealed), Some(pdu)) => {
                let Sealed { authority, incoming, engine_id, context } = sealed;
                authority.reply(incoming, engine_id, context, out, |writer| write_receipt(writer, &pdu));
                true
            }
        }
    }
}

/// An open socket for notifications, usually on port 162.
#[derive(Debug)]
pub struct Listener {
    port: Port,
    local: SocketAddr,
    authority: RwLock<Option<Arc<Authority>>>,
}

impl Listener {
    /// Opens the socket; port 0 picks one.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let port = Port::open(Options { destinations: true, buffer: ROOM, ..Options::new(address) })?;
        let local = port.local_addr()?;
        Ok(Self { port, local, authority: RwLock::new(None) })
    }

    /// Also takes SNMPv3: traps of the users of `authority`, and informs sent to its engine.
    pub fn with_authority(self, authority: Arc<Authority>) -> Self {
        self.set_authority(Some(authority));
        self
    }

    /// From the next batch on: takes SNMPv3 by these users, or not at all.
    pub fn set_authority(&self, authority: Option<Arc<Authority>>) {
        *self.authority.write() = authority;
    }

    /// The address it is bound to.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Sends acknowledgements of informs. One that the system does not take is asked for again by the sender.
    pub fn acknowledge(&self, receipts: &[Receipt]) {
        let mut outbox = Outbox::default();
        for receipt in receipts {
            outbox.push(receipt.to, receipt.from, 0, &receipt.bytes);
        }
        let _ = self.port.send(&mut outbox);
    }

    /// Receives until the socket fails or the future is dropped. `take` returns true to have an inform acknowledged:
    /// do so only when the notification is safely kept, or take a [`Receipt`] and acknowledge it then.
    pub async fn serve(&self, take: impl FnMut(Received<'_>) -> bool + Send) -> io::Result<()> {
        self.serve_all(take, |_| {}).await
    }

    /// As [`Listener::serve`]; `refuse` is told of the sender of whatever is no notification, or none that can be
    /// believed (v3).
    pub async fn serve_all(
        &self,
        mut take: impl FnMut(Received<'_>) -> bool + Send,
        mut refuse: impl FnMut(SocketAddr) + Send,
    ) -> io::Result<()> {
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
            let authority = self.authority.read().clone();
            for place in 0..inbox.len() {
                let item = inbox.get(place);
                let (from, to) = (item.from, item.to);
                let outcome = match authority.as_ref().filter(|_| is_v3(item.bytes)) {
                    Some(authority) => take_v3(authority, item.bytes, (from, to), &mut take, &mut answer),
                    None => take_plain(item.bytes, (from, to), &mut take, &mut answer),
                };
                match outcome {
                    Outcome::Answer => outbox.push(from, to, 0, &answer),
                    Outcome::Silence => {}
                    Outcome::Refused => refuse(from),
                }
            }
            // An acknowledgement that the system does not take is asked for again by the sender.
            let _ = self.port.send(&mut outbox);
            tokio::task::consume_budget().await;
        }
    }
}

/// What is done about a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// `answer` is to be sent.
    Answer,
    /// Taken, and nothing is said.
    Silence,
    /// Not taken, and nothing is said.
    Refused,
}

impl Outcome {
    fn of(answers: bool) -> Self {
        if answers { Self::Answer } else { Self::Silence }
    }
}

/// Sender, and the address of ours that it wrote to.
type Ends = (SocketAddr, Option<IpAddr>);

/// Shows a notification of v1 or v2c.
fn take_plain(
    datagram: &[u8],
    (from, to): Ends,
    take: &mut impl FnMut(Received<'_>) -> bool,
    answer: &mut Vec<u8>,
) -> Outcome {
    let Ok(notification) = NotificationRef::parse(datagram) else { return Outcome::Refused };
    let acknowledges = notification.acknowledge(answer);
    Outcome::of(take(Received { from, notification, to, sealed: None }) && acknowledges)
}

/// As [`take_plain`] for v3; the answer may also be a report.
fn take_v3(
    authority: &Authority,
    datagram: &mut [u8],
    (from, to): Ends,
    take: &mut impl FnMut(Received<'_>) -> bool,
    answer: &mut Vec<u8>,
) -> Outcome {
    let incoming = match authority.open(datagram, answer) {
        Ok(incoming) => incoming,
        Err(Refused::Report) => return Outcome::Answer,
        Err(Refused::Silence(_)) => return Outcome::Refused,
    };
    let Ok(scoped) = incoming.envelope.scoped(datagram) else { return Outcome::Refused };
    let Some(notification) = NotificationRef::of_v3(&incoming.envelope.user, &scoped.pdu) else {
        return Outcome::Refused;
    };
    if !Authority::is_protected(&incoming) {
        return Outcome::Refused;
    }
    let inform = notification.inform;
    let sealed = Sealed { authority, incoming: &incoming, engine_id: scoped.engine_id, context: scoped.context };
    if !take(Received { from, notification, to, sealed: Some(sealed) }) {
        return Outcome::Silence;
    }
    let Some(pdu) = inform else { return Outcome::Silence };
    authority.reply(&incoming, scoped.engine_id, scoped.context, answer, |writer| write_receipt(writer, &pdu));
    Outcome::Answer
}
