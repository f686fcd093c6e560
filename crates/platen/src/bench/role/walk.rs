//! Our side of `snmp-walk`: every device walked once by an engine that knows nothing of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};
use snmp::{Engine, EngineConfig, Oid, Security, Target, WalkLimits};

use super::{Range, print};
use crate::exit::Exit;

/// `platen bench-run walk`
#[derive(Args, Debug)]
pub struct WalkArgs {
    /// Devices
    #[command(flatten)]
    pub range: Range,
    /// Devices walked at the same time
    #[arg(long, default_value_t = 64)]
    pub window: usize,
    /// How often, each time by an engine that knows nothing
    #[arg(long, default_value_t = 1)]
    pub rounds: u32,
}

/// What it prints.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, Default)]
pub(in crate::bench) struct Walked {
    /// Whole walks.
    pub(in crate::bench) done: u64,
    pub(in crate::bench) failed: u64,
    /// Objects read, all walks together.
    pub(in crate::bench) rows: u64,
    /// Requests, all walks together.
    pub(in crate::bench) exchanges: u64,
}

pub(super) async fn run(args: WalkArgs) -> Result<Exit> {
    let security = Arc::new(Security::v2c("public"));
    let (timeout, retries) = (Duration::from_secs(1), 3);
    let target = |address| Target { address, security: Arc::clone(&security), timeout, retries };
    let targets: Arc<Vec<Target>> = Arc::new(args.range.addresses().map(target).collect());
    let mut all = Walked::default();
    for _ in 0..args.rounds {
        let engine = Engine::start(EngineConfig { shards: 1, ..EngineConfig::default() })?;
        let next = Arc::new(AtomicUsize::new(0));
        let walk = |_| tokio::spawn(walk_some(engine.clone(), Arc::clone(&targets), Arc::clone(&next)));
        let walkers: Vec<_> = (0..args.window).map(walk).collect();
        for walker in walkers {
            let some = walker.await?;
            all.done += some.done;
            all.failed += some.failed;
            all.rows += some.rows;
            all.exchanges += some.exchanges;
        }
    }
    print(&all)
}

async fn walk_some(engine: Engine, targets: Arc<Vec<Target>>, next: Arc<AtomicUsize>) -> Walked {
    let (root, limits, mut walked) = (Oid::of("1.3"), WalkLimits::default(), Walked::default());
    while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
        match engine.walk(target, &root, &limits).await {
            Ok(walk) if !walk.incomplete => {
                walked.done += 1;
                walked.rows += walk.rows.len() as u64;
                walked.exchanges += u64::from(walk.exchanges);
            }
            _ => walked.failed += 1,
        }
    }
    walked
}
