//! The wall between organisations: whatever is asked with an id of another reads as an id that never was.

use platen_core::orgs::{self, NewOrg, OrgPatch};
use platen_core::testing::TestPlatform;
use platen_core::users::{self, NewFilter, NewToken, NewUser, UserPatch, UserState};
use platen_core::{
    AgentId, Ctx, Error, FilterId, Kind, OrgId, PageQuery, Role, TokenId, UserId, agents, audit, events,
};
use uuid::Uuid;
use wire::AgentPlan;
use wire::enrol::EnrolRequest;

/// What a tenant has.
struct Tenant {
    ctx: Ctx,
    org: OrgId,
    user: UserId,
    token: TokenId,
    filter: FilterId,
    agent: AgentId,
}

async fn tenant(test: &TestPlatform, root: &Ctx, name: &str, seed: u8) -> Tenant {
    let (org, admin) = test.provider(root, name).await;
    let ctx = test.again(&admin).await;
    let user = test.account(&ctx, org, &format!("colleague@{name}"), Role::User).await.user().unwrap();
    let new = NewToken { name: "t".to_owned(), scope: "read".to_owned(), expires_days: None };
    let token = users::create_token(&ctx, &new).await.unwrap().1.id;
    let new = NewFilter {
        list: "devices".to_owned(),
        name: "f".to_owned(),
        filter: "total gt 5".to_owned(),
        shared_role: Some(Role::User),
    };
    let filter = users::save_filter(&ctx, &new).await.unwrap().id;
    let invitation = agents::invite(&ctx, org).await.unwrap();
    let request = EnrolRequest {
        token: invitation.secret.expose().to_owned(),
        public_key: vec![seed; 32],
        name: "host".to_owned(),
        version: "1".to_owned(),
    };
    let agent = agents::enrol(&test.platform, &request).await.unwrap().agent.into();
    Tenant { ctx, org, user, token, filter, agent }
}

/// All that one may ask about what another has, with the answer to each.
async fn ask(ctx: &Ctx, of: &Tenant) -> Vec<(&'static str, Error)> {
    let filter = NewFilter {
        list: "devices".to_owned(),
        name: "x".to_owned(),
        filter: "total gt 1".to_owned(),
        shared_role: None,
    };
    let user = NewUser {
        email: "spy@example.net".to_owned(),
        name: "Spy".to_owned(),
        role: "user".to_owned(),
        password: None,
        org: Some(of.org),
        locale: None,
    };
    let org = NewOrg { name: "x".to_owned(), kind: "customer".to_owned(), parent: Some(of.org), ..NewOrg::default() };
    vec![
        ("focus", ctx.focused(of.org).await.unwrap_err()),
        ("orgs::get", orgs::get(ctx, of.org).await.unwrap_err()),
        ("orgs::grants", orgs::grants(ctx, of.org).await.unwrap_err()),
        ("orgs::update", orgs::update(ctx, of.org, &OrgPatch::default(), Some(1)).await.unwrap_err()),
        ("orgs::create", orgs::create(ctx, &org).await.unwrap_err()),
        ("users::get", users::get(ctx, of.user).await.unwrap_err()),
        ("users::create_user", users::create_user(ctx, &user).await.unwrap_err()),
        ("users::update", users::update(ctx, of.user, &UserPatch::default(), Some(1)).await.unwrap_err()),
        ("users::set_role", users::set_role(ctx, of.user, Role::Admin, Some(1)).await.unwrap_err()),
        ("users::set_state", users::set_state(ctx, of.user, UserState::Disabled, Some(1)).await.unwrap_err()),
        ("users::reset_password", users::reset_password(ctx, of.user).await.unwrap_err()),
        ("users::list_tokens", users::list_tokens(ctx, of.user).await.unwrap_err()),
        ("users::revoke_token", users::revoke_token(ctx, of.token).await.unwrap_err()),
        ("users::update_filter", users::update_filter(ctx, of.filter, &filter, Some(1)).await.unwrap_err()),
        ("users::delete_filter", users::delete_filter(ctx, of.filter).await.unwrap_err()),
        ("agents::invite", agents::invite(ctx, of.org).await.unwrap_err()),
        ("agents::get", agents::get(ctx, of.agent).await.unwrap_err()),
        ("agents::plan", agents::plan(ctx, of.agent).await.unwrap_err()),
        ("agents::set_plan", agents::set_plan(ctx, of.agent, AgentPlan::default()).await.unwrap_err()),
        ("agents::rename", agents::rename(ctx, of.agent, "x", Some(1)).await.unwrap_err()),
        ("agents::revoke", agents::revoke(ctx, of.agent).await.unwrap_err()),
        ("audit::verify", audit::verify(ctx, of.org).await.unwrap_err()),
    ]
}

#[tokio::test]
async fn an_id_of_another_organisation_reads_as_one_that_never_was() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let (a, b) = (tenant(&test, &root, "north", 1).await, tenant(&test, &root, "south", 2).await);
        let nobody = Uuid::from_u128(0x1234);
        let ghost = Tenant {
            ctx: b.ctx.clone(),
            org: OrgId(nobody),
            user: UserId(nobody),
            token: TokenId(nobody),
            filter: FilterId(nobody),
            agent: AgentId(nobody),
        };
        let (foreign, missing) = (ask(&a.ctx, &b).await, ask(&a.ctx, &ghost).await);
        for ((what, foreign), (_, missing)) in foreign.into_iter().zip(missing) {
            assert_eq!((foreign.kind, &foreign.message), (Kind::NotFound, &missing.message), "{what}");
            assert!(foreign.source.is_none() && foreign.field == missing.field, "{what}");
        }
    }
}

#[tokio::test]
async fn lists_and_events_show_only_what_is_visible() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let (a, b) = (tenant(&test, &root, "north", 1).await, tenant(&test, &root, "south", 2).await);
        let people = users::list(&a.ctx, &users::UserQuery::default()).await.unwrap();
        assert!(people.items.iter().all(|user| user.org == a.org) && people.items.len() == 2);
        let seen = agents::list(&a.ctx, &agents::AgentQuery::default()).await.unwrap();
        assert_eq!(seen.items.iter().map(|agent| agent.id).collect::<Vec<_>>(), [a.agent]);
        assert_eq!(agents::counts(&a.ctx).await.unwrap().online, 1);
        let query = audit::AuditQuery { page: PageQuery { count: true, ..PageQuery::default() }, ..Default::default() };
        let records = audit::list(&a.ctx, &query).await.unwrap();
        assert!(records.items.iter().all(|record| record.tenant == a.org));
        assert_eq!(records.count, Some(records.items.len() as u64));
        assert!(events::after(&a.ctx, 0, 500).await.unwrap().iter().all(|event| event.tenant == a.org));
        assert!(users::list_filters(&a.ctx).await.unwrap().iter().all(|saved| saved.id != b.filter));
        let tree = orgs::tree(&a.ctx).await.unwrap();
        assert_eq!(tree.iter().map(|org| org.id).collect::<Vec<_>>(), [a.org]);
    }
}

#[tokio::test]
async fn a_grant_opens_the_fleet_and_not_the_people() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let (org, admin) = test.customer(&root, "Clinic").await;
        let before = root.clone();
        let root = test.again(&root).await;
        assert!(root.scope.contains(org) && !before.scope.contains(org));
        assert!(agents::invite(&root, org).await.is_ok());
        assert_eq!(users::get(&root, admin.user().unwrap()).await.unwrap_err().kind, Kind::NotFound);
        let people = events::after(&root, 0, 500).await.unwrap();
        assert!(!people.iter().any(|event| event.kind == "user.created" && event.tenant == org));
        let focused = root.focused(org).await.unwrap();
        assert_eq!(focused.scope.tenants(), Some([org].as_slice()));
        let new = NewUser {
            email: "second@example.org".to_owned(),
            name: "Second".to_owned(),
            role: "admin".to_owned(),
            password: None,
            org: Some(org),
            locale: None,
        };
        let error = users::create_user(&root, &new).await.unwrap_err();
        assert_eq!(error.kind, Kind::NotFound, "only the first administrator is made by the provider");
    }
}
