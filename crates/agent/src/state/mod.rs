//! What the agent must not forget: `identity` in files, and devices, outbox and facts in one SQLite file of its own.
//! Everything that belongs together is written in one transaction; only what is committed counts as known or taken.

pub(crate) mod devices;
pub(crate) mod identity;
pub(crate) mod orders;
pub(crate) mod outbox;
pub(crate) mod pressure;
#[cfg(test)]
mod tests;
pub(crate) mod told;

use std::{os::unix::fs::OpenOptionsExt, path::Path};

use store::{Db, Migration, Sql, Tx, View, params};
use wire::AgentPlan;

use crate::error::{Error, Result};

/// The file is the agent's alone: there are no tenants in it.
const OWN: View = View::All("the agent's own file");

const SCHEMA: &str = include_str!("schema.sql");
const TOLD: &str = include_str!("told.sql");
const ORDERS: &str = include_str!("orders.sql");
const GET_FACT: &str = "select value from facts where name = $1";
const SET_FACT: &str =
    "insert into facts (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value";

/// A statement of this file. Not registered: the registry lists what runs on both engines, this file is SQLite always.
pub(crate) const fn statement(name: &'static str, text: &'static str) -> Sql {
    Sql::fixed(name, text, text)
}

/// Fact: messages up to this number belong to the epoch of another machine.
pub(crate) const DELIVER_FIRST: &str = "deliver_first";

static COUNTS: Sql = statement("agent::counts", "select (select count(*) from devices), (select count(*) from outbox)");
static GET: Sql = statement("agent::facts::get", GET_FACT);
static SET: Sql = statement("agent::facts::set", SET_FACT);

/// The open file.
#[derive(Clone, Debug)]
pub(crate) struct State {
    db: Db,
}

impl State {
    /// Opens the file, readable by its owner only; makes it if it is missing.
    pub(crate) async fn open(path: &Path) -> Result<Self> {
        let file = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        file.map_err(|source| Error::File { path: path.to_owned(), source })?;
        let db = Db::open_small(path)?;
        let migrations = [("agent_0001", SCHEMA), ("agent_0002", TOLD), ("agent_0003", ORDERS)];
        db.migrate(&migrations.map(|(name, text)| Migration::portable(name, text))).await?;
        Ok(Self { db })
    }

    pub(crate) async fn write(&self) -> Result<Tx> {
        Ok(self.db.write(&OWN).await?)
    }

    pub(crate) async fn read(&self) -> Result<Tx> {
        Ok(self.db.read(&OWN).await?)
    }

    /// The plan that was followed last; the default one before the first.
    pub(crate) async fn plan(&self) -> Result<AgentPlan> {
        let text = fact(&mut self.read().await?, "plan").await?;
        Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    /// Keeps a plan.
    pub(crate) async fn set_plan(&self, plan: &AgentPlan) -> Result<()> {
        let mut tx = self.write().await?;
        set_fact(&mut tx, "plan", &serde_json::to_string(plan).unwrap_or_default()).await?;
        Ok(tx.commit().await?)
    }
}

impl State {
    /// Copies the file as it is now, while others write.
    pub(crate) async fn copy(&self, to: &Path) -> Result<()> {
        Ok(self.db.backup(to).await?)
    }

    /// Devices that are kept read, and messages that wait.
    pub(crate) async fn counts(&self) -> Result<(u64, u64)> {
        let row = self.read().await?.query_one(&COUNTS, &params![]).await?;
        Ok((row.get(0)?, row.get(1)?))
    }

    /// What waits now is delivered under its numbers before anything new is, which belongs to a new epoch.
    pub(crate) async fn deliver_first(&self) -> Result<()> {
        let mut tx = self.write().await?;
        let next = fact_number(&mut tx, "next_seq").await?.unwrap_or(1);
        set_fact(&mut tx, DELIVER_FIRST, &(next - 1).to_string()).await?;
        Ok(tx.commit().await?)
    }
}

pub(crate) async fn fact(tx: &mut Tx, name: &str) -> Result<Option<String>> {
    Ok(tx.query_opt(&GET, &params![name]).await?.map(|row| row.get(0)).transpose()?)
}

pub(crate) async fn set_fact(tx: &mut Tx, name: &str, value: &str) -> Result<()> {
    tx.execute(&SET, &params![name, value]).await?;
    Ok(())
}

/// Numbers of facts; a damaged one reads as `None`.
pub(crate) async fn fact_number(tx: &mut Tx, name: &str) -> Result<Option<u64>> {
    Ok(fact(tx, name).await?.and_then(|text| text.parse().ok()))
}

/// A hash as SQLite keeps it.
pub(crate) fn to_db(value: u64) -> i64 {
    i64::from_ne_bytes(value.to_ne_bytes())
}

/// What [`to_db`] stored.
pub(crate) fn from_db(value: i64) -> u64 {
    u64::from_ne_bytes(value.to_ne_bytes())
}
