//! One look at one device: the cheap one, what it leads to, and the meters.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use device::{Access, ReadError, Vitals};
use snmp::Engine;
use tokio::sync::watch;
use wire::{AgentPlan, Subject};

use super::{
    fleet::{Fleet, Tracked},
    identity::is_same,
    intake::{Intake, Taken, hash_of},
    seen::Seen,
    slots::{Look, hash64},
};
use crate::{
    clock::wall_ms,
    discovery::exclusion::Forbidden,
    error::Result,
    stats::{AgentStats, count},
    uplink::short,
};

/// Longest time for one device, a full reading apart.
const LOOK_TIME: Duration = Duration::from_secs(5);
/// Longest time for a full reading.
pub(crate) const FULL_TIME: Duration = Duration::from_secs(20);

/// Changes that only a counter shows are followed up once in so many status periods.
const SLOW_CHANGES: i64 = 5;
/// Readings in a row that a device left incomplete before it is given the same time.
const EAGER: u8 = 3;

/// What a cheap look leads to; each with the hash of that look.
enum Next {
    /// Read all of it.
    Full(u64),
    /// Read its condition.
    Condition(u64),
    /// It is as it was.
    Nothing,
}

/// What came of a reading that somebody ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Now {
    /// It was read, and what it says is in the outbox.
    Told,
    /// Somebody reads it at this moment.
    Busy,
    /// It does not answer; for people.
    Silent(String),
    /// Another device answers at its address.
    Another,
    /// It is not known, or has no address now.
    Nowhere,
    /// The plan says never to ask it.
    Forbidden,
}

/// What looks need; shared by all of them.
#[derive(Debug)]
pub(crate) struct Looker {
    pub(crate) engine: Engine,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) seen: Arc<Seen>,
    pub(crate) forbidden: Arc<Forbidden>,
    pub(crate) plan: watch::Receiver<AgentPlan>,
    pub(crate) stats: Arc<AgentStats>,
    /// When the agent began, milliseconds since 1970.
    pub(crate) began_ms: i64,
}

impl Looker {
    /// Looks at a device, unless someone does already. Returns another device that was met at its address.
    pub(crate) async fn look(&self, subject: Subject, look: Look) -> Option<Subject> {
        let (device, address) = self.fleet.begin(subject)?;
        if self.forbidden.is(address, device.row.mac.as_deref()) {
            self.fleet.end(subject);
            return None;
        }
        let outcome = match look {
            Look::Status => self.status(&device, address).await,
            Look::Meters => self.meters(&device, address).await,
        };
        self.fleet.end(subject);
        if let Err(e) = outcome {
            tracing::error!(error = %e, device.id = short(subject), "a reading could not be kept");
        }
        let standing = self.fleet.name_at(address)?;
        (standing != subject).then_some(standing)
    }

    /// Whether the plan lets a device be asked where it stands.
    pub(crate) fn may_ask(&self, subject: Subject) -> bool {
        let device = self.fleet.get(subject);
        let place = device.as_ref().and_then(|device| Some((device.row.address?, device.row.mac.as_deref())));
        place.is_some_and(|(address, mac)| !self.forbidden.is(address, mac))
    }

    /// A device called: reads its condition at once and tells it, whatever was told before. Returns another device that
    /// was met at its address; `None` when someone looks at it already, or it has no address.
    pub(crate) async fn called(&self, subject: Subject) -> Option<Option<Subject>> {
        let (device, address) = self.fleet.begin(subject)?;
        self.fleet.forget_status(subject);
        let outcome = self.condition(&device, address).await;
        self.fleet.end(subject);
        if let Err(e) = outcome {
            tracing::error!(error = %e, device.id = short(subject), "a reading could not be kept");
        }
        let standing = self.fleet.name_at(address);
        Some(standing.filter(|standing| *standing != subject))
    }

    /// Reads a device in full and tells what it says, whatever was told before.
    pub(crate) async fn read_now(&self, subject: Subject) -> Now {
        let Some((device, address)) = self.fleet.begin(subject) else {
            let is_placed = self.fleet.get(subject).is_some_and(|device| device.row.address.is_some());
            return if is_placed { Now::Busy } else { Now::Nowhere };
        };
        if self.forbidden.is(address, device.row.mac.as_deref()) {
            self.fleet.end(subject);
            return Now::Forbidden;
        }
        self.fleet.forget_told(subject);
        let outcome = self.full(&device, address, device.row.vitals_hash).await;
        self.fleet.end(subject);
        match outcome {
            Ok(None) if self.fleet.name_at(address) == Some(subject) => {
                self.fleet.answered(subject);
                Now::Told
            }
            Ok(None) => Now::Another,
            Ok(Some(silence)) => Now::Silent(silence.to_string()),
            Err(e) => {
                tracing::error!(error = %e, device.id = short(subject), "a reading could not be kept");
                Now::Silent(e.to_string())
            }
        }
    }

    async fn condition(&self, device: &Tracked, address: SocketAddr) -> Result<()> {
        let subject = device.row.subject;
        let access = self.access(address, LOOK_TIME);
        match device::vitals(&self.engine, &access, &device.row.known).await {
            Ok(vitals) => {
                self.fleet.answered(subject);
                let hash = urgent_hash(&vitals);
                self.fleet.set_vitals(subject, &vitals);
                self.changed(device, &access, hash).await
            }
            Err(e) => {
                self.silent(subject, &e);
                Ok(())
            }
        }
    }

    /// How to reach a device under the present plan.
    pub(crate) fn access(&self, address: SocketAddr, timeout: Duration) -> Access {
        Access { credentials: self.plan.borrow().credentials.clone(), timeout, ..Access::new(address) }
    }

    async fn status(&self, device: &Tracked, address: SocketAddr) -> Result<()> {
        let subject = device.row.subject;
        count(&self.stats.polls);
        let access = self.access(address, LOOK_TIME);
        let vitals = match device::vitals(&self.engine, &access, &device.row.known).await {
            Ok(vitals) => vitals,
            Err(e) => {
                self.silent(subject, &e);
                return Ok(());
            }
        };
        if self.fleet.answered(subject) {
            tracing::info!(device.id = short(subject), "a device answers again");
        }
        let next = self.judge(device, &vitals);
        match next {
            Next::Full(hash) => self.full(device, address, hash).await.map(drop),
            Next::Condition(hash) => self.changed(device, &access, hash).await,
            Next::Nothing => {
                self.seen.answered(subject);
                Ok(())
            }
        }
    }

    /// What a cheap look leads to, seen beside the one before.
    fn judge(&self, device: &Tracked, vitals: &Vitals) -> Next {
        let hash = urgent_hash(vitals);
        if self.full_is_due(device) {
            return Next::Full(hash);
        }
        let before = self.fleet.set_vitals(device.row.subject, vitals);
        let restarted = before.as_ref().is_some_and(|before| vitals.restarted_since(before));
        if hash != device.row.vitals_hash || restarted {
            return Next::Condition(hash);
        }
        // A page more moves levels only a little, and some devices never tell that anything moved.
        let slowly = !vitals.tells_changes() || before.is_some_and(|before| before.life_count != vitals.life_count);
        let patience = i64::from(self.plan.borrow().status_s) * 1_000 * SLOW_CHANGES;
        let read_ms = match device.condition_ms {
            // Not since the agent began: whoever begins does not read all devices at once.
            0 => self.began_ms - (hash64(device.row.subject, Look::Status) % patience.max(1).unsigned_abs()) as i64,
            at => at,
        };
        let has_rested = wall_ms() - read_ms >= patience;
        // What was left unanswered may stand or be over: nobody knows until it is read.
        let is_partial = device.partial > 0 && (device.partial <= EAGER || has_rested);
        if is_partial || (slowly || device.moved_slowly) && has_rested {
            return Next::Condition(hash);
        }
        if slowly {
            self.fleet.set_moved_slowly(device.row.subject);
        }
        Next::Nothing
    }

    /// Something in the cheap look was new: read the condition as a whole.
    async fn changed(&self, device: &Tracked, access: &Access, vitals_hash: u64) -> Result<()> {
        let taken_ms = wall_ms();
        match device::read_status(&self.engine, access, &device.row.known).await {
            // Another unit stands here now: that is a matter of more than its condition.
            Ok(read) if !is_same(&device.row, &read.body.identity) => {
                return self.full(device, access.address, vitals_hash).await.map(drop);
            }
            Ok(read) => {
                if !self.intake.status(device, read, vitals_hash, taken_ms).await? {
                    self.seen.answered(device.row.subject);
                }
            }
            Err(e) => self.silent(device.row.subject, &e),
        }
        Ok(())
    }

    /// Reads everything: also finds out when another device stands at this address now. Returns why it did not answer.
    async fn full(&self, device: &Tracked, address: SocketAddr, vitals_hash: u64) -> Result<Option<ReadError>> {
        count(&self.stats.full_reads);
        let (subject, taken_ms) = (device.row.subject, wall_ms());
        let access = self.access(address, FULL_TIME);
        let read = match device::reread(&self.engine, &access, &device.row.known).await {
            Ok(read) => read,
            Err(e) => {
                self.silent(subject, &e);
                return Ok(Some(e));
            }
        };
        match self.intake.full(address, &read, taken_ms, false).await? {
            Taken::Known(same) | Taken::New(same) if same == subject => {
                self.fleet.followed_up(subject, vitals_hash, &read.reading.quirks);
                self.seen.answered(subject);
            }
            Taken::Elsewhere(other, elsewhere) => {
                // Known from another address, and here now: it moved, unless it still answers there too.
                if !self.stands_at(elsewhere, other).await {
                    self.intake.full(address, &read, taken_ms, true).await?;
                    self.seen.unreachable(subject);
                }
            }
            Taken::Known(_) | Taken::New(_) => self.seen.unreachable(subject),
            Taken::Contested => {}
        }
        Ok(None)
    }

    /// Whether the device called `subject` answers at `address` now. Costs one full reading, and only when two
    /// addresses claim one device.
    pub(crate) async fn stands_at(&self, address: SocketAddr, subject: Subject) -> bool {
        let Some(device) = self.fleet.get(subject) else { return false };
        if self.forbidden.is(address, device.row.mac.as_deref()) {
            return false;
        }
        let access = self.access(address, LOOK_TIME);
        match device::reread(&self.engine, &access, &device.row.known).await {
            Ok(read) => is_same(&device.row, &read.reading.identity),
            Err(_) => false,
        }
    }

    async fn meters(&self, device: &Tracked, address: SocketAddr) -> Result<()> {
        if device.failures > 0 {
            // The status look finds out when it is back; nobody asks a silent device twice.
            return Ok(());
        }
        count(&self.stats.meter_reads);
        let taken_ms = wall_ms();
        let access = self.access(address, LOOK_TIME);
        match device::read_meters(&self.engine, &access, &device.row.known).await {
            Ok(meters) => {
                if !self.intake.meters(device, &meters, taken_ms).await? {
                    self.seen.answered(device.row.subject);
                }
            }
            Err(e) => self.silent(device.row.subject, &e),
        }
        Ok(())
    }

    fn silent(&self, subject: Subject, error: &ReadError) {
        count(&self.stats.failed_polls);
        tracing::debug!(error = %error, device.id = short(subject), "a device did not answer");
        if self.fleet.failed(subject) {
            self.seen.unreachable(subject);
        }
    }

    /// Full readings have a slot of their own in their period, so that devices that were met together part again.
    fn full_is_due(&self, device: &Tracked) -> bool {
        let period = i64::from(self.plan.borrow().full_s.max(60)) * 1_000;
        let slot = i64::try_from(hash64(device.row.subject, Look::Meters) % period.unsigned_abs()).unwrap_or(0);
        let turn = |at: i64| (at - slot).div_euclid(period);
        turn(wall_ms()) != turn(device.row.full_ms)
    }
}

/// Hash of what must be followed up at once: alerts, errors, settings. Never 0, which means "nothing yet".
pub(crate) fn urgent_hash(vitals: &Vitals) -> u64 {
    let urgent = (vitals.config_changes, vitals.alert_events, &vitals.error_state);
    hash_of(&serde_json::to_vec(&urgent).unwrap_or_default())
}
