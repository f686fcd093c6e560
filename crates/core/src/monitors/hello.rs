//! The communication test, and from a key on the wire to a request.

use store::{Row, Tx, View, params};
use wire::Subject;
use wire::hello::{Hello, HelloReply};

use super::known::{self, Name, Standing};
use super::{MonitorId, keys, kinds, mail, rules, sql};
use crate::agents;
use crate::agents::PublicKey;
use crate::audit::{self, Change};
use crate::ctx::{Actor, Ctx, Role};
use crate::error::{Error, Kind, Result};
use crate::events;
use crate::ids::OrgId;
use crate::platform::Platform;
use crate::scope::Scope;
use crate::secrets::hash_of;
use crate::time::Micros;

const REASON: &str = "a device, before it is known whose";
/// The holder of a serial number and what is known of the device.
struct Unit {
    org: OrgId,
    id: MonitorId,
    state: String,
    key: Option<[u8; 32]>,
    claim_hash: Option<String>,
    claim_until: Option<Micros>,
}

impl Unit {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            org: row.get(0)?,
            id: row.get(1)?,
            state: row.get(2)?,
            key: row.get(3)?,
            claim_hash: row.get(4)?,
            claim_until: row.get(5)?,
        })
    }

    /// Why it is not heard; `None`: it is.
    fn fault(&self, hello: &Hello, now: Micros) -> Option<&'static str> {
        if self.state == "suspended" {
            return Some("suspended");
        }
        if self.key.is_some_and(|known| known.as_slice() == hello.key) {
            return None;
        }
        let claim = hello.claim.as_deref().map(|claim| hash_of(claim.trim()));
        match (&claim, &self.claim_hash) {
            (Some(given), Some(known)) if given == known && self.claim_until.is_some_and(|until| now < until) => None,
            (None, _) if self.key.is_some() => Some("wrong key"),
            _ => Some("wrong claim"),
        }
    }
}

/// The communication test. The door has checked that the request is signed with the key that it carries.
///
/// # Errors
/// `Forbidden` for every cause alike (unknown serial, wrong claim, another key, suspended), with a line for people in the
/// list of strangers; `Invalid` for fields that do not fit.
pub async fn hello(platform: &Platform, hello: &Hello, peer: &str) -> Result<HelloReply> {
    let key: [u8; 32] = hello
        .key
        .as_slice()
        .try_into()
        .map_err(|_| Error::invalid("key", "the key is an Ed25519 public key of 32 bytes"))?;
    let vendor = rules::vendor(&hello.vendor)?;
    let (serial, fold) = rules::serial(&hello.serial)?;
    let seal = rules::seal_key(hello.seal.as_deref())?;
    let public = keys::ring(platform).await?.public();
    let newest = public.iter().map(|key| i64::from(key.id)).max().unwrap_or(0);
    let now = platform.now();
    let mut tx = platform.db().write(&View::All(REASON)).await?;
    let unit = tx.query_opt(&sql::UNIT, &params![&vendor, &fold]).await?.as_ref().map(Unit::read).transpose()?;
    let fault = unit.as_ref().map_or(Some("not registered"), |unit| unit.fault(hello, now));
    let (Some(unit), None) = (&unit, fault) else {
        let org = unit.as_ref().map(|unit| unit.org);
        let why = fault.unwrap_or("not registered");
        let model = agents::told(&hello.model, 120);
        refuse(&mut tx, org, (&vendor, &fold, &serial), &model, why, peer, now).await?;
        tx.commit().await?;
        return Err(Error::new(Kind::Forbidden, "this device is not heard"));
    };
    let ctx = monitor_ctx(platform, unit.org, unit.id);
    let text = |text: &str, most| agents::told(text, most);
    let values = params![
        unit.org,
        unit.id,
        key,
        text(&hello.model, 120),
        rules::road_text(hello.road),
        text(&hello.firmware, 60),
        hello.mac.as_deref().map(|mac| text(mac, 40)),
        hello.listener.as_deref().map(|url| text(url, 200)),
        hello.clock_ms.saturating_sub(now.as_millis()),
        now,
        seal.map(<[u8]>::to_vec),
        newest
    ];
    let epoch: i64 = tx.query_one(&sql::HELLO, &values).await?.get(0)?;
    tx.execute(&sql::STRANGER_GONE, &params![&vendor, &fold]).await?;
    if unit.key != Some(key) {
        let what = if unit.key.is_some() { "changed its key" } else { "proved its claim" };
        audit::record(&mut tx, &ctx, Change::new(unit.org, what, "monitor", unit.id)).await?;
    }
    let data = serde_json::json!({ "road": hello.road });
    events::emit(&mut tx, &ctx, unit.org, "monitor.tested", ("monitor", unit.id.to_string()), data).await?;
    let schedule = kinds::schedule(&mut tx, unit.org, unit.id).await?;
    let mail = mail::pair(&mut tx, platform, (unit.org, unit.id), &key, hello.road).await?;
    tx.commit().await?;
    platform.known().forget(unit.id);
    Ok(HelloReply {
        version: 1,
        server_ms: now.as_millis(),
        sender: unit.id.into(),
        epoch_floor: u64::try_from(epoch).unwrap_or(1),
        schedule,
        keys: public,
        mail,
    })
}

async fn refuse(
    tx: &mut Tx,
    org: Option<OrgId>,
    (vendor, fold, serial): (&str, &str, &str),
    model: &str,
    why: &str,
    peer: &str,
    now: Micros,
) -> Result<()> {
    let org = match org {
        Some(org) => org,
        None => match tx.query_opt(&sql::ROOT, &[]).await? {
            Some(row) => row.get(0)?,
            None => return Ok(()),
        },
    };
    tx.execute(&sql::STRANGER, &params![org, vendor, fold, serial, model, why, peer, now]).await?;
    Ok(())
}

/// The key that must have signed a request of `monitor`, and that request; `None` for unknown and suspended ones.
///
/// # Errors
/// When the database refuses.
pub async fn key_of(platform: &Platform, monitor: Subject) -> Result<Option<(PublicKey, Ctx)>> {
    let found = known::look_up(platform, Name::Subject(monitor)).await?;
    Ok(found.map(|found| (found.key, monitor_ctx(platform, found.org, MonitorId::from(monitor)))))
}

/// The key of whoever sends, agent or registered device.
///
/// # Errors
/// When the database refuses.
pub async fn key_of_sender(platform: &Platform, sender: Subject) -> Result<Option<(PublicKey, Ctx)>> {
    // Agents are few and remembered; devices are many.
    let likely_agent = platform.agent_keys().lock().contains_key(&sender);
    if likely_agent && let Some(agent) = agents::key_of(platform, sender).await? {
        return Ok(Some(agent));
    }
    match key_of(platform, sender).await? {
        Some(monitor) => Ok(Some(monitor)),
        None => agents::key_of(platform, sender).await,
    }
}

/// What a report of this device is held against; `None` for unknown and suspended ones.
pub(crate) async fn standing(platform: &Platform, monitor: MonitorId) -> Result<Option<Standing>> {
    Ok(known::look_up(platform, Name::Subject(monitor.into())).await?.map(|found| found.standing))
}

/// A request of a registered device.
pub(super) fn monitor_ctx(platform: &Platform, org: OrgId, id: MonitorId) -> Ctx {
    let now = platform.now();
    Ctx {
        platform: platform.clone(),
        actor: Actor::Monitor { id },
        home: org,
        role: Role::Agent,
        scope: Scope::only(org, now),
        now,
        request: String::new(),
    }
}
