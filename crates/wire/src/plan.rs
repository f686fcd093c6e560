//! What an agent is asked to do: where to look, with which credentials, how often.
//! The server holds it, a person edits it, any reply may carry a newer revision.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The plan of one agent. Times are seconds, rates packets a second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct AgentPlan {
    /// Rises with each edit; the agent reports the one it follows.
    #[n(0)]
    pub revision: u64,
    /// Where to look: `10.0.0.0/24`, `10.0.0.1-10.0.0.99` or one address, each optionally with `:port`
    /// ([`crate::places::Span`]). IPv6 only as single addresses.
    #[n(1)]
    pub ranges: Vec<String>,
    /// Never ask these, by whatever road they were found: the forms of `ranges`, IPv6 networks, MAC addresses and their
    /// first halves ([`crate::places::Exclusions`]).
    #[n(2)]
    pub exclude: Vec<String>,
    /// Tried in this order, and only on addresses that answer.
    #[n(3)]
    pub credentials: Vec<SnmpCredential>,
    /// Seconds between two looks at the status of a device.
    #[n(4)]
    pub status_s: u32,
    /// Seconds between two readings of the meters of a device.
    #[n(5)]
    pub meters_s: u32,
    /// Seconds between two full readings of supplies, trays and identity.
    #[n(6)]
    pub full_s: u32,
    /// Seconds between two discoveries.
    #[n(7)]
    pub discovery_s: u32,
    /// Packets a second that discovery may send, over all ranges.
    #[n(8)]
    pub discovery_pps: u32,
    /// Single places that a person named or a list brought; asked like `ranges`, and before them.
    #[n(9)]
    #[cbor(default)]
    #[serde(default)]
    pub targets: Vec<Target>,
    /// When discovery may run: `mon-fri 18:00-06:00`, `sat,sun` ([`crate::hours::Hours`]); none: at any time.
    #[n(10)]
    #[cbor(default)]
    #[serde(default)]
    pub hours: Vec<String>,
    /// IANA time zone of the site, which `hours` are meant by; empty: UTC.
    #[n(11)]
    #[cbor(default)]
    #[serde(default)]
    pub zone: String,
    /// Whom to ask by DNS-SD who prints: `local` (multicast on every link), or the address of a reflector. What answers
    /// is asked by SNMP like any other address and trusted no more.
    #[n(12)]
    #[cbor(default)]
    #[serde(default)]
    pub dns_sd: Vec<String>,
    /// Rises when a person wants a discovery now, whatever the hours.
    #[n(13)]
    #[cbor(default)]
    #[serde(default)]
    pub asked: u32,
    /// Packets a second that the agent sends to each /24 of IPv4 and /64 of IPv6, discovery and polling together; 0: a
    /// subnet has no budget of its own.
    #[n(14)]
    #[cbor(default)]
    #[serde(default)]
    pub subnet_pps: u32,
}

/// One place that is asked, and what a list said about it. What a device says of itself stands over it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cbor(map)]
pub struct Target {
    /// An address of either family or a host name, optionally with a port (`10.0.0.7:1161`, `[2001:db8::7]:161`).
    #[n(0)]
    pub host: String,
    /// Name for people.
    #[n(1)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it stands.
    #[n(2)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Asset number.
    #[n(3)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<String>,
    /// MAC address as a lease or a neighbour table had it: evidence for a device that tells neither serial nor MAC.
    #[n(4)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
}

impl Default for AgentPlan {
    /// What an agent follows until a person says otherwise: nothing to look for, status each minute, meters hourly.
    fn default() -> Self {
        Self {
            revision: 0,
            ranges: Vec::new(),
            exclude: Vec::new(),
            credentials: vec![SnmpCredential::community("public")],
            status_s: 60,
            meters_s: 3_600,
            full_s: 3_600,
            discovery_s: 4 * 3_600,
            discovery_pps: 150,
            targets: Vec::new(),
            hours: Vec::new(),
            zone: String::new(),
            dns_sd: Vec::new(),
            asked: 0,
            subnet_pps: 0,
        }
    }
}

/// How to speak SNMP to a device. `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SnmpCredential {
    /// v2c first, then v1, with this community.
    #[n(0)]
    Community {
        /// The community name.
        #[n(0)]
        community: String,
    },
    /// SNMPv3 with the user-based security model.
    #[n(1)]
    Usm {
        /// User name.
        #[n(0)]
        user: String,
        /// `md5`, `sha1`, `sha224`, `sha256`, `sha384` or `sha512`; `None`: noAuthNoPriv.
        #[n(1)]
        auth: Option<String>,
        /// Authentication pass phrase.
        #[n(2)]
        auth_pass: Option<String>,
        /// `des`, `aes128`, `aes192` or `aes256`; `None`: no privacy.
        #[n(3)]
        privacy: Option<String>,
        /// Privacy pass phrase.
        #[n(4)]
        privacy_pass: Option<String>,
    },
}

impl SnmpCredential {
    /// A community for v2c and v1.
    pub fn community(name: &str) -> Self {
        Self::Community { community: name.to_owned() }
    }
}

impl fmt::Debug for SnmpCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Community { .. } => f.write_str("Community(…)"),
            Self::Usm { user, auth, privacy, .. } => {
                write!(f, "Usm({user}, auth {auth:?}, privacy {privacy:?}, …)")
            }
        }
    }
}
