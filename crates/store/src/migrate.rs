//! Migrations: one file, one transaction, one checksum row. Files are written with PostgreSQL's words.
//! On PostgreSQL they end with the role of the program, its rights and row security on each table with a tenant.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::Connection;

use crate::blobs::Sha256;
use crate::commit::Gate;
use crate::postgres::{Postgres, PostgresTx, ROLE, engine_error as postgres_error};
use crate::rewrite;
use crate::sqlite::engine_error as sqlite_error;
use crate::{EngineKind, Error, ErrorKind, Result, View};

/// One step of the schema.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Name without ending, as `0001_store`; it decides nothing but is kept for ever.
    pub name: &'static str,
    /// The portable text.
    pub sql: &'static str,
    /// Text for SQLite instead, where one text cannot serve both.
    pub sqlite: Option<&'static str>,
    /// Text for PostgreSQL instead.
    pub postgres: Option<&'static str>,
}

impl Migration {
    /// A migration with one text for both engines.
    #[must_use]
    pub const fn portable(name: &'static str, sql: &'static str) -> Self {
        Self { name, sql, sqlite: None, postgres: None }
    }

    fn text(&self, engine: EngineKind) -> String {
        let twin = match engine {
            EngineKind::Sqlite => self.sqlite,
            EngineKind::Postgres => self.postgres,
        };
        twin.unwrap_or(self.sql).replace("\r\n", "\n")
    }
}

/// The tables of this crate; always the first in a list of migrations.
pub const STORE_MIGRATION: Migration =
    Migration::portable("0001_store", include_str!("../../../migrations/0001_store.sql"));

/// What a run of migrations did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Names of those applied now, in order.
    pub new: Vec<&'static str>,
    /// How many were there already.
    pub before: usize,
}

const LEDGER: &str = "create table if not exists schema_migrations \
    (name text primary key, checksum text not null, applied_with text not null)";

/// Applied before with the same text: true. Not applied: false. Another text: an error.
fn is_applied(known: &BTreeMap<String, String>, migration: &Migration, checksum: &str) -> Result<bool> {
    match known.get(migration.name) {
        None => Ok(false),
        Some(before) if before == checksum => Ok(true),
        Some(before) => Err(Error::new(
            ErrorKind::Migration,
            format!("migration {}", migration.name),
            format!(
                "was applied with checksum {}, the file now has {}; a released file is never edited: \
                 restore its text and put the change into a new migration",
                before.get(..12).unwrap_or(before),
                &checksum[..12]
            ),
        )),
    }
}

fn warn_of_unknown(known: &BTreeMap<String, String>, migrations: &[Migration]) {
    for name in known.keys().filter(|name| migrations.iter().all(|migration| migration.name != name.as_str())) {
        tracing::warn!(migration = name, "the database knows a migration that this program does not");
    }
}

fn failed(migration: &Migration, error: Error) -> Error {
    let message = format!("does not apply: {error}");
    Error::new(ErrorKind::Migration, format!("migration {}", migration.name), message).with_source(error)
}

pub(crate) async fn on_sqlite(gate: &Gate, migrations: &[Migration]) -> Result<Applied> {
    let writer = gate.alone().await?;
    let migrations = migrations.to_vec();
    let work = tokio::task::spawn_blocking(move || {
        let connection = &writer.connection;
        let patience = |time| connection.busy_timeout(time).map_err(|e| sqlite_error("migrate", e));
        patience(Duration::from_secs(30))?;
        let outcome = apply_sqlite(connection, &migrations);
        if !connection.is_autocommit() {
            connection.execute_batch("rollback").map_err(|e| sqlite_error("migrate", e))?;
        }
        patience(Duration::ZERO)?;
        outcome
    });
    work.await.map_err(|e| Error::new(ErrorKind::Migration, "migrate", e.to_string()))?
}

fn apply_sqlite(connection: &Connection, migrations: &[Migration]) -> Result<Applied> {
    let run = |text: &str| connection.execute_batch(text).map_err(|e| sqlite_error("migrate", e));
    run(&rewrite::for_sqlite(LEDGER))?;
    let mut applied = Applied::default();
    for migration in migrations {
        run("begin immediate")?;
        let known = known_on_sqlite(connection).map_err(|e| sqlite_error("migrate", e))?;
        let text = migration.text(EngineKind::Sqlite);
        let checksum = Sha256::of(text.as_bytes()).to_string();
        if applied.new.is_empty() && applied.before == 0 {
            warn_of_unknown(&known, migrations);
        }
        if is_applied(&known, migration, &checksum)? {
            applied.before += 1;
        } else {
            run(&rewrite::for_sqlite(&text)).map_err(|e| failed(migration, e))?;
            let row = (migration.name, &checksum, env!("CARGO_PKG_VERSION"));
            let insert = "insert into schema_migrations (name, checksum, applied_with) values (?, ?, ?)";
            connection.execute(insert, row).map_err(|e| sqlite_error("migrate", e))?;
            applied.new.push(migration.name);
        }
        run("commit")?;
    }
    run("pragma optimize = 0x10002")?;
    Ok(applied)
}

fn known_on_sqlite(connection: &Connection) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut statement = connection.prepare("select name, checksum from schema_migrations")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

pub(crate) async fn on_postgres(postgres: &Postgres, migrations: &[Migration]) -> Result<Applied> {
    run_as_owner(postgres, LEDGER).await?;
    let mut applied = Applied::default();
    for migration in migrations {
        let tx = owner_tx(postgres).await?;
        let known = known_on_postgres(&tx).await?;
        let text = migration.text(EngineKind::Postgres);
        let checksum = Sha256::of(text.as_bytes()).to_string();
        if applied.new.is_empty() && applied.before == 0 {
            warn_of_unknown(&known, migrations);
        }
        if is_applied(&known, migration, &checksum)? {
            applied.before += 1;
            continue;
        }
        let outcome = tx.client()?.batch_execute(&rewrite::for_postgres(&text)).await;
        outcome.map_err(|e| failed(migration, postgres_error(migration.name, e)))?;
        let insert = "insert into schema_migrations (name, checksum, applied_with) values ($1, $2, $3)";
        let version = env!("CARGO_PKG_VERSION");
        let outcome = tx.client()?.execute(insert, &[&migration.name, &checksum, &version]).await;
        outcome.map_err(|e| postgres_error("migrate", e))?;
        tx.commit().await?;
        applied.new.push(migration.name);
    }
    run_as_owner(postgres, &secure()).await?;
    Ok(applied)
}

/// A transaction of the owner that no other run of migrations is beside.
async fn owner_tx(postgres: &Postgres) -> Result<PostgresTx> {
    let tx = postgres.begin_as_owner(&View::All("migrations")).await?;
    let lock = tx.client()?.batch_execute("select pg_advisory_xact_lock(7236837290563)").await;
    lock.map_err(|e| postgres_error("migrate", e))?;
    Ok(tx)
}

async fn run_as_owner(postgres: &Postgres, text: &str) -> Result<()> {
    let tx = owner_tx(postgres).await?;
    tx.client()?.batch_execute(text).await.map_err(|e| {
        let error = postgres_error("migrate", e);
        let message = format!("{error}; the address must name the owner of the database, with the right to make roles");
        Error::new(ErrorKind::Migration, "migrate", message).with_source(error)
    })?;
    tx.commit().await
}

async fn known_on_postgres(tx: &PostgresTx) -> Result<BTreeMap<String, String>> {
    let rows = tx.client()?.query("select name, checksum from schema_migrations", &[]).await;
    let rows = rows.map_err(|e| postgres_error("migrate", e))?;
    Ok(rows.into_iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Role, rights and row security. Run after every migration; it changes only what is missing.
fn secure() -> String {
    format!(
        "do $secure$
declare
    found record;
begin
    begin
        if not exists (select from pg_roles where rolname = '{ROLE}') then
            create role {ROLE} nologin;
        end if;
    exception when duplicate_object or unique_violation then null; -- another database of this server was faster
    end;
    if not (select rolsuper from pg_roles where rolname = current_user) then
        execute format('grant {ROLE} to %I', current_user);
    end if;
    execute format('grant usage on schema %I to {ROLE}', current_schema());
    execute format('grant select, insert, update, delete on all tables in schema %I to {ROLE}', current_schema());
    execute format('grant usage, select on all sequences in schema %I to {ROLE}', current_schema());
    revoke insert, update, delete on schema_migrations from {ROLE};
    for found in
        select c.oid, c.oid::regclass as name, c.relrowsecurity and c.relforcerowsecurity as secured
        from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relkind in ('r', 'p') and c.relnamespace = current_schema()::regnamespace
            and a.attname = 'tenant' and not a.attisdropped
    loop
        if not found.secured then
            execute format('alter table %s enable row level security, force row level security', found.name);
        end if;
        if not exists (select from pg_policy where polrelid = found.oid and polname = 'tenant_rows') then
            execute format($policy$create policy tenant_rows on %s using (
                (select current_setting('platen.tenants', true)) = '*'
                or tenant = any ((select string_to_array(current_setting('platen.tenants', true), ','))::text[]))
            $policy$, found.name);
        end if;
    end loop;
end $secure$"
    )
}
