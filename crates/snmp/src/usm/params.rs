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

#[cfg(test)]
mod tests {
    use async_snmp::DecodeConfig;
    use async_snmp::v3::UsmSecurityParams;
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    /// What a decoder read: engine, boots, time, user, digest, salt.
    type Six = (Vec<u8>, u32, u32, Vec<u8>, Vec<u8>, Vec<u8>);

    fn ours(bytes: &[u8]) -> Option<Six> {
        let read = Params::parse(bytes).ok()?;
        assert_eq!(&bytes[read.mac_at..read.mac_at + read.mac.len()], read.mac, "the digest is where it is said to be");
        let texts = [read.engine_id, read.user, read.mac, read.salt].map(<[u8]>::to_vec);
        let [engine, user, mac, salt] = texts;
        Some((engine, read.boots, read.time, user, mac, salt))
    }

    fn async_snmp(bytes: &[u8]) -> Option<Six> {
        let read = UsmSecurityParams::decode(Bytes::copy_from_slice(bytes), DecodeConfig::DEFAULT).ok()?.value;
        let texts =
            [read.engine_id(), read.username(), read.auth_params(), read.priv_params()].map(|text| text.to_vec());
        let [engine, user, mac, salt] = texts;
        Some((engine, read.engine_boots(), read.engine_time(), user, mac, salt))
    }

    fn snmp_parser(bytes: &[u8]) -> Option<Six> {
        let (_, read) = snmp_parser::parse_usm_security_parameters(bytes).ok()?;
        let [engine, mac, salt] =
            [read.msg_authoritative_engine_id, read.msg_authentication_parameters, read.msg_privacy_parameters]
                .map(<[u8]>::to_vec);
        let clock = [read.msg_authoritative_engine_boots, read.msg_authoritative_engine_time];
        // Beyond 2^31 - 1 there is no such clock; ours says 0.
        let [boots, time] = clock.map(|number| if number > i32::MAX as u32 { 0 } else { number });
        Some((engine, boots, time, read.msg_user_name.into_bytes(), mac, salt))
    }

    fn text(longest: usize) -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..longest)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn mutated_parameters_are_read_as_two_other_decoders_read_them(
            engine in text(34), clock in any::<(i32, i32)>(), user in "[a-z]{0,33}", mac in text(50), salt in text(10),
            scratches in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 0..3),
        ) {
            let (boots, time) = (clock.0.max(0) as u32, clock.1.max(0) as u32);
            let written = Params { engine_id: &engine, boots, time, user: user.as_bytes(), mac: &mac, mac_at: 0, salt: &salt };
            let mut bytes = Vec::new();
            written.write(&mut Writer::new(&mut bytes));
            for (at, byte, how) in scratches {
                let at = at.index(bytes.len().max(1));
                match how {
                    _ if bytes.is_empty() => {}
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    2 => bytes.truncate(at),
                    _ => { bytes.remove(at); }
                }
            }
            let read = ours(&bytes);
            for theirs in [async_snmp(&bytes), snmp_parser(&bytes)] {
                if let (Some(ours), Some(theirs)) = (&read, theirs) {
                    prop_assert_eq!(ours, &theirs, "{:02x?}", bytes);
                }
            }
            // What the stricter of the others reads we read, but for engine ids that RFC 3411 does not know.
            let refused = async_snmp(&bytes).filter(|theirs| read.is_none() && theirs.0.len() <= LONGEST_ENGINE_ID);
            prop_assert!(refused.is_none(), "{:02x?}", bytes);
        }
    }
}
