//! An agent led by hand: enrolled, not running, it reads what it is told when it is told, dated as it is told.
//! What it read waits in its outbox; [`crate::run`] on the same folder delivers it, as after weeks without a line.

use std::{net::SocketAddr, sync::Arc};

use device::Access;
use snmp::{Engine, EngineConfig};
use tokio::task::JoinSet;
use wire::{Subject, plan::SnmpCredential};

use crate::{
    AgentConfig, AgentStats, enrol,
    error::{Error, Result},
    polling::{fleet::Fleet, intake::Intake, looks::FULL_TIME},
    state::{State, identity::Home, outbox::Outbox},
};

/// An agent that reads on demand.
#[derive(Debug)]
pub struct ByHand {
    agent: Subject,
    engine: Engine,
    fleet: Arc<Fleet>,
    intake: Arc<Intake>,
    credentials: Vec<SnmpCredential>,
}

impl ByHand {
    /// Opens the folder of an agent that is not running; enrols it if need be. It knows these credentials.
    ///
    /// # Errors
    /// When it is not enrolled and cannot enrol, or when its files cannot be used.
    pub async fn open(config: &AgentConfig, credentials: Vec<SnmpCredential>) -> Result<Self> {
        let home = Home::open(&config.data)?;
        let (mut identity, plan) = enrol::identity(config, &home).await?;
        let state = State::open(&home.database()).await?;
        if let Some(plan) = plan {
            state.set_plan(&plan).await?;
        }
        let stats = Arc::new(AgentStats::default());
        let (outbox, epoch) = Outbox::open(state.clone(), stats.clone(), identity.epoch).await?;
        if epoch != identity.epoch {
            identity.epoch = epoch;
            home.keep(&identity)?;
        }
        let fleet = Arc::new(Fleet::open(&state, stats.clone()).await?);
        let engine = Engine::start(EngineConfig { shards: 1, ..EngineConfig::default() }).map_err(Error::Snmp)?;
        let intake = Arc::new(Intake { agent: identity.agent, fleet: fleet.clone(), outbox, stats });
        Ok(Self { agent: identity.agent, engine, fleet, intake, credentials })
    }

    /// The agent's name on the wire.
    #[must_use]
    pub fn agent(&self) -> Subject {
        self.agent
    }

    /// Reads everything at these addresses at once and keeps what is new, dated `taken_ms` (milliseconds since 1970).
    /// Returns how many answered; who does not is passed over.
    ///
    /// # Errors
    /// When the agent's file cannot be written.
    pub async fn read(&self, addresses: &[SocketAddr], taken_ms: i64) -> Result<usize> {
        let mut readings = JoinSet::new();
        for address in addresses {
            let access = Access { credentials: self.credentials.clone(), timeout: FULL_TIME, ..Access::new(*address) };
            let known = self.fleet.at(*address).map(|device| device.row.known);
            let (engine, intake) = (self.engine.clone(), self.intake.clone());
            readings.spawn(async move {
                let read = match known {
                    Some(known) => device::reread(&engine, &access, &known).await,
                    None => device::read(&engine, &access).await,
                };
                let Ok(read) = read else { return Ok(false) };
                intake.full(access.address, &read, taken_ms, false).await.map(|_| true)
            });
        }
        let answered = readings.join_all().await.into_iter().collect::<Result<Vec<bool>>>()?;
        Ok(answered.into_iter().filter(|answered| *answered).count())
    }
}
