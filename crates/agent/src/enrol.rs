//! First contact: find the gateway, check that it is the one that the token names, and get a name from it.

use std::{path::Path, time::Duration};

use reqwest::{StatusCode, Url, header};
use rustls::pki_types::CertificateDer;
use serde::Deserialize;
use wire::{
    AgentPlan, cbor,
    enrol::{EnrolReply, EnrolRequest, EnrolToken},
};

use crate::{
    AgentConfig,
    error::{Error, Result},
    keys::AgentKey,
    proxy::Proxy,
    state::identity::{Home, Identity},
    trust,
    uplink::client::{chain, http_client},
};

const TIMEOUT: Duration = Duration::from_secs(20);

/// What the web door says about itself.
#[derive(Deserialize)]
struct WellKnown {
    gateway: Option<String>,
}

/// The identity of this folder: kept from an earlier start, or bought with the token now.
/// The plan comes along when it was bought now.
pub(crate) async fn identity(config: &AgentConfig, home: &Home) -> Result<(Identity, Option<AgentPlan>)> {
    if let Some(identity) = home.identity()? {
        if config.enrol.is_some() {
            tracing::info!(agent.id = %identity.agent.to_text(), "enrolled already; the token is not used");
        }
        return Ok((identity, None));
    }
    let (Some(server), Some(token)) = (&config.server, &config.enrol) else { return Err(Error::NotEnrolled) };
    let token = EnrolToken::parse(token).ok_or(Error::TokenText)?;
    let proxy = config.proxy.as_ref();
    let gateway = find_gateway(server, proxy).await?;
    let key = AgentKey::load_or_create(&home.key())?;
    let name = config.name.clone().or_else(host_name).unwrap_or_else(|| "agent".to_owned());
    let (reply, ca) = enrol(&gateway, &token, &key, name, proxy).await?;
    if let Some(ca) = ca {
        home.keep_ca(&ca)?;
    }
    let identity = Identity { agent: reply.agent, gateway, organisation: reply.organisation, epoch: 0 };
    home.keep(&identity)?;
    tracing::info!(agent.id = %identity.agent.to_text(), organisation = identity.organisation, "enrolled");
    Ok((identity, Some(reply.plan)))
}

/// The gateway behind what a person typed: `https://` is the gateway itself, `http://` a web door that names it.
async fn find_gateway(server: &str, proxy: Option<&Proxy>) -> Result<String> {
    let wrong = |reason: &str| Error::WrongServer { server: server.to_owned(), reason: reason.to_owned() };
    let url = Url::parse(server.trim()).map_err(|_| wrong("the address must begin with http:// or https://"))?;
    match url.scheme() {
        "https" => return Ok(server.trim().trim_end_matches('/').to_owned()),
        "http" => {}
        _ => return Err(wrong("the address must begin with http:// or https://")),
    }
    let unreachable = |e: reqwest::Error| Error::Unreachable { server: server.to_owned(), reason: chain(&e) };
    let asked = url.join("/.well-known/platen").map_err(|_| wrong("the address is incomplete"))?;
    let answer = http_client(None, TIMEOUT, proxy)?.get(asked).send().await.map_err(unreachable)?;
    if !answer.status().is_success() {
        return Err(wrong(&format!("/.well-known/platen answers {}", answer.status().as_u16())));
    }
    let bytes = answer.bytes().await.map_err(unreachable)?;
    let known: WellKnown = serde_json::from_slice(&bytes).map_err(|_| wrong("/.well-known/platen is not JSON"))?;
    let gateway = known.gateway.ok_or_else(|| wrong("its gateway is off"))?;
    let parsed = Url::parse(&gateway).ok().filter(|url| url.scheme() == "https");
    parsed.ok_or_else(|| wrong("it names a gateway without https://"))?;
    Ok(gateway.trim_end_matches('/').to_owned())
}

async fn enrol(
    gateway: &str,
    token: &EnrolToken,
    key: &AgentKey,
    name: String,
    proxy: Option<&Proxy>,
) -> Result<(EnrolReply, Option<CertificateDer<'static>>)> {
    let (tls, found) = match token.ca_pin {
        Some(pin) => {
            let (tls, found) = trust::trust_pin(pin)?;
            (Some(tls), Some(found))
        }
        None => (None, None),
    };
    let request = EnrolRequest {
        token: token.secret.clone(),
        public_key: key.public(),
        name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let answer = http_client(tls, TIMEOUT, proxy)?
        .post(format!("{gateway}/d/v1/enrol"))
        .header(header::CONTENT_TYPE, cbor::CBOR)
        .header(header::ACCEPT, cbor::CBOR)
        .body(cbor::encode(&request))
        .send()
        .await
        .map_err(|e| no_answer(gateway, &e))?;
    let reply = read_answer(gateway, answer).await?;
    Ok((reply, found.and_then(|found| found.lock().take())))
}

async fn read_answer(gateway: &str, answer: reqwest::Response) -> Result<EnrolReply> {
    let server = gateway.to_owned();
    let status = answer.status();
    let bytes = answer.bytes().await.map_err(|e| no_answer(gateway, &e))?;
    match status {
        StatusCode::OK => cbor::decode(&bytes).map_err(|e| Error::WrongServer { server, reason: e.to_string() }),
        StatusCode::FORBIDDEN => Err(Error::TokenRefused { server }),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
            Err(Error::WrongServer { server, reason: "it has no door for agents".to_owned() })
        }
        status => {
            let detail = String::from_utf8_lossy(&bytes).chars().take(300).collect();
            Err(Error::Answer { server, status: status.as_u16(), detail })
        }
    }
}

fn no_answer(gateway: &str, error: &reqwest::Error) -> Error {
    let server = gateway.to_owned();
    let reason = chain(error);
    if reason.contains("invalid peer certificate: UnknownIssuer") {
        Error::PinMismatch { server }
    } else {
        Error::Unreachable { server, reason }
    }
}

/// Name of this machine.
fn host_name() -> Option<String> {
    let name = std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).ok()?.trim().to_owned();
    (!name.is_empty()).then_some(name)
}
