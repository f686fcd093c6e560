//! The other decoders: what they make of a packet, in our form; an error is the text they give.

use async_snmp::message::{CommunityPdu, Message, V3MessageData};
use async_snmp::pdu::PduBody;
use async_snmp::{DecodeConfig, Value};
use bytes::Bytes;
use snmp_parser::asn1_rs::FromBer;
use snmp_parser::{
    NetworkAddress, ObjectSyntax, ScopedPduData, SecurityParameters, SnmpGenericMessage, SnmpPdu, SnmpVariable,
    VarBindValue,
};

use super::facts::{Body, Data, Facts, Id, Item, Security, Val};

/// Another decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    AsyncSnmp,
    SnmpParser,
}

impl Peer {
    pub const ALL: [Self; 2] = [Self::AsyncSnmp, Self::SnmpParser];

    pub fn read(self, bytes: &[u8]) -> Result<Facts, String> {
        match self {
            Self::AsyncSnmp => by_async_snmp(bytes),
            Self::SnmpParser => by_snmp_parser(bytes),
        }
    }
}

fn by_async_snmp(bytes: &[u8]) -> Result<Facts, String> {
    let message = Message::decode(Bytes::copy_from_slice(bytes), DecodeConfig::DEFAULT);
    Ok(match message.map_err(|error| error.to_string())?.value {
        Message::Community(message) => Facts::Community {
            version: message.version().as_i32().into(),
            community: message.community().as_bytes().to_vec(),
            body: match message.pdu().clone() {
                CommunityPdu::Standard(pdu) => async_body(pdu),
                CommunityPdu::TrapV1(trap) => Body::Trap {
                    enterprise: Id::Arcs(trap.enterprise().arcs().to_vec()),
                    address: trap.agent_addr(),
                    numbers: [
                        i64::from(trap.generic_trap().as_i32()),
                        i64::from(trap.specific_trap()),
                        i64::from(trap.time_stamp()),
                    ],
                    items: trap.varbinds().iter().map(async_item).collect(),
                },
            },
        },
        Message::V3(message) => Facts::V3 {
            msg_id: message.global_data().msg_id().into(),
            max_size: message.global_data().msg_max_size().as_i32().into(),
            flags: message.global_data().msg_flags().to_byte(),
            security: Security::Raw(message.security_params().to_vec()),
            data: match message.data() {
                V3MessageData::Encrypted(bytes) => Data::Sealed(bytes.to_vec()),
                V3MessageData::Plaintext(scoped) => Data::Plain {
                    engine: scoped.context_engine_id.to_vec(),
                    context: scoped.context_name.to_vec(),
                    body: async_body(scoped.pdu.clone()),
                },
            },
        },
    })
}

fn async_body(pdu: async_snmp::pdu::Pdu) -> Body {
    let kind = pdu.pdu_type().tag();
    let (id, body, items) = pdu.into_raw_parts();
    let (status, index) = match body {
        PduBody::Standard { error_status, error_index, .. } => (i64::from(error_status), i64::from(error_index)),
        PduBody::GetBulk { non_repeaters, max_repetitions } => (i64::from(non_repeaters), i64::from(max_repetitions)),
    };
    Body::Pdu { kind, numbers: [id.into(), status, index], items: items.iter().map(async_item).collect() }
}

fn async_item(item: &async_snmp::VarBind) -> Item {
    let value = match &item.value {
        Value::Integer(number) => Val::Number(0x02, (*number).into()),
        Value::Counter32(number) => Val::Number(0x41, (*number).into()),
        Value::Gauge32(number) => Val::Number(0x42, (*number).into()),
        Value::TimeTicks(number) => Val::Number(0x43, (*number).into()),
        Value::Counter64(number) => Val::Number(0x46, (*number).into()),
        Value::UInteger32(number) => Val::Number(0x47, (*number).into()),
        Value::OctetString(bytes) => Val::Bytes(0x04, bytes.to_vec()),
        Value::Opaque(bytes) => Val::Bytes(0x44, bytes.to_vec()),
        Value::Nsap(bytes) => Val::Bytes(0x45, bytes.to_vec()),
        Value::Unknown { tag, data } => Val::Bytes(*tag, data.to_vec()),
        Value::ObjectIdentifier(id) => Val::Id(Id::Arcs(id.arcs().to_vec())),
        Value::IpAddress(address) => Val::Address(*address),
        Value::Null => Val::Null,
        Value::NoSuchObject => Val::Exception(0x80),
        Value::NoSuchInstance => Val::Exception(0x81),
        Value::EndOfMibView => Val::Exception(0x82),
        other => Val::Bytes(0xff, other.to_string().into_bytes()),
    };
    Item { id: Id::Arcs(item.oid.arcs().to_vec()), value }
}

fn by_snmp_parser(bytes: &[u8]) -> Result<Facts, String> {
    let (_, message) = SnmpGenericMessage::from_ber(bytes).map_err(|error| error.to_string())?;
    Ok(match message {
        SnmpGenericMessage::V1(message) | SnmpGenericMessage::V2(message) => Facts::Community {
            version: message.version.into(),
            community: message.community.into_bytes(),
            body: parser_body(message.pdu),
        },
        SnmpGenericMessage::V3(message) => Facts::V3 {
            msg_id: message.header_data.msg_id.into(),
            max_size: message.header_data.msg_max_size.into(),
            flags: message.header_data.msg_flags,
            security: match message.security_params {
                SecurityParameters::Raw(bytes) => Security::Raw(bytes.to_vec()),
                SecurityParameters::USM(usm) => Security::Usm {
                    engine: usm.msg_authoritative_engine_id.to_vec(),
                    boots: usm.msg_authoritative_engine_boots.into(),
                    time: usm.msg_authoritative_engine_time.into(),
                    user: usm.msg_user_name.into_bytes(),
                    mac: usm.msg_authentication_parameters.to_vec(),
                    salt: usm.msg_privacy_parameters.to_vec(),
                },
            },
            data: match message.data {
                ScopedPduData::Encrypted(bytes) => Data::Sealed(bytes.to_vec()),
                ScopedPduData::Plaintext(scoped) => Data::Plain {
                    engine: scoped.ctx_engine_id.to_vec(),
                    context: scoped.ctx_engine_name.to_vec(),
                    body: parser_body(scoped.data),
                },
            },
        },
    })
}

fn parser_body(pdu: SnmpPdu<'_>) -> Body {
    match pdu {
        SnmpPdu::Generic(pdu) => Body::Pdu {
            kind: 0xa0 | pdu.pdu_type.0 as u8,
            numbers: [pdu.req_id, pdu.err.0, pdu.err_index].map(i64::from),
            items: pdu.var.into_iter().map(parser_item).collect(),
        },
        SnmpPdu::Bulk(pdu) => Body::Pdu {
            kind: 0xa5,
            numbers: [pdu.req_id, pdu.non_repeaters, pdu.max_repetitions].map(i64::from),
            items: pdu.var.into_iter().map(parser_item).collect(),
        },
        SnmpPdu::TrapV1(trap) => {
            let NetworkAddress::IPv4(address) = trap.agent_addr;
            Body::Trap {
                enterprise: Id::Bytes(trap.enterprise.as_bytes().to_vec()),
                address: address.octets(),
                numbers: [trap.generic_trap.0.into(), trap.specific_trap.into(), trap.timestamp.into()],
                items: trap.var.into_iter().map(parser_item).collect(),
            }
        }
    }
}

fn parser_item(item: SnmpVariable<'_>) -> Item {
    let value = match item.val {
        VarBindValue::Unspecified => Val::Null,
        VarBindValue::NoSuchObject => Val::Exception(0x80),
        VarBindValue::NoSuchInstance => Val::Exception(0x81),
        VarBindValue::EndOfMibView => Val::Exception(0x82),
        VarBindValue::Value(value) => match value {
            ObjectSyntax::Number(number) => Val::Number(0x02, number.into()),
            ObjectSyntax::Counter32(number) => Val::Number(0x41, number.into()),
            ObjectSyntax::Gauge32(number) => Val::Number(0x42, number.into()),
            ObjectSyntax::TimeTicks(number) => Val::Number(0x43, number.into()),
            ObjectSyntax::Counter64(number) => Val::Number(0x46, number.into()),
            ObjectSyntax::UInteger32(number) => Val::Number(0x47, number.into()),
            ObjectSyntax::String(bytes) => Val::Bytes(0x04, bytes.to_vec()),
            ObjectSyntax::Opaque(bytes) => Val::Bytes(0x44, bytes.to_vec()),
            ObjectSyntax::NsapAddress(bytes) => Val::Bytes(0x45, bytes.to_vec()),
            ObjectSyntax::BitString(bits) => Val::Bytes(0x03, bits.as_ref().to_vec()),
            ObjectSyntax::Object(id) => Val::Id(Id::Bytes(id.as_bytes().to_vec())),
            ObjectSyntax::IpAddress(NetworkAddress::IPv4(address)) => Val::Address(address.octets()),
            ObjectSyntax::Empty => Val::Empty,
            ObjectSyntax::UnknownSimple(any) | ObjectSyntax::UnknownApplication(any) => {
                Val::Bytes(any.tag().0 as u8, any.data.to_vec())
            }
        },
    };
    Item { id: Id::Bytes(item.oid.as_bytes().to_vec()), value }
}
