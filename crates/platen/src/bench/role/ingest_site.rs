//! A server with so many registered devices, each known by its first status. It keeps telling in a file what has come and
//! what waits; it ends when its standard input closes, and then says what the raw log holds.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use platen_core::monitors::{self, NewMonitor};
use platen_core::users::{self, LocalUser};
use platen_core::{Ctx, Platform, Role, Secret, reports};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use wire::hello::{Hello, Road};
use wire::monitor::Kind;
use wire::{Body, Subject};

use super::device::{VENDOR, dictionary, public, report, serial, status};
use super::{leave, together};
use crate::config::Resolved;
use crate::doors::Doors;
use crate::exit::Exit;
use crate::site;

const EMAIL: &str = "bench@platen.example";
/// What has come is told this often.
const TELL: Duration = Duration::from_millis(200);

/// `platen bench-run ingest-site`
#[derive(Args, Debug)]
pub struct IngestSiteArgs {
    /// Folder of the server
    #[arg(long)]
    pub data: PathBuf,
    /// Database; without it a SQLite file in the folder
    #[arg(long)]
    pub database: Option<String>,
    /// How many devices
    #[arg(long)]
    pub devices: u32,
    /// Written when all devices are known
    #[arg(long)]
    pub ready_file: PathBuf,
    /// Written again and again
    #[arg(long)]
    pub state_file: PathBuf,
}

/// Where reports go, and under which names.
#[derive(Serialize, Deserialize, Debug, Clone)]
pub(in crate::bench) struct Standing {
    pub(in crate::bench) address: SocketAddr,
    pub(in crate::bench) ca: PathBuf,
    /// Names of the devices in the order of their places, as text.
    pub(in crate::bench) senders: Vec<String>,
    /// Seconds that their registration took.
    pub(in crate::bench) seconds: f64,
}

/// What a server says of itself.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, Default)]
pub(in crate::bench) struct Taken {
    /// Reports whose effect is still to come.
    pub(in crate::bench) open: u64,
    /// How long the oldest of them waits, seconds.
    pub(in crate::bench) oldest_s: f64,
    /// Most resident memory so far, MB.
    pub(in crate::bench) peak_mb: f64,
}

pub(super) async fn run(args: IngestSiteArgs) -> Result<Exit> {
    let stop = CancellationToken::new();
    let mut config = Resolved::local(&args.data);
    if let Some(database) = args.database.clone() {
        config.database = database;
    }
    let platform = site::open(&config.data, &config.database, &config.blobs).await?;
    let doors = Doors::open(platform.clone(), &config, true, stop.clone()).await?;
    let began = std::time::Instant::now();
    let senders = register(&platform, args.devices).await?;
    while reports::backlog(&platform).await?.reports > 0 {
        tokio::time::sleep(TELL).await;
    }
    let address = doors.gateway_url().trim_start_matches("https://").parse().context("the gateway has no address")?;
    let standing = Standing {
        address,
        ca: doors.ca_path().to_owned(),
        senders: senders.iter().map(|sender| sender.to_text()).collect(),
        seconds: began.elapsed().as_secs_f64(),
    };
    leave(&args.ready_file, &standing)?;
    let closed = stop.clone();
    std::thread::spawn(move || {
        super::until_closed();
        closed.cancel();
    });
    while !stop.is_cancelled() {
        let left = reports::backlog(&platform).await?;
        let peak_mb = super::peak_mb(std::process::id()).unwrap_or(0.0);
        leave(&args.state_file, &Taken { open: left.reports, oldest_s: left.oldest_us as f64 / 1e6, peak_mb })?;
        tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(TELL) => {} }
    }
    doors.closed().await;
    Ok(Exit::Success)
}

/// Registers the devices, has each pass its communication test, and tells its first status and its dictionary.
async fn register(platform: &Platform, devices: u32) -> Result<Vec<Subject>> {
    let ctx = administrator(platform).await?;
    together::for_each(devices, |place| introduce(platform.clone(), ctx.clone(), place)).await
}

/// The first account of a server.
pub(super) async fn administrator(platform: &Platform) -> Result<Ctx> {
    let first = LocalUser {
        email: EMAIL.to_owned(),
        name: "Bench".to_owned(),
        role: Role::Admin,
        password: Secret::new("a pass phrase of the benchmark".to_owned()),
        organisation: "Bench".to_owned(),
    };
    users::create_local(platform, first).await?;
    Ok(users::ctx_local(platform, EMAIL).await?)
}

async fn introduce(platform: Platform, ctx: Ctx, place: u32) -> Result<Subject> {
    let new = NewMonitor { vendor: VENDOR.to_owned(), serial: serial(place), model: None };
    let made = monitors::register(&ctx, ctx.home, &new).await?;
    let now_ms = platform.now().as_millis();
    let hello = Hello {
        version: 1,
        vendor: VENDOR.to_owned(),
        serial: serial(place),
        model: "IM C3000".to_owned(),
        key: public(place)?,
        claim: Some(made.claim.expose().to_owned()),
        road: Road::Https,
        kinds: Kind::ALL.to_vec(),
        clock_ms: now_ms,
        mono_ms: 0,
        firmware: "1".to_owned(),
        mac: None,
        listener: None,
        seal: None,
    };
    let sender = monitors::hello(&platform, &hello, "127.0.0.1").await?.sender;
    let device = monitors::key_of(&platform, sender).await?.context("a device is not heard")?.1;
    let mut bodies = vec![status(place)];
    if place == 0 {
        bodies.push(Body::Dictionary(dictionary()));
    }
    reports::accept(&device, report(sender, 1, 0, now_ms, bodies)).await?;
    Ok(sender)
}
