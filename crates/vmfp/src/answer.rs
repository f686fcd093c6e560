//! The SNMP door: finds the device by the destination of a datagram and lets it answer, faults and line included.

use std::cell::OnceCell;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use snmp::responder::{self, Agent, Asked, Datagram, Responder};

use crate::clock::Instant;
use crate::device::{Kind, Objects, State};
use crate::fault::Fault;
use crate::fleet::{Shared, v4};
use crate::identity::Identity;
use crate::life::Phase;
use crate::misbehave::{self, Twist};

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
    let place = shared.place_at(v4(request.to.ip())?)?;
    let mut manner = weather(shared)?;
    let (kind, now) = (shared.kind(place), shared.clock.now());
    let mut state = shared.slots[place as usize].at(kind, shared.world, place, now);
    let asleep = match (&state.life, kind) {
        (Some(life), _) if life.phase == Phase::Off => return None,
        (Some(life), Kind::Profile { profile, .. }) => life.asleep(profile, now),
        _ => false,
    };
    let who = shared.identity(place);
    if state.faults.is_empty() {
        let door = Door { kind, who, now, name: &shared.community, twist: Twist::default() };
        return door.reply(request.bytes, &state, out).then_some(manner);
    }
    let state = &mut *state;
    let (version, community, pdu) = misbehave::peek(request.bytes)?;
    let faults = std::mem::take(&mut state.faults);
    let heard = misbehave::hears(&faults, &mut state.random, asleep, &pdu, version);
    let name = misbehave::community(&faults, &shared.community);
    let door = Door { kind, who, now, name, twist: Twist::of(&faults, pdu.kind) };
    let mut answered = heard && door.reply(request.bytes, state, out);
    if answered {
        let asked = Asked::of(version, community, &[], &pdu);
        if !misbehave::refuses(&faults, &asked, &pdu, out) {
            misbehave::spoil(&faults, &mut state.random, out);
        }
        answered = travel(&faults, state, &mut manner);
    }
    state.faults = faults;
    answered.then_some(manner)
}

/// One device and what opens it.
struct Door<'a> {
    kind: &'a Kind,
    who: Identity,
    now: Instant,
    name: &'a [u8],
    twist: Twist,
}

impl Door<'_> {
    fn reply(&self, request: &[u8], state: &State, out: &mut Vec<u8>) -> bool {
        let objects = OnceCell::new();
        let agent = |asked: &Asked<'_>| {
            let source = self.kind.source(state, self.who, self.now, self.name, asked.name)?;
            Some(Agent::new(objects.get_or_init(|| Objects { source, twist: self.twist })))
        };
        responder::answer(request, agent, out).is_ok()
    }
}

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
