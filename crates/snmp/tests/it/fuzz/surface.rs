//! Every door of the crate that bytes of strangers come in by: nothing panics, nothing is allocated by a length that
//! was not checked, and what was read is written and read again the same.

use snmp::ber::{Tail, Writer};
use snmp::message::{Body, MessageRef, Scoped, ScopedData, write_community, write_scoped, write_v3};
use snmp::pdu::{PduRef, VarBinds};
use snmp::responder::{Agent, answer, answer_v3};
use snmp::trap::{NotificationRef, V1, write_v1};
use snmp::usm::{Authority, Users};
use snmp::{AuthProtocol, PrivProtocol, UsmUser};

use super::facts;
use crate::agents::Table;
use crate::counting::{allocated, allocations};

/// Bytes that an owned copy may allocate for each byte of the packet, and beyond that.
const SHARE: u64 = 64;
const BASE: u64 = 4_096;

/// What the doors lead to.
pub struct Surface {
    table: Table,
    authority: Authority,
    out: Vec<u8>,
}

impl Surface {
    pub fn new() -> Self {
        let user =
            UsmUser::new("secure").auth(AuthProtocol::Sha256, "authpass1").privacy(PrivProtocol::Aes128, "privpass1");
        let users = Users::new(&[user, UsmUser::new("plain")]).expect("good pass phrases");
        let authority = Authority::new(b"\x80\x00\x1f\x88\x04platen", 7, users);
        Self { table: Table::grid(2, 5), authority, out: Vec::with_capacity(80_000) }
    }

    /// Shows the packet at every door; what went wrong.
    pub fn try_all(&mut self, bytes: &[u8]) -> Result<(), String> {
        let before = allocations();
        let mut seen = 0;
        for tail in [Tail::Whole, Tail::MayBeCut] {
            seen += look(bytes, tail);
        }
        let made = allocations() - before;
        if made != 0 {
            return Err(format!("{made} allocations by a decoder that has none ({seen} bindings)"));
        }
        let before = allocated();
        let _ = NotificationRef::parse(bytes).map(|notification| {
            notification.acknowledge(&mut self.out);
            notification.to_owned()
        });
        let owned = owned(bytes);
        let used = allocated() - before;
        let most = SHARE * bytes.len() as u64 + BASE;
        if used > most {
            return Err(format!("{used} bytes allocated for a packet of {}", bytes.len()));
        }
        drop(owned);
        let _ = answer(bytes, |_| Some(Agent::new(&self.table)), &mut self.out);
        let _ = answer_v3(bytes, &self.authority, |_| Some(Agent::new(&self.table)), &mut self.out);
        self.again(bytes)
    }

    /// Decode, encode, decode: the same facts, and the same bytes from then on.
    fn again(&mut self, bytes: &[u8]) -> Result<(), String> {
        let Ok(first) = facts::ours(bytes) else { return Ok(()) };
        let once = encode(bytes).ok_or("a packet that is read cannot be written")?;
        let second = facts::ours(&once).map_err(|error| format!("what we write we do not read: {error}"))?;
        if first != second {
            return Err(format!("written and read again it differs:\n  {first:?}\n  {second:?}"));
        }
        let twice = encode(&once).ok_or("a packet that is read cannot be written")?;
        if once == twice { Ok(()) } else { Err("writing has no fixed point".to_owned()) }
    }
}

/// Reads every part as users do, without keeping any.
fn look(bytes: &[u8], tail: Tail) -> usize {
    let count =
        |list: VarBinds<'_>| list.map_while(Result::ok).map(|item| item.oid.arcs().count().min(1)).sum::<usize>();
    match MessageRef::parse(bytes, tail) {
        Ok(MessageRef::Community(message)) => match message.body {
            Body::Pdu(pdu) => count(pdu.varbinds),
            Body::TrapV1(trap) => count(trap.varbinds),
        },
        Ok(MessageRef::V3(message)) => match message.data {
            ScopedData::Plain(bytes) => Scoped::parse(bytes, tail).map_or(0, |scoped| count(scoped.pdu.varbinds)),
            ScopedData::Encrypted(bytes) => bytes.len(),
        },
        Err(_) => 0,
    }
}

fn owned(bytes: &[u8]) -> Option<snmp::pdu::Pdu> {
    match MessageRef::parse(bytes, Tail::MayBeCut).ok()? {
        MessageRef::Community(message) => match message.body {
            Body::Pdu(pdu) => pdu.to_owned().ok(),
            Body::TrapV1(_) => None,
        },
        MessageRef::V3(message) => match message.data {
            ScopedData::Plain(bytes) => Scoped::parse(bytes, Tail::Whole).ok()?.pdu.to_owned().ok(),
            ScopedData::Encrypted(_) => None,
        },
    }
}

/// Writes what was read.
fn encode(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let writer = |pdu: &PduRef<'_>| pdu.to_owned().ok();
    match MessageRef::parse(bytes, Tail::Whole).ok()? {
        MessageRef::Community(message) => match message.body {
            Body::Pdu(pdu) => {
                let pdu = writer(&pdu)?;
                write_community(&mut Writer::new(&mut out), message.version, message.community, |writer| {
                    pdu.write(writer);
                });
            }
            Body::TrapV1(trap) => {
                let head = V1 {
                    enterprise: trap.enterprise.to_oid(),
                    agent_address: trap.agent_address,
                    generic: trap.generic,
                    specific: trap.specific,
                    uptime: trap.uptime,
                };
                let items: Vec<_> = trap.varbinds.map_while(Result::ok).map(|item| item.to_owned()).collect();
                write_v1(&mut out, message.community, &head, &items);
                if message.version == snmp::Version::V2c {
                    // A v1 trap in a v2c message, which only the reader tolerates.
                    let at = out.windows(3).position(|window| window == [2, 1, 0])?;
                    out[at + 2] = 1;
                }
            }
        },
        MessageRef::V3(message) => {
            let (security, header) = (message.security, message.header);
            match message.data {
                ScopedData::Encrypted(text) => {
                    write_v3(&mut Writer::new(&mut out), header, security, |writer| writer.primitive(4, text));
                }
                ScopedData::Plain(bytes) => {
                    let scoped = Scoped::parse(bytes, Tail::Whole).ok()?;
                    let pdu = writer(&scoped.pdu)?;
                    write_v3(&mut Writer::new(&mut out), header, security, |writer| {
                        write_scoped(writer, scoped.engine_id, scoped.context, |writer| pdu.write(writer));
                    });
                }
            }
        }
    }
    Some(out)
}
