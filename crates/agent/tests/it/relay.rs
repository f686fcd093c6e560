//! Proxies on the way to the gateway, and the agent as one for devices beside it.

use std::net::SocketAddr;

use agent::{AgentConfig, Error, Proxy};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use wire::AgentPlan;

use crate::gateway::{Agent, Gateway};

const HERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// The gateway of the tests knows one agent, the newest; those before it go on relaying, which asks for no name.
async fn agent_through(gateway: &Gateway, proxy: Option<Proxy>) -> Result<Agent, Error> {
    gateway.kept.lock().token_used = false;
    gateway.agent_with(|config| AgentConfig { proxy, relay_listen: Some(HERE), ..config }).await
}

fn proxy_at(address: SocketAddr) -> Proxy {
    Proxy::parse(&format!("http://{address}"), None).unwrap()
}

#[tokio::test]
async fn an_agent_enrols_and_reports_through_the_relays_of_others() {
    let gateway = Gateway::start(AgentPlan::default()).await;
    let beside = agent_through(&gateway, None).await.unwrap();
    let within = agent_through(&gateway, Some(proxy_at(beside.running.relay.unwrap()))).await.unwrap();
    // The third reaches the gateway through the relay of the second, whose own way is the relay of the first.
    let innermost = agent_through(&gateway, Some(proxy_at(within.running.relay.unwrap()))).await.unwrap();
    let before = gateway.kept.lock().messages.len();
    gateway.until("the innermost is heard", |kept| kept.messages.len() > before).await;
    assert!(within.stats().view().relayed >= 2, "its enrolment and its reports: {:?}", within.stats().view());
    assert!(beside.stats().view().relayed > within.stats().view().relayed);
    for agent in [innermost, within, beside] {
        agent.stop().await;
    }
}

#[tokio::test]
async fn a_relay_refuses_every_other_destination_and_says_why() {
    let gateway = Gateway::start(AgentPlan::default()).await;
    let agent = agent_through(&gateway, None).await.unwrap();
    for (asked, status) in [
        ("CONNECT 127.0.0.1:22 HTTP/1.1\r\n\r\n", "403"),
        ("GET http://127.0.0.1/ HTTP/1.1\r\n\r\n", "405"),
        ("EHLO printer\r\n\r\n", "400"),
        (&"x".repeat(9_000), "400"),
    ] {
        let mut device = TcpStream::connect(agent.running.relay.unwrap()).await.unwrap();
        device.write_all(asked.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // A long request is cut while it is still on its way.
        let _ = device.read_to_string(&mut answer).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")) || asked.len() > 4_096, "{answer}");
    }
    let view = agent.stats().view();
    assert_eq!((view.relayed, view.relay_refused, view.relay_open), (0, 4, 0));
    agent.stop().await;
}

#[tokio::test]
async fn a_proxy_that_asks_for_an_account_is_given_it() {
    let gateway = Gateway::start(AgentPlan::default()).await;
    let listener = TcpListener::bind(HERE).await.unwrap();
    let address = listener.local_addr().unwrap();
    // A proxy as offices have them: nobody passes without name and password ("office" and "secret").
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(client.read_u8().await.unwrap());
                }
                let head = String::from_utf8(head).unwrap();
                if !head.contains(&BASE64_STANDARD.encode("office:secret")) {
                    return client.write_all(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                }
                let to = head.split(' ').nth(1).unwrap().to_owned();
                let mut server = TcpStream::connect(to).await.unwrap();
                client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    let said = agent_through(&gateway, Some(proxy_at(address))).await.err().unwrap().to_string();
    assert!(said.contains("cannot reach") && said.contains("proxy"), "{said}");
    let proxy = Proxy::parse(&format!("http://{address}"), Some("office:secret")).unwrap();
    agent_through(&gateway, Some(proxy)).await.unwrap().stop().await;
}
