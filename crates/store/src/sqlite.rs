//! SQLite through rusqlite: opening, binding by name, reading rows. WAL, every commit synced to the disk.
//! Transactions are in `commit`; all SQL runs inline, because one statement takes microseconds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::commit::Gate;
use crate::{EngineKind, Error, ErrorKind, Result, Row, Sql, Value, checkpoint};

/// Readers beside the one writer; WAL lets them work while it writes.
const READERS: usize = 4;
const STATEMENTS_KEPT: usize = 512;
const BUSY: Duration = Duration::from_secs(10);

/// How much memory a connection may take: of a server, or of a program beside others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Ample,
    Small,
}

impl Room {
    /// Page cache of a connection in KiB. Nothing of the file is mapped: mapped pages count as resident, once for each
    /// connection, so that a large database would take five times what it is allowed to.
    fn pragmas(self) -> &'static str {
        match self {
            Self::Ample => "pragma cache_size = -16000; pragma mmap_size = 0;",
            Self::Small => "pragma cache_size = -2000; pragma mmap_size = 0;",
        }
    }
}

/// One SQLite file.
pub(crate) struct Sqlite {
    pub(crate) path: PathBuf,
    pub(crate) gate: Arc<Gate>,
    readers: Arc<Readers>,
}

struct Readers {
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Sqlite {
    pub(crate) fn open(path: &Path, room: Room) -> Result<Self> {
        let subject = || format!("database {}", path.display());
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(|e| Error::io(subject(), e))?;
        }
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let writer = flags | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let mut writer = connect(path, writer, room).map_err(|e| engine_error(&subject(), e))?;
        prepare_writer(&writer).map_err(|e| engine_error(&subject(), e))?;
        if room == Room::Ample {
            checkpoint::beside(&mut writer, path.to_owned()).map_err(|e| engine_error(&subject(), e))?;
        }
        let mut idle = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            let reader = connect(path, flags | OpenFlags::SQLITE_OPEN_READ_ONLY, room);
            idle.push(reader.map_err(|e| engine_error(&subject(), e))?);
        }
        Ok(Self {
            path: path.to_owned(),
            gate: Gate::new(writer),
            readers: Arc::new(Readers { idle: Mutex::new(idle), permits: Arc::new(Semaphore::new(READERS)) }),
        })
    }

    /// A snapshot of what is committed now.
    pub(crate) async fn read(&self) -> Result<ReadTx> {
        let closed = || Error::new(ErrorKind::Connection, "read", "the database is closed");
        let permit = Arc::clone(&self.readers.permits).acquire_owned().await.map_err(|_| closed())?;
        let connection = self.readers.idle.lock().pop().ok_or_else(closed)?;
        let tx = ReadTx { connection: Some(connection), readers: Arc::clone(&self.readers), _permit: permit };
        // `begin` alone takes no snapshot, the first read does: so that all of this Tx sees one moment, read now.
        let begin = |connection: &Connection| {
            run_kept(connection, "begin")?;
            run_kept(connection, "select 1 from sqlite_schema limit 1")
        };
        begin(tx.connection()?).map_err(|e| engine_error("begin read", e))?;
        Ok(tx)
    }
}

/// A reader lent to one transaction.
pub(crate) struct ReadTx {
    connection: Option<Connection>,
    readers: Arc<Readers>,
    _permit: OwnedSemaphorePermit,
}

impl ReadTx {
    pub(crate) fn connection(&self) -> Result<&Connection> {
        self.connection.as_ref().ok_or_else(|| Error::aborted("read"))
    }
}

impl Drop for ReadTx {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            if !connection.is_autocommit()
                && let Err(error) = run_kept(&connection, "rollback")
            {
                tracing::error!(%error, "cannot end a read transaction");
            }
            self.readers.idle.lock().push(connection);
        }
    }
}

/// Compiling these few words costs more than running them.
fn run_kept(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.raw_query();
    while rows.next()?.is_some() {}
    Ok(())
}

/// Runs a text of ours that is kept prepared.
pub(crate) fn run(connection: &Connection, text: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(text)?.raw_query().next().map(drop)
}

pub(crate) fn connect(path: &Path, flags: OpenFlags, room: Room) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    // PostgreSQL's `like` minds the case; only so can it also use an index here.
    connection
        .execute_batch("pragma foreign_keys = on; pragma case_sensitive_like = on; pragma temp_store = memory;")?;
    connection.execute_batch(room.pragmas())?;
    Ok(connection)
}

fn prepare_writer(writer: &Connection) -> rusqlite::Result<()> {
    writer.execute_batch(
        "pragma journal_mode = wal; pragma synchronous = full; pragma journal_size_limit = 134217728; \
         pragma trusted_schema = off;",
    )?;
    // The writer waits for other processes without blocking a thread of the runtime (see `commit`).
    writer.busy_timeout(Duration::ZERO)
}

/// Runs a statement and reads all its rows.
pub(crate) fn query(connection: &Connection, sql: &Sql, values: &[Value]) -> Result<Vec<Row>> {
    with_statement(connection, sql, |statement| {
        let places = places(statement, sql)?;
        bind(statement, sql, &places, values)?;
        let columns: Arc<[String]> = statement.column_names().map(str::to_owned).collect();
        let name: Arc<str> = sql.name().into();
        let width = columns.len();
        let mut found = Vec::new();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(|e| engine_error(sql.name(), e))? {
            let mut cells = Vec::with_capacity(width);
            for index in 0..width {
                cells.push(owned(row.get_ref(index).map_err(|e| engine_error(sql.name(), e))?));
            }
            found.push(Row::new(Arc::clone(&name), Arc::clone(&columns), cells));
        }
        Ok(found)
    })
}

/// Runs a statement and tells how many rows it changed.
pub(crate) fn execute(connection: &Connection, sql: &Sql, values: &[Value]) -> Result<u64> {
    with_statement(connection, sql, |statement| {
        let places = places(statement, sql)?;
        run_bound(connection, statement, (sql, &places), values)
    })
}

/// Runs a statement once for each row of parameters.
pub(crate) fn many(connection: &Connection, sql: &Sql, rows: &[Vec<Value>]) -> Result<u64> {
    with_statement(connection, sql, |statement| {
        let places = places(statement, sql)?;
        rows.iter().try_fold(0, |sum, values| Ok(sum + run_bound(connection, statement, (sql, &places), values)?))
    })
}

fn run_bound(
    connection: &Connection,
    statement: &mut Statement<'_>,
    (sql, places): (&Sql, &[usize]),
    values: &[Value],
) -> Result<u64> {
    bind(statement, sql, places, values)?;
    let writes = !statement.readonly();
    let mut rows = statement.raw_query();
    while rows.next().map_err(|e| engine_error(sql.name(), e))?.is_some() {}
    drop(rows);
    Ok(if writes { connection.changes() } else { 0 })
}

fn with_statement<T>(
    connection: &Connection,
    sql: &Sql,
    work: impl FnOnce(&mut Statement<'_>) -> Result<T>,
) -> Result<T> {
    let text = sql.text(EngineKind::Sqlite);
    if sql.is_fixed() {
        let mut cached = connection.prepare_cached(text).map_err(|e| engine_error(sql.name(), e))?;
        work(&mut cached)
    } else {
        work(&mut connection.prepare(text).map_err(|e| engine_error(sql.name(), e))?)
    }
}

/// Compiles a statement without running it.
pub(crate) fn check(connection: &Connection, sql: &Sql) -> Result<()> {
    connection.prepare(sql.text(EngineKind::Sqlite)).map(drop).map_err(|e| engine_error(sql.name(), e))
}

/// Writes a consistent copy of `from` into the new file `to`.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    let subject = || format!("backup {}", to.display());
    if to.exists() {
        return Err(Error::usage(subject(), "exists already; name a new file"));
    }
    let failed = |error| engine_error(&subject(), error);
    let connection = connect(from, OpenFlags::SQLITE_OPEN_READ_ONLY, Room::Small).map_err(failed)?;
    connection.execute("vacuum into ?", [to.to_string_lossy()]).map_err(failed)?;
    let synced = std::fs::File::open(to).and_then(|file| file.sync_all());
    synced.map_err(|e| Error::io(subject(), e))
}

/// Which value each parameter of a statement takes. SQLite takes `$1` as a name and numbers names by first appearance:
/// the number in the name decides here.
fn places(statement: &Statement<'_>, sql: &Sql) -> Result<Vec<usize>> {
    let place = |position| {
        let name = statement.parameter_name(position).unwrap_or("?");
        let number = name.strip_prefix('$').and_then(|digits| digits.parse::<usize>().ok());
        let no_number = || Error::usage(sql.name(), format!("parameter {name} is no $1, $2, …"));
        number.and_then(|number| number.checked_sub(1)).ok_or_else(no_number)
    };
    (1..=statement.parameter_count()).map(place).collect()
}

fn bind(statement: &mut Statement<'_>, sql: &Sql, places: &[usize], values: &[Value]) -> Result<()> {
    let wanted = places.iter().map(|place| place + 1).max().unwrap_or(0);
    if wanted > values.len() {
        return Err(Error::usage(sql.name(), format!("parameter ${wanted} is missing, {} given", values.len())));
    }
    if wanted < values.len() {
        return Err(Error::usage(sql.name(), format!("{} parameters given, the statement has {wanted}", values.len())));
    }
    for (position, place) in (1..).zip(places) {
        let bound = Bound(&values[*place]);
        statement.raw_bind_parameter(position, bound).map_err(|e| engine_error(sql.name(), e))?;
    }
    Ok(())
}

struct Bound<'a>(&'a Value);

impl rusqlite::ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Real(number) => ValueRef::Real(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
            Value::Bool(yes) => ValueRef::Integer((*yes).into()),
        }))
    }
}

fn owned(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
    }
}

/// What SQLite said, sorted into our kinds.
pub(crate) fn engine_error(subject: &str, error: rusqlite::Error) -> Error {
    let kind = match &error {
        rusqlite::Error::SqliteFailure(failure, _) | rusqlite::Error::SqlInputError { error: failure, .. } => {
            match failure.code {
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => ErrorKind::Busy,
                ErrorCode::DiskFull => ErrorKind::Full,
                ErrorCode::ConstraintViolation => match failure.extended_code {
                    // SQLITE_CONSTRAINT_UNIQUE, _PRIMARYKEY, _ROWID
                    2067 | 1555 | 2579 => ErrorKind::Unique,
                    _ => ErrorKind::Constraint,
                },
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => ErrorKind::Corrupt,
                ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::PermissionDenied => ErrorKind::Io,
                ErrorCode::ReadOnly | ErrorCode::TypeMismatch => ErrorKind::Usage,
                _ => ErrorKind::Engine,
            }
        }
        _ => ErrorKind::Engine,
    };
    Error::new(kind, subject, error.to_string()).with_source(error)
}
