//! The trap of SNMPv1 (RFC 1157 §4.1.6).

use super::{VarBinds, write_varbind};
use crate::ber::{Malformed, Reader, Writer, tag};
use crate::oid::{Oid, OidRef};
use crate::value::{ValueRef, VarBind};

/// A v1 trap in a receive buffer.
#[derive(Clone, Copy, Debug)]
pub struct TrapV1<'a> {
    /// Who defined the trap.
    pub enterprise: OidRef<'a>,
    /// Address the agent believes it has.
    pub agent_address: [u8; 4],
    /// 0 coldStart … 5 egpNeighborLoss, 6 enterprise-specific.
    pub generic: i32,
    /// Number of the trap under `enterprise` when `generic` is 6.
    pub specific: i32,
    /// Time since the agent started, in 1/100 s.
    pub uptime: u32,
    /// Objects and values.
    pub varbinds: VarBinds<'a>,
}

impl<'a> TrapV1<'a> {
    /// Reads a trap that begins here.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut body = reader.enter(0xa4, "no v1 trap")?;
        let enterprise = body.oid()?;
        let ValueRef::IpAddress(agent_address) = body.value()? else {
            return Err(body.malformed("no agent address"));
        };
        let generic = body.int32("no generic trap number")?;
        let specific = body.int32("no specific trap number")?;
        let uptime = match body.value()? {
            ValueRef::TimeTicks(ticks) => ticks,
            // Some agents send the time as a plain number.
            other => other.as_u64().ok_or_else(|| body.malformed("no time stamp"))? as u32,
        };
        let varbinds = VarBinds::read(&mut body)?;
        Ok(Self { enterprise, agent_address, generic, specific, uptime, varbinds })
    }

    /// The identity this trap has in v2 (RFC 3584 §3.1).
    pub fn trap_oid(&self) -> Oid {
        if self.generic == 6 {
            self.enterprise.to_oid().join(&[0, self.specific as u32])
        } else {
            Oid::of("1.3.6.1.6.3.1.1.5").child((self.generic as u32).saturating_add(1))
        }
    }
}

/// Writes a v1 trap.
pub(crate) fn write_trap_v1(
    writer: &mut Writer<'_>,
    enterprise: &Oid,
    agent_address: [u8; 4],
    numbers: [i32; 2],
    uptime: u32,
    varbinds: &[VarBind],
) {
    let pdu = writer.open(0xa4);
    writer.value(ValueRef::ObjectId(enterprise.as_ref()));
    writer.value(ValueRef::IpAddress(agent_address));
    writer.int32(numbers[0]);
    writer.int32(numbers[1]);
    writer.value(ValueRef::TimeTicks(uptime));
    let list = writer.open(tag::SEQUENCE);
    for item in varbinds {
        write_varbind(writer, item.oid.as_ref(), item.value.borrowed());
    }
    writer.close(list);
    writer.close(pdu);
}
