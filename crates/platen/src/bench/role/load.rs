//! Virtual devices as a load: all of one kind, nothing goes wrong by itself, time stands still.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, Serialize};
use vmfp::{Devices, FleetConfig, Line, Mood};

use super::{leave, secure, stamps, until_closed};
use crate::exit::Exit;

/// `platen bench-run load`
#[derive(Args, Debug)]
pub struct LoadArgs {
    /// How many devices
    #[arg(long)]
    pub devices: u32,
    /// First address
    #[arg(long)]
    pub base: Ipv4Addr,
    /// UDP port; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// All devices are of this description
    #[arg(long, default_value = "sharp-colour-a3")]
    pub profile: String,
    /// All devices are this recording
    #[arg(long)]
    pub walk: Option<PathBuf>,
    /// Share of datagrams lost on each way
    #[arg(long, default_value_t = 0.0)]
    pub loss: f64,
    /// All devices are SNMPv3 engines with the objects of a poll
    #[arg(long)]
    pub v3: bool,
    /// Answer nothing; write when datagrams came
    #[arg(long)]
    pub stamps: Option<PathBuf>,
    /// Written when it listens
    #[arg(long)]
    pub ready_file: PathBuf,
}

/// Where the devices listen.
#[derive(Serialize, Deserialize, Debug, Clone, Copy)]
pub(in crate::bench) struct Loaded {
    pub(in crate::bench) port: u16,
}

pub(super) async fn run(args: LoadArgs) -> Result<Exit> {
    if let Some(path) = &args.stamps {
        return tokio::task::block_in_place(|| stamps::run(&args, path));
    }
    if args.v3 {
        return secure::load(&args).await;
    }
    let devices = match args.walk {
        Some(file) => Devices::Walks(vec![file; args.devices as usize]),
        None => Devices::Profile { name: args.profile, count: args.devices, base: args.base },
    };
    let fleet = vmfp::start(FleetConfig {
        devices,
        snmp_port: args.port,
        speed: 0.0,
        mood: Mood::Faultless,
        line: Line { loss: args.loss, ..Line::default() },
        walk_base: args.base,
        ..FleetConfig::default()
    })
    .await
    .context("the load does not start")?;
    leave(&args.ready_file, &Loaded { port: fleet.snmp_port() })?;
    tokio::task::spawn_blocking(until_closed).await?;
    fleet.stop().await;
    Ok(Exit::Success)
}
