//! Faults that show in the bytes of an answer.

use snmp::Version;
use snmp::ber::{Tail, Writer, tag};
use snmp::message::{Body, MessageRef, write_community};
use snmp::pdu::{PduKind, PduRef};

use crate::fault::Fault;
use crate::random::Random;

/// What an Ethernet frame carries.
const FRAME: usize = 1_472;

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoilt {
    /// It goes on its way, spoilt or not.
    Sent,
    /// It is lost.
    Lost,
}

/// The PDU of a community message, as far as faults need it.
fn peek(request: &[u8]) -> Option<(Version, &[u8], PduRef<'_>)> {
    match MessageRef::parse(request, Tail::Whole).ok()? {
        MessageRef::Community(message) => match message.body {
            Body::Pdu(pdu) => Some((message.version, message.community, pdu)),
            Body::TrapV1(_) => None,
        },
        MessageRef::V3(_) => None,
    }
}

/// Replaces the answer by an error without rows, where a fault asks for it. True when it did.
pub(crate) fn refuses(faults: &[Fault], request: &[u8], out: &mut Vec<u8>) -> bool {
    if !faults.contains(&Fault::EmptyTooBig) {
        return false;
    }
    let Some((version, community, pdu)) = peek(request) else { return false };
    let big = pdu.kind == PduKind::GetBulk && pdu.index > 10;
    if big {
        write_error(version, community, pdu.request_id, 1, out);
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
pub(crate) fn spoil(faults: &[Fault], random: &mut Random, out: &mut Vec<u8>) -> Spoilt {
    for fault in faults {
        match fault {
            Fault::Garbage => out.iter_mut().for_each(|byte| *byte = random.next() as u8),
            Fault::TruncatedReply => out.truncate(out.len() * 2 / 3),
            Fault::CutAbove(most) => out.truncate(*most),
            Fault::FragmentsLost if out.len() > FRAME => return Spoilt::Lost,
            Fault::LyingLength => lie(out),
            Fault::GenErrAtEnd => end_badly(out),
            _ => {}
        }
    }
    Spoilt::Sent
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
