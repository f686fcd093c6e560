//! What a packet says, in one form for all decoders, and how ours reads it.

use snmp::ber::{Malformed, Tail};
use snmp::message::{Body as OurBody, MessageRef, Scoped, ScopedData};
use snmp::pdu::{PduRef, VarBinds};
use snmp::{ValueRef, Version};

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Facts {
    Community { version: i64, community: Vec<u8>, body: Body },
    V3 { msg_id: i64, max_size: i64, flags: u8, security: Security, data: Data },
}

/// Security parameters, as far as a decoder shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    Raw(Vec<u8>),
    Usm { engine: Vec<u8>, boots: i64, time: i64, user: Vec<u8>, mac: Vec<u8>, salt: Vec<u8> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    Plain { engine: Vec<u8>, context: Vec<u8>, body: Body },
    Sealed(Vec<u8>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Kind is the tag; the numbers are request id, status or non-repeaters, index or max-repetitions.
    Pdu { kind: u8, numbers: [i64; 3], items: Vec<Item> },
    /// The numbers are generic, specific and uptime.
    Trap { enterprise: Id, address: [u8; 4], numbers: [i64; 3], items: Vec<Item> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub id: Id,
    pub value: Val,
}

/// An identifier, as its arcs or, where a decoder does not look into it, as bytes.
#[derive(Clone, Debug)]
pub enum Id {
    Arcs(Vec<u32>),
    Bytes(Vec<u8>),
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Arcs(a), Self::Arcs(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Arcs(arcs), Self::Bytes(bytes)) | (Self::Bytes(bytes), Self::Arcs(arcs)) => encode(arcs) == *bytes,
        }
    }
}

impl Eq for Id {}

/// The shortest encoding of at least two arcs.
fn encode(arcs: &[u32]) -> Vec<u8> {
    let [first, second, rest @ ..] = arcs else { return Vec::new() };
    let mut bytes = Vec::new();
    for arc in std::iter::once(u64::from(*first) * 40 + u64::from(*second)).chain(rest.iter().map(|arc| (*arc).into()))
    {
        let groups = (1..10).take_while(|group| arc >> (7 * group) != 0).count();
        bytes.extend((1..=groups).rev().map(|group| 0x80 | (arc >> (7 * group)) as u8));
        bytes.push(arc as u8 & 0x7f);
    }
    bytes
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Val {
    /// The tag of the type that the decoder gave it, and the number.
    Number(u8, i128),
    /// Likewise for bytes.
    Bytes(u8, Vec<u8>),
    Id(Id),
    Address([u8; 4]),
    Null,
    /// The tag of one of the three.
    Exception(u8),
    /// Nothing inside, and the decoder does not say of what type.
    Empty,
}

/// Our reading of a whole message; no part of it may be malformed.
pub fn ours(bytes: &[u8]) -> Result<Facts, Malformed> {
    Ok(match MessageRef::parse(bytes, Tail::Whole)? {
        MessageRef::Community(message) => Facts::Community {
            version: i64::from(message.version == Version::V2c),
            community: message.community.to_vec(),
            body: match message.body {
                OurBody::Pdu(pdu) => body(&pdu)?,
                OurBody::TrapV1(trap) => Body::Trap {
                    enterprise: Id::Arcs(trap.enterprise.arcs().collect()),
                    address: trap.agent_address,
                    numbers: [i64::from(trap.generic), i64::from(trap.specific), i64::from(trap.uptime)],
                    items: items(trap.varbinds)?,
                },
            },
        },
        MessageRef::V3(message) => Facts::V3 {
            msg_id: i64::from(message.header.msg_id),
            max_size: i64::from(message.header.max_size),
            flags: u8::from(message.header.flags.auth)
                | u8::from(message.header.flags.privacy) << 1
                | u8::from(message.header.flags.reportable) << 2,
            security: Security::Raw(message.security.to_vec()),
            data: match message.data {
                ScopedData::Encrypted(bytes) => Data::Sealed(bytes.to_vec()),
                ScopedData::Plain(bytes) => {
                    let scoped = Scoped::parse(bytes, Tail::Whole)?;
                    let (engine, context) = (scoped.engine_id.to_vec(), scoped.context.to_vec());
                    Data::Plain { engine, context, body: body(&scoped.pdu)? }
                }
            },
        },
    })
}

fn body(pdu: &PduRef<'_>) -> Result<Body, Malformed> {
    let numbers = [pdu.request_id, pdu.status, pdu.index].map(i64::from);
    Ok(Body::Pdu { kind: pdu.kind as u8, numbers, items: items(pdu.varbinds)? })
}

fn items(list: VarBinds<'_>) -> Result<Vec<Item>, Malformed> {
    list.map(|item| item.map(|item| Item { id: Id::Arcs(item.oid.arcs().collect()), value: value(item.value) }))
        .collect()
}

fn value(value: ValueRef<'_>) -> Val {
    match value {
        ValueRef::Integer(number) => Val::Number(0x02, number.into()),
        ValueRef::Counter32(number) => Val::Number(0x41, number.into()),
        ValueRef::Gauge32(number) => Val::Number(0x42, number.into()),
        ValueRef::TimeTicks(number) => Val::Number(0x43, number.into()),
        ValueRef::Counter64(number) => Val::Number(0x46, number.into()),
        ValueRef::OctetString(bytes) => Val::Bytes(0x04, bytes.to_vec()),
        ValueRef::Opaque(bytes) => Val::Bytes(0x44, bytes.to_vec()),
        ValueRef::ObjectId(id) => Val::Id(Id::Arcs(id.arcs().collect())),
        ValueRef::IpAddress(address) => Val::Address(address),
        ValueRef::Null => Val::Null,
        ValueRef::NoSuchObject => Val::Exception(0x80),
        ValueRef::NoSuchInstance => Val::Exception(0x81),
        ValueRef::EndOfMibView => Val::Exception(0x82),
    }
}
