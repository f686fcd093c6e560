//! From invitation to revocation, on both engines.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use wire::enrol::EnrolRequest;
use wire::plan::SnmpCredential;
use wire::report::AgentBody;
use wire::{AgentPlan, Subject};

use super::*;
use crate::testing::TestPlatform;
use crate::{Ctx, Kind, Role, audit, events};

fn request(invitation: &Invitation, key: u8) -> EnrolRequest {
    EnrolRequest {
        token: invitation.secret.expose().to_owned(),
        public_key: vec![key; 32],
        name: "probe-1\u{7}".to_owned(),
        version: "0.1.0".to_owned(),
    }
}

async fn enrolled(test: &TestPlatform, root: &Ctx, key: u8) -> Subject {
    let invitation = invite(root, root.home).await.unwrap();
    enrol(&test.platform, &request(&invitation, key)).await.unwrap().agent
}

async fn beat(ctx: &Ctx, body: Option<&AgentBody>, revision: u64) -> crate::Result<Option<AgentPlan>> {
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let plan = heartbeat(&mut tx, ctx, body, revision).await?.plan;
    tx.commit().await?;
    Ok(plan)
}

#[tokio::test]
async fn an_invitation_makes_one_agent_and_the_reply_may_be_fetched_again() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let invitation = invite(&root, root.home).await.unwrap();
        let first = enrol(&test.platform, &request(&invitation, 1)).await.unwrap();
        assert_eq!((first.organisation.as_str(), first.plan.revision), (root.home.to_string().as_str(), 1));
        assert_eq!(enrol(&test.platform, &request(&invitation, 1)).await.unwrap(), first);
        assert_eq!(enrol(&test.platform, &request(&invitation, 2)).await.unwrap_err().kind, Kind::Forbidden);
        let agent = get(&root, first.agent.into()).await.unwrap();
        assert_eq!((agent.name.as_str(), agent.state), ("probe-1", AgentState::Online));
        let (key, ctx) = key_of(&test.platform, first.agent).await.unwrap().unwrap();
        assert_eq!((key, ctx.home, ctx.role), (PublicKey([1; 32]), root.home, Role::Agent));
        let other = invite(&root, root.home).await.unwrap();
        let error = enrol(&test.platform, &request(&other, 1)).await.unwrap_err();
        assert_eq!(error.kind, Kind::Conflict, "one key, one agent");
    }
}

#[tokio::test]
async fn an_invitation_ends() {
    let test = TestPlatform::sqlite().await;
    let root = test.root().await;
    let invitation = invite_for(&root, root.home, Duration::from_secs(900)).await.unwrap();
    test.clock.advance(Duration::from_secs(901));
    assert_eq!(enrol(&test.platform, &request(&invitation, 1)).await.unwrap_err().kind, Kind::Forbidden);
    assert!(invite_for(&root, root.home, Duration::from_secs(1)).await.is_err());
    let user = test.account(&root, root.home, "u@example.org", Role::User).await;
    assert_eq!(invite(&user, root.home).await.unwrap_err().kind, Kind::Forbidden);
}

#[tokio::test]
async fn two_agents_with_one_invitation_race_and_one_wins() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let invitation = invite(&root, root.home).await.unwrap();
        let tries: Vec<_> = (1..=8)
            .map(|key| {
                let (platform, request) = (test.platform.clone(), request(&invitation, key));
                tokio::spawn(async move { enrol(&platform, &request).await.is_ok() })
            })
            .collect();
        let mut won = 0;
        for one in tries {
            won += u32::from(one.await.unwrap());
        }
        assert_eq!(won, 1);
    }
}

#[tokio::test]
async fn a_revoked_agent_is_unknown_at_once() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let subject = enrolled(&test, &root, 1).await;
        let (_, ctx) = key_of(&test.platform, subject).await.unwrap().unwrap();
        revoke(&root, subject.into()).await.unwrap();
        assert!(key_of(&test.platform, subject).await.unwrap().is_none());
        assert_eq!(beat(&ctx, None, 1).await.unwrap_err().kind, Kind::Forbidden);
        revoke(&root, subject.into()).await.unwrap();
        assert_eq!(counts(&root).await.unwrap(), AgentCounts { online: 0, offline: 0, revoked: 1 });
    }
}

#[tokio::test]
async fn a_plan_reaches_the_agent_whole_and_people_without_secrets() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let subject = enrolled(&test, &root, 1).await;
        let mut wanted = plan(&root, subject.into()).await.unwrap();
        wanted.ranges = vec!["10.1.0.0/24".to_owned()];
        wanted.credentials = vec![SnmpCredential::community("s3cret-ro")];
        let shown = set_plan(&root, subject.into(), wanted.clone()).await.unwrap();
        assert_eq!((shown.revision, &shown.credentials[0]), (2, &SnmpCredential::community(MASK)));
        assert_eq!(set_plan(&root, subject.into(), wanted).await.unwrap_err().kind, Kind::Stale);
        let again = AgentPlan { status_s: 30, ..shown };
        assert_eq!(set_plan(&root, subject.into(), again).await.unwrap().revision, 3);
        let (_, ctx) = key_of(&test.platform, subject).await.unwrap().unwrap();
        let fetched = beat(&ctx, None, 1).await.unwrap().unwrap();
        assert_eq!((fetched.revision, fetched.status_s), (3, 30));
        assert_eq!(fetched.credentials, [SnmpCredential::community("s3cret-ro")]);
        assert_eq!(plan(&ctx, subject.into()).await.unwrap(), fetched);
        assert_eq!(beat(&ctx, None, 3).await.unwrap(), None);
        assert_eq!(get(&root, subject.into()).await.unwrap().plan_followed, 3);
        let other = enrolled(&test, &root, 2).await;
        assert_eq!(plan(&ctx, other.into()).await.unwrap_err().kind, Kind::NotFound);
    }
}

#[tokio::test]
async fn silence_is_told_once_and_a_sign_of_life_ends_it() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let subject = enrolled(&test, &root, 1).await;
        assert_eq!(run(&test.platform).await.unwrap(), 0);
        test.clock.advance(OFFLINE_AFTER + Duration::from_secs(1));
        assert_eq!((run(&test.platform).await.unwrap(), run(&test.platform).await.unwrap()), (1, 0));
        assert_eq!(counts(&root).await.unwrap().offline, 1);
        let (_, ctx) = key_of(&test.platform, subject).await.unwrap().unwrap();
        let body = AgentBody { version: "0.2.0".to_owned(), devices: 25, outbox_depth: 3, ..AgentBody::default() };
        beat(&ctx, Some(&body), 1).await.unwrap();
        let agent = get(&root, subject.into()).await.unwrap();
        assert_eq!((agent.state, agent.devices, agent.program.as_str()), (AgentState::Online, 25, "0.2.0"));
        let kinds: Vec<_> = events::after(&root, 0, 500).await.unwrap().into_iter().map(|event| event.kind).collect();
        let tail: Vec<_> = kinds.iter().filter(|kind| kind.starts_with("agent.")).map(String::as_str).collect();
        assert_eq!(tail, ["agent.enrolled", "agent.offline", "agent.online"]);
    }
}

#[tokio::test]
async fn only_its_own_key_signs_for_an_agent() {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let key = PublicKey(pair.public_key().as_ref().try_into().unwrap());
    let signature = pair.sign(b"message");
    assert!(key.verify(b"message", signature.as_ref()));
    assert!(!key.verify(b"messagf", signature.as_ref()));
    assert!(!PublicKey([1; 32]).verify(b"message", signature.as_ref()));
    assert!(!key.verify(b"message", b""));
}

#[tokio::test]
async fn renaming_and_revoking_are_audited() {
    let test = TestPlatform::sqlite().await;
    let root = test.root().await;
    let subject = enrolled(&test, &root, 1).await;
    let agent = get(&root, subject.into()).await.unwrap();
    let named = rename(&root, agent.id, "Basement", Some(agent.version)).await.unwrap();
    assert_eq!(named.name, "Basement");
    assert_eq!(rename(&root, agent.id, "x", Some(agent.version)).await.unwrap_err().kind, Kind::Stale);
    revoke(&root, agent.id).await.unwrap();
    let page = audit::list(&root, &audit::AuditQuery::default()).await.unwrap();
    let verbs: Vec<_> =
        page.items.iter().filter(|record| record.object_kind == "agent").map(|record| record.verb.as_str()).collect();
    assert_eq!(verbs, ["revoked", "renamed", "enrolled", "invited"]);
    assert_eq!(audit::verify(&root, root.home).await.unwrap().fault, None);
}

#[tokio::test]
async fn a_list_adds_places_to_the_plan_once_and_its_names_to_devices() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let subject = enrolled(&test, &root, 1).await;
        let list =
            b"address,name,site,asset\n10.0.0.7,Reception,Ground floor,A-17\nprinter-8.example.org,Eight,,\n10.0.0\n";
        let preview = preview_list(&root, subject.into(), list, None).await.unwrap();
        assert_eq!((preview.new, preview.fault_count, preview.faults[0].line), (2, 1, 4));
        assert_eq!(plan(&root, subject.into()).await.unwrap().targets.len(), 0, "a preview changes nothing");
        import_list(&root, subject.into(), list, None).await.unwrap();
        let taken = plan(&root, subject.into()).await.unwrap();
        assert_eq!((taken.revision, taken.targets.len(), taken.zone.as_str()), (2, 2, "UTC"));
        let again = import_list(&root, subject.into(), list, None).await.unwrap();
        assert_eq!((again.known, plan(&root, subject.into()).await.unwrap().revision), (2, 2));
        let user = test.account(&root, root.home, "u@example.org", Role::User).await;
        assert_eq!(import_list(&user, subject.into(), list, None).await.unwrap_err().kind, Kind::Forbidden);
        let (_, ctx) = key_of(&test.platform, subject).await.unwrap().unwrap();
        let mut tx = ctx.db().write(&ctx.scope.view()).await.unwrap();
        let hints = hints(&mut tx, &ctx).await.unwrap();
        let name = |address: &str, names| hints.of(address, 161, names).and_then(|target| target.name.as_deref());
        assert_eq!(name("10.0.0.7", [None, None]), Some("Reception"));
        assert_eq!(name("10.0.0.8", [Some("PRINTER-8"), None]), Some("Eight"));
        assert_eq!(name("10.0.0.9", [Some("other"), None]), None);
    }
}

#[tokio::test]
async fn a_discovery_is_kept_as_it_went_and_asked_for_at_once() {
    use wire::report::{DiscoveryBody, Sighting};
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let subject = enrolled(&test, &root, 1).await;
        assert_eq!(discovery(&root, subject.into()).await.unwrap(), None);
        let asked = discover_now(&root, subject.into()).await.unwrap();
        assert_eq!((asked.revision, asked.asked), (2, 1));
        let (_, ctx) = key_of(&test.platform, subject).await.unwrap().unwrap();
        let now = ctx.now.as_millis();
        let silent =
            vec![Sighting { address: "10.0.0.9".to_owned(), name: "Nine\0".to_owned(), ..Sighting::default() }];
        let body =
            DiscoveryBody { began_ms: now - 5_000, ended_ms: now, printers: 3, silent, ..DiscoveryBody::default() };
        for (printers, ended_ms) in [(3, now), (2, now - 60_000)] {
            let mut tx = ctx.db().write(&ctx.scope.view()).await.unwrap();
            keep_discovery(&mut tx, &ctx, &DiscoveryBody { printers, ended_ms, ..body.clone() }, 0).await.unwrap();
            tx.commit().await.unwrap();
        }
        let told = discovery(&root, subject.into()).await.unwrap().unwrap();
        assert_eq!((told.printers, told.silent[0].name.as_str()), (3, "Nine"), "the newer one stands");
        let said = AgentBody { discovery_found: 2, discovery_next_ms: now + 60_000, ..AgentBody::default() };
        beat(&ctx, Some(&said), 1).await.unwrap();
        let agent = get(&root, subject.into()).await.unwrap();
        assert_eq!((agent.discovery_found, agent.discovery_next_at), (2, Some(Micros::from_millis(now + 60_000))));
    }
}
