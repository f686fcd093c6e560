//! An agent taken to another machine.

use agent::{Error, carry};
use tempfile::TempDir;
use wire::AgentPlan;

use crate::gateway::{Agent, Gateway};

const PASSPHRASE: &str = "five grey owls wait";

#[tokio::test]
async fn a_restored_agent_goes_on_without_enrolment_and_without_double_effects() {
    let gateway = Gateway::start(AgentPlan { revision: 1, ..AgentPlan::default() }).await;
    let mut old = gateway.agent().await;
    gateway.heard(&old).await;
    gateway.go_away().await;
    for _ in 0..3 {
        old = old.restart().await;
        gateway.until("it leaves a word behind", |_| old.stats().view().outbox_depth >= 1).await;
    }
    let (exports, name) = (TempDir::new().unwrap(), old.running.agent);
    let file = exports.path().join("agent.sealed");
    let moved = carry::export(old.data.path(), &file, PASSPHRASE).await.unwrap();
    assert!(moved.agent == name && moved.messages >= 1, "{moved:?}");
    // The old machine goes on for a while and delivers what the export holds, and more.
    gateway.come_back();
    let old = old.restart().await;
    let carried = usize::try_from(moved.messages).unwrap();
    gateway.until("what was left behind, and more", |kept| kept.messages.len() > 1 + carried).await;
    old.stop().await;
    let before = gateway.kept.lock().messages.clone();
    let (last_epoch, duplicates) = (before.last().unwrap().0, gateway.kept.lock().duplicates);

    let new = TempDir::new().unwrap();
    let wrong = carry::restore(&file, new.path(), "five grey owls wai").await.unwrap_err();
    assert!(matches!(&wrong, Error::File { source, .. } if source.to_string().contains("passphrase")), "{wrong}");
    assert_eq!(std::fs::read_dir(new.path()).unwrap().count(), 0, "nothing is left of it");
    assert_eq!(carry::restore(&file, new.path(), PASSPHRASE).await.unwrap(), moved);
    let again = carry::restore(&file, new.path(), PASSPHRASE).await.unwrap_err();
    assert!(matches!(again, Error::Occupied { .. }), "{again}");

    let new = Agent::start(new, None, None).await.unwrap();
    assert_eq!(new.running.agent, name);
    gateway.until("its own messages", |kept| kept.messages.len() > before.len()).await;
    new.stop().await;
    let kept = gateway.kept.lock();
    let fresh = &kept.messages[before.len()..];
    assert!(fresh.iter().all(|(epoch, _)| *epoch > last_epoch), "what is new belongs to a new epoch");
    let known = |taken_ms: i64| before.iter().any(|(_, message)| message.taken_ms == taken_ms);
    assert!(fresh.iter().all(|(_, message)| !known(message.taken_ms)), "nothing takes effect twice");
    assert!(kept.duplicates > duplicates, "what waited was delivered under its old numbers");
}

#[tokio::test]
async fn an_export_is_not_overwritten_and_wants_a_passphrase() {
    let gateway = Gateway::start(AgentPlan { revision: 1, ..AgentPlan::default() }).await;
    let agent = gateway.agent().await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("agent.sealed");
    let short = carry::export(agent.data.path(), &file, "short").await.unwrap_err();
    assert!(matches!(short, Error::Passphrase { .. }));
    carry::export(agent.data.path(), &file, PASSPHRASE).await.unwrap();
    let size = std::fs::metadata(&file).unwrap().len();
    assert!(carry::export(agent.data.path(), &file, PASSPHRASE).await.is_err());
    assert_eq!(std::fs::metadata(&file).unwrap().len(), size);
    let bytes = std::fs::read(&file).unwrap();
    let key = std::fs::read(agent.data.path().join("agent.key")).unwrap();
    assert!(!bytes.windows(key.len()).any(|window| window == key), "the key is not readable in it");
    let nobody = TempDir::new().unwrap();
    let none = carry::export(nobody.path(), &folder.path().join("other"), PASSPHRASE).await.unwrap_err();
    assert!(matches!(none, Error::NotEnrolled));
    agent.stop().await;
}
