//! One datagram a system call: what every system offers.

use std::io;
use std::net::UdpSocket;

use super::{BATCH, Head, Inbox, Outbox};

pub(super) fn receive(socket: &UdpSocket, inbox: &mut Inbox) -> io::Result<()> {
    while inbox.count < BATCH {
        let start = inbox.count * inbox.room;
        match socket.recv_from(&mut inbox.bytes[start..start + inbox.room]) {
            Ok((len, from)) => {
                inbox.heads[inbox.count] = Head { len, from, to: None };
                inbox.count += 1;
            }
            Err(_) if inbox.count > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub(super) fn send(socket: &UdpSocket, outbox: &Outbox) -> io::Result<usize> {
    let item = outbox.items[outbox.sent];
    socket.send_to(&outbox.bytes[item.start..item.end], item.to).map(|_| 1)
}
