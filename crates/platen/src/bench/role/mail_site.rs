//! A server whose registered devices take the mail roads. It gives each an order whenever it reads a line; it ends when its
//! standard input closes.

use std::io::BufRead;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, Result};
use aws_lc_rs::digest::{SHA256, digest};
use clap::Args;
use gateway::MailConfig;
use mail::pop3::server::Login;
use platen_core::monitors::{self, MonitorId, NewMonitor};
use platen_core::{Ctx, Platform, reports};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;
use wire::command::What;
use wire::hello::{Hello, HelloReply, Road};
use wire::monitor::Kind;
use wire::sealed::P256Secret;

use super::device::{VENDOR, public, report, serial, status};
use super::ingest_site::administrator;
use super::{leave, together};
use crate::config::Resolved;
use crate::doors::Doors;
use crate::exit::Exit;
use crate::site;

/// Life of an order, milliseconds.
const LIFE: i64 = 24 * 3_600_000;

/// `platen bench-run mail-site`
#[derive(Args, Debug)]
pub struct MailSiteArgs {
    /// Folder of the server
    #[arg(long)]
    pub data: PathBuf,
    /// How many devices
    #[arg(long)]
    pub devices: u32,
    /// Written when all devices are known
    #[arg(long)]
    pub ready_file: PathBuf,
    /// Written each time that every device has an order
    #[arg(long)]
    pub orders_file: PathBuf,
}

/// Where mail goes, and under which names.
#[derive(Serialize, Deserialize, Debug, Clone)]
pub(in crate::bench) struct MailStanding {
    pub(in crate::bench) smtp: SocketAddr,
    pub(in crate::bench) pop3: SocketAddr,
    /// The key that mail is sealed for, and its number.
    pub(in crate::bench) key: u32,
    pub(in crate::bench) seal: Vec<u8>,
    pub(in crate::bench) devices: Vec<Correspondent>,
}

/// A device with its addresses.
#[derive(Serialize, Deserialize, Debug, Clone)]
pub(in crate::bench) struct Correspondent {
    /// Its name on the wire, as text.
    pub(in crate::bench) sender: String,
    pub(in crate::bench) device: String,
    pub(in crate::bench) server: String,
    pub(in crate::bench) secret: String,
}

/// Says how often every device was given an order.
#[derive(Serialize, Deserialize, Debug, Clone, Copy, Default)]
pub(in crate::bench) struct Ordered {
    pub(in crate::bench) times: u64,
}

pub(super) async fn run(args: MailSiteArgs) -> Result<Exit> {
    let stop = CancellationToken::new();
    let config = Resolved { mail: Some(doors()), ..Resolved::local(&args.data) };
    let platform = site::open(&config.data, &config.database, &config.blobs).await?;
    let doors = Doors::open(platform.clone(), &config, true, stop.clone()).await?;
    let ctx = administrator(&platform).await?;
    let (monitors, mut standing) = register(&platform, &ctx, args.devices).await?;
    while reports::backlog(&platform).await?.reports > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let mail = doors.mail();
    standing.smtp = mail.smtp.context("the SMTP door is shut")?;
    standing.pop3 = mail.pop3.context("the POP3 door is shut")?;
    leave(&args.ready_file, &standing)?;
    let (mut lines, mut ordered) = (lines(), Ordered::default());
    while lines.recv().await.is_some() {
        order(&ctx, &monitors).await?;
        ordered.times += 1;
        leave(&args.orders_file, &ordered)?;
    }
    stop.cancel();
    doors.closed().await;
    Ok(Exit::Success)
}

/// All connections come from this machine, and a session brings all messages of a run.
fn doors() -> MailConfig {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut config = MailConfig { smtp: Some(any), pop3: Some(any), ..MailConfig::new("bench.example") };
    // Both sides are measured without TLS.
    config.pop3_login = Login::Legacy;
    let limits = &mut config.limits;
    limits.connection_rate.total = u32::MAX;
    limits.connection_rate.network = u32::MAX;
    limits.max_sessions.address = limits.max_sessions.total;
    limits.messages = u32::MAX;
    config
}

/// A word for each line of standard input, until it closes.
fn lines() -> UnboundedReceiver<()> {
    let (sender, receiver) = unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            if line.is_err() || sender.send(()).is_err() {
                return;
            }
        }
    });
    receiver
}

async fn register(platform: &Platform, ctx: &Ctx, devices: u32) -> Result<(Vec<MonitorId>, MailStanding)> {
    let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut standing = MailStanding { smtp: nowhere, pop3: nowhere, key: 0, seal: Vec::new(), devices: Vec::new() };
    let mut monitors = Vec::with_capacity(devices as usize);
    for reply in together::for_each(devices, |place| introduce(platform.clone(), ctx.clone(), place)).await? {
        if let Some(key) = reply.keys.first() {
            (standing.key, standing.seal) = (key.id, key.seal.clone());
        }
        let pair = reply.mail.context("a device was given no addresses")?;
        let secret = pair.secret.context("a device was given no password")?;
        let sender = reply.sender.to_text();
        monitors.push(MonitorId::from(reply.sender));
        standing.devices.push(Correspondent { sender, device: pair.device, server: pair.server, secret });
    }
    Ok((monitors, standing))
}

async fn introduce(platform: Platform, ctx: Ctx, place: u32) -> Result<HelloReply> {
    let new = NewMonitor { vendor: VENDOR.to_owned(), serial: serial(place), model: None };
    let made = monitors::register(&ctx, ctx.home, &new).await?;
    let secret = digest(&SHA256, format!("platen bench seal {place}").as_bytes());
    let seal = P256Secret::of(secret.as_ref()).and_then(|secret| secret.public()).context("a key cannot be made")?;
    let hello = Hello {
        version: 1,
        vendor: VENDOR.to_owned(),
        serial: serial(place),
        model: "IM C3000".to_owned(),
        key: public(place)?,
        claim: Some(made.claim.expose().to_owned()),
        road: Road::MailBothWays,
        kinds: Kind::ALL.to_vec(),
        clock_ms: platform.now().as_millis(),
        mono_ms: 0,
        firmware: "1".to_owned(),
        mac: None,
        listener: None,
        seal: Some(seal.to_vec()),
    };
    let reply = monitors::hello(&platform, &hello, "127.0.0.1").await?;
    // What a device tells before it is known would wait for its first status.
    let device = monitors::key_of(&platform, reply.sender).await?.context("a device is not heard")?.1;
    reports::accept(&device, report(reply.sender, 1, 0, hello.clock_ms, vec![status(place)])).await?;
    Ok(reply)
}

/// One order for each device.
async fn order(ctx: &Ctx, monitors: &[MonitorId]) -> Result<()> {
    let give = |place: u32| {
        let (ctx, monitor) = (Ctx { now: ctx.platform.now(), ..ctx.clone() }, monitors[place as usize]);
        async move { Ok(monitors::order(&ctx, monitor, What::SendLog, LIFE).await?) }
    };
    together::for_each(u32::try_from(monitors.len())?, give).await?;
    Ok(())
}
