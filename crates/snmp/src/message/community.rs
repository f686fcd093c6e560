//! Messages of v1 (RFC 1157) and v2c (RFC 1901).

use crate::ber::{Malformed, Open, Reader, Writer, tag};
use crate::pdu::{PduRef, TrapV1};
use crate::target::Version;

/// A v1 or v2c message in a receive buffer.
#[derive(Clone, Copy, Debug)]
pub struct CommunityMessage<'a> {
    /// [`Version::V1`] or [`Version::V2c`].
    pub version: Version,
    /// The community name.
    pub community: &'a [u8],
    /// What it carries.
    pub body: Body<'a>,
}

/// What a v1 or v2c message carries.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// Anything but a v1 trap.
    Pdu(PduRef<'a>),
    /// A v1 trap.
    TrapV1(TrapV1<'a>),
}

impl<'a> CommunityMessage<'a> {
    /// Reads the contents of the outer sequence, the version included.
    #[inline]
    pub(super) fn read(mut body: Reader<'a>) -> Result<Self, Malformed> {
        let version = if body.int32("no version")? == 0 { Version::V1 } else { Version::V2c };
        let community = body.expect(tag::OCTET_STRING, "no community")?;
        let body = if body.peek() == Some(0xa4) {
            Body::TrapV1(TrapV1::read(&mut body)?)
        } else {
            Body::Pdu(PduRef::read(&mut body)?)
        };
        Ok(Self { version, community, body })
    }
}

/// Writes the envelope of a v1 or v2c message around what `body` writes.
pub fn write_community(
    writer: &mut Writer<'_>,
    version: Version,
    community: &[u8],
    body: impl FnOnce(&mut Writer<'_>),
) {
    let message: Open = writer.open(tag::SEQUENCE);
    writer.int32(i32::from(version == Version::V2c));
    writer.primitive(tag::OCTET_STRING, community);
    body(writer);
    writer.close(message);
}
