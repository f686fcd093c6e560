//! Tables in days on PostgreSQL: a partition for each day (yyyymmdd) of the column that they are parted by, made ahead and
//! dropped whole. On SQLite a table is one; rows go in bounded batches there.

use crate::db::Backend;
use crate::postgres::{Postgres, engine_error};
use crate::{Db, Error, Result, View};

/// A lock that reports wait behind is given up after this and tried again with the next run.
const PATIENCE: &str = "set local lock_timeout = '250ms'";

impl Db {
    /// The days of a table that have a partition of their own, ascending; none on SQLite.
    pub async fn days(&self, table: &'static str) -> Result<Vec<i64>> {
        let Backend::Postgres(postgres) = &**self.backend() else { return Ok(Vec::new()) };
        let tx = postgres.begin_as_owner(&View::All("which days a table has")).await?;
        let text = "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = to_regclass($1)";
        let rows = tx.client()?.query(text, &[&table]).await.map_err(|e| engine_error("days", e))?;
        tx.commit().await?;
        let day = |name: String| name.strip_prefix(table)?.strip_prefix("_d")?.parse().ok();
        let mut days: Vec<i64> = rows.into_iter().filter_map(|row| day(row.get(0))).collect();
        days.sort_unstable();
        Ok(days)
    }

    /// Makes the partition of a day, which ends before `next`; false where there is one, or none can be (SQLite).
    pub async fn make_day(&self, table: &'static str, day: i64, next: i64) -> Result<bool> {
        if self.days(table).await?.contains(&day) {
            return Ok(false);
        }
        let text = format!(
            "create table if not exists {table}_d{day} partition of {table} for values from ({day}) to ({next})"
        );
        self.as_owner(text).await
    }

    /// Drops a day with all its rows, whoever's they are; false on SQLite. Readers and writers of other days wait for a
    /// moment at most: who holds the table for longer keeps the day for another time.
    pub async fn drop_day(&self, table: &'static str, day: i64) -> Result<bool> {
        self.as_owner(format!("drop table if exists {table}_d{day}")).await
    }

    async fn as_owner(&self, text: String) -> Result<bool> {
        let Backend::Postgres(postgres) = &**self.backend() else { return Ok(false) };
        alter(postgres, &text).await.map(|()| true)
    }
}

async fn alter(postgres: &Postgres, text: &str) -> Result<()> {
    let tx = postgres.begin_as_owner(&View::All("days of a table")).await?;
    let done = tx.client()?.batch_execute(&format!("{PATIENCE}; {text}")).await;
    done.map_err(|error| {
        let error = engine_error("days", error);
        let message = format!("{error}; the address must name the owner of the table");
        Error::new(error.kind(), "days", message).with_source(error)
    })?;
    tx.commit().await
}
