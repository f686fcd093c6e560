//! The codec against itself. Against other decoders: `fuzz`.

use bytes::Bytes;
use proptest::prelude::*;
use snmp::ber::{Tail, Writer};
use snmp::message::{Body, MessageRef, write_community};
use snmp::pdu::{Pdu, PduKind};
use snmp::{Oid, Value, VarBind, Version};

fn any_oid() -> impl Strategy<Value = Oid> {
    let arc = prop_oneof![0u32..200, any::<u32>()];
    (0u32..3, 0u32..40, prop::collection::vec(arc, 0..30)).prop_map(|(a, b, rest)| Oid::from_arcs(&[a, b]).join(&rest))
}

fn any_value() -> impl Strategy<Value = Value> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from);
    prop_oneof![
        any::<i32>().prop_map(Value::Integer),
        bytes().prop_map(Value::OctetString),
        Just(Value::Null),
        any_oid().prop_map(Value::ObjectId),
        any::<[u8; 4]>().prop_map(Value::IpAddress),
        any::<u32>().prop_map(Value::Counter32),
        any::<u32>().prop_map(Value::Gauge32),
        any::<u32>().prop_map(Value::TimeTicks),
        bytes().prop_map(Value::Opaque),
        any::<u64>().prop_map(Value::Counter64),
        Just(Value::NoSuchObject),
        Just(Value::NoSuchInstance),
        Just(Value::EndOfMibView),
    ]
}

fn any_message() -> impl Strategy<Value = (Version, Vec<u8>, Pdu)> {
    let kind = prop::sample::select(vec![
        PduKind::Get,
        PduKind::GetNext,
        PduKind::Response,
        PduKind::Set,
        PduKind::GetBulk,
        PduKind::Inform,
        PduKind::TrapV2,
    ]);
    let varbinds =
        prop::collection::vec((any_oid(), any_value()).prop_map(|(oid, value)| VarBind { oid, value }), 0..20);
    let version = prop::sample::select(vec![Version::V1, Version::V2c]);
    let community = prop::collection::vec(any::<u8>(), 0..40);
    (version, community, kind, any::<i32>(), 0..100i32, 0..100i32, varbinds).prop_map(
        |(version, community, kind, request_id, status, index, varbinds)| {
            (version, community, Pdu { kind, request_id, status, index, varbinds })
        },
    )
}

fn encode(version: Version, community: &[u8], pdu: &Pdu) -> Vec<u8> {
    let mut out = Vec::new();
    write_community(&mut Writer::new(&mut out), version, community, |writer| pdu.write(writer));
    out
}

/// Reads every part of a message, as users do; the number of bindings read.
fn read_all(bytes: &[u8], tail: Tail) -> Option<usize> {
    let text = |varbinds: snmp::pdu::VarBinds<'_>| {
        varbinds.map_while(Result::ok).map(|item| format!("{} {}", item.oid, item.value).len().min(1)).sum()
    };
    Some(match MessageRef::parse(bytes, tail).ok()? {
        MessageRef::Community(message) => match message.body {
            Body::Pdu(pdu) => text(pdu.varbinds),
            Body::TrapV1(trap) => trap.trap_oid().len() + text(trap.varbinds),
        },
        MessageRef::V3(message) => match message.data {
            snmp::message::ScopedData::Plain(bytes) => {
                text(snmp::message::Scoped::parse(bytes, tail).ok()?.pdu.varbinds)
            }
            snmp::message::ScopedData::Encrypted(bytes) => bytes.len(),
        },
    })
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded((version, community, pdu) in any_message()) {
        let bytes = encode(version, &community, &pdu);
        let MessageRef::Community(message) = MessageRef::parse(&bytes, Tail::Whole).unwrap() else { panic!("v3") };
        prop_assert_eq!(message.version, version);
        prop_assert_eq!(message.community, &community[..]);
        let Body::Pdu(read) = message.body else { panic!("a trap") };
        prop_assert_eq!(read.to_owned().unwrap(), pdu);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_all(&bytes, Tail::Whole);
        read_all(&bytes, Tail::MayBeCut);
    }

    #[test]
    fn any_cut_is_read_as_far_as_it_goes((version, community, pdu) in any_message(), at in any::<prop::sample::Index>()) {
        let bytes = encode(version, &community, &pdu);
        let cut = &bytes[..at.index(bytes.len())];
        prop_assert_eq!(read_all(cut, Tail::Whole), None);
        if let Some(count) = read_all(cut, Tail::MayBeCut) {
            prop_assert!(count <= pdu.varbinds.len());
        }
    }
}
