//! The listener: slow clients, many clients, the same port again, and a drained end.

use std::time::{Duration, Instant};

use gateway::Limits;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;
use wire::{Outcome, cbor};

use crate::door::{Door, reply_of, serve, status};

fn impatient() -> Limits {
    let short = Duration::from_secs(2);
    Limits { handshake: short, head: short, body: short, ..Limits::default() }
}

/// What the door says at the end to somebody who says this much and then nothing. `None`: it lost patience before that,
/// as it does where a machine stalls.
async fn end_of(door: &Door, half: &str) -> Option<String> {
    let mut stream = door.try_connect().await.ok()?;
    stream.write_all(half.as_bytes()).await.ok()?;
    Some(read_to_end(&mut stream).await)
}

async fn read_to_end(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut all = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut all)).await.expect("the end comes");
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test]
async fn whoever_is_slow_is_let_go_and_others_are_served() {
    let door = Door::with(impatient()).await;
    let agent = door.enrol_inside(&door.root).await;
    let mut silent = TcpStream::connect(door.gateway.address).await.unwrap();
    let half_head = async {
        let said = end_of(&door, "POST /d/v1/report HTTP/1.1\r\nhost: x\r\nx-").await.unwrap_or_default();
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    };
    let half_body = async {
        let half = "POST /d/v1/report HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\nabc";
        while !end_of(&door, half).await.is_some_and(|said| said.starts_with("HTTP/1.1 408")) {}
    };
    let others = async {
        let body = cbor::encode(&agent.report(vec![status(1, "FAST1")]));
        loop {
            let request = door.request(&agent, "POST", "/d/v1/report", body.clone());
            let answer = request.header("content-type", cbor::CBOR).send().await;
            if let Ok(answer) = answer
                && answer.status() != 408
            {
                // An answer that was cut off is met again as a duplicate.
                break matches!(reply_of(answer).await.results[0].outcome, Outcome::Stored | Outcome::Duplicate);
            }
        }
    };
    let ((), (), stored) = tokio::join!(half_head, half_body, others);
    assert!(stored);
    assert_eq!(read_to_end(&mut silent).await, "");
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_for_their_turn() {
    let door = Door::with(Limits { connections: 2, ..Limits::default() }).await;
    let (one, two) = (door.connect().await, door.connect().await);
    let third = tokio::spawn({
        let client = door.client.clone();
        let url = format!("{}/d/v1/ca", door.gateway.url);
        async move { client.get(url).send().await.unwrap().status() }
    });
    tokio::time::timeout(Duration::from_millis(300), async {
        while !third.is_finished() {
            tokio::task::yield_now().await
        }
    })
    .await
    .expect_err("the third waits");
    drop((one, two));
    assert_eq!(third.await.unwrap(), 200);
}

#[tokio::test]
async fn a_sender_with_too_much_under_way_is_told_to_wait() {
    let door = Door::with(Limits { waiting: 0, ..Limits::default() }).await;
    let secret = platen_core::agents::invite(&door.root, door.root.home).await.unwrap().secret;
    let answer = door.try_enrol(secret.expose(), &[1; 32]).await;
    assert_eq!(answer.status(), 503);
    let wait: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=300).contains(&wait));
    let problem: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert!(problem["not_before_ms"].as_i64().unwrap() > door.now_ms());
}

#[tokio::test]
async fn a_request_that_has_begun_is_finished_before_the_end() {
    let door = Door::open().await;
    let agent = door.enrol(&door.root).await;
    let body = cbor::encode(&agent.report(vec![status(1, "LAST1")]));
    let mut head = format!("POST /d/v1/report HTTP/1.1\r\nhost: localhost\r\ncontent-type: {}\r\n", cbor::CBOR);
    for (name, value) in agent.headers("POST", "/d/v1/report", door.now_ms(), &body) {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    let mut stream = door.connect().await;
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body[..10]).await.unwrap();
    stream.flush().await.unwrap();
    // An answer on a second connection shows that the server has turned to what came before it.
    assert_eq!(door.client.get(format!("{}/d/v1/ca", door.gateway.url)).send().await.unwrap().status(), 200);
    let began = Instant::now();
    door.stop.cancel();
    while TcpStream::connect(door.gateway.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(&body[10..]).await.unwrap();
    let said = read_to_end(&mut stream).await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    door.gateway.task.await.unwrap();
    println!("drained in {:?}", began.elapsed());
}

#[tokio::test]
async fn the_port_and_the_ca_stay_over_a_restart() {
    let door = Door::open().await;
    let (address, pin) = (door.gateway.address, door.gateway.ca_pin);
    door.stop.cancel();
    drop(door.client);
    door.gateway.task.await.unwrap();
    let stop = CancellationToken::new();
    let again = serve(&door.test, &door.data, Limits::default(), stop.clone()).await;
    assert_eq!((again.address, again.ca_pin), (address, pin));
    // A second gateway on the same folder finds the port taken and says so instead of failing.
    let other = serve(&door.test, &door.data, Limits::default(), stop.clone()).await;
    assert_ne!(other.address, address);
    stop.cancel();
}
