//! One call: the orders go out, the answers come back. Bounded in time and size; redirects and proxies are not followed.

use std::time::Duration;

use platen_core::monitors::Callable;
use reqwest::{Client, StatusCode, header::CONTENT_TYPE, redirect::Policy};
use wire::{
    cbor,
    command::{Acks, Command},
    hello::PollReply,
};

use super::{CallPolicy, guard, trust::Identity};

/// Where a listener takes orders.
const PATH: &str = "/d/v1/orders";
/// Time for the whole call.
const TIME: Duration = Duration::from_secs(20);
/// Time for the connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const MOST: usize = 64 * 1024;

/// Why orders did not reach a device.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(transparent)]
    Forbidden(#[from] guard::Forbidden),
    #[error("{0}")]
    Setup(String),
    #[error("its listener does not answer: {0}")]
    Silent(String),
    #[error("its listener answered {0}")]
    Status(u16),
    #[error("its listener answered more than {MOST} bytes, or something else than answers to orders")]
    Answer,
}

/// Gives orders to a device; its answers, if it has any yet.
pub(super) async fn give(
    device: &Callable,
    commands: &[Command],
    server_ms: i64,
    policy: &CallPolicy,
    identity: &Identity,
) -> Result<Option<Acks>, Fault> {
    let mut url = guard::listener(&device.listener)?;
    let address = guard::resolve(&url, device.peer, policy).await?;
    let config = identity.toward(device.key).map_err(|error| Fault::Setup(error.to_string()))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let client = Client::builder()
        .tls_backend_preconfigured(config)
        .resolve(&host, address)
        .redirect(Policy::none())
        .no_proxy()
        .http1_only()
        .connect_timeout(CONNECT)
        .timeout(TIME)
        .build()
        .map_err(|error| Fault::Setup(error.to_string()))?;
    // A host in numbers is not looked up by anybody, so it is written as the number that was judged.
    if url.host_str().is_some_and(|host| host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok()) {
        url.set_ip_host(address.ip()).map_err(|()| guard::Forbidden::Url)?;
    }
    url.set_path(PATH);
    let body = cbor::encode(&PollReply { server_ms, commands: commands.to_vec(), schedule: None });
    let sent = client.post(url).header(CONTENT_TYPE, cbor::CBOR).body(body).send().await;
    let mut answer = sent.map_err(|error| Fault::Silent(root_of(&error)))?;
    match answer.status() {
        StatusCode::NO_CONTENT => return Ok(None),
        StatusCode::OK => {}
        other => return Err(Fault::Status(other.as_u16())),
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| Fault::Silent(root_of(&error)))? {
        if bytes.len() + chunk.len() > MOST {
            return Err(Fault::Answer);
        }
        bytes.extend_from_slice(&chunk);
    }
    cbor::decode(&bytes).map(Some).map_err(|_| Fault::Answer)
}

/// The innermost cause says most, and names no URL.
fn root_of(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
