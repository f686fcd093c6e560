//! Answering SNMPv3: the authority opens the request and seals the answer, what lies between is the same as for v2c.

use smallvec::SmallVec;

use super::answer::{Agent, Asked, Ignored, respond};
use crate::ber::{Tail, Writer, tag};
use crate::error::ErrorStatus;
use crate::message::MessageRef;
use crate::pdu::{PduKind, PduRef, write_varbind};
use crate::target::Version;
use crate::usm::{Authority, Refused};

/// Bytes that v3 puts around a PDU, at most: header, parameters with a digest of 48, context, padding.
const ENVELOPE: usize = 220;

/// Whether a request is SNMPv3 and so for [`answer_v3`].
pub fn is_v3(request: &[u8]) -> bool {
    matches!(MessageRef::parse(request, Tail::MayBeCut), Ok(MessageRef::V3(_)))
}

/// Answers an SNMPv3 request: `lookup` finds who answers by user and context, the answer (or a report of what is
/// wrong with the request) replaces the contents of `out`.
pub fn answer_v3<'m>(
    request: &[u8],
    authority: &Authority,
    lookup: impl FnOnce(&Asked<'_>) -> Option<Agent<'m>>,
    out: &mut Vec<u8>,
) -> Result<(), Ignored> {
    let mut request = SmallVec::<[u8; 2_048]>::from_slice(request);
    let incoming = match authority.open(&mut request, out) {
        Ok(incoming) => incoming,
        Err(Refused::Report) => return Ok(()),
        Err(Refused::Silence(Some(malformed))) => return Err(Ignored::Malformed(malformed)),
        Err(Refused::Silence(None)) => return Err(Ignored::Unknown),
    };
    let scoped = incoming.envelope.scoped(&request).map_err(Ignored::Malformed)?;
    let pdu = scoped.pdu;
    if !pdu.kind.wants_answer() || pdu.kind == PduKind::Inform {
        return Err(Ignored::NoRequest);
    }
    let asked = Asked::of(Version::V3, &incoming.envelope.user, scoped.context, &pdu);
    let protected = Authority::is_protected(&incoming);
    let Some(agent) = lookup(&asked) else {
        authority.report_context(&incoming, pdu.request_id, out);
        return Ok(());
    };
    let room = agent.limit.min(incoming.envelope.header.max_size.max(484) as usize).saturating_sub(ENVELOPE);
    let mut result = Ok(());
    authority.reply(&incoming, scoped.engine_id, scoped.context, out, |writer| {
        result = if protected { respond(&agent, Version::V3, &pdu, room, writer) } else { deny(&pdu, writer) };
    });
    result
}

/// authorizationError, with what was asked for.
fn deny(pdu: &PduRef<'_>, writer: &mut Writer<'_>) -> Result<(), Ignored> {
    let response = writer.open(PduKind::Response as u8);
    writer.int32(pdu.request_id);
    writer.int32(ErrorStatus::AUTHORIZATION_ERROR.0);
    writer.int32(0);
    let list = writer.open(tag::SEQUENCE);
    for item in pdu.varbinds {
        let item = item.map_err(Ignored::Malformed)?;
        write_varbind(writer, item.oid, item.value);
    }
    writer.close(list);
    writer.close(response);
    Ok(())
}
