//! What a reading means: which device it is, what of it is new, and one transaction that keeps device and messages
//! together. Nothing is held to be reported before it is committed.

use std::{net::SocketAddr, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use device::StatusRead;
use wire::{
    Body, ColorMode, Function, Identity, Meter, PaperSize, Reading, Subject, cbor,
    report::{CountersBody, StatusBody, is_whole, tells_alerts},
};

use super::{
    fleet::{Fleet, Tracked},
    identity::{is_same, key_of, name_for, stronger_key},
    telling::{self, News},
};
use crate::{
    error::Result,
    state::{
        devices::DeviceRow,
        outbox::{Draft, Outbox},
    },
    stats::{AgentStats, count},
    uplink::short,
};

/// Meters that did not change are told again after this time, so that the server can tell "unchanged" from "unread".
const REPEAT_METERS_MS: i64 = 12 * 3_600_000;

/// Takes readings in; shared.
#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) agent: Subject,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) outbox: Outbox,
    pub(crate) stats: Arc<AgentStats>,
}

/// What came of a full reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Met for the first time.
    New(Subject),
    /// Known, and at this address as before.
    Known(Subject),
    /// Known from another address: whether it moved or has two must be found out first.
    Elsewhere(Subject, SocketAddr),
    /// Someone else takes the same device in at this moment, from another address.
    Contested,
}

impl Intake {
    /// A full reading from `address`. `moved` says that a device known elsewhere is no longer there.
    pub(crate) async fn full(
        &self,
        address: SocketAddr,
        read: &device::Read,
        taken_ms: i64,
        moved: bool,
    ) -> Result<Taken> {
        let key = key_of(&read.reading.identity, address);
        if !self.fleet.claim(&key) {
            return Ok(Taken::Contested);
        }
        let taken = self.full_claimed(address, read, taken_ms, moved, &key).await;
        self.fleet.release(&key);
        taken
    }

    async fn full_claimed(
        &self,
        address: SocketAddr,
        read: &device::Read,
        taken_ms: i64,
        moved: bool,
        key: &str,
    ) -> Result<Taken> {
        let identity = &read.reading.identity;
        let here = self.fleet.at(address).filter(|device| is_same(&device.row, identity));
        let (before, taken) = match (self.fleet.by_key(key), here) {
            // Known by its key; if it stands elsewhere, the caller must say that it moved.
            (Some(known), _) => match known.row.address {
                Some(elsewhere) if elsewhere != address && !moved => {
                    return Ok(Taken::Elsewhere(known.row.subject, elsewhere));
                }
                _ => (Some(known.clone()), Taken::Known(known.row.subject)),
            },
            (None, Some(here)) => (Some(here.clone()), Taken::Known(here.row.subject)),
            (None, None) => (None, Taken::New(self.new_name(key))),
        };
        let (Taken::New(subject) | Taken::Known(subject)) = taken else { return Ok(taken) };
        if let Some(before) = &before
            && before.row.address != Some(address)
        {
            count(&self.stats.moved);
            tracing::info!(device.id = short(subject), "a device was found at a new address");
        }
        self.write(subject, address, read, taken_ms, key, before).await?;
        Ok(taken)
    }

    fn new_name(&self, key: &str) -> Subject {
        let mut names = (0..).map(|round| name_for(self.agent, key, round));
        names.find(|name| self.fleet.get(*name).is_none()).unwrap_or(Subject([0; 16]))
    }

    async fn write(
        &self,
        subject: Subject,
        address: SocketAddr,
        read: &device::Read,
        taken_ms: i64,
        key: &str,
        before: Option<Tracked>,
    ) -> Result<()> {
        let Identity { vendor, model, serial, mac, .. } = read.reading.identity.clone();
        let before = before.map(|device| device.row);
        let old = before.as_ref();
        let mut row = DeviceRow {
            subject,
            key: old.map_or_else(|| key.to_owned(), |old| stronger_key(&old.key, key.to_owned())),
            vendor: vendor.or_else(|| old?.vendor.clone()),
            model: model.or_else(|| old?.model.clone()),
            serial: serial.or_else(|| old?.serial.clone()),
            mac: mac.or_else(|| old?.mac.clone()),
            address: Some(address),
            known: Arc::new(read.known.clone()),
            vitals_hash: old.map_or(0, |old| old.vitals_hash),
            status_hash: old.map_or(0, |old| old.status_hash),
            meters_hash: old.map_or(0, |old| old.meters_hash),
            full_ms: taken_ms,
            meters_ms: old.map_or(0, |old| old.meters_ms),
        };
        let mut drafts = Vec::new();
        self.add_status(&mut row, status_of(&read.reading), taken_ms, &mut drafts);
        add_meters(&mut row, &read.reading.meters, taken_ms, &mut drafts);
        let reading = &read.reading;
        let news = News {
            alerts: &reading.alerts,
            partial: !tells_alerts(&reading.quirks),
            total: total_of(&reading.meters),
            firmware: Some(&reading.identity.firmware),
            card: old.map(|old| telling::other_card(old.mac.as_deref(), reading.identity.mac.as_deref())),
        };
        self.keep(row, drafts, Some((&reading.identity, news)), taken_ms).await
    }

    /// A reading of the condition alone.
    pub(crate) async fn status(
        &self,
        device: &Tracked,
        read: StatusRead,
        vitals_hash: u64,
        taken_ms: i64,
    ) -> Result<bool> {
        let Some(mut row) = self.still(device) else { return Ok(false) };
        let subject = row.subject;
        let (quirks, alerts) = (read.body.quirks.clone(), read.body.alerts.clone());
        let identity = read.body.identity.clone();
        // What a device left unanswered is asked again, after a restart of the agent, too.
        row.vitals_hash = if is_whole(&quirks) { vitals_hash } else { 0 };
        row.known = Arc::new(read.known);
        let mut drafts = Vec::new();
        self.add_status(&mut row, read.body, taken_ms, &mut drafts);
        let is_new = !drafts.is_empty();
        if is_new {
            let total = self.fleet.life_count(subject);
            // Only a full reading says that all is as it was.
            let card = telling::other_card(device.row.mac.as_deref(), identity.mac.as_deref()).map(Some);
            let firmware = Some(identity.firmware.as_slice());
            let news = News { alerts: &alerts, partial: !tells_alerts(&quirks), total, firmware, card };
            self.keep(row, drafts, Some((&identity, news)), taken_ms).await?;
        }
        self.fleet.followed_up(subject, vitals_hash, &quirks);
        Ok(is_new)
    }

    /// A reading of the meters alone.
    pub(crate) async fn meters(&self, device: &Tracked, meters: &[Meter], taken_ms: i64) -> Result<bool> {
        let Some(mut row) = self.still(device) else { return Ok(false) };
        let mut drafts = Vec::new();
        add_meters(&mut row, meters, taken_ms, &mut drafts);
        if drafts.is_empty() {
            return Ok(false);
        }
        self.keep(row, drafts, None, taken_ms).await?;
        Ok(true)
    }

    /// The device as it is remembered now, if it still stands where it was asked.
    fn still(&self, device: &Tracked) -> Option<DeviceRow> {
        let now = self.fleet.get(device.row.subject)?.row;
        (now.address == device.row.address).then_some(now)
    }

    /// Adds a status message when it says something new. Under hard pressure it does not: the hash stays as it was,
    /// so that the next look after the server's return tells it.
    fn add_status(&self, row: &mut DeviceRow, status: StatusBody, taken_ms: i64, drafts: &mut Vec<Draft>) {
        let hash = hash_of(&cbor::encode(&status));
        if hash == row.status_hash || (self.outbox.pressure.is_hard() && row.status_hash != 0) {
            return;
        }
        row.status_hash = hash;
        drafts.push(Draft { taken_ms, subject: Some(row.subject), body: Body::Status(Box::new(status)) });
    }

    /// One transaction: the device as it is known now, and what is told of it.
    async fn keep(
        &self,
        row: DeviceRow,
        mut drafts: Vec<Draft>,
        news: Option<(&Identity, News<'_>)>,
        taken_ms: i64,
    ) -> Result<()> {
        let mut tx = self.outbox.state.write().await?;
        if let Some(address) = row.address
            && self.fleet.name_at(address).is_some_and(|standing| standing != row.subject)
            && let Some(before) = self.fleet.at(address)
        {
            // Another device stood here: it is somewhere else now, or gone. The next discovery will tell.
            let gone = before.row.subject;
            DeviceRow { address: None, ..before.row }.keep(&mut tx).await?;
            if let Some((identity, _)) = &news {
                telling::displaced(&mut tx, gone, identity, taken_ms, &mut drafts).await?;
            }
        }
        if let Some((_, news)) = &news {
            telling::tell(&mut tx, row.subject, news, taken_ms, &mut drafts).await?;
        }
        row.keep(&mut tx).await?;
        let put = self.outbox.put(&mut tx, drafts).await?;
        tx.commit().await?;
        self.fleet.keep(row);
        self.outbox.committed(put);
        Ok(())
    }
}

/// Adds the meters when they changed, or once a day.
fn add_meters(row: &mut DeviceRow, meters: &[Meter], taken_ms: i64, drafts: &mut Vec<Draft>) {
    if meters.is_empty() {
        return;
    }
    let body = CountersBody { meters: meters.to_vec() };
    let hash = hash_of(&cbor::encode(&body));
    if hash == row.meters_hash && taken_ms - row.meters_ms < REPEAT_METERS_MS {
        return;
    }
    row.meters_hash = hash;
    row.meters_ms = taken_ms;
    drafts.push(Draft { taken_ms, subject: Some(row.subject), body: Body::Counters(body) });
}

/// The total of a device, impressions of all kinds.
fn total_of(meters: &[Meter]) -> Option<u64> {
    let is_total =
        |meter: &&Meter| (meter.function, meter.color, meter.size) == (Function::Total, ColorMode::All, PaperSize::All);
    meters.iter().find(is_total).map(|meter| meter.value)
}

/// The status part of a full reading.
pub(crate) fn status_of(reading: &Reading) -> StatusBody {
    StatusBody {
        address: reading.address.clone(),
        port: reading.port,
        snmp: reading.snmp,
        identity: reading.identity.clone(),
        status: reading.status.clone(),
        supplies: reading.supplies.clone(),
        inputs: reading.inputs.clone(),
        outputs: reading.outputs.clone(),
        covers: reading.covers.clone(),
        alerts: reading.alerts.clone(),
        quirks: reading.quirks.clone(),
    }
}

/// 64 bits of SHA-256; never 0, which means "nothing yet".
pub(crate) fn hash_of(bytes: &[u8]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&digest(&SHA256, bytes).as_ref()[..8]);
    u64::from_be_bytes(first).max(1)
}
