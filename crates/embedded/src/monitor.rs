//! The monitor: told what happens, asked what to send, told what came back. Time passes only through its arguments.

use std::io;

use wire::command::{Ack, Command, Taken, Unfit, What as Ordered};
use wire::hello::{Hello, HelloReply, PollReply, Road};
use wire::monitor::{Dictionary, Kind, Trigger};
use wire::schedule::Schedule;
use wire::signature::{AGENT_HEADER, SIGNATURE_HEADER, TIME_HEADER, signing_input};
use wire::{Body, Message, Outcome, Reply, Subject, cbor};

use crate::call::What;
use crate::outbox::{DICTIONARY, Outbox};
use crate::post::Post;
use crate::state::State;
use crate::upload::Upload;
use crate::{Answer, Backoff, Call, Config, ConfigError, Crypto, Flash, Moment, Task, Trouble, Wish};

/// The monitor of one device.
#[derive(Debug)]
pub struct Monitor<F, C> {
    pub(crate) config: Config,
    pub(crate) flash: F,
    pub(crate) crypto: C,
    pub(crate) state: State,
    pub(crate) outbox: Outbox,
    pub(crate) backoff: Backoff,
    /// What is known of the roads beside HTTPS; `None`: nothing yet, or a device of before they were.
    pub(crate) post: Option<Post>,
    /// Server's clock minus monotonic clock, milliseconds; before the first contact the wall clock stands in.
    offset_ms: Option<i64>,
    /// Not before this time of the monotonic clock.
    pub(crate) not_before_ms: i64,
    /// When each slot is due next, seconds by the server's clock; 0: not looked at yet.
    pub(crate) due: Vec<(Kind, i64)>,
    pub(crate) poll: bool,
    /// Dictionaries told since the start.
    taught: Vec<u64>,
    pub(crate) upload: Option<Upload>,
}

impl<F: Flash, C: Crypto> Monitor<F, C> {
    /// Wakes up with what the flash holds. Nothing is sent before a random part of the first minute has passed.
    ///
    /// # Errors
    /// When the flash cannot be read.
    pub fn open(config: Config, flash: F, crypto: C, now: Moment) -> io::Result<Self> {
        let (mut state, outbox) = (State::load(&flash)?, Outbox::load(&flash)?);
        state.seq = state.seq.max(outbox.newest());
        let (first, post) = (Backoff::first(crypto.random()), Post::load(&flash)?);
        Ok(Self {
            config,
            flash,
            crypto,
            state,
            outbox,
            backoff: Backoff::default(),
            post,
            offset_ms: None,
            not_before_ms: mono(now) + first,
            due: Vec::new(),
            poll: false,
            taught: Vec::new(),
            upload: None,
        })
    }

    /// Takes a message into the flash; it is sent with the next report. Urgent kinds make the next report due now.
    ///
    /// # Errors
    /// When it is not safe there.
    pub fn tell(&mut self, now: Moment, body: Body) -> io::Result<()> {
        self.state.seq += 1;
        let message = Message { seq: self.state.seq, taken_ms: now.wall_ms, subject: self.state.sender, body };
        self.outbox.push(&mut self.flash, &message)
    }

    /// The name that the server gave; `None` before the communication test.
    pub fn sender(&self) -> Option<Subject> {
        self.state.sender
    }

    /// Messages that had to be dropped because the flash was full.
    pub fn lost(&self) -> u64 {
        self.outbox.lost
    }

    /// Kinds whose slot has come: the firmware reads them and tells them.
    pub fn due(&mut self, now: Moment) -> Vec<Wish> {
        let now_s = self.server_ms(now) / 1_000;
        if self.due.is_empty() {
            self.due = self.state.schedule.slots.iter().map(|slot| (slot.kind, slot.next_after(now_s))).collect();
        }
        let mut wishes = Vec::new();
        for (kind, at) in &mut self.due {
            if *at > now_s {
                continue;
            }
            match *kind {
                Kind::Inquiry => self.poll = true,
                kind => wishes.push(Wish::Read(kind)),
            }
            let slot = self.state.schedule.slots.iter().find(|slot| slot.kind == *kind);
            *at = slot.map_or(i64::MAX, |slot| slot.next_after(now_s));
        }
        wishes
    }

    /// The monotonic time at which to look again, milliseconds; sooner does no harm.
    pub fn wake_ms(&self, now: Moment) -> u64 {
        let waits = !self.outbox.is_empty()
            || self.poll
            || self.upload.is_some()
            || !self.tested()
            || !self.outbox.acks().acks.is_empty();
        let offset = self.server_ms(now) - mono(now);
        let slots = self.due.iter().map(|(_, at)| at.saturating_mul(1_000).saturating_sub(offset)).min();
        let next = match (waits, slots) {
            (true, _) => self.not_before_ms,
            (false, Some(slot)) => slot.max(self.not_before_ms),
            (false, None) => self.not_before_ms,
        };
        u64::try_from(next.max(mono(now))).unwrap_or(now.mono_ms)
    }

    /// What to send now; `None`: nothing, or not yet. One call at a time.
    ///
    /// # Errors
    /// The setting with which nothing is ever sent, or a flash that cannot be read.
    pub fn next(&mut self, now: Moment) -> Result<Option<Task>, CallError> {
        self.config.check()?;
        if mono(now) < self.not_before_ms {
            return Ok(None);
        }
        let Some(sender) = self.state.sender.filter(|_| !self.strange_road()) else {
            return Ok(Some(Task::Call(self.hello(now))));
        };
        if self.by_mail() {
            return self.next_mail(now, sender);
        }
        Ok(self.next_call(now, sender)?.map(Task::Call))
    }

    /// A technician set another road than the one that the server was told: that takes a new communication test.
    pub(crate) fn strange_road(&self) -> bool {
        self.post.as_ref().map_or(Road::Https, |post| post.road) != self.config.road
    }

    fn next_call(&mut self, now: Moment, sender: Subject) -> Result<Option<Call>, CallError> {
        let acks = self.outbox.acks();
        if !acks.acks.is_empty() {
            let ids = acks.acks.iter().map(|ack| ack.id).collect();
            return Ok(Some(self.call(
                now,
                sender,
                "POST",
                "/d/v1/ack".to_owned(),
                cbor::encode(&acks),
                What::Ack(ids),
            )));
        }
        let messages = self.outbox.batch(&self.flash)?;
        if !messages.is_empty() {
            return Ok(Some(self.report(now, sender, messages)));
        }
        if let Some(part) = self.next_upload(now, sender) {
            return Ok(Some(part));
        }
        if self.poll {
            let path = format!("/d/v1/poll?revision={}", self.state.schedule.revision);
            return Ok(Some(self.call(now, sender, "GET", path, Vec::new(), What::Poll)));
        }
        Ok(None)
    }

    fn hello(&self, now: Moment) -> Call {
        let nobody = Subject([0; 16]);
        let hello = self.hello_of(now, self.config.claim.clone());
        self.call(now, nobody, "POST", "/d/v1/hello".to_owned(), cbor::encode(&hello), What::Hello)
    }

    /// What the device says of itself at its communication test, by whatever road.
    pub(crate) fn hello_of(&self, now: Moment, claim: Option<String>) -> Hello {
        Hello {
            version: 1,
            vendor: self.config.vendor.clone(),
            serial: self.config.serial.clone(),
            model: self.config.model.clone(),
            key: self.crypto.public_key().to_vec(),
            claim,
            road: self.config.road,
            kinds: Kind::ALL.to_vec(),
            clock_ms: now.wall_ms,
            mono_ms: now.mono_ms,
            firmware: self.config.firmware.clone(),
            mac: self.config.mac.clone(),
            listener: self.config.listener.clone(),
            seal: self
                .crypto
                .sealing()
                .filter(|_| self.config.road == Road::MailBothWays)
                .map(|s| s.seal_key().to_vec()),
        }
    }

    fn report(&self, now: Moment, sender: Subject, messages: Vec<Message>) -> Call {
        let seqs = messages.iter().map(|message| message.seq).collect();
        let report = self.report_of(now, sender, messages);
        self.call(now, sender, "POST", "/d/v1/report".to_owned(), cbor::encode(&report), What::Report(seqs))
    }

    pub(crate) fn call(
        &self,
        now: Moment,
        sender: Subject,
        method: &'static str,
        path: String,
        body: Vec<u8>,
        what: What,
    ) -> Call {
        let time_ms = self.server_ms(now);
        let input = signing_input(method, &path, time_ms, &self.crypto.sha256(&body));
        let mut headers = vec![
            (AGENT_HEADER, sender.to_text()),
            (TIME_HEADER, time_ms.to_string()),
            (SIGNATURE_HEADER, wire::signature::to_text(&self.crypto.sign(&input))),
        ];
        if !body.is_empty() {
            headers.push(("content-type", cbor::CBOR.to_owned()));
        }
        Call { method, path, headers, body, what }
    }

    /// Takes what became of a call.
    ///
    /// # Errors
    /// When the flash cannot keep what must be kept; the call counts as failed then.
    pub fn answer(&mut self, now: Moment, call: &Call, answer: Result<&Answer, Trouble>) -> io::Result<Vec<Wish>> {
        if let Ok(Answer { server_ms: Some(server_ms), .. }) = answer {
            self.on_clock(now, *server_ms);
        }
        let answer = match answer {
            Ok(answer) if matches!(answer.status, 200 | 204 | 304) => answer,
            // The server tells where the log goes on.
            Ok(answer) if answer.status == 409 && call.what == What::Upload => answer,
            Ok(Answer { status: status @ (400 | 413 | 415), .. }) if call.what == What::Upload => {
                return self.upload_refused(*status).map(|()| Vec::new());
            }
            other => {
                let wait = self.backoff.failed(self.outbox.urgent(), self.crypto.random());
                let told = other.ok().and_then(|answer| answer.retry_after_s).map_or(0, |s| i64::from(s) * 1_000);
                self.not_before_ms = mono(now) + wait.max(told);
                return Ok(Vec::new());
            }
        };
        self.backoff.worked();
        match &call.what {
            What::Hello => self.on_hello(now, answer),
            What::Report(seqs) => self.on_report(now, seqs, answer),
            What::Poll => {
                self.poll = false;
                let Ok(reply) = cbor::decode::<PollReply>(&answer.body) else { return Ok(Vec::new()) };
                self.on_clock(now, reply.server_ms);
                self.on_orders(now, reply.schedule, &reply.commands)
            }
            What::Ack(ids) => self.outbox.answered(&mut self.flash, ids).map(|()| Vec::new()),
            What::Upload => self.on_upload(now, answer).map(|()| Vec::new()),
        }
    }

    fn on_hello(&mut self, now: Moment, answer: &Answer) -> io::Result<Vec<Wish>> {
        let Ok(reply) = cbor::decode::<HelloReply>(&answer.body) else { return Ok(Vec::new()) };
        self.on_clock(now, reply.server_ms);
        self.state.sender = Some(reply.sender);
        self.state.epoch = reply.epoch_floor;
        self.state.keys = reply.keys;
        self.state.schedule = reply.schedule;
        self.due.clear();
        let (road, known_ms) = (self.config.road, reply.server_ms);
        let clock_ms = known_ms.saturating_sub(now.wall_ms);
        let post = Post { road, pair: reply.mail, clock_ms, known_ms, test: None };
        post.save(&mut self.flash)?;
        self.post = Some(post);
        self.state.save(&mut self.flash)?;
        self.config.claim = None;
        if self.by_mail() {
            // By mail nobody can ask for the words, so that they go before all that uses them.
            for words in self.config.dictionaries.clone() {
                self.tell(now, Body::Dictionary(words))?;
            }
        }
        Ok(first_wishes())
    }

    fn on_report(&mut self, now: Moment, seqs: &[u64], answer: &Answer) -> io::Result<Vec<Wish>> {
        let Ok(reply) = cbor::decode::<Reply>(&answer.body) else { return Ok(Vec::new()) };
        self.on_clock(now, reply.server_ms);
        // The count of messages must survive them.
        self.state.save(&mut self.flash)?;
        let (mut later, mut wishes, taught) = (false, Vec::new(), self.taught.clone());
        for result in &reply.results {
            match result.outcome {
                outcome if outcome.is_final() && seqs.contains(&result.seq) => {
                    self.outbox.remove(&mut self.flash, result.seq)?
                }
                Outcome::NeedFull => later |= !self.on_need(now, result.seq, &taught, &mut wishes)?,
                Outcome::Later => later = true,
                _ => {}
            }
        }
        let wait = if later { self.backoff.failed(false, self.crypto.random()) } else { 0 };
        let told = reply.not_before_ms.map_or(0, |at| at - reply.server_ms);
        self.not_before_ms = mono(now) + wait.max(told);
        wishes.extend(self.on_orders(now, reply.schedule, &reply.commands)?);
        Ok(wishes)
    }

    /// The server lacks what a set of counters builds on: the words for its ids, or the set that it changes. False when
    /// nothing new can be done about it (`taught`: it was told before), so that the next try is better made later.
    fn on_need(&mut self, now: Moment, seq: u64, taught: &[u64], wishes: &mut Vec<Wish>) -> io::Result<bool> {
        let Some(message) = self.outbox.get(&self.flash, seq)? else { return Ok(false) };
        let kind = Kind::of_number(message.body.kind());
        let (Body::Billing(set) | Body::Detailed(set) | Body::Parts(set) | Body::Modes(set), Some(kind)) =
            (&message.body, kind)
        else {
            return Ok(false);
        };
        if set.base_seq.is_some() {
            // The full set that takes its place is of later; nobody else has the base any more.
            self.outbox.remove(&mut self.flash, seq)?;
            if !wishes.contains(&Wish::Read(kind)) {
                wishes.push(Wish::Read(kind));
            }
            return Ok(true);
        }
        let wanted = set.dictionary;
        let Some(dictionary) = self.config.dictionaries.iter().find(|words| self.hash(words) == wanted).cloned() else {
            return Ok(false);
        };
        if !self.outbox.holds(DICTIONARY) {
            self.tell(now, Body::Dictionary(dictionary))?;
        }
        if !self.taught.contains(&wanted) {
            self.taught.push(wanted);
        }
        Ok(!taught.contains(&wanted))
    }

    /// The name of a dictionary on the wire.
    fn hash(&self, dictionary: &Dictionary) -> u64 {
        let digest = self.crypto.sha256(&cbor::encode(dictionary));
        digest.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
    }

    fn on_clock(&mut self, now: Moment, server_ms: i64) {
        self.offset_ms = Some(server_ms - mono(now));
    }

    pub(crate) fn on_orders(
        &mut self,
        now: Moment,
        schedule: Option<Schedule>,
        commands: &[Command],
    ) -> io::Result<Vec<Wish>> {
        if let Some(schedule) = schedule {
            self.follow(schedule)?;
        }
        let mut wishes = Vec::new();
        for command in commands {
            self.on_order(now, command, &mut wishes)?;
        }
        Ok(wishes)
    }

    fn follow(&mut self, schedule: Schedule) -> io::Result<()> {
        if schedule.revision > self.state.schedule.revision {
            self.state.schedule = schedule;
            self.due.clear();
            self.state.save(&mut self.flash)?;
        }
        Ok(())
    }

    /// Executes an order at most once: it is noted before it is done, so that a loss of power cannot repeat it.
    fn on_order(&mut self, now: Moment, command: &Command, wishes: &mut Vec<Wish>) -> io::Result<()> {
        let me = self.state.sender.unwrap_or(Subject([0; 16]));
        let verify = |key: &[u8], input: &[u8], signature: &[u8]| self.crypto.verify(key, input, signature);
        let order = match command.open(me, &self.state.keys, self.server_ms(now), verify) {
            Ok(order) => order,
            Err(Unfit { id: None, .. }) => return Ok(()),
            Err(Unfit { id: Some(id), why }) => {
                let ack = Ack { id, taken: Taken::Refused, detail: Some(why.to_owned()) };
                wishes.push(Wish::Answered(id, Taken::Refused));
                return self.outbox.answer(&mut self.flash, ack);
            }
        };
        let fresh = self.state.execute(order.id);
        self.state.save(&mut self.flash)?;
        if fresh {
            match order.what {
                Ordered::ReportNow(kinds) if kinds.is_empty() => {
                    wishes.extend(self.state.schedule.slots.iter().map(|slot| Wish::Read(slot.kind)));
                }
                Ordered::ReportNow(kinds) => wishes.extend(kinds.into_iter().map(Wish::Read)),
                Ordered::Schedule(schedule) => self.follow(schedule)?,
                Ordered::Keys(keys) if keys.is_empty() => {}
                Ordered::Keys(keys) => {
                    self.state.keys = keys;
                    self.state.save(&mut self.flash)?;
                }
                Ordered::SendLog => {
                    wishes.push(Wish::SendLog(order.id));
                    return Ok(());
                }
                Ordered::Discover => {
                    wishes.push(Wish::Answered(order.id, Taken::Refused));
                    let detail = Some("a device looks for no others".to_owned());
                    return self.outbox.answer(&mut self.flash, Ack { id: order.id, taken: Taken::Refused, detail });
                }
            }
        }
        wishes.push(Wish::Answered(order.id, Taken::Done));
        self.outbox.answer(&mut self.flash, Ack { id: order.id, taken: Taken::Done, detail: None })
    }

    /// What became of an order that the firmware executed.
    ///
    /// # Errors
    /// When the flash cannot keep the answer.
    pub fn done(&mut self, id: Subject, taken: Taken, detail: Option<String>) -> io::Result<()> {
        self.outbox.answer(&mut self.flash, Ack { id, taken, detail })
    }

    /// The server's clock as far as it is known.
    pub(crate) fn server_ms(&self, now: Moment) -> i64 {
        let guess = || self.post.as_ref().map_or(now.wall_ms, |post| post.guess_ms(now.wall_ms));
        self.offset_ms.map_or_else(guess, |offset| mono(now) + offset)
    }
}

/// What is told after a communication test. The first status comes before all else: it is what the device is known by.
pub(crate) fn first_wishes() -> Vec<Wish> {
    let first = Kind::ALL.into_iter().filter(|kind| matches!(kind.of_device(), Trigger::First));
    [Kind::Status].into_iter().chain(first).map(Wish::Read).collect()
}

pub(crate) fn mono(now: Moment) -> i64 {
    i64::try_from(now.mono_ms).unwrap_or(i64::MAX)
}

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// A setting.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The server named no mail server, and none is set.
    #[error("no mail server is known; set one, or repeat the communication test")]
    NoMailServer,
    /// The addresses or keys that the server gave cannot be used.
    #[error("mail cannot be sealed: the server's key or the addresses are not usable; repeat the communication test")]
    Seal,
    /// The flash.
    #[error("the flash cannot be read: {0}")]
    Flash(#[from] io::Error),
}
