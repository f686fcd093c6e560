//! Devices that return at once after an outage: each connects by itself, says what happened, and where it is refused comes
//! back when it was told to. A device follows the law of the library in its firmware, not the convenience of the server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use wire::monitor::Kind;
use wire::{Outcome, Reply, Subject, cbor};

use super::device::{event, key, report, request};
use super::https::Server;
use super::ingest_site::Standing;
use crate::exit::Exit;

/// Sockets of this process at the same time.
const SOCKETS: usize = 3_000;
/// A device that finds nobody comes again after 5 to 30 s.
const AGAIN_MS: std::ops::Range<u64> = 5_000..30_000;
/// Tries of a device before it counts as lost.
const TRIES: u32 = 60;
/// Width of a bin of the periods that follow, seconds.
const BIN: u32 = 300;

/// `platen bench-run herd-load`
#[derive(Args, Debug)]
pub struct HerdLoadArgs {
    /// What the server under test left when it was ready
    #[arg(long)]
    pub standing: PathBuf,
    /// All return within so many seconds
    #[arg(long)]
    pub within: f64,
}

/// What came of it.
#[derive(Serialize, Deserialize, Debug, Clone, Default)]
pub(in crate::bench) struct Returned {
    pub(in crate::bench) devices: u64,
    /// Messages that were answered as stored.
    pub(in crate::bench) stored: u64,
    /// Devices that gave up.
    pub(in crate::bench) lost: u64,
    /// Refusals with a time to come again, and without.
    pub(in crate::bench) refused: u64,
    pub(in crate::bench) refused_without_time: u64,
    /// Times that nobody answered.
    pub(in crate::bench) unheard: u64,
    /// Until the last was stored.
    pub(in crate::bench) seconds: f64,
    /// Busiest 5 minutes of the next period of the billing counters by the average of all.
    pub(in crate::bench) next_period_peak_by_mean: f64,
}

/// How one device fared.
#[derive(Default)]
struct Fate {
    stored: u64,
    refused: u64,
    refused_without_time: u64,
    unheard: u64,
    lost: bool,
    /// Its slot of the billing counters: start and period.
    slot: Option<(u32, u32)>,
}

pub(super) async fn run(args: HerdLoadArgs) -> Result<Exit> {
    let standing: Standing = serde_json::from_slice(&std::fs::read(&args.standing)?)?;
    let server = Server::new(standing.address, &standing.ca)?;
    let (host, sockets) = (Arc::new(standing.address.to_string()), Arc::new(Semaphore::new(SOCKETS)));
    let began = Instant::now();
    let mut herd = JoinSet::new();
    for (place, sender) in standing.senders.iter().enumerate() {
        let sender = Subject::from_text(sender).context("a name that is none")?;
        let (server, host, sockets) = (server.clone(), host.clone(), sockets.clone());
        let first = Duration::from_secs_f64(rand::rng().random_range(0.0..args.within.max(0.001)));
        herd.spawn(async move {
            tokio::time::sleep(first).await;
            device(u32::try_from(place)?, sender, &server, &host, &sockets).await
        });
    }
    let (mut told, mut bins, mut period) = (Returned::default(), Vec::new(), 0);
    while let Some(fate) = herd.join_next().await {
        let fate: Fate = fate??;
        told.devices += 1;
        told.stored += fate.stored;
        told.lost += u64::from(fate.lost);
        told.refused += fate.refused;
        told.refused_without_time += fate.refused_without_time;
        told.unheard += fate.unheard;
        if let Some((start, every)) = fate.slot {
            period = every;
            bins.resize((every.div_ceil(BIN)) as usize, 0_u32);
            bins[(start / BIN) as usize] += 1;
        }
    }
    told.seconds = began.elapsed().as_secs_f64();
    let all: u32 = bins.iter().sum();
    if all > 0 && period > 0 {
        let mean = f64::from(all) / bins.len() as f64;
        told.next_period_peak_by_mean = f64::from(bins.iter().copied().max().unwrap_or(0)) / mean;
    }
    super::print(&told)
}

async fn device(place: u32, sender: Subject, server: &Server, host: &str, sockets: &Semaphore) -> Result<Fate> {
    let (key, mut fate) = (key(place)?, Fate::default());
    let taken_ms = now_ms()?;
    for _ in 0..TRIES {
        let mut told = report(sender, 2, 1, taken_ms, event(place, 1).into());
        // It has no schedule since the outage, and so is told it.
        told.plan_revision = 0;
        let request = request(&key, &told, now_ms()?, host, false)?;
        let socket = sockets.acquire().await?;
        let answer = match server.connect().await {
            Ok(mut line) => line.ask(&request).await,
            Err(error) => Err(error),
        };
        drop(socket);
        let wait = match answer {
            Ok(answer) if answer.status == 200 => {
                let reply: Reply = cbor::decode(&answer.body).context("an answer does not read")?;
                // After an answer that was lost on the way, what is repeated is there already.
                let there = |outcome| matches!(outcome, Outcome::Stored | Outcome::Duplicate);
                ensure!(reply.results.iter().all(|result| there(result.outcome)), "not stored: {:?}", reply.results);
                fate.stored = reply.results.len() as u64;
                let slots = reply.schedule.into_iter().flat_map(|schedule| schedule.slots);
                fate.slot =
                    slots.into_iter().find(|slot| slot.kind == Kind::Billing).map(|slot| (slot.start_s, slot.period_s));
                return Ok(fate);
            }
            Ok(answer) => {
                ensure!(matches!(answer.status, 429 | 503), "the server answered {}", answer.status);
                fate.refused += 1;
                fate.refused_without_time += u64::from(answer.retry_after_s.is_none());
                let part = Duration::from_millis(rand::rng().random_range(0..1_000));
                answer.retry_after_s.map_or(Duration::from_secs(10), Duration::from_secs) + part
            }
            Err(_) => {
                fate.unheard += 1;
                Duration::from_millis(rand::rng().random_range(AGAIN_MS))
            }
        };
        tokio::time::sleep(wait).await;
    }
    fate.lost = true;
    Ok(fate)
}

fn now_ms() -> Result<i64> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_millis())?)
}
