//! The codec against itself, against mutations, and against a second decoder.

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

/// A small generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below.max(1)
    }
}

/// Messages of every kind.
fn corpus() -> Vec<Vec<u8>> {
    let base = Oid::of("1.3.6.1.2.1.43.11.1.1");
    let values = [
        Value::Integer(-3),
        Value::text("Black Toner Cartridge"),
        Value::Null,
        Value::ObjectId(Oid::of("1.3.6.1.4.1.367.1.1")),
        Value::IpAddress([10, 1, 2, 3]),
        Value::Counter32(4_000_000_000),
        Value::Gauge32(70),
        Value::TimeTicks(123_456_789),
        Value::Opaque(Bytes::from_static(&[0x9f, 0x78, 4, 0x42, 0xf6, 0, 0])),
        Value::Counter64(1 << 40),
        Value::NoSuchInstance,
        Value::EndOfMibView,
        Value::OctetString(Bytes::from(vec![b'x'; 200])),
    ];
    let varbinds: Vec<VarBind> =
        (1..).zip(values).map(|(index, value)| VarBind::new(base.join(&[index, 1, 300]), value)).collect();
    let mut all = Vec::new();
    for version in [Version::V1, Version::V2c] {
        for kind in [PduKind::Get, PduKind::Response, PduKind::GetBulk, PduKind::TrapV2] {
            all.push(encode(version, b"public", &Pdu::new(kind, 0x1234_5678, varbinds.clone())));
        }
    }
    let mut out = Vec::new();
    snmp::trap::write_v1(
        &mut out,
        b"public",
        &snmp::trap::V1 {
            enterprise: Oid::of("1.3.6.1.2.1.43.18.2"),
            agent_address: [10, 1, 2, 3],
            generic: 6,
            specific: 1,
            uptime: 99,
        },
        &varbinds,
    );
    all.push(out);
    let mut v3 = Vec::new();
    let flags = snmp::message::Flags { auth: false, privacy: false, reportable: true };
    let header = snmp::message::Header { msg_id: 77, max_size: 65_507, flags };
    snmp::message::write_v3(&mut Writer::new(&mut v3), header, &[0x30, 0], |writer| {
        snmp::message::write_scoped(writer, b"engine", b"context", |writer| {
            Pdu::new(PduKind::Get, 5, varbinds.clone()).write(writer);
        });
    });
    all.push(v3);
    all
}

fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..1 + random.next(4) {
        let at = random.next(bytes.len());
        if bytes.is_empty() {
            return;
        }
        match random.next(7) {
            0 => bytes[at] ^= 1 << random.next(8),
            1 => bytes[at] = [0, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff][random.next(7)],
            2 => bytes.truncate(at),
            3 => bytes.insert(at, random.next(256) as u8),
            4 => {
                bytes.remove(at);
            }
            5 => {
                let end = (at + 1 + random.next(20)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = random.next(bytes.len());
                bytes.splice(to..to, piece);
            }
            _ => bytes[at] = bytes[at].wrapping_add(1),
        }
    }
}

#[test]
fn mutated_messages_never_panic_and_agree_with_a_second_decoder() {
    let (corpus, mut random) = (corpus(), Random(0x9e37_79b9_7f4a_7c15));
    let (mut read, mut both, mut unexplained) = (0, 0, Vec::new());
    let total = 120_000;
    for number in 0..total {
        let mut bytes = corpus[number % corpus.len()].clone();
        mutate(&mut bytes, &mut random);
        read += usize::from(read_all(&bytes, Tail::MayBeCut).is_some());
        read_all(&bytes, Tail::Whole);
        if number % 4 == 0
            && let Some(agrees) = compare(&bytes)
        {
            both += 1;
            if let Err(difference) = agrees {
                unexplained.push((difference, bytes));
            }
        }
    }
    println!("{total} mutations, {read} still readable, {both} read by both decoders");
    for (difference, bytes) in &unexplained {
        println!("{difference}: {bytes:02x?}");
    }
    assert!(unexplained.is_empty(), "{} disagreements", unexplained.len());
    assert!(both > 1_000);
}

#[test]
fn canonical_messages_are_read_alike_by_a_second_decoder() {
    for bytes in corpus().into_iter().filter(|bytes| bytes[4..].iter().take(3).all(|byte| *byte != 3)) {
        if let Some(result) = compare(&bytes) {
            result.unwrap();
        }
    }
}

/// `None`: one of the decoders refuses. Else whether both read the same.
fn compare(bytes: &[u8]) -> Option<Result<(), String>> {
    use async_snmp::message::{CommunityMessage, CommunityPdu};
    let MessageRef::Community(ours) = MessageRef::parse(bytes, Tail::Whole).ok()? else { return None };
    let Body::Pdu(pdu) = ours.body else { return None };
    let pdu = pdu.to_owned().ok()?;
    let config = async_snmp::DecodeConfig::DEFAULT;
    let theirs = CommunityMessage::decode(Bytes::copy_from_slice(bytes), config).ok()?.value;
    let CommunityPdu::Standard(other) = theirs.pdu() else { return Some(Err("kind".to_owned())) };
    if theirs.community().as_bytes() != ours.community {
        return Some(Err("community".to_owned()));
    }
    let (request_id, _, varbinds) = other.clone().into_raw_parts();
    if request_id != pdu.request_id || varbinds.len() != pdu.varbinds.len() {
        return Some(Err(format!("head {request_id} {} {} {}", pdu.request_id, varbinds.len(), pdu.varbinds.len())));
    }
    for (ours, theirs) in pdu.varbinds.iter().zip(&varbinds) {
        let arcs: Vec<u32> = ours.oid.arcs().collect();
        // An empty identifier is 0.0 for us.
        if theirs.oid.arcs() != arcs && !theirs.oid.arcs().is_empty() {
            return Some(Err(format!("{} and {:?}", ours.oid, theirs.oid)));
        }
        if !same(&ours.value, &theirs.value) {
            return Some(Err(format!("{:?} and {:?}", ours.value, theirs.value)));
        }
    }
    Some(Ok(()))
}

/// Equal, or different in one of the ways that are meant to be.
fn same(ours: &Value, theirs: &async_snmp::Value) -> bool {
    use async_snmp::Value as Other;
    match (ours, theirs) {
        (Value::Integer(a), Other::Integer(b)) => a == b,
        (Value::OctetString(a), Other::OctetString(b)) => a == b,
        (Value::Opaque(a), Other::Opaque(b) | Other::Nsap(b)) => a == b,
        (Value::ObjectId(a), Other::ObjectIdentifier(b)) => b.is_empty() || a.arcs().eq(b.arcs().iter().copied()),
        (Value::IpAddress(a), Other::IpAddress(b)) => a == b,
        (Value::Counter32(a), Other::Counter32(b)) => a == b,
        (Value::Gauge32(a), Other::Gauge32(b) | Other::UInteger32(b)) => a == b,
        (Value::TimeTicks(a), Other::TimeTicks(b)) => a == b,
        (Value::Counter64(a), Other::Counter64(b)) => a == b,
        // BIT STRING, a type of SMIv1 long gone.
        (Value::Opaque(a), Other::Unknown { tag: 3, data }) => a == data,
        // Numbers beyond their type: they cut them off, we keep them in the next wider type.
        (Value::Gauge32(a), Other::Integer(b)) => *a as i32 == *b,
        (Value::Counter64(a), Other::Integer(b)) => *a as i32 == *b,
        (Value::Counter64(a), Other::Counter32(b) | Other::Gauge32(b) | Other::UInteger32(b) | Other::TimeTicks(b)) => {
            *a as u32 == *b
        }
        (Value::Null, Other::Null) => true,
        (Value::NoSuchObject, Other::NoSuchObject) => true,
        (Value::NoSuchInstance, Other::NoSuchInstance) => true,
        (Value::EndOfMibView, Other::EndOfMibView) => true,
        _ => false,
    }
}
