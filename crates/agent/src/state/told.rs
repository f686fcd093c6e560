//! What was told of a device beside its condition: conditions that became events, firmware, a mismatch that stands.

use store::{Sql, Tx, params};
use wire::Subject;

use super::{from_db, statement, to_db};
use crate::error::Result;

static GET: Sql =
    statement("agent::told::get", "select alerts, firmware_hash, firmware_at, mismatch from told where subject = $1");
static KEEP: Sql = statement(
    "agent::told::keep",
    "insert into told (subject, alerts, firmware_hash, firmware_at, mismatch)
     values ($1, $2, $3, $4, $5)
     on conflict (subject) do update set
         alerts = excluded.alerts, firmware_hash = excluded.firmware_hash, firmware_at = excluded.firmware_at,
         mismatch = excluded.mismatch",
);

/// What was told of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Conditions that stood when it was read last and were told as events, by their keys.
    pub(crate) alerts: Vec<String>,
    /// Hash of the firmware that was told last; 0: none.
    pub(crate) firmware_hash: u64,
    /// When that was, milliseconds since 1970.
    pub(crate) firmware_ms: i64,
    /// What was met instead of it, while that alarm stands.
    pub(crate) mismatch: Option<String>,
}

impl Told {
    /// What was told of a device; nothing yet for a new one.
    pub(crate) async fn of(tx: &mut Tx, subject: Subject) -> Result<Self> {
        let Some(row) = tx.query_opt(&GET, &params![subject.0]).await? else { return Ok(Self::default()) };
        Ok(Self {
            alerts: serde_json::from_str(&row.get::<String>(0)?).unwrap_or_default(),
            firmware_hash: from_db(row.get(1)?),
            firmware_ms: row.get(2)?,
            mismatch: row.get(3)?,
        })
    }

    /// Writes it within a transaction of the caller.
    pub(crate) async fn keep(&self, tx: &mut Tx, subject: Subject) -> Result<()> {
        let alerts = serde_json::to_string(&self.alerts).unwrap_or_default();
        let hash = to_db(self.firmware_hash);
        let values = params![subject.0, alerts, hash, self.firmware_ms, self.mismatch.as_deref()];
        tx.execute(&KEEP, &values).await?;
        Ok(())
    }
}
