//! Alerts and incidents of the devices of one transaction: loaded before its messages are taken, written where they changed.

use std::collections::HashMap;

use store::{Tx, Value, params};
use wire::AlertSeverity;

use super::held::{Held, Incident};
use super::rules::{Condition, FLAP, Key, audience, rank};
use super::{IncidentId, sql};
use crate::OrgId;
use crate::devices::DeviceId;
use crate::devices::intake::chunks;
use crate::error::Result;
use crate::platform::Platform;

/// Alerts of the devices of one transaction.
pub(crate) struct Board {
    pub(super) platform: Platform,
    tenant: OrgId,
    pub(super) alerts: HashMap<DeviceId, Vec<Held>>,
    pub(super) incidents: HashMap<IncidentId, Incident>,
    /// The cause that what is raised now belongs to, if it is one of many devices.
    pub(super) cause: Option<IncidentId>,
}

impl Board {
    /// Loads what stands, or stood a moment before `oldest`, on these devices.
    pub(crate) async fn load(
        tx: &mut Tx,
        platform: &Platform,
        tenant: OrgId,
        devices: &[DeviceId],
        oldest: i64,
    ) -> Result<Self> {
        let mut board =
            Self { platform: platform.clone(), tenant, alerts: HashMap::new(), incidents: HashMap::new(), cause: None };
        let ids: Vec<String> = devices.iter().map(ToString::to_string).collect();
        for mut values in chunks(tenant, &ids) {
            values.push(oldest.saturating_sub(FLAP).into());
            for row in tx.query(&sql::LOAD, &values).await? {
                board.hold(&row)?;
            }
        }
        Ok(board)
    }

    fn hold(&mut self, row: &store::Row) -> Result<()> {
        let device: DeviceId = row.get(1)?;
        let key = Key { group: row.get(2)?, part: row.get(3)?, reason: row.get(4)? };
        let incident = row.get(13)?;
        let source = match row.get::<String>(8)?.as_str() {
            "platen" => "platen",
            "trap" => "trap",
            "event" => "event",
            _ => "device",
        };
        let condition = Condition {
            key,
            severity: severity(&row.get::<String>(5)?),
            code: row.get(6)?,
            text: row.get(7)?,
            since: row.get(9)?,
        };
        self.incidents.entry(incident).or_insert(Incident {
            id: incident,
            device,
            reason: row.get(21)?,
            shared: row.get::<Option<DeviceId>>(22)?.is_none(),
            state: row.get(14)?,
            severity: severity(&row.get::<String>(17)?),
            cause: row.get(20)?,
            version: row.get(16)?,
            opened_at: row.get(10)?,
            resolved_at: row.get(15)?,
            dirty: false,
        });
        self.alerts.entry(device).or_default().push(Held {
            id: row.get(0)?,
            condition,
            source,
            raised_at: row.get(10)?,
            cleared_at: row.get(11)?,
            flaps: row.get(12)?,
            incident,
            quiet_at: row.get(18)?,
            evicted: row.get(19)?,
            dirty: false,
        });
        Ok(())
    }

    /// Writes everything.
    pub(crate) async fn flush(self, tx: &mut Tx) -> Result<()> {
        let mut incidents: Vec<Vec<Value>> = Vec::new();
        for incident in self.incidents.values().filter(|incident| incident.dirty) {
            incidents.push(
                params![
                    self.tenant,
                    incident.id,
                    incident.version,
                    &incident.state,
                    (!incident.shared).then_some(incident.device),
                    Value::Null,
                    &incident.reason,
                    incident.severity.as_str(),
                    &incident.cause,
                    incident.opened_at,
                    incident.resolved_at,
                    audience(&incident.reason)
                ]
                .into(),
            );
        }
        let mut alerts: Vec<Vec<Value>> = Vec::new();
        for (device, held) in self.alerts.iter().flat_map(|(device, all)| all.iter().map(move |held| (device, held))) {
            if !held.dirty {
                continue;
            }
            let (condition, key) = (&held.condition, &held.condition.key);
            alerts.push(
                params![
                    self.tenant,
                    held.id,
                    *device,
                    &key.group,
                    &key.part,
                    &key.reason,
                    condition.severity.as_str(),
                    rank(condition.severity),
                    condition.code,
                    condition.text.as_ref(),
                    held.source,
                    condition.since,
                    held.raised_at,
                    held.cleared_at,
                    held.flaps,
                    held.incident,
                    held.quiet_at,
                    held.evicted,
                    audience(&key.reason)
                ]
                .into(),
            );
        }
        for (statement, rows) in [(&sql::INCIDENT, incidents), (&sql::INSERT, alerts)] {
            if !rows.is_empty() {
                tx.many(statement, rows).await?;
            }
        }
        Ok(())
    }
}

fn severity(word: &str) -> AlertSeverity {
    AlertSeverity::from_word(word).unwrap_or(AlertSeverity::Other)
}
