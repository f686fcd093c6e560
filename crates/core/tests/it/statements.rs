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
