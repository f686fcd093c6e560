//! Keeps what the door was told: first in the outbox, then the inform is acknowledged, then the device that called is
//! read, which confirms the alert or ends it. Also tells who called without being known.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use snmp::trap::{Listener, Receipt};
use store::{Sql, params};
use tokio::{sync::mpsc, sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use wire::{
    AgentPlan, Body, Subject,
    report::MAX_MESSAGES,
    traps::{MAX_TRAP_ALERTS, SendersBody, TrapBody},
};

use super::{
    Shared, Told, TrapDoor,
    calls::{Calls, Went},
    door,
    storm::What,
    users::Engine,
};
use crate::{
    clock::wall_ms,
    error::Result,
    polling::{looks::Looker, scheduler::Scheduler},
    state::{
        outbox::{Draft, Outbox},
        statement,
    },
    stats::{StatsView, count},
};

/// Windows of storms are looked at this often.
const TICK: Duration = Duration::from_millis(250);
/// Unknown senders and counters are told this often, if there is news.
const NEWS: Duration = Duration::from_secs(15);
/// Notifications that are kept in one transaction.
const BATCH: usize = 512;
/// Devices that are read at once because they called.
const READERS: usize = 16;

static FORGET: Sql = statement("agent::traps::forget", "update devices set status_hash = 0 where subject = $1");

/// What the keeper works with.
pub(crate) struct Keeper {
    listener: Arc<Listener>,
    shared: Arc<Shared>,
    send: mpsc::UnboundedSender<Told>,
    told: mpsc::UnboundedReceiver<Told>,
    outbox: Outbox,
    looker: Arc<Looker>,
    scheduler: Arc<Scheduler>,
    plan: watch::Receiver<AgentPlan>,
    engine: Engine,
    calls: Calls,
    said: Option<StatsView>,
}

impl Keeper {
    /// Takes over an open door.
    pub(crate) async fn new(
        door: TrapDoor,
        outbox: Outbox,
        looker: Arc<Looker>,
        scheduler: Arc<Scheduler>,
        agent: Subject,
    ) -> Result<Self> {
        let TrapDoor { listener, shared, send, told } = door;
        let engine = Engine::start(&outbox.state, agent).await?;
        let plan = looker.plan.clone();
        let calls = Calls::default();
        Ok(Self { listener, shared, send, told, outbox, looker, scheduler, plan, engine, calls, said: None })
    }

    /// Works until `stop`; then what was told is still kept.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        self.let_in().await;
        let (listener, shared, send) = (self.listener.clone(), self.shared.clone(), self.send.clone());
        let standing = match door::stand(listener, shared, send, stop.clone()) {
            Ok(standing) => standing,
            Err(error) => return tracing::error!(%error, "nobody can stand at the trap door"),
        };
        let (mut ticks, mut news) = (tokio::time::interval(TICK), tokio::time::interval(NEWS));
        let (mut readings, mut batch) = (JoinSet::new(), Vec::with_capacity(BATCH));
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = self.told.recv_many(&mut batch, BATCH) => {}
                _ = ticks.tick() => self.end_windows(&mut batch),
                Some(ended) = readings.join_next() => self.ended(ended.ok()),
                changed = self.plan.changed() => if changed.is_ok() { self.let_in().await },
                _ = news.tick() => self.tell_senders().await,
            }
            self.keep(std::mem::take(&mut batch)).await;
            self.read_callers(&mut readings);
        }
        // The door's thread ends by the same token; what it still handed over is kept like all before.
        let _ = tokio::task::spawn_blocking(move || standing.join()).await;
        while let Ok(told) = self.told.try_recv() {
            batch.push(told);
        }
        self.keep(batch).await;
        self.tell_senders().await;
    }

    /// Lets the users of the present plan in.
    async fn let_in(&mut self) {
        let credentials = self.plan.borrow_and_update().credentials.clone();
        let engine = self.engine.clone();
        // Pass phrases are stretched: that is work, not waiting.
        let authority = tokio::task::spawn_blocking(move || engine.with(&credentials)).await.ok().flatten();
        self.listener.set_authority(authority);
    }

    /// Windows that are over: the last of what was shed is told.
    fn end_windows(&mut self, batch: &mut Vec<Told>) {
        let now = Instant::now();
        let mut storm = self.shared.storm.lock();
        while let Some(((subject, what), last, shed)) = storm.due(now) {
            let alert = matches!(what, What::Alert(_)).then(|| last.row.alert()).flatten();
            batch.push(Told { subject, alert, snmp: last.snmp, at_ms: last.at_ms, shed, receipt: None });
        }
        drop(storm);
        self.calls.tidy(now);
    }

    /// Keeps alerts in the outbox, acknowledges, and has the devices read.
    async fn keep(&mut self, batch: Vec<Told>) {
        if batch.is_empty() {
            return;
        }
        let now = Instant::now();
        let (mut drafts, mut receipts) = (Vec::<Draft>::new(), Vec::new());
        let mut open: BTreeMap<Subject, usize> = BTreeMap::new();
        for told in batch {
            if !self.looker.may_ask(told.subject) {
                // Nobody would read it, so nobody would ever end what it tells.
                continue;
            }
            self.calls.want(told.subject, now);
            add(&mut drafts, &mut open, &mut receipts, told);
        }
        if drafts.is_empty() {
            return self.listener.acknowledge(&receipts);
        }
        if self.outbox.pressure.is_hard() {
            // The readings tell it once there is room again; an inform that is not kept is not acknowledged.
            return;
        }
        match self.record(drafts).await {
            Ok(()) => self.listener.acknowledge(&receipts),
            Err(error) => tracing::error!(%error, "what devices told could not be kept; they are read instead"),
        }
    }

    /// One transaction: the alerts, and that the next status of their devices is told whatever it says.
    async fn record(&self, drafts: Vec<Draft>) -> Result<()> {
        let subjects: Vec<Subject> = drafts.iter().filter_map(|draft| draft.subject).collect();
        let mut tx = self.outbox.state.write().await?;
        let put = self.outbox.put(&mut tx, drafts).await?;
        tx.many(&FORGET, subjects.iter().map(|subject| params![subject.0].to_vec()).collect()).await?;
        tx.commit().await?;
        for subject in subjects {
            self.shared.fleet.forget_status(subject);
        }
        self.outbox.committed(put);
        self.outbox.hurry.notify_one();
        Ok(())
    }

    fn read_callers(&mut self, readings: &mut JoinSet<(Subject, Went)>) {
        while readings.len() < READERS
            && let Some(subject) = self.calls.next(Instant::now())
        {
            count(&self.shared.stats.trap_reads);
            let (looker, scheduler) = (self.looker.clone(), self.scheduler.clone());
            readings.spawn(async move {
                let Some(met) = looker.called(subject).await else { return (subject, Went::Busy) };
                if let Some(newcomer) = met {
                    scheduler.add(newcomer);
                }
                (subject, Went::Done)
            });
        }
    }

    fn ended(&mut self, ended: Option<(Subject, Went)>) {
        if let Some((subject, went)) = ended {
            self.calls.ended(subject, went, Instant::now());
        }
    }

    /// Tells counters and unknown senders, if there is news. While the server is away it only adds up.
    async fn tell_senders(&mut self) {
        let now = self.shared.stats.view();
        let before = self.said.unwrap_or_default();
        let senders = self.shared.senders.lock().news();
        let quiet = self.said.is_some() && now.traps == before.traps && now.traps_refused == before.traps_refused;
        if (quiet && senders.is_empty()) || self.outbox.pressure.depth() >= MAX_MESSAGES {
            return;
        }
        let body = SendersBody {
            listen: self.listener.local_addr().to_string(),
            received: now.traps - before.traps,
            known: now.traps_known - before.traps_known,
            shed: now.traps_shed - before.traps_shed,
            refused: now.traps_refused - before.traps_refused,
            senders: senders.clone(),
        };
        let draft = Draft { taken_ms: wall_ms(), subject: None, body: Body::Senders(body) };
        match self.outbox.record(vec![draft]).await {
            Ok(()) => {
                self.said = Some(now);
                self.shared.senders.lock().told(&senders);
            }
            Err(error) => tracing::error!(%error, "unknown senders of traps could not be told"),
        }
    }
}

/// Adds what was told to the message about its device.
fn add(drafts: &mut Vec<Draft>, open: &mut BTreeMap<Subject, usize>, receipts: &mut Vec<Receipt>, told: Told) {
    let Told { subject, alert, snmp, at_ms, shed, receipt } = told;
    receipts.extend(receipt);
    let Some(alert) = alert else { return };
    let place = open.get(&subject).and_then(|place| drafts.get_mut(*place));
    if let Some(Draft { taken_ms, body: Body::Trap(body), .. }) = place
        && body.alerts.len() < MAX_TRAP_ALERTS
        && body.snmp == snmp
    {
        body.alerts.push(alert);
        body.shed += shed;
        *taken_ms = at_ms.max(*taken_ms);
        return;
    }
    open.insert(subject, drafts.len());
    let body = Body::Trap(TrapBody { snmp, alerts: vec![alert], shed });
    drafts.push(Draft { taken_ms: at_ms, subject: Some(subject), body });
}
