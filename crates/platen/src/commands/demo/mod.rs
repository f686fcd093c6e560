//! `platen demo`: server, agents and virtual devices in one process, on the embedded default.
//! Nothing here is a short cut: agents enrol, find and read the devices as they would real ones, their past too.

mod agents;
mod contracts;
mod past;
mod reporters;
mod told;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, Result};
use platen_core::orgs::{self, NewOrg};
use platen_core::users::{self, LocalUser};
use platen_core::{Ctx, Ids, OrgId, Platform, Role, Secret};
use tokio_util::sync::CancellationToken;

use crate::cli::DemoArgs;
use crate::clock::SystemIds;
use crate::config::{Resolved, default_database};
use crate::doors::Doors;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::ready::{self, DemoAdmin};
use crate::{commands::admin, shutdown, site};

const EMAIL: &str = "demo@platen.example";
const BASE: Ipv4Addr = Ipv4Addr::new(127, 20, 0, 1);
/// Devices whose administrator has switched v1 and v2c off: they are read by SNMPv3.
const HARDENED: [u32; 2] = [6, 12];
/// The user that these know. The devices are virtual, so his pass phrases protect nothing.
const V3_USER: &str = "platen-demo:sha256:demo-auth-phrase:aes256:demo-priv-phrase";

/// Until then the agents of a demo have met its first devices and read their counters.
const SETTLED: std::time::Duration = std::time::Duration::from_secs(20);

/// Doors for mail at free ports, so that devices may take every road.
fn mail_doors() -> gateway::MailConfig {
    let any = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let mut doors = gateway::MailConfig { smtp: any, pop3: any, ..gateway::MailConfig::new("localhost") };
    // All virtual devices call from this one machine, whose disk is what it is.
    doors.limits.max_sessions.address = doors.limits.max_sessions.total;
    doors.limits.min_free = mail::limits::MinFree { bytes: 64 << 20, inodes: 1_000 };
    doors
}

/// Starts everything, prints URL and sign-in, ends with Ctrl-C.
pub async fn run(args: DemoArgs, printer: Printer) -> Result<Exit> {
    let folder = Folder::new(args.data.clone())?;
    let config = Resolved {
        data: folder.path.clone(),
        database: default_database(&folder.path),
        blobs: format!("dir:{}", folder.path.join("blobs").display()),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)),
        gateway_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        admin_listen: None,
        public_url: None,
        gateway_public_url: None,
        mail: Some(mail_doors()),
        // The demo's devices live on this machine.
        calls: gateway::CallPolicy { allow: vec!["127.0.0.0/8".parse().context("loopback")?] },
        outgoing: crate::outgoing::Outgoing::default(),
    };
    let platform = site::open(&config.data, &config.database, &config.blobs).await?;
    let stop = shutdown::on_signal();
    // The server outlives its agents, so that they can deliver what they have.
    let close = CancellationToken::new();
    let doors = Doors::open(platform.clone(), &config, true, close.clone()).await?;
    let port = free_port()?;
    let fleet = vmfp::start(vmfp::FleetConfig {
        devices: vmfp::Devices::Fleet { count: args.devices, base: BASE },
        snmp_port: port,
        speed: args.speed,
        seed: 7,
        past: past::length(args.devices),
        v3_users: vec![V3_USER.parse::<vmfp::V3User>().context("the demo's SNMPv3 user")?.0],
        ..vmfp::FleetConfig::default()
    })
    .await
    .context("the virtual devices do not start")?;
    for number in HARDENED.into_iter().filter(|number| *number < args.devices) {
        fleet.fault(address(number), vmfp::Fault::V3Only)?;
    }
    let account = account(&platform).await?;
    told::make(&platform, EMAIL).await?;
    let present = platform.system("the demo's beginning").now;
    let agents = agents::start(&platform, &doors, &args, &folder.path, &fleet, &stop).await?;
    let reporting = reporters::count(args.devices);
    if let (Some((customer, ..)), 1..) = (customers(args.devices).last(), reporting) {
        let ctx = users::ctx_local(&platform, EMAIL).await?;
        let org = customer_org(&ctx, customer).await?;
        let ctx = users::ctx_local(&platform, EMAIL).await?;
        reporters::start(&ctx, org, &doors, &fleet, &folder.path.join("reporting"), reporting).await?;
    }
    tell(&args, &doors, &platform, &account, printer).await?;
    tokio::select! {
        () = stop.cancelled() => {}
        done = async { tokio::try_join!(contracts::make(&platform, args.devices, present), happen(&platform, &fleet, args.devices)) } => {
            done?;
            stop.cancelled().await;
        }
    }
    for agent in agents {
        drop(agent.await);
    }
    fleet.stop().await;
    close.cancel();
    doors.closed().await;
    Ok(Exit::Success)
}

/// What happens in every fleet sooner or later, so that pages have something to show: somebody takes care of what stands, and
/// counters begin anew, which is for a person to decide.
/// By then the agents have read both devices. None comes or goes: the demo has as many as were asked for.
async fn happen(platform: &Platform, fleet: &vmfp::Fleet, devices: u32) -> Result<()> {
    tokio::time::sleep(SETTLED).await;
    told::care(platform, EMAIL).await?;
    for number in [4, 8] {
        if number < devices {
            fleet.fault(address(number), vmfp::Fault::CounterReset)?;
        }
    }
    Ok(())
}

async fn tell(
    args: &DemoArgs,
    doors: &Doors,
    platform: &Platform,
    account: &DemoAdmin,
    printer: Printer,
) -> Result<()> {
    let mut ready = doors.ready(platform).await?;
    ready.admin = Some(account.clone());
    if let Some(path) = &args.ready_file {
        ready::write(path, &ready)?;
    }
    if printer.is_json() {
        return printer.line(&ready);
    }
    printer.text(&format!("\n  {}", printer.bold(doors.web_url())));
    printer.text(&format!("  sign in as {} with {}\n", account.email, account.password));
    printer.text(&format!(
        "{} virtual devices live {} times as fast as real ones; agents find them now, {} report by themselves. \
         {}Ctrl-C ends all of it.",
        args.devices,
        args.speed,
        reporters::count(args.devices),
        past::told(args.devices)
    ));
    Ok(())
}

/// The demo's own account: made anew in a new folder, given a new password in a kept one.
async fn account(platform: &Platform) -> Result<DemoAdmin> {
    let password = format!("demo-{}", random_word());
    if users::setup_needed(platform).await? {
        let first = LocalUser {
            email: EMAIL.to_owned(),
            name: "Demo".to_owned(),
            role: Role::Admin,
            password: Secret::new(password.clone()),
            organisation: "Nordwind Office".to_owned(),
        };
        users::create_local(platform, first).await?;
    } else {
        users::reset_local(platform, EMAIL, &Secret::new(password.clone())).await?;
    }
    let scopes = ["read", "write", "admin"].map(str::to_owned);
    let (_, token) = admin::create_token(platform, EMAIL, "demo", &scopes).await?;
    Ok(DemoAdmin { email: EMAIL.to_owned(), password, token })
}

/// Names, first and last device of customers whose agents read them; a small demo has one. The last devices report by
/// themselves.
fn customers(devices: u32) -> Vec<(&'static str, u32, u32)> {
    if devices < 10 {
        return vec![("Harbour Clinic", 0, devices - 1)];
    }
    let first = devices * 18 / 25;
    vec![("Harbour Clinic", 0, first - 1), ("Lindqvist Law", first, devices - 1 - reporters::count(devices))]
}

fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(BASE) + number)
}

async fn customer_org(ctx: &Ctx, name: &str) -> Result<OrgId> {
    let tree = orgs::tree(ctx).await?;
    if let Some(org) = tree.iter().find(|org| org.name.as_deref() == Some(name)) {
        return Ok(org.id);
    }
    let parent = ctx.home;
    let new = NewOrg { name: name.to_owned(), parent: Some(parent), kind: "customer".to_owned(), ..NewOrg::default() };
    Ok(orgs::create(ctx, &new).await?.id)
}

fn random_word() -> String {
    let mut bytes = [0; 8];
    SystemIds.random(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn free_port() -> Result<u16> {
    let probe = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("no UDP port is free")?;
    Ok(probe.local_addr()?.port())
}

/// The demo's data folder; a temporary one goes with it.
struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Folder {
    fn new(wanted: Option<PathBuf>) -> Result<Self> {
        let temporary = wanted.is_none();
        let path = wanted.unwrap_or_else(|| std::env::temp_dir().join(format!("platen-demo-{}", random_word())));
        site::make_folder(&path)?;
        Ok(Self { path, temporary })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary {
            drop(std::fs::remove_dir_all(&self.path));
        }
    }
}
