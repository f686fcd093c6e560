//! PostgreSQL through tokio-postgres and a deadpool. Parameter types are the server's, never guessed here.
//! Each transaction takes the role `platen_app` and names its tenants, so that row security holds in all of them.

use std::str::FromStr;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use futures_util::FutureExt;
use futures_util::future::try_join_all;
use tokio::sync::watch;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls, Statement};

use crate::bulk;
use crate::{DatabaseUrl, EngineKind, Error, ErrorKind, Result, Row, Sql, Value, View};

/// Role of the running program: no owner, so that row security binds it.
pub(crate) const ROLE: &str = "platen_app";
const CONNECTIONS: usize = 16;
const PATIENCE: Duration = Duration::from_secs(10);
/// Statements of one `many` that are on their way at the same time.
const PIPELINE: usize = 512;
/// From so many rows on an `insert` goes as one statement.
const BULK: usize = 4;

/// One PostgreSQL database.
pub(crate) struct Postgres {
    pub(crate) url: DatabaseUrl,
    pub(crate) committed: watch::Sender<i64>,
    /// A task looks for events of other processes.
    pub(crate) watching: AtomicBool,
    pool: Pool,
}

impl Postgres {
    pub(crate) async fn open(address: &str) -> Result<Self> {
        let url = DatabaseUrl::Postgres(address.to_owned());
        let subject = url.to_string();
        let mut config = Config::from_str(address).map_err(|e| engine_error(&subject, e))?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(PATIENCE);
        }
        if config.get_application_name().is_none() {
            config.application_name("platen");
        }
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager).max_size(CONNECTIONS).runtime(Runtime::Tokio1).wait_timeout(Some(PATIENCE));
        let pool = pool.build().map_err(|e| Error::new(ErrorKind::Engine, &*subject, e.to_string()).with_source(e))?;
        let postgres = Self { url, committed: watch::Sender::new(0), watching: AtomicBool::new(false), pool };
        drop(postgres.client().await?);
        Ok(postgres)
    }

    /// A connection as the role that the address names: for migrations and checks.
    pub(crate) async fn client(&self) -> Result<Object> {
        let subject = || self.url.to_string();
        self.pool.get().await.map_err(|error| match error {
            // Whatever a server says before it lets us in: nothing was stored, and it may be well again soon.
            deadpool_postgres::PoolError::Backend(error) => {
                let error = engine_error(&subject(), error);
                if error.kind() == ErrorKind::Engine { error.with_kind(ErrorKind::Connection) } else { error }
            }
            deadpool_postgres::PoolError::Timeout(_) => {
                Error::new(ErrorKind::Busy, subject(), format!("all {CONNECTIONS} connections are in use"))
            }
            other => Error::new(ErrorKind::Connection, subject(), other.to_string()).with_source(other),
        })
    }

    pub(crate) async fn begin(&self, begin: &str, view: &View) -> Result<PostgresTx> {
        let tenants = tenants(view)?;
        let tx = PostgresTx { client: Some(self.client().await?), running: false };
        let text = format!(
            "{begin}; set local role {ROLE}; set local platen.tenants = '{tenants}'; \
             set local idle_in_transaction_session_timeout = 60000"
        );
        let missing = |error: &tokio_postgres::Error| error.code() == Some(&SqlState::INVALID_PARAMETER_VALUE);
        tx.client()?.batch_execute(&text).await.map_err(|error| {
            if missing(&error) {
                let message = format!("role {ROLE} is missing; run the migrations first");
                return Error::new(ErrorKind::Migration, "begin", message).with_source(error);
            }
            engine_error("begin", error)
        })?;
        Ok(tx)
    }

    /// A transaction of the role that the address names.
    pub(crate) async fn begin_as_owner(&self, view: &View) -> Result<PostgresTx> {
        let tenants = tenants(view)?;
        let tx = PostgresTx { client: Some(self.client().await?), running: false };
        let text = format!("begin; set local platen.tenants = '{tenants}'; set local client_min_messages = warning");
        tx.client()?.batch_execute(&text).await.map_err(|e| engine_error("begin", e))?;
        Ok(tx)
    }

    pub(crate) async fn check(&self, sql: &Sql) -> Result<()> {
        let client = self.client().await?;
        let prepared = client.prepare(sql.text(EngineKind::Postgres)).await;
        prepared.map(drop).map_err(|e| engine_error(sql.name(), e))
    }
}

/// The list for `platen.tenants`. Ids come from callers: anything that could end the literal or the list is refused.
fn tenants(view: &View) -> Result<String> {
    let ids = match view {
        View::All(_) => return Ok("*".to_owned()),
        View::Tenants(ids) => ids,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match ids.iter().find(|id| id.is_empty() || !id.chars().all(plain)) {
        Some(id) => Err(Error::usage("begin", format!("tenant id {id:?} has other characters than a-z A-Z 0-9 - _ ."))),
        None => Ok(ids.join(",")),
    }
}

/// A transaction on a pooled connection.
pub(crate) struct PostgresTx {
    client: Option<Object>,
    /// A statement is on its way; still true when dropped, its caller has gone away.
    running: bool,
}

impl PostgresTx {
    pub(crate) fn client(&self) -> Result<&Object> {
        self.client.as_ref().ok_or_else(|| Error::aborted("transaction"))
    }

    pub(crate) async fn query(&mut self, sql: &Sql, values: &[Value]) -> Result<Vec<Row>> {
        self.running = true;
        let outcome = self.send_query(sql, values).await;
        self.running = false;
        outcome
    }

    pub(crate) async fn queries(&mut self, sql: &Sql, all: &[Vec<Value>]) -> Result<Vec<Vec<Row>>> {
        self.running = true;
        let outcome = self.send_queries(sql, all).await;
        self.running = false;
        outcome
    }

    pub(crate) async fn execute(&mut self, sql: &Sql, values: &[Value]) -> Result<u64> {
        self.running = true;
        let outcome = self.send_execute(sql, values).await;
        self.running = false;
        outcome
    }

    pub(crate) async fn many(&mut self, sql: &Sql, rows: &[Vec<Value>]) -> Result<u64> {
        self.running = true;
        let outcome = self.send_many(sql, rows).await;
        self.running = false;
        outcome
    }

    async fn send_query(&self, sql: &Sql, values: &[Value]) -> Result<Vec<Row>> {
        let statement = self.prepare(sql, values).await?;
        let stream = self.client()?.query_raw(&statement, values).await;
        let stream = stream.map_err(|e| engine_error(sql.name(), e))?;
        crate::convert::collect(sql.name(), &statement, stream).await
    }

    async fn send_queries(&self, sql: &Sql, all: &[Vec<Value>]) -> Result<Vec<Vec<Row>>> {
        let Some(first) = all.first() else { return Ok(Vec::new()) };
        let statement = self.prepare(sql, first).await?;
        let client = self.client()?;
        let mut found = Vec::with_capacity(all.len());
        for some in all.chunks(PIPELINE) {
            let sent = some.iter().map(|values| {
                let statement = &statement;
                async move {
                    count_parameters(sql, statement, values)?;
                    let stream = client.query_raw(statement, values).await;
                    let stream = stream.map_err(|e| engine_error(sql.name(), e))?;
                    crate::convert::collect(sql.name(), statement, stream).await
                }
            });
            found.extend(try_join_all(sent).await?);
        }
        Ok(found)
    }

    async fn send_execute(&self, sql: &Sql, values: &[Value]) -> Result<u64> {
        let statement = self.prepare(sql, values).await?;
        self.client()?.execute_raw(&statement, values).await.map_err(|e| engine_error(sql.name(), e))
    }

    async fn send_many(&self, sql: &Sql, rows: &[Vec<Value>]) -> Result<u64> {
        let Some(first) = rows.first() else { return Ok(0) };
        let statement = self.prepare(sql, first).await?;
        let client = self.client()?;
        for values in rows {
            count_parameters(sql, &statement, values)?;
        }
        let bulk = sql.is_fixed().then(|| bulk::insert(sql.text(EngineKind::Postgres))).flatten();
        let bulk = bulk.filter(|insert| rows.len() >= BULK && insert.takes(rows));
        let mut count = 0;
        if let Some(insert) = bulk {
            let text = insert.text(statement.params());
            let statement = client.prepare_cached(&text).await.map_err(|e| engine_error(sql.name(), e))?;
            for rows in rows.chunks(PIPELINE) {
                let column = |at: usize| rows.iter().map(|row| &row[at]).collect::<Vec<&Value>>();
                let columns: Vec<Vec<&Value>> = (0..first.len()).map(column).collect();
                let sent = client.execute_raw(&statement, &columns).await;
                count += sent.map_err(|e| engine_error(sql.name(), e))?;
            }
            return Ok(count);
        }
        for rows in rows.chunks(PIPELINE) {
            let sent = rows.iter().map(|values| client.execute_raw(&statement, values));
            count += try_join_all(sent).await.map_err(|e| engine_error(sql.name(), e))?.iter().sum::<u64>();
        }
        Ok(count)
    }

    /// Fixed statements are kept prepared; built ones would fill the server's memory.
    async fn prepare(&self, sql: &Sql, values: &[Value]) -> Result<Statement> {
        let text = sql.text(EngineKind::Postgres);
        let client = self.client()?;
        let statement = if sql.is_fixed() { client.prepare_cached(text).await } else { client.prepare(text).await };
        let statement = statement.map_err(|e| engine_error(sql.name(), e))?;
        count_parameters(sql, &statement, values)?;
        Ok(statement)
    }

    pub(crate) async fn commit(mut self) -> Result<()> {
        let outcome = self.client()?.batch_execute("commit").await;
        let outcome = outcome.map_err(|error| {
            let error = engine_error("commit", error);
            match error.kind() {
                ErrorKind::Connection => Error::new(
                    ErrorKind::Unknown,
                    "commit",
                    "the server hung up: whether it is stored is not known; look before trying again",
                )
                .with_source(error),
                _ => error,
            }
        });
        if outcome.is_ok() {
            self.client = None;
        }
        outcome
    }
}

impl Drop for PostgresTx {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        if self.running
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            // Nobody waits for the answer: stop the server's work. A cancel could hit the next user of this
            // connection, so it leaves the pool.
            let client = Object::take(client);
            runtime.spawn(async move {
                if let Err(error) = client.cancel_token().cancel_query(NoTls).await {
                    tracing::debug!(%error, "cannot cancel a statement that nobody waits for");
                }
            });
            return;
        }
        // The first poll sends it; the next user of this connection is served after it.
        drop(client.batch_execute("rollback").now_or_never());
    }
}

fn count_parameters(sql: &Sql, statement: &Statement, values: &[Value]) -> Result<()> {
    let (wanted, given) = (statement.params().len(), values.len());
    if given < wanted {
        return Err(Error::usage(sql.name(), format!("parameter ${} is missing, {given} given", given + 1)));
    }
    if given > wanted {
        return Err(Error::usage(sql.name(), format!("{given} parameters given, the statement has {wanted}")));
    }
    Ok(())
}

/// What PostgreSQL said, sorted into our kinds.
pub(crate) fn engine_error(subject: &str, error: tokio_postgres::Error) -> Error {
    let kind = match error.code().map(SqlState::code) {
        Some("40001" | "40P01" | "55P03") => ErrorKind::Busy,
        Some("23505") => ErrorKind::Unique,
        // Row security answers 42501, as missing rights do.
        Some("42501") => ErrorKind::Constraint,
        Some(code) if code.starts_with("23") => ErrorKind::Constraint,
        Some("53100" | "53200") => ErrorKind::Full,
        Some("53300" | "25P03" | "57P01" | "57P02" | "57P03") => ErrorKind::Connection,
        Some(code) if code.starts_with("08") => ErrorKind::Connection,
        Some(code) if code.starts_with("42") || code.starts_with("22") => ErrorKind::Usage,
        Some("25006") => ErrorKind::Usage,
        Some("25P02") => ErrorKind::Aborted,
        Some(_) => ErrorKind::Engine,
        None if error.is_closed() || is_io(&error) => ErrorKind::Connection,
        None => ErrorKind::Usage,
    };
    let message = match error.as_db_error() {
        Some(said) => match said.detail() {
            Some(detail) => format!("{} ({}): {detail}", said.message(), said.code().code()),
            None => format!("{} ({})", said.message(), said.code().code()),
        },
        None => match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    };
    Error::new(kind, subject, message).with_source(error)
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.is::<std::io::Error>() {
            return true;
        }
        source = inner.source();
    }
    false
}
