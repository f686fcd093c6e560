//! `platen demo`: server, agents and virtual devices in one process, on the embedded default.
//! Nothing here is a short cut: agents enrol, find and read the devices as they would real ones.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use platen_core::orgs::{self, NewOrg};
use platen_core::users::{self, LocalUser};
use platen_core::{AgentId, Ctx, Ids, OrgId, Platform, Role, Secret, agents};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wire::AgentPlan;
use wire::enrol::EnrolToken;
use wire::plan::SnmpCredential;

use crate::cli::DemoArgs;
use crate::clock::SystemIds;
use crate::config::{Resolved, default_database};
use crate::doors::Doors;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::ready::{self, DemoAdmin};
use crate::{
    commands::{admin, contracts, reporters, told},
    shutdown, site,
};

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
    let agents = start_agents(&platform, &doors, &args, &folder.path, &fleet, &stop).await?;
    let reporting = reporters::count(args.devices);
    if let (Some((customer, ..)), 1..) = (customers(args.devices).last(), reporting) {
        let ctx = users::ctx_local(&platform, EMAIL).await?;
        let org = customer_org(&ctx, customer).await?;
        let ctx = users::ctx_local(&platform, EMAIL).await?;
        reporters::start(&ctx, org, &doors, &fleet, &folder.path.join("reporting"), reporting).await?;
    }
    for (at, (customer, ..)) in (1..).zip(customers(args.devices)) {
        let ctx = users::ctx_local(&platform, EMAIL).await?;
        let org = customer_org(&ctx, customer).await?;
        contracts::make(&ctx, org, &format!("NW-{at:04}"), &format!("{customer}, all devices")).await?;
    }
    tell(&args, &doors, &platform, &account, printer).await?;
    tokio::select! {
        () = stop.cancelled() => {}
        done = happen(&fleet, args.devices) => {
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

/// What happens in every fleet sooner or later, so that the page of doubts has something to decide: counters begin anew.
/// By then the agents have read both devices. None comes or goes: the demo has as many as were asked for.
async fn happen(fleet: &vmfp::Fleet, devices: u32) -> Result<()> {
    tokio::time::sleep(SETTLED).await;
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
         Ctrl-C ends all of it.",
        args.devices,
        args.speed,
        reporters::count(args.devices)
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

/// One agent a customer, each with its share of the devices.
async fn start_agents(
    platform: &Platform,
    doors: &Doors,
    args: &DemoArgs,
    folder: &Path,
    fleet: &vmfp::Fleet,
    stop: &CancellationToken,
) -> Result<Vec<JoinHandle<()>>> {
    let ctx = users::ctx_local(platform, EMAIL).await?;
    let mut started = Vec::new();
    for (customer, first, last) in customers(args.devices) {
        let org = customer_org(&ctx, customer).await?;
        let ctx = users::ctx_local(platform, EMAIL).await?;
        let data = folder.join("agents").join(slug(customer));
        let invitation = if data.exists() { None } else { Some(agents::invite(&ctx, org).await?) };
        site::make_folder(&data)?;
        let token =
            invitation.map(|made| EnrolToken { secret: made.secret.expose().to_owned(), ca_pin: Some(doors.ca_pin()) });
        let config = agent::AgentConfig {
            data,
            server: Some(doors.gateway_url().to_owned()),
            enrol: token.map(|token| token.to_text()),
            name: Some(slug(customer)),
            trap_listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        };
        let (send, running) = tokio::sync::oneshot::channel();
        let stop = stop.clone();
        started.push(tokio::spawn(async move {
            if let Err(error) = agent::run(config, move |running| drop(send.send(running)), stop).await {
                tracing::error!(%error, "an agent of the demo ended");
            }
        }));
        let running = running.await.context("an agent of the demo did not start; -v says why")?;
        let id = AgentId(uuid::Uuid::from_bytes(running.agent.0));
        let revision = agents::plan(&ctx, id).await?.revision;
        let range = format!("{}-{}:{}", address(first), address(last), fleet.snmp_port());
        agents::set_plan(&ctx, id, plan(range, args.devices, revision)?).await?;
        running.traps.into_iter().flat_map(|to| traps(first, last, to)).for_each(|target| fleet.send_traps(target));
    }
    Ok(started)
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

/// Where devices send their traps: hardened ones by SNMPv3, the others as printers do out of the box.
fn traps(first: u32, last: u32, to: SocketAddr) -> Vec<vmfp::TrapTarget> {
    let target = |from, until, form| vmfp::TrapTarget { to, form, devices: Some((address(from), address(until))) };
    let (user, _) = V3_USER.split_once(':').unwrap_or((V3_USER, ""));
    let (mut targets, mut from) = (Vec::new(), first);
    for number in HARDENED.into_iter().filter(|number| (first..=last).contains(number)) {
        if number > from {
            targets.push(target(from, number - 1, vmfp::TrapForm::V2c));
        }
        targets.push(target(number, number, vmfp::TrapForm::V3(user.to_owned())));
        from = number + 1;
    }
    if from <= last {
        targets.push(target(from, last, vmfp::TrapForm::V2c));
    }
    targets
}

/// The user of hardened devices, as a person would enter him in the plan.
fn v3_credential() -> Result<SnmpCredential> {
    let words: Vec<String> = V3_USER.split(':').map(str::to_owned).collect();
    let Ok([user, auth, auth_pass, privacy, privacy_pass]) = <[String; 5]>::try_from(words) else {
        anyhow::bail!("the demo's SNMPv3 user has five parts");
    };
    let (auth, auth_pass) = (Some(auth), Some(auth_pass));
    Ok(SnmpCredential::Usm { user, auth, auth_pass, privacy: Some(privacy), privacy_pass: Some(privacy_pass) })
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

/// Quick enough to watch; a large fleet is polled less often, so that a laptop stays cool.
fn plan(range: String, devices: u32, revision: u64) -> Result<AgentPlan> {
    let status_s = (devices / 100).clamp(3, 60);
    Ok(AgentPlan {
        revision,
        ranges: vec![range],
        credentials: vec![SnmpCredential::community("public"), v3_credential()?],
        status_s,
        meters_s: status_s * 3,
        full_s: status_s * 20,
        discovery_s: 600,
        discovery_pps: 2_000,
        ..AgentPlan::default()
    })
}

fn slug(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
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
