//! Doors for devices and agents: one HTTPS listener for enrolment, reports and plans.
//! Path of a report: `listen` (TLS, limits) → `body` → `signature` (who) → `envelope` (what) → `agent_rpc` → core → `reply`.

mod admission;
mod agent_rpc;
mod body;
mod door;
mod envelope;
mod error;
mod limits;
mod listen;
mod metrics;
mod push_http;
mod reply;
mod signature;
mod tls;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use platen_core::Platform;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use error::Error;
pub use limits::Limits;

/// What the gateway is started with.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// The product behind the door.
    pub platform: Platform,
    /// Address and port; port 0 is chosen once and kept.
    pub listen: SocketAddr,
    /// Folder of the certificates (`tls/`) and of the chosen port.
    pub data: PathBuf,
    /// `https://host[:port]` as agents reach it, where that differs from `listen`.
    pub public_url: Option<String>,
    /// What connections and requests may cost.
    pub limits: Limits,
}

/// A gateway at work.
#[derive(Debug)]
pub struct Gateway {
    /// Where agents reach it.
    pub url: String,
    /// The address that it listens on.
    pub address: SocketAddr,
    /// File with the CA certificate.
    pub ca_path: PathBuf,
    /// What enrolment tokens carry to name this CA.
    pub ca_pin: [u8; 16],
    /// Ends when the shutdown has drained it, 8 s after the signal at the latest.
    pub task: JoinHandle<()>,
    metrics: Arc<metrics::Metrics>,
}

impl Gateway {
    /// Counts of answers, as Prometheus text; for the process's one page of metrics.
    pub fn metrics(&self) -> impl Fn() -> String + Send + Sync + 'static {
        let metrics = Arc::clone(&self.metrics);
        move || metrics.text()
    }
}

/// Opens the door; returns once it listens.
///
/// # Errors
/// When the address is taken or the certificates cannot be read or made.
pub async fn serve(config: GatewayConfig, shutdown: CancellationToken) -> Result<Gateway, Error> {
    let authority = tls::Authority::open(&config.data)?;
    let listener = listen::bind(config.listen, &config.data).await?;
    let address = listener.local_addr().map_err(|source| Error::Listen { address: config.listen, source })?;
    let (ca_path, ca_pin) = (authority.path(), authority.pin());
    let door = door::Door::new(config.platform, config.limits, authority.pem());
    let limits = Arc::clone(&door.limits);
    let metrics = Arc::clone(&door.metrics);
    let names = tls::names_for(address, config.public_url.as_deref());
    let certificates = listen::Certificates::new(authority, names)?;
    let url = config.public_url.unwrap_or_else(|| {
        let reachable = tls::reachable_address(address).unwrap_or(address.ip());
        format!("https://{}", SocketAddr::new(reachable, address.port()))
    });
    let task = tokio::spawn(listen::serve(listener, certificates, door.router(), limits, shutdown));
    tracing::info!(url, "the gateway listens");
    Ok(Gateway { url, address, ca_path, ca_pin, task, metrics })
}

/// The server's wall clock in milliseconds.
fn server_ms(platform: &Platform) -> i64 {
    platform.now().0 / 1_000
}
