//! Devices that look into their mailboxes: login, STAT, RETR, DELE, QUIT, each mailbox once, so many at the same time.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::exit::Exit;

/// Longest wait for a connection or a response.
const PATIENCE: Duration = Duration::from_secs(60);

/// `platen bench-run pop3-load`
#[derive(Args, Debug)]
pub struct Pop3LoadArgs {
    /// Which server
    #[arg(long)]
    pub address: SocketAddr,
    /// A name and a password a line
    #[arg(long)]
    pub mailboxes: PathBuf,
    /// At the same time
    #[arg(long, default_value_t = 32)]
    pub sessions: usize,
}

/// What came of it.
#[derive(Serialize, Deserialize, Debug, Clone, Default)]
pub(in crate::bench) struct Emptied {
    pub(in crate::bench) mailboxes: u64,
    /// Messages that were fetched and deleted.
    pub(in crate::bench) messages: u64,
    pub(in crate::bench) bytes: u64,
    pub(in crate::bench) seconds: f64,
    /// Milliseconds of a whole session.
    pub(in crate::bench) p50_ms: f64,
    pub(in crate::bench) p99_ms: f64,
}

pub(super) async fn run(args: Pop3LoadArgs) -> Result<Exit> {
    let text = std::fs::read_to_string(&args.mailboxes).context("no list of mailboxes")?;
    let mailboxes: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.split_once(' ').map(|(user, password)| (user.to_owned(), password.to_owned())))
        .collect();
    let (mailboxes, next) = (Arc::new(mailboxes), Arc::new(AtomicUsize::new(0)));
    let began = Instant::now();
    let mut visits = JoinSet::new();
    for _ in 0..args.sessions.max(1) {
        visits.spawn(visit_all(args.address, Arc::clone(&mailboxes), Arc::clone(&next)));
    }
    let (mut told, mut times) = (Emptied::default(), Vec::new());
    while let Some(done) = visits.join_next().await {
        for (messages, bytes, took) in done?? {
            told.messages += messages;
            told.bytes += bytes;
            times.push(took);
        }
    }
    told.seconds = began.elapsed().as_secs_f64();
    told.mailboxes = times.len() as u64;
    times.sort_unstable();
    let at =
        |share: usize| times.get(times.len() * share / 100).map_or(0.0, |time: &Duration| time.as_secs_f64() * 1e3);
    (told.p50_ms, told.p99_ms) = (at(50), at(99));
    super::print(&told)
}

type Visits = Vec<(u64, u64, Duration)>;

async fn visit_all(
    address: SocketAddr,
    mailboxes: Arc<Vec<(String, String)>>,
    next: Arc<AtomicUsize>,
) -> Result<Visits> {
    let mut visits = Vec::new();
    while let Some((user, password)) = mailboxes.get(next.fetch_add(1, Ordering::Relaxed)) {
        let began = Instant::now();
        let visit = tokio::time::timeout(PATIENCE, visit(address, user, password)).await;
        let (messages, bytes) = visit.context("a session took too long")??;
        visits.push((messages, bytes, began.elapsed()));
    }
    Ok(visits)
}

/// One session; how many messages and bytes it took away.
async fn visit(address: SocketAddr, user: &str, password: &str) -> Result<(u64, u64)> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    response(&mut stream).await?;
    say(&mut stream, &format!("USER {user}\r\n")).await?;
    say(&mut stream, &format!("PASS {password}\r\n")).await?;
    let stat = say(&mut stream, "STAT\r\n").await?;
    let count: u64 = stat.split(' ').nth(1).and_then(|word| word.parse().ok()).context("STAT gave no number")?;
    let mut bytes = 0;
    for number in 1..=count {
        say(&mut stream, &format!("RETR {number}\r\n")).await?;
        let mut line = Vec::new();
        while line != b".\r\n" {
            line.clear();
            bytes += stream.read_until(b'\n', &mut line).await? as u64;
            ensure!(!line.is_empty(), "the server hung up");
        }
        say(&mut stream, &format!("DELE {number}\r\n")).await?;
    }
    say(&mut stream, "QUIT\r\n").await?;
    Ok((count, bytes))
}

async fn say(stream: &mut BufReader<TcpStream>, command: &str) -> Result<String> {
    stream.get_mut().write_all(command.as_bytes()).await?;
    response(stream).await
}

async fn response(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    ensure!(line.starts_with("+OK"), "+OK was expected, and {:?} came", line.trim_end());
    Ok(line)
}
