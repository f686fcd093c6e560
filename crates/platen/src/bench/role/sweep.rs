//! Our side of `snmp-discover`: one sweep over a range.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};
use snmp::Security;
use snmp::sweep::{Ipv4Range, SweepConfig, sweep};

use super::print;
use crate::exit::Exit;

/// `platen bench-run sweep`
#[derive(Args, Debug)]
pub struct SweepArgs {
    /// Where to look
    #[arg(long)]
    pub range: Ipv4Range,
    /// UDP port
    #[arg(long)]
    pub port: u16,
    /// Packets a second
    #[arg(long)]
    pub rate: u32,
    /// Number of credentials
    #[arg(long, default_value_t = 1)]
    pub credentials: usize,
    /// Place of the one that fits, `public`
    #[arg(long, default_value_t = 0)]
    pub fits: usize,
    /// Further tries
    #[arg(long, default_value_t = 2)]
    pub retries: u8,
    /// Milliseconds to wait for an answer
    #[arg(long, default_value_t = 500)]
    pub timeout_ms: u64,
}

/// What it prints.
#[derive(Serialize, Deserialize, Debug, Clone, Copy)]
pub(in crate::bench) struct Swept {
    pub(in crate::bench) probed: u64,
    /// Different addresses found.
    pub(in crate::bench) found: u64,
    pub(in crate::bench) packets: u64,
    pub(in crate::bench) seconds: f64,
}

pub(super) async fn run(args: SweepArgs) -> Result<Exit> {
    let community = |place| if place == args.fits { "public".to_owned() } else { format!("other-{place}") };
    let mut config = SweepConfig::new(vec![args.range]);
    config.port = args.port;
    config.rate_pps = args.rate;
    config.retries = args.retries;
    config.timeout = Duration::from_millis(args.timeout_ms);
    config.securities = (0..args.credentials.max(1)).map(|place| Arc::new(Security::v2c(community(place)))).collect();
    let (send, mut receive) = tokio::sync::mpsc::channel(1_024);
    let sweeping = tokio::spawn(sweep(config, send));
    let mut found = std::collections::HashSet::new();
    while let Some(device) = receive.recv().await {
        found.insert(device.address);
    }
    let summary = sweeping.await??;
    print(&Swept {
        probed: summary.probed,
        found: found.len() as u64,
        packets: summary.packets_sent,
        seconds: summary.seconds,
    })
}
