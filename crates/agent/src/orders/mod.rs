//! Orders of the server: they ride on the answers to reports. Each is checked (signature, name, time), noted before it is
//! begun, so that no stop of the agent can repeat it, and answered when it has come to its end.

mod deeds;
pub(crate) mod tail;

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};
use std::time::Duration;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use wire::command::{Ack, Acks, Command, Order, Taken, Unfit};
use wire::hello::GatewayKey;
use wire::{Reply, Subject};

use crate::{
    clock::Clock,
    error::Result,
    orders::tail::LogTail,
    polling::{looks::Looker, scheduler::Scheduler},
    state::State,
    uplink::client::Client,
};

/// Answers that the server has not taken are told again after this time; they also go with the next order.
const AGAIN: Duration = Duration::from_secs(30);
/// Answers of servers that wait to be looked at; whatever does not fit comes again with the next one.
const WAITING: usize = 16;

/// What rode on the answer to a report.
#[derive(Debug)]
pub(crate) struct Ridden {
    commands: Vec<Command>,
    keys: Vec<GatewayKey>,
}

impl Ridden {
    /// Takes it from an answer; `None`: nothing rode on it.
    pub(crate) fn of(reply: &mut Reply) -> Option<Self> {
        let ridden = Self { commands: std::mem::take(&mut reply.commands), keys: std::mem::take(&mut reply.keys) };
        (!ridden.commands.is_empty() || !ridden.keys.is_empty()).then_some(ridden)
    }
}

/// Which keys of the gateway are known; shared with whoever tells it.
#[derive(Debug, Default)]
pub(crate) struct KnownKeys {
    keys: Mutex<Vec<GatewayKey>>,
    newest: AtomicU32,
    /// Told when they changed.
    pub(crate) changed: Notify,
}

impl KnownKeys {
    /// Number of the newest; 0: none.
    pub(crate) fn newest(&self) -> u32 {
        self.newest.load(Relaxed)
    }

    fn set(&self, keys: Vec<GatewayKey>) {
        self.newest.store(keys.iter().map(|key| key.id).max().unwrap_or(0), Relaxed);
        *self.keys.lock() = keys;
    }
}

/// What executing orders needs; shared by all that are under way.
pub(crate) struct Orders {
    pub(crate) agent: Subject,
    pub(crate) state: State,
    pub(crate) client: Arc<Client>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) looker: Arc<Looker>,
    pub(crate) scheduler: Arc<Scheduler>,
    pub(crate) keys: Arc<KnownKeys>,
    /// Raised when a discovery is wanted.
    pub(crate) sweeps: watch::Sender<u64>,
    /// The end of the log; `None`: nobody keeps one.
    pub(crate) log: Option<LogTail>,
}

/// The two ends of the way from the uplink to [`Orders::run`].
pub(crate) fn way() -> (mpsc::Sender<Ridden>, mpsc::Receiver<Ridden>) {
    mpsc::channel(WAITING)
}

impl Orders {
    /// Takes orders until `stop`; those under way then are told as broken off at the next start.
    pub(crate) async fn run(self, mut ridden: mpsc::Receiver<Ridden>, stop: CancellationToken) {
        let this = Arc::new(self);
        if let Err(e) = this.state.break_orders().await {
            tracing::error!(error = %e, "orders of before cannot be read");
        }
        let mut under_way = JoinSet::new();
        loop {
            this.tell().await;
            tokio::select! {
                () = stop.cancelled() => return,
                Some(ridden) = ridden.recv() => {
                    if let Err(e) = this.take(ridden, &mut under_way).await {
                        tracing::error!(error = %e, "an order cannot be noted; the server gives it again");
                    }
                }
                Some(_) = under_way.join_next(), if !under_way.is_empty() => {}
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }

    /// Tells answers that the server does not have yet.
    async fn tell(&self) {
        let told = async {
            let acks = self.state.untold_orders().await?;
            if !acks.is_empty() && self.answer(acks.clone()).await {
                self.state.told_orders(&acks, self.clock.server_ms()).await?;
            }
            Ok::<_, crate::Error>(())
        };
        if let Err(e) = told.await {
            tracing::error!(error = %e, "answers to orders cannot be kept");
        }
    }

    async fn answer(&self, acks: Vec<Ack>) -> bool {
        match self.client.acknowledge(&Acks { acks }).await {
            Ok(()) => true,
            Err(failure) => {
                tracing::debug!(%failure, "answers to orders wait");
                false
            }
        }
    }

    async fn take(self: &Arc<Self>, ridden: Ridden, under_way: &mut JoinSet<()>) -> Result<()> {
        if self.keys.newest() == 0 && is_usable(&ridden.keys) {
            self.learn(ridden.keys).await?;
        }
        let mut unfit = Vec::new();
        for command in ridden.commands {
            match self.open(&command) {
                Ok(order) => {
                    if self.state.begin_order(order.id, order.expires_ms).await? {
                        let this = self.clone();
                        under_way.spawn(async move { this.execute(order).await });
                    }
                }
                Err(Unfit { id, why }) => {
                    tracing::warn!(why, "an order is not executed");
                    unfit.extend(id.map(|id| Ack { id, taken: Taken::Refused, detail: Some(why.to_owned()) }));
                }
            }
        }
        if !unfit.is_empty() {
            self.answer(unfit).await;
        }
        Ok(())
    }

    fn open(&self, command: &Command) -> std::result::Result<Order, Unfit> {
        let verify = |key: &[u8], message: &[u8], signature: &[u8]| {
            UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
        };
        command.open(self.agent, &self.keys.keys.lock(), self.clock.server_ms(), verify)
    }

    /// Knows these keys from now on, and no others.
    async fn learn(&self, keys: Vec<GatewayKey>) -> Result<()> {
        self.state.set_gateway_keys(&keys).await?;
        self.keys.set(keys);
        self.keys.changed.notify_one();
        tracing::info!(newest = self.keys.newest(), "the gateway's keys are known; orders are taken");
        Ok(())
    }

    async fn execute(&self, order: Order) {
        let id = order.id;
        let ack = match self.deed(order).await {
            Ok(detail) => Ack { id, taken: Taken::Done, detail: Some(detail) },
            Err((taken, why)) => Ack { id, taken, detail: Some(why) },
        };
        let detail = ack.detail.as_deref().unwrap_or_default();
        tracing::info!(order.id = crate::uplink::short(id), taken = ?ack.taken, detail, "an order has come to its end");
        if let Err(e) = self.state.end_order(&ack).await {
            tracing::error!(error = %e, "what came of an order cannot be kept");
        }
    }
}

/// Reads the keys that are known from before.
pub(crate) async fn known_keys(state: &State) -> Result<Arc<KnownKeys>> {
    let known = KnownKeys::default();
    known.set(state.gateway_keys().await?);
    Ok(Arc::new(known))
}

fn is_usable(keys: &[GatewayKey]) -> bool {
    !keys.is_empty() && keys.iter().all(|key| key.id > 0 && key.verify.len() == 32)
}
