//! The tree grows, shows to each what they may see, and refuses what does not fit.

use store::{Sql, View};

use super::*;
use crate::testing::TestPlatform;
use crate::{Ctx, Kind, Role};

fn new(name: &str, kind: &str) -> NewOrg {
    NewOrg { name: name.to_owned(), kind: kind.to_owned(), ..NewOrg::default() }
}

#[tokio::test]
async fn a_customer_inherits_and_gives_its_maker_a_grant() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let org = create(&root, &NewOrg { zone: Some("Europe/Berlin".to_owned()), ..new("Clinic", "customer") })
            .await
            .unwrap();
        assert_eq!((org.zone.as_str(), org.currency.as_str(), org.slug.as_str()), ("Europe/Berlin", "EUR", "clinic"));
        assert_eq!((org.access, org.parent), (Access::Fleet, Some(root.home)));
        let root = test.again(&root).await;
        assert!(root.scope.contains(org.id));
        let grants = grants(&root, org.id).await.unwrap();
        assert_eq!((grants.len(), grants[0].grantee, grants[0].class.as_str()), (1, root.home, "fleet"));
        let twin = create(&root, &new("Clinic", "customer")).await.unwrap();
        assert_eq!(twin.slug, "clinic-2");
        let taken = NewOrg { slug: Some("clinic".to_owned()), ..new("Other", "customer") };
        assert_eq!(create(&root, &taken).await.unwrap_err().kind, Kind::Conflict);
    }
}

#[tokio::test]
async fn the_tree_names_only_what_the_reader_created_or_serves() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let (dealer, dealer_admin) = test.provider(&root, "Dealer").await;
        let (customer, customer_admin) = test.customer(&dealer_admin, "Clinic").await;
        let tree_of = async |ctx: &Ctx| {
            let ctx = test.again(ctx).await;
            let tree = tree(&ctx).await.unwrap();
            tree.into_iter().map(|org| (org.id, org.depth, org.name, org.access)).collect::<Vec<_>>()
        };
        let name = |text: &str| Some(text.to_owned());
        assert_eq!(
            tree_of(&root).await,
            [
                (root.home, 0, name("Root"), Access::Own),
                (dealer, 1, name("Dealer"), Access::Licence),
                (customer, 2, None, Access::Licence),
            ]
        );
        assert_eq!(
            tree_of(&dealer_admin).await,
            [(dealer, 0, name("Dealer"), Access::Own), (customer, 1, name("Clinic"), Access::Fleet)]
        );
        assert_eq!(tree_of(&customer_admin).await, [(customer, 0, name("Clinic"), Access::Own)]);
        let own = get(&customer_admin, customer).await.unwrap();
        assert_eq!(own.parent, None, "the one above is not the customer's to see");
        assert_eq!(get(&customer_admin, dealer).await.unwrap_err().kind, Kind::NotFound);
        assert_eq!(create(&customer_admin, &new("x", "customer")).await.unwrap_err().field.as_deref(), Some("parent"));
    }
}

#[tokio::test]
async fn a_change_needs_the_version_that_was_seen() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let patch = OrgPatch { name: Some("Head office".to_owned()), ..OrgPatch::default() };
        assert_eq!(update(&root, root.home, &patch, None).await.unwrap_err().kind, Kind::PreconditionRequired);
        let version = get(&root, root.home).await.unwrap().version;
        let changed = update(&root, root.home, &patch, Some(version)).await.unwrap();
        assert_eq!(changed.name.as_deref(), Some("Head office"));
        assert_eq!(update(&root, root.home, &patch, Some(version)).await.unwrap_err().kind, Kind::Stale);
        let bad = OrgPatch { zone: Some("Mars".to_owned()), ..OrgPatch::default() };
        let error = update(&root, root.home, &bad, Some(changed.version)).await.unwrap_err();
        assert_eq!((error.kind, error.field.as_deref()), (Kind::Invalid, Some("zone")));
    }
}

#[tokio::test]
async fn a_provider_may_rename_only_what_it_created() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let (dealer, dealer_admin) = test.provider(&root, "Dealer").await;
        let (customer, _) = test.customer(&dealer_admin, "Clinic").await;
        let patch = OrgPatch { name: Some("New".to_owned()), ..OrgPatch::default() };
        assert!(update(&root, dealer, &patch, Some(1)).await.is_ok());
        assert_eq!(update(&root, customer, &patch, Some(1)).await.unwrap_err().kind, Kind::NotFound);
        let dealer_admin = test.again(&dealer_admin).await;
        assert!(update(&dealer_admin, customer, &patch, Some(1)).await.is_ok());
    }
}

#[tokio::test]
async fn below_admin_nothing_is_created_and_there_is_one_root() {
    let test = TestPlatform::sqlite().await;
    let root = test.root().await;
    let manager = test.account(&root, root.home, "m@example.org", Role::Manager).await;
    assert_eq!(create(&manager, &new("x", "customer")).await.unwrap_err().kind, Kind::Forbidden);
    assert_eq!(create(&root, &new("x", "root")).await.unwrap_err().field.as_deref(), Some("kind"));
    assert_eq!(create(&root, &new(" ", "customer")).await.unwrap_err().field.as_deref(), Some("name"));
}

#[tokio::test]
async fn a_focus_keeps_the_part_of_the_scope_that_stands_below() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let (a, _) = test.customer(&root, "A").await;
        let (b, _) = test.customer(&root, "B").await;
        let root = test.again(&root).await;
        assert_eq!(root.scope.tenants().unwrap().len(), 3);
        let focused = root.focused(b).await.unwrap();
        assert!(focused.scope.contains(b) && !focused.scope.contains(a) && !focused.scope.contains(root.home));
        assert_eq!(root.focused(root.home).await.unwrap().scope.tenants().unwrap().len(), 3);
    }
}

#[tokio::test]
async fn thousands_of_customers_are_found_by_their_grants_and_not_one_more() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let (dealer, dealer_admin) = test.provider(&root, "Dealer").await;
        let (foreign, _) = test.customer(&dealer_admin, "Foreign").await;
        for n in 0..205 {
            create(&root, &new(&format!("C{n}"), "customer")).await.unwrap();
        }
        let root = test.again(&root).await;
        let mut values = Vec::new();
        let condition = root.scope.condition("o", &mut values);
        assert!(values.len() < 10, "few parameters");
        let text = format!("select o.id from organisations o where {condition}");
        let mut tx = root.db().read(&View::All("the condition alone is tested")).await.unwrap();
        let rows = tx.query(&Sql::built(text), &values).await.unwrap();
        let ids: Vec<OrgId> = rows.iter().map(|row| row.get(0).unwrap()).collect();
        assert_eq!(ids.len(), 206);
        assert!(!ids.contains(&foreign) && !ids.contains(&dealer));
    }
}
