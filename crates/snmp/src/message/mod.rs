//! Messages: what one datagram holds. v1 and v2c wrap a PDU with a community, v3 with a security header.

mod community;
mod v3;

pub use community::{Body, CommunityMessage, write_community};
pub(crate) use v3::write_v3_with;
pub use v3::{Flags, Header, Scoped, ScopedData, V3Message, write_discovery, write_scoped, write_v3};

use crate::ber::{Malformed, Reader, Tail, tag};

/// A message in a receive buffer.
#[derive(Clone, Copy, Debug)]
pub enum MessageRef<'a> {
    /// v1 or v2c.
    Community(CommunityMessage<'a>),
    /// v3, its security parameters and data not yet looked into.
    V3(V3Message<'a>),
}

impl<'a> MessageRef<'a> {
    /// Reads a message. Bytes behind it are ignored, as every agent does.
    pub fn parse(datagram: &'a [u8], tail: Tail) -> Result<Self, Malformed> {
        let mut reader = Reader::new(datagram, tail);
        let mut body = reader.enter(tag::SEQUENCE, "no message")?;
        let before = body;
        match body.int32("no version")? {
            0 | 1 => CommunityMessage::read(before).map(Self::Community),
            3 => V3Message::read(body, datagram, reader.offset()).map(Self::V3),
            _ => Err(before.malformed("an unknown version")),
        }
    }
}
