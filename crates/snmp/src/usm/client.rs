//! The side that asks: remembers the clock of each engine, and judges answers and reports.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::envelope::{Envelope, Name};
use super::keys::{LocalKeys, MasterKeys};
use super::user::UsmUser;
use super::{AuthFailure, WINDOW};
use crate::ber::Malformed;
use crate::oid::Oid;
use crate::pdu::PduKind;

/// usmStats (RFC 3414 §5)
pub(super) const USM_STATS: Oid = Oid::of("1.3.6.1.6.3.15.1.1");
/// snmpUnknownContexts (RFC 3413)
pub(super) const UNKNOWN_CONTEXTS: Oid = Oid::of("1.3.6.1.6.3.12.1.5.0");
/// Engines and keys remembered before all are forgotten.
const MOST: usize = 1 << 18;

/// What is known of the clock of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clock {
    pub(crate) engine_id: Name,
    pub(crate) boots: u32,
    time: u32,
    at: Instant,
}

impl Clock {
    /// As a message says.
    pub(crate) fn of(envelope: &Envelope, now: Instant) -> Self {
        Self { engine_id: envelope.engine_id.clone(), boots: envelope.boots, time: envelope.time, at: now }
    }

    /// Seconds since the engine started, by our reckoning.
    pub(crate) fn time(&self, now: Instant) -> u32 {
        let passed = now.saturating_duration_since(self.at).as_secs();
        self.time.saturating_add(u32::try_from(passed).unwrap_or(u32::MAX)).min(i32::MAX as u32)
    }

    /// Takes in an authentic message; false if it is older than the window allows (RFC 3414 §3.2 step 7 b).
    fn follow(&mut self, envelope: &Envelope, now: Instant) -> bool {
        if (envelope.boots, envelope.time) > (self.boots, self.time(now)) {
            *self = Self::of(envelope, now);
            return true;
        }
        envelope.boots == self.boots && envelope.time.saturating_add(WINDOW) >= self.time(now)
    }
}

/// What an answer is.
#[derive(Debug)]
pub(crate) enum Opened {
    /// The values asked for, decrypted in place.
    Response,
    /// The engine's clock differs from what we thought.
    OtherTime,
    /// The engine has another id.
    OtherEngine,
}

/// Judges an answer to a message sealed with `keys` under `clock`, and decrypts it in place. The clock follows it.
pub(crate) fn open(
    datagram: &mut [u8],
    envelope: &Envelope,
    keys: &LocalKeys,
    clock: &mut Clock,
    user: &[u8],
    now: Instant,
) -> Result<Opened, Failure> {
    let flags = envelope.header.flags;
    let known = envelope.engine_id == clock.engine_id;
    let authentic = match &keys.auth {
        Some((_, mac)) if flags.auth && known => {
            if !envelope.is_authentic(datagram, mac) {
                return Err(AuthFailure::AnswerNotAuthentic.into());
            }
            true
        }
        _ => false,
    };
    if envelope.encrypted && !(flags.privacy && authentic && envelope.decrypt(datagram, keys)) {
        return Err(AuthFailure::AnswerNotDecrypted.into());
    }
    let unreadable = |malformed: Malformed| -> Failure {
        if envelope.encrypted { AuthFailure::AnswerNotDecrypted.into() } else { malformed.into() }
    };
    let scoped = envelope.scoped(datagram).map_err(unreadable)?;
    if scoped.pdu.kind == PduKind::Report {
        return judge_report(&scoped, envelope, clock, now);
    }
    if scoped.pdu.kind != PduKind::Response {
        return Err(Malformed { offset: 0, what: "no response" }.into());
    }
    let protected = authentic == keys.auth.is_some() && envelope.encrypted == keys.privacy.is_some();
    if !(protected && known && envelope.user[..] == *user) {
        return Err(AuthFailure::AnswerUnprotected.into());
    }
    if authentic && !clock.follow(envelope, now) {
        return Err(AuthFailure::NotInTimeWindow.into());
    }
    Ok(Opened::Response)
}

/// Why an answer is of no use.
#[derive(Debug)]
pub(crate) enum Failure {
    Auth(AuthFailure),
    Malformed(Malformed),
}

impl From<AuthFailure> for Failure {
    fn from(failure: AuthFailure) -> Self {
        Self::Auth(failure)
    }
}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// A report on time or engine is a hint: the clock follows it, and only an authentic answer proves it right.
fn judge_report(
    scoped: &crate::message::Scoped<'_>,
    envelope: &Envelope,
    clock: &mut Clock,
    now: Instant,
) -> Result<Opened, Failure> {
    let counter = scoped.pdu.varbinds.map_while(Result::ok).next().map(|item| item.oid.to_oid());
    let number = counter.as_ref().and_then(|oid| oid.suffix_of(&USM_STATS)).and_then(|rest| rest.first().copied());
    Err(match number {
        Some(2) => {
            *clock = Clock::of(envelope, now);
            return Ok(Opened::OtherTime);
        }
        Some(4) => {
            *clock = Clock::of(envelope, now);
            return Ok(Opened::OtherEngine);
        }
        Some(1) => AuthFailure::UnsupportedLevel,
        Some(3) => AuthFailure::UnknownUser,
        Some(5) => AuthFailure::WrongDigest,
        Some(6) => AuthFailure::Decryption,
        _ if counter == Some(UNKNOWN_CONTEXTS) => AuthFailure::UnknownContext,
        _ => AuthFailure::OtherReport,
    }
    .into())
}

/// Names a user with all his secrets, without holding them.
pub(crate) type UserDigest = [u8; 32];

/// Clocks by address (engine ids are cloned in the field), keys by user and engine.
#[derive(Default)]
pub(crate) struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    clocks: HashMap<SocketAddr, Clock>,
    masters: HashMap<UserDigest, Arc<MasterKeys>>,
    local: HashMap<(UserDigest, Name), Arc<LocalKeys>>,
    /// Number of the next message; begins anywhere.
    number: u64,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memory(…)")
    }
}

impl Memory {
    /// A memory whose message numbers begin anywhere.
    pub(crate) fn new() -> Self {
        let memory = Self::default();
        memory.inner.lock().number = rand::random();
        memory
    }

    pub(crate) fn clock(&self, address: SocketAddr) -> Option<Clock> {
        self.inner.lock().clocks.get(&address).cloned()
    }

    pub(crate) fn set_clock(&self, address: SocketAddr, clock: Clock) {
        let clocks = &mut self.inner.lock().clocks;
        if clocks.len() >= MOST {
            clocks.clear();
        }
        clocks.insert(address, clock);
    }

    pub(crate) fn forget_clock(&self, address: SocketAddr) {
        self.inner.lock().clocks.remove(&address);
    }

    pub(crate) fn next_number(&self) -> u64 {
        let mut inner = self.inner.lock();
        inner.number = inner.number.wrapping_add(1);
        inner.number
    }

    /// The keys of a user at an engine, made when first asked for.
    pub(crate) fn keys(&self, user: &UsmUser, engine_id: &[u8]) -> Result<Arc<LocalKeys>, AuthFailure> {
        let digest = user.digest();
        let place = (digest, Name::from_slice(engine_id));
        let master = {
            let inner = self.inner.lock();
            if let Some(keys) = inner.local.get(&place) {
                return Ok(Arc::clone(keys));
            }
            inner.masters.get(&digest).cloned()
        };
        // Stretching a pass phrase takes milliseconds: not while others wait for the lock.
        let master = match master {
            Some(master) => master,
            None => Arc::new(MasterKeys::new(user)?),
        };
        let keys = Arc::new(master.localise(engine_id));
        let mut inner = self.inner.lock();
        if inner.local.len() >= MOST {
            inner.local.clear();
        }
        inner.masters.insert(digest, master);
        Ok(Arc::clone(inner.local.entry(place).or_insert(keys)))
    }
}
