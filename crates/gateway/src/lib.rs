//! Doors for devices and agents: one HTTPS listener for enrolment, reports and plans; mail doors for devices that cannot call it.
//! Path of a report: `listen` (TLS, limits) → `body` → `signature` (who) → `envelope` (what) → `agent_rpc` → core → `reply`.

mod admission;
mod agent_rpc;
mod body;
pub mod bounces;
mod door;
mod envelope;
mod error;
mod limits;
mod listen;
mod mail_in;
mod metrics;
mod push_http;
mod reply;
mod signature;
mod tls;
mod two_way;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use platen_core::Platform;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use error::Error;
pub use limits::Limits;
pub use mail_in::{MailAddresses, MailConfig};
pub use two_way::{CallPolicy, Network, NotANetwork};

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
    /// Doors for mail, where they are wanted.
    pub mail: Option<MailConfig>,
    /// Where devices with a listener of their own may be called.
    pub calls: CallPolicy,
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
    /// Where the mail doors listen.
    pub mail: MailAddresses,
    metrics: Arc<metrics::Metrics>,
    memory: body::Memory,
    mail_metrics: Option<Arc<mail_in::Shared>>,
    calls: Arc<two_way::Counts>,
}

impl Gateway {
    /// Counts of answers, as Prometheus text; for the process's one page of metrics.
    pub fn metrics(&self) -> impl Fn() -> String + Send + Sync + 'static {
        let (metrics, memory) = (Arc::clone(&self.metrics), self.memory.clone());
        let (mail, calls) = (self.mail_metrics.clone(), Arc::clone(&self.calls));
        let mail = move || mail.as_ref().map_or_else(String::new, |mail| mail.text());
        move || metrics.text() + &memory.text() + &mail() + &calls.text()
    }
}

/// Opens the door; returns once it listens.
///
/// # Errors
/// When the address is taken or the certificates cannot be read or made.
pub async fn serve(config: GatewayConfig, shutdown: CancellationToken) -> Result<Gateway, Error> {
    let authority = tls::Authority::open(&config.data)?;
    let listener = listen::bind(config.listen, &config.data, "gateway").await?;
    let address = listener.local_addr().map_err(|source| Error::Listen { address: config.listen, source })?;
    let (ca_path, ca_pin) = (authority.path(), authority.pin());
    let mail_doors = match &config.mail {
        Some(mail) => {
            let doors = mail_in::MailDoors::bind(mail, config.platform.clone(), &config.data).await?;
            config.platform.set_mail(doors.told(mail));
            Some(doors)
        }
        None => None,
    };
    let caller = two_way::Caller::new(config.platform.clone(), config.calls.clone(), &authority)?;
    let door = door::Door::new(config.platform.clone(), config.limits.clone(), authority.pem());
    let limits = Arc::clone(&door.limits);
    let (metrics, memory) = (Arc::clone(&door.metrics), door.memory.clone());
    let names = tls::names_for(address, config.public_url.as_deref(), &mail_names(&config, mail_doors.as_ref()));
    let certificates = Arc::new(listen::Certificates::new(authority, names)?);
    let url = config.public_url.unwrap_or_else(|| {
        let reachable = tls::reachable_address(address).unwrap_or(address.ip());
        format!("https://{}", SocketAddr::new(reachable, address.port()))
    });
    let mail = mail_doors.as_ref().map(|doors| doors.addresses).unwrap_or_default();
    let mail_metrics = mail_doors.as_ref().map(mail_in::MailDoors::metrics);
    let (calls, stop_calls) = (caller.counts(), shutdown.clone());
    let (drain, for_mail) = (limits.drain, (Arc::clone(&certificates), shutdown.clone()));
    let https = listen::serve(listener, certificates, door.router(), limits, shutdown);
    let task = tokio::spawn(async move {
        let mail = async move {
            if let Some(doors) = mail_doors {
                doors.serve(for_mail.0, drain, for_mail.1).await;
            }
        };
        tokio::join!(https, mail, caller.keep(stop_calls, drain));
    });
    tracing::info!(url, ?mail, "the gateway listens");
    Ok(Gateway { url, address, ca_path, ca_pin, task, mail, metrics, memory, mail_metrics, calls })
}

/// What the certificate must say beside the names of the HTTPS door.
fn mail_names(config: &GatewayConfig, doors: Option<&mail_in::MailDoors>) -> Vec<String> {
    let (Some(mail), Some(doors)) = (&config.mail, doors) else { return Vec::new() };
    vec![mail.domain.clone(), doors.host(mail).trim_matches(['[', ']']).to_owned()]
}

/// The server's wall clock in milliseconds.
fn server_ms(platform: &Platform) -> i64 {
    platform.now().0 / 1_000
}
