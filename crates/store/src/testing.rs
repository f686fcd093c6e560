//! Databases for tests, on both engines, thrown away after use. PostgreSQL is the one that `PLATEN_TEST_PG` names,
//! else an own throw-away server for this process, else the test says that it skips.

mod server;

use std::ops::Deref;
use std::path::{Path, PathBuf};

pub use server::MortalPostgres;

use crate::{DatabaseUrl, Db, EngineKind, Migration};

/// An empty database of its own for one test; removed when dropped.
pub struct TestDb {
    db: Option<Db>,
    url: DatabaseUrl,
    folder: TestFolder,
    /// On PostgreSQL: address of the server and name of the database there.
    database: Option<(String, String)>,
}

impl TestDb {
    /// A SQLite file in a folder of its own.
    ///
    /// # Panics
    /// When the folder or the file cannot be made.
    pub async fn sqlite() -> Self {
        let folder = TestFolder::new();
        let url = DatabaseUrl::Sqlite(folder.path().join("platen.db"));
        let db = Db::open(&url).await.unwrap_or_else(|error| panic!("{error}"));
        Self { db: Some(db), url, folder, database: None }
    }

    /// A database on a PostgreSQL server; prints why when there is none.
    ///
    /// # Panics
    /// When there is a server that does not work.
    pub async fn postgres() -> Option<Self> {
        let Some(server) = server::address().await else {
            eprintln!("skipped: postgres not found (apt install postgresql)");
            return None;
        };
        Some(Self::at(server).await)
    }

    /// A database on a server that the test may kill.
    ///
    /// # Panics
    /// When it cannot be made.
    pub async fn on(server: &MortalPostgres) -> Self {
        Self::at(server.address()).await
    }

    async fn at(server: String) -> Self {
        let name = format!("platen_{}", uuid::Uuid::now_v7().simple());
        server::run(
            &server,
            &format!("create database {name} template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'"),
        )
        .await
        .unwrap_or_else(|error| panic!("cannot make a database: {error}"));
        let url = DatabaseUrl::Postgres(server::database_url(&server, &name));
        let db = Db::open(&url).await.unwrap_or_else(|error| panic!("{error}"));
        Self { db: Some(db), url, folder: TestFolder::new(), database: Some((server, name)) }
    }

    /// One of each engine that is there.
    pub async fn each() -> Vec<Self> {
        let mut all = vec![Self::sqlite().await];
        all.extend(Self::postgres().await);
        all
    }

    /// As [`TestDb::each`], with these migrations applied.
    ///
    /// # Panics
    /// When a migration fails.
    pub async fn each_with(migrations: &[Migration]) -> Vec<Self> {
        let all = Self::each().await;
        for db in &all {
            db.migrate(migrations).await.unwrap_or_else(|error| panic!("{:?}: {error}", db.engine()));
        }
        all
    }

    /// Runs text as the superuser of the server, outside any transaction and row security. Nothing on SQLite.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn administer(&self, text: &str) {
        if let DatabaseUrl::Postgres(address) = &self.url {
            server::run(address, text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        }
    }

    /// The address, to open it a second time.
    #[must_use]
    pub fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// A folder that lives as long as the database.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Deref for TestDb {
    type Target = Db;

    fn deref(&self) -> &Db {
        self.db.as_ref().unwrap_or_else(|| unreachable!("taken only when dropped"))
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        self.db = None;
        let Some((server, name)) = self.database.take() else { return };
        // A runtime cannot block on another on one thread, and the test's own may be ending.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(server::run(&server, &format!("drop database {name} with (force)"))))
        });
        if !matches!(dropping.join(), Ok(Ok(Ok(())))) {
            eprintln!("cannot drop a test database; it goes with its server");
        }
    }
}

/// Runs a test on an empty database of each engine that is there, with these migrations applied.
pub async fn for_each_engine(migrations: &[Migration], test: impl AsyncFn(&TestDb)) {
    for db in TestDb::each_with(migrations).await {
        eprintln!("engine: {}", if db.engine() == EngineKind::Sqlite { "sqlite" } else { "postgres" });
        test(&db).await;
    }
}

/// A folder that is removed when dropped.
pub struct TestFolder(PathBuf);

impl TestFolder {
    /// Makes it.
    ///
    /// # Panics
    /// When the system has no place for it.
    #[must_use]
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(format!("platen-test-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir_all(&path).unwrap_or_else(|error| panic!("cannot make {}: {error}", path.display()));
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Default for TestFolder {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for TestFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}
