//! First contact: what works, and what people read when it does not.

use std::os::unix::fs::PermissionsExt as _;

use wire::{AgentPlan, enrol::EnrolToken};

use crate::gateway::{AGENT, Agent, Gateway, web_door};

async fn refused(server: &str, token: &str) -> String {
    let data = tempfile::tempdir().unwrap();
    match Agent::start(data, Some(server.to_owned()), Some(token.to_owned())).await {
        Ok(_) => panic!("enrolled with {token} at {server}"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn an_agent_enrols_once_and_starts_without_flags_ever_after() {
    let gateway = Gateway::start(AgentPlan::default()).await;
    let agent = gateway.agent().await;
    assert_eq!((agent.running.agent, agent.running.gateway.as_str()), (AGENT, gateway.url().as_str()));
    assert_eq!(gateway.kept.lock().name, "test");
    gateway.until("the first report", |kept| !kept.messages.is_empty()).await;
    let agent = agent.restart().await;
    let before = gateway.kept.lock().messages.len();
    gateway.until("a report after the restart", |kept| kept.messages.len() > before).await;
    assert_eq!(gateway.kept.lock().bad_signatures, 0);
    agent.stop().await;
}

#[tokio::test]
async fn the_web_door_names_the_gateway() {
    let gateway = Gateway::start(AgentPlan::default()).await;
    let door = web_door(&gateway.url()).await;
    let data = tempfile::tempdir().unwrap();
    let agent = Agent::start(data, Some(door), Some(gateway.token())).await.unwrap();
    assert_eq!(agent.running.gateway, gateway.url());
    agent.stop().await;
}

#[tokio::test]
async fn secrets_lie_in_files_of_their_owner() {
    let gateway = Gateway::start(AgentPlan::default()).await;
    let data = gateway.agent().await.stop().await;
    for entry in std::fs::read_dir(data.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
}

#[tokio::test]
async fn a_used_token_is_told_as_such() {
    let gateway = Gateway::start(AgentPlan::default()).await;
    gateway.agent().await.stop().await;
    let said = refused(&gateway.url(), &gateway.token()).await;
    assert!(said.contains("was used, has expired"), "{said}");
}

#[tokio::test]
async fn a_gateway_with_another_ca_is_not_trusted() {
    let (wanted, other) = (Gateway::start(AgentPlan::default()).await, Gateway::start(AgentPlan::default()).await);
    let said = refused(&other.url(), &wanted.token()).await;
    assert!(said.contains("does not hold the certificate that the token names"), "{said}");
    assert!(!other.kept.lock().token_used);
}

#[tokio::test]
async fn wrong_servers_and_wrong_words_are_told_apart() {
    let gateway = Gateway::start(AgentPlan::default()).await;
    gateway.go_away().await;
    let said = refused(&gateway.url(), &gateway.token()).await;
    assert!(said.starts_with("cannot reach https://127.0.0.1"), "{said}");
    let said = refused("printers.example.org", &gateway.token()).await;
    assert!(said.contains("must begin with http:// or https://"), "{said}");
    let said = refused(&gateway.url(), "secret.nothex").await;
    assert!(said.contains("cannot be read"), "{said}");
    let door = web_door("http://127.0.0.1:1").await;
    let said = refused(&door, &gateway.token()).await;
    assert!(said.contains("gateway without https://"), "{said}");
    let untrusted = EnrolToken { secret: "x".to_owned(), ca_pin: None }.to_text();
    gateway.come_back();
    let said = refused(&gateway.url(), &untrusted).await;
    assert!(said.contains("does not hold the certificate"), "{said}");
}

#[tokio::test]
async fn without_flags_an_agent_says_how_to_enrol() {
    let data = tempfile::tempdir().unwrap();
    let said = Agent::start(data, None, None).await.err().unwrap().to_string();
    assert!(said.contains("--server URL --enrol TOKEN"), "{said}");
}
