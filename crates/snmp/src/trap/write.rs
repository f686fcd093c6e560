//! Writing traps and informs.

use super::{SNMP_TRAP_OID, SYS_UP_TIME};
use crate::ber::Writer;
use crate::message::write_community;
use crate::oid::Oid;
use crate::pdu::{PduKind, write_pdu, write_trap_v1};
use crate::target::Version;
use crate::value::{ValueRef, VarBind};

/// The head of a v1 trap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct V1 {
    /// Who defined it.
    pub enterprise: Oid,
    /// Address of the agent.
    pub agent_address: [u8; 4],
    /// 0 coldStart … 5 egpNeighborLoss, 6 enterprise-specific.
    pub generic: i32,
    /// Number under `enterprise` when `generic` is 6.
    pub specific: i32,
    /// Time since the agent started, in 1/100 s.
    pub uptime: u32,
}

/// Writes a v1 trap over the contents of `out`.
pub fn write_v1(out: &mut Vec<u8>, community: &[u8], head: &V1, varbinds: &[VarBind]) {
    out.clear();
    write_community(&mut Writer::new(out), Version::V1, community, |writer| {
        let numbers = [head.generic, head.specific];
        write_trap_v1(writer, &head.enterprise, head.agent_address, numbers, head.uptime, varbinds);
    });
}

/// Writes a v2c trap over the contents of `out`.
pub fn write_v2(out: &mut Vec<u8>, community: &[u8], request_id: i32, uptime: u32, trap: &Oid, varbinds: &[VarBind]) {
    write(out, community, PduKind::TrapV2, request_id, uptime, trap, varbinds);
}

/// Writes a v2c inform over the contents of `out`; it is to be sent again until a Response with its request id comes.
pub fn write_inform(
    out: &mut Vec<u8>,
    community: &[u8],
    request_id: i32,
    uptime: u32,
    trap: &Oid,
    varbinds: &[VarBind],
) {
    write(out, community, PduKind::Inform, request_id, uptime, trap, varbinds);
}

fn write(
    out: &mut Vec<u8>,
    community: &[u8],
    kind: PduKind,
    request_id: i32,
    uptime: u32,
    trap: &Oid,
    varbinds: &[VarBind],
) {
    out.clear();
    let (time, identity) = (SYS_UP_TIME, SNMP_TRAP_OID);
    let head = [(time.as_ref(), ValueRef::TimeTicks(uptime)), (identity.as_ref(), ValueRef::ObjectId(trap.as_ref()))];
    let rest = varbinds.iter().map(|item| (item.oid.as_ref(), item.value.borrowed()));
    write_community(&mut Writer::new(out), Version::V2c, community, |writer| {
        write_pdu(writer, kind, [request_id, 0, 0], head.into_iter().chain(rest));
    });
}
