//! Delivers the outbox in order, one request at a time, and brings back plans. A server that is away costs only delay.

mod backoff;
pub(crate) mod client;

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use wire::{AgentPlan, Message, Reply, Report, Subject, report::MAX_MESSAGES};

use crate::{
    clock::{Clock, wall_ms},
    error::Result,
    orders::Ridden,
    state::{
        identity::{Home, Identity},
        outbox::Outbox,
    },
    stats::{AgentStats, count},
};
use backoff::Backoff;
use client::{Client, Failure};

/// Messages that come within this time travel together.
const GATHER: Duration = Duration::from_millis(50);
/// The queue is looked at this often even if nobody calls.
const LOOK: Duration = Duration::from_secs(30);
/// Time for a request under way when the agent stops.
const PATIENCE: Duration = Duration::from_secs(2);
/// Time for a last delivery after that.
const FAREWELL: Duration = Duration::from_secs(4);

/// The task that delivers.
pub(crate) struct Uplink {
    pub(crate) client: Arc<Client>,
    pub(crate) outbox: Outbox,
    pub(crate) clock: Arc<Clock>,
    pub(crate) stats: Arc<AgentStats>,
    pub(crate) home: Home,
    pub(crate) identity: Identity,
    pub(crate) plan: watch::Sender<AgentPlan>,
    /// Where orders go that ride on answers.
    pub(crate) orders: mpsc::Sender<Ridden>,
    /// Whether the last request went well; poll tasks hold signs of life back while it did not.
    pub(crate) healthy: watch::Sender<bool>,
    /// Most messages in the next report; small after a report that the server could not take as a whole.
    pub(crate) batch: usize,
    /// The last report held only what was urgent.
    pub(crate) hurried: bool,
}

/// What to do next.
enum Next {
    /// There may be more.
    Go,
    /// Nothing to send until something is put or this time has passed.
    Idle(Duration),
    /// The server was away or asks for patience.
    Rest(Duration),
}

impl Uplink {
    /// Delivers until `stop`; then makes one last attempt.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        while !stop.is_cancelled() {
            let stepped = tokio::select! {
                stepped = self.step(&mut backoff) => stepped,
                // A request that is cut off here goes again: its messages are still in the outbox.
                () = async { stop.cancelled().await; tokio::time::sleep(PATIENCE).await } => break,
            };
            let next = stepped.unwrap_or_else(|e| {
                tracing::error!(error = %e, "the outbox cannot be read");
                Next::Rest(Duration::from_secs(10))
            });
            let (filled, hurry) = (self.outbox.filled.clone(), self.outbox.hurry.clone());
            tokio::select! {
                () = stop.cancelled() => break,
                () = async {
                    match next {
                        Next::Go => {}
                        Next::Rest(wait) => tokio::time::sleep(wait).await,
                        Next::Idle(most) => {
                            if tokio::time::timeout(most, filled.notified()).await.is_ok() {
                                // What a device calls about does not wait for company.
                                let _ = tokio::time::timeout(GATHER, hurry.notified()).await;
                            }
                        }
                    }
                } => {}
            }
        }
        if *self.healthy.borrow() {
            let farewell = async { while matches!(self.step(&mut backoff).await, Ok(Next::Go)) {} };
            let _ = tokio::time::timeout(FAREWELL, farewell).await;
        }
    }

    async fn step(&mut self, backoff: &mut Backoff) -> Result<Next> {
        if let Some(epoch) = self.outbox.take_over(self.identity.epoch).await? {
            self.identity.epoch = epoch;
            self.home.keep(&self.identity)?;
            tracing::info!(epoch, "what waited on the other machine is delivered; a new epoch begins");
        }
        // What devices call about goes first, but not twice running: the others must come through as well.
        let mut messages = if self.hurried { Vec::new() } else { self.outbox.urgent(self.batch).await? };
        self.hurried = !messages.is_empty();
        if messages.is_empty() {
            messages = self.outbox.next(self.batch).await?;
        }
        if messages.is_empty() {
            let due = self.outbox.next_due().await?.map_or(LOOK, |at| millis(at - wall_ms()));
            return Ok(Next::Idle(due.clamp(GATHER, LOOK)));
        }
        let report = self.report(messages);
        count(&self.stats.requests);
        match self.client.report(&report).await {
            Ok(reply) => self.delivered(&report.messages, reply, backoff).await,
            Err(failure) => {
                count(&self.stats.failed_requests);
                self.failed(report.messages, failure, backoff).await
            }
        }
    }

    fn report(&self, messages: Vec<Message>) -> Report {
        Report {
            version: 1,
            sender: self.identity.agent,
            epoch: self.identity.epoch,
            clock_ms: wall_ms(),
            mono_ms: self.clock.mono_ms(),
            messages,
            plan_revision: self.plan.borrow().revision,
        }
    }

    async fn delivered(&mut self, sent: &[Message], mut reply: Reply, backoff: &mut Backoff) -> Result<Next> {
        if backoff.failures() > 0 {
            tracing::info!(waiting = self.outbox.pressure.depth(), "the server is back");
        }
        self.clock.learn(reply.server_ms);
        if let Some(ridden) = Ridden::of(&mut reply) {
            // What finds no room comes again: the server gives an order until it is answered.
            let _ = self.orders.try_send(ridden);
        }
        let settled = self.outbox.settle(sent, self.identity.epoch, &reply.results).await?;
        if settled.epoch_is_over {
            let floor = self.identity.epoch.max(u64::try_from(reply.server_ms).unwrap_or(0));
            self.identity.epoch = self.outbox.begin_epoch(floor).await?;
            self.home.keep(&self.identity)?;
            tracing::warn!(epoch = self.identity.epoch, "the server knows a later epoch; a new one was begun");
        }
        if let Some(plan) = reply.plan {
            self.follow(plan).await?;
        }
        self.healthy.send_replace(true);
        self.batch = (self.batch * 2).min(MAX_MESSAGES);
        let wished = reply.not_before_ms.map(|at| millis(at - self.clock.server_ms()));
        if settled.gone + settled.renumbered == 0 {
            // Nothing was taken: as good as a failure, or this would spin.
            return Ok(Next::Rest(backoff.failed(rand::random(), wished)));
        }
        backoff.succeeded();
        Ok(wished.filter(|wait| !wait.is_zero()).map_or(Next::Go, Next::Rest))
    }

    async fn follow(&self, plan: AgentPlan) -> Result<()> {
        if plan == *self.plan.borrow() {
            return Ok(());
        }
        self.outbox.state.set_plan(&plan).await?;
        tracing::info!(revision = plan.revision, ranges = plan.ranges.len(), "following a new plan");
        self.plan.send_replace(plan);
        Ok(())
    }

    async fn failed(&mut self, messages: Vec<Message>, failure: Failure, backoff: &mut Backoff) -> Result<Next> {
        match &failure {
            Failure::Clock(_) if backoff.failures() == 0 => {
                tracing::warn!("{failure}");
                backoff.failed(0.0, None);
                return Ok(Next::Go);
            }
            Failure::TooLarge | Failure::Malformed(_) => {
                // Halve until the one message that cannot pass stands alone, and let the others go.
                if let [alone] = messages.as_slice() {
                    tracing::error!(
                        kind = alone.body.kind(),
                        "a message cannot be delivered and was dropped: {failure}"
                    );
                    self.outbox.give_up(alone).await?;
                }
                self.batch = (messages.len() / 2).max(1);
                return Ok(Next::Go);
            }
            _ => {}
        }
        let wish = match &failure {
            Failure::Later { wait, .. } => *wait,
            Failure::Forbidden => Some(Duration::from_secs(30)),
            _ => None,
        };
        self.healthy.send_replace(false);
        let wait = backoff.failed(rand::random(), wish);
        let (failures, waiting) = (backoff.failures(), self.outbox.pressure.depth());
        if failures.is_power_of_two() {
            tracing::warn!(failures, waiting, wait_ms = wait.as_millis() as u64, "{failure}");
        }
        Ok(Next::Rest(wait))
    }
}

/// Milliseconds as a duration; none when they are negative.
fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

/// What people may know of a subject in a log.
pub(crate) fn short(subject: Subject) -> String {
    subject.to_text().chars().take(8).collect()
}
