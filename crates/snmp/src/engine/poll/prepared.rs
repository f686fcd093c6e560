//! Requests written once: all but the id for v1 and v2c, all but the seal for v3.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::super::core::Patience;
use crate::ber::Writer;
use crate::error::Error;
use crate::message::{write_community, write_discovery};
use crate::oid::Oid;
use crate::pdu::{PduKind, write_pdu};
use crate::target::{Security, Target};
use crate::usm::{Clock, LocalKeys, Seal, UsmUser};
use crate::value::ValueRef;

/// A GET written for one device, but for its request id.
#[derive(Debug)]
pub struct Prepared {
    pub(super) address: SocketAddr,
    pub(super) patience: Patience,
    /// The message (v1, v2c) or the PDU (v3).
    packet: Vec<u8>,
    /// Where the four bytes of the request id stand.
    id_at: usize,
    pub(super) secure: Option<Secure>,
}

/// What v3 needs beside the PDU.
#[derive(Debug)]
pub(super) struct Secure {
    pub(super) user: Arc<UsmUser>,
    context: Vec<u8>,
    /// The engine behind the address, once it is known.
    pub(super) session: Mutex<Option<Session>>,
}

/// An engine and the keys of the user there.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) clock: Clock,
    pub(super) keys: Arc<LocalKeys>,
}

impl Prepared {
    /// A GET of `oids`.
    pub fn get(target: &Target, oids: &[Oid]) -> Result<Self, Error> {
        let (mut packet, mut from_end) = (Vec::new(), 0);
        let write = |writer: &mut Writer<'_>| {
            let asked = oids.iter().map(|oid| (oid.as_ref(), ValueRef::Null));
            let at = write_pdu(writer, PduKind::Get, [0, 0, 0], asked);
            writer.len() - at
        };
        let mut writer = Writer::new(&mut packet);
        let secure = match &*target.security {
            Security::Community { version, community } => {
                write_community(&mut writer, *version, community.expose(), |writer| from_end = write(writer));
                None
            }
            Security::Usm { user, context } => {
                from_end = write(&mut writer);
                let session = Mutex::new(None);
                Some(Secure { user: Arc::clone(user), context: context.clone(), session })
            }
        };
        if packet.len() > super::super::exchange::LONGEST {
            return Err(Error::TooLarge { target: target.address, bytes: packet.len() });
        }
        let timeout = (target.timeout.as_micros() as u64).max(1_000);
        let patience = Patience { timeout, tries: target.retries.saturating_add(1) };
        Ok(Self { address: target.address, patience, id_at: packet.len() - from_end, packet, secure })
    }

    /// The device it is for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Writes the request, or the question who is there if that must be known first; true for the latter.
    pub(super) fn write(&self, id: i32, number: u64, now: Instant, out: &mut Vec<u8>) -> bool {
        let Some(secure) = &self.secure else {
            out.extend_from_slice(&self.packet);
            out[self.id_at..self.id_at + 4].copy_from_slice(&id.to_be_bytes());
            return false;
        };
        let session = secure.session.lock();
        let Some(session) = &*session else {
            write_discovery(&mut Writer::new(out), id);
            return true;
        };
        let seal = Seal {
            msg_id: id,
            engine_id: &session.clock.engine_id,
            boots: session.clock.boots,
            time: session.clock.time(now),
            user: secure.user.user.as_bytes(),
            keys: &session.keys,
            private: true,
            reportable: true,
            number,
        };
        seal.write(&session.clock.engine_id, &secure.context, out, |writer| {
            let start = writer.len();
            writer.raw(&self.packet);
            writer.patch(start + self.id_at, &id.to_be_bytes());
        });
        false
    }
}
