//! The devices that the agent keeps read, as they stand in its file.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use device::Known;
use store::{Row, Sql, Tx, params};
use wire::Subject;

use super::{State, from_db, statement, to_db};
use crate::error::Result;

static SOME: Sql = statement(
    "agent::devices::some",
    "select subject, identity_key, vendor, model, serial, mac, address, port, known,
            vitals_hash, status_hash, meters_hash, full_at, meters_at
     from devices
     where subject > $1
     order by subject
     limit $2",
);
static KEEP: Sql = statement(
    "agent::devices::keep",
    "insert into devices (subject, identity_key, vendor, model, serial, mac, address, port, known,
                          vitals_hash, status_hash, meters_hash, full_at, meters_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
     on conflict (subject) do update set
         identity_key = excluded.identity_key, vendor = excluded.vendor, model = excluded.model,
         serial = excluded.serial, mac = excluded.mac, address = excluded.address, port = excluded.port,
         known = excluded.known, vitals_hash = excluded.vitals_hash, status_hash = excluded.status_hash,
         meters_hash = excluded.meters_hash, full_at = excluded.full_at, meters_at = excluded.meters_at",
);

/// What is remembered of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceRow {
    /// Its name on the wire, for ever.
    pub(crate) subject: Subject,
    /// What it is recognised by (`identity::key_of`).
    pub(crate) key: String,
    pub(crate) vendor: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) mac: Option<String>,
    /// Where it was last; `None` once another device stands there.
    pub(crate) address: Option<SocketAddr>,
    /// Credential, version, what to ask. JSON in the file; what cannot be read there is found out anew.
    pub(crate) known: Arc<Known>,
    /// Hash of the last cheap look that was followed up; 0: none.
    pub(crate) vitals_hash: u64,
    /// Hash of the last status that was reported; 0: none.
    pub(crate) status_hash: u64,
    /// Hash of the last meters that were reported; 0: none.
    pub(crate) meters_hash: u64,
    /// Last full reading, milliseconds since 1970.
    pub(crate) full_ms: i64,
    /// Last report of the meters, milliseconds since 1970.
    pub(crate) meters_ms: i64,
}

impl DeviceRow {
    fn read(row: &Row) -> std::result::Result<Self, store::Error> {
        let address: Option<String> = row.get(6)?;
        let port: u16 = row.get(7)?;
        Ok(Self {
            subject: Subject(row.get(0)?),
            key: row.get(1)?,
            vendor: row.get(2)?,
            model: row.get(3)?,
            serial: row.get(4)?,
            mac: row.get(5)?,
            address: address.and_then(|text| text.parse::<IpAddr>().ok()).map(|ip| SocketAddr::new(ip, port)),
            known: Arc::new(serde_json::from_str(&row.get::<String>(8)?).unwrap_or_default()),
            vitals_hash: from_db(row.get(9)?),
            status_hash: from_db(row.get(10)?),
            meters_hash: from_db(row.get(11)?),
            full_ms: row.get(12)?,
            meters_ms: row.get(13)?,
        })
    }

    /// Writes the row within a transaction of the caller.
    pub(crate) async fn keep(&self, tx: &mut Tx) -> Result<()> {
        let values = params![
            self.subject.0,
            &self.key,
            self.vendor.as_deref(),
            self.model.as_deref(),
            self.serial.as_deref(),
            self.mac.as_deref(),
            self.address.map(|a| a.ip().to_string()),
            self.address.map_or(0, |a| a.port()),
            serde_json::to_string(&*self.known).unwrap_or_default(),
            to_db(self.vitals_hash),
            to_db(self.status_hash),
            to_db(self.meters_hash),
            self.full_ms,
            self.meters_ms,
        ];
        tx.execute(&KEEP, &values).await?;
        Ok(())
    }
}

impl State {
    /// The devices that follow one in the order of their names, at most so many; from the first on for `None`.
    pub(crate) async fn devices_after(&self, last: Option<Subject>, most: i64) -> Result<Vec<DeviceRow>> {
        let last = last.map_or_else(Vec::new, |subject| subject.0.to_vec());
        let rows = self.read().await?.query(&SOME, &params![last, most]).await?;
        Ok(rows.iter().map(DeviceRow::read).collect::<std::result::Result<_, _>>()?)
    }
}
