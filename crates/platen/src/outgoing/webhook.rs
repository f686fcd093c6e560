//! One event to one webhook: signed, to the very address that was judged, without redirects, with little patience.

use std::time::{Duration, Instant};

use platen_core::webhooks::{Answer, Due};
use reqwest::{Client, Url, redirect};

use super::egress::Egress;
use super::tls;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// Bytes of an answer that are read.
const READ: usize = 1_024;

/// Posts a delivery; what came of it.
pub async fn post(egress: &Egress, due: &Due) -> Answer {
    let begun = Instant::now();
    let (status, error) = match attempt(egress, due).await {
        Ok((status, said)) => (Some(status), said),
        Err(why) => (None, Some(why)),
    };
    Answer { status, error, took_ms: i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX) }
}

async fn attempt(egress: &Egress, due: &Due) -> Result<(u16, Option<String>), String> {
    let url: Url = due.url.parse().map_err(|_| "its address is none".to_owned())?;
    let host = url.host_str().ok_or("its address has no host")?.to_owned();
    let port = url.port_or_known_default().ok_or("its address has no port")?;
    let addresses = egress.resolve(&host, port).await?;
    if url.scheme() != "https" && !addresses.iter().all(|address| egress.names(address.ip())) {
        return Err("http without TLS goes only to networks that the operator names".to_owned());
    }
    let mut client = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .timeout(PATIENCE)
        .user_agent(concat!("platen/", env!("CARGO_PKG_VERSION")))
        .resolve_to_addrs(&host, &addresses);
    if egress.ca.is_some() {
        let config = tls::client(egress.ca.as_deref()).map_err(|error| format!("{error:#}"))?;
        client = client.tls_backend_preconfigured(config);
    }
    let client = client.build().map_err(|error| chain(&error))?;
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header("webhook-id", &due.id)
        .header("webhook-timestamp", due.timestamp)
        .header("webhook-signature", &due.signature)
        .body(due.body.clone());
    let mut response = request.send().await.map_err(|error| chain(&error))?;
    let status = response.status();
    if status.is_success() {
        return Ok((status.as_u16(), None));
    }
    let mut said = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        said.extend_from_slice(&chunk[..chunk.len().min(READ - said.len())]);
        if said.len() >= READ {
            break;
        }
    }
    let said = String::from_utf8_lossy(&said).replace(|c: char| c.is_control(), " ");
    Ok((status.as_u16(), Some(format!("answered {}: {}", status.as_u16(), said.trim()))))
}

/// An error with what lay below it; addresses of the URL are left out, as they may carry a secret.
fn chain(error: &reqwest::Error) -> String {
    let mut words = if error.is_timeout() {
        vec!["no answer within 15 s".to_owned()]
    } else if error.is_connect() {
        vec!["cannot connect".to_owned()]
    } else {
        vec!["the request failed".to_owned()]
    };
    let mut below = std::error::Error::source(error);
    while let Some(cause) = below {
        words.push(cause.to_string());
        below = cause.source();
    }
    words.dedup();
    words.join(": ")
}
