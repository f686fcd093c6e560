//! The outbox against a server that is away, busy, forgetful or wrong about the time.

use std::time::Duration;

use wire::{AgentPlan, Body, Outcome};

use crate::gateway::{Agent, Gateway, Mood, of_kind};

/// A plan without devices: the agent then speaks only of itself, which is enough to deliver.
fn quiet() -> AgentPlan {
    AgentPlan { revision: 1, ..AgentPlan::default() }
}

#[tokio::test]
async fn a_server_that_was_away_gets_everything_once_and_in_order() {
    let gateway = Gateway::start(quiet()).await;
    let mut agent = gateway.agent().await;
    gateway.heard(&agent).await;
    gateway.go_away().await;
    for _ in 0..3 {
        agent = agent.restart().await;
        gateway.until("it leaves a word behind", |_| agent.stats().view().outbox_depth >= 1).await;
    }
    let left = usize::try_from(agent.stats().view().outbox_depth).unwrap();
    gateway.come_back();
    gateway.until("what was left behind", |kept| kept.messages.len() > left).await;
    agent.stop().await;
    let kept = gateway.kept.lock();
    let numbers: Vec<u64> = kept.messages.iter().map(|(_, m)| m.seq).collect();
    assert!(numbers.windows(2).all(|w| w[1] == w[0] + 1), "{numbers:?}");
    assert_eq!(kept.duplicates, 0);
}

#[tokio::test]
async fn a_lost_answer_leads_to_duplicates_and_not_to_loss() {
    let gateway = Gateway::start(quiet()).await;
    gateway.set_mood(Mood::LosesAnswers);
    let agent = gateway.agent().await;
    gateway.until("a message whose answer is lost", |kept| !kept.messages.is_empty()).await;
    gateway.set_mood(Mood::Good);
    gateway.until("the repetition", |kept| kept.duplicates > 0).await;
    gateway.heard(&agent).await;
    agent.stop().await;
    assert_eq!(gateway.kept.lock().messages.iter().filter(|(_, m)| m.seq == 1).count(), 1);
}

#[tokio::test]
async fn a_busy_server_is_asked_no_sooner_than_it_wants() {
    let gateway = Gateway::start(quiet()).await;
    gateway.set_mood(Mood::Busy);
    let began = std::time::Instant::now();
    let agent = gateway.agent().await;
    gateway.until("four refused requests", |kept| kept.requests >= 4).await;
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(3), "four requests in {took:?} although each was told to wait 1 s");
    agent.stop().await;
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_by_the_servers() {
    let gateway = Gateway::start(quiet()).await;
    gateway.kept.lock().offset_ms = 3 * 3_600_000;
    let agent = gateway.agent().await;
    gateway.until("a report signed with the server's time", |kept| !kept.messages.is_empty()).await;
    assert_eq!(gateway.kept.lock().bad_signatures, 1, "one attempt with the own clock, then the right one");
    agent.stop().await;
}

#[tokio::test]
async fn a_new_plan_is_followed_and_kept() {
    let gateway = Gateway::start(quiet()).await;
    let agent = gateway.agent().await;
    gateway.until("a report under the first plan", |kept| kept.followed == 1).await;
    gateway.kept.lock().plan = AgentPlan { revision: 7, status_s: 30, ..AgentPlan::default() };
    let agent = agent.restart().await;
    let before = gateway.kept.lock().requests;
    gateway.until("the answer that carries the plan", |kept| kept.requests > before).await;
    let agent = agent.restart().await;
    gateway.until("a report under the second plan", |kept| kept.followed == 7).await;
    agent.stop().await;
}

#[tokio::test]
async fn a_stale_message_goes_again_under_a_later_epoch() {
    let gateway = Gateway::start(quiet()).await;
    gateway.kept.lock().outcomes = vec![Outcome::Stale];
    let agent = gateway.agent().await;
    gateway.heard(&agent).await;
    assert_eq!(agent.stats().view().rejected, 0);
    agent.stop().await;
    assert!(gateway.kept.lock().messages[0].1.seq > 1);
}

#[tokio::test]
async fn what_the_server_cannot_understand_is_dropped_and_counted() {
    let gateway = Gateway::start(quiet()).await;
    gateway.kept.lock().outcomes = vec![Outcome::Invalid];
    let agent = gateway.agent().await;
    gateway.heard(&agent).await;
    assert_eq!(agent.stats().view().rejected, 1);
    agent.stop().await;
}

#[tokio::test]
async fn a_revoked_agent_waits_and_keeps_what_it_has() {
    let gateway = Gateway::start(quiet()).await;
    gateway.set_mood(Mood::Revoked);
    let agent = gateway.agent().await;
    gateway.until("a refusal", |kept| kept.requests >= 1).await;
    let stats = agent.running.stats.clone();
    let data = agent.stop().await;
    assert!(stats.view().outbox_depth >= 1 && stats.view().rejected == 0);
    gateway.set_mood(Mood::Good);
    let agent = Agent::start(data, None, None).await.unwrap();
    gateway.until("what was kept", |kept| kept.messages.iter().any(|(_, m)| m.seq == 1)).await;
    agent.stop().await;
}

#[tokio::test]
async fn a_lost_outbox_begins_a_higher_epoch_under_the_same_name() {
    let gateway = Gateway::start(quiet()).await;
    let agent = gateway.agent().await;
    gateway.heard(&agent).await;
    let data = agent.stop().await;
    let first = gateway.kept.lock().messages[0].0;
    for name in ["agent.db", "agent.db-wal", "agent.db-shm"] {
        let _ = std::fs::remove_file(data.path().join(name));
    }
    let agent = Agent::start(data, None, None).await.unwrap();
    gateway.until("a message of a later epoch", |kept| kept.messages.iter().any(|(epoch, _)| *epoch > first)).await;
    agent.stop().await;
    let kept = gateway.kept.lock();
    assert!(kept.messages.iter().all(|(_, m)| matches!(m.body, Body::Agent(_))));
    assert!(of_kind(&kept, 65) >= 2);
}
