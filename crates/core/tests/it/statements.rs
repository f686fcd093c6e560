//! Every statement is understood by both engines; every table of a tenant has its wall.

use platen_core::testing::TestPlatform;

#[tokio::test]
async fn every_registered_statement_is_prepared_on_both_engines() {
    for test in TestPlatform::each().await {
        let failed = store::prepare_all(test.platform.db()).await;
        let lines: Vec<_> = failed.iter().map(|(name, error)| format!("{name}: {error}")).collect();
        assert!(lines.is_empty(), "{}", lines.join("\n"));
    }
}

#[tokio::test]
async fn opening_twice_changes_nothing() {
    for test in TestPlatform::each().await {
        let applied = test.platform.db().migrate(&platen_core::migrations()).await.unwrap();
        assert_eq!(applied.new, Vec::<&str>::new());
    }
}

#[tokio::test]
async fn a_fresh_platform_is_ready() {
    for test in TestPlatform::each().await {
        test.platform.ready().await.unwrap();
        test.platform.ready().await.unwrap();
    }
}

/// Statements that look across organisations on purpose, with the reason. All run under `View::All` with a reason of
/// its own, or hand what they find to the scope before anybody sees it.
const ACROSS: &[(&str, &str)] = &[
    ("agents::sql::KEY", "whose agent signs is known only after this"),
    ("agents::sql::SILENT", "reconciler over all agents"),
    ("agents::sql::TENANT", "the scope is asked with the tenant that it finds"),
    ("agents::sql::TOKEN", "whose invitation it is is known only after this"),
    ("alerting::sql::WITH_RULES", "reconciler over the rules of all organisations"),
    ("alerts::sql::ALERT_INCIDENT", "the scope is asked with the tenant of the incident that it finds"),
    ("alerts::sql::INCIDENT_TENANT", "the scope is asked with the tenant that it finds"),
    ("alerts::sql::SHARED_OVER", "reconciler over all incidents"),
    ("alerts::sql::STAYED_AWAY", "reconciler over all flapping alerts"),
    ("alerts::sql::SNOOZE_OVER", "reconciler over all incidents"),
    ("billing::sql::CLOSE_TENANT", "the scope is asked with the tenant that it finds"),
    ("billing::sql::DUE", "reconciler over all periods"),
    ("billing::sql::MAP_TENANT", "the scope is asked with the tenant that it finds"),
    ("billing::sql::TENANT", "the scope is asked with the tenant that it finds"),
    ("devices::sql::MONTHS", "reconciler over all organisations"),
    ("devices::sql::OVERDUE", "reconciler over all devices that report by themselves"),
    ("devices::sql::UNHEARD", "reconciler over all devices"),
    (
        "notifications::sql::BOUNCED",
        "whose message came back is known only after this; people are asked for their tenant",
    ),
    ("notifications::sql::CLAIM", "messages of all organisations are sent by one queue"),
    ("notifications::sql::DUE", "messages of all organisations are sent by one queue"),
    ("notifications::sql::EXPIRE", "messages of all organisations are sent by one queue"),
    ("notifications::sql::DIGESTS_DUE", "digests of all organisations"),
    ("doubts::sql::UNEQUAL", "reconciler over all organisations"),
    ("orders::sql::EXPIRE", "orders of all organisations end"),
    ("orgs::sql::ANY", "whether there is a root at all"),
    ("orgs::sql::LAST_CHILD", "paths are given out over all siblings"),
    ("orgs::sql::SIBLING", "short names are unique among siblings"),
    ("orgs::sql::TREE", "class licence: the tree is thinned out before it is shown"),
    ("diagnostics::uploads::OVER", "uploads of all organisations end"),
    ("diagnostics::uploads::SHARED", "whether another organisation has the same bytes, before they go"),
    ("reports::sql::OPEN_COUNT", "what waits in the log, of all organisations"),
    ("reports::sql::OPEN_OLDEST", "how far the effects lag behind the log, over all organisations"),
    (
        "reports::sql::OPEN_NEXT",
        "effects are drawn in the order of the log, each organisation in a transaction of its own",
    ),
    ("reports::verify::AHEAD", "doctor, over all streams"),
    ("reports::verify::COUNTS", "doctor, over all streams"),
    ("retention::sql::OF_DAY", "whose rows a day of the raw log holds, before it goes with a proof for each of them"),
    ("retention::sql::OPEN_OF_DAY", "a day of the raw log stays while anything in it is open"),
    ("retention::sql::ALL_RULES", "retention over all organisations"),
    ("retention::sql::TENANTS", "retention over all organisations"),
    ("monitors::calls::WAITING", "orders of all organisations that wait for devices which can be called"),
    ("monitors::sql::AWAITED", "whose address it is is known only after this"),
    ("monitors::sql::KNOWN", "whose device it is is known only after this"),
    ("monitors::sql::KNOWN_BY_ADDRESS", "whose address it is is known only after this"),
    ("monitors::sql::PAIR", "whose address it is is known only after this"),
    ("monitors::sql::RECEIVES", "whether any device writes to this address"),
    ("monitors::sql::ROOT", "finds the one organisation above all"),
    ("monitors::sql::STRANGER_GONE", "a serial number that was refused has a holder now"),
    ("monitors::sql::TENANT", "the scope is asked with the tenant that it finds"),
    ("monitors::sql::UNTAUGHT", "reconciler over all devices that do not know the newest key"),
    ("monitors::sql::UNIT", "whose device it is is known only after this"),
    ("scope::GRANTED", "makes the scope"),
    ("supplies::sql::DUE", "reconciler over all devices"),
    ("tasks::sql::RUNNING", "reconciler over all wishes"),
    ("tasks::sql::TENANT", "the scope is asked with the tenant that it finds"),
    ("traps::sql::TENANT", "the scope is asked with the tenant that it finds"),
    ("users::sql::BEARER", "whose token it is is known only after this"),
    ("users::sql::BY_EMAIL", "whose account it is is known only after this"),
    ("users::sql::SESSION", "whose session it is is known only after this"),
    ("webhooks::sql::ACTIVE", "webhooks of all organisations are told what happened"),
    ("webhooks::sql::DUE", "deliveries of all organisations are sent by one queue"),
    ("webhooks::sql::CLAIM", "deliveries of all organisations are sent by one queue"),
];

/// Names of the tables with a tenant, read from the migrations.
fn tenant_tables() -> Vec<String> {
    let mut tables = Vec::new();
    for migration in platen_core::migrations() {
        for part in migration.sql.split("create table ").skip(1) {
            let Some((name, rest)) = part.split_once('(') else { continue };
            let body = rest.split(");").next().unwrap();
            if body.contains("tenant text") {
                tables.push(name.trim().to_owned());
            }
        }
    }
    tables
}

/// Whether a statement binds the tenant: by a condition, in a key, or among the columns that it inserts.
fn binds_tenant(text: &str) -> bool {
    let conditions = ["tenant = $", "tenant in (", "tenant = excluded"];
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let inserted = text.starts_with("insert") && (text.contains("(tenant") || text.contains("( tenant"));
    inserted || conditions.iter().any(|condition| text.contains(condition))
}

#[test]
fn every_statement_on_a_tenants_table_binds_the_tenant_or_is_listed() {
    let tables = tenant_tables();
    assert!(tables.len() > 20, "{tables:?}");
    let names_one = |text: &str| {
        text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .any(|word| tables.iter().any(|table| table == word))
    };
    let mut free = Vec::new();
    for sql in store::registered() {
        let text = sql.text(store::EngineKind::Postgres);
        let ours = sql.name().starts_with("platen_core::") && !sql.name().contains("::tests::");
        if ours && names_one(text) && !binds_tenant(text) {
            free.push(sql.name().trim_start_matches("platen_core::").to_owned());
        }
    }
    for (name, reason) in ACROSS {
        println!("across organisations: {name}: {reason}");
    }
    let unlisted: Vec<_> = free.iter().filter(|name| ACROSS.iter().all(|(known, _)| known != name)).collect();
    assert!(unlisted.is_empty(), "bind the tenant, or list it with a reason: {unlisted:?}");
    let stale: Vec<_> = ACROSS.iter().filter(|(known, _)| !free.iter().any(|name| name == known)).collect();
    assert!(stale.is_empty(), "listed, and no longer so: {stale:?}");
}
