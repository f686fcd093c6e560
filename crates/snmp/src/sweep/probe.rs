//! Probes and what answers them. The id of a probe is a keyed hash of address and pass: an answer proves itself, and
//! a dead address costs no memory.

use std::hash::{BuildHasher, RandomState};
use std::net::Ipv4Addr;

use bytes::Bytes;

use crate::ber::{Tail, Writer};
use crate::message::{Body, MessageRef, write_community, write_discovery};
use crate::oid::Oid;
use crate::pdu::{PduKind, VarBinds, write_pdu};
use crate::target::Version;
use crate::value::ValueRef;

/// sysDescr.0
pub(super) const SYS_DESCR: Oid = Oid::of("1.3.6.1.2.1.1.1.0");
/// sysObjectID.0
pub(super) const SYS_OBJECT_ID: Oid = Oid::of("1.3.6.1.2.1.1.2.0");

/// What a pass sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// A GET of sysObjectID and sysDescr; the number is the place of the credential.
    Community { version: Version, community: Vec<u8>, credential: usize },
    /// SNMPv3 engine discovery, answered by agents that know none of our credentials.
    Discovery,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The community is right.
    System { version: Version, credential: usize, sys_object_id: Option<Oid>, sys_descr: Option<Bytes> },
    /// There is an SNMPv3 engine.
    Engine,
}

/// All passes so far; the place of a pass is part of the ids.
#[derive(Debug, Default)]
pub(super) struct Probes {
    key: RandomState,
    passes: Vec<Probe>,
}

impl Probes {
    /// Begins a pass; returns its number.
    pub(super) fn begin(&mut self, probe: Probe) -> usize {
        self.passes.push(probe);
        self.passes.len() - 1
    }

    fn id(&self, pass: usize, address: Ipv4Addr) -> i32 {
        (self.key.hash_one((pass, u32::from(address))) >> 33) as i32
    }

    /// Writes the probe of a pass for an address over the contents of `out`.
    pub(super) fn write(&self, pass: usize, address: Ipv4Addr, out: &mut Vec<u8>) {
        out.clear();
        let (id, mut writer) = (self.id(pass, address), Writer::new(out));
        match &self.passes[pass] {
            Probe::Community { version, community, .. } => {
                let (descr, object_id) = (SYS_DESCR, SYS_OBJECT_ID);
                let asked = [(object_id.as_ref(), ValueRef::Null), (descr.as_ref(), ValueRef::Null)];
                write_community(&mut writer, *version, community, |writer| {
                    write_pdu(writer, PduKind::Get, [id, 0, 0], asked);
                });
            }
            Probe::Discovery => write_discovery(&mut writer, id),
        }
    }

    /// What a datagram from `address` says, and to which pass; `None` if it answers no probe of ours.
    pub(super) fn read(&self, address: Ipv4Addr, datagram: &[u8]) -> Option<(usize, Said)> {
        let message = MessageRef::parse(datagram, Tail::MayBeCut).ok()?;
        match message {
            MessageRef::Community(message) => {
                let Body::Pdu(pdu) = message.body else { return None };
                if pdu.kind != PduKind::Response {
                    return None;
                }
                let pass = self.pass_of(pdu.request_id, address)?;
                let Probe::Community { version, credential, .. } = self.passes[pass] else { return None };
                let (sys_object_id, sys_descr) = system(pdu.varbinds);
                Some((pass, Said::System { version, credential, sys_object_id, sys_descr }))
            }
            MessageRef::V3(message) => {
                let pass = self.pass_of(message.header.msg_id, address)?;
                (self.passes[pass] == Probe::Discovery).then_some((pass, Said::Engine))
            }
        }
    }

    fn pass_of(&self, id: i32, address: Ipv4Addr) -> Option<usize> {
        (0..self.passes.len()).find(|pass| self.id(*pass, address) == id)
    }
}

/// sysObjectID and sysDescr, if the answer has them. An error leaves them out; the community was right all the same.
fn system(varbinds: VarBinds<'_>) -> (Option<Oid>, Option<Bytes>) {
    let (mut object_id, mut descr) = (None, None);
    for item in varbinds.map_while(Result::ok) {
        match item.value {
            ValueRef::ObjectId(oid) if item.oid == SYS_OBJECT_ID => object_id = Some(oid.to_oid()),
            ValueRef::OctetString(text) if item.oid == SYS_DESCR => descr = Some(Bytes::copy_from_slice(text)),
            _ => {}
        }
    }
    (object_id, descr)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdu::Pdu;
    use crate::value::{Value, VarBind};

    #[test]
    fn only_the_answer_of_the_asked_address_counts() {
        let mut probes = Probes::default();
        let pass =
            probes.begin(Probe::Community { version: Version::V2c, community: b"public".to_vec(), credential: 3 });
        let discovery = probes.begin(Probe::Discovery);
        let (here, there) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
        let id = probes.id(pass, here);
        let values = vec![
            VarBind::new(SYS_DESCR, Value::text("x")),
            VarBind::new(SYS_OBJECT_ID, Value::ObjectId(Oid::of("1.3.6"))),
        ];
        let mut reply = Vec::new();
        write_community(&mut Writer::new(&mut reply), Version::V2c, b"public", |writer| {
            Pdu::new(PduKind::Response, id, values).write(writer);
        });
        let said = Said::System {
            version: Version::V2c,
            credential: 3,
            sys_object_id: Some(Oid::of("1.3.6")),
            sys_descr: Some(Bytes::from_static(b"x")),
        };
        assert_eq!(probes.read(here, &reply), Some((pass, said)));
        assert_eq!(probes.read(there, &reply), None);
        let mut probe = Vec::new();
        probes.write(discovery, here, &mut probe);
        assert_eq!(probes.read(here, &probe), Some((discovery, Said::Engine)));
        assert_eq!(probes.read(there, &probe), None);
    }
}
