//! What a good sender gets.

use platen_core::devices::{self, DeviceQuery};
use reqwest::StatusCode;
use wire::{AgentPlan, Outcome, Reply, cbor, signature::TIME_HEADER};

use crate::door::{Door, reply_of, status};

#[tokio::test]
async fn a_report_is_stored_once_however_often_it_comes() {
    let door = Door::open().await;
    let agent = door.enrol(&door.root).await;
    for expected in [Outcome::Stored, Outcome::Duplicate, Outcome::Duplicate] {
        let answer = door.report(&agent, vec![status(1, "E216R220016")]).await;
        assert_eq!(answer.headers()[TIME_HEADER], door.now_ms().to_string());
        let reply = reply_of(answer).await;
        assert_eq!(reply.results[0].outcome, expected);
        assert_eq!(reply.server_ms, door.now_ms());
    }
    let found = devices::list(&door.root, &DeviceQuery::default()).await.unwrap();
    assert_eq!(found.items.len(), 1);
    assert_eq!(found.items[0].serial.as_deref(), Some("E216R220016"));
}

#[tokio::test]
async fn both_twins_and_zstd_are_understood() {
    let door = Door::open().await;
    let agent = door.enrol(&door.root).await;
    let json = serde_json::to_vec(&agent.report(vec![status(1, "JSON1")])).unwrap();
    let request = door.request(&agent, "POST", "/d/v1/report", json).header("content-type", cbor::JSON);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], cbor::JSON);
    let reply: Reply = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(reply.results[0].outcome, Outcome::Stored);

    let packed = zstd::encode_all(&cbor::encode(&agent.report(vec![status(2, "ZSTD1")]))[..], 3).unwrap();
    let request = door.request(&agent, "POST", "/d/v1/report", packed);
    let request = request.header("content-type", cbor::CBOR).header("content-encoding", "zstd");
    let answer = request.header("accept", cbor::JSON).send().await.unwrap();
    let reply: Reply = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(reply.results[0].outcome, Outcome::Stored);
}

#[tokio::test]
async fn the_plan_is_told_when_it_is_new_and_only_then() {
    let door = Door::open().await;
    let agent = door.enrol(&door.root).await;
    let first = platen_core::agents::plan(&door.root, agent.id.into()).await.unwrap();
    let wanted = AgentPlan { ranges: vec!["10.0.0.0/24".to_owned()], ..first };
    let plan = platen_core::agents::set_plan(&door.root, agent.id.into(), wanted).await.unwrap();
    let answer = door.request(&agent, "GET", "/d/v1/plan", Vec::new()).send().await.unwrap();
    let told: AgentPlan = cbor::decode(&answer.bytes().await.unwrap()).unwrap();
    assert_eq!(told, plan);
    let path = format!("/d/v1/plan?revision={}", plan.revision);
    let answer = door.request(&agent, "GET", &path, Vec::new()).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
    let reply = reply_of(door.report(&agent, vec![status(1, "ABC123")]).await).await;
    assert_eq!(reply.plan, Some(plan), "a report under an older plan brings the newer one");
}

#[tokio::test]
async fn an_invitation_is_good_for_one_agent() {
    let door = Door::open().await;
    let secret = platen_core::agents::invite(&door.root, door.root.home).await.unwrap().secret;
    assert_eq!(door.try_enrol(secret.expose(), &[7; 32]).await.status(), StatusCode::OK);
    assert_eq!(door.try_enrol(secret.expose(), &[8; 32]).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(door.try_enrol("guessed", &[9; 32]).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(door.try_enrol("guessed", &[9; 31]).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn organisations_do_not_see_each_others_devices() {
    let door = Door::open().await;
    let (_, north) = door.test.customer(&door.root, "North").await;
    let (_, south) = door.test.customer(&door.root, "South").await;
    let (a, b) = (door.enrol(&north).await, door.enrol(&south).await);
    // The same unit, told by both: two devices, one each.
    assert_eq!(reply_of(door.report(&a, vec![status(1, "SHARED1")]).await).await.results[0].outcome, Outcome::Stored);
    assert_eq!(reply_of(door.report(&b, vec![status(1, "SHARED1")]).await).await.results[0].outcome, Outcome::Stored);
    for who in [&north, &south] {
        let found = devices::list(who, &DeviceQuery::default()).await.unwrap();
        assert_eq!(found.items.len(), 1);
        assert_eq!(found.items[0].org, who.home);
    }
}
