//! The communication test, and from a key on the wire to a request.

use store::{Row, Tx, View, params};
use wire::Subject;
use wire::hello::{Hello, HelloReply};

use super::known::{self, Name, Standing};
use super::mail::{self, Proof};
use super::{MonitorId, keys, kinds, rules, sql};
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
/// Lines for people.
pub(super) const UNKNOWN: &str = "not registered";
pub(super) const SUSPENDED: &str = "suspended";

/// What a device says at its communication test, by whatever road, once it is read.
pub(super) struct Told<'h> {
    pub(super) hello: &'h Hello,
    pub(super) key: [u8; 32],
    pub(super) vendor: String,
    /// Its serial number as compared.
    pub(super) fold: String,
    serial: String,
    seal: Option<&'h [u8]>,
}

impl<'h> Told<'h> {
    pub(super) fn read(hello: &'h Hello) -> Result<Self> {
        let key = hello.key.as_slice().try_into();
        let key = key.map_err(|_| Error::invalid("key", "the key is an Ed25519 public key of 32 bytes"))?;
        let vendor = rules::vendor(&hello.vendor)?;
        let (serial, fold) = rules::serial(&hello.serial)?;
        let seal = rules::seal_key(hello.seal.as_deref())?;
        Ok(Self { hello, key, vendor, fold, serial, seal })
    }

    /// Who holds that serial number.
    pub(super) async fn unit(&self, tx: &mut Tx) -> Result<Option<Unit>> {
        let row = tx.query_opt(&sql::UNIT, &params![&self.vendor, &self.fold]).await?;
        row.as_ref().map(Unit::read).transpose()
    }

    /// A line for people, in the organisation that holds the serial number, or the one above all.
    pub(super) async fn refuse(
        &self,
        tx: &mut Tx,
        unit: Option<&Unit>,
        why: &str,
        peer: &str,
        now: Micros,
    ) -> Result<()> {
        let org: OrgId = match unit {
            Some(unit) => unit.org,
            None => match tx.query_opt(&sql::ROOT, &[]).await? {
                Some(row) => row.get(0)?,
                None => return Ok(()),
            },
        };
        let model = agents::told(&self.hello.model, 120);
        let values = params![org, &self.vendor, &self.fold, &self.serial, model, why, peer, now];
        tx.execute(&sql::STRANGER, &values).await?;
        Ok(())
    }
}

/// The holder of a serial number and what is known of the device.
pub(super) struct Unit {
    org: OrgId,
    pub(super) id: MonitorId,
    state: String,
    key: Option<[u8; 32]>,
    claim_hash: Option<String>,
    claim_until: Option<Micros>,
    /// Its epoch, as far as the server has seen.
    pub(super) epoch: i64,
    /// The hash of the code in the document by which it was last tested by mail.
    pub(super) document: Option<String>,
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
            epoch: row.get(6)?,
            document: row.get(7)?,
        })
    }

    /// Whether this is the key that it proved before.
    pub(super) fn knows(&self, key: &[u8; 32]) -> bool {
        self.key.as_ref() == Some(key)
    }

    /// Why it is not heard; `None`: it is.
    pub(super) fn fault(&self, told: &Told<'_>, now: Micros) -> Option<&'static str> {
        if self.state == "suspended" {
            return Some(SUSPENDED);
        }
        if self.knows(&told.key) {
            return None;
        }
        let claim = told.hello.claim.as_deref().map(|claim| hash_of(claim.trim()));
        match (&claim, &self.claim_hash) {
            (Some(given), Some(known)) if given == known && self.claim_until.is_some_and(|until| now < until) => None,
            (None, _) if self.key.is_some() => Some("wrong key"),
            _ => Some("wrong claim"),
        }
    }
}

/// What is different from road to road.
pub(super) struct Way {
    /// The epoch that the device said; 0: it is given the next.
    pub(super) epoch: i64,
    /// The newest key of the gateway that it surely knows.
    pub(super) key_told: i64,
    /// The hash of the code in the document that it was tested by.
    pub(super) document: Option<String>,
}

/// The communication test by HTTPS. The door has checked that the request is signed with the key that it carries.
///
/// # Errors
/// `Forbidden` for every cause alike (unknown serial, wrong claim, another key, suspended), with a line for people in the
/// list of strangers; `Invalid` for fields that do not fit.
pub async fn hello(platform: &Platform, hello: &Hello, peer: &str) -> Result<HelloReply> {
    let told = Told::read(hello)?;
    let public = keys::ring(platform).await?.public();
    let key_told = public.iter().map(|key| i64::from(key.id)).max().unwrap_or(0);
    let now = platform.now();
    let mut tx = platform.db().write(&View::All(REASON)).await?;
    let unit = told.unit(&mut tx).await?;
    let fault = unit.as_ref().map_or(Some(UNKNOWN), |unit| unit.fault(&told, now));
    let (Some(unit), None) = (&unit, fault) else {
        told.refuse(&mut tx, unit.as_ref(), fault.unwrap_or(UNKNOWN), peer, now).await?;
        tx.commit().await?;
        return Err(Error::new(Kind::Forbidden, "this device is not heard"));
    };
    let epoch = effect(&mut tx, platform, unit, &told, &Way { epoch: 0, key_told, document: None }).await?;
    let schedule = kinds::schedule(&mut tx, unit.org, unit.id).await?;
    let mail = mail::pair(&mut tx, platform, (unit.org, unit.id), hello.road, Proof::Key(&told.key)).await?;
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

/// The device is active from here on, on the road that it told; its epoch is returned.
pub(super) async fn effect(tx: &mut Tx, platform: &Platform, unit: &Unit, told: &Told<'_>, way: &Way) -> Result<i64> {
    let (hello, now) = (told.hello, platform.now());
    let ctx = monitor_ctx(platform, unit.org, unit.id);
    let text = |text: &str, most| agents::told(text, most);
    let values = params![
        unit.org,
        unit.id,
        told.key,
        text(&hello.model, 120),
        rules::road_text(hello.road),
        text(&hello.firmware, 60),
        hello.mac.as_deref().map(|mac| text(mac, 40)),
        hello.listener.as_deref().map(|url| text(url, 200)),
        hello.clock_ms.saturating_sub(now.as_millis()),
        now,
        told.seal.map(<[u8]>::to_vec),
        way.key_told,
        way.epoch
    ];
    let epoch: i64 = tx.query_one(&sql::HELLO, &values).await?.get(0)?;
    tx.execute(&sql::TESTED_BY, &params![unit.org, unit.id, way.document.clone()]).await?;
    tx.execute(&sql::STRANGER_GONE, &params![&told.vendor, &told.fold]).await?;
    if !unit.knows(&told.key) {
        let what = if unit.key.is_some() { "changed its key" } else { "proved its claim" };
        audit::record(tx, &ctx, Change::new(unit.org, what, "monitor", unit.id)).await?;
    }
    let data = serde_json::json!({ "road": hello.road });
    events::emit(tx, &ctx, unit.org, "monitor.tested", ("monitor", unit.id.to_string()), data).await?;
    Ok(epoch)
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
