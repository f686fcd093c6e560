//! Protocol data units: requests, responses and notifications of v2 (RFC 3416) and the trap of v1 (RFC 1157).

mod trap_v1;
mod varbinds;

pub use trap_v1::TrapV1;
pub(crate) use trap_v1::write_trap_v1;
pub use varbinds::{VarBindRef, VarBinds};

use crate::ber::{Malformed, Reader, Tail, Writer, tag};
use crate::error::ErrorStatus;
use crate::oid::OidRef;
use crate::value::{ValueRef, VarBind};

/// Kind of a PDU; the number is its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PduKind {
    /// GetRequest
    Get = 0xa0,
    /// GetNextRequest
    GetNext = 0xa1,
    /// Response
    Response = 0xa2,
    /// SetRequest
    Set = 0xa3,
    /// Trap of v1, which has a shape of its own: [`TrapV1`]
    TrapV1 = 0xa4,
    /// GetBulkRequest
    GetBulk = 0xa5,
    /// InformRequest
    Inform = 0xa6,
    /// SNMPv2-Trap
    TrapV2 = 0xa7,
    /// Report (v3)
    Report = 0xa8,
}

impl PduKind {
    /// The kind with this tag.
    pub fn from_tag(tag: u8) -> Option<Self> {
        Some(match tag {
            0xa0 => Self::Get,
            0xa1 => Self::GetNext,
            0xa2 => Self::Response,
            0xa3 => Self::Set,
            0xa4 => Self::TrapV1,
            0xa5 => Self::GetBulk,
            0xa6 => Self::Inform,
            0xa7 => Self::TrapV2,
            0xa8 => Self::Report,
            _ => return None,
        })
    }

    /// Whether the receiver must answer.
    pub fn wants_answer(self) -> bool {
        matches!(self, Self::Get | Self::GetNext | Self::Set | Self::GetBulk | Self::Inform)
    }
}

/// A PDU in a receive buffer (all kinds but the trap of v1).
#[derive(Clone, Copy, Debug)]
pub struct PduRef<'a> {
    /// Its kind.
    pub kind: PduKind,
    /// Chosen by who asks, repeated by who answers.
    pub request_id: i32,
    /// error-status; in GetBulk non-repeaters.
    pub status: i32,
    /// error-index; in GetBulk max-repetitions.
    pub index: i32,
    /// Objects and values, decoded as they are iterated.
    pub varbinds: VarBinds<'a>,
}

impl<'a> PduRef<'a> {
    /// Reads a PDU that begins here.
    #[inline]
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let before = *reader;
        let (tag, mut body) = reader.enter_any()?;
        let kind = PduKind::from_tag(tag).ok_or_else(|| before.malformed("no PDU"))?;
        if kind == PduKind::TrapV1 {
            return Err(before.malformed("a v1 trap where it may not be"));
        }
        let request_id = body.int32("no request id")?;
        let status = body.int32("no error status")?;
        let index = body.int32("no error index")?;
        let varbinds = VarBinds::read(&mut body)?;
        Ok(Self { kind, request_id, status, index, varbinds })
    }

    /// Reads a PDU that stands alone, as inside an answer of the engine.
    pub fn parse(bytes: &'a [u8], tail: Tail) -> Result<Self, Malformed> {
        Self::read(&mut Reader::new(bytes, tail))
    }

    /// The error status, `None` when there is no error.
    pub fn error(&self) -> Option<ErrorStatus> {
        (self.status != 0).then_some(ErrorStatus(self.status))
    }

    /// An owned copy; fails if a variable binding is malformed.
    pub fn to_owned(&self) -> Result<Pdu, Malformed> {
        let varbinds = self.varbinds.map(|item| item.map(|item| item.to_owned())).collect::<Result<_, _>>()?;
        Ok(Pdu { kind: self.kind, request_id: self.request_id, status: self.status, index: self.index, varbinds })
    }
}

/// A PDU with values of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pdu {
    /// Its kind; not [`PduKind::TrapV1`].
    pub kind: PduKind,
    /// Chosen by who asks, repeated by who answers.
    pub request_id: i32,
    /// error-status; in GetBulk non-repeaters.
    pub status: i32,
    /// error-index; in GetBulk max-repetitions.
    pub index: i32,
    /// Objects and values.
    pub varbinds: Vec<VarBind>,
}

impl Pdu {
    /// A PDU without error.
    pub fn new(kind: PduKind, request_id: i32, varbinds: Vec<VarBind>) -> Self {
        Self { kind, request_id, status: 0, index: 0, varbinds }
    }

    /// Writes it.
    pub fn write(&self, writer: &mut Writer<'_>) {
        let pairs = self.varbinds.iter().map(|item| (item.oid.as_ref(), item.value.borrowed()));
        write_pdu(writer, self.kind, [self.request_id, self.status, self.index], pairs);
    }
}

/// Writes a PDU with `head` = request id, error status, error index; returns where the four bytes of the request
/// id stand, so that a prepared request can be sent under many ids.
pub fn write_pdu<'a>(
    writer: &mut Writer<'_>,
    kind: PduKind,
    head: [i32; 3],
    varbinds: impl IntoIterator<Item = (OidRef<'a>, ValueRef<'a>)>,
) -> usize {
    let pdu = writer.open(kind as u8);
    let from_start = writer.int32_fixed(head[0]);
    writer.int32(head[1]);
    writer.int32(head[2]);
    let list = writer.open(tag::SEQUENCE);
    for (oid, value) in varbinds {
        write_varbind(writer, oid, value);
    }
    writer.close(list);
    let before = writer.len();
    let body = before - from_start;
    writer.close(pdu);
    // Closing may have moved the contents by the bytes of a longer length.
    writer.len() - body
}

/// Writes one variable binding.
#[inline]
pub fn write_varbind(writer: &mut Writer<'_>, oid: OidRef<'_>, value: ValueRef<'_>) {
    let item = writer.open(tag::SEQUENCE);
    writer.primitive(tag::OBJECT_ID, oid.as_ber());
    writer.value(value);
    writer.close(item);
}
