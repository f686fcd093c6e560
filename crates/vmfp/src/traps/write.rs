//! What a trap says: printerV2Alert (RFC 3805 §4, prtAlertGroup) for critical rows that come and, where the device
//! leaves a trace of them, go; coldStart when the power comes on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use snmp::ber::Tail;
use snmp::message::{Body, MessageRef};
use snmp::pdu::{Pdu, PduKind};
use snmp::responder::Responder;
use snmp::trap::{V1, write_inform, write_v1, write_v2};
use snmp::{Oid, Value, VarBind};

use super::{TrapForm, TrapTarget};
use crate::clock::Instant;
use crate::device::{Kind, State};
use crate::fault::Fault;
use crate::fleet::Shared;
use crate::life::{Notice, Phase, Row};
use crate::table::{self, View};
use crate::usm::Owner;

const ALERT: Oid = Oid::of("1.3.6.1.2.1.43.18.1.1");
/// printerV1Alert, the enterprise of v1 traps.
const V1_ALERT: Oid = Oid::of("1.3.6.1.2.1.43.18.2");
const V2_ALERT: Oid = Oid::of("1.3.6.1.2.1.43.18.2.0.1");
const COLD_START: Oid = Oid::of("1.3.6.1.6.3.1.1.5.1");
const SYS_UP_TIME: Oid = Oid::of("1.3.6.1.2.1.1.3.0");
const TRAP_OID: Oid = Oid::of("1.3.6.1.6.3.1.1.4.1.0");
/// Pause between two tries of an inform, and how often it is sent.
const RETRY: Duration = Duration::from_secs(2);
const TRIES: u32 = 4;

/// An inform on its way.
#[derive(Debug)]
pub(crate) struct Waiting {
    bytes: Vec<u8>,
    from: Ipv4Addr,
    to: SocketAddr,
}

/// One thing to tell, whoever hears it.
struct Said {
    trap: Oid,
    uptime: u32,
    varbinds: Vec<VarBind>,
}

/// Sends what devices have to tell.
#[derive(Clone)]
pub(crate) struct Sender {
    pub shared: Arc<Shared>,
    pub responder: Responder,
}

impl super::Traps {
    /// A message came that asks for nothing: perhaps it acknowledges an inform.
    pub(crate) fn acknowledged(&self, datagram: &[u8]) {
        if let Ok(MessageRef::Community(message)) = MessageRef::parse(datagram, Tail::Whole)
            && let Body::Pdu(pdu) = message.body
            && pdu.kind == PduKind::Response
        {
            self.waiting.lock().remove(&pdu.request_id);
        }
    }
}

impl Sender {
    /// Brings a device to the present and sends what it has to tell; returns the moment of its next event.
    pub(crate) fn tell(&self, place: u32) -> Instant {
        let shared = &self.shared;
        let (kind, now) = (shared.kind(place), shared.clock.now());
        let mut state = shared.slots[place as usize].at(kind, shared.world, place, now);
        let Some(life) = &mut state.life else { return Instant::NEVER };
        let due = life.due();
        let off = life.phase == Phase::Off;
        let notices = life.alerts.notices.as_mut().map(std::mem::take).unwrap_or_default();
        if notices.is_empty() || off {
            return due;
        }
        let address = shared.address_of(place);
        let targets = shared.traps.targets_of(address);
        let lost = state.faults.iter().fold(0.0, |lost, fault| match fault {
            Fault::TrapsLost(share) => *share,
            Fault::Silent => 1.0,
            _ => lost,
        });
        for notice in notices {
            let Some(said) = said(shared, &state, kind, place, now, notice) else { continue };
            if state.random.chance(lost) {
                continue;
            }
            for target in &targets {
                self.send(&mut state, place, (address, now), target, &said);
            }
        }
        due
    }

    fn send(&self, state: &mut State, place: u32, at: (Ipv4Addr, Instant), target: &TrapTarget, said: &Said) {
        let ((address, now), shared) = (at, &self.shared);
        let (community, number) = (&shared.community, shared.traps.next_number());
        let mut out = Vec::with_capacity(256);
        match &target.form {
            TrapForm::V1 => {
                let alert = said.trap == V2_ALERT;
                let enterprise = if alert { V1_ALERT } else { Oid::of("1.3.6.1.6.3.1.1.5") };
                let (generic, specific) = if alert { (6, 1) } else { (0, 0) };
                let head = V1 { enterprise, agent_address: address.octets(), generic, specific, uptime: said.uptime };
                write_v1(&mut out, community, &head, &said.varbinds);
            }
            TrapForm::V2c => write_v2(&mut out, community, number, said.uptime, &said.trap, &said.varbinds),
            TrapForm::Inform => {
                write_inform(&mut out, community, number, said.uptime, &said.trap, &said.varbinds);
                self.remember(number, Waiting { bytes: out.clone(), from: address, to: target.to });
            }
            TrapForm::V3(user) => {
                let (kind, who) = (shared.kind(place), shared.identity(place));
                let faults = state.faults.clone();
                let owner = Owner { kind, who, address, now, faults: &faults };
                let authority = owner.engine(state, shared.users(place));
                let head = [
                    VarBind { oid: SYS_UP_TIME, value: Value::TimeTicks(said.uptime) },
                    VarBind { oid: TRAP_OID, value: Value::ObjectId(said.trap.clone()) },
                ];
                let pdu = Pdu::new(PduKind::TrapV2, number, [&head[..], &said.varbinds].concat());
                if let Err(error) = authority.notify(user, &[], number, &mut out, &pdu) {
                    tracing::warn!(%address, user, %error, "a trap was not sent");
                    return;
                }
            }
        }
        shared.traps.sent.fetch_add(1, Ordering::Relaxed);
        self.post(address, target.to, &out);
    }

    fn post(&self, from: Ipv4Addr, to: SocketAddr, bytes: &[u8]) {
        // UDP promises nothing: a trap that the system does not take is a lost one.
        if let Err(error) = self.responder.send(IpAddr::V4(from), to, bytes) {
            tracing::debug!(%error, %to, "a trap was not sent");
        }
    }

    /// Sends an inform again until it is acknowledged or out of tries.
    fn remember(&self, number: i32, inform: Waiting) {
        self.shared.traps.waiting.lock().insert(number, inform);
        let sender = self.clone();
        tokio::spawn(async move {
            for _ in 1..TRIES {
                tokio::time::sleep(RETRY).await;
                let waiting = sender.shared.traps.waiting.lock();
                let Some(inform) = waiting.get(&number) else { return };
                sender.post(inform.from, inform.to, &inform.bytes);
            }
            sender.shared.traps.waiting.lock().remove(&number);
        });
    }
}

fn said(shared: &Shared, state: &State, kind: &Kind, place: u32, now: Instant, notice: Notice) -> Option<Said> {
    let (Kind::Profile { profile, .. }, Some(life)) = (kind, &state.life) else { return None };
    let ticks = |at: Instant| (at.since(life.booted) / 10) as u32;
    match notice {
        Notice::Started(at) => Some(Said { trap: COLD_START, uptime: ticks(at), varbinds: Vec::new() }),
        Notice::Added(row) | Notice::Removed(row) => {
            let view = View { profile, who: shared.identity(place).of(life), life, now, faults: &state.faults };
            Some(Said { trap: V2_ALERT, uptime: ticks(row.at), varbinds: cells(&view, &row) })
        }
    }
}

/// prtAlertIndex, severity, group, group index, location and code of a row.
fn cells(view: &View<'_>, row: &Row) -> Vec<VarBind> {
    let (group, index, code) = table::place(view, row.cause);
    let values = [(1, row.index as i32), (2, row.severity as i32), (4, group), (5, index), (6, -2), (7, code)];
    let cell = |(column, value): (u32, i32)| VarBind {
        oid: ALERT.join(&[column, 1, row.index]),
        value: Value::Integer(value),
    };
    values.map(cell).into()
}
