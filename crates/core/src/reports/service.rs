//! Taking a report: one transaction; the answer is given only after its commit.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use store::{Tx, params};
use wire::{Body, Message, MessageResult, Outcome, Reply, Report};

use super::rules::{Place, Window, clock_offset, corrected, fault};
use super::sql;
use crate::alerts::intake::{self as alerts, Board};
use crate::devices::intake::Fleet;
use crate::devices::known::Told;
use crate::devices::meeting::Met;
use crate::devices::{Comm, DeviceId, SILENT};
use crate::diagnostics::intake::Said;
use crate::diagnostics::rules::{oversize, told as kind_of};
use crate::error::{Error, Result};
use crate::meters::intake::Book;
use crate::supplies::intake::{self as supplies, Shelf};
use crate::{Actor, AgentId, Ctx, Kind, monitors};

/// Tries of a transaction that another one stood in the way of.
const TRIES: usize = 5;

/// Takes a report of the agent that asks. Each message is answered: stored, duplicate, stale, or why not.
///
/// # Errors
/// `Forbidden` unless the sender is the agent itself, `Invalid` for a report without or with too many messages,
/// `Unavailable` when the database cannot take it now; nothing is stored then.
pub async fn accept(ctx: &Ctx, mut report: Report) -> Result<Reply> {
    let agent = ctx.require_sender()?;
    if let Actor::Monitor { .. } = ctx.actor {
        // A device that speaks of itself need not name itself in each message.
        let own = report.sender;
        report.messages.iter_mut().for_each(|message| message.subject = message.subject.or(Some(own)));
    }
    if AgentId::from(report.sender) != agent {
        return Err(Error::new(Kind::Forbidden, "the report names another sender than the one that signed it"));
    }
    if report.version != 1 || report.messages.is_empty() || report.messages.len() > wire::report::MAX_MESSAGES {
        let count = report.messages.len();
        return Err(Error::invalid(
            "messages",
            format!("version {} with {count} messages; 1 with 1 to 512 is taken", report.version),
        ));
    }
    match persistent(ctx, agent, &report, None).await {
        Err(error) if is_refusal(&error) => one_by_one(ctx, agent, report, &error).await,
        other => other,
    }
}

/// Runs the transaction again while others stand in its way.
async fn persistent(ctx: &Ctx, agent: AgentId, report: &Report, poison: Option<&str>) -> Result<Reply> {
    let mut tries = 1;
    loop {
        match attempt(ctx, agent, report, poison).await {
            Err(error) if tries < TRIES && matches!(error.kind, Kind::Unavailable | Kind::Conflict) => tries += 1,
            other => return other,
        }
    }
}

/// The database refused what a message holds, and would do so again.
fn is_refusal(error: &Error) -> bool {
    matches!(error.kind, Kind::Internal | Kind::Conflict)
}

/// A message that the database refuses must not hold up the others: each goes alone, the refused one as invalid.
async fn one_by_one(ctx: &Ctx, agent: AgentId, report: Report, why: &Error) -> Result<Reply> {
    tracing::warn!(agent.id = %agent, error = %why, source = ?why.source, "a report is taken message by message");
    let mut whole: Option<Reply> = None;
    for message in &report.messages {
        let alone = Report { messages: vec![message.clone()], ..report.clone() };
        let reply = match persistent(ctx, agent, &alone, None).await {
            Err(error) if is_refusal(&error) => {
                let detail = format!("it cannot be stored: {error}");
                tracing::error!(agent.id = %agent, seq = message.seq, source = ?error.source, "a message cannot be stored");
                persistent(ctx, agent, &alone, Some(&detail)).await?
            }
            other => other?,
        };
        match &mut whole {
            None => whole = Some(reply),
            Some(whole) => {
                whole.results.extend(reply.results);
                whole.plan = reply.plan.or(whole.plan.take());
            }
        }
    }
    whole.ok_or_else(|| Error::internal("a report without messages"))
}

/// What of a report is new, and what is answered.
struct Sorted<'r> {
    fresh: Vec<&'r Message>,
    results: Vec<MessageResult>,
    invalid: i64,
}

async fn attempt(ctx: &Ctx, agent: AgentId, report: &Report, poison: Option<&str>) -> Result<Reply> {
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let window = stream(ctx, &mut tx, agent, report).await?;
    let mut fleet = Fleet::new(ctx.home, agent, ctx.now, seed(ctx));
    let known = if poison.is_none() { report.messages.as_slice() } else { &[] };
    let subjects: Vec<_> = known.iter().filter_map(|message| message.subject).collect();
    fleet.load_subjects(&mut tx, &subjects).await?;
    let mut said = Said::load(&mut tx, &fleet, report.epoch, known).await?;
    let mut sorted = sort(ctx, &mut tx, report, poison, window, (&fleet, &mut said)).await?;
    let offset_ms = clock_offset(report.clock_ms, ctx.now.as_millis());
    if !sorted.fresh.is_empty() {
        log(ctx, &mut tx, agent, report, &sorted, offset_ms).await?;
        if poison.is_none() {
            let mut intake = Intake::load(ctx, &mut tx, (fleet, said), &sorted.fresh, offset_ms).await?;
            let refused = intake.take(ctx, &sorted.fresh)?;
            intake.flush(ctx, &mut tx).await?;
            for message in &sorted.fresh {
                if let Body::Senders(body) = &message.body {
                    crate::traps::take(&mut tx, ctx, body, offset_ms).await?;
                }
            }
            for result in &mut sorted.results {
                if let Some((outcome, detail)) = refused.get(&result.seq) {
                    (result.outcome, result.detail) = (*outcome, Some(detail.clone()));
                }
            }
        }
    }
    let said = sorted.fresh.iter().rev().find_map(|message| match &message.body {
        Body::Agent(body) => Some(body),
        _ => None,
    });
    if let (Some(body), None) = (discovered(&sorted.fresh), poison) {
        crate::agents::keep_discovery(&mut tx, ctx, body, offset_ms).await?;
    }
    let mut reply = Reply {
        version: 1,
        server_ms: ctx.now.as_millis(),
        results: sorted.results,
        commands: Vec::new(),
        schedule: None,
        not_before_ms: None,
        plan: None,
    };
    if let Actor::Monitor { .. } = ctx.actor {
        reply.schedule = monitors::heard(&mut tx, ctx, report, offset_ms).await?;
        tx.commit().await?;
        reply.commands = monitors::pending(ctx).await?;
    } else {
        reply.plan = crate::agents::heartbeat(&mut tx, ctx, said, report.plan_revision).await?;
        crate::alerts::agent_is_back(&mut tx, ctx, agent).await?;
        tx.commit().await?;
    }
    Ok(reply)
}

/// The last discovery that is told of.
fn discovered<'m>(fresh: &[&'m Message]) -> Option<&'m wire::report::DiscoveryBody> {
    fresh.iter().rev().find_map(|message| match &message.body {
        Body::Discovery(body) => Some(&**body),
        _ => None,
    })
}

/// From where numbers of rows are counted in this transaction.
fn seed(ctx: &Ctx) -> i64 {
    let mut seed = [0; 8];
    ctx.ids().random(&mut seed);
    i64::from_be_bytes(seed) >> 2 & (i64::MAX >> 2)
}

/// The replay window of the sender; it is locked from here on.
async fn stream(ctx: &Ctx, tx: &mut Tx, agent: AgentId, report: &Report) -> Result<Window> {
    let epoch = i64::try_from(report.epoch).map_err(|_| Error::invalid("epoch", "the epoch is too large"))?;
    let new = Window::new(report.epoch);
    let values = params![ctx.home, agent, epoch, new.taken.to_vec(), ctx.now];
    let row = tx.query_one(&sql::STREAM, &values).await?;
    let taken: Vec<u8> = row.get(2)?;
    Ok(Window::stored(row.get(0)?, row.get(1)?, &taken))
}

/// Parts the messages by the replay window and by what they hold. One that waits for something keeps its number free.
async fn sort<'r>(
    ctx: &Ctx,
    tx: &mut Tx,
    report: &'r Report,
    poison: Option<&str>,
    mut window: Window,
    (fleet, said): (&Fleet, &mut Said),
) -> Result<Sorted<'r>> {
    let of_device = matches!(ctx.actor, Actor::Monitor { .. });
    let mut sorted = Sorted { fresh: Vec::new(), results: Vec::with_capacity(report.messages.len()), invalid: 0 };
    for message in &report.messages {
        let large = oversize(message, of_device);
        let fault = large.clone().or_else(|| fault(message)).or_else(|| poison.map(str::to_owned));
        let before = (fault.is_none() && waits(message)).then(|| window.clone());
        // A number that cannot be remembered is not taken.
        let place =
            if i64::try_from(message.seq).is_ok() { window.take(report.epoch, message.seq) } else { Place::Fresh };
        let (outcome, detail) = match (place, fault) {
            (Place::Taken, _) => (Outcome::Duplicate, None),
            (Place::Stale, _) => (Outcome::Stale, Some("its epoch has ended, or its number is far behind".to_owned())),
            (Place::Fresh, None) => match (put_off(message, report, of_device, fleet, said), before) {
                (Some(put_off), Some(before)) => {
                    window = before;
                    put_off
                }
                _ => {
                    sorted.fresh.push(message);
                    (Outcome::Stored, None)
                }
            },
            (Place::Fresh, Some(fault)) => {
                sorted.invalid += 1;
                (if large.is_some() { Outcome::TooLarge } else { Outcome::Invalid }, Some(fault))
            }
        };
        sorted.results.push(MessageResult {
            subject: message.subject,
            epoch: report.epoch,
            seq: message.seq,
            outcome,
            detail,
        });
    }
    let high = i64::try_from(window.high).unwrap_or(i64::MAX);
    let epoch = i64::try_from(window.epoch).unwrap_or(i64::MAX);
    let values = params![ctx.home, AgentId::from(report.sender), epoch, high, window.taken.to_vec()];
    tx.execute(&sql::STREAM_SET, &values).await?;
    Ok(sorted)
}

/// Whether a message may have to wait for another one, or for room.
fn waits(message: &Message) -> bool {
    kind_of(&message.body).is_some() || matches!(message.body, Body::Dictionary(_))
}

/// Why a message cannot be taken, or not yet: nobody knows the device, the ids of its counters, or the set that it changes.
fn put_off(
    message: &Message,
    report: &Report,
    of_device: bool,
    fleet: &Fleet,
    said: &mut Said,
) -> Option<(Outcome, Option<String>)> {
    let told = |subject| report.messages.iter().any(|m| m.subject == subject && matches!(m.body, Body::Status(_)));
    let unknown = || message.subject.is_some_and(|subject| fleet.of(subject).is_none()) && !told(message.subject);
    if let Body::Dictionary(dictionary) = &message.body
        && !said.learn(dictionary)
    {
        return Some((Outcome::Refused, Some("there are too many dictionaries already".to_owned())));
    }
    if of_device && kind_of(&message.body).is_some() && unknown() {
        return Some((Outcome::Later, Some("tell a status first".to_owned())));
    }
    said.lacks(message).map(|why| (Outcome::NeedFull, Some(why)))
}

/// The raw log: what was new, as CBOR, one row a report.
async fn log(
    ctx: &Ctx,
    tx: &mut Tx,
    agent: AgentId,
    report: &Report,
    sorted: &Sorted<'_>,
    offset_ms: i64,
) -> Result<()> {
    let seqs = || sorted.fresh.iter().filter_map(|message| i64::try_from(message.seq).ok());
    let unknown = sorted.fresh.iter().filter(|message| matches!(message.body, Body::Unknown(..))).count();
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let body = wire::cbor::encode(&sorted.fresh);
    let epoch = i64::try_from(report.epoch).unwrap_or(i64::MAX);
    let values = params![
        ctx.home,
        ctx.now.day(&TimeZone::UTC),
        ctx.ids().uuid7().to_string(),
        ctx.now,
        agent,
        epoch,
        seqs().min().unwrap_or(0),
        seqs().max().unwrap_or(0),
        count(sorted.fresh.len()),
        sorted.invalid,
        count(unknown),
        offset_ms,
        count(body.len()),
        body
    ];
    tx.execute(&sql::INBOX, &values).await?;
    Ok(())
}

/// The working set of one report.
struct Intake {
    fleet: Fleet,
    said: Said,
    shelf: Shelf,
    board: Board,
    book: Book,
    told: HashMap<u64, (Told, Met)>,
    offset_ms: i64,
    /// The sender is the device: what it delivers, however old, says that it lives now.
    itself: bool,
}

impl Intake {
    async fn load(
        ctx: &Ctx,
        tx: &mut Tx,
        (mut fleet, mut said): (Fleet, Said),
        fresh: &[&Message],
        offset_ms: i64,
    ) -> Result<Self> {
        let (tenant, agent, now) = (ctx.home, fleet.agent, ctx.now);
        let unreachable = fresh.iter().flat_map(|message| match &message.body {
            Body::Seen(seen) => seen.unreachable.as_slice(),
            _ => &[],
        });
        let unreachable: Vec<_> = unreachable.copied().collect();
        fleet.load_subjects(tx, &unreachable).await?;
        let mut told = Vec::new();
        for message in fresh {
            if let (Body::Status(body), Some(subject)) = (&message.body, message.subject) {
                told.push((message.seq, subject, Told::of(body, agent)));
            }
        }
        let claims: Vec<_> = told.iter().map(|(_, subject, told)| (*subject, told)).collect();
        fleet.load_claims(tx, &claims).await?;
        let mut met = HashMap::new();
        for (seq, subject, told) in told {
            let found = fleet.meet(subject, &told, now.0, || DeviceId::new(ctx.ids()));
            met.insert(seq, (told, found));
        }
        name_newcomers(ctx, tx, &mut fleet, fresh, &met).await?;
        let again = load_heard_again(&mut fleet, tx, fresh).await?;
        let sets = Changing::of(&fleet, fresh, &met, again);
        let oldest = fresh.iter().map(|message| corrected(message.taken_ms, offset_ms, now.0)).min().unwrap_or(now.0);
        let shelf = Shelf::load(tx, tenant, &sets.supplies, now).await?;
        let board = Board::load(tx, &ctx.platform, tenant, &sets.alerts, oldest).await?;
        let book = Book::load(tx, tenant, &sets.meters, now, seed(ctx)).await?;
        said.recall(tx, &fleet, fresh).await?;
        Ok(Self {
            fleet,
            said,
            shelf,
            board,
            book,
            told: met,
            offset_ms,
            itself: matches!(ctx.actor, Actor::Monitor { .. }),
        })
    }

    /// Takes the messages in their order. What is refused after all is returned by number.
    fn take(&mut self, ctx: &Ctx, fresh: &[&Message]) -> Result<HashMap<u64, (Outcome, String)>> {
        let mut refused = HashMap::new();
        for message in fresh {
            let when = corrected(message.taken_ms, self.offset_ms, ctx.now.0);
            match &message.body {
                Body::Status(body) => match self.told.remove(&message.seq) {
                    Some((told, Met::Device(at))) => self.status((at, message.subject), body, Some(&told), when)?,
                    Some((_, Met::Rival(at))) => self.status((at, message.subject), body, None, when)?,
                    _ => {
                        refused.insert(message.seq, (Outcome::Refused, "the device was retired".to_owned()));
                    }
                },
                Body::Counters(body) => match message.subject.and_then(|subject| self.fleet.of(subject)) {
                    Some(at) if self.fleet.get(at).lifecycle != "retired" => {
                        self.book.take(&mut self.fleet, at, body, when, self.offset_ms);
                        self.hear(at, message.subject, when);
                    }
                    Some(_) => {
                        refused.insert(message.seq, (Outcome::Refused, "the device was retired".to_owned()));
                    }
                    None => {
                        let why = "no status of this device came before its counters";
                        refused.insert(message.seq, (Outcome::Invalid, why.to_owned()));
                    }
                },
                Body::Trap(body) => match message.subject.and_then(|subject| self.fleet.of(subject)) {
                    Some(at) if self.fleet.get(at).lifecycle != "retired" => {
                        self.board.take_trap(&mut self.fleet, at, body, when);
                        self.hear(at, message.subject, when);
                    }
                    Some(_) => {
                        refused.insert(message.seq, (Outcome::Refused, "the device was retired".to_owned()));
                    }
                    None => {
                        let why = "no status of this device came before its trap";
                        refused.insert(message.seq, (Outcome::Invalid, why.to_owned()));
                    }
                },
                Body::Seen(body) => self.seen(body, when),
                body if kind_of(body).is_some() => {
                    if let Err(answer) = self.told(message, when)? {
                        refused.insert(message.seq, answer);
                    }
                }
                // What concerns no device's present condition stays in the log, from where others take it.
                _ => {}
            }
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
            self.book.take(&mut self.fleet, at, &meters, when, self.offset_ms);
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

    fn hear(&mut self, at: usize, subject: Option<wire::Subject>, when: i64) {
        let when = if self.itself { self.fleet.now.0 } else { when.min(self.fleet.now.0) };
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

    async fn flush(mut self, ctx: &Ctx, tx: &mut Tx) -> Result<()> {
        self.fleet.flush(tx).await?;
        self.shelf.flush(tx).await?;
        self.board.flush(tx).await?;
        self.said.flush(tx).await?;
        let flushed = self.book.flush(tx).await?;
        crate::doubts::take(ctx, tx, ctx.home, std::mem::take(&mut self.fleet.doubts), flushed).await?;
        crate::doubts::away(ctx, tx, ctx.home, &self.fleet.away).await?;
        crate::events::emit_all(tx, ctx, ctx.home, &std::mem::take(&mut self.fleet.events)).await
    }
}

/// Gives devices that are met for the first time the name, place and asset number that a list had for their address.
async fn name_newcomers(
    ctx: &Ctx,
    tx: &mut Tx,
    fleet: &mut Fleet,
    fresh: &[&Message],
    met: &HashMap<u64, (Told, Met)>,
) -> Result<()> {
    let newcomers: Vec<_> = fresh
        .iter()
        .filter_map(|message| match (&message.body, met.get(&message.seq)) {
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
    fn of(fleet: &Fleet, fresh: &[&Message], met: &HashMap<u64, (Told, Met)>, again: Vec<usize>) -> Self {
        let mut sets = Self { alerts: again.into_iter().map(|at| fleet.get(at).id).collect(), ..Self::default() };
        for message in fresh {
            let counted = || message.subject.and_then(|subject| fleet.of(subject));
            match (&message.body, met.get(&message.seq)) {
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
