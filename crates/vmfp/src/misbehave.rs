//! How faults show: in what is answered (objects), whether it is answered (requests) and how (bytes).

use snmp::ber::{Tail, Writer, tag};
use snmp::message::{Body, MessageRef, write_community};
use snmp::pdu::{PduKind, PduRef};
use snmp::responder::Asked;
use snmp::{Oid, Value, Version};

use crate::fault::Fault;
use crate::random::{Random, mix};

const PRINTER_MIB: Oid = Oid::of("1.3.6.1.2.1.43");
const SUPPLIES: Oid = Oid::of("1.3.6.1.2.1.43.11.1.1");

/// Faults that change objects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Twist {
    looping: bool,
    standing: bool,
    partial: bool,
    types: bool,
    wrong: bool,
}

impl Twist {
    /// The twist of a device with these faults, for a request of this kind.
    pub(crate) fn of(faults: &[Fault], kind: PduKind) -> Self {
        let has = |fault: &Fault| faults.contains(fault);
        Self {
            looping: has(&Fault::LoopingOids),
            standing: has(&Fault::NonIncreasing),
            partial: has(&Fault::PartialReply),
            types: has(&Fault::WrongTypes),
            wrong: has(&Fault::BulkWrongValues) && kind == PduKind::GetBulk,
        }
    }

    pub(crate) fn is_none(self) -> bool {
        self == Self::default()
    }

    pub(crate) fn value(self, oid: &Oid, value: Value, exact: bool) -> Value {
        let draw = oid.as_ber().iter().fold(0, |sum, byte| mix(sum ^ u64::from(*byte)));
        if self.partial && exact && draw.is_multiple_of(3) {
            return Value::NoSuchInstance;
        }
        match value {
            Value::Integer(number) if self.wrong => Value::Integer(number.wrapping_mul(7).wrapping_add(13)),
            Value::Counter32(number) if self.wrong => Value::Counter32(number.wrapping_add(100_000)),
            Value::Integer(number) if self.types => Value::text(&number.to_string()),
            Value::Counter32(number) if self.types => Value::Integer(number as i32),
            other => other,
        }
    }

    pub(crate) fn next(
        self,
        from: &Oid,
        found: Option<(Oid, Value)>,
        ask: impl Fn(&Oid) -> Option<(Oid, Value)>,
    ) -> Option<(Oid, Value)> {
        if self.standing && from.starts_with(&PRINTER_MIB) && from.len() > PRINTER_MIB.len() + 3 {
            let (_, value) = found?;
            return Some((from.clone(), value));
        }
        let left = found.as_ref().is_none_or(|(next, _)| !next.starts_with(&SUPPLIES));
        if self.looping && left && from.starts_with(&SUPPLIES) {
            return ask(&SUPPLIES);
        }
        found
    }
}

/// Whether a device with these faults hears the request at all; draws for losses.
pub(crate) fn hears(faults: &[Fault], random: &mut Random, asleep: bool, pdu: &PduRef<'_>, version: Version) -> bool {
    faults.iter().all(|fault| match fault {
        Fault::Silent => false,
        Fault::DeafAsleep => !asleep,
        Fault::V1Only => version == Version::V1,
        Fault::Loss(share) => !random.chance(*share),
        Fault::MaxRepetitionsZeroHang => pdu.kind != PduKind::GetBulk || pdu.index != 0,
        Fault::BulkSilentAbove(most) => pdu.kind != PduKind::GetBulk || pdu.index <= *most,
        _ => true,
    })
}

/// The community that a device with these faults takes instead of the fleet's.
pub(crate) fn community<'f>(faults: &'f [Fault], usual: &'f [u8]) -> &'f [u8] {
    let other = faults.iter().find_map(|fault| match fault {
        Fault::OnlyCommunity(name) => Some(name.as_bytes()),
        _ => None,
    });
    other.unwrap_or(usual)
}

/// The PDU of a community message, as far as faults need it.
pub(crate) fn peek(request: &[u8]) -> Option<(Version, &[u8], PduRef<'_>)> {
    match MessageRef::parse(request, Tail::Whole).ok()? {
        MessageRef::Community(message) => match message.body {
            Body::Pdu(pdu) => Some((message.version, message.community, pdu)),
            Body::TrapV1(_) => None,
        },
        MessageRef::V3(_) => None,
    }
}

/// Replaces the answer by an error without rows, where a fault asks for it. True when it did.
pub(crate) fn refuses(faults: &[Fault], asked: &Asked<'_>, pdu: &PduRef<'_>, out: &mut Vec<u8>) -> bool {
    let big = faults.contains(&Fault::EmptyTooBig) && pdu.kind == PduKind::GetBulk && pdu.index > 10;
    if big {
        write_error(asked.version, asked.name, pdu.request_id, 1, out);
    }
    big
}

fn write_error(version: Version, community: &[u8], request_id: i32, status: i32, out: &mut Vec<u8>) {
    out.clear();
    write_community(&mut Writer::new(out), version, community, |writer| {
        let response = writer.open(PduKind::Response as u8);
        writer.int32(request_id);
        writer.int32(status);
        writer.int32(i32::from(status != 1));
        let list = writer.open(tag::SEQUENCE);
        writer.close(list);
        writer.close(response);
    });
}

/// Spoils the bytes of an answer.
pub(crate) fn spoil(faults: &[Fault], random: &mut Random, out: &mut Vec<u8>) {
    for fault in faults {
        match fault {
            Fault::Garbage => out.iter_mut().for_each(|byte| *byte = random.next() as u8),
            Fault::TruncatedReply => out.truncate(out.len() * 2 / 3),
            Fault::LyingLength => lie(out),
            Fault::GenErrAtEnd => end_badly(out),
            _ => {}
        }
    }
}

/// Makes the outer length larger than the datagram.
fn lie(out: &mut [u8]) {
    match out.get(1).copied() {
        Some(short) if short < 0x60 => out[1] = short + 0x1f,
        Some(long) if long & 0x80 != 0 && out.len() > 3 => {
            let last = 1 + usize::from(long & 0x7f);
            out[last] = out[last].wrapping_add(0x40);
        }
        _ => {}
    }
}

/// An answer that reached the end of the MIB becomes a genErr.
fn end_badly(out: &mut Vec<u8>) {
    let Some((version, community, pdu)) = peek(out) else { return };
    let ends =
        pdu.status == 2 || pdu.varbinds.filter_map(Result::ok).any(|item| item.value == snmp::ValueRef::EndOfMibView);
    if ends {
        let (community, id) = (community.to_vec(), pdu.request_id);
        write_error(version, &community, id, 5, out);
    }
}
