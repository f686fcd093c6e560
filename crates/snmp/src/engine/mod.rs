//! The manager: asks devices and awaits their answers over a few shared sockets. `core` is sans-IO and holds the
//! rules (slab, timers, budgets, what was learnt of a device); `shard` is the rim; the rest is what callers see.

mod core;
mod exchange;
mod get;
mod pacer;
mod peers;
mod poll;
mod secure;
mod shard;
mod subnets;
mod wheel;

use std::hash::BuildHasher;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use self::core::Core;
pub(crate) use self::exchange::Request;
pub(crate) use self::pacer::Pacer;
pub use self::peers::Learnt;
pub use self::poll::{Poller, PollerConfig, Prepared};
use self::shard::{Budgets, Shard};
pub(crate) use self::subnets::Parked;
pub use self::subnets::{SubnetBudget, Subnets};
use crate::error::Error;
use crate::oid::Oid;
use crate::pdu::PduKind;
use crate::target::Target;
use crate::value::{ValueRef, VarBind};
use crate::walk::{Walk, WalkLimits};

/// How an engine is set up.
#[derive(Clone, Copy, Debug)]
pub struct EngineConfig {
    /// Number of sockets, each served by a task of its own; 0: one a core, at most 4.
    pub shards: usize,
    /// Local address to send from; port 0 picks one.
    pub bind: SocketAddr,
    /// Most requests waiting for an answer or for their turn, a shard (up to 131,072).
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
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    shards: Vec<Arc<Shard>>,
    /// For IPv6, unless `shards` speak it themselves or the system has none.
    v6: Option<Arc<Shard>>,
    hash: std::hash::RandomState,
}

impl Drop for Inner {
    fn drop(&mut self) {
        for shard in self.shards.iter().chain(&self.v6) {
            shard.stop();
        }
    }
}

impl Engine {
    /// Opens the sockets and starts their tasks on the current tokio runtime.
    pub fn start(config: EngineConfig) -> io::Result<Self> {
        Self::start_with(config, &Subnets::default())
    }

    /// As [`Engine::start`], and each subnet has a budget, shared with whoever else has this handle.
    pub fn start_with(config: EngineConfig, subnets: &Subnets) -> io::Result<Self> {
        let pacer = config.rate_pps.map(|rate| Arc::new(Pacer::new(rate, Instant::now())));
        Self::start_paced(&config, pacer.as_ref(), subnets)
    }

    /// As [`Engine::start`], under budgets shared with others.
    pub(crate) fn start_paced(
        config: &EngineConfig,
        pacer: Option<&Arc<Pacer>>,
        subnets: &Subnets,
    ) -> io::Result<Self> {
        if tokio::runtime::Handle::try_current().is_err() {
            return Err(io::Error::other("the SNMP engine needs a tokio runtime to start on"));
        }
        let count = match config.shards {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4)),
            count => count,
        };
        let open = |bind| {
            let core = Core::new(config.max_in_flight, config.per_device, config.lax_source);
            Shard::open(bind, core, Budgets { whole: pacer.cloned(), subnets: subnets.clone() })
        };
        let shards = (0..count).map(|_| open(config.bind)).collect::<io::Result<Vec<_>>>()?;
        let v6 = (config.bind.is_ipv4() && config.bind.ip().is_unspecified())
            .then(|| open(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))).ok())
            .flatten();
        let inner = Inner { shards, v6, hash: std::hash::RandomState::new() };
        for shard in inner.shards.iter().chain(&inner.v6) {
            shard.start()?;
        }
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The shard of a device: always the same one, so that all it knows of the device is in one place.
    fn shard(&self, address: SocketAddr) -> &Arc<Shard> {
        match &self.inner.v6 {
            Some(shard) if address.is_ipv6() => shard,
            _ => {
                let hash = self.inner.hash.hash_one(address.ip());
                &self.inner.shards[hash as usize % self.inner.shards.len()]
            }
        }
    }

    /// What was learnt about a device, to be kept over a restart.
    pub fn learnt(&self, address: SocketAddr) -> Learnt {
        self.shard(address).core.lock().learnt(address)
    }

    /// Tells the engine what an earlier one had learnt.
    pub fn remember(&self, address: SocketAddr, learnt: Learnt) {
        let shard = self.shard(address);
        let now = shard.now();
        shard.core.lock().remember(now, address, learnt);
    }

    /// Whether this device has answered since the engine started.
    pub fn has_heard(&self, address: SocketAddr) -> bool {
        self.shard(address).core.lock().has_heard(address)
    }

    /// Reads objects. The answer has one entry an object asked for, in that order; what the agent does not have
    /// comes back as an exception value, also from v1 agents (which refuse the whole request: it is asked again
    /// without the missing ones). A value that cannot be read among others that can is `Null`.
    pub async fn get(&self, target: &Target, oids: &[Oid]) -> Result<Vec<VarBind>, Error> {
        self.gather(target, oids).await
    }

    /// Reads the objects that follow the given ones.
    pub async fn get_next(&self, target: &Target, oids: &[Oid]) -> Result<Vec<VarBind>, Error> {
        self.list(target, PduKind::GetNext, [0, 0], oids).await
    }

    /// Reads many objects that follow the given ones (v2c and v3).
    pub async fn get_bulk(
        &self,
        target: &Target,
        non_repeaters: u16,
        max_repetitions: u16,
        oids: &[Oid],
    ) -> Result<Vec<VarBind>, Error> {
        // Zero repetitions hang some agents, and ask for nothing.
        let numbers = [i32::from(non_repeaters), i32::from(max_repetitions.max(1))];
        self.list(target, PduKind::GetBulk, numbers, oids).await
    }

    /// Writes objects, all or none; returns what the agent says they are now.
    pub async fn set(&self, target: &Target, values: &[VarBind]) -> Result<Vec<VarBind>, Error> {
        let varbinds: Vec<_> = values.iter().map(|item| (item.oid.as_ref(), item.value.borrowed())).collect();
        let request = Request { kind: PduKind::Set, numbers: [0, 0], varbinds: &varbinds };
        self.values(target, &request).await
    }

    /// Reads everything below `root`.
    pub async fn walk(&self, target: &Target, root: &Oid, limits: &WalkLimits) -> Result<Walk, Error> {
        self.walk_columns(target, std::slice::from_ref(root), limits).await
    }

    /// Reads columns (or any subtrees) together, in as few exchanges as fit.
    pub async fn walk_columns(&self, target: &Target, roots: &[Oid], limits: &WalkLimits) -> Result<Walk, Error> {
        crate::walk::drive(self, target, roots, limits).await
    }

    async fn list(
        &self,
        target: &Target,
        kind: PduKind,
        numbers: [i32; 2],
        oids: &[Oid],
    ) -> Result<Vec<VarBind>, Error> {
        let varbinds: Vec<_> = oids.iter().map(|oid| (oid.as_ref(), ValueRef::Null)).collect();
        self.values(target, &Request { kind, numbers, varbinds: &varbinds }).await
    }

    async fn values(&self, target: &Target, request: &Request<'_>) -> Result<Vec<VarBind>, Error> {
        let answer = self.exchange(target, request).await?;
        let malformed = |source| Error::Malformed { target: target.address, source };
        let pdu = answer.pdu().map_err(malformed)?;
        if let Some(status) = pdu.error() {
            let index = u32::try_from(pdu.index).unwrap_or(0);
            return Err(Error::ErrorStatus { target: target.address, status, index });
        }
        Ok(pdu.to_owned().map_err(malformed)?.varbinds)
    }
}
