//! Accounts, sign-in, sessions, tokens, saved filters and set-up, on both engines.

use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::orgs::NewOrg;
use crate::testing::{PASSWORD, TestPlatform};
use crate::{Kind, Platform, events};

fn attempt(email: &str, password: &str, address: &str) -> SignIn {
    SignIn {
        email: email.to_owned(),
        password: Secret::new(password),
        address: address.parse::<IpAddr>().ok(),
        client: "test".to_owned(),
        request: "r".to_owned(),
    }
}

async fn signed_in(platform: &Platform) -> (Secret, Session) {
    sign_in(platform, &attempt("Admin@Example.org", PASSWORD, "192.0.2.1")).await.unwrap()
}

fn first() -> FirstUser {
    FirstUser {
        organisation: NewOrg { name: "Root".to_owned(), ..NewOrg::default() },
        email: "admin@example.org".to_owned(),
        name: "Ada".to_owned(),
        password: Secret::new(PASSWORD),
    }
}

#[tokio::test]
async fn set_up_opens_once_for_the_newest_secret_only() {
    for test in TestPlatform::each().await {
        let platform = &test.platform;
        assert!(setup_needed(platform).await.unwrap());
        let old = setup_secret(platform).await.unwrap().unwrap();
        let secret = setup_secret(platform).await.unwrap().unwrap();
        for wrong in ["", "x", old.expose()] {
            assert_eq!(setup_first(platform, wrong, &first()).await.unwrap_err().kind, Kind::Forbidden);
        }
        let weak = FirstUser { password: Secret::new("short"), ..first() };
        assert_eq!(setup_first(platform, secret.expose(), &weak).await.unwrap_err().field.as_deref(), Some("password"));
        let user = setup_first(platform, secret.expose(), &first()).await.unwrap();
        assert_eq!(user.role, Role::Admin);
        assert!(!setup_needed(platform).await.unwrap() && setup_secret(platform).await.unwrap().is_none());
        assert_eq!(setup_first(platform, secret.expose(), &first()).await.unwrap_err().kind, Kind::Forbidden);
        assert_eq!(setup_local(platform, &first()).await.unwrap_err().kind, Kind::Conflict);
        signed_in(platform).await;
    }
}

#[tokio::test]
async fn two_set_ups_at_once_make_one_organisation() {
    for test in TestPlatform::each().await {
        let secret = setup_secret(&test.platform).await.unwrap().unwrap();
        let tries: Vec<_> = (0..4)
            .map(|_| {
                let (platform, secret) = (test.platform.clone(), secret.clone());
                tokio::spawn(async move { setup_first(&platform, secret.expose(), &first()).await.is_ok() })
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
async fn a_session_ends_by_idleness_by_age_by_its_owner_and_with_the_account() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let minutes = |n: u64| Duration::from_secs(n * 60);
        let (token, session) = signed_in(&test.platform).await;
        assert_eq!(session.ctx.home, root.home);
        test.clock.advance(minutes(10));
        let resumed = resume(&test.platform, token.expose()).await.unwrap();
        assert_eq!(resumed.csrf, session.csrf);
        test.clock.advance(minutes(10));
        resume(&test.platform, token.expose()).await.expect("each request prolongs it");
        test.clock.advance(minutes(16));
        assert_eq!(resume(&test.platform, token.expose()).await.unwrap_err().kind, Kind::Unauthenticated);
        let (token, _) = signed_in(&test.platform).await;
        for _ in 0..72 {
            resume(&test.platform, token.expose()).await.unwrap();
            test.clock.advance(minutes(10));
        }
        test.clock.advance(minutes(1));
        assert!(resume(&test.platform, token.expose()).await.is_err(), "twelve hours are the most");
        let (token, session) = signed_in(&test.platform).await;
        sign_out(&session.ctx, token.expose()).await.unwrap();
        assert!(resume(&test.platform, token.expose()).await.is_err());
        for wrong in ["", "x", &"A".repeat(43)] {
            assert_eq!(resume(&test.platform, wrong).await.unwrap_err().kind, Kind::Unauthenticated);
        }
    }
}

#[tokio::test]
async fn a_page_that_only_renews_itself_does_not_keep_a_session_alive() {
    for test in TestPlatform::each().await {
        test.root().await;
        let (token, _) = signed_in(&test.platform).await;
        for _ in 0..3 {
            test.clock.advance(Duration::from_secs(5 * 60));
            glance(&test.platform, token.expose()).await.expect("it may look while the session lives");
        }
        test.clock.advance(Duration::from_secs(60));
        assert_eq!(glance(&test.platform, token.expose()).await.unwrap_err().kind, Kind::Unauthenticated);
    }
}

#[tokio::test]
async fn a_rotated_session_leaves_its_old_token_dead_and_others_can_be_ended() {
    for test in TestPlatform::each().await {
        test.root().await;
        let (token, session) = signed_in(&test.platform).await;
        let new = rotate(&session.ctx, token.expose()).await.unwrap();
        assert!(resume(&test.platform, token.expose()).await.is_err());
        let resumed = resume(&test.platform, new.expose()).await.unwrap();
        assert_ne!(resumed.csrf, session.csrf);
        let (other, _) = signed_in(&test.platform).await;
        let rows = list_sessions(&resumed.ctx).await.unwrap();
        assert_eq!(rows.len(), 2);
        let id = &other.hash()[..16];
        end_session(&resumed.ctx, id).await.unwrap();
        assert!(resume(&test.platform, other.expose()).await.is_err());
        assert_eq!(end_session(&resumed.ctx, id).await.unwrap_err().kind, Kind::NotFound);
    }
}

#[tokio::test]
async fn known_and_unknown_accounts_answer_and_lock_alike() {
    for test in TestPlatform::each().await {
        test.root().await;
        let mut answers = Vec::new();
        for (email, address) in [("admin@example.org", "192.0.2.1"), ("nobody@example.org", "198.51.100.1")] {
            let mut seen = Vec::new();
            for _ in 0..5 {
                let error = sign_in(&test.platform, &attempt(email, "wrong", address)).await.unwrap_err();
                seen.push((error.kind, error.message, error.retry_after));
            }
            answers.push(seen);
        }
        assert_eq!(answers[0], answers[1]);
        let kinds: Vec<_> = answers[0].iter().map(|(kind, ..)| *kind).collect();
        assert_eq!(kinds[..4], [Kind::Unauthenticated, Kind::Unauthenticated, Kind::Unauthenticated, Kind::TooMany]);
        let right = attempt("admin@example.org", PASSWORD, "192.0.2.77");
        assert_eq!(sign_in(&test.platform, &right).await.unwrap_err().kind, Kind::TooMany, "the same network waits");
        let elsewhere = attempt("admin@example.org", PASSWORD, "203.0.113.5");
        sign_in(&test.platform, &elsewhere).await.expect("strangers cannot lock the owner out");
        test.clock.advance(Duration::from_secs(16));
        sign_in(&test.platform, &right).await.unwrap();
    }
}

#[tokio::test]
async fn guesses_in_parallel_do_not_pass_the_budget_together() {
    let test = TestPlatform::sqlite().await;
    test.root().await;
    let tries: Vec<_> = (0..30)
        .map(|n| {
            let platform = test.platform.clone();
            tokio::spawn(async move {
                sign_in(&platform, &attempt("admin@example.org", &format!("guess {n}"), "192.0.2.1"))
                    .await
                    .unwrap_err()
                    .kind
            })
        })
        .collect();
    let mut looked_at = 0;
    for one in tries {
        looked_at += u32::from(one.await.unwrap() == Kind::Unauthenticated);
    }
    assert_eq!(looked_at, 3);
}

#[tokio::test]
async fn one_network_against_many_accounts_is_stopped() {
    let test = TestPlatform::sqlite().await;
    test.root().await;
    let mut looked_at = 0;
    for n in 0..40 {
        let error =
            sign_in(&test.platform, &attempt(&format!("u{n}@example.org"), "x", "192.0.2.1")).await.unwrap_err();
        looked_at += u32::from(error.kind == Kind::Unauthenticated);
    }
    assert_eq!(looked_at, 20);
}

#[tokio::test]
async fn tokens_do_what_their_scope_and_owner_may_and_die_with_both() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let manager = test.account(&root, root.home, "m@example.org", Role::Manager).await;
        let new = |scope: &str, days| NewToken { name: "t".to_owned(), scope: scope.to_owned(), expires_days: days };
        assert_eq!(create_token(&manager, &new("admin", None)).await.unwrap_err().kind, Kind::Forbidden);
        assert_eq!(create_token(&manager, &new("root", None)).await.unwrap_err().field.as_deref(), Some("scope"));
        let (secret, token) = create_token(&manager, &new("write", Some(1))).await.unwrap();
        assert!(secret.expose().starts_with("plt_"));
        let ctx = bearer(&test.platform, secret.expose()).await.unwrap();
        assert_eq!((ctx.role, ctx.home, ctx.user()), (Role::Manager, root.home, manager.user()));
        let user = manager.user().unwrap();
        set_role(&root, user, Role::User, Some(1)).await.unwrap();
        assert_eq!(bearer(&test.platform, secret.expose()).await.unwrap().role, Role::User, "at once");
        for wrong in ["", "plt_", &secret.expose()[..50], &secret.expose().replace("plt_", "plx_")] {
            assert_eq!(bearer(&test.platform, wrong).await.unwrap_err().kind, Kind::Unauthenticated);
        }
        test.clock.advance(Duration::from_secs(86_401));
        assert!(bearer(&test.platform, secret.expose()).await.is_err(), "it ended");
        let manager = test.again(&manager).await;
        let (secret, _) = create_token(&manager, &new("read", None)).await.unwrap();
        assert_eq!(list_tokens(&root, user).await.unwrap().len(), 2);
        revoke_token(&root, token.id).await.unwrap();
        bearer(&test.platform, secret.expose()).await.unwrap();
        set_state(&root, user, UserState::Disabled, Some(2)).await.unwrap();
        assert!(bearer(&test.platform, secret.expose()).await.is_err(), "its owner was disabled");
    }
}

#[tokio::test]
async fn there_is_always_an_administrator() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let me = root.user().unwrap();
        assert_eq!(set_role(&root, me, Role::User, Some(1)).await.unwrap_err().kind, Kind::Conflict);
        assert_eq!(set_state(&root, me, UserState::Disabled, Some(1)).await.unwrap_err().kind, Kind::Conflict);
        let second = test.account(&root, root.home, "b@example.org", Role::Admin).await;
        let (a, b) =
            (set_role(&root, me, Role::User, Some(1)), set_role(&second, second.user().unwrap(), Role::User, Some(1)));
        let (a, b) = tokio::join!(a, b);
        assert!(a.is_ok() != b.is_ok(), "two administrators who leave at once: one stays");
    }
}

#[tokio::test]
async fn a_new_password_ends_other_sessions_and_a_made_one_must_be_changed() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let (kept, session) = signed_in(&test.platform).await;
        let (other, _) = signed_in(&test.platform).await;
        let new = Secret::new("nine purple otters sing");
        let wrong = set_password(&session.ctx, &Secret::new("wrong"), &new, Some(kept.expose())).await.unwrap_err();
        assert_eq!(wrong.field.as_deref(), Some("present"));
        set_password(&session.ctx, &Secret::new(PASSWORD), &new, Some(kept.expose())).await.unwrap();
        assert!(resume(&test.platform, kept.expose()).await.is_ok());
        assert!(resume(&test.platform, other.expose()).await.is_err());
        let user = test.account(&root, root.home, "u@example.org", Role::User).await.user().unwrap();
        let made = reset_password(&root, user).await.unwrap();
        let (token, session) = sign_in(&test.platform, &attempt("u@example.org", made.expose(), "::1")).await.unwrap();
        assert!(session.must_change);
        assert!(resume(&test.platform, token.expose()).await.unwrap().must_change);
        set_password(&session.ctx, &made, &new, Some(token.expose())).await.unwrap();
        assert!(!resume(&test.platform, token.expose()).await.unwrap().must_change);
        let made = reset_password(&root, user).await.unwrap();
        test.clock.advance(Duration::from_secs(73 * 3_600));
        let late = attempt("u@example.org", made.expose(), "::1");
        assert_eq!(sign_in(&test.platform, &late).await.unwrap_err().kind, Kind::Unauthenticated);
    }
}

#[tokio::test]
async fn an_address_is_taken_once_in_an_organisation_and_free_in_another() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let (org, admin) = test.provider(&root, "Other").await;
        test.account(&admin, org, "admin@example.org", Role::User).await;
        let twin = NewUser {
            email: "ADMIN@example.org".to_owned(),
            name: "x".to_owned(),
            role: "user".to_owned(),
            password: None,
            org: None,
            locale: None,
        };
        let error = create_user(&root, &twin).await.unwrap_err();
        assert_eq!((error.kind, error.field.as_deref()), (Kind::Conflict, Some("email")));
        let (user, made) = create_user(&root, &NewUser { email: "n@example.org".to_owned(), ..twin }).await.unwrap();
        assert!(made.is_some());
        assert_eq!(find_by_email(&test.platform.system("test"), "N@example.org").await.unwrap().id, user.id);
        assert_eq!(find_by_email(&root, "n@example.org").await.unwrap_err().kind, Kind::Forbidden);
    }
}

#[tokio::test]
async fn people_see_themselves_and_administrators_see_all() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let user = test.account(&root, root.home, "u@example.org", Role::User).await;
        let me = user.user().unwrap();
        assert_eq!(get(&user, me).await.unwrap().email, "u@example.org");
        assert_eq!(get(&user, root.user().unwrap()).await.unwrap_err().kind, Kind::NotFound);
        assert_eq!(list(&user, &UserQuery::default()).await.unwrap_err().kind, Kind::Forbidden);
        let patch = UserPatch { name: Some("Uma".to_owned()), locale: Some("de".to_owned()) };
        let changed = update(&user, me, &patch, Some(1)).await.unwrap();
        assert_eq!((changed.name.as_str(), changed.version), ("Uma", 2));
        let filter = crate::Filter::parse(r#"role ne "admin" and name like "um*""#).unwrap();
        let found = list(&root, &UserQuery { filter: Some(filter), ..UserQuery::default() }).await.unwrap();
        assert_eq!(found.items.iter().map(|user| user.id).collect::<Vec<_>>(), [me]);
        let seen = events::after(&user, 0, 500).await.unwrap();
        assert!(!seen.iter().any(|event| event.kind.starts_with("user.")), "colleagues are not for users");
    }
}

#[tokio::test]
async fn saved_filters_are_own_or_shared_with_a_role() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let manager = test.account(&root, root.home, "m@example.org", Role::Manager).await;
        let user = test.account(&root, root.home, "u@example.org", Role::User).await;
        let new = |name: &str, shared_role| NewFilter {
            list: "devices".to_owned(),
            name: name.to_owned(),
            filter: r#"status  eq "alert""#.to_owned(),
            shared_role,
        };
        let own = save_filter(&manager, &new("own", None)).await.unwrap();
        assert_eq!(own.filter, r#"status eq "alert""#);
        save_filter(&manager, &new("for managers", Some(Role::Manager))).await.unwrap();
        let all = save_filter(&manager, &new("for all", Some(Role::User))).await.unwrap();
        let names = async |ctx: &Ctx| {
            let all = list_filters(ctx).await.unwrap();
            all.into_iter().map(|saved| saved.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&manager).await, ["for all", "for managers", "own"]);
        assert_eq!(names(&user).await, ["for all"]);
        assert_eq!(save_filter(&user, &new("x", Some(Role::User))).await.unwrap_err().kind, Kind::Forbidden);
        assert_eq!(delete_filter(&user, all.id).await.unwrap_err().kind, Kind::NotFound);
        assert_eq!(delete_filter(&root, own.id).await.unwrap_err().kind, Kind::NotFound);
        let changed = update_filter(&root, all.id, &new("renamed", Some(Role::User)), Some(1)).await.unwrap();
        assert_eq!((changed.name.as_str(), changed.version), ("renamed", 2));
        delete_filter(&root, all.id).await.unwrap();
        let bad = NewFilter { filter: "status".to_owned(), ..new("x", None) };
        assert_eq!(save_filter(&user, &bad).await.unwrap_err().field.as_deref(), Some("filter"));
    }
}
