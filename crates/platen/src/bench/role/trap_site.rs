//! Our side of `snmp-traps`: a whole server and an agent with a trap door, in one process. It keeps telling in a file
//! what has come; `probe N` on its standard input has N quiet devices call, one after the other, and measures each from
//! the datagram to the event of its incident.

use std::collections::HashMap;
use std::io::BufRead;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use agent::AgentStats;
use anyhow::{Context, Result};
use clap::Args;
use platen_core::devices::{self, DeviceQuery};
use platen_core::users::{self, LocalUser};
use platen_core::{AgentId, Ctx, DeviceId, PageQuery, Platform, Role, Secret, agents, events};
use serde::{Deserialize, Serialize};
use snmp::trap::write_v2;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use wire::AgentPlan;
use wire::enrol::EnrolToken;

use super::leave;
use super::trap_blast::{ALERT, jam};
use crate::config::Resolved;
use crate::doors::Doors;
use crate::exit::Exit;
use crate::site;

const EMAIL: &str = "bench@platen.example";
/// What has come is told this often.
const TELL: Duration = Duration::from_millis(100);
/// Time between two probes.
const PACE: Duration = Duration::from_millis(40);

/// `platen bench-run trap-site`
#[derive(Args, Debug)]
pub struct TrapSiteArgs {
    /// Folder of server and agent
    #[arg(long)]
    pub data: PathBuf,
    /// First address of the devices
    #[arg(long)]
    pub base: Ipv4Addr,
    /// Devices that others speak for
    #[arg(long)]
    pub noisy: u32,
    /// Devices behind them that probes come from
    #[arg(long)]
    pub quiet: u32,
    /// UDP port of the devices' SNMP
    #[arg(long)]
    pub port: u16,
    /// Written when all devices are known
    #[arg(long)]
    pub ready_file: PathBuf,
    /// Written again and again
    #[arg(long)]
    pub heard_file: PathBuf,
}

/// Where traps go.
#[derive(Serialize, Deserialize, Debug, Clone, Copy)]
pub(in crate::bench) struct Opened {
    pub(in crate::bench) traps: SocketAddr,
}

/// What has come so far.
#[derive(Serialize, Deserialize, Debug, Clone, Default)]
pub(in crate::bench) struct Heard {
    pub(in crate::bench) received: u64,
    pub(in crate::bench) known: u64,
    pub(in crate::bench) shed: u64,
    pub(in crate::bench) readings: u64,
    pub(in crate::bench) delivered: u64,
    pub(in crate::bench) probes: u64,
    /// Milliseconds from a probe to the event of its incident.
    pub(in crate::bench) incidents: Vec<f64>,
}

pub(super) async fn run(args: TrapSiteArgs) -> Result<Exit> {
    let site = Site::open(args).await?;
    let probes = Arc::new(Probes::default());
    let (ask, mut asked) = mpsc::unbounded_channel::<u32>();
    let stop = CancellationToken::new();
    tokio::spawn(probes.clone().watch(site.platform.clone(), site.ctx.clone()));
    let closed = stop.clone();
    std::thread::spawn(move || {
        // Ends when the benchmark ends in any way.
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if let Some(count) = line.strip_prefix("probe ").and_then(|count| count.trim().parse().ok()) {
                let _ = ask.send(count);
            }
        }
        closed.cancel();
    });
    let devices = site.devices().await?;
    let (to, mine) = (site.traps, probes.clone());
    let calling = tokio::spawn(async move {
        let mut quiet = devices.into_iter().cycle();
        while let Some(count) = asked.recv().await {
            for (address, device) in quiet.by_ref().take(count as usize) {
                mine.call(address, device, to).await?;
                tokio::time::sleep(PACE).await;
            }
        }
        anyhow::Ok(())
    });
    leave(&site.args.ready_file, &Opened { traps: to })?;
    while !stop.is_cancelled() {
        tokio::select! { () = stop.cancelled() => {}, () = tokio::time::sleep(TELL) => {} }
        leave(&site.args.heard_file, &heard(&site.stats, &probes).await)?;
        if calling.is_finished() {
            break;
        }
    }
    drop(std::fs::remove_dir_all(&site.args.data));
    Ok(Exit::Success)
}

async fn heard(stats: &AgentStats, probes: &Probes) -> Heard {
    let now = stats.view();
    Heard {
        received: now.traps,
        known: now.traps_known,
        shed: now.traps_shed,
        readings: now.trap_reads,
        delivered: now.delivered,
        probes: probes.sent.load(Ordering::Relaxed),
        incidents: probes.took.lock().await.clone(),
    }
}

/// Probes on their way, and how long each took.
#[derive(Default)]
struct Probes {
    sent: AtomicU64,
    open: Mutex<HashMap<String, Instant>>,
    took: Mutex<Vec<f64>>,
}

impl Probes {
    /// A device calls from its own address.
    async fn call(&self, address: Ipv4Addr, device: DeviceId, to: SocketAddr) -> Result<()> {
        let socket = UdpSocket::bind((address, 0)).with_context(|| format!("cannot send from {address}"))?;
        let mut packet = Vec::new();
        write_v2(&mut packet, b"public", 1, 4_711, &ALERT, &jam(1));
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.open.lock().await.insert(device.to_string(), Instant::now());
        socket.send_to(&packet, to).context("a probe cannot be sent")?;
        Ok(())
    }

    /// Looks for the events of incidents as pages and webhooks do.
    async fn watch(self: Arc<Self>, platform: Platform, ctx: Ctx) -> Result<()> {
        let mut changes = events::watch(&platform);
        let mut last = events::newest(&platform).await?;
        while changes.changed().await.is_ok() {
            for event in events::after(&ctx, last, 500).await? {
                last = event.id;
                if event.kind != "incident.opened" {
                    continue;
                }
                let devices = event.data["devices"].as_array().into_iter().flatten();
                for device in devices.filter_map(|device| device.as_str()) {
                    if let Some(began) = self.open.lock().await.remove(device) {
                        self.took.lock().await.push(began.elapsed().as_secs_f64() * 1e3);
                    }
                }
            }
        }
        Ok(())
    }
}

/// Server and agent.
struct Site {
    args: TrapSiteArgs,
    platform: Platform,
    ctx: Ctx,
    stats: Arc<AgentStats>,
    traps: SocketAddr,
    _doors: Doors,
}

impl Site {
    async fn open(args: TrapSiteArgs) -> Result<Self> {
        let config = Resolved::local(&args.data);
        let platform = site::open(&config.data, &config.database, &config.blobs).await?;
        let doors = Doors::open(platform.clone(), &config, true, CancellationToken::new()).await?;
        let first = LocalUser {
            email: EMAIL.to_owned(),
            name: "Bench".to_owned(),
            role: Role::Admin,
            password: Secret::new("a pass phrase of the benchmark".to_owned()),
            organisation: "Bench".to_owned(),
        };
        users::create_local(&platform, first).await?;
        let ctx = users::ctx_local(&platform, EMAIL).await?;
        let invitation = agents::invite(&ctx, ctx.home).await?;
        let token = EnrolToken { secret: invitation.secret.expose().to_owned(), ca_pin: Some(doors.ca_pin()) };
        let config = agent::AgentConfig {
            data: args.data.join("agent"),
            server: Some(doors.gateway_url().to_owned()),
            enrol: Some(token.to_text()),
            name: Some("bench".to_owned()),
            trap_listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            ..agent::AgentConfig::default()
        };
        site::make_folder(&config.data)?;
        let (send, running) = tokio::sync::oneshot::channel();
        tokio::spawn(agent::run(config, move |running| drop(send.send(running)), CancellationToken::new()));
        let running = running.await.context("the agent did not start")?;
        let id = AgentId(uuid::Uuid::from_bytes(running.agent.0));
        let last = Ipv4Addr::from(u32::from(args.base) + args.noisy + args.quiet - 1);
        let plan = AgentPlan {
            revision: agents::plan(&ctx, id).await?.revision,
            ranges: vec![format!("{}-{last}:{}", args.base, args.port)],
            status_s: 300,
            discovery_pps: 2_000,
            ..AgentPlan::default()
        };
        agents::set_plan(&ctx, id, plan).await?;
        let traps = running.traps.context("the agent has no trap door")?;
        Ok(Self { args, platform, ctx, stats: running.stats, traps, _doors: doors })
    }

    /// The quiet devices, once the server knows all.
    async fn devices(&self) -> Result<Vec<(Ipv4Addr, DeviceId)>> {
        let wanted = (self.args.noisy + self.args.quiet) as usize;
        let mut known = Vec::new();
        while known.len() < wanted {
            tokio::time::sleep(TELL).await;
            known.clear();
            let mut page = PageQuery { limit: Some(500), after: None, count: false };
            loop {
                let query = DeviceQuery { page: page.clone(), ..DeviceQuery::default() };
                let list = devices::list(&self.ctx, &query).await?;
                let place = |address: Option<String>| address.and_then(|address| address.parse::<Ipv4Addr>().ok());
                known.extend(list.items.into_iter().filter_map(|row| Some((place(row.address)?, row.id))));
                match list.next {
                    Some(next) => page.after = Some(next),
                    None => break,
                }
            }
        }
        let quiet = Ipv4Addr::from(u32::from(self.args.base) + self.args.noisy);
        known.retain(|(address, _)| *address >= quiet);
        known.sort_unstable_by_key(|(address, _)| *address);
        Ok(known)
    }
}
