//! Who is not let in, and that nobody learns why.

use std::time::{Duration, Instant};

use aws_lc_rs::signature::Ed25519KeyPair;
use reqwest::StatusCode;
use wire::{Subject, cbor, signature::CLOCK_TOLERANCE_MS};

use crate::door::{Door, Sender, reply_of, status};

#[tokio::test]
async fn all_causes_of_a_refusal_read_alike_and_take_alike() {
    let door = Door::open().await;
    let (agent, other, revoked) =
        (door.enrol(&door.root).await, door.enrol(&door.root).await, door.enrol(&door.root).await);
    reply_of(door.report(&revoked, vec![status(1, "BEFORE1")]).await).await;
    platen_core::agents::revoke(&door.root, revoked.id.into()).await.unwrap();
    let unknown = Sender { id: Subject([0x77; 16]), key: Ed25519KeyPair::generate().unwrap(), epoch: 1 };
    let posing = Sender { id: agent.id, key: Ed25519KeyPair::generate().unwrap(), epoch: 1 };

    let body = cbor::encode(&agent.report(vec![status(1, "X1")]));
    let url = format!("{}/d/v1/report", door.gateway.url);
    let signed_at = |offset: i64| {
        let mut request = door.client.post(&url);
        for (name, value) in agent.headers("POST", "/d/v1/report", door.now_ms() + offset, &body) {
            request = request.header(name, value);
        }
        request.body(body.clone())
    };
    let mut altered = body.clone();
    altered[20] ^= 1;
    let swapped = agent.headers("POST", "/d/v1/plan", door.now_ms(), &body);
    let of = |sender: &Sender, named: &Sender| {
        door.request(sender, "POST", "/d/v1/report", cbor::encode(&named.report(vec![status(1, "X1")])))
    };
    let with = |headers: [(&'static str, String); 3], body: &[u8]| {
        let request =
            headers.into_iter().fold(door.client.post(&url), |request, (name, value)| request.header(name, value));
        request.body(body.to_vec())
    };
    let causes = [
        ("unknown agent", of(&unknown, &unknown)),
        ("revoked agent", of(&revoked, &revoked)),
        ("wrong key", of(&posing, &posing)),
        ("someone else's report", of(&other, &agent)),
        ("altered body", with(agent.headers("POST", "/d/v1/report", door.now_ms(), &body), &altered)),
        ("signed for another path", with(swapped, &body)),
        ("an hour old", signed_at(-CLOCK_TOLERANCE_MS - 1_000)),
        ("from the future", signed_at(CLOCK_TOLERANCE_MS + 1_000)),
        ("no signature", door.client.post(&url).body(body.clone())),
    ];
    let mut bodies = Vec::new();
    let mut times = Vec::new();
    for (cause, request) in causes {
        let began = Instant::now();
        let answer = request.header("content-type", cbor::CBOR).send().await.unwrap();
        times.push((began.elapsed(), cause));
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{cause}");
        bodies.push(answer.bytes().await.unwrap());
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "one body for all causes");
    times.sort();
    println!("refusals take {:?} to {:?}", times[0], times[times.len() - 1]);
    assert!(times[0].0 >= Duration::from_millis(100));
    let reply = reply_of(door.report(&agent, vec![status(1, "X1")]).await).await;
    assert_eq!(reply.results.len(), 1, "the agent itself is let in");
}

#[tokio::test]
async fn too_much_is_refused_with_the_budget() {
    let door = Door::open().await;
    let agent = door.enrol(&door.root).await;
    let send = |body: Vec<u8>, encoding: Option<&'static str>| {
        let request = door.request(&agent, "POST", "/d/v1/report", body).header("content-type", cbor::CBOR);
        async move {
            let request = encoding.into_iter().fold(request, |request, name| request.header("content-encoding", name));
            let answer = request.send().await.unwrap();
            let status = answer.status();
            let problem: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            (status.as_u16(), problem["budget_bytes"].as_u64())
        }
    };
    assert_eq!(send(vec![0; (2 << 20) + 1], None).await, (413, Some(2 << 20)));
    let bomb = zstd::encode_all(&vec![0; 64 << 20][..], 3).unwrap();
    let (status, budget) = send(bomb, Some("zstd")).await;
    assert_eq!(status, 413);
    assert!(budget.is_some_and(|b| b <= 8 << 20));
    assert_eq!(send(Vec::new(), Some("gzip")).await, (415, None));
    let big_enrolment = door.try_enrol(&"x".repeat(20_000), &[1; 32]).await;
    assert_eq!(big_enrolment.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn what_is_malformed_is_told_with_its_place() {
    let door = Door::open().await;
    let agent = door.enrol(&door.root).await;
    let send = |body: Vec<u8>| {
        let request = door.request(&agent, "POST", "/d/v1/report", body).header("content-type", cbor::CBOR);
        async move {
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            (status, serde_json::from_slice::<serde_json::Value>(&answer.bytes().await.unwrap()).unwrap())
        }
    };
    let mut body = cbor::encode(&agent.report(vec![status(1, "X1")]));
    let length = body.len() as u64;
    body.push(0);
    let (status_code, problem) = send(body).await;
    assert_eq!((status_code, problem["offset"].as_u64()), (400, Some(length)));
    let none = cbor::encode(&agent.report(Vec::new()));
    assert_eq!(send(none).await.0, 400);
    let many = (1..=513).map(|seq| status(seq, "X1")).collect();
    let (status_code, problem) = send(cbor::encode(&agent.report(many))).await;
    assert_eq!(status_code, 400);
    assert!(problem["detail"].as_str().unwrap().contains("513"), "{problem}");
}

#[tokio::test]
async fn other_paths_and_methods_are_not_there() {
    let door = Door::open().await;
    let get = |path: &str| door.client.get(format!("{}{path}", door.gateway.url)).send();
    assert_eq!(get("/").await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(get("/d/v1/report").await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
    let ca = get("/d/v1/ca").await.unwrap().text().await.unwrap();
    assert_eq!(ca, std::fs::read_to_string(&door.gateway.ca_path).unwrap());
}
