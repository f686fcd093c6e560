//! Which way orders go to a device: it fetches them itself, by the road that it is set to, or the agent that reads it does.
//! One list holds both, devices of the fleet and registrations that have told of no device yet.

use serde::{Serialize, Serializer};
use store::{Row, Sql, Tx, Value, params};
use wire::Subject;
use wire::hello::Road;

use super::UnitId;
use crate::devices::DeviceId;
use crate::error::Result;
use crate::filter::{Field, FieldKind};
use crate::ids::{AgentId, OrgId};
use crate::monitors::{self, MonitorId};

/// How an order reaches a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The device fetches it.
    Own(MonitorId, Road),
    /// The agent that reads the device fetches it; under this name it knows the device.
    Agent(AgentId, Subject),
}

impl Way {
    /// As stored and as the API says it: `https`, `https-both-ways`, `mail`, `mail-both-ways` or `agent`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Own(_, road) => monitors::road_text(road),
            Self::Agent(..) => "agent",
        }
    }
}

impl Serialize for Way {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// A device and how orders reach it.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) unit: UnitId,
    pub(crate) org: OrgId,
    pub(crate) device: Option<DeviceId>,
    pub(crate) vendor: String,
    pub(crate) serial: String,
    pub(crate) model: String,
    /// The way, or why there is none.
    pub(crate) way: std::result::Result<Way, &'static str>,
    /// Its agent was not heard of for minutes: an order waits until it is back.
    pub(crate) away: bool,
}

/// Devices of the fleet, with what they are reached by.
const FLEET: &str = "select d.tenant, coalesce(m.id, d.id) as unit, d.id as device, d.vendor, d.serial_no, \
     coalesce(d.serial_fold, lower(d.serial_no)) as serial_fold, d.model, d.label, d.place, d.word, d.comm, d.address, d.mac, \
     d.asset_no, d.firmware, p.seen_at, m.id as monitor, m.state as standing, m.road as own_road, a.id as agent, \
     a.state as agent_state, a.key_told, p.heard_by, \
     case when m.state = 'active' then m.road when a.id is not null then 'agent' end as road \
     from devices d \
     left join device_presence p on p.tenant = d.tenant and p.device = d.id \
     left join monitors m on m.tenant = d.tenant and m.device = d.id \
     left join agents a on a.tenant = d.tenant and a.id = substr(p.heard_by, 1, 36) \
     where d.lifecycle <> 'retired'";
/// Registrations that have told of no device yet.
const REGISTERED: &str = "select m.tenant, m.id, null, m.vendor, m.serial_no, m.serial_fold, m.model, '', '', 'unknown', \
     'unknown_path', null, m.mac, null, m.firmware, m.said_at, m.id, m.state, m.road, null, null, null, null, \
     case when m.state = 'active' then m.road end \
     from monitors m \
     where m.device is null";

/// The list, to be read `from (…) u`: whoever reads it adds the condition of the scope over `u.tenant`.
pub(crate) fn units() -> String {
    format!("{FLEET} union all {REGISTERED}")
}

/// Columns of [`Found`], in the order of [`Found::read`].
pub(crate) const COLUMNS: &str = "u.unit, u.tenant, u.device, u.vendor, u.serial_no, u.model, u.monitor, u.standing, u.own_road, \
     u.agent, u.agent_state, u.key_told, u.heard_by";

/// Fields of filters over [`units`].
pub(crate) const FIELDS: &[Field] = &[
    Field::new("vendor", "u.vendor", FieldKind::Text),
    Field::new("serial", "u.serial_fold", FieldKind::Folded),
    Field::new("model", "u.model", FieldKind::Text),
    Field::new("name", "u.label", FieldKind::Text),
    Field::new("place", "u.place", FieldKind::Text),
    Field::new(
        "status",
        "u.word",
        FieldKind::Word(&["stopped", "not-seen", "attention", "printing", "warming-up", "ready", "asleep", "unknown"]),
    ),
    Field::new("comm", "u.comm", FieldKind::Word(&["reporting", "late", "silent", "unreachable", "unknown_path"])),
    Field::new("road", "u.road", FieldKind::Word(&["https", "https-both-ways", "mail", "mail-both-ways", "agent"])),
    Field::new("agent", "u.agent", FieldKind::Text),
    Field::new("address", "u.address", FieldKind::Text),
    Field::new("mac", "u.mac", FieldKind::Text),
    Field::new("asset_no", "u.asset_no", FieldKind::Text),
    Field::new("firmware", "u.firmware", FieldKind::Text),
    Field::new("org", "u.tenant", FieldKind::Org),
    Field::new("device", "u.device", FieldKind::Text),
    Field::new("seen", "u.seen_at", FieldKind::Time),
];

/// What is joined for one row.
struct Ends {
    monitor: Option<MonitorId>,
    standing: Option<String>,
    own_road: Option<String>,
    agent: Option<AgentId>,
    agent_state: Option<String>,
    key_told: Option<i64>,
    heard_by: Option<String>,
}

impl Ends {
    fn way(&self) -> std::result::Result<Way, &'static str> {
        let own = self.monitor.zip(self.own_road.as_deref().and_then(monitors::road_of));
        match (own, self.standing.as_deref()) {
            (Some((monitor, road)), Some("active")) => return Ok(Way::Own(monitor, road)),
            (_, Some("suspended")) => return Err("it is suspended"),
            (_, Some(_)) if self.agent.is_none() => return Err("it has not passed its communication test"),
            _ => {}
        }
        let subject = self.heard_by.as_deref().and_then(|by| Subject::from_text(by.split_once('/')?.1));
        let (Some(agent), Some(subject)) = (self.agent, subject) else { return Err("nobody reads it now") };
        match (self.agent_state.as_deref(), self.key_told) {
            (Some("revoked"), _) => Err("its agent was revoked"),
            (_, Some(0) | None) => Err("its agent takes no orders: it is too old, or began a moment ago"),
            _ => Ok(Way::Agent(agent, subject)),
        }
    }
}

impl Found {
    pub(crate) fn read(row: &Row) -> Result<Self> {
        let ends = Ends {
            monitor: row.get(6)?,
            standing: row.get(7)?,
            own_road: row.get(8)?,
            agent: row.get(9)?,
            agent_state: row.get(10)?,
            key_told: row.get(11)?,
            heard_by: row.get(12)?,
        };
        let way = ends.way();
        Ok(Self {
            unit: row.get(0)?,
            org: row.get(1)?,
            device: row.get(2)?,
            vendor: row.get(3)?,
            serial: row.get::<Option<String>>(4)?.unwrap_or_default(),
            model: row.get::<Option<String>>(5)?.unwrap_or_default(),
            away: matches!(way, Ok(Way::Agent(..))) && ends.agent_state.as_deref() == Some("offline"),
            way,
        })
    }

    /// What a share keeps of it.
    pub(crate) fn share(&self) -> [Value; 6] {
        let device = self.device.map(|device| device.to_string());
        params![self.unit, self.org, &self.serial, &self.vendor, &self.model, device]
    }
}

/// The way to one device as it is now, by its unit or by the device of the fleet. `None`: it left.
pub(crate) async fn find(tx: &mut Tx, org: OrgId, unit: UnitId) -> Result<Option<Found>> {
    // Each part by its key: a condition over both would look through the whole fleet.
    let text = format!(
        "select {COLUMNS} from (
           {FLEET} and d.tenant = $1 and d.id = $2
           union all
           {FLEET} and d.tenant = $1 and m.tenant = $1 and m.id = $2
           union all
           {REGISTERED} and m.tenant = $1 and m.id = $2
         ) u
         limit 1"
    );
    let row = tx.query_opt(&Sql::built_as("orders find", text), &params![org, unit]).await?;
    row.as_ref().map(Found::read).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(monitor: Option<(&str, &str)>, agent: Option<(&str, i64)>) -> Ends {
        let id = |n| uuid::Uuid::from_u128(n);
        Ends {
            monitor: monitor.map(|_| MonitorId(id(1))),
            standing: monitor.map(|(standing, _)| standing.to_owned()),
            own_road: monitor.map(|(_, road)| road.to_owned()),
            agent: agent.map(|_| AgentId(id(2))),
            agent_state: agent.map(|(state, _)| state.to_owned()),
            key_told: agent.map(|(_, key)| key),
            heard_by: agent.map(|_| format!("{}/{}", id(2), Subject([7; 16]).to_text())),
        }
    }

    #[test]
    fn who_reports_by_itself_goes_its_own_road_and_others_by_their_agent() {
        let way = |monitor, agent| ends(monitor, agent).way().map(Way::word);
        assert_eq!(way(Some(("active", "mail")), None), Ok("mail"));
        assert_eq!(way(Some(("active", "https")), Some(("online", 1))), Ok("https"), "its own road first");
        assert_eq!(way(None, Some(("offline", 1))), Ok("agent"));
        assert_eq!(way(Some(("registered", "")), Some(("online", 1))), Ok("agent"), "read until it calls");
        assert!(way(Some(("registered", "")), None).is_err_and(|why| why.contains("communication test")));
        assert!(way(Some(("suspended", "https")), Some(("online", 1))).is_err());
        assert!(way(None, Some(("revoked", 1))).is_err_and(|why| why.contains("revoked")));
        assert!(way(None, Some(("online", 0))).is_err_and(|why| why.contains("takes no orders")));
        assert!(way(None, None).is_err_and(|why| why.contains("nobody")));
    }
}
