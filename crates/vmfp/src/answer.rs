//! The SNMP door: finds the device by the destination of a datagram and lets it answer, faults and line included.

use std::cell::{Cell, OnceCell};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use snmp::Version;
use snmp::responder::{self, Agent, Asked, Datagram, Ignored, Responder};

use crate::device::{Kind, Look, Objects, State};
use crate::fault::Fault;
use crate::fleet::{Shared, v4};
use crate::life::Phase;
use crate::misbehave::{self, Moment, Twist};
use crate::usm::Owner;

/// Serves all devices until the socket fails.
pub(crate) async fn serve(shared: Arc<Shared>, responder: Responder) -> io::Result<()> {
    let late = responder.clone();
    responder
        .serve(move |request, out| {
            shared.asked.fetch_add(1, Ordering::Relaxed);
            let Some(manner) = handle(&shared, request, out) else { return false };
            shared.answered.fetch_add(1, Ordering::Relaxed);
            manner.deliver(&late, request, out)
        })
        .await
}

/// How an answer travels.
#[derive(Default)]
struct Manner {
    delay: Duration,
    twice: bool,
}

impl Manner {
    /// True when the answer goes out at once and once.
    fn deliver(&self, responder: &Responder, request: &Datagram<'_>, out: &[u8]) -> bool {
        if self.twice {
            send(responder, request.to, request.from, out);
        }
        if self.delay.is_zero() {
            return true;
        }
        let (responder, delay, bytes) = (responder.clone(), self.delay, out.to_vec());
        let (from, to) = (request.to, request.from);
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            send(&responder, from, to, &bytes);
        });
        false
    }
}

fn send(responder: &Responder, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
    // UDP promises nothing: an answer that the system does not take is a lost one.
    if let Err(error) = responder.send(from.ip(), to, bytes) {
        tracing::debug!(%error, %to, "an answer was not sent");
    }
}

/// Fills `out` with the device's answer; `None` is silence.
fn handle(shared: &Shared, request: &Datagram<'_>, out: &mut Vec<u8>) -> Option<Manner> {
    let address = v4(request.to.ip())?;
    let place = shared.place_at(address)?;
    let mut manner = weather(shared)?;
    let (kind, now) = (shared.kind(place), shared.clock.now());
    let mut state = shared.slots[place as usize].at(kind, shared.world, place, now);
    let asleep = match (&state.life, kind) {
        (Some(life), _) if life.phase == Phase::Off => return None,
        (Some(life), Kind::Profile { profile, .. }) => life.asleep(profile, now),
        _ => false,
    };
    let who = shared.identity(place);
    let version = version_of(request.bytes)?;
    if version == Version::V3 && !kind.speaks_v3(shared.has_users) {
        return None;
    }
    let state = &mut *state;
    let faults = std::mem::take(&mut state.faults);
    let mut answered = faults.is_empty() || {
        let moment = Moment { asleep, now, second: shared.clock.second() };
        let (mut random, odd) = (state.random, state.odd());
        let heard = misbehave::hears(&faults, odd, &mut random, moment, version);
        state.random = random;
        heard
    };
    if answered {
        let secure = version == Version::V3;
        if secure {
            Owner { kind, who, address, now, faults: &faults }.engine(state, shared.users(place));
        }
        let name = misbehave::community(&faults, &shared.community);
        let door = Door { kind, name, look: Look { who, now, faults: &faults } };
        answered = match door.reply(request.bytes, state, secure, out) {
            Err(Ignored::NoRequest) => {
                shared.traps.acknowledged(request.bytes);
                false
            }
            reply => reply.is_ok(),
        };
    }
    if answered && !faults.is_empty() {
        answered = mistreat(&faults, state, request.bytes, out) && travel(&faults, state, &mut manner);
    }
    state.faults = faults;
    answered.then_some(manner)
}

/// The version of a message, without reading more of it.
fn version_of(request: &[u8]) -> Option<Version> {
    let length = match *request.get(1)? {
        long if long & 0x80 != 0 => usize::from(long & 0x7f),
        _ => 0,
    };
    match request.get(2 + length..5 + length)? {
        [2, 1, 0] => Some(Version::V1),
        [2, 1, 1] => Some(Version::V2c),
        [2, 1, 3] => Some(Version::V3),
        // Numbers may be written at length; v3 is not, by anybody.
        _ => Some(Version::V2c),
    }
}

/// One device and what opens it.
struct Door<'a> {
    kind: &'a Kind,
    /// Its community.
    name: &'a [u8],
    look: Look<'a>,
}

impl Door<'_> {
    fn reply(&self, request: &[u8], state: &State, secure: bool, out: &mut Vec<u8>) -> Result<(), Ignored> {
        let (objects, deaf) = (OnceCell::new(), Cell::new(false));
        let faults = self.look.faults;
        let agent = |asked: &Asked<'_>| {
            deaf.set(!misbehave::minds(faults, asked));
            if deaf.get() {
                return None;
            }
            let source = self.kind.source(state, self.look, self.context(asked)?)?;
            let twist = Twist::of(faults, asked.kind);
            let limit = misbehave::limit(faults);
            Some(Agent { limit, ..Agent::new(objects.get_or_init(|| Objects { source, twist })) })
        };
        let reply = match state.engine.as_ref().filter(|_| secure) {
            Some(engine) => responder::answer_v3(request, &engine.authority, agent, out),
            None => responder::answer(request, agent, out),
        };
        if deaf.get() { Err(Ignored::Unknown) } else { reply }
    }

    /// The context that is asked for: by its name (v3), or as `COMMUNITY@Context`.
    fn context<'x>(&self, asked: &Asked<'x>) -> Option<&'x [u8]> {
        if asked.version == Version::V3 {
            return Some(asked.context);
        }
        let rest = asked.name.strip_prefix(self.name)?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix(b"@") }
    }
}

/// What a device's own faults do to the bytes of an answer; false when it is lost.
fn mistreat(faults: &[Fault], state: &mut State, request: &[u8], out: &mut Vec<u8>) -> bool {
    if out.windows(WRONG_DIGESTS.len()).any(|bytes| bytes == WRONG_DIGESTS) {
        state.odd().wrong_digests += 1;
    }
    misbehave::refuses(faults, request, out)
        || misbehave::spoil(faults, &mut state.random, out) == misbehave::Spoilt::Sent
}

/// usmStatsWrongDigests.0, as it stands in a report.
const WRONG_DIGESTS: &[u8] = &[0x2b, 6, 1, 6, 3, 15, 1, 1, 5, 0];

/// What a device's own faults do to an answer on its way; false when it is lost.
fn travel(faults: &[Fault], state: &mut State, manner: &mut Manner) -> bool {
    for fault in faults {
        match fault {
            Fault::Loss(share) if state.random.chance(*share) => return false,
            Fault::Delay(delay) => manner.delay += *delay,
            Fault::Reorder(share) if state.random.chance(*share) => {
                manner.delay += Duration::from_millis(10 + state.random.below(60));
            }
            Fault::Duplicate(share) => manner.twice |= state.random.chance(*share),
            _ => {}
        }
    }
    true
}

/// What the network does to this exchange; `None` loses it.
fn weather(shared: &Shared) -> Option<Manner> {
    let line = &shared.line;
    if *line == crate::fault::Line::default() {
        return Some(Manner::default());
    }
    let mut random = shared.weather.lock();
    // Both ways may lose it.
    let lost = random.chance(line.loss) || random.chance(line.loss);
    let late = random.chance(line.reorder);
    let delay = line.delay + if late { Duration::from_millis(10 + random.below(60)) } else { Duration::ZERO };
    let twice = random.chance(line.duplicate);
    (!lost).then_some(Manner { delay, twice })
}
