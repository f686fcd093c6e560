//! What messages do: to devices, supplies, alerts, meters and what is kept of each. One working set a transaction, over one
//! report of an agent or over one report each of many devices.

use std::collections::HashMap;

use store::Tx;
use wire::{Body, Message, Outcome};

use super::rules::{corrected, is_ahead};
use super::service::seed;
use crate::alerts::{Board, intake as alerts};
use crate::devices::intake::Fleet;
use crate::devices::known::Told;
use crate::devices::meeting::Met;
use crate::devices::{Comm, DeviceId, SILENT};
use crate::diagnostics::intake::Said;
use crate::diagnostics::rules::told as kind_of;
use crate::error::Result;
use crate::meters::intake::Book;
use crate::supplies::intake::{self as supplies, Shelf};
use crate::{Actor, AgentId, Ctx};

/// The working set of one report.
pub(super) struct Intake {
    fleet: Fleet,
    said: Said,
    shelf: Shelf,
    board: Board,
    book: Book,
    told: HashMap<Key, (Told, Met)>,
    /// What the clock of the agent lacks, ms; devices that speak of themselves have their own.
    offset_ms: i64,
    /// Events up to these places come from these senders.
    spoken: Vec<(usize, AgentId)>,
}

/// What tells a message from all others of one transaction.
type Key = (Option<wire::Subject>, u64);

fn key(message: &Message) -> Key {
    (message.subject, message.seq)
}

impl Intake {
    pub(super) async fn load(
        ctx: &Ctx,
        tx: &mut Tx,
        (mut fleet, mut said): (Fleet, Said),
        fresh: &[&Message],
        offset_ms: i64,
    ) -> Result<Self> {
        let (tenant, now) = (ctx.home, ctx.now);
        let unreachable = fresh.iter().flat_map(|message| match &message.body {
            Body::Seen(seen) => seen.unreachable.as_slice(),
            _ => &[],
        });
        let unreachable: Vec<_> = unreachable.copied().collect();
        fleet.load_subjects(tx, &unreachable).await?;
        let mut told = Vec::new();
        for message in fresh {
            if let (Body::Status(body), Some(subject)) = (&message.body, message.subject) {
                told.push((key(message), subject, Told::of(body, fleet.agent_of(subject))));
            }
        }
        let claims: Vec<_> = told.iter().map(|(_, subject, told)| (*subject, told)).collect();
        fleet.load_claims(tx, &claims).await?;
        let mut met = HashMap::new();
        for (key, subject, told) in told {
            fleet.listen_to(Some(subject));
            let at = fleet.now.0;
            let found = fleet.meet(subject, &told, at, || DeviceId::new(ctx.ids()));
            met.insert(key, (told, found));
        }
        name_newcomers(ctx, tx, &mut fleet, fresh, &met).await?;
        let again = load_heard_again(&mut fleet, tx, fresh).await?;
        let sets = Changing::of(&fleet, fresh, &met, again);
        let oldest = moments(&fleet, fresh, offset_ms).into_iter().min().unwrap_or(now.0);
        let shelf = Shelf::load(tx, tenant, &sets.supplies, now).await?;
        let board = Board::load(tx, &ctx.platform, tenant, &sets.alerts, oldest).await?;
        let book = Book::load(tx, tenant, &sets.meters, now, seed(ctx)).await?;
        said.recall(tx, &fleet, fresh).await?;
        Ok(Self { fleet, said, shelf, board, book, told: met, offset_ms, spoken: Vec::new() })
    }

    /// Takes the messages in their order. What is refused after all is returned by number.
    pub(super) fn take(&mut self, fresh: &[&Message]) -> Result<HashMap<Key, (Outcome, String)>> {
        let mut refused = HashMap::new();
        let moments = moments(&self.fleet, fresh, self.offset_ms);
        for (message, when) in fresh.iter().zip(moments) {
            self.fleet.listen_to(message.subject);
            match &message.body {
                Body::Status(body) => match self.told.remove(&key(message)) {
                    Some((told, Met::Device(at))) => self.status((at, message.subject), body, Some(&told), when)?,
                    Some((_, Met::Rival(at))) => self.status((at, message.subject), body, None, when)?,
                    _ => {
                        refused.insert(key(message), (Outcome::Refused, "the device was retired".to_owned()));
                    }
                },
                Body::Counters(body) => match message.subject.and_then(|subject| self.fleet.of(subject)) {
                    Some(at) if self.fleet.get(at).lifecycle != "retired" => {
                        let offset_ms = self.offset(message);
                        self.book.take(&mut self.fleet, at, body, when, offset_ms);
                        self.hear(at, message.subject, when);
                    }
                    Some(_) => {
                        refused.insert(key(message), (Outcome::Refused, "the device was retired".to_owned()));
                    }
                    None => {
                        let why = "no status of this device came before its counters";
                        refused.insert(key(message), (Outcome::Invalid, why.to_owned()));
                    }
                },
                Body::Trap(body) => match message.subject.and_then(|subject| self.fleet.of(subject)) {
                    Some(at) if self.fleet.get(at).lifecycle != "retired" => {
                        self.board.take_trap(&mut self.fleet, at, body, when);
                        self.hear(at, message.subject, when);
                    }
                    Some(_) => {
                        refused.insert(key(message), (Outcome::Refused, "the device was retired".to_owned()));
                    }
                    None => {
                        let why = "no status of this device came before its trap";
                        refused.insert(key(message), (Outcome::Invalid, why.to_owned()));
                    }
                },
                Body::Seen(body) => self.seen(body, when),
                body if kind_of(body).is_some() => {
                    if let Err(answer) = self.told(message, when)? {
                        refused.insert(key(message), answer);
                    }
                }
                // What concerns no device's present condition stays in the log, from where others take it.
                _ => {}
            }
            self.spoken.push((self.fleet.events.len(), self.fleet.agent));
        }
        Ok(refused)
    }

    /// Takes a message of the seed's kinds; or says why not.
    fn told(&mut self, message: &Message, when: i64) -> Result<std::result::Result<(), (Outcome, String)>> {
        let Some(at) = message.subject.and_then(|subject| self.fleet.of(subject)) else {
            return Ok(Err((Outcome::Invalid, "no status of this device came before".to_owned())));
        };
        if self.fleet.get(at).lifecycle == "retired" {
            return Ok(Err((Outcome::Refused, "the device was retired".to_owned())));
        }
        if let Some(meters) = self.said.take((&mut self.fleet, &mut self.board), at, message, when)? {
            let offset_ms = self.offset(message);
            self.book.take(&mut self.fleet, at, &meters, when, offset_ms);
        }
        self.hear(at, message.subject, when);
        Ok(Ok(()))
    }

    /// `told`: who it says to be; `None` where that is not taken from this source.
    fn status(
        &mut self,
        (at, subject): (usize, Option<wire::Subject>),
        body: &wire::report::StatusBody,
        told: Option<&Told>,
        when: i64,
    ) -> Result<()> {
        // One that comes late is in the log; what is newer stands.
        if when >= self.fleet.get(at).status_at {
            if let Some(told) = told {
                self.fleet.take_identity(at, body, told, when);
            }
            self.fleet.take_parts(at, body, when)?;
            self.shelf.take(&mut self.fleet, at, body, when);
            self.fleet.take_status(at, body, when);
            self.board.take(&mut self.fleet, at, body, when);
            let device = self.fleet.get_mut(at);
            if device.judge() {
                device.status_dirty = true;
            }
        }
        self.hear(at, subject, when);
        Ok(())
    }

    fn offset(&self, message: &Message) -> i64 {
        self.fleet.source(message.subject).map_or(self.offset_ms, |source| source.offset_ms)
    }

    fn hear(&mut self, at: usize, subject: Option<wire::Subject>, when: i64) {
        // What a device delivers of itself, however old, says that it lives now.
        let itself = self.fleet.source(subject).is_some();
        let when = if itself { self.fleet.now.0 } else { when.min(self.fleet.now.0) };
        let recent = self.fleet.now.0 - when < SILENT;
        self.fleet.hear(at, subject, when, recent);
        if recent {
            self.board.clear_made(&mut self.fleet, at, "platen-silent", when);
        }
    }

    fn seen(&mut self, body: &wire::report::SeenBody, when: i64) {
        let when = when.min(self.fleet.now.0);
        self.fleet.hear_subjects(&body.answered, when);
        for subject in &body.answered {
            if let Some(at) = self.fleet.of(*subject) {
                self.hear(at, Some(*subject), when);
            }
        }
        for subject in &body.unreachable {
            let living = self.fleet.of(*subject).filter(|at| self.fleet.get(*at).lifecycle != "retired");
            if let Some(at) = living.filter(|_| self.fleet.now.0 - when < SILENT) {
                self.fleet.set_comm(at, Comm::Unreachable, when);
            }
        }
    }

    /// Full sets of counters that were kept, by their message; and whose they are.
    pub(super) fn kept(&self) -> HashMap<(Option<wire::Subject>, u64), DeviceId> {
        self.said.kept.clone()
    }

    pub(super) async fn flush(mut self, ctx: &Ctx, tx: &mut Tx) -> Result<()> {
        self.fleet.flush(tx).await?;
        self.shelf.flush(tx).await?;
        self.board.flush(tx).await?;
        self.said.flush(tx).await?;
        let flushed = self.book.flush(tx).await?;
        crate::doubts::take(ctx, tx, ctx.home, std::mem::take(&mut self.fleet.doubts), flushed).await?;
        crate::doubts::away(ctx, tx, ctx.home, &self.fleet.away).await?;
        let notices = std::mem::take(&mut self.fleet.events);
        if !self.fleet.speaks_of_itself() {
            return crate::events::emit_all(tx, ctx, ctx.home, &notices).await;
        }
        // Each device tells its own; what follows from all of them is told by the last.
        let last = self.spoken.len().saturating_sub(1);
        let (mut from, mut told) = (0, Vec::with_capacity(self.spoken.len()));
        for (place, (to, sender)) in self.spoken.iter().enumerate() {
            let to = if place == last { notices.len() } else { *to };
            told.push((Actor::Monitor { id: crate::MonitorId(sender.0) }, &notices[from..to]));
            from = to;
        }
        crate::events::emit_each(tx, ctx, ctx.home, &told).await
    }
}

/// When each message was, by our clock. One that seems to be of the future was taken before its sender's clock was set
/// back: it was before what the same subject told next, and not after now.
fn moments(fleet: &Fleet, fresh: &[&Message], offset_ms: i64) -> Vec<i64> {
    let mut next: HashMap<Option<wire::Subject>, i64> = HashMap::new();
    let mut all: Vec<i64> = Vec::with_capacity(fresh.len());
    for message in fresh.iter().rev() {
        let now = fleet.source(message.subject).map_or(fleet.now.0, |source| source.at.0);
        let mut at = moment(fleet, message, offset_ms);
        if is_ahead(at, now) {
            at = next.get(&message.subject).map_or(now, |next| now.min(next - 1_000));
        }
        next.insert(message.subject, at);
        all.push(at);
    }
    all.reverse();
    all
}

/// When it was, by our clock.
fn moment(fleet: &Fleet, message: &Message, offset_ms: i64) -> i64 {
    match fleet.source(message.subject) {
        Some(source) => corrected(message.taken_ms, source.offset_ms, source.at.0),
        None => corrected(message.taken_ms, offset_ms, fleet.now.0),
    }
}

/// Gives devices that are met for the first time the name, place and asset number that a list had for their address.
async fn name_newcomers(
    ctx: &Ctx,
    tx: &mut Tx,
    fleet: &mut Fleet,
    fresh: &[&Message],
    met: &HashMap<Key, (Told, Met)>,
) -> Result<()> {
    let newcomers: Vec<_> = fresh
        .iter()
        .filter_map(|message| match (&message.body, met.get(&key(message))) {
            (Body::Status(body), Some((_, Met::Device(at)))) if fleet.get(*at).fresh => Some((*at, body)),
            _ => None,
        })
        .collect();
    if newcomers.is_empty() {
        return Ok(());
    }
    let hints = crate::agents::hints(tx, ctx).await?;
    for (at, body) in newcomers {
        let names = [body.identity.hostname.as_deref(), body.identity.name.as_deref()];
        if let Some(target) = hints.of(&body.address, body.port, names) {
            let device = fleet.get_mut(at);
            device.own_name.clone_from(&target.name);
            device.own_location.clone_from(&target.site);
            device.asset_no.clone_from(&target.asset);
        }
    }
    Ok(())
}

async fn load_heard_again(fleet: &mut Fleet, tx: &mut Tx, fresh: &[&Message]) -> Result<Vec<usize>> {
    let mut answered = Vec::new();
    for message in fresh {
        if let Body::Seen(body) = &message.body {
            answered.extend_from_slice(&body.answered);
        }
    }
    if answered.is_empty() { Ok(Vec::new()) } else { fleet.load_not_heard(tx, &answered).await }
}

/// Devices of which more than the head must be loaded, because something of them changes.
#[derive(Default)]
struct Changing {
    supplies: Vec<DeviceId>,
    alerts: Vec<DeviceId>,
    meters: Vec<DeviceId>,
}

impl Changing {
    fn of(fleet: &Fleet, fresh: &[&Message], met: &HashMap<Key, (Told, Met)>, again: Vec<usize>) -> Self {
        let mut sets = Self { alerts: again.into_iter().map(|at| fleet.get(at).id).collect(), ..Self::default() };
        for message in fresh {
            let counted = || message.subject.and_then(|subject| fleet.of(subject));
            match (&message.body, met.get(&key(message))) {
                (Body::Status(body), Some((_, Met::Device(at) | Met::Rival(at)))) => {
                    let device = fleet.get(*at);
                    if !device.fresh && device.supplies_hash != supplies::fingerprint(body) {
                        sets.supplies.push(device.id);
                    }
                    if !device.fresh
                        && (device.alerts_hash != alerts::fingerprint(body) || device.comm != Comm::Reporting)
                    {
                        sets.alerts.push(device.id);
                    }
                }
                (Body::Counters(_), _) => {
                    if let Some(device) = counted().map(|at| fleet.get(at)) {
                        sets.meters.push(device.id);
                        if device.comm != Comm::Reporting {
                            sets.alerts.push(device.id);
                        }
                    }
                }
                (Body::Trap(_), _) => sets.alerts.extend(counted().map(|at| fleet.get(at).id)),
                (body, _) if kind_of(body).is_some() => {
                    if let Some(device) = counted().map(|at| fleet.get(at)) {
                        sets.meters.extend(matches!(body, Body::Billing(_)).then_some(device.id));
                        let event = matches!(body, Body::Error(_) | Body::Jam(_) | Body::Alarm(_));
                        sets.alerts.extend((event || device.comm != Comm::Reporting).then_some(device.id));
                    }
                }
                _ => {}
            }
        }
        for set in [&mut sets.supplies, &mut sets.alerts, &mut sets.meters] {
            set.sort_unstable();
            set.dedup();
        }
        sets
    }
}
