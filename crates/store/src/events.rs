//! The outbox: events with a rising id, written in the transaction that they tell of, and read so that none is missed.
//! On PostgreSQL ids may commit out of order; readers stop below the lowest id that may still be open (see `horizon`).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::db::Backend;
use crate::tx::Engine;
use crate::{Db, Result, Row, Sql, Tx, Value, View, params};

/// How often PostgreSQL is asked for events of other processes.
const POLL: Duration = Duration::from_secs(1);

crate::sql! {
    INSERT = "insert into events (tenant, month, type, subject_kind, subject_id, actor_kind, actor_id, request, data, at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning id";
    INSERT_MANY = "insert into events (tenant, month, type, subject_kind, subject_id, actor_kind, actor_id, request, data, at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    // The highest id that this transaction has taken: ids of one transaction rise.
    LAST_TAKEN = sqlite "select last_insert_rowid()" postgres "select currval('events_id_seq')";
    // Marks this transaction as one whose ids are all higher than the last id given out before. 0x504c: a name space.
    ANNOUNCE = sqlite "select 1" postgres "select pg_advisory_xact_lock_shared(
        (20556::bigint << 48) | case when is_called then last_value else last_value - 1 end) from events_id_seq";
    LAST_GIVEN = sqlite "select coalesce(max(id), 0) from events"
        postgres "select case when is_called then last_value else last_value - 1 end from events_id_seq";
    LOWEST_OPEN = sqlite "select null" postgres "select min(((classid::bigint & 65535) << 32) | objid::bigint)
        from pg_locks where locktype = 'advisory' and objsubid = 1 and (classid::bigint >> 16) = 20556
        and database = (select oid from pg_database where datname = current_database())";
    SUBJECTS = "select subject_kind, subject_id from events where id > $1 and id <= $2
        and (subject_kind = $3 or type in ($4, $5, $6))";
    DELETE_BEFORE = "delete from events where id in (select id from events where at < $1 order by id limit $2)";
}

/// What happened, to be written with the change itself.
#[derive(Debug, Clone)]
pub struct NewEvent<'a> {
    /// Organisation whose event it is.
    pub tenant: &'a str,
    /// Noun and past participle, as `device.alert.raised`.
    pub event_type: &'a str,
    /// What it is about, as `device`.
    pub subject_kind: &'a str,
    /// Its id.
    pub subject_id: &'a str,
    /// Who did it, kind and id, as `("user", id)`; `None` when Platen did it by itself.
    pub actor: Option<(&'a str, &'a str)>,
    /// Request that caused it.
    pub request: &'a str,
    /// The keys that the type promises.
    pub data: &'a serde_json::Value,
    /// When, µs since 1970 UTC.
    pub at: i64,
}

impl NewEvent<'_> {
    fn row(&self) -> [Value; 10] {
        let (actor_kind, actor_id) = self.actor.unzip();
        params![
            self.tenant,
            month_of(self.at),
            self.event_type,
            self.subject_kind,
            self.subject_id,
            actor_kind,
            actor_id,
            self.request,
            self.data,
            self.at
        ]
    }
}

/// An event as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Rising; a reader that goes on from its last id misses none.
    pub id: i64,
    /// Organisation whose event it is.
    pub tenant: String,
    /// As `device.alert.raised`.
    pub event_type: String,
    /// What it is about.
    pub subject_kind: String,
    /// Its id.
    pub subject_id: String,
    /// Who did it: kind and id.
    pub actor: Option<(String, String)>,
    /// Request that caused it.
    pub request: String,
    /// The keys that the type promises.
    pub data: serde_json::Value,
    /// When, µs since 1970 UTC.
    pub at: i64,
}

impl Event {
    fn read(row: &Row) -> Result<Self> {
        let actor_kind: Option<String> = row.get(5)?;
        let actor_id: Option<String> = row.get(6)?;
        Ok(Self {
            id: row.get(0)?,
            tenant: row.get(1)?,
            event_type: row.get(2)?,
            subject_kind: row.get(3)?,
            subject_id: row.get(4)?,
            actor: actor_kind.zip(actor_id),
            request: row.get(7)?,
            data: row.get(8)?,
            at: row.get(9)?,
        })
    }
}

impl Tx {
    /// Writes an event into the outbox; readers see it, and are woken, when this transaction commits.
    pub async fn emit(&mut self, event: NewEvent<'_>) -> Result<i64> {
        self.announce().await?;
        let id = self.query_one(&INSERT, &event.row()).await?.get(0)?;
        self.last_event = id;
        Ok(id)
    }

    /// As [`Tx::emit`] for many events in their order, without waiting for each of them.
    pub async fn emit_all(&mut self, events: &[NewEvent<'_>]) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        self.announce().await?;
        self.many(&INSERT_MANY, events.iter().map(|event| event.row().into()).collect()).await?;
        self.last_event = self.query_one(&LAST_TAKEN, &[]).await?.get(0)?;
        Ok(())
    }

    /// Before its first id a transaction says from where on its ids are.
    async fn announce(&mut self) -> Result<()> {
        if self.last_event == 0 && self.engine() == crate::EngineKind::Postgres {
            self.execute(&ANNOUNCE, &[]).await?;
        }
        Ok(())
    }
}

/// Events with a higher id than `last` that the view may see: at most `limit`, in order of id. None is ever skipped:
/// an event whose predecessors are not all decided yet is left for the next call.
pub async fn after(db: &Db, view: &View, last: i64, limit: u32) -> Result<Vec<Event>> {
    let mut tx = begin(db, view).await?;
    let end = horizon(&mut tx).await?;
    let mut values = params![last, end, limit].to_vec();
    let condition = match view {
        View::All(_) => String::new(),
        View::Tenants(ids) if ids.is_empty() => return Ok(Vec::new()),
        View::Tenants(ids) => {
            values.extend(ids.iter().map(Value::from));
            let list: Vec<_> = (4..values.len() + 1).map(|number| format!("${number}")).collect();
            format!(" and tenant in ({})", list.join(", "))
        }
    };
    let text = format!(
        "select id, tenant, type, subject_kind, subject_id, actor_kind, actor_id, request, data, at \
         from events where id > $1 and id <= $2{condition} order by id limit $3"
    );
    let rows = tx.query(&Sql::built_as("store::events::after", text), &values).await?;
    rows.iter().map(Event::read).collect()
}

/// What events after some id were about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subjects {
    /// Every event up to here was looked at.
    pub end: i64,
    /// Kind and id of each subject, as often as it was spoken of.
    pub found: Vec<(String, String)>,
}

/// Of the events after `last`, of all organisations: the subjects of one kind, and those of three types.
pub async fn subjects(db: &Db, last: i64, kind: &str, types: [&str; 3]) -> Result<Subjects> {
    let mut tx = begin(db, &View::All("what is remembered of any tenant follows the events of all")).await?;
    let end = horizon(&mut tx).await?;
    let [first, second, third] = types;
    let rows = tx.query(&SUBJECTS, &params![last, end, kind, first, second, third]).await?;
    let found = rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<_>>()?;
    Ok(Subjects { end, found })
}

/// Deletes at most `limit` events older than `before` (µs); how many.
pub async fn delete_before(tx: &mut Tx, before: i64, limit: u32) -> Result<u64> {
    tx.execute(&DELETE_BEFORE, &params![before, limit]).await
}

/// Highest id up to which every event is decided: where a reader that wants only news begins.
pub async fn newest(db: &Db) -> Result<i64> {
    let mut tx = begin(db, &View::All("the highest event id tells nothing of any tenant")).await?;
    horizon(&mut tx).await
}

/// On PostgreSQL each statement must see its own moment, so this is no repeatable read.
async fn begin(db: &Db, view: &View) -> Result<Tx> {
    match &**db.backend() {
        Backend::Sqlite(_) => db.read(view).await,
        Backend::Postgres(postgres) => {
            let engine = Engine::Postgres(postgres.begin("begin read only", view).await?);
            Ok(Tx::new(engine, db.committing().clone()))
        }
    }
}

/// Every writer announces, before it takes its first id, the last id given out until then, and holds this lock until
/// it is decided. So: read the last id given (1), then the lowest announced (2), then rows (3). An id up to (1) belongs
/// to a writer that announced before (1); at (2) it is still announced, and excluded, or decided, and visible at (3).
async fn horizon(tx: &mut Tx) -> Result<i64> {
    let given: i64 = tx.query_one(&LAST_GIVEN, &[]).await?.get(0)?;
    let open: Option<i64> = tx.query_one(&LOWEST_OPEN, &[]).await?.get(0)?;
    Ok(open.map_or(given, |open| open.min(given)))
}

/// Begins, once, to look for events that other processes commit. Ends with the database or its last listener.
pub(crate) fn watch_others(db: &Db) {
    let Backend::Postgres(postgres) = &**db.backend() else { return };
    if postgres.watching.swap(true, Ordering::SeqCst) {
        return;
    }
    let backend = Arc::downgrade(db.backend());
    tokio::spawn(async move {
        let mut seen = -1;
        loop {
            let Some(backend) = backend.upgrade() else { return };
            let db = Db::from_backend(backend);
            if db.committing().receiver_count() == 0 {
                break stop_watching(&db);
            }
            match newest(&db).await {
                Ok(newest) if newest != seen => {
                    if seen >= 0 {
                        db.committing().send_modify(|last| *last = newest.max(*last));
                    }
                    seen = newest;
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "cannot look for events of other processes"),
            }
            drop(db);
            tokio::time::sleep(POLL).await;
        }
    });
}

fn stop_watching(db: &Db) {
    if let Backend::Postgres(postgres) = &**db.backend() {
        postgres.watching.store(false, Ordering::SeqCst);
    }
}

/// The month (yyyymm, UTC) of a time in µs: the key that growing tables are partitioned by.
#[must_use]
pub fn month_of(at: i64) -> i64 {
    // Civil date from days since 1970, with years that begin in March (Howard Hinnant's algorithm).
    let days = at.div_euclid(86_400_000_000) + 719_468;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let shifted = (5 * (day - (365 * year + year / 4 - year / 100)) + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year + i64::from(month <= 2)) * 100 + month
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_those_of_the_calendar() {
        for (seconds, month) in [
            (0, 197_001),
            (951_782_400, 200_002),   // 2000-02-29
            (951_868_800, 200_003),   // 2000-03-01
            (1_767_225_599, 202_512), // 2025-12-31 23:59:59
            (1_767_225_600, 202_601),
            (-1, 196_912),
        ] {
            assert_eq!(month_of(seconds * 1_000_000), month, "{seconds}");
        }
    }
}
