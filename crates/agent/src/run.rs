//! Start, work, stop: enrols if need be, opens the state, starts the tasks, and ends them in good order.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use snmp::{Engine, EngineConfig, SubnetBudget, Subnets};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use wire::{
    AgentPlan, Body, Subject,
    report::{AgentBody, MAX_MESSAGES},
};

use crate::{
    AgentConfig, AgentStats,
    clock::{Clock, wall_ms},
    discovery::{Discovery, exclusion::Forbidden},
    enrol,
    error::{Error, Result},
    keys::AgentKey,
    orders::{self, KnownKeys, Orders, Ridden, tail::LogTail},
    polling::{fleet::Fleet, intake::Intake, looks::Looker, scheduler::Scheduler, seen::Seen},
    proxy::Proxy,
    relay::Relay,
    state::{
        State,
        identity::{Home, Identity},
        outbox::{Draft, Outbox},
        pressure::SOFT_BYTES,
    },
    stats::StatsView,
    traps::{Keeper, TrapDoor},
    trust,
    uplink::{Uplink, client::Client},
};

/// Signs of life are told this often.
const FLUSH: Duration = Duration::from_secs(5);
/// The agent speaks of itself in each so manieth flush; in each one while a discovery runs.
const BEAT: u64 = 3;
/// The log tells how it goes in each so manieth flush.
const LOG: u64 = 60;

/// Told to the caller once the agent is enrolled and at work.
#[derive(Clone, Debug)]
pub struct Running {
    /// The agent's name on the wire.
    pub agent: Subject,
    /// Gateway that it reports to.
    pub gateway: String,
    /// Where it listens for traps.
    pub traps: Option<SocketAddr>,
    /// Where devices reach the gateway through it.
    pub relay: Option<SocketAddr>,
    /// Figures that go on changing.
    pub stats: Arc<AgentStats>,
}

/// Runs an agent until `shutdown`; then flushes and returns within 10 s.
/// `on_ready` is called once, when it is enrolled and its tasks have begun.
///
/// # Errors
/// When it is not enrolled and cannot enrol, or when its files cannot be used.
pub async fn run(
    config: AgentConfig,
    on_ready: impl FnOnce(Running) + Send,
    shutdown: CancellationToken,
) -> Result<()> {
    let home = Home::open(&config.data)?;
    let (identity, bought_plan) = tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        enrolled = enrol::identity(&config, &home) => enrolled?,
    };
    let agent = Agent { log: config.log.clone(), ..Agent::open(home, identity, bought_plan).await? };
    let open = |address| TrapDoor::open(address, agent.fleet.clone(), agent.stats.clone());
    let door = config.trap_listen.map(open).transpose()?;
    let relay = match config.relay_listen {
        Some(address) => Some(agent.relay(address, config.proxy.clone()).await?),
        None => None,
    };
    on_ready(Running {
        agent: agent.identity.agent,
        gateway: agent.identity.gateway.clone(),
        traps: door.as_ref().map(TrapDoor::address),
        relay: relay.as_ref().map(Relay::address),
        stats: agent.stats.clone(),
    });
    agent.work(Doors { traps: door, relay }, config.proxy.as_ref(), shutdown).await
}

/// Where others knock.
struct Doors {
    traps: Option<TrapDoor>,
    relay: Option<Relay>,
}

/// Everything that is open while an agent runs.
struct Agent {
    home: Home,
    identity: Identity,
    outbox: Outbox,
    plan: watch::Sender<AgentPlan>,
    fleet: Arc<Fleet>,
    clock: Arc<Clock>,
    stats: Arc<AgentStats>,
    keys: Arc<KnownKeys>,
    log: Option<LogTail>,
}

impl Agent {
    async fn open(home: Home, mut identity: Identity, bought_plan: Option<AgentPlan>) -> Result<Self> {
        let stats = Arc::new(AgentStats::default());
        let state = State::open(&home.database()).await?;
        if let Some(plan) = bought_plan {
            state.set_plan(&plan).await?;
        }
        let (outbox, epoch) = Outbox::open(state.clone(), stats.clone(), identity.epoch).await?;
        if epoch != identity.epoch {
            identity.epoch = epoch;
            home.keep(&identity)?;
        }
        let fleet = Arc::new(Fleet::open(&state, stats.clone()).await?);
        let plan = watch::Sender::new(state.plan().await?);
        let devices = stats.view().devices;
        tracing::info!(devices, waiting = outbox.pressure.depth(), epoch, "the agent's file is open");
        let keys = orders::known_keys(&state).await?;
        Ok(Self { home, identity, outbox, plan, fleet, clock: Arc::new(Clock::new()), stats, keys, log: None })
    }

    async fn work(self, doors: Doors, proxy: Option<&Proxy>, shutdown: CancellationToken) -> Result<()> {
        let subnets = Subnets::new(budget(&self.plan.borrow()));
        let config = EngineConfig { shards: 1, ..EngineConfig::default() };
        let engine = Engine::start_with(config, &subnets).map_err(Error::Snmp)?;
        let (giving, given) = orders::way();
        let uplink = self.uplink(proxy, giving)?;
        let healthy = uplink.healthy.subscribe();
        let seen = Arc::new(Seen::default());
        let intake = Arc::new(Intake {
            agent: self.identity.agent,
            fleet: self.fleet.clone(),
            outbox: self.outbox.clone(),
            stats: self.stats.clone(),
        });
        let forbidden = Arc::new(Forbidden::new(self.plan.subscribe()));
        let looker = Arc::new(Looker {
            engine: engine.clone(),
            fleet: self.fleet.clone(),
            intake: intake.clone(),
            seen: seen.clone(),
            forbidden: forbidden.clone(),
            plan: self.plan.subscribe(),
            stats: self.stats.clone(),
            began_ms: wall_ms(),
        });
        let periods = self.outbox.state.periods().await?;
        let scheduler = Arc::new(Scheduler::new(looker.clone(), self.stats.clone(), periods));
        scheduler.replan();
        let sweeps = watch::Sender::new(0);
        let discovery = Discovery {
            engine,
            subnets: subnets.clone(),
            fleet: self.fleet.clone(),
            intake,
            looker: looker.clone(),
            scheduler: scheduler.clone(),
            forbidden,
            plan: self.plan.subscribe(),
            sweeps: sweeps.subscribe(),
            stats: self.stats.clone(),
        };
        let orders = Orders {
            agent: self.identity.agent,
            state: self.outbox.state.clone(),
            client: uplink.client.clone(),
            clock: self.clock.clone(),
            looker: looker.clone(),
            scheduler: scheduler.clone(),
            keys: self.keys.clone(),
            sweeps,
            log: self.log.clone(),
        };
        let (finding, telling) = (shutdown.child_token(), CancellationToken::new());
        let mut finders = JoinSet::new();
        finders.spawn(discovery.run(finding.clone()));
        finders.spawn(orders.run(given, finding.clone()));
        if let Some(relay) = doors.relay {
            finders.spawn(relay.run(finding.clone()));
        }
        if let Some(door) = doors.traps {
            let (outbox, agent) = (self.outbox.clone(), self.identity.agent);
            let keeper = Keeper::new(door, outbox, looker, scheduler.clone(), agent).await?;
            finders.spawn(keeper.run(finding.clone()));
        }
        finders.spawn(scheduler.clone().run(finding.clone()));
        finders.spawn(follow_plan(scheduler, subnets, self.plan.subscribe(), finding));
        let delivering = tokio::spawn(uplink.run(telling.clone()));
        self.keep_telling(&seen, &healthy, &shutdown).await;
        // First nothing new is found, then what was found is kept, then it is delivered once more.
        finders.join_all().await;
        seen.flush(&self.outbox).await;
        telling.cancel();
        let _ = delivering.await;
        tracing::info!(waiting = self.outbox.pressure.depth(), "the agent has stopped");
        Ok(())
    }

    async fn relay(&self, address: SocketAddr, proxy: Option<Proxy>) -> Result<Relay> {
        Relay::open(address, &self.identity.gateway, proxy, self.stats.clone()).await
    }

    fn uplink(&self, proxy: Option<&Proxy>, orders: mpsc::Sender<Ridden>) -> Result<Uplink> {
        let tls = self.home.ca()?.map(|ca| trust::trust_only(&ca)).transpose()?;
        let key = AgentKey::load_or_create(&self.home.key())?;
        let client = Client::new(tls, &self.identity.gateway, self.identity.agent, key, self.clock.clone(), proxy)?;
        Ok(Uplink {
            client: Arc::new(client),
            orders,
            outbox: self.outbox.clone(),
            clock: self.clock.clone(),
            stats: self.stats.clone(),
            home: self.home.clone(),
            identity: self.identity.clone(),
            plan: self.plan.clone(),
            healthy: watch::Sender::new(true),
            batch: MAX_MESSAGES,
            hurried: false,
        })
    }

    /// Signs of life, the agent's own state, shedding and the log, until `shutdown`.
    async fn keep_telling(&self, seen: &Seen, healthy: &watch::Receiver<bool>, shutdown: &CancellationToken) {
        let mut ticks = tokio::time::interval(FLUSH);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut logged = StatsView::default();
        for tick in 0_u64.. {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
                // The server waits to hear it before it gives orders.
                () = self.keys.changed.notified() => {
                    self.beat().await;
                    continue;
                }
            }
            // While the server is away one message must wait, so that someone notices its return; more would be noise.
            let (is_up, depth) = (*healthy.borrow(), self.outbox.pressure.depth());
            if (is_up && depth < MAX_MESSAGES) || depth == 0 {
                seen.flush(&self.outbox).await;
                if tick % BEAT == 0 || self.stats.view().to_probe > 0 {
                    self.beat().await;
                }
            }
            if tick % LOG == LOG - 1 {
                self.log(&mut logged);
                if let Err(e) = self.outbox.shed(SOFT_BYTES).await {
                    tracing::error!(error = %e, "the outbox could not be looked through");
                }
            }
        }
    }

    async fn beat(&self) {
        let now = self.stats.view();
        let body = AgentBody {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            devices: now.devices,
            outbox_depth: now.outbox_depth,
            discovery_probed: now.probed,
            discovery_total: now.to_probe,
            unreachable: now.unreachable,
            discovery_found: now.found,
            discovery_next_ms: i64::try_from(now.next_discovery_ms).unwrap_or(0),
            gateway_key: self.keys.newest(),
        };
        let draft = Draft { taken_ms: wall_ms(), subject: None, body: Body::Agent(body) };
        if let Err(e) = self.outbox.record(vec![draft]).await {
            tracing::error!(error = %e, "the agent's own state could not be kept");
        }
    }

    fn log(&self, before: &mut StatsView) {
        let now = self.stats.view();
        let seconds = FLUSH.as_secs() * LOG;
        tracing::info!(
            devices = now.devices,
            unreachable = now.unreachable,
            polls_per_s = (now.polls - before.polls) / seconds,
            late_polls = now.late_polls - before.late_polls,
            worst_delay_ms = now.worst_delay_ms,
            outbox_depth = now.outbox_depth,
            shed = now.shed,
            rejected = now.rejected,
            traps = now.traps - before.traps,
            traps_shed = now.traps_shed - before.traps_shed,
            relayed = now.relayed - before.relayed,
            relay_refused = now.relay_refused - before.relay_refused,
            clock_offset_ms = self.clock.offset_ms(),
            "at work"
        );
        *before = now;
    }
}

/// Puts devices into the slots of each new plan at once.
async fn follow_plan(
    scheduler: Arc<Scheduler>,
    subnets: Subnets,
    mut plan: watch::Receiver<AgentPlan>,
    stop: CancellationToken,
) {
    plan.mark_unchanged();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            changed = plan.changed() => match changed {
                Ok(()) => {
                    subnets.set(budget(&plan.borrow()));
                    scheduler.replan();
                }
                Err(_) => return,
            }
        }
    }
}

/// What each subnet may get under a plan.
fn budget(plan: &AgentPlan) -> SubnetBudget {
    SubnetBudget { rate_pps: plan.subnet_pps, ..SubnetBudget::default() }
}
