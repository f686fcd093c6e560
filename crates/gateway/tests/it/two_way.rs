//! The road on which the server calls: a device's own listener over mutual TLS, and listeners that are none.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use aws_lc_rs::signature::Ed25519KeyPair;
use gateway::CallPolicy;
use parking_lot::Mutex;
use platen_core::monitors;
use platen_core::orders::CommandState;
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;
use wire::{
    cbor,
    command::{Ack, Acks, Order, Taken, What},
    hello::{Hello, HelloReply, PollReply, Road},
};

use crate::door::{Door, Sender};

const SERIAL: &str = "E216R220016";
const PATIENCE: Duration = Duration::from_secs(120);

/// What a listener does with a call.
#[derive(Clone, Copy)]
enum Manner {
    /// Executes, and answers at once.
    Acks,
    /// Takes, and answers later by its own road.
    Silent,
    /// Sends the caller elsewhere.
    Redirects,
    /// Never stops to talk.
    Babbles,
    /// Takes, and never answers.
    Hangs,
}

/// A device's listener, and how it was called.
struct Listener {
    address: SocketAddr,
    calls: Arc<Mutex<Vec<PollReply>>>,
    tried: Arc<Mutex<usize>>,
}

fn keys() -> rcgen::KeyPair {
    rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap()
}

fn acceptor(door: &Door, key: &rcgen::KeyPair) -> TlsAcceptor {
    let certificate = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap().self_signed(key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&door.gateway.ca_path).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn listen(door: &Door, key: &rcgen::KeyPair, manner: Manner) -> Listener {
    let (acceptor, socket) = (acceptor(door, key), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let (address, calls, tried) =
        (socket.local_addr().unwrap(), Arc::<Mutex<Vec<_>>>::default(), Arc::<Mutex<usize>>::default());
    let (taken, seen) = (Arc::clone(&calls), Arc::clone(&tried));
    tokio::spawn(async move {
        let mut hanging = Vec::new();
        while let Ok((stream, _)) = socket.accept().await {
            *seen.lock() += 1;
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let Some(poll) = request(&mut stream).await else { continue };
            let answer = answer(manner, &poll);
            taken.lock().push(poll);
            let Some(answer) = answer else {
                hanging.push(stream);
                continue;
            };
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
    });
    Listener { address, calls, tried }
}

/// Reads one request of HTTP/1.1 with a length.
async fn request(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<PollReply> {
    let mut bytes = Vec::new();
    loop {
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
            assert!(text.starts_with("post /d/v1/orders http/1.1"), "{text}");
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            let end = head + 4 + length.parse::<usize>().unwrap();
            if bytes.len() >= end {
                return cbor::decode(&bytes[head + 4..end]).ok();
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn answer(manner: Manner, poll: &PollReply) -> Option<Vec<u8>> {
    let acks = poll.commands.iter().map(|command| {
        let order: Order = cbor::decode(&command.order).unwrap();
        Ack { id: order.id, taken: Taken::Done, detail: None }
    });
    let body = match manner {
        Manner::Acks => cbor::encode(&Acks { acks: acks.collect() }),
        Manner::Silent => return Some(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        Manner::Redirects => {
            let elsewhere = "Location: https://127.0.0.1:1/\r\nContent-Length: 0";
            return Some(format!("HTTP/1.1 307 Temporary Redirect\r\n{elsewhere}\r\n\r\n").into_bytes());
        }
        Manner::Babbles => vec![0; 1 << 20],
        Manner::Hangs => return None,
    };
    Some([format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes(), body].concat())
}

async fn device(door: &Door, key: &rcgen::KeyPair, listener: SocketAddr) -> Sender {
    tested(door, key, listener).await.0
}

/// A device after its communication test, and what it was told.
async fn tested(door: &Door, key: &rcgen::KeyPair, listener: SocketAddr) -> (Sender, HelloReply) {
    let claim = door.claim(SERIAL).await;
    let mut sender = Sender { key: Ed25519KeyPair::from_pkcs8(&key.serialize_der()).unwrap(), ..Sender::nobody() };
    let hello = Hello {
        road: Road::HttpsBothWays,
        listener: Some(format!("https://{listener}")),
        ..sender.hello(door, SERIAL, Some(claim))
    };
    let request = door.request(&sender, "POST", "/d/v1/hello", cbor::encode(&hello));
    let answer = request.header("content-type", cbor::CBOR).send().await.unwrap();
    let reply: HelloReply = cbor::decode(&answer.bytes().await.unwrap()).unwrap();
    sender.id = reply.sender;
    (sender, reply)
}

async fn open(networks: &[&str]) -> Door {
    let allow = networks.iter().map(|network| network.parse().unwrap()).collect();
    Door::all(gateway::Limits::default(), None, CallPolicy { allow }).await
}

async fn order(door: &Door, device: &Sender) {
    monitors::order(&door.root, device.id.into(), What::SendLog, 3_600_000).await.unwrap();
}

async fn state(door: &Door, device: &Sender) -> CommandState {
    monitors::commands(&door.root, device.id.into()).await.unwrap()[0].state
}

/// Waits for a count of the gateway's metrics.
async fn until(door: &Door, outcome: &str) {
    let metrics = door.gateway.metrics();
    let line = format!("platen_calls_total{{outcome=\"{outcome}\"}} 1\n");
    let waiting = async {
        while !metrics().contains(&line) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("no {line}: {}", metrics()));
}

#[tokio::test]
async fn a_device_with_a_listener_is_called_and_its_answers_count() {
    let door = open(&["127.0.0.0/8"]).await;
    let key = keys();
    let listener = listen(&door, &key, Manner::Acks).await;
    let (device, hello) = tested(&door, &key, listener.address).await;
    order(&door, &device).await;
    until(&door, "went").await;
    assert_eq!(state(&door, &device).await, CommandState::Done);
    let calls = listener.calls.lock().clone();
    assert_eq!((calls.len(), calls[0].commands.len()), (1, 1));
    let signed = &calls[0].commands[0];
    let input = wire::command::Command::signing_input(&signed.order);
    let key = aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, &hello.keys[0].verify);
    assert!(key.verify(&input, &signed.signature).is_ok(), "the same signed order as on every road");
}

#[tokio::test]
async fn a_device_may_take_orders_and_answer_by_its_own_road() {
    let door = open(&["127.0.0.1"]).await;
    let key = keys();
    let listener = listen(&door, &key, Manner::Silent).await;
    let device = device(&door, &key, listener.address).await;
    order(&door, &device).await;
    until(&door, "went").await;
    assert_eq!(state(&door, &device).await, CommandState::Taken);
}

#[tokio::test]
async fn redirects_and_endless_answers_fail_and_the_orders_wait_on() {
    for manner in [Manner::Redirects, Manner::Babbles] {
        let door = open(&["127.0.0.0/8"]).await;
        let key = keys();
        let listener = listen(&door, &key, manner).await;
        let device = device(&door, &key, listener.address).await;
        order(&door, &device).await;
        until(&door, "failed").await;
        assert_eq!(state(&door, &device).await, CommandState::Queued);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(*listener.tried.lock(), 1, "the device is left alone for a while");
    }
}

/// Stops a door while it calls a device that never answers. Whether it ended before the call had failed by itself.
async fn stops_in_a_call() -> bool {
    let limits = gateway::Limits { drain: Duration::ZERO, ..gateway::Limits::default() };
    let allow = vec!["127.0.0.0/8".parse().unwrap()];
    let door = Door::all(limits, None, CallPolicy { allow }).await;
    let key = keys();
    let listener = listen(&door, &key, Manner::Hangs).await;
    let device = device(&door, &key, listener.address).await;
    order(&door, &device).await;
    let called = async {
        while listener.calls.lock().is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, called).await.expect("it is called");
    door.stop.cancel();
    let metrics = door.gateway.metrics();
    tokio::time::timeout(PATIENCE, door.gateway.task).await.expect("it ends").unwrap();
    metrics().contains("platen_calls_total{outcome=\"failed\"} 0\n")
}

#[tokio::test]
async fn a_device_that_never_answers_its_call_keeps_no_server_from_stopping() {
    // A call fails by itself after twenty seconds; so long a stall in between means another try.
    for _ in 0..5 {
        if stops_in_a_call().await {
            return;
        }
    }
    panic!("the server waits for the device");
}

#[tokio::test]
async fn a_listener_without_the_key_of_the_device_learns_nothing() {
    let door = open(&["127.0.0.0/8"]).await;
    let (key, thief) = (keys(), keys());
    let listener = listen(&door, &thief, Manner::Acks).await;
    let device = device(&door, &key, listener.address).await;
    order(&door, &device).await;
    until(&door, "failed").await;
    assert!(listener.calls.lock().is_empty());
    assert_eq!(state(&door, &device).await, CommandState::Queued);
}

#[tokio::test]
async fn addresses_of_this_machine_are_not_called_unless_the_configuration_names_them() {
    let door = open(&["10.0.0.0/8"]).await;
    let key = keys();
    let listener = listen(&door, &key, Manner::Acks).await;
    let device = device(&door, &key, listener.address).await;
    order(&door, &device).await;
    until(&door, "forbidden").await;
    assert_eq!(*listener.tried.lock(), 0, "not even a connection");
    assert_eq!(state(&door, &device).await, CommandState::Queued);
}
