//! A gateway as small as it can be: own CA, one enrolment token, checks signatures, keeps every message that it took.
//! It can be away, say "later", lose its answers, refuse, and run on a clock of its own.

use std::{
    collections::BTreeSet,
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use agent::{AgentConfig, AgentStats, Error, Running};
use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ED25519, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hyper::{
    HeaderMap, Request, StatusCode,
    body::{Body as _, Incoming},
    header::HeaderValue,
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::{oneshot, watch},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use wire::{
    AgentPlan, Body, Message, MessageResult, Outcome, Reply, Report, Subject, cbor,
    command::{Ack, Acks, Command, Order},
    enrol::{EnrolReply, EnrolRequest, EnrolToken},
    hello::GatewayKey,
    signature::{AGENT_HEADER, SIGNATURE_HEADER, TIME_HEADER, signing_input},
};

pub const TOKEN: &str = "one-time-secret";

/// Longer than any machine stalls; what takes so long does not come.
const PATIENCE: Duration = Duration::from_secs(240);
/// What an agent counts about itself moves without a request, and is looked at this often.
const LOOK: Duration = Duration::from_millis(25);

/// How the gateway behaves now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Good,
    /// 503 with `Retry-After: 1`.
    Busy,
    /// Takes every message, then gives a 500: the answer is lost.
    LosesAnswers,
    /// 403 to everybody.
    Revoked,
}

/// What it knows.
#[derive(Default)]
pub struct Kept {
    pub token_used: bool,
    pub key: Vec<u8>,
    pub name: String,
    /// Messages in the order in which they were taken, each once, with their epoch.
    pub messages: Vec<(u64, Message)>,
    pub seen: BTreeSet<(u64, u64)>,
    pub duplicates: usize,
    pub requests: usize,
    pub bad_signatures: usize,
    pub plan: AgentPlan,
    /// Revision of the plan that the agent says it follows.
    pub followed: u64,
    /// Its clock minus ours.
    pub offset_ms: i64,
    /// Outcomes for the next messages instead of `Stored`.
    pub outcomes: Vec<Outcome>,
    /// Keys for an agent that knows none.
    pub keys: Vec<GatewayKey>,
    /// Newest key that the agent says it knows.
    pub gateway_key: u32,
    /// Orders that are given with each answer until they are answered.
    pub orders: Vec<Command>,
    /// How many answers to reports held orders.
    pub given: usize,
    /// Answers to orders.
    pub acks: Vec<Ack>,
    /// Answers to orders are met with a 503.
    pub deaf: bool,
    /// Logs that were uploaded.
    pub logs: Vec<Vec<u8>>,
}

pub struct Gateway {
    pub kept: Arc<Mutex<Kept>>,
    pub mood: Arc<Mutex<Mood>>,
    pub changed: watch::Sender<usize>,
    pub address: SocketAddr,
    tls: TlsAcceptor,
    pin: [u8; 16],
    listener: Mutex<Option<JoinHandle<()>>>,
    /// Bound to the address and never listening: nobody else is given the port while the gateway is away.
    _place: TcpSocket,
}

/// A socket of `address` that may stand beside another one which does not listen.
fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

#[derive(Clone)]
struct Shared {
    kept: Arc<Mutex<Kept>>,
    mood: Arc<Mutex<Mood>>,
    changed: watch::Sender<usize>,
}

pub const AGENT: Subject = Subject([0xa6; 16]);

impl Gateway {
    pub async fn start(plan: AgentPlan) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = params.self_signed(&key).unwrap();
        let pin: [u8; 16] = digest(&SHA256, ca.der()).as_ref()[..16].try_into().unwrap();
        let ca_der = ca.der().clone();
        let leaf_key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&leaf_key, &Issuer::from_ca_cert_der(&ca_der, key).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone(), ca_der],
                PrivateKeyDer::try_from(leaf_key.serialize_der()).unwrap(),
            )
            .unwrap();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let place = socket(SocketAddr::from(([127, 0, 0, 1], 0)));
        let gateway = Self {
            kept: Arc::new(Mutex::new(Kept { plan, ..Kept::default() })),
            mood: Arc::new(Mutex::new(Mood::Good)),
            changed: watch::Sender::new(0),
            address: place.local_addr().unwrap(),
            tls: TlsAcceptor::from(Arc::new(tls)),
            pin,
            listener: Mutex::new(None),
            _place: place,
        };
        gateway.come_back();
        gateway
    }

    /// Listens, at the same address each time, and is in a good mood.
    pub fn come_back(&self) {
        self.set_mood(Mood::Good);
        let listener = socket(self.address).listen(1_024).unwrap();
        let shared = Shared { kept: self.kept.clone(), mood: self.mood.clone(), changed: self.changed.clone() };
        let tls = self.tls.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (tls, shared) = (tls.clone(), shared.clone());
                connections.spawn(async move {
                    if let Ok(stream) = tls.accept(stream).await {
                        let service = service_fn(move |request| answer(shared.clone(), request));
                        let builder = Builder::new(TokioExecutor::new());
                        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                    }
                });
            }
        });
        *self.listener.lock() = Some(task);
    }

    /// Goes away: nothing listens any more when this returns, and open connections break. Nothing is taken whose answer
    /// could be lost by that.
    pub async fn go_away(&self) {
        self.set_mood(Mood::Busy);
        let listening = self.listener.lock().take();
        if let Some(task) = listening {
            task.abort();
            let _ = task.await;
        }
    }

    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub fn token(&self) -> String {
        EnrolToken { secret: TOKEN.to_owned(), ca_pin: Some(self.pin) }.to_text()
    }

    pub fn set_mood(&self, mood: Mood) {
        *self.mood.lock() = mood;
    }

    /// Waits until `enough` holds.
    pub async fn until(&self, what: &str, mut enough: impl FnMut(&Kept) -> bool) {
        let mut changes = self.changed.subscribe();
        let waiting = async {
            while !enough(&self.kept.lock()) {
                let _ = tokio::time::timeout(LOOK, changes.changed()).await;
            }
        };
        let outcome = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(outcome.is_ok(), "waited in vain until {what}");
    }

    /// Waits until something of an agent was taken, and the agent knows that and has nothing else to tell.
    pub async fn heard(&self, agent: &Agent) {
        let settled = |agent: &Agent| (agent.stats().view().delivered, agent.stats().view().outbox_depth);
        self.until("a message and its receipt", |_| matches!(settled(agent), (1.., 0))).await;
    }

    /// Starts an agent that is enrolled here.
    pub async fn agent(&self) -> Agent {
        let data = tempfile::tempdir().unwrap();
        Agent::start(data, Some(self.url()), Some(self.token())).await.unwrap()
    }

    /// Starts an agent that is enrolled here and takes traps.
    pub async fn agent_with_door(&self) -> Agent {
        let trap_listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        self.agent_with(|config| AgentConfig { trap_listen, ..config }).await.unwrap()
    }

    /// Starts an agent that is enrolled here, with whatever else it is given.
    pub async fn agent_with(&self, more: impl FnOnce(AgentConfig) -> AgentConfig) -> Result<Agent, Error> {
        let data = tempfile::tempdir().unwrap();
        let (folder, server, enrol) = (data.path().to_owned(), Some(self.url()), Some(self.token()));
        Agent::begin(data, more(AgentConfig { data: folder, server, enrol, ..AgentConfig::default() })).await
    }
}

/// A running agent.
pub struct Agent {
    pub data: TempDir,
    pub running: Running,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl Agent {
    pub async fn start(data: TempDir, server: Option<String>, enrol: Option<String>) -> Result<Self, Error> {
        let config = AgentConfig { data: data.path().to_owned(), server, enrol, ..AgentConfig::default() };
        Self::begin(data, AgentConfig { name: Some("test".to_owned()), ..config }).await
    }

    pub async fn begin(data: TempDir, config: AgentConfig) -> Result<Self, Error> {
        let stop = CancellationToken::new();
        let (ready, is_ready) = oneshot::channel();
        let mut task = tokio::spawn(agent::run(config, |running| drop(ready.send(running)), stop.clone()));
        tokio::select! {
            Ok(running) = is_ready => Ok(Self { data, running, stop, task }),
            ended = &mut task => Err(ended.unwrap().unwrap_err()),
        }
    }

    pub fn stats(&self) -> &AgentStats {
        &self.running.stats
    }

    /// Stops it and gives its folder back for another start.
    pub async fn stop(self) -> TempDir {
        self.stop.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.task).await;
        ended.expect("it stops").unwrap().unwrap();
        self.data
    }

    pub async fn restart(self) -> Self {
        let data = self.stop().await;
        Self::start(data, None, None).await.unwrap()
    }
}

pub fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

type Response = hyper::Response<reqwest::Body>;

fn plain(status: StatusCode) -> Response {
    let mut response = Response::new(reqwest::Body::from(Vec::new()));
    *response.status_mut() = status;
    response
}

fn document(bytes: Vec<u8>) -> Response {
    Response::new(reqwest::Body::from(bytes))
}

fn with(mut response: Response, name: &'static str, value: &str) -> Response {
    response.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
    response
}

async fn answer(shared: Shared, request: Request<Incoming>) -> Result<Response, Infallible> {
    let (head, mut incoming) = request.into_parts();
    let mut body = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut incoming).poll_frame(cx)).await {
        let Ok(frame) = frame else { return Ok(plain(StatusCode::BAD_REQUEST)) };
        body.extend_from_slice(frame.data_ref().unwrap());
    }
    let mood = *shared.mood.lock();
    let response = match head.uri.path() {
        "/d/v1/enrol" => enrol(&mut shared.kept.lock(), &body),
        "/d/v1/report" => take(&mut shared.kept.lock(), mood, &head.headers, &body),
        "/d/v1/ack" => acknowledged(&mut shared.kept.lock(), &head.headers, &body),
        path if path.starts_with("/d/v1/blob/") => uploaded(&mut shared.kept.lock(), path, &head.headers, body),
        _ => plain(StatusCode::NOT_FOUND),
    };
    shared.changed.send_modify(|n| *n += 1);
    Ok(response)
}

fn enrol(kept: &mut Kept, body: &[u8]) -> Response {
    let request: EnrolRequest = cbor::decode(body).unwrap();
    if kept.token_used || request.token != TOKEN {
        return plain(StatusCode::FORBIDDEN);
    }
    kept.token_used = true;
    kept.key = request.public_key;
    kept.name = request.name;
    let reply = EnrolReply { agent: AGENT, organisation: "Test".to_owned(), plan: kept.plan.clone() };
    document(cbor::encode(&reply))
}

fn acknowledged(kept: &mut Kept, headers: &HeaderMap, body: &[u8]) -> Response {
    let server_ms = now_ms() + kept.offset_ms;
    if !is_signed(&kept.key, ("POST", "/d/v1/ack"), headers, body, server_ms) {
        kept.bad_signatures += 1;
        return plain(StatusCode::FORBIDDEN);
    }
    if kept.deaf {
        return plain(StatusCode::SERVICE_UNAVAILABLE);
    }
    let acks = cbor::decode::<Acks>(body).unwrap().acks;
    let id_of = |command: &Command| cbor::decode::<Order>(&command.order).unwrap().id;
    kept.orders.retain(|command| acks.iter().all(|ack| ack.id != id_of(command)));
    kept.acks.extend(acks);
    plain(StatusCode::NO_CONTENT)
}

fn uploaded(kept: &mut Kept, path: &str, headers: &HeaderMap, body: Vec<u8>) -> Response {
    let server_ms = now_ms() + kept.offset_ms;
    let name: String = digest(&SHA256, &body).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    if !is_signed(&kept.key, ("PUT", path), headers, &body, server_ms) || !path.ends_with(&name) {
        kept.bad_signatures += 1;
        return plain(StatusCode::FORBIDDEN);
    }
    kept.logs.push(body);
    plain(StatusCode::OK)
}

fn take(kept: &mut Kept, mood: Mood, headers: &HeaderMap, body: &[u8]) -> Response {
    kept.requests += 1;
    let server_ms = now_ms() + kept.offset_ms;
    let stamped = |response| with(response, TIME_HEADER, &server_ms.to_string());
    match mood {
        Mood::Busy => return with(plain(StatusCode::SERVICE_UNAVAILABLE), "retry-after", "1"),
        Mood::Revoked => return stamped(plain(StatusCode::FORBIDDEN)),
        _ => {}
    }
    if !is_signed(&kept.key, ("POST", "/d/v1/report"), headers, body, server_ms) {
        kept.bad_signatures += 1;
        return stamped(plain(StatusCode::FORBIDDEN));
    }
    let packed = headers.get("content-encoding").is_some_and(|v| v == "zstd");
    let content = if packed { zstd::decode_all(body).unwrap() } else { body.to_vec() };
    let report: Report = cbor::decode(&content).unwrap();
    kept.followed = report.plan_revision;
    let mut results = Vec::new();
    for message in report.messages {
        let (subject, epoch, seq) = (message.subject, report.epoch, message.seq);
        if let Body::Agent(body) = &message.body {
            kept.gateway_key = body.gateway_key;
        }
        let outcome = if kept.outcomes.is_empty() { Outcome::Stored } else { kept.outcomes.remove(0) };
        let outcome = match outcome {
            Outcome::Stored if !kept.seen.insert((epoch, seq)) => {
                kept.duplicates += 1;
                Outcome::Duplicate
            }
            Outcome::Stored => {
                kept.messages.push((epoch, message));
                Outcome::Stored
            }
            other => other,
        };
        results.push(MessageResult { subject, epoch, seq, outcome, detail: None });
    }
    if mood == Mood::LosesAnswers {
        return plain(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let plan = (report.plan_revision != kept.plan.revision).then(|| kept.plan.clone());
    let keys = if kept.gateway_key == 0 { kept.keys.clone() } else { Vec::new() };
    let commands = kept.orders.clone();
    kept.given += usize::from(!commands.is_empty());
    let reply = Reply { version: 1, server_ms, results, commands, schedule: None, not_before_ms: None, plan, keys };
    stamped(document(cbor::encode(&reply)))
}

fn is_signed(key: &[u8], (method, path): (&str, &str), headers: &HeaderMap, body: &[u8], server_ms: i64) -> bool {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let time: i64 = text(TIME_HEADER).parse().unwrap_or_default();
    let hash: [u8; 32] = digest(&SHA256, body).as_ref().try_into().unwrap();
    let signature = URL_SAFE_NO_PAD.decode(text(SIGNATURE_HEADER)).unwrap_or_default();
    let input = signing_input(method, path, time, &hash);
    text(AGENT_HEADER) == AGENT.to_text()
        && (time - server_ms).abs() <= 300_000
        && UnparsedPublicKey::new(&ED25519, key).verify(&input, &signature).is_ok()
}

/// A door of a person's server that names `gateway`.
pub async fn web_door(gateway: &str) -> String {
    let answer = format!(r#"{{"gateway":"{gateway}"}}"#);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|request: Request<Incoming>| {
                let known = request.uri().path() == "/.well-known/platen";
                let answer = if known { document(answer.clone().into_bytes()) } else { plain(StatusCode::NOT_FOUND) };
                async move { Ok::<_, Infallible>(answer) }
            });
            let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
        }
    });
    url
}

/// How many messages of a kind.
pub fn of_kind(kept: &Kept, kind: u64) -> usize {
    kept.messages.iter().filter(|(_, m)| m.body.kind() == kind).count()
}

/// Subjects of the status messages.
pub fn subjects(kept: &Kept) -> BTreeSet<Subject> {
    kept.messages.iter().filter(|(_, m)| matches!(m.body, Body::Status(_))).filter_map(|(_, m)| m.subject).collect()
}
