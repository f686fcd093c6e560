//! The relay: devices that report by themselves but may not reach the Internet name the agent as their HTTP proxy. It
//! passes TLS on to the gateway and to nobody else, reads nothing of it, and holds no key of theirs.

mod request;
mod tunnel;

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use request::{Destination, Refusal};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    AgentStats,
    error::{Error, Result},
    proxy::{PATIENCE, Proxy, connect},
    stats::{count, set},
};

/// Tunnels at once: a third of the 3,000 devices that one collector of the field serves at most.
const TUNNELS: usize = 1_024;
/// Tunnels at once from one address; more than one, since offices translate addresses.
const TUNNELS_OF_ONE: usize = 64;
/// Most bytes of a request.
const HEAD_BYTES: usize = 4 << 10;
/// The listener rests this long when the system gives it no connection (out of descriptors).
const REST: Duration = Duration::from_millis(100);

/// An open door for devices.
pub(crate) struct Relay {
    listener: TcpListener,
    address: SocketAddr,
    ways: Arc<Ways>,
}

/// What all tunnels share.
struct Ways {
    to: Destination,
    proxy: Option<Proxy>,
    open: Mutex<HashMap<IpAddr, usize>>,
    stats: Arc<AgentStats>,
}

impl Relay {
    /// Opens the door at `address`; `gateway` is `https://host[:port]`, reached through `proxy` where there is one.
    pub(crate) async fn open(
        address: SocketAddr,
        gateway: &str,
        proxy: Option<Proxy>,
        stats: Arc<AgentStats>,
    ) -> Result<Self> {
        let to = gateway.parse().ok().and_then(|url| Destination::of(&url)).ok_or_else(|| Error::WrongServer {
            server: gateway.to_owned(),
            reason: "its address names no host".to_owned(),
        })?;
        let failed = |source| Error::Relay { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let ways = Arc::new(Ways { to, proxy, open: Mutex::default(), stats });
        Ok(Self { listener, address, ways })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`; tunnels that are open then are cut, and devices tell again what was not answered.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut tunnels = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                Some(_) = tunnels.join_next() => continue,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((device, from)) => {
                    let ways = self.ways.clone();
                    tunnels.spawn(async move { ways.serve(device, from.ip().to_canonical()).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "the relay takes no connection now");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }
}

impl Ways {
    async fn serve(self: Arc<Self>, mut device: TcpStream, from: IpAddr) {
        let outcome = match Place::take(&self, from) {
            Some(_place) => match self.reach(&mut device).await {
                Ok(gateway) => {
                    count(&self.stats.relayed);
                    let carried = tunnel::carry(device, gateway).await;
                    tracing::debug!(%from, up = carried.up, down = carried.down, "relayed");
                    return;
                }
                Err(refusal) => refusal,
            },
            None => Some(Refusal::Full),
        };
        count(&self.stats.relay_refused);
        if let Some(refusal) = outcome {
            tracing::debug!(%from, %refusal, "not relayed");
            let _ = timeout(PATIENCE, device.write_all(refusal.answer().as_bytes())).await;
            let _ = timeout(PATIENCE, device.shutdown()).await;
        }
    }

    /// The request is read and the gateway called. `None`: nobody is there to be answered.
    async fn reach(&self, device: &mut TcpStream) -> std::result::Result<TcpStream, Option<Refusal>> {
        let head = timeout(PATIENCE, head(device)).await.map_err(|_| None)??;
        self.to.is_asked_for(&head)?;
        let gateway = match timeout(PATIENCE, self.dial()).await {
            Ok(Ok(gateway)) => gateway,
            Ok(Err(error)) => {
                tracing::warn!(%error, gateway = %self.to.authority(), "the relay does not reach the gateway");
                return Err(Some(Refusal::Unreachable));
            }
            Err(_) => return Err(Some(Refusal::Unreachable)),
        };
        device.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.map_err(|_| None)?;
        let _ = (device.set_nodelay(true), gateway.set_nodelay(true));
        Ok(gateway)
    }

    async fn dial(&self) -> std::io::Result<TcpStream> {
        match &self.proxy {
            Some(proxy) => proxy.tunnel(&self.to.authority()).await,
            None => connect(&self.to.host, self.to.port).await,
        }
    }
}

/// The head of a request up to its empty line. A device waits for the answer before it begins TLS, so nothing follows.
async fn head(device: &mut TcpStream) -> std::result::Result<Vec<u8>, Option<Refusal>> {
    let mut head = Vec::with_capacity(256);
    let mut part = [0; 512];
    while !head.ends_with(b"\r\n\r\n") {
        let read = device.read(&mut part).await.map_err(|_| None)?;
        if read == 0 {
            return Err(None);
        }
        head.extend_from_slice(&part[..read]);
        if head.len() > HEAD_BYTES {
            return Err(Some(Refusal::NotHttp));
        }
    }
    Ok(head)
}

/// One of the tunnels that may be open; dropping it makes room.
struct Place<'a> {
    ways: &'a Ways,
    from: IpAddr,
}

impl<'a> Place<'a> {
    fn take(ways: &'a Ways, from: IpAddr) -> Option<Self> {
        let mut open = ways.open.lock();
        let all: usize = open.values().sum();
        if all >= TUNNELS || open.get(&from).is_some_and(|of_one| *of_one >= TUNNELS_OF_ONE) {
            return None;
        }
        *open.entry(from).or_default() += 1;
        set(&ways.stats.relay_open, all + 1);
        drop(open);
        Some(Self { ways, from })
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut open = self.ways.open.lock();
        if let Some(of_one) = open.get_mut(&self.from) {
            *of_one -= 1;
            if *of_one == 0 {
                open.remove(&self.from);
            }
        }
        set(&self.ways.stats.relay_open, open.values().sum());
    }
}
