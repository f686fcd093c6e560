//! UDP sockets at the rim: many datagrams a system call where the system offers it, one a call elsewhere.

mod address;
#[cfg(target_os = "linux")]
mod linux;
mod portable;

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;

/// Datagrams a call.
pub(crate) const BATCH: usize = 64;
/// Bytes of receive buffer asked for: the answers of 20,000 devices within a fifth of a second.
const SOCKET_BUFFER: usize = 4 << 20;
/// Longest datagram that every way carries as one packet (RFC 791: 576 bytes with their headers).
const SHORT: usize = 548;

/// How a socket is opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    pub(crate) bind: SocketAddr,
    /// Learn of ICMP errors (managers).
    pub(crate) errors: bool,
    /// Learn the destination address of datagrams, and answer from it (agents).
    pub(crate) destinations: bool,
    /// Only the loopback device reaches the socket, whatever it is bound to.
    pub(crate) loopback_only: bool,
    /// System calls for one datagram only, as on systems without others.
    pub(crate) single: bool,
    /// Bytes of receive buffer asked for.
    pub(crate) buffer: usize,
}

impl Options {
    pub(crate) fn new(bind: SocketAddr) -> Self {
        Self { bind, errors: false, destinations: false, loopback_only: false, single: false, buffer: SOCKET_BUFFER }
    }
}

/// An open, non-blocking socket.
#[derive(Debug)]
pub(crate) struct Port {
    socket: UdpSocket,
    single: bool,
    errors: bool,
}

/// Whether more datagrams may be waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Batch {
    Full,
    Last,
}

/// What the network said about a datagram sent earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) target: SocketAddr,
}

impl Port {
    pub(crate) fn open(options: Options) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(options.bind), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        // A small buffer is a pity, no error.
        let _ = socket.set_recv_buffer_size(options.buffer);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
        #[cfg(target_os = "linux")]
        linux::prepare(&socket, options)?;
        #[cfg(not(target_os = "linux"))]
        if options.loopback_only && !options.bind.ip().is_loopback() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "only Linux can bind every loopback address at once",
            ));
        }
        socket.bind(&options.bind.into())?;
        let errors = options.errors && options.bind.is_ipv4();
        Ok(Self { socket: socket.into(), single: options.single || !cfg!(target_os = "linux"), errors })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// A handle that tokio can wait for.
    pub(crate) fn watch(&self) -> io::Result<tokio::net::UdpSocket> {
        tokio::net::UdpSocket::from_std(self.socket.try_clone()?)
    }

    /// Sleeps until a datagram or an error waits, or `most` is over; true if there may be an error.
    pub(crate) fn wait(&self, most: std::time::Duration) -> bool {
        #[cfg(target_os = "linux")]
        return linux::wait(&self.socket, most);
        #[cfg(not(target_os = "linux"))]
        {
            std::thread::sleep(most.min(std::time::Duration::from_millis(1)));
            true
        }
    }

    /// Receives what is there, up to a batch; `WouldBlock` if nothing is.
    pub(crate) fn receive(&self, inbox: &mut Inbox) -> io::Result<()> {
        inbox.count = 0;
        #[cfg(target_os = "linux")]
        if !self.single {
            return linux::receive(&self.socket, inbox);
        }
        portable::receive(&self.socket, inbox)
    }

    /// As [`Port::receive`], for a task that then waits on `watch`. A batch that is not full has emptied the socket:
    /// saying so saves the call that would only find that out. What comes meanwhile wakes the task again.
    pub(crate) fn receive_watched(&self, watch: &tokio::net::UdpSocket, inbox: &mut Inbox) -> io::Result<Batch> {
        let mut outcome = Ok(());
        let _ = watch.try_io(Interest::READABLE, || -> io::Result<()> {
            outcome = self.receive(inbox);
            if outcome.is_ok() && inbox.count == BATCH { Ok(()) } else { Err(io::ErrorKind::WouldBlock.into()) }
        });
        outcome?;
        Ok(if inbox.count == BATCH { Batch::Full } else { Batch::Last })
    }

    /// Sends what waits in `outbox`; `WouldBlock` if the system takes no more for now.
    pub(crate) fn send(&self, outbox: &mut Outbox) -> io::Result<()> {
        // Long ones may have to be cut up on their way.
        let cut = self.errors && outbox.longest > SHORT;
        #[cfg(target_os = "linux")]
        if cut {
            linux::whole(&self.socket, false);
        }
        let sent = self.send_all(outbox);
        #[cfg(target_os = "linux")]
        if cut {
            linux::whole(&self.socket, true);
        }
        sent
    }

    fn send_all(&self, outbox: &mut Outbox) -> io::Result<()> {
        while outbox.sent < outbox.items.len() {
            #[cfg(target_os = "linux")]
            let sent =
                if self.single { portable::send(&self.socket, outbox) } else { linux::send(&self.socket, outbox) };
            #[cfg(not(target_os = "linux"))]
            let sent = portable::send(&self.socket, outbox);
            match sent {
                Ok(count) => {
                    outbox.sent += count;
                    outbox.doubted = false;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The first error may belong to an earlier datagram; a second one is about this datagram.
                Err(_) if !outbox.doubted => outbox.doubted = true,
                Err(error) => {
                    outbox.failed.push((outbox.items[outbox.sent].mark, error));
                    outbox.sent += 1;
                    outbox.doubted = false;
                }
            }
        }
        Ok(())
    }

    /// Reads which earlier datagrams the network could not deliver.
    pub(crate) fn refusals(&self, found: &mut Vec<Refused>) {
        #[cfg(target_os = "linux")]
        linux::refusals(&self.socket, found);
        #[cfg(not(target_os = "linux"))]
        let _ = found;
    }
}

/// What a waiting task watches for: datagrams and, where the system tells them apart, errors.
pub(crate) fn incoming() -> Interest {
    #[cfg(target_os = "linux")]
    return Interest::READABLE | Interest::ERROR;
    #[cfg(not(target_os = "linux"))]
    return Interest::READABLE;
}

/// Received datagrams; the buffer is used again and again.
#[derive(Debug)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    room: usize,
    heads: Vec<Head>,
    count: usize,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    len: usize,
    from: SocketAddr,
    to: Option<IpAddr>,
}

/// A datagram in an [`Inbox`].
pub(crate) struct Received<'a> {
    pub(crate) bytes: &'a mut [u8],
    pub(crate) from: SocketAddr,
    pub(crate) to: Option<IpAddr>,
}

impl Inbox {
    /// Room for a batch of datagrams of any length. The system gives the memory when it is first written to.
    pub(crate) fn new() -> Self {
        let none = Head { len: 0, from: SocketAddr::from(([0, 0, 0, 0], 0)), to: None };
        let room = 1 << 16;
        Self { bytes: vec![0; room * BATCH], room, heads: vec![none; BATCH], count: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn get(&mut self, place: usize) -> Received<'_> {
        let head = self.heads[place];
        let start = place * self.room;
        Received { bytes: &mut self.bytes[start..start + head.len], from: head.from, to: head.to }
    }
}

/// Datagrams to send; the buffer is used again and again.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    items: Vec<Item>,
    sent: usize,
    longest: usize,
    doubted: bool,
    /// Marks of datagrams the system refused, with its reason.
    pub(crate) failed: Vec<(u32, io::Error)>,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    start: usize,
    end: usize,
    to: SocketAddr,
    from: Option<IpAddr>,
    mark: u32,
}

impl Outbox {
    /// Datagrams not sent yet.
    pub(crate) fn waiting(&self) -> usize {
        self.items.len() - self.sent
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.items.clear();
        self.failed.clear();
        (self.sent, self.longest) = (0, 0);
    }

    /// Adds a datagram; `mark` names it in `failed`.
    pub(crate) fn push(&mut self, to: SocketAddr, from: Option<IpAddr>, mark: u32, bytes: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.longest = self.longest.max(bytes.len());
        self.items.push(Item { start, end: self.bytes.len(), to, from, mark });
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn loopback(single: bool) -> Port {
        Port::open(Options { single, ..Options::new(SocketAddr::from(([127, 0, 0, 1], 0))) }).unwrap()
    }

    fn collect(port: &Port, wanted: usize) -> Vec<(Vec<u8>, SocketAddr)> {
        let (mut inbox, mut all) = (Inbox::new(), Vec::new());
        let end = Instant::now() + Duration::from_secs(60);
        while all.len() < wanted && Instant::now() < end {
            if port.receive(&mut inbox).is_err() {
                std::thread::yield_now();
            }
            for place in 0..inbox.len() {
                let item = inbox.get(place);
                all.push((item.bytes.to_vec(), item.from));
            }
        }
        all
    }

    #[test]
    fn batches_and_single_calls_carry_the_same() {
        for (a, b) in [(false, false), (true, false), (false, true), (true, true)] {
            let (left, right) = (loopback(a), loopback(b));
            let mut outbox = Outbox::default();
            for number in 0..150u8 {
                outbox.push(right.local_addr().unwrap(), None, 0, &vec![number; usize::from(number) * 10]);
            }
            left.send(&mut outbox).unwrap();
            let all = collect(&right, 150);
            assert_eq!(all.len(), 150);
            for (number, (bytes, from)) in (0..150u8).zip(&all) {
                assert_eq!(bytes, &vec![number; usize::from(number) * 10]);
                assert_eq!(*from, left.local_addr().unwrap());
            }
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_manager_sends_datagrams_longer_than_any_packet() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let port = Port::open(Options { errors: true, ..Options::new(any) }).unwrap();
        let other = loopback(false);
        let mut outbox = Outbox::default();
        for length in [100, 65_507, 500] {
            outbox.push(other.local_addr().unwrap(), None, 0, &vec![7; length]);
        }
        port.send(&mut outbox).unwrap();
        assert_eq!(collect(&other, 3).iter().map(|(bytes, _)| bytes.len()).collect::<Vec<_>>(), [100, 65_507, 500]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_closed_port_is_reported_by_its_address() {
        let closed = loopback(false).local_addr().unwrap();
        let port = Port::open(Options { errors: true, ..Options::new(SocketAddr::from(([127, 0, 0, 1], 0))) }).unwrap();
        let mut outbox = Outbox::default();
        outbox.push(closed, None, 7, b"anyone?");
        port.send(&mut outbox).unwrap();
        let (mut found, end) = (Vec::new(), Instant::now() + Duration::from_secs(60));
        while found.is_empty() && Instant::now() < end {
            port.refusals(&mut found);
        }
        assert_eq!(found, [Refused { target: closed }]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn one_socket_answers_as_every_loopback_address() {
        let any = SocketAddr::from(([0, 0, 0, 0], 0));
        let options = Options { destinations: true, loopback_only: true, ..Options::new(any) };
        let agent = Port::open(options).unwrap();
        let asker = loopback(false);
        let target = SocketAddr::from(([127, 99, 3, 4], agent.local_addr().unwrap().port()));
        let mut outbox = Outbox::default();
        outbox.push(target, None, 0, b"ping");
        asker.send(&mut outbox).unwrap();
        let mut inbox = Inbox::new();
        while agent.receive(&mut inbox).is_err() {}
        let (from, to) = (inbox.get(0).from, inbox.get(0).to);
        assert_eq!(to, Some(target.ip()));
        outbox.clear();
        outbox.push(from, to, 0, b"pong");
        agent.send(&mut outbox).unwrap();
        assert_eq!(collect(&asker, 1), [(b"pong".to_vec(), target)]);
    }
}
