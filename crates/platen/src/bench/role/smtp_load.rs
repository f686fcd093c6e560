//! Devices that send mail as fast as it is taken: so many sessions, each message in a connection of its own or all in one.
//! Every message is another one, sealed before the clock starts; the same bytes go to any server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use mail::message::{Letter, Stamp};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use wire::monitor::{ServiceBody, ServiceValue};
use wire::sealed::{self, Addresses, Algorithm, AwsLc, Claims, Content, Header, Recipient, Signer};
use wire::{Body, Subject, cbor};

use super::device::{key, report};
use super::mail_site::{Correspondent, MailStanding};
use crate::exit::Exit;

/// Longest wait for a connection or a reply.
const PATIENCE: Duration = Duration::from_secs(60);
/// Values of the service menu that make a mail of about 5 KB.
const VALUES: usize = 89;

/// `platen bench-run smtp-load`
#[derive(Args, Debug)]
pub struct SmtpLoadArgs {
    /// What the server under test left when it was ready
    #[arg(long)]
    pub standing: PathBuf,
    /// Another server, as a peer
    #[arg(long)]
    pub peer: Option<SocketAddr>,
    /// Messages in all
    #[arg(long)]
    pub messages: u32,
    /// At the same time
    #[arg(long, default_value_t = 32)]
    pub sessions: u32,
    /// All messages of a session in one connection
    #[arg(long)]
    pub kept: bool,
    /// Epoch of the numbers; a later run has a later one
    #[arg(long)]
    pub epoch: u64,
}

/// What came of it.
#[derive(Serialize, Deserialize, Debug, Clone, Default)]
pub(in crate::bench) struct Posted {
    /// Answered with 250.
    pub(in crate::bench) messages: u64,
    pub(in crate::bench) seconds: f64,
    /// Bytes of all messages.
    pub(in crate::bench) bytes: u64,
    /// Milliseconds from the beginning of a message's session or transaction to its 250.
    pub(in crate::bench) p50_ms: f64,
    pub(in crate::bench) p99_ms: f64,
}

/// A message with its envelope, dots doubled and ended.
struct Piece {
    from: String,
    to: String,
    data: Vec<u8>,
}

pub(super) async fn run(args: SmtpLoadArgs) -> Result<Exit> {
    let standing: Arc<MailStanding> = Arc::new(serde_json::from_slice(&std::fs::read(&args.standing)?)?);
    let sessions = args.sessions.clamp(1, args.messages.max(1));
    ensure!(standing.devices.len() >= sessions as usize, "fewer devices than sessions");
    let address = args.peer.unwrap_or(standing.smtp);
    let (messages, epoch, kept) = (args.messages, args.epoch, args.kept);
    let mut making = JoinSet::new();
    for place in 0..sessions {
        let standing = Arc::clone(&standing);
        making.spawn_blocking(move || share(&standing, place, sessions, messages, epoch));
    }
    let mut shares = Vec::new();
    while let Some(made) = making.join_next().await {
        shares.push(made??);
    }
    let bytes = shares.iter().flatten().map(|piece| piece.data.len() as u64).sum();
    let start = Arc::new(Barrier::new(shares.len() + 1));
    let mut posting = JoinSet::new();
    for share in shares {
        posting.spawn(post(address, share, kept, Arc::clone(&start)));
    }
    start.wait().await;
    let began = Instant::now();
    let mut times = Vec::new();
    while let Some(done) = posting.join_next().await {
        times.extend(done??);
    }
    let seconds = began.elapsed().as_secs_f64();
    times.sort_unstable();
    let at =
        |share: usize| times.get(times.len() * share / 100).map_or(0.0, |time: &Duration| time.as_secs_f64() * 1e3);
    super::print(&Posted { messages: times.len() as u64, seconds, bytes, p50_ms: at(50), p99_ms: at(99) })
}

/// The messages of one session, of its devices in turn.
fn share(standing: &MailStanding, session: u32, sessions: u32, messages: u32, epoch: u64) -> Result<Vec<Piece>> {
    let mine: Vec<u32> = (session..u32::try_from(standing.devices.len())?).step_by(sessions as usize).collect();
    let count = messages / sessions + u32::from(session < messages % sessions);
    let seal = standing.seal.as_slice().try_into().context("the server told no key to seal for")?;
    let gateway = (standing.key.to_be_bytes(), seal);
    (0..count)
        .map(|number| {
            let place = mine[number as usize % mine.len()];
            let seq = u64::from(number as usize as u32 / mine.len() as u32) + 1;
            piece(&standing.devices[place as usize], place, epoch, seq, &gateway)
        })
        .collect()
}

fn piece(
    device: &Correspondent,
    place: u32,
    epoch: u64,
    seq: u64,
    (kid, seal): &([u8; 4], [u8; sealed::POINT]),
) -> Result<Piece> {
    let sender = Subject::from_text(&device.sender).context("a device without a name")?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let issued_ms = i64::try_from(now.as_millis())?;
    let body = Body::ServiceDisplay(ServiceBody { values: values(place, seq) });
    let kind = u32::try_from(body.kind())?;
    let content = cbor::encode(&report(sender, epoch, seq, issued_ms, vec![body]));
    let expires_ms = issued_ms + 86_400_000;
    let claims = Claims { sender, epoch, seq, kind, issued_ms, expires_ms, content: Content::Report };
    let header = Header::of(sender, &claims);
    let key = key(place)?;
    let sign = |message: &[u8]| key.sign(message).as_ref().try_into().ok();
    let signer = Signer { algorithm: Algorithm::EdDsa, kid: &sender.0, sign: &sign };
    let addresses = Addresses { from: &device.device, to: &device.server };
    let sealed = sealed::seal(
        &AwsLc,
        &claims,
        &content,
        &addresses,
        &header,
        &Recipient { kid: kid.as_slice(), key: seal },
        &signer,
    )?;
    let stamp: Stamp = header.to_string().parse()?;
    let (from, to) = (device.device.parse()?, device.server.parse()?);
    let mut data = Letter { from: &from, to: &to, stamp: &stamp, sent: issued_ms / 1_000, sealed: &sealed }.write();
    // No line of such a message begins with a dot.
    data.extend_from_slice(b".\r\n");
    Ok(Piece { from: device.device.clone(), to: device.server.clone(), data })
}

/// Random values, so that compression finds little.
fn values(place: u32, seq: u64) -> Vec<ServiceValue> {
    let mut random = SmallRng::seed_from_u64(u64::from(place) << 32 | seq);
    let value = |at: usize| ServiceValue {
        path: format!("adjust/{:03}/{:02}/present", at / 12, at % 12),
        value: format!("{:016x}{:016x}{:016x}", random.random::<u64>(), random.random::<u64>(), random.random::<u64>()),
        adjusted: false,
    };
    (0..VALUES).map(value).collect()
}

async fn post(address: SocketAddr, share: Vec<Piece>, kept: bool, start: Arc<Barrier>) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(share.len());
    start.wait().await;
    let mut open = None;
    for piece in share {
        let began = Instant::now();
        let mut session = match open.take() {
            Some(session) => session,
            None => Session::open(address).await?,
        };
        session.send(&piece).await?;
        times.push(began.elapsed());
        if kept {
            open = Some(session);
        } else {
            session.say(b"QUIT\r\n", "221").await?;
        }
    }
    if let Some(mut session) = open {
        session.say(b"QUIT\r\n", "221").await?;
    }
    Ok(times)
}

/// One connection; a command at a time, as smtp-source does it.
struct Session(BufReader<TcpStream>);

impl Session {
    async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut session = Self(BufReader::new(stream));
        session.await_reply("220").await?;
        session.say(b"EHLO device.example\r\n", "250").await?;
        Ok(session)
    }

    async fn send(&mut self, piece: &Piece) -> Result<()> {
        self.say(format!("MAIL FROM:<{}>\r\n", piece.from).as_bytes(), "250").await?;
        self.say(format!("RCPT TO:<{}>\r\n", piece.to).as_bytes(), "250").await?;
        self.say(b"DATA\r\n", "354").await?;
        self.say(&piece.data, "250").await
    }

    async fn say(&mut self, bytes: &[u8], wanted: &str) -> Result<()> {
        self.0.get_mut().write_all(bytes).await?;
        self.await_reply(wanted).await
    }

    async fn await_reply(&mut self, wanted: &str) -> Result<()> {
        let mut line = String::new();
        loop {
            line.clear();
            let read = tokio::time::timeout(PATIENCE, self.0.read_line(&mut line)).await;
            if read.context("a reply took too long")?? == 0 {
                bail!("the server hung up");
            }
            if !line.starts_with(wanted) {
                bail!("{wanted} was expected, and {} came", line.trim_end());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    }
}
