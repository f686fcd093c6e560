//! What an agent says to a request (RFC 3416 §4.2, RFC 1157 §4.1). No I/O, no state.

use super::Mib;
use crate::ber::{Malformed, Tail, Writer, tag};
use crate::error::ErrorStatus;
use crate::message::{Body, MessageRef, write_community};
use crate::oid::Oid;
use crate::pdu::{PduKind, PduRef, VarBinds, write_varbind};
use crate::target::Version;
use crate::value::{Value, ValueRef, VarBind};

/// What a request presents to be let in.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Version of the message.
    pub version: Version,
    /// Community (v1, v2c) or user (v3).
    pub name: &'a [u8],
    /// Context name (v3), else empty.
    pub context: &'a [u8],
    /// Whether it wants to write.
    pub write: bool,
    /// What it wants.
    pub kind: PduKind,
    /// max-repetitions of a GETBULK, else 0.
    pub repetitions: i32,
}

impl<'a> Asked<'a> {
    /// What a PDU asks for by this name, in this context.
    pub fn of(version: Version, name: &'a [u8], context: &'a [u8], pdu: &PduRef<'_>) -> Self {
        let repetitions = if pdu.kind == PduKind::GetBulk { pdu.index } else { 0 };
        Self { version, name, context, write: pdu.kind == PduKind::Set, kind: pdu.kind, repetitions }
    }
}

/// What answers a request that was let in.
#[derive(Clone, Copy)]
pub struct Agent<'m> {
    /// The objects.
    pub mib: &'m dyn Mib,
    /// Longest answer in bytes; what does not fit is left out (GETBULK) or refused with tooBig.
    pub limit: usize,
    /// Whether SET reaches the objects; else every SET is refused.
    pub writable: bool,
}

impl<'m> Agent<'m> {
    /// A read-only agent with the usual limit.
    pub fn new(mib: &'m dyn Mib) -> Self {
        Self { mib, limit: super::DEFAULT_LIMIT, writable: false }
    }
}

/// Why a request is met with silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// Not SNMP.
    Malformed(Malformed),
    /// Nobody lets it in.
    Unknown,
    /// A message that asks for nothing (a response, a trap).
    NoRequest,
    /// Not even the shortest answer fits the limit.
    TooBig,
}

/// Answers a v1 or v2c request: `lookup` finds who answers, the answer replaces the contents of `out`.
pub fn answer<'m>(
    request: &[u8],
    lookup: impl FnOnce(&Asked<'_>) -> Option<Agent<'m>>,
    out: &mut Vec<u8>,
) -> Result<(), Ignored> {
    out.clear();
    let MessageRef::Community(message) = MessageRef::parse(request, Tail::Whole).map_err(Ignored::Malformed)? else {
        return Err(Ignored::Unknown);
    };
    let Body::Pdu(pdu) = message.body else { return Err(Ignored::NoRequest) };
    let asked = Asked::of(message.version, message.community, &[], &pdu);
    if !pdu.kind.wants_answer() || pdu.kind == PduKind::Inform {
        return Err(Ignored::NoRequest);
    }
    let agent = lookup(&asked).ok_or(Ignored::Unknown)?;
    let room = agent.limit.saturating_sub(envelope(message.community.len()));
    let mut result = Ok(());
    write_community(&mut Writer::new(out), message.version, message.community, |writer| {
        result = respond(&agent, message.version, &pdu, room, writer);
    });
    result?;
    if out.len() > agent.limit { Err(Ignored::TooBig) } else { Ok(()) }
}

/// Bytes of a community message around its PDU, at most.
fn envelope(community: usize) -> usize {
    4 + 3 + 4 + community
}

/// Bytes of a PDU around its variable bindings, at most: tag and length, three numbers, tag and length.
const PDU_HEAD: usize = 4 + 6 + 6 + 6 + 4;

/// Writes the Response to `pdu` in at most `room` bytes.
pub(crate) fn respond(
    agent: &Agent<'_>,
    version: Version,
    pdu: &PduRef<'_>,
    room: usize,
    writer: &mut Writer<'_>,
) -> Result<(), Ignored> {
    let start = writer.len();
    let response = writer.open(PduKind::Response as u8);
    writer.int32(pdu.request_id);
    let head = writer.len();
    let room = room.saturating_sub(PDU_HEAD);
    match fill(agent, version, pdu, room, writer) {
        Ok(()) => {}
        Err(Refusal::Status(status, index)) => {
            writer.truncate(head);
            refuse(pdu, version, status, index, writer)?;
        }
        Err(Refusal::Ignored(why)) => {
            writer.truncate(start);
            return Err(why);
        }
    }
    writer.close(response);
    Ok(())
}

enum Refusal {
    Status(ErrorStatus, u32),
    Ignored(Ignored),
}

impl From<Malformed> for Refusal {
    fn from(malformed: Malformed) -> Self {
        Self::Ignored(Ignored::Malformed(malformed))
    }
}

/// Writes error status, error index and the variable bindings of a success.
fn fill(
    agent: &Agent<'_>,
    version: Version,
    pdu: &PduRef<'_>,
    room: usize,
    writer: &mut Writer<'_>,
) -> Result<(), Refusal> {
    writer.int32(0);
    writer.int32(0);
    let list = writer.open(tag::SEQUENCE);
    let mut answer = Answer { agent, version, end: writer.len() + room, writer };
    match pdu.kind {
        PduKind::Get => answer.get(pdu.varbinds)?,
        PduKind::GetNext => answer.get_next(pdu.varbinds)?,
        PduKind::GetBulk if version != Version::V1 => answer.get_bulk(pdu)?,
        PduKind::Set => answer.set(pdu.varbinds)?,
        _ => return Err(Refusal::Ignored(Ignored::NoRequest)),
    }
    writer.close(list);
    Ok(())
}

/// Writes an error and what goes with it: the variable bindings of the request (v1, and v2c but for tooBig).
fn refuse(
    pdu: &PduRef<'_>,
    version: Version,
    status: ErrorStatus,
    index: u32,
    writer: &mut Writer<'_>,
) -> Result<(), Ignored> {
    writer.int32(status.0);
    writer.int32(i32::try_from(index).unwrap_or(i32::MAX));
    let list = writer.open(tag::SEQUENCE);
    if version == Version::V1 || status != ErrorStatus::TOO_BIG {
        for item in pdu.varbinds {
            let item = item.map_err(Ignored::Malformed)?;
            write_varbind(writer, item.oid, item.value);
        }
    }
    writer.close(list);
    Ok(())
}

struct Answer<'x, 'm, 'b> {
    agent: &'x Agent<'m>,
    version: Version,
    end: usize,
    writer: &'x mut Writer<'b>,
}

impl Answer<'_, '_, '_> {
    fn put(&mut self, oid: &Oid, value: &Value) -> bool {
        self.put_ref(oid, value.borrowed())
    }

    /// Writes a binding unless it would not fit.
    fn put_ref(&mut self, oid: &Oid, value: ValueRef<'_>) -> bool {
        let before = self.writer.len();
        write_varbind(self.writer, oid.as_ref(), value);
        let fits = self.writer.len() <= self.end;
        if !fits {
            self.writer.truncate(before);
        }
        fits
    }

    fn get(&mut self, varbinds: VarBinds<'_>) -> Result<(), Refusal> {
        for (place, item) in (1..).zip(varbinds) {
            let oid = item?.oid.to_oid();
            let value = self.agent.mib.get(&oid);
            if self.version == Version::V1 && !expressible(&value) {
                return Err(Refusal::Status(ErrorStatus::NO_SUCH_NAME, place));
            }
            if !self.put(&oid, &value) {
                return Err(Refusal::Status(ErrorStatus::TOO_BIG, 0));
            }
        }
        Ok(())
    }

    fn get_next(&mut self, varbinds: VarBinds<'_>) -> Result<(), Refusal> {
        for (place, item) in (1..).zip(varbinds) {
            let oid = item?.oid.to_oid();
            let fits = match self.next(&oid) {
                Some((next, value)) => self.put(&next, &value),
                None if self.version == Version::V1 => {
                    return Err(Refusal::Status(ErrorStatus::NO_SUCH_NAME, place));
                }
                None => self.put_ref(&oid, ValueRef::EndOfMibView),
            };
            if !fits {
                return Err(Refusal::Status(ErrorStatus::TOO_BIG, 0));
            }
        }
        Ok(())
    }

    /// The next object that the version can express: a Counter64 is skipped in v1 (RFC 3584 §4.2.2.1).
    fn next(&self, oid: &Oid) -> Option<(Oid, Value)> {
        let mut found = self.agent.mib.next(oid)?;
        while self.version == Version::V1 && !expressible(&found.1) {
            found = self.agent.mib.next(&found.0)?;
        }
        Some(found)
    }

    fn get_bulk(&mut self, pdu: &PduRef<'_>) -> Result<(), Refusal> {
        let singles = usize::try_from(pdu.status).unwrap_or(0);
        let rounds = usize::try_from(pdu.index).unwrap_or(0);
        let mut cursors = smallvec::SmallVec::<[Option<Oid>; 8]>::new();
        for (place, item) in pdu.varbinds.enumerate() {
            let oid = item?.oid.to_oid();
            if place >= singles {
                cursors.push(Some(oid));
                continue;
            }
            let fits = match self.next(&oid) {
                Some((next, value)) => self.put(&next, &value),
                None => self.put_ref(&oid, ValueRef::EndOfMibView),
            };
            if !fits {
                return Ok(());
            }
        }
        let mut ends: smallvec::SmallVec<[Option<Oid>; 8]> = smallvec::smallvec![None; cursors.len()];
        for _ in 0..rounds {
            if cursors.iter().all(Option::is_none) {
                break;
            }
            for (cursor, end) in cursors.iter_mut().zip(&mut ends) {
                if !self.step(cursor, end) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Writes one repetition of one column; false when the message is full.
    fn step(&mut self, cursor: &mut Option<Oid>, end: &mut Option<Oid>) -> bool {
        let Some(oid) = cursor else {
            return end.as_ref().is_none_or(|oid| self.put_ref(oid, ValueRef::EndOfMibView));
        };
        match self.next(oid) {
            Some((next, value)) => {
                let fits = self.put(&next, &value);
                *cursor = Some(next);
                fits
            }
            None => {
                let fits = self.put_ref(oid, ValueRef::EndOfMibView);
                *end = cursor.take();
                fits
            }
        }
    }

    fn set(&mut self, varbinds: VarBinds<'_>) -> Result<(), Refusal> {
        let values: Vec<VarBind> = varbinds.map(|item| item.map(|item| item.to_owned())).collect::<Result<_, _>>()?;
        let outcome = if self.agent.writable { self.agent.mib.set(&values) } else { Err((ErrorStatus::NO_ACCESS, 1)) };
        if let Err((status, index)) = outcome {
            let status = if self.version == Version::V1 { as_v1(status) } else { status };
            return Err(Refusal::Status(status, index));
        }
        for item in &values {
            if !self.put(&item.oid, &item.value) {
                return Err(Refusal::Status(ErrorStatus::TOO_BIG, 0));
            }
        }
        Ok(())
    }
}

/// Whether v1 knows such a value.
fn expressible(value: &Value) -> bool {
    !matches!(value, Value::Counter64(_)) && !value.borrowed().is_exception()
}

/// The error of v1 that says most nearly the same (RFC 3584 §4.4).
fn as_v1(status: ErrorStatus) -> ErrorStatus {
    match status.0 {
        0..=5 => status,
        7..=10 | 12 => ErrorStatus::BAD_VALUE,
        6 | 11 | 16..=18 => ErrorStatus::NO_SUCH_NAME,
        _ => ErrorStatus::GEN_ERR,
    }
}
