//! The side that is asked: an engine with a clock and users, that opens requests, reports what is wrong with them,
//! and seals its answers. It also reads the traps of other engines.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use super::client::{UNKNOWN_CONTEXTS, USM_STATS};
use super::envelope::{Envelope, Name, Seal};
use super::keys::{LocalKeys, MasterKeys};
use super::user::UsmUser;
use super::{AuthFailure, WINDOW};
use crate::ber::{Malformed, Writer};
use crate::oid::Oid;
use crate::pdu::{PduKind, write_pdu};
use crate::value::ValueRef;

/// Foreign engines remembered before all are forgotten.
const MOST: usize = 1 << 16;

/// Users of one or many engines, their pass phrases stretched once.
pub struct Users {
    by_name: HashMap<Vec<u8>, MasterKeys>,
}

impl Users {
    /// Stretches the pass phrases, some milliseconds each.
    pub fn new(users: &[UsmUser]) -> Result<Arc<Self>, AuthFailure> {
        let keys = |user: &UsmUser| Ok((user.user.clone().into_bytes(), MasterKeys::new(user)?));
        Ok(Arc::new(Self { by_name: users.iter().map(keys).collect::<Result<_, _>>()? }))
    }
}

impl std::fmt::Debug for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Users({})", self.by_name.len())
    }
}

/// An SNMPv3 engine that others ask.
pub struct Authority {
    engine_id: Name,
    users: Arc<Users>,
    clock: Mutex<(u32, Instant, u32)>,
    keys: Mutex<Keys>,
    number: AtomicU64,
    stats: [AtomicU32; 7],
}

#[derive(Default)]
struct Keys {
    local: HashMap<(Name, Name), Arc<LocalKeys>>,
    /// Boots and time of the last message of foreign engines.
    seen: HashMap<Name, (u32, u32)>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({:02x?})", self.engine_id)
    }
}

/// A request let in.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) envelope: Envelope,
    keys: Arc<LocalKeys>,
}

impl std::fmt::Debug for LocalKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LocalKeys(auth {}, privacy {})", self.auth.is_some(), self.privacy.is_some())
    }
}

/// Why a message was not let in.
#[derive(Debug)]
pub(crate) enum Refused {
    /// A report was written and should be sent.
    Report,
    /// It is met with silence.
    Silence(Option<Malformed>),
}

impl Authority {
    /// An engine that starts now for the `boots`th time. An engine id has 5 to 32 bytes (RFC 3411 §5); longer ones
    /// are cut off.
    pub fn new(engine_id: &[u8], boots: u32, users: Arc<Users>) -> Self {
        Self {
            engine_id: Name::from_slice(&engine_id[..engine_id.len().min(super::params::LONGEST_ENGINE_ID)]),
            users,
            clock: Mutex::new((boots, Instant::now(), 0)),
            keys: Mutex::default(),
            number: AtomicU64::new(rand::random()),
            stats: Default::default(),
        }
    }

    /// Its engine id.
    pub fn engine_id(&self) -> &[u8] {
        &self.engine_id
    }

    /// Starts anew: its clock says `boots` and `time` seconds from now on (a device may forget its boots).
    pub fn restart(&self, boots: u32, time: u32) {
        *self.clock.lock() = (boots, Instant::now(), time);
    }

    /// Its clock: boots, and seconds since the last one.
    pub fn clock(&self) -> (u32, u32) {
        self.now()
    }

    fn now(&self) -> (u32, u32) {
        let (boots, start, offset) = *self.clock.lock();
        (boots, (start.elapsed().as_secs() as u32).saturating_add(offset).min(i32::MAX as u32))
    }

    /// The keys of a user at an engine; `None` if nobody knows him.
    fn keys(&self, user: &Name, engine_id: &Name) -> Option<Arc<LocalKeys>> {
        let place = (user.clone(), engine_id.clone());
        let mut keys = self.keys.lock();
        if let Some(local) = keys.local.get(&place) {
            return Some(Arc::clone(local));
        }
        let local = Arc::new(self.users.by_name.get(user.as_slice())?.localise(engine_id));
        if keys.local.len() >= MOST {
            keys.local.clear();
        }
        keys.local.insert(place, Arc::clone(&local));
        Some(local)
    }

    /// Opens a message in place (RFC 3414 §3.2). If it is not let in, a report over the contents of `out` may say why.
    pub(crate) fn open(&self, datagram: &mut [u8], out: &mut Vec<u8>) -> Result<Incoming, Refused> {
        let envelope = Envelope::parse(datagram).map_err(|malformed| Refused::Silence(Some(malformed)))?;
        let foreign = envelope.engine_id != self.engine_id;
        // Only traps come from engines of their own; they do not ask for reports.
        if foreign && envelope.header.flags.reportable || envelope.engine_id.is_empty() {
            return Err(self.report(&envelope, None, 4, datagram, out));
        }
        let Some(keys) = self.keys(&envelope.user, &envelope.engine_id) else {
            return Err(self.report(&envelope, None, 3, datagram, out));
        };
        let flags = envelope.header.flags;
        if flags.privacy && !flags.auth
            || flags.auth && keys.auth.is_none()
            || flags.privacy && keys.privacy.is_none()
            || flags.privacy != envelope.encrypted
        {
            return Err(self.report(&envelope, None, 1, datagram, out));
        }
        if let Some((_, mac)) = keys.auth.as_ref().filter(|_| flags.auth) {
            if !envelope.is_authentic(datagram, mac) {
                return Err(self.report(&envelope, None, 5, datagram, out));
            }
            if !(if foreign { self.is_fresh(&envelope) } else { self.is_in_window(&envelope) }) {
                return Err(self.report(&envelope, Some(&keys), 2, datagram, out));
            }
        }
        if envelope.encrypted && !(envelope.decrypt(datagram, &keys) && envelope.scoped(datagram).is_ok()) {
            return Err(self.report(&envelope, None, 6, datagram, out));
        }
        Ok(Incoming { envelope, keys })
    }

    /// Whether the user used all the protection he has. Who does less is not let through to the objects.
    pub(crate) fn is_protected(incoming: &Incoming) -> bool {
        let flags = incoming.envelope.header.flags;
        flags.auth == incoming.keys.auth.is_some() && flags.privacy == incoming.keys.privacy.is_some()
    }

    /// RFC 3414 §3.2 step 7 a
    fn is_in_window(&self, envelope: &Envelope) -> bool {
        let (boots, time) = self.now();
        boots < i32::MAX as u32 && envelope.boots == boots && envelope.time.abs_diff(time) <= WINDOW
    }

    /// Whether a trap is not much older than the last of the same engine.
    fn is_fresh(&self, envelope: &Envelope) -> bool {
        let mut keys = self.keys.lock();
        if keys.seen.len() >= MOST {
            keys.seen.clear();
        }
        let said = (envelope.boots, envelope.time);
        let last = keys.seen.entry(envelope.engine_id.clone()).or_insert(said);
        let fresh = said.0 > last.0 || said.0 == last.0 && said.1.saturating_add(WINDOW) >= last.1;
        *last = said.max(*last);
        fresh
    }

    /// Writes a report with a counter of usmStats, if the sender wants one.
    fn report(
        &self,
        envelope: &Envelope,
        keys: Option<&Arc<LocalKeys>>,
        number: u8,
        datagram: &[u8],
        out: &mut Vec<u8>,
    ) -> Refused {
        let count = self.stats[usize::from(number)].fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if !envelope.header.flags.reportable {
            return Refused::Silence(None);
        }
        // The request id is known only if the request can be read.
        let request_id = envelope.scoped(datagram).map_or(0, |scoped| scoped.pdu.request_id);
        // A wrong time is told authentically, so that the asker may trust it (RFC 3414 §3.2 step 7).
        let signing = keys.map(|keys| match &keys.auth {
            Some(_) => Arc::clone(keys),
            None => Arc::new(LocalKeys { auth: None, privacy: None }),
        });
        let bare = LocalKeys { auth: None, privacy: None };
        let sealing = Sealing { keys: signing.as_deref().unwrap_or(&bare), private: false };
        self.write_report(envelope, &sealing, request_id, &USM_STATS.join(&[u32::from(number), 0]), count, out);
        Refused::Report
    }

    /// Writes a report that the context is unknown.
    pub(crate) fn report_context(&self, incoming: &Incoming, request_id: i32, out: &mut Vec<u8>) {
        let count = self.stats[0].fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let sealing = Sealing { keys: &incoming.keys, private: incoming.envelope.encrypted };
        self.write_report(&incoming.envelope, &sealing, request_id, &UNKNOWN_CONTEXTS, count, out);
    }

    fn write_report(
        &self,
        envelope: &Envelope,
        sealing: &Sealing<'_>,
        request_id: i32,
        counter: &Oid,
        count: u32,
        out: &mut Vec<u8>,
    ) {
        self.seal(envelope, sealing, &self.engine_id, &[], out, |writer| {
            write_pdu(writer, PduKind::Report, [request_id, 0, 0], [(counter.as_ref(), ValueRef::Counter32(count))]);
        });
    }

    /// Writes the answer to a request that was let in, with the protection the request had.
    pub(crate) fn reply(
        &self,
        incoming: &Incoming,
        context_engine: &[u8],
        context: &[u8],
        out: &mut Vec<u8>,
        pdu: impl FnOnce(&mut Writer<'_>),
    ) {
        let flags = incoming.envelope.header.flags;
        let bare = LocalKeys { auth: None, privacy: None };
        let keys = if flags.auth { &*incoming.keys } else { &bare };
        let sealing = Sealing { keys, private: flags.privacy };
        self.seal(&incoming.envelope, &sealing, context_engine, context, out, pdu);
    }

    fn seal(
        &self,
        envelope: &Envelope,
        sealing: &Sealing<'_>,
        context_engine: &[u8],
        context: &[u8],
        out: &mut Vec<u8>,
        pdu: impl FnOnce(&mut Writer<'_>),
    ) {
        let (boots, time) = self.now();
        Seal {
            msg_id: envelope.header.msg_id,
            engine_id: &self.engine_id,
            boots,
            time,
            user: &envelope.user,
            keys: sealing.keys,
            private: sealing.private,
            reportable: false,
            number: self.number.fetch_add(1, Ordering::Relaxed),
        }
        .write(context_engine, context, out, pdu);
    }

    /// Writes a trap or an inform of this engine's own.
    ///
    /// # Errors
    /// [`AuthFailure::UnknownUser`] if the user is not one of this engine's.
    pub fn notify(
        &self,
        user: &str,
        context: &[u8],
        message_id: i32,
        out: &mut Vec<u8>,
        pdu: &crate::pdu::Pdu,
    ) -> Result<(), AuthFailure> {
        let user = Name::from_slice(user.as_bytes());
        let keys = self.keys(&user, &self.engine_id).ok_or(AuthFailure::UnknownUser)?;
        let (boots, time) = self.now();
        Seal {
            msg_id: message_id,
            engine_id: &self.engine_id,
            boots,
            time,
            user: &user,
            keys: &keys,
            private: keys.privacy.is_some(),
            reportable: false,
            number: self.number.fetch_add(1, Ordering::Relaxed),
        }
        .write(&self.engine_id, context, out, |writer| pdu.write(writer));
        Ok(())
    }
}

/// How an answer is protected.
struct Sealing<'a> {
    keys: &'a LocalKeys,
    private: bool,
}
