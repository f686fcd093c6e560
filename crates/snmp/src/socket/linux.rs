//! `recvmmsg`, `sendmmsg`, the error queue and packet information of Linux. The only unsafe code of the crate:
//! each call hands the kernel arrays that outlive it, with the lengths they have.
#![expect(unsafe_code, reason = "the batch calls of Linux have no safe wrapper in the standard library")]

use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use socket2::Socket;

use super::address::Name;
use super::{BATCH, Head, Inbox, Options, Outbox, Refused};

/// Control data of one datagram: a header and packet information, or an extended error with its sender.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control {
    bytes: [u8; 128],
}

const HEADER: usize = size_of::<libc::cmsghdr>();
const LENGTH: usize = size_of::<usize>();

pub(super) fn prepare(socket: &Socket, options: Options) -> io::Result<()> {
    // Beyond the limit of the system where we may; without the right, the ordinary call has done its best.
    let _ = set(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, i32::try_from(options.buffer).unwrap_or(i32::MAX));
    let v4 = options.bind.is_ipv4();
    if options.errors {
        let (level, name) =
            if v4 { (libc::IPPROTO_IP, libc::IP_RECVERR) } else { (libc::IPPROTO_IPV6, libc::IPV6_RECVERR) };
        set(socket, level, name, 1)?;
    }
    if options.errors && v4 {
        whole(socket, true);
    }
    if options.destinations && v4 {
        set(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
    }
    if options.loopback_only {
        socket.bind_device(Some(b"lo"))?;
    }
    Ok(())
}

/// Datagrams are sent as one packet each or not at all, which spares the kernel the choice of a number for their
/// fragments, 4 % of a poll; or else cut up where a way needs it.
pub(super) fn whole(socket: &impl AsRawFd, yes: bool) {
    let value = if yes { libc::IP_PMTUDISC_PROBE } else { libc::IP_PMTUDISC_WANT };
    // Refused by exotic systems, and no loss there.
    let _ = set(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, value);
}

fn set(socket: &impl AsRawFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    let value = &raw const value;
    // SAFETY: `value` points to an i32 and the length says so.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value.cast(), size_of::<i32>() as u32) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn empty_message() -> libc::msghdr {
    // SAFETY: all-zero is a valid msghdr: null pointers and lengths of 0.
    unsafe { std::mem::zeroed() }
}

/// Sleeps; true if an error waits.
pub(super) fn wait(socket: &UdpSocket, most: Duration) -> bool {
    let mut entry = libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // Rounded up: waking early would only mean to sleep again.
    let most = i32::try_from(most.as_micros().div_ceil(1_000)).unwrap_or(i32::MAX);
    // SAFETY: one entry, and the count says so.
    unsafe { libc::poll(&raw mut entry, 1, most) };
    entry.revents & libc::POLLERR != 0
}

pub(super) fn receive(socket: &UdpSocket, inbox: &mut Inbox) -> io::Result<()> {
    let mut names = [Name::EMPTY; BATCH];
    let mut controls = [[0u64; 6]; BATCH];
    let mut slices = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH];
    let mut messages = [libc::mmsghdr { msg_hdr: empty_message(), msg_len: 0 }; BATCH];
    for (place, message) in messages.iter_mut().enumerate() {
        let buffer = &mut inbox.bytes[place * inbox.room..(place + 1) * inbox.room];
        slices[place] = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let head = &mut message.msg_hdr;
        head.msg_name = names[place].bytes.as_mut_ptr().cast();
        head.msg_namelen = names[place].bytes.len() as u32;
        head.msg_iov = &raw mut slices[place];
        head.msg_iovlen = 1;
        head.msg_control = controls[place].as_mut_ptr().cast();
        head.msg_controllen = size_of_val(&controls[place]) as _;
    }
    // SAFETY: every pointer in `messages` points into an array above or into `inbox`, all of which outlive the call.
    let count = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            messages.as_mut_ptr(),
            BATCH as u32,
            libc::MSG_DONTWAIT as _,
            ptr::null_mut(),
        )
    };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    inbox.count = 0;
    for ((name, control), (place, message)) in names.iter().zip(&controls).zip(messages[..count].iter().enumerate()) {
        let control = control.map(u64::to_ne_bytes);
        note(inbox, place, name, control.as_flattened(), message);
    }
    Ok(())
}

/// Keeps what the kernel says of the datagram at `place`.
fn note(inbox: &mut Inbox, place: usize, name: &Name, control: &[u8], message: &libc::mmsghdr) {
    let Some(from) = name.get() else { return };
    let control = &control[..message.msg_hdr.msg_controllen.min(control.len())];
    let to = find(control, libc::IPPROTO_IP, libc::IP_PKTINFO).and_then(destination);
    let len = (message.msg_len as usize).min(inbox.room);
    if inbox.count != place {
        // An address family we do not know lay before: close the gap.
        inbox.bytes.copy_within(place * inbox.room..place * inbox.room + len, inbox.count * inbox.room);
    }
    inbox.heads[inbox.count] = Head { len, from, to };
    inbox.count += 1;
}

pub(super) fn send(socket: &UdpSocket, outbox: &mut Outbox) -> io::Result<usize> {
    let mut names = [Name::EMPTY; BATCH];
    let mut controls = [[0u64; 4]; BATCH];
    let mut slices = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH];
    let mut messages = [libc::mmsghdr { msg_hdr: empty_message(), msg_len: 0 }; BATCH];
    let waiting = &outbox.items[outbox.sent..];
    let count = waiting.len().min(BATCH);
    for (place, item) in waiting[..count].iter().enumerate() {
        let bytes = &outbox.bytes[item.start..item.end];
        // The kernel only reads what it sends.
        slices[place] = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let head = &mut messages[place].msg_hdr;
        head.msg_namelen = names[place].set(&item.to);
        head.msg_name = names[place].bytes.as_mut_ptr().cast();
        head.msg_iov = &raw mut slices[place];
        head.msg_iovlen = 1;
        if let Some(IpAddr::V4(from)) = item.from {
            controls[place] = packet_information(from);
            head.msg_control = controls[place].as_mut_ptr().cast();
            head.msg_controllen = size_of_val(&controls[place]) as _;
        }
    }
    // SAFETY: every pointer in `messages` points into an array above or into `outbox`, all of which outlive the call.
    let sent =
        unsafe { libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), count as u32, libc::MSG_DONTWAIT as _) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

pub(super) fn refusals(socket: &UdpSocket, found: &mut Vec<Refused>) {
    // Bounded, so that a flood of errors cannot hold the caller.
    for _ in 0..1_024 {
        let (mut name, mut control, mut byte) = (Name::EMPTY, Control { bytes: [0; 128] }, [0u8; 1]);
        let mut slice = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
        let mut message = empty_message();
        message.msg_name = name.bytes.as_mut_ptr().cast();
        message.msg_namelen = name.bytes.len() as u32;
        message.msg_iov = &raw mut slice;
        message.msg_iovlen = 1;
        message.msg_control = control.bytes.as_mut_ptr().cast();
        message.msg_controllen = control.bytes.len() as _;
        let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
        // SAFETY: the pointers in `message` point to the locals above, which outlive the call.
        let result = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
        if result < 0 {
            return;
        }
        let control = &control.bytes[..message.msg_controllen.min(128)];
        let error = find(control, libc::IPPROTO_IP, libc::IP_RECVERR)
            .or_else(|| find(control, libc::IPPROTO_IPV6, libc::IPV6_RECVERR));
        if let (Some(target), Some(true)) = (name.get(), error.map(is_final)) {
            found.push(Refused { target });
        }
    }
}

/// `sock_extended_err` begins with the error number: is it one that time will not mend?
fn is_final(error: &[u8]) -> bool {
    let number = error.first_chunk().map(|number| i32::from_ne_bytes(*number));
    matches!(number, Some(libc::ECONNREFUSED | libc::EHOSTUNREACH | libc::ENETUNREACH | libc::EACCES))
}

/// `in_pktinfo`: interface, local address, destination address.
fn destination(information: &[u8]) -> Option<IpAddr> {
    let address: &[u8; 4] = information.get(8..12)?.first_chunk()?;
    Some(IpAddr::V4(Ipv4Addr::from(*address)))
}

/// Contents of the control message with this level and type.
fn find(control: &[u8], level: i32, kind: i32) -> Option<&[u8]> {
    let mut rest = control;
    while rest.len() >= HEADER {
        let length = usize::from_ne_bytes(*rest.first_chunk::<LENGTH>()?);
        let number = |at: usize| rest.get(at..at + 4).and_then(|n| n.first_chunk()).map(|n| i32::from_ne_bytes(*n));
        if length < HEADER || length > rest.len() {
            return None;
        }
        if number(LENGTH) == Some(level) && number(LENGTH + 4) == Some(kind) {
            return Some(&rest[HEADER..length]);
        }
        rest = rest.get(length.next_multiple_of(LENGTH)..)?;
    }
    None
}

/// A control message that sets the source address.
fn packet_information(from: Ipv4Addr) -> [u64; 4] {
    let mut bytes = [0u8; 32];
    bytes[..LENGTH].copy_from_slice(&(HEADER + 12).to_ne_bytes());
    bytes[LENGTH..LENGTH + 4].copy_from_slice(&libc::IPPROTO_IP.to_ne_bytes());
    bytes[LENGTH + 4..LENGTH + 8].copy_from_slice(&libc::IP_PKTINFO.to_ne_bytes());
    bytes[HEADER + 4..HEADER + 8].copy_from_slice(&from.octets());
    let mut words = [0u64; 4];
    for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::from_ne_bytes(chunk.try_into().unwrap_or_default());
    }
    words
}
