//! An open gateway, and senders that sign.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gateway::{CallPolicy, Gateway, GatewayConfig, Limits, MailConfig};
use platen_core::{
    Ctx,
    monitors::{self, NewMonitor},
    testing::TestPlatform,
};
use reqwest::{RequestBuilder, Response, StatusCode};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;
use wire::{
    Body, Identity, Message, Reply, Report, SnmpVersion, Status, Subject, cbor,
    enrol::{EnrolReply, EnrolRequest},
    hello::{Hello, Road},
    monitor::Kind,
    report::StatusBody,
    signature::{AGENT_HEADER, SIGNATURE_HEADER, TIME_HEADER, signing_input},
};

pub struct Door {
    pub test: TestPlatform,
    pub root: Ctx,
    pub gateway: Gateway,
    pub data: TempDir,
    pub client: reqwest::Client,
    pub stop: CancellationToken,
}

impl Door {
    pub async fn open() -> Self {
        Self::with(Limits::default()).await
    }

    pub async fn with(limits: Limits) -> Self {
        Self::all(limits, None, CallPolicy::default()).await
    }

    pub async fn all(limits: Limits, mail: Option<MailConfig>, calls: CallPolicy) -> Self {
        Self::on(TestPlatform::sqlite().await, limits, mail, calls).await
    }

    /// In front of a platform on any engine.
    pub async fn on(test: TestPlatform, limits: Limits, mail: Option<MailConfig>, calls: CallPolicy) -> Self {
        let root = test.root().await;
        let (data, stop) = (tempfile::tempdir().unwrap(), CancellationToken::new());
        let gateway = serve_all(&test, &data, limits, (mail, calls), stop.clone()).await;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(trusting(&gateway))
            .timeout(Duration::from_secs(120))
            .build()
            .unwrap();
        Self { test, root, gateway, data, client, stop }
    }

    /// The server's time.
    pub fn now_ms(&self) -> i64 {
        self.test.platform.now().0 / 1_000
    }

    pub async fn enrol(&self, by: &Ctx) -> Sender {
        let secret = platen_core::agents::invite(by, by.home).await.unwrap().secret;
        let key = Ed25519KeyPair::generate().unwrap();
        let answer = self.try_enrol(secret.expose(), key.public_key().as_ref()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let reply: EnrolReply = cbor::decode(&answer.bytes().await.unwrap()).unwrap();
        Sender { id: reply.agent, key, epoch: 1 }
    }

    /// An agent that did not come by the door.
    pub async fn enrol_inside(&self, by: &Ctx) -> Sender {
        let secret = platen_core::agents::invite(by, by.home).await.unwrap().secret;
        let key = Ed25519KeyPair::generate().unwrap();
        let request = enrolment(secret.expose(), key.public_key().as_ref());
        let reply = platen_core::agents::enrol(&self.test.platform, &request).await.unwrap();
        Sender { id: reply.agent, key, epoch: 1 }
    }

    /// Registers the device of this serial number; what it must claim at its communication test.
    pub async fn claim(&self, serial: &str) -> String {
        let new = NewMonitor { vendor: "ricoh".to_owned(), serial: serial.to_owned(), model: None };
        monitors::register(&self.root, self.root.home, &new).await.unwrap().claim.expose().to_owned()
    }

    pub async fn try_enrol(&self, token: &str, key: &[u8]) -> Response {
        let url = format!("{}/d/v1/enrol", self.gateway.url);
        let body = cbor::encode(&enrolment(token, key));
        self.client.post(url).header("content-type", cbor::CBOR).body(body).send().await.unwrap()
    }

    /// A signed request.
    pub fn request(&self, sender: &Sender, method: &str, path: &str, body: Vec<u8>) -> RequestBuilder {
        let url = format!("{}{path}", self.gateway.url);
        let mut request = self.client.request(method.parse().unwrap(), url);
        for (name, value) in sender.headers(method, path, self.now_ms(), &body) {
            request = request.header(name, value);
        }
        request.body(body)
    }

    pub async fn report(&self, sender: &Sender, messages: Vec<Message>) -> Response {
        let body = cbor::encode(&sender.report(messages));
        self.request(sender, "POST", "/d/v1/report", body).header("content-type", cbor::CBOR).send().await.unwrap()
    }

    /// A TLS connection of one's own, to misbehave on.
    pub async fn connect(&self) -> TlsStream<TcpStream> {
        self.try_connect().await.unwrap()
    }

    /// The same where the door may have lost patience meanwhile.
    pub async fn try_connect(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let mut config = trusting(&self.gateway);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let stream = TcpStream::connect(self.gateway.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

fn enrolment(token: &str, key: &[u8]) -> EnrolRequest {
    EnrolRequest { token: token.to_owned(), public_key: key.to_vec(), name: "host".to_owned(), version: "0".to_owned() }
}

pub async fn serve(test: &TestPlatform, data: &TempDir, limits: Limits, stop: CancellationToken) -> Gateway {
    serve_all(test, data, limits, (None, CallPolicy::default()), stop).await
}

async fn serve_all(
    test: &TestPlatform,
    data: &TempDir,
    limits: Limits,
    (mail, calls): (Option<MailConfig>, CallPolicy),
    stop: CancellationToken,
) -> Gateway {
    let config = GatewayConfig {
        platform: test.platform.clone(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data: data.path().to_owned(),
        public_url: None,
        limits,
        mail,
        calls,
    };
    gateway::serve(config, stop).await.unwrap()
}

pub fn trusting(gateway: &Gateway) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&gateway.ca_path).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

pub struct Sender {
    pub id: Subject,
    pub key: Ed25519KeyPair,
    pub epoch: u64,
}

impl Sender {
    /// Somebody with a new key, whom nobody knows yet.
    pub fn nobody() -> Self {
        Self { id: Subject([0; 16]), key: Ed25519KeyPair::generate().unwrap(), epoch: 1 }
    }

    /// What it says at its communication test as the device of this serial number, on the road of HTTPS.
    pub fn hello(&self, door: &Door, serial: &str, claim: Option<String>) -> Hello {
        Hello {
            version: 1,
            vendor: "ricoh".to_owned(),
            serial: serial.to_owned(),
            model: "IM C3000".to_owned(),
            key: self.key.public_key().as_ref().to_vec(),
            claim,
            road: Road::Https,
            kinds: Kind::ALL.to_vec(),
            clock_ms: door.now_ms(),
            mono_ms: 0,
            firmware: "1".to_owned(),
            mac: None,
            listener: None,
            seal: None,
        }
    }

    pub fn headers(&self, method: &str, path: &str, time_ms: i64, body: &[u8]) -> [(&'static str, String); 3] {
        let hash: [u8; 32] = digest(&SHA256, body).as_ref().try_into().unwrap();
        let signature = self.key.sign(&signing_input(method, path, time_ms, &hash));
        [
            (AGENT_HEADER, self.id.to_text()),
            (TIME_HEADER, time_ms.to_string()),
            (SIGNATURE_HEADER, URL_SAFE_NO_PAD.encode(signature)),
        ]
    }

    pub fn report(&self, messages: Vec<Message>) -> Report {
        Report { version: 1, sender: self.id, epoch: self.epoch, clock_ms: 0, mono_ms: 0, messages, plan_revision: 0 }
    }
}

/// A device's status as message number `seq`.
pub fn status(seq: u64, serial: &str) -> Message {
    let identity = Identity {
        vendor: Some("ricoh".to_owned()),
        model: Some("IM C3000".to_owned()),
        serial: Some(serial.to_owned()),
        ..Identity::default()
    };
    let body = StatusBody {
        address: "10.0.0.9".to_owned(),
        port: 161,
        snmp: SnmpVersion::V2c,
        identity,
        status: Status::default(),
        supplies: Vec::new(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        covers: Vec::new(),
        alerts: Vec::new(),
        quirks: Vec::new(),
    };
    let mut subject = [0; 16];
    subject[..serial.len().min(16)].copy_from_slice(&serial.as_bytes()[..serial.len().min(16)]);
    Message { seq, taken_ms: 1_772_366_400_000, subject: Some(Subject(subject)), body: Body::Status(Box::new(body)) }
}

/// The reply of a report that was understood.
pub async fn reply_of(answer: Response) -> Reply {
    assert_eq!(answer.status(), StatusCode::OK);
    cbor::decode(&answer.bytes().await.unwrap()).unwrap()
}
