//! One transaction, on either engine. Dropped = rolled back. After a failed statement it can only be dropped:
//! PostgreSQL refuses to go on, and its COMMIT would then answer with success while nothing is stored.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::watch;

use crate::commit::{Closing, WriteTx};
use crate::postgres::PostgresTx;
use crate::sqlite::{self, ReadTx};
use crate::{EngineKind, Error, Result, Row, Sql, Value};

/// Rows of one `many` that run on SQLite before other tasks get a turn.
const TURN: usize = 256;

/// A transaction; see [`crate::Db::write`] and [`crate::Db::read`].
pub struct Tx {
    engine: Engine,
    /// A statement failed, or its future was dropped half-way.
    broken: bool,
    pub(crate) last_event: i64,
    committed: watch::Sender<i64>,
}

pub(crate) enum Engine {
    SqliteWrite(WriteTx),
    SqliteRead(ReadTx),
    Postgres(PostgresTx),
}

impl Tx {
    pub(crate) fn new(engine: Engine, committed: watch::Sender<i64>) -> Self {
        Self { engine, broken: false, last_event: 0, committed }
    }

    /// Which engine this runs on.
    #[must_use]
    pub fn engine(&self) -> EngineKind {
        match self.engine {
            Engine::SqliteWrite(_) | Engine::SqliteRead(_) => EngineKind::Sqlite,
            Engine::Postgres(_) => EngineKind::Postgres,
        }
    }

    /// All rows of a statement (also of one that writes and says `returning`).
    pub async fn query(&mut self, sql: &Sql, values: &[Value]) -> Result<Vec<Row>> {
        self.enter(sql)?;
        let rows = match &mut self.engine {
            Engine::SqliteWrite(tx) => tx.with(|connection| sqlite::query(connection, sql, values)),
            Engine::SqliteRead(tx) => query_apart(tx.connection()?, sql, values),
            Engine::Postgres(tx) => tx.query(sql, values).await,
        }?;
        self.broken = false;
        Ok(rows)
    }

    /// The rows of a statement for each of many sets of parameters: a loop on SQLite, pipelined on PostgreSQL.
    pub async fn queries(&mut self, sql: &Sql, all: &[Vec<Value>]) -> Result<Vec<Vec<Row>>> {
        if all.is_empty() {
            return Ok(Vec::new());
        }
        self.enter(sql)?;
        let each = |connection: &rusqlite::Connection| {
            all.iter().map(|values| sqlite::query(connection, sql, values)).collect::<Result<Vec<_>>>()
        };
        let found = match &mut self.engine {
            Engine::SqliteWrite(tx) => tx.with(each),
            Engine::SqliteRead(tx) => each(tx.connection()?),
            Engine::Postgres(tx) => tx.queries(sql, all).await,
        }?;
        self.broken = false;
        Ok(found)
    }

    /// The row of a statement that finds one or none.
    pub async fn query_opt(&mut self, sql: &Sql, values: &[Value]) -> Result<Option<Row>> {
        let mut rows = self.query(sql, values).await?;
        match rows.len() {
            0 | 1 => Ok(rows.pop()),
            count => Err(Error::usage(sql.name(), format!("found {count} rows, expected at most one"))),
        }
    }

    /// The row of a statement that always finds exactly one.
    pub async fn query_one(&mut self, sql: &Sql, values: &[Value]) -> Result<Row> {
        let missing = || Error::new(crate::ErrorKind::NotFound, sql.name(), "found no row, expected one");
        self.query_opt(sql, values).await?.ok_or_else(missing)
    }

    /// Runs a statement; how many rows it inserted, changed or deleted.
    pub async fn execute(&mut self, sql: &Sql, values: &[Value]) -> Result<u64> {
        self.enter(sql)?;
        let count = match &mut self.engine {
            Engine::SqliteWrite(tx) => tx.with(|connection| sqlite::execute(connection, sql, values)),
            Engine::SqliteRead(tx) => sqlite::execute(tx.connection()?, sql, values),
            Engine::Postgres(tx) => tx.execute(sql, values).await,
        }?;
        self.broken = false;
        Ok(count)
    }

    /// Runs a statement once for each row of parameters: a loop on SQLite, pipelined on PostgreSQL, where an `insert` of
    /// rows that do not meet each other goes as one statement.
    pub async fn many(&mut self, sql: &Sql, rows: Vec<Vec<Value>>) -> Result<u64> {
        self.enter(sql)?;
        let count = match &mut self.engine {
            Engine::SqliteWrite(tx) => {
                let mut count = 0;
                for (turn, rows) in rows.chunks(TURN).enumerate() {
                    if turn > 0 {
                        tokio::task::yield_now().await;
                    }
                    count += tx.with(|connection| sqlite::many(connection, sql, rows))?;
                }
                Ok(count)
            }
            Engine::SqliteRead(tx) => sqlite::many(tx.connection()?, sql, &rows),
            Engine::Postgres(tx) => tx.many(sql, &rows).await,
        }?;
        self.broken = false;
        Ok(count)
    }

    /// Makes it durable. Returns only when everything is on the disk of the engine.
    pub async fn commit(self) -> Result<()> {
        self.close(Closing::Shared).await
    }

    /// As [`Tx::commit`], for a transaction that holds the work of many: on SQLite it shares no sync with those after it,
    /// which may be as long as itself.
    pub async fn commit_at_once(self) -> Result<()> {
        self.close(Closing::AtOnce).await
    }

    async fn close(self, closing: Closing) -> Result<()> {
        if self.broken {
            return Err(Error::aborted("commit"));
        }
        match self.engine {
            Engine::SqliteWrite(tx) => tx.commit(self.last_event, closing).await,
            Engine::SqliteRead(_) => Ok(()),
            Engine::Postgres(tx) => {
                tx.commit().await?;
                if self.last_event > 0 {
                    // Told also when the id is not the highest: readers may have been waiting for just this gap.
                    self.committed.send_modify(|last| *last = self.last_event.max(*last));
                }
                Ok(())
            }
        }
    }

    /// From here until the statement has succeeded the transaction counts as broken.
    fn enter(&mut self, sql: &Sql) -> Result<()> {
        if self.broken {
            return Err(Error::aborted(sql.name()));
        }
        self.broken = true;
        Ok(())
    }
}

/// A fixed statement takes microseconds and runs here. A built one may be a list over the whole fleet: the other tasks
/// of this thread move to another one meanwhile (28 µs each time, so not for all).
fn query_apart(connection: &rusqlite::Connection, sql: &Sql, values: &[Value]) -> Result<Vec<Row>> {
    let work = || sqlite::query(connection, sql, values);
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) if !sql.is_fixed() => tokio::task::block_in_place(work),
        _ => work(),
    }
}
