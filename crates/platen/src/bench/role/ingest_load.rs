//! Devices that deliver as fast as they are answered: so many connections, each with its own share of the devices. All
//! requests are made and signed before the clock starts, so that the same client measures any server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use wire::{Body, Outcome, Reply, Subject, cbor};

use super::device::{LARGE, counters, dictionary_hash, event, key, report, request};
use super::https::{Line, Server};
use super::ingest_site::Standing;
use crate::exit::Exit;

/// What is told.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// Errors with their service values, 0.5 to 5 KB
    Events,
    /// Sets of 4,500 counters
    Counters,
}

/// `platen bench-run ingest-load`
#[derive(Args, Debug)]
pub struct IngestLoadArgs {
    /// What the server under test left when it was ready
    #[arg(long)]
    pub standing: PathBuf,
    /// Another server, as a peer; its answers are only counted
    #[arg(long)]
    pub peer: Option<std::net::SocketAddr>,
    /// Certificate of the peer
    #[arg(long)]
    pub peer_ca: Option<PathBuf>,
    /// What
    #[arg(long)]
    pub what: Load,
    /// Requests in all
    #[arg(long)]
    pub requests: u32,
    /// At the same time
    #[arg(long, default_value_t = 64)]
    pub connections: u32,
    /// Epoch of the numbers; a later run has a later one
    #[arg(long)]
    pub epoch: u64,
}

/// What came of it.
#[derive(Serialize, Deserialize, Debug, Clone, Default)]
pub(in crate::bench) struct Delivered {
    pub(in crate::bench) reports: u64,
    /// Messages that were answered as stored.
    pub(in crate::bench) stored: u64,
    pub(in crate::bench) seconds: f64,
    /// Bytes of all requests.
    pub(in crate::bench) bytes: u64,
    /// Milliseconds of an answer.
    pub(in crate::bench) p50_ms: f64,
    pub(in crate::bench) p99_ms: f64,
}

pub(super) async fn run(args: IngestLoadArgs) -> Result<Exit> {
    let standing: Standing = serde_json::from_slice(&std::fs::read(&args.standing)?)?;
    let server = match (&args.peer, &args.peer_ca) {
        (Some(address), Some(ca)) => Server::new(*address, ca)?,
        (None, None) => Server::new(standing.address, &standing.ca)?,
        _ => bail!("a peer has an address and a certificate"),
    };
    let connections = args.connections.clamp(1, args.requests.max(1));
    ensure!(standing.senders.len() >= connections as usize, "fewer devices than connections");
    let args = Arc::new(args);
    let mut making = JoinSet::new();
    for place in 0..connections {
        let (args, senders, host) = (args.clone(), standing.senders.clone(), standing.address.to_string());
        making.spawn_blocking(move || share(&args, &senders, &host, place, connections));
    }
    let mut shares = Vec::new();
    while let Some(made) = making.join_next().await {
        shares.push(made??);
    }
    let bytes = shares.iter().flatten().map(|request| request.len() as u64).sum();
    let start = Arc::new(Barrier::new(shares.len() + 1));
    let mut lines = JoinSet::new();
    for share in shares {
        let line = server.connect().await?;
        lines.spawn(deliver(line, share, start.clone(), args.peer.is_none()));
    }
    start.wait().await;
    let began = Instant::now();
    let (mut told, mut times) = (Delivered { bytes, ..Delivered::default() }, Vec::new());
    while let Some(done) = lines.join_next().await {
        let (stored, took) = done??;
        told.stored += stored;
        told.reports += took.len() as u64;
        times.extend(took);
    }
    told.seconds = began.elapsed().as_secs_f64();
    times.sort_unstable();
    let at =
        |share: usize| times.get(times.len() * share / 100).map_or(0.0, |time: &Duration| time.as_secs_f64() * 1e3);
    (told.p50_ms, told.p99_ms) = (at(50), at(99));
    super::print(&told)
}

/// The requests of one connection, for its devices in turn.
fn share(args: &IngestLoadArgs, senders: &[String], host: &str, line: u32, lines: u32) -> Result<Vec<Vec<u8>>> {
    let mine: Vec<u32> = (line..u32::try_from(senders.len())?).step_by(lines as usize).collect();
    let count = args.requests / lines + u32::from(line < args.requests % lines);
    let (now_ms, hash) = (
        i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis())?,
        dictionary_hash(),
    );
    let mut keys = Vec::new();
    for place in &mine {
        keys.push((
            *place,
            Subject::from_text(&senders[*place as usize]).context("a name that is none")?,
            key(*place)?,
        ));
    }
    let mut requests = Vec::with_capacity(count as usize);
    for turn in 0..count {
        let (place, sender, key) = &keys[turn as usize % keys.len()];
        let round = turn / u32::try_from(keys.len())?;
        // A moment of its own for each: repeats have no effect.
        let taken_ms = now_ms - i64::from(count) + i64::from(turn);
        let made = match args.what {
            Load::Events => {
                let first = u64::from(round) * 2 + 1;
                let bodies = event(*place, args.epoch << 24 | first).into();
                request(key, &report(*sender, args.epoch, first, taken_ms, bodies), now_ms, host, false)?
            }
            Load::Counters => {
                let told = u32::try_from(args.epoch)? * 1_000 + round;
                let bodies = vec![Body::Billing(counters(*place, told, hash, LARGE))];
                request(key, &report(*sender, args.epoch, u64::from(round) + 1, taken_ms, bodies), now_ms, host, true)?
            }
        };
        requests.push(made);
    }
    Ok(requests)
}

async fn deliver(
    mut line: Line,
    requests: Vec<Vec<u8>>,
    start: Arc<Barrier>,
    ours: bool,
) -> Result<(u64, Vec<Duration>)> {
    start.wait().await;
    let (mut stored, mut times) = (0, Vec::with_capacity(requests.len()));
    for request in requests {
        let began = Instant::now();
        let answer = line.ask(&request).await?;
        times.push(began.elapsed());
        if !ours {
            ensure!(answer.status == 204, "the peer answered {}", answer.status);
            continue;
        }
        let text = || String::from_utf8_lossy(&answer.body).into_owned();
        ensure!(answer.status == 200, "the server answered {}: {}", answer.status, text());
        let reply: Reply = cbor::decode(&answer.body).context("an answer does not read")?;
        for result in reply.results {
            ensure!(result.outcome == Outcome::Stored, "a message was answered {:?}", result);
            stored += 1;
        }
    }
    Ok((stored, times))
}
