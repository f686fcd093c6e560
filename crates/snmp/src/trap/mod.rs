//! Notifications: traps of v1 and v2c, informs. Reading and writing them is sans-IO; [`Listener`] owns a socket and
//! acknowledges informs.

mod listener;
mod write;

pub use listener::{Listener, Receipt, Received};
pub use write::{V1, write_inform, write_v1, write_v2};

use crate::ber::{Malformed, Tail, Writer};
use crate::message::{Body, MessageRef, write_community};
use crate::oid::{Oid, OidRef};
use crate::pdu::{PduKind, PduRef, VarBindRef, VarBinds, write_pdu};
use crate::target::Version;
use crate::value::{ValueRef, VarBind};

/// sysUpTime.0
pub(crate) const SYS_UP_TIME: Oid = Oid::of("1.3.6.1.2.1.1.3.0");
/// snmpTrapOID.0
pub(crate) const SNMP_TRAP_OID: Oid = Oid::of("1.3.6.1.6.3.1.1.4.1.0");
/// snmpTrapEnterprise.0
pub(crate) const SNMP_TRAP_ENTERPRISE: Oid = Oid::of("1.3.6.1.6.3.1.1.4.3.0");

/// A notification in a receive buffer, whatever its version.
#[derive(Clone, Debug)]
pub struct NotificationRef<'a> {
    /// Version of the message.
    pub version: Version,
    /// The community it came with; empty in v3.
    pub community: &'a [u8],
    /// The user who vouches for it (v3).
    pub user: Option<Vec<u8>>,
    /// What happened; a v1 trap has the identity RFC 3584 gives it.
    pub trap: Oid,
    /// Time since the agent started, in 1/100 s, if it says so.
    pub uptime: Option<u32>,
    /// Address the agent of a v1 trap believes it has.
    pub agent_address: Option<[u8; 4]>,
    /// What a v1 trap says of its maker, or a v2 one that was translated.
    pub enterprise: Option<Oid>,
    /// For informs: the request to acknowledge.
    pub inform: Option<PduRef<'a>>,
    /// Objects and values; of v2 without time and identity of the trap.
    varbinds: VarBinds<'a>,
}

/// A notification with values of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Version of the message.
    pub version: Version,
    /// The community it came with; empty in v3.
    pub community: crate::target::Community,
    /// The user who vouches for it (v3).
    pub user: Option<Vec<u8>>,
    /// What happened; a v1 trap has the identity RFC 3584 gives it.
    pub trap: Oid,
    /// Time since the agent started, in 1/100 s, if it says so.
    pub uptime: Option<u32>,
    /// Address the agent of a v1 trap believes it has.
    pub agent_address: Option<[u8; 4]>,
    /// What a v1 trap says of its maker, or a v2 one that was translated.
    pub enterprise: Option<Oid>,
    /// Whether the sender waits for an acknowledgement.
    pub inform: bool,
    /// Objects and values; of v2 without time and identity of the trap.
    pub varbinds: Vec<VarBind>,
}

impl<'a> NotificationRef<'a> {
    /// Takes a trap or inform out of an opened v3 message.
    pub(crate) fn of_v3(user: &[u8], pdu: &PduRef<'a>) -> Option<Self> {
        if !matches!(pdu.kind, PduKind::TrapV2 | PduKind::Inform) {
            return None;
        }
        Some(Self { user: Some(user.to_vec()), ..Self::of_v2(Version::V3, &[], pdu)? })
    }

    /// Reads a trap or inform of v1 or v2c. An answer or a request is malformed here.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Malformed> {
        let wrong = Malformed { offset: 0, what: "no notification" };
        let MessageRef::Community(message) = MessageRef::parse(datagram, Tail::MayBeCut)? else { return Err(wrong) };
        let (version, community) = (message.version, message.community);
        match message.body {
            Body::TrapV1(trap) => Ok(Self {
                version,
                community,
                user: None,
                trap: trap.trap_oid(),
                uptime: Some(trap.uptime),
                agent_address: Some(trap.agent_address),
                enterprise: Some(trap.enterprise.to_oid()),
                inform: None,
                varbinds: trap.varbinds,
            }),
            Body::Pdu(pdu) if matches!(pdu.kind, PduKind::TrapV2 | PduKind::Inform) => {
                Self::of_v2(version, community, &pdu).ok_or(Malformed { offset: 0, what: "a trap without identity" })
            }
            Body::Pdu(_) => Err(wrong),
        }
    }

    fn of_v2(version: Version, community: &'a [u8], pdu: &PduRef<'a>) -> Option<Self> {
        let find = |oid: &Oid| pdu.varbinds.map_while(Result::ok).find(|item| item.oid == *oid).map(|item| item.value);
        let as_oid = |value| match value {
            ValueRef::ObjectId(oid) => Some(OidRef::to_oid(oid)),
            _ => None,
        };
        Some(Self {
            version,
            community,
            user: None,
            trap: find(&SNMP_TRAP_OID).and_then(as_oid)?,
            uptime: find(&SYS_UP_TIME).and_then(ValueRef::as_u64).map(|ticks| ticks as u32),
            agent_address: None,
            enterprise: find(&SNMP_TRAP_ENTERPRISE).and_then(as_oid),
            inform: (pdu.kind == PduKind::Inform).then_some(*pdu),
            varbinds: pdu.varbinds,
        })
    }

    /// Objects and values, up to the first that cannot be read; of v2 without time and identity of the trap.
    pub fn varbinds(&self) -> impl Iterator<Item = VarBindRef<'a>> + use<'a> {
        self.varbinds.map_while(Result::ok).filter(|item| item.oid != SYS_UP_TIME && item.oid != SNMP_TRAP_OID)
    }

    /// Writes the acknowledgement of an inform over the contents of `out`; false if none is due, or if it is for the
    /// engine of v3 to do.
    pub fn acknowledge(&self, out: &mut Vec<u8>) -> bool {
        let Some(pdu) = self.inform.filter(|_| self.version != Version::V3) else { return false };
        out.clear();
        write_community(&mut Writer::new(out), self.version, self.community, |writer| write_receipt(writer, &pdu));
        true
    }

    /// An owned copy.
    pub fn to_owned(&self) -> Notification {
        Notification {
            version: self.version,
            community: crate::target::Secret::new(self.community),
            user: self.user.clone(),
            trap: self.trap.clone(),
            uptime: self.uptime,
            agent_address: self.agent_address,
            enterprise: self.enterprise.clone(),
            inform: self.inform.is_some(),
            varbinds: self.varbinds().map(|item| item.to_owned()).collect(),
        }
    }
}

/// The response that repeats an inform.
fn write_receipt(writer: &mut Writer<'_>, pdu: &PduRef<'_>) {
    let varbinds = pdu.varbinds.map_while(Result::ok).map(|item| (item.oid, item.value));
    write_pdu(writer, PduKind::Response, [pdu.request_id, 0, 0], varbinds);
}
