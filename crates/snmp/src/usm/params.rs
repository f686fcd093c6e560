//! usmSecurityParameters (RFC 3414 §2.4).

use crate::ber::{Malformed, Reader, Tail, Writer, tag};

/// Longest engine id, in bytes (RFC 3411 §5).
pub(crate) const LONGEST_ENGINE_ID: usize = 32;

/// Security parameters in a receive buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Params<'a> {
    pub(crate) engine_id: &'a [u8],
    pub(crate) boots: u32,
    pub(crate) time: u32,
    pub(crate) user: &'a [u8],
    pub(crate) mac: &'a [u8],
    /// Where `mac` begins in the parameters.
    pub(crate) mac_at: usize,
    pub(crate) salt: &'a [u8],
}

impl<'a> Params<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, Tail::Whole);
        let mut body = reader.enter(tag::SEQUENCE, "no security parameters")?;
        let engine_id = body.expect(tag::OCTET_STRING, "no engine id")?;
        if engine_id.len() > LONGEST_ENGINE_ID {
            return Err(body.malformed("an engine id of more than 32 bytes"));
        }
        let boots = body.int32("no engine boots")?;
        let time = body.int32("no engine time")?;
        let user = body.expect(tag::OCTET_STRING, "no user name")?;
        let mac = body.expect(tag::OCTET_STRING, "no digest")?;
        let mac_at = body.offset() - mac.len();
        let salt = body.expect(tag::OCTET_STRING, "no salt")?;
        // Both are limited to 2^31 - 1; a larger one is no time that could be right.
        let (boots, time) = (boots.max(0) as u32, time.max(0) as u32);
        Ok(Self { engine_id, boots, time, user, mac, mac_at, salt })
    }

    /// Writes the parameters.
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        let params = writer.open(tag::SEQUENCE);
        writer.primitive(tag::OCTET_STRING, self.engine_id);
        writer.int32(self.boots.min(i32::MAX as u32) as i32);
        writer.int32(self.time.min(i32::MAX as u32) as i32);
        writer.primitive(tag::OCTET_STRING, self.user);
        writer.primitive(tag::OCTET_STRING, self.mac);
        writer.primitive(tag::OCTET_STRING, self.salt);
        writer.close(params);
    }
}
