//! Empty databases for servers under test: SQLite in a folder, PostgreSQL when it is there.

use store::DatabaseUrl;
use store::testing::TestDb;

/// One of each engine: name, URL for `--database`, and what keeps it alive.
pub(crate) async fn each() -> Vec<(&'static str, String, TestDb)> {
    let mut all = Vec::new();
    for db in TestDb::each().await {
        let (name, url) = match db.url() {
            DatabaseUrl::Sqlite(path) => ("sqlite", format!("sqlite:{}", path.display())),
            DatabaseUrl::Postgres(url) => ("postgres", url.clone()),
        };
        all.push((name, url, db));
    }
    all
}
