//! The programs that a benchmark runs in processes of their own: loads, our side as it is measured, and the one that
//! measures. Hidden behind `platen bench-run`; each prints one line of JSON or writes a file.

mod blast;
mod close_site;
mod day_load;
mod device;
mod herd_load;
mod https;
mod ingest_load;
mod ingest_site;
mod load;
mod mail_site;
mod measure;
mod poll;
mod pop3_load;
mod secure;
mod smtp_load;
#[cfg(target_os = "linux")]
mod stamps;
#[cfg(not(target_os = "linux"))]
#[path = "no_stamps.rs"]
mod stamps;
mod sweep;
mod together;
mod trap_blast;
mod trap_site;
mod walk;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use crate::exit::Exit;

pub(super) use self::blast::Blasted;
pub(super) use self::close_site::{Closed, Filled};
pub(super) use self::day_load::Lived;
pub(super) use self::device::{LARGE, counters};
pub(super) use self::herd_load::Returned;
pub(super) use self::ingest_load::Delivered;
pub(super) use self::ingest_site::{Standing, Taken};
pub(super) use self::load::Loaded;
pub(super) use self::mail_site::{MailStanding, Ordered};
pub(super) use self::measure::{Usage, children, peak_mb};
pub(super) use self::poll::{EIGHT, Polled};
pub(super) use self::pop3_load::Emptied;
pub(super) use self::secure::{AUTH_PASS, PRIV_PASS, USER};
pub(super) use self::smtp_load::Posted;
pub(super) use self::sweep::Swept;
pub(super) use self::trap_blast::TrapsSent;
pub(super) use self::trap_site::{Heard, Opened};
pub(super) use self::walk::Walked;

/// One role.
#[derive(Subcommand, Debug)]
pub enum Role {
    /// Run a program and report what it cost
    Measure(measure::MeasureArgs),
    /// Virtual devices until standard input closes
    Load(load::LoadArgs),
    /// Poll devices
    Poll(poll::PollArgs),
    /// Walk devices
    Walk(walk::WalkArgs),
    /// Discover devices
    Sweep(sweep::SweepArgs),
    /// Ask one device as fast as it answers
    Blast(blast::BlastArgs),
    /// Send traps at a steady rate
    TrapBlast(trap_blast::TrapBlastArgs),
    /// A server and an agent with a trap door
    TrapSite(trap_site::TrapSiteArgs),
    /// A server with devices on the mail roads
    MailSite(mail_site::MailSiteArgs),
    /// Devices that send mail as fast as it is taken
    SmtpLoad(smtp_load::SmtpLoadArgs),
    /// Devices that empty their mailboxes
    Pop3Load(pop3_load::Pop3LoadArgs),
    /// Customers with contracts and readings
    CloseFill(close_site::CloseFillArgs),
    /// The close of a month
    CloseRun(close_site::CloseRunArgs),
    /// A server with registered devices
    IngestSite(ingest_site::IngestSiteArgs),
    /// Devices that deliver as fast as they are answered
    IngestLoad(ingest_load::IngestLoadArgs),
    /// Devices that return at once
    HerdLoad(herd_load::HerdLoadArgs),
    /// Devices that live through a day
    DayLoad(day_load::DayLoadArgs),
}

/// Devices at successive addresses.
#[derive(Args, Debug, Clone, Copy)]
pub struct Range {
    /// First address
    #[arg(long)]
    pub base: Ipv4Addr,
    /// How many
    #[arg(long)]
    pub count: u32,
    /// UDP port
    #[arg(long)]
    pub port: u16,
}

impl Range {
    /// Each with its port.
    pub fn addresses(self) -> impl Iterator<Item = SocketAddr> {
        let base = u32::from(self.base);
        (0..self.count).map(move |place| SocketAddr::from((Ipv4Addr::from(base.wrapping_add(place)), self.port)))
    }
}

/// What a role that works through devices prints.
#[derive(Serialize, Deserialize, Debug, Clone, Copy)]
pub(super) struct Done {
    /// Whole answers.
    pub(super) done: u64,
    /// Without an answer, or with a part of it.
    pub(super) failed: u64,
}

/// Plays it.
pub async fn run(role: Role) -> Result<Exit> {
    match role {
        Role::Measure(args) => measure::run(&args),
        Role::Load(args) => load::run(args).await,
        Role::Poll(args) => poll::run(args).await,
        Role::Walk(args) => walk::run(args).await,
        Role::Sweep(args) => sweep::run(args).await,
        Role::Blast(args) => blast::run(&args),
        Role::TrapBlast(args) => trap_blast::run(&args),
        Role::TrapSite(args) => trap_site::run(args).await,
        Role::MailSite(args) => mail_site::run(args).await,
        Role::SmtpLoad(args) => smtp_load::run(args).await,
        Role::Pop3Load(args) => pop3_load::run(args).await,
        Role::CloseFill(args) => close_site::fill(args).await,
        Role::CloseRun(args) => close_site::close(args).await,
        Role::IngestSite(args) => ingest_site::run(args).await,
        Role::IngestLoad(args) => ingest_load::run(args).await,
        Role::HerdLoad(args) => herd_load::run(args).await,
        Role::DayLoad(args) => day_load::run(args).await,
    }
}

fn print<T: Serialize>(value: &T) -> Result<Exit> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, value)?;
    writeln!(out)?;
    Ok(Exit::Success)
}

/// Writes beside and renames, so that a reader sees all of it.
fn leave<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    crate::ready::write(path, value)
}

/// Returns when standard input closes, which it does when the benchmark ends in any way.
fn until_closed() {
    drop(std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
}
