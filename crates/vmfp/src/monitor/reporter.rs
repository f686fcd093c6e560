//! One device that reports by itself: looks at its life, tells its monitor, and serves what the monitor asks for.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use embedded::{ActivationError, Answer, Call, Called, Config, Mail, Moment, Monitor, Task, Trouble, Wish};
use rustls::RootCertStore;
use wire::command::Taken;
use wire::hello::Road;
use wire::monitor::Kind;
use wire::{Activation, Body, Outcome, Reply};

use super::keep::Keep;
use super::keys::Keys;
use super::line::Line;
use super::listener::Listener;
use super::status::{self, Condition};
use super::{Entry, Reports, counters, event, parts};
use crate::clock::Instant;
use crate::device;
use crate::fleet::Shared;
use crate::life::{Phase, Row};
use crate::table::View;

pub(super) struct Reporter {
    place: u32,
    config: Config,
    /// What an installer carried to it; followed when the power comes on.
    document: Option<Activation>,
    keep: Keep,
    keys: Keys,
    line: Option<Line>,
    /// None while the power is off.
    monitor: Option<Monitor<Keep, Keys>>,
    /// The condition that was told last; none after the power came on.
    told: Option<Condition>,
    /// The server has its status, which comes before all else.
    introduced: bool,
}

/// What a look at a device tells.
enum Look {
    /// Another unit, or one with another board, stands in its place: nobody registered that one.
    Gone,
    /// Its power is off.
    Off,
    /// Nothing happens to it before this moment.
    On(Instant),
}

impl Reporter {
    pub(super) fn new(
        shared: &Shared,
        place: u32,
        reports: &Reports,
        entry: Entry<'_>,
        host: &str,
    ) -> io::Result<Self> {
        let who = shared.identity(place);
        let keys = Keys::new(who.seed, who.stream(), reports.devices());
        let keys = keys.ok_or_else(|| io::Error::other("no key can be made"))?;
        let (claim, document) = match entry {
            Entry::Typed(claim) => (Some(claim.code.clone()), None),
            Entry::Carried(document) => (None, Some(document.clone())),
        };
        let of = |view: &View<'_>| Config {
            server: reports.server.clone(),
            domain: host.to_owned(),
            vendor: view.profile.vendor.clone(),
            // A registration may have it in other case.
            serial: view.who.serial(view.profile),
            model: view.profile.model.clone(),
            firmware: view.profile.identity.firmware.clone(),
            claim: claim.clone(),
            road: entry.road(),
            mac: Some(status::mac(view)),
            listener: None,
            mail_server: None,
            mailbox_server: None,
            dictionaries: Vec::new(),
        };
        let config = with(shared, place, of).ok_or_else(|| io::Error::other("a recording reports nothing"))?;
        let keep = Keep::open(reports.keep.as_deref(), &config.serial)?;
        let (line, monitor, told) = (None, None, None);
        Ok(Self { place, config, document, keep, keys, line, monitor, told, introduced: false })
    }

    /// Opens the device's own listener, whose address it tells at its communication test; `line` calls from that address.
    pub(super) fn listen(&mut self, address: Ipv4Addr, line: Line, roots: RootCertStore) -> io::Result<Listener> {
        let pkcs8 = self.keys.pkcs8().ok_or_else(|| io::Error::other("the device's key cannot be used"))?;
        let listener = Listener::open(address, &pkcs8, roots)?;
        self.config.listener = Some(listener.url.clone());
        self.line = Some(line);
        Ok(listener)
    }

    /// The device's own way of calling, if it has one.
    pub(super) fn line(&self) -> Option<&Line> {
        self.line.as_ref()
    }

    /// Looks at the device and does what is due; the call to make now, and when to look again (monotonic milliseconds).
    /// `None`: the device is gone for good.
    pub(super) fn turn(
        &mut self,
        shared: &Shared,
        now: Moment,
        pause: Duration,
    ) -> io::Result<Option<(Option<Task>, u64)>> {
        let patience = pause.max(Duration::from_secs(1));
        let due = match self.look(shared, now)? {
            Look::Gone => return Ok(None),
            Look::Off => return Ok(Some((None, now.mono_ms + patience.as_millis() as u64))),
            Look::On(due) => shared.clock.until(due).clamp(pause, patience),
        };
        let Some(monitor) = &mut self.monitor else { return Ok(None) };
        let wishes = monitor.due(now);
        self.serve(shared, now, wishes)?;
        let Some(monitor) = &mut self.monitor else { return Ok(None) };
        let call = monitor.next(now).map_err(io::Error::other)?;
        let wake = monitor.wake_ms(now).max(now.mono_ms + pause.as_millis() as u64);
        Ok(Some((call, wake.min(now.mono_ms + due.as_millis() as u64))))
    }

    /// Takes what became of a call.
    pub(super) fn answered(
        &mut self,
        shared: &Shared,
        now: Moment,
        call: &Call,
        answer: &Result<Answer, Trouble>,
    ) -> io::Result<()> {
        let Some(monitor) = &mut self.monitor else { return Ok(()) };
        let unknown = monitor.sender().is_none();
        let wishes = monitor.answer(now, call, answer.as_ref().map_err(|trouble| *trouble))?;
        let met = unknown && monitor.sender().is_some();
        self.serve(shared, now, wishes)?;
        // Whenever the server does not know the ids of its counters.
        if !met && answer.as_ref().is_ok_and(|answer| wants_dictionary(call, answer)) {
            let dictionary = with(shared, self.place, counters::dictionary).map(Body::Dictionary);
            self.tell(now, dictionary)?;
        }
        if met {
            self.introduce(shared, now)?;
        }
        self.introduced |= call.path == "/d/v1/report" && answer.as_ref().is_ok_and(|answer| answer.status == 200);
        Ok(())
    }

    /// What is told once the server's answer, or a document, is there: the ids of its counters before the first of them.
    fn introduce(&mut self, shared: &Shared, now: Moment) -> io::Result<()> {
        let dictionary = with(shared, self.place, counters::dictionary).map(Body::Dictionary);
        self.tell(now, dictionary)?;
        self.serve(shared, now, vec![Wish::Read(Kind::Billing)])?;
        let condition = with(shared, self.place, Condition::of);
        self.told = condition.map(|condition| Condition { standing: Vec::new(), ..condition });
        Ok(())
    }

    /// Gives the device its document, when its power comes on; one that it follows already changes nothing.
    fn activate(&mut self, shared: &Shared, now: Moment) -> io::Result<()> {
        let (Some(monitor), Some(document)) = (&mut self.monitor, &self.document) else { return Ok(()) };
        match monitor.activate(now, document) {
            Ok(wishes) if wishes.is_empty() => Ok(()),
            Ok(wishes) => {
                self.introduced = false;
                self.serve(shared, now, wishes)?;
                self.introduce(shared, now)
            }
            Err(ActivationError::Flash(error)) => Err(error),
            Err(error) => {
                tracing::warn!(%error, serial = self.config.serial, "a virtual device does not follow its document");
                Ok(())
            }
        }
    }

    /// Takes what became of a mail.
    pub(super) fn sent(&mut self, now: Moment, mail: &Mail, outcome: Result<(), Trouble>) -> io::Result<()> {
        let Some(monitor) = &mut self.monitor else { return Ok(()) };
        // The mail of the test introduces nobody; the first report does.
        let tested = monitor.tested();
        monitor.sent(now, mail, outcome)?;
        self.introduced |= tested && outcome.is_ok();
        Ok(())
    }

    /// Takes what was in the mailbox; the places of mails that are dealt with.
    pub(super) fn fetched(
        &mut self,
        shared: &Shared,
        now: Moment,
        mails: Result<&[Vec<u8>], Trouble>,
    ) -> io::Result<Vec<usize>> {
        let Some(monitor) = &mut self.monitor else { return Ok(Vec::new()) };
        let fetched = monitor.fetched(now, mails)?;
        self.serve(shared, now, fetched.wishes)?;
        Ok(fetched.done)
    }

    /// Takes a call of the server: status, body, and what is to be confirmed when that has left.
    pub(super) fn called(&mut self, shared: &Shared, now: Moment, body: &[u8]) -> io::Result<(u16, Called)> {
        let Some(monitor) = &mut self.monitor else { return Ok((503, Called::default())) };
        let Ok(mut called) = monitor.called(now, body)? else { return Ok((400, Called::default())) };
        let wishes = std::mem::take(&mut called.wishes);
        self.serve(shared, now, wishes)?;
        Ok((if called.answer.is_empty() { 204 } else { 200 }, called))
    }

    /// The answer to a call has left whole.
    pub(super) fn called_back(&mut self, called: &Called) -> io::Result<()> {
        self.monitor.as_mut().map_or(Ok(()), |monitor| monitor.called_back(called))
    }

    fn look(&mut self, shared: &Shared, now: Moment) -> io::Result<Look> {
        let seen = with(shared, self.place, |view| {
            let gone = view.who.serial(view.profile) != self.config.serial;
            (gone, view.life.phase == Phase::Off, view.life.due(), Condition::of(view))
        });
        let (off, due, condition) = match seen {
            Some((false, off, due, condition)) => (off, due, condition),
            _ => return Ok(Look::Gone),
        };
        if off {
            (self.monitor, self.told) = (None, None);
            return Ok(Look::Off);
        }
        if self.monitor.is_none() {
            let (keep, keys) = (self.keep.clone(), self.keys.clone());
            let monitor = Monitor::open(self.config.clone(), keep, keys, now)?;
            self.introduced = monitor.tested();
            self.monitor = Some(monitor);
            self.activate(shared, now)?;
        }
        if self.introduced && self.told.as_ref() != Some(&condition) {
            self.tell_change(shared, now, condition)?;
        }
        Ok(Look::On(due))
    }

    /// The status, and what began or ceased to stand since it was told last.
    fn tell_change(&mut self, shared: &Shared, now: Moment, condition: Condition) -> io::Result<()> {
        let before = self.told.replace(condition).map(|before| before.standing).unwrap_or_default();
        let Some(after) = self.told.as_ref().map(|told| told.standing.clone()) else { return Ok(()) };
        let missing = |row: &&Row, rows: &[Row]| !rows.iter().any(|other| other.cause == row.cause);
        let begun: Vec<_> = after.iter().filter(|row| missing(row, &before)).map(|row| (*row, true)).collect();
        let over: Vec<_> = before.iter().filter(|row| missing(row, &after)).map(|row| (*row, false)).collect();
        self.serve(shared, now, vec![Wish::Read(Kind::Status)])?;
        for (row, standing) in over.into_iter().chain(begun) {
            let of = |view: &View<'_>| event::is_event(view, row.cause).then(|| event::event(view, &row, standing));
            let body = with(shared, self.place, of).flatten();
            self.tell(now, body)?;
        }
        Ok(())
    }

    fn serve(&mut self, shared: &Shared, now: Moment, wishes: Vec<Wish>) -> io::Result<()> {
        for wish in wishes {
            match wish {
                Wish::Read(kind) => {
                    let body = self.read(shared, now, kind);
                    self.tell(now, body)?;
                }
                Wish::SendLog(order) => {
                    let log = with(shared, self.place, |view| status::log(view, now.wall_ms));
                    let by_mail = matches!(self.config.road, Road::Mail | Road::MailBothWays);
                    match (&mut self.monitor, log) {
                        (Some(monitor), Some(log)) if !by_mail => {
                            let boot_ms = now.wall_ms - i64::try_from(now.mono_ms).unwrap_or(0);
                            monitor.upload(order, log.into_bytes(), boot_ms, now.wall_ms);
                        }
                        (Some(monitor), _) => {
                            let why = "a device that reports by mail has no way to upload";
                            monitor.done(order, Taken::Failed, Some(why.to_owned()))?;
                        }
                        _ => {}
                    }
                }
                Wish::Answered(order, taken) => {
                    tracing::debug!(order = %order.to_text(), ?taken, "a virtual device answered an order");
                }
            }
        }
        Ok(())
    }

    /// Events, and the log that it has not, are told by themselves or never.
    fn read(&self, shared: &Shared, now: Moment, kind: Kind) -> Option<Body> {
        let (address, port) = (shared.address_of(self.place).to_string(), shared.snmp_port());
        let seed = shared.world.seed;
        with(shared, self.place, |view| match kind {
            Kind::Status => Some(status::status(view, address, port)),
            kind => counters::counters(view, &self.keys, kind).or_else(|| parts::part(view, seed, kind, now.wall_ms)),
        })
        .flatten()
    }

    fn tell(&mut self, now: Moment, body: Option<Body>) -> io::Result<()> {
        match (&mut self.monitor, body) {
            (Some(monitor), Some(body)) => monitor.tell(now, body),
            _ => Ok(()),
        }
    }
}

fn wants_dictionary(call: &Call, answer: &Answer) -> bool {
    let reply = (call.path == "/d/v1/report").then(|| wire::cbor::decode::<Reply>(&answer.body));
    let results = reply.and_then(Result::ok).map(|reply| reply.results).unwrap_or_default();
    results.iter().any(|result| result.outcome == Outcome::NeedFull)
}

/// The device as it is now; none for recordings.
fn with<T>(shared: &Shared, place: u32, read: impl FnOnce(&View<'_>) -> T) -> Option<T> {
    let (kind, now) = (shared.kind(place), shared.clock.now());
    let state = shared.slots[place as usize].at(kind, shared.world, place, now);
    match (kind, &state.life) {
        (device::Kind::Profile { profile, .. }, Some(life)) => {
            Some(read(&View { profile, who: shared.identity(place).of(life), life, now, faults: &[] }))
        }
        _ => None,
    }
}
