//! On the customer's network: discovery, polling, outbox, uplink.
//! Start at [`run`]: it enrols once, then keeps a fleet read and its reports delivered until it is told to stop.
//! Path of a finding: `discovery` or `polling` → `state` (committed) → `uplink` (delivered, then forgotten).

mod by_hand;
pub mod carry;
mod clock;
mod discovery;
mod enrol;
mod error;
mod keys;
mod orders;
mod polling;
mod proxy;
mod relay;
mod run;
mod state;
mod stats;
mod traps;
mod trust;
mod uplink;

use std::{net::SocketAddr, path::PathBuf};

pub use by_hand::ByHand;
pub use discovery::dns_sd;
pub use error::Error;
pub use orders::tail::{LogTail, TAIL_BYTES};
pub use proxy::Proxy;
pub use run::{Running, run};
pub use stats::{AgentStats, StatsView};

/// What an agent is started with.
#[derive(Clone, Debug, Default)]
pub struct AgentConfig {
    /// Folder of identity, device list and outbox; made when it is missing.
    pub data: PathBuf,
    /// `https://…` of the gateway or `http://…` of the web door; needed at the first start only.
    pub server: Option<String>,
    /// One-time token as a person copied it; needed at the first start only.
    pub enrol: Option<String>,
    /// Name shown to people; the host name when `None`.
    pub name: Option<String>,
    /// Address and UDP port at which traps and informs of devices are taken (port 0 picks one); `None`: nowhere.
    pub trap_listen: Option<SocketAddr>,
    /// The end of the agent's log, to be sent when somebody orders it; `None`: it has none to send.
    pub log: Option<LogTail>,
    /// HTTP proxy that stands between this network and the gateway.
    pub proxy: Option<Proxy>,
    /// Address and TCP port at which devices that report by themselves reach the gateway through this agent, as their HTTP
    /// proxy (port 0 picks one); `None`: nowhere.
    pub relay_listen: Option<SocketAddr>,
}
