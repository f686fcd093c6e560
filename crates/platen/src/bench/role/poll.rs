//! Our side of `snmp-poll`: the same GET from many devices, again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use snmp::engine::{Poller, PollerConfig, Prepared};
use snmp::{Engine, EngineConfig, Oid, Security, Target};

use super::{Done, Range, print};
use crate::exit::Exit;

/// The cheap poll of a printer and three objects more.
pub(in crate::bench) const EIGHT: [&str; 8] = [
    "1.3.6.1.2.1.43.5.1.1.1.1",
    "1.3.6.1.2.1.43.5.1.1.19.1",
    "1.3.6.1.2.1.25.3.5.1.2.1",
    "1.3.6.1.2.1.43.10.2.1.4.1.1",
    "1.3.6.1.2.1.1.3.0",
    "1.3.6.1.2.1.25.3.5.1.1.1",
    "1.3.6.1.2.1.43.11.1.1.9.1.1",
    "1.3.6.1.2.1.43.11.1.1.9.1.2",
];

/// `platen bench-run poll`
#[derive(Args, Debug)]
pub struct PollArgs {
    /// Devices
    #[command(flatten)]
    pub range: Range,
    /// How often each is asked
    #[arg(long)]
    pub rounds: u32,
    /// Most requests on the way
    #[arg(long, default_value_t = 1_024)]
    pub window: usize,
    /// By SNMPv3, authenticated and encrypted
    #[arg(long)]
    pub v3: bool,
    /// Which part of the library asks
    #[arg(long, default_value = "poller")]
    pub by: By,
}

/// The ways to ask.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Requests written once, answers shown in place
    Poller,
    /// Futures, as the readers of devices use them
    Engine,
}

/// What it prints.
pub(in crate::bench) type Polled = Done;

pub(super) async fn run(args: PollArgs) -> Result<Exit> {
    let oids = EIGHT.iter().map(|text| text.parse()).collect::<Result<Vec<Oid>, _>>()?;
    let security = if args.v3 { Security::v3(Arc::new(super::secure::user())) } else { Security::v2c("public") };
    let security = Arc::new(security);
    let (timeout, retries) = (Duration::from_secs(1), 3);
    let target = |address| Target { address, security: Arc::clone(&security), timeout, retries };
    let targets: Vec<Target> = args.range.addresses().map(target).collect();
    match args.by {
        By::Poller => print(&with_poller(&args, &targets, &oids)?),
        By::Engine => print(&with_engine(&args, targets, oids).await?),
    }
}

fn with_poller(args: &PollArgs, targets: &[Target], oids: &[Oid]) -> Result<Polled> {
    let requests = targets.iter().map(|target| Prepared::get(target, oids)).collect::<Result<Vec<_>, _>>()?;
    let mut poller = Poller::open(PollerConfig { in_flight: args.window, ..PollerConfig::default() })?;
    let mut polled = Polled { done: 0, failed: 0 };
    for _ in 0..args.rounds {
        poller.poll(&requests, |_, answer| {
            let whole = answer.is_ok_and(|pdu| {
                let values = pdu.varbinds.filter(|item| item.as_ref().is_ok_and(|item| !item.value.is_exception()));
                values.count() == EIGHT.len()
            });
            *if whole { &mut polled.done } else { &mut polled.failed } += 1;
        })?;
    }
    Ok(polled)
}

async fn with_engine(args: &PollArgs, targets: Vec<Target>, oids: Vec<Oid>) -> Result<Polled> {
    let engine = Engine::start(EngineConfig { shards: 1, ..EngineConfig::default() })?;
    let (targets, oids) = (Arc::new(targets), Arc::new(oids));
    let total = targets.len() as u64 * u64::from(args.rounds);
    let (next, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let askers: Vec<_> = (0..args.window)
        .map(|_| {
            let (engine, targets, oids) = (engine.clone(), Arc::clone(&targets), Arc::clone(&oids));
            let (next, done) = (Arc::clone(&next), Arc::clone(&done));
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= total {
                        return;
                    }
                    let answer = engine.get(&targets[number as usize % targets.len()], &oids).await;
                    if answer.is_ok_and(|values| values.iter().all(|item| !item.value.is_missing())) {
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    for asker in askers {
        asker.await?;
    }
    let done = done.load(Ordering::Relaxed);
    Ok(Polled { done, failed: total - done })
}
