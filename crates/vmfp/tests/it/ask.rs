//! A client that asks one thing at a time and believes nothing.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use snmp::ber::{Tail, Writer};
use snmp::message::{Body, MessageRef, write_community};
use snmp::pdu::{Pdu, PduKind, write_pdu};
use snmp::{Oid, ValueRef, Version};

/// Who is asked, and how.
pub struct Ask {
    socket: UdpSocket,
    pub version: Version,
    pub community: &'static str,
}

impl Ask {
    /// A client with this patience.
    pub fn new(patience: Duration) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(patience)).unwrap();
        Self { socket, version: Version::V2c, community: "public" }
    }

    /// Sends and returns the bytes of the answer, if one came in time.
    pub fn raw(&self, to: SocketAddr, kind: PduKind, numbers: [i32; 2], oids: &[&str]) -> Option<Vec<u8>> {
        let oids: Vec<Oid> = oids.iter().map(|oid| oid.parse().unwrap()).collect();
        let mut request = Vec::new();
        write_community(&mut Writer::new(&mut request), self.version, self.community.as_bytes(), |writer| {
            let nulls = oids.iter().map(|oid| (oid.as_ref(), ValueRef::Null));
            write_pdu(writer, kind, [4711, numbers[0], numbers[1]], nulls);
        });
        self.socket.send_to(&request, to).unwrap();
        self.receive(to)
    }

    /// The next datagram, if one comes in time.
    pub fn receive(&self, to: SocketAddr) -> Option<Vec<u8>> {
        let mut buffer = [0; 65_536];
        let (len, from) = uninterrupted(|| self.socket.recv_from(&mut buffer)).ok()?;
        assert_eq!(from, to, "the answer comes from the address that was asked");
        Some(buffer[..len].to_vec())
    }

    /// The answer as a PDU.
    pub fn pdu(&self, to: SocketAddr, kind: PduKind, numbers: [i32; 2], oids: &[&str]) -> Option<Pdu> {
        decode(&self.raw(to, kind, numbers, oids)?)
    }

    /// One value.
    pub fn get(&self, to: SocketAddr, oid: &str) -> Option<snmp::Value> {
        Some(self.pdu(to, PduKind::Get, [0, 0], &[oid])?.varbinds.remove(0).value)
    }
}

/// A call whose wait a signal may cut short (a process that is stopped and goes on).
pub fn uninterrupted<T>(mut call: impl FnMut() -> std::io::Result<T>) -> std::io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// A response, or nothing if it is none.
pub fn decode(bytes: &[u8]) -> Option<Pdu> {
    let MessageRef::Community(message) = MessageRef::parse(bytes, Tail::Whole).ok()? else { return None };
    let Body::Pdu(pdu) = message.body else { return None };
    assert_eq!(pdu.request_id, 4711);
    pdu.to_owned().ok()
}
