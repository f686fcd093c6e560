//! Messages of v3 (RFC 3412 §6): header, opaque security parameters, and a scoped PDU, plain or encrypted.

use crate::ber::{Malformed, Reader, Tail, Writer, tag};
use crate::pdu::{PduKind, PduRef, write_pdu};

/// Number of the user-based security model.
const USM: i32 = 3;

/// Security parameters of a message to an engine not known yet: everything empty.
const DISCOVERY: &[u8] = &[0x30, 14, 4, 0, 2, 1, 0, 2, 1, 0, 4, 0, 4, 0, 4, 0];

/// msgFlags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The message is authenticated.
    pub auth: bool,
    /// Its scoped PDU is encrypted.
    pub privacy: bool,
    /// An error may be answered by a Report.
    pub reportable: bool,
}

impl Flags {
    fn from_byte(byte: u8) -> Self {
        Self { auth: byte & 1 != 0, privacy: byte & 2 != 0, reportable: byte & 4 != 0 }
    }

    fn to_byte(self) -> u8 {
        u8::from(self.auth) | u8::from(self.privacy) << 1 | u8::from(self.reportable) << 2
    }
}

/// msgGlobalData.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Chosen by who asks, repeated by who answers.
    pub msg_id: i32,
    /// Longest message the sender can receive, in bytes.
    pub max_size: i32,
    /// Level of security.
    pub flags: Flags,
}

/// A v3 message in a receive buffer.
#[derive(Clone, Copy, Debug)]
pub struct V3Message<'a> {
    /// msgGlobalData.
    pub header: Header,
    /// msgSecurityParameters, for the user-based security model still to be read.
    pub security: &'a [u8],
    /// Where `security` begins in the datagram.
    pub security_at: usize,
    /// The scoped PDU.
    pub data: ScopedData<'a>,
    /// Where its bytes begin in the datagram.
    pub data_at: usize,
    /// Bytes of the whole message; the datagram may hold more.
    pub length: usize,
}

/// msgData.
#[derive(Clone, Copy, Debug)]
pub enum ScopedData<'a> {
    /// A scoped PDU in the clear, tag and length included.
    Plain(&'a [u8]),
    /// An encrypted one.
    Encrypted(&'a [u8]),
}

impl<'a> V3Message<'a> {
    /// Reads the contents of the outer sequence behind the version.
    pub(super) fn read(mut body: Reader<'a>, datagram: &'a [u8], length: usize) -> Result<Self, Malformed> {
        let mut global = body.enter(tag::SEQUENCE, "no message header")?;
        let msg_id = global.int32("no message id")?;
        let max_size = global.int32("no maximum size")?;
        let flags = global.expect(tag::OCTET_STRING, "no message flags")?;
        let &[flags, ..] = flags else { return Err(global.malformed("empty message flags")) };
        let before = global;
        if global.int32("no security model")? != USM {
            return Err(before.malformed("a security model other than USM"));
        }
        let header = Header { msg_id, max_size, flags: Flags::from_byte(flags) };
        let security = body.expect(tag::OCTET_STRING, "no security parameters")?;
        let security_at = body.offset() - security.len();
        let start = body.offset();
        let (data, data_at) = match body.peek() {
            Some(tag::SEQUENCE) => {
                body.enter_any()?;
                (ScopedData::Plain(&datagram[start..body.offset()]), start)
            }
            Some(tag::OCTET_STRING) => {
                let text = body.element()?.1;
                (ScopedData::Encrypted(text), body.offset() - text.len())
            }
            _ => return Err(body.malformed("no scoped PDU")),
        };
        Ok(Self { header, security, security_at, data, data_at, length })
    }
}

/// A scoped PDU in the clear.
#[derive(Clone, Copy, Debug)]
pub struct Scoped<'a> {
    /// Engine that the context belongs to.
    pub engine_id: &'a [u8],
    /// Name of the context.
    pub context: &'a [u8],
    /// The PDU.
    pub pdu: PduRef<'a>,
}

impl<'a> Scoped<'a> {
    /// Reads a scoped PDU; bytes behind it (padding of a block cipher) are ignored.
    pub fn parse(bytes: &'a [u8], tail: Tail) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, tail);
        let mut body = reader.enter(tag::SEQUENCE, "no scoped PDU")?;
        let engine_id = body.expect(tag::OCTET_STRING, "no context engine id")?;
        let context = body.expect(tag::OCTET_STRING, "no context name")?;
        Ok(Self { engine_id, context, pdu: PduRef::read(&mut body)? })
    }
}

/// Writes a scoped PDU in the clear.
pub fn write_scoped(writer: &mut Writer<'_>, engine_id: &[u8], context: &[u8], pdu: impl FnOnce(&mut Writer<'_>)) {
    let scoped = writer.open(tag::SEQUENCE);
    writer.primitive(tag::OCTET_STRING, engine_id);
    writer.primitive(tag::OCTET_STRING, context);
    pdu(writer);
    writer.close(scoped);
}

/// Writes a message around ready security parameters; `data` writes the plain or encrypted scoped PDU.
pub fn write_v3(writer: &mut Writer<'_>, header: Header, security: &[u8], data: impl FnOnce(&mut Writer<'_>)) {
    write_v3_with(writer, header, |writer| writer.raw(security), data);
}

/// Writes the question who is there (RFC 3414 §4): any engine reports its id and clock.
pub fn write_discovery(writer: &mut Writer<'_>, id: i32) {
    let header = Header { msg_id: id, max_size: 65_507, flags: Flags { reportable: true, ..Flags::default() } };
    write_v3(writer, header, DISCOVERY, |writer| {
        write_scoped(writer, &[], &[], |writer| {
            write_pdu(writer, PduKind::Get, [id, 0, 0], []);
        });
    });
}

/// As [`write_v3`]; `security` writes the parameters.
pub(crate) fn write_v3_with(
    writer: &mut Writer<'_>,
    header: Header,
    security: impl FnOnce(&mut Writer<'_>),
    data: impl FnOnce(&mut Writer<'_>),
) {
    let message = writer.open(tag::SEQUENCE);
    writer.int32(3);
    let global = writer.open(tag::SEQUENCE);
    writer.int32_fixed(header.msg_id);
    writer.int32(header.max_size);
    writer.primitive(tag::OCTET_STRING, &[header.flags.to_byte()]);
    writer.int32(USM);
    writer.close(global);
    let parameters = writer.open(tag::OCTET_STRING);
    security(writer);
    writer.close(parameters);
    data(writer);
    writer.close(message);
}
