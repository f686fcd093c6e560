//! The door to a database: which engine, whose rows, and the transactions that come out of it.
//! Backends are an enum, no trait objects; the `match` on them stands here and in `tx`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use tokio::sync::watch;

use crate::postgres::Postgres;
use crate::sqlite::{self, Room, Sqlite};
use crate::tx::{Engine, Tx};
use crate::{Applied, Error, Migration, Result, Sql, events, migrate};

/// Where the data live.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite:PATH`
    Sqlite(PathBuf),
    /// `postgres://user:password@host:port/name`, or with a percent-coded socket folder as host.
    Postgres(String),
}

impl FromStr for DatabaseUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if !path.is_empty() {
                return Ok(Self::Sqlite(path.into()));
            }
        } else if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.to_owned()));
        }
        Err(Error::usage("database address", "is neither sqlite:PATH nor postgres://user@host/name"))
    }
}

/// Never shows a password.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => {
                let (scheme, rest) = url.split_once("://").unwrap_or(("postgres", ""));
                let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
                write!(f, "{scheme}://{}", place.split('?').next().unwrap_or_default())
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The two engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EngineKind {
    /// Embedded; one machine.
    Sqlite,
    /// Anything that speaks PostgreSQL's protocol.
    Postgres,
}

/// Whose rows a transaction may see and write. PostgreSQL enforces it by row security; on SQLite the tenant
/// condition of the statement stands alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// Rows of these tenants.
    Tenants(Arc<[String]>),
    /// Rows of all tenants; the text says why.
    All(&'static str),
}

impl View {
    /// Rows of one tenant.
    #[must_use]
    pub fn tenant(id: &str) -> Self {
        Self::Tenants(Arc::from([id.to_owned()]))
    }
}

/// A database; clones share it.
#[derive(Clone)]
pub struct Db {
    backend: Arc<Backend>,
}

pub(crate) enum Backend {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Db {
    /// Opens the database; a SQLite file and its folder are made if missing. Tables come with [`Db::migrate`].
    pub async fn open(url: &DatabaseUrl) -> Result<Self> {
        let backend = match url {
            DatabaseUrl::Sqlite(path) => Backend::Sqlite(Sqlite::open(path, Room::Ample)?),
            DatabaseUrl::Postgres(address) => Backend::Postgres(Postgres::open(address).await?),
        };
        Ok(Self { backend: Arc::new(backend) })
    }

    /// Opens a SQLite file for a program that must stay small: little cache, and nothing of the file mapped.
    pub fn open_small(path: &std::path::Path) -> Result<Self> {
        Ok(Self { backend: Arc::new(Backend::Sqlite(Sqlite::open(path, Room::Small)?)) })
    }

    /// Which engine this is.
    #[must_use]
    pub fn engine(&self) -> EngineKind {
        match &*self.backend {
            Backend::Sqlite(_) => EngineKind::Sqlite,
            Backend::Postgres(_) => EngineKind::Postgres,
        }
    }

    /// Applies what is missing of `migrations`, in order, each in one transaction. Refuses a changed one.
    pub async fn migrate(&self, migrations: &[Migration]) -> Result<Applied> {
        match &*self.backend {
            Backend::Sqlite(sqlite) => migrate::on_sqlite(&sqlite.gate, migrations).await,
            Backend::Postgres(postgres) => migrate::on_postgres(postgres, migrations).await,
        }
    }

    /// Begins a transaction that may write. Dropped without `commit` it is rolled back.
    ///
    /// Whatever is answered from what it read must wait for its `commit`, also when it changed nothing: on SQLite it
    /// sees transactions before it in the same batch, which are not on the disk before that batch is committed.
    pub async fn write(&self, view: &View) -> Result<Tx> {
        let engine = match &*self.backend {
            Backend::Sqlite(sqlite) => Engine::SqliteWrite(sqlite.gate.begin().await?),
            Backend::Postgres(postgres) => Engine::Postgres(postgres.begin("begin", view).await?),
        };
        Ok(Tx::new(engine, self.committing().clone()))
    }

    /// Begins a transaction that sees one moment and cannot write. It ends when dropped.
    pub async fn read(&self, view: &View) -> Result<Tx> {
        let engine = match &*self.backend {
            Backend::Sqlite(sqlite) => Engine::SqliteRead(sqlite.read().await?),
            Backend::Postgres(postgres) => {
                let begin = "begin isolation level repeatable read read only";
                Engine::Postgres(postgres.begin(begin, view).await?)
            }
        };
        Ok(Tx::new(engine, self.committing().clone()))
    }

    /// Signals that events were committed: highest id of this process, on PostgreSQL within a second also of others.
    /// Wake up, then read with [`events::after`]. Needs a running tokio runtime.
    #[must_use]
    pub fn committed(&self) -> watch::Receiver<i64> {
        let receiver = self.committing().subscribe();
        events::watch_others(self);
        receiver
    }

    /// Compiles a statement on the server without running it.
    pub async fn check(&self, sql: &Sql) -> Result<()> {
        match &*self.backend {
            Backend::Sqlite(sqlite) => sqlite::check(sqlite.read().await?.connection()?, sql),
            Backend::Postgres(postgres) => postgres.check(sql).await,
        }
    }

    /// Writes a consistent copy of a SQLite database into a new file, on the disk when this returns. Others go on.
    pub async fn backup(&self, to: impl Into<PathBuf>) -> Result<()> {
        let Backend::Sqlite(sqlite) = &*self.backend else {
            return Err(Error::usage("backup", "copies SQLite alone; use pg_dump for PostgreSQL"));
        };
        let (from, to) = (sqlite.path.clone(), to.into());
        let copying = tokio::task::spawn_blocking(move || sqlite::copy(&from, &to));
        copying.await.map_err(|e| Error::usage("backup", e.to_string()))?
    }

    pub(crate) fn committing(&self) -> &watch::Sender<i64> {
        match &*self.backend {
            Backend::Sqlite(sqlite) => &sqlite.gate.committed,
            Backend::Postgres(postgres) => &postgres.committed,
        }
    }

    pub(crate) fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    pub(crate) fn from_backend(backend: Arc<Backend>) -> Self {
        Self { backend }
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.backend {
            Backend::Sqlite(sqlite) => write!(f, "Db(sqlite:{})", sqlite.path.display()),
            Backend::Postgres(postgres) => write!(f, "Db({})", postgres.url),
        }
    }
}
