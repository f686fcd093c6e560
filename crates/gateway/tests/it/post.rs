//! Doors for mail, devices on the mail roads, and a client that says exactly what it is told.

use std::{net::SocketAddr, time::Duration};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use gateway::{CallPolicy, MailConfig};
use mail::message::{Letter, Stamp};
use platen_core::testing::TestPlatform;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};
use wire::{
    Activation, Message, cbor,
    command::Acks,
    hello::{Hello, HelloReply, MailPair, Road},
    sealed::{self, Addresses, Algorithm, AwsLc, Claims, Content, Header, P256Secret, Recipient, Signer},
};

use crate::door::{self, Door, Sender, status};

pub const DOMAIN: &str = "print.example";
/// Longer than this is a hang.
pub const HANG: Duration = Duration::from_secs(60);
/// Serial number of the first device.
pub const SERIAL: &str = "E216R220016";

/// All four doors at free ports; many connections from this one machine.
pub fn doors() -> MailConfig {
    let any: Option<SocketAddr> = "127.0.0.1:0".parse().ok();
    let mut config = MailConfig { smtp: any, smtps: any, pop3: any, pop3s: any, ..MailConfig::new(DOMAIN) };
    config.limits.connection_rate.network = 100_000;
    config.limits.connection_rate.total = 100_000;
    config.limits.connection_rate.delay = Duration::from_millis(1);
    config.limits.min_free = mail::limits::MinFree { bytes: 0, inodes: 0 };
    config.limits.max_message = 200_000;
    config
}

pub async fn open(config: MailConfig) -> Door {
    Door::all(gateway::Limits::default(), Some(config), CallPolicy::default()).await
}

/// The doors on each engine that is there.
pub async fn each(config: MailConfig) -> Vec<Door> {
    let mut all = Vec::new();
    for test in TestPlatform::each().await {
        all.push(Door::on(test, gateway::Limits::default(), Some(config.clone()), CallPolicy::default()).await);
    }
    all
}

/// A device whose road is mail, after its communication test.
pub struct Postal {
    pub sender: Sender,
    pub pair: MailPair,
    pub hello: HelloReply,
    seal: P256Secret,
}

pub async fn device(door: &Door, serial: &str) -> Postal {
    let seal = seal_of(serial);
    let mut sender = Sender::nobody();
    let hello = Hello {
        road: Road::MailBothWays,
        seal: Some(seal.public().unwrap().to_vec()),
        ..sender.hello(door, serial, Some(door.claim(serial).await))
    };
    let request = door.request(&sender, "POST", "/d/v1/hello", cbor::encode(&hello));
    let answer = request.header("content-type", cbor::CBOR).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let hello: HelloReply = cbor::decode(&answer.bytes().await.unwrap()).unwrap();
    (sender.id, sender.epoch) = (hello.sender, hello.epoch_floor);
    Postal { sender, pair: hello.mail.clone().expect("a pair of addresses"), hello, seal }
}

/// The key that mail to the device of this serial number is sealed for.
fn seal_of(serial: &str) -> P256Secret {
    let mut secret = [7; 32];
    secret[..serial.len().min(32)].copy_from_slice(&serial.as_bytes()[..serial.len().min(32)]);
    P256Secret::of(&secret).unwrap()
}

/// A device that was given an activation document and has sent nothing yet.
pub fn activated(document: &Activation) -> Postal {
    let sender = Sender { id: document.sender, key: Ed25519KeyPair::generate().unwrap(), epoch: document.epoch_floor };
    let hello = HelloReply {
        version: 1,
        server_ms: document.server_ms,
        sender: document.sender,
        epoch_floor: document.epoch_floor,
        schedule: document.schedule.clone(),
        keys: document.keys.clone(),
        mail: Some(document.mail.clone()),
    };
    Postal { sender, pair: document.mail.clone(), hello, seal: seal_of(&document.serial) }
}

impl Postal {
    /// What the device says of itself at its test.
    pub fn hello(&self, door: &Door, document: &Activation) -> Hello {
        Hello {
            vendor: document.vendor.clone(),
            road: document.road,
            seal: self.seal.public().map(|key| key.to_vec()),
            ..self.sender.hello(door, &document.serial, Some(document.claim.clone()))
        }
    }

    /// The communication test as mail.
    pub fn test(&self, door: &Door, hello: &Hello) -> Vec<u8> {
        self.sealed(door, Content::Hello, Content::HELLO, 0, &cbor::encode(hello))
    }

    pub fn status(&self, seq: u64, serial: &str) -> Message {
        let mut message = status(seq, serial);
        message.subject = Some(self.sender.id);
        message
    }

    /// A report as mail.
    pub fn letter(&self, door: &Door, message: Message) -> Vec<u8> {
        let kind = u32::try_from(message.body.kind()).unwrap();
        let (seq, report) = (message.seq, self.sender.report(vec![message]));
        self.sealed(door, Content::Report, kind, seq, &cbor::encode(&report))
    }

    /// Answers to orders as mail.
    pub fn acks(&self, door: &Door, seq: u64, acks: &Acks) -> Vec<u8> {
        self.sealed(door, Content::Acks, Content::Acks.kind().unwrap(), seq, &cbor::encode(acks))
    }

    fn sealed(&self, door: &Door, content: Content, kind: u32, seq: u64, bytes: &[u8]) -> Vec<u8> {
        let (stamp, sealed) = self.seal(door, content, kind, seq, bytes);
        self.wrap(door, &stamp, &sealed)
    }

    /// The mark and the envelope of a report, without its letter.
    pub fn envelope(&self, door: &Door, message: Message) -> (Stamp, Vec<u8>) {
        let kind = u32::try_from(message.body.kind()).unwrap();
        let (seq, report) = (message.seq, self.sender.report(vec![message]));
        self.seal(door, Content::Report, kind, seq, &cbor::encode(&report))
    }

    /// Any bytes as a letter with this mark.
    pub fn wrap(&self, door: &Door, stamp: &Stamp, sealed: &[u8]) -> Vec<u8> {
        let (from, to) = (self.pair.device.parse().unwrap(), self.pair.server.parse().unwrap());
        Letter { from: &from, to: &to, stamp, sent: door.now_ms() / 1_000, sealed }.write()
    }

    fn seal(&self, door: &Door, content: Content, kind: u32, seq: u64, bytes: &[u8]) -> (Stamp, Vec<u8>) {
        let (from, to) = (&self.pair.device, &self.pair.server);
        let issued_ms = door.now_ms();
        let expires_ms = issued_ms + 86_400_000;
        let (sender, epoch) = (self.sender.id, self.sender.epoch);
        let claims = Claims { sender, epoch, seq, kind, issued_ms, expires_ms, content };
        let header = Header::of(sender, &claims);
        let key = &self.hello.keys[0];
        let recipient =
            Recipient { kid: &key.id.to_be_bytes(), key: key.seal.as_slice().try_into().expect("a P-256 key") };
        let sign = |message: &[u8]| self.sender.key.sign(message).as_ref().try_into().ok();
        let own = self.sender.key.public_key().as_ref();
        let kid: &[u8] = if content == Content::Hello { own } else { &sender.0 };
        let signer = Signer { algorithm: Algorithm::EdDsa, kid, sign: &sign };
        let sealed =
            sealed::seal(&AwsLc, &claims, bytes, &Addresses { from, to }, &header, &recipient, &signer).unwrap();
        (header.to_string().parse().unwrap(), sealed)
    }

    /// A whole session that sends `letter` as this device.
    pub fn session(&self, letter: &[u8]) -> Vec<u8> {
        session(Some(&self.pair.device), &self.pair.server, letter)
    }

    /// Opens an order that was fetched.
    pub fn orders(&self, door: &Door, letter: &[u8]) -> wire::hello::PollReply {
        let received = mail::message::read(letter).unwrap();
        let header: Header = received.stamp.to_string().parse().unwrap();
        let key = &self.hello.keys[0];
        let verify = |algorithm, _: &[u8], message: &[u8], signature: &[u8]| {
            let key = aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, &key.verify);
            algorithm == Algorithm::EdDsa && key.verify(message, signature).is_ok()
        };
        let unseal =
            |kid: &[u8], peer: &[u8; sealed::POINT]| (kid == self.sender.id.0).then(|| self.seal.agree(peer)).flatten();
        let opener = sealed::Opener {
            unseal: &unseal,
            verify: &verify,
            now_ms: door.now_ms(),
            limits: sealed::Limits::default(),
        };
        let addresses = Addresses { from: received.from.as_str(), to: received.to.as_str() };
        let (claims, content) = sealed::open(&AwsLc, &received.sealed, &addresses, &header, &opener).unwrap();
        assert_eq!(claims.content, Content::Orders);
        cbor::decode(&content).unwrap()
    }
}

/// A pipelined session; `None` is the null sender.
pub fn session(from: Option<&str>, to: &str, letter: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("EHLO device\r\nMAIL FROM:<{}>\r\nRCPT TO:<{to}>\r\nDATA\r\n", from.unwrap_or("")).into_bytes();
    for line in letter.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            bytes.push(b'.');
        }
        bytes.extend_from_slice(line);
    }
    bytes.extend_from_slice(b".\r\nQUIT\r\n");
    bytes
}

/// Says bytes, ends the sending side, reads all that comes.
pub async fn say(address: Option<SocketAddr>, bytes: &[u8]) -> String {
    let stream = TcpStream::connect(address.unwrap()).await.unwrap();
    say_on(stream, bytes).await
}

/// The same on a connection, perhaps inside TLS.
pub async fn say_on(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> String {
    let talk = async {
        // A server that closes early resets what is still on its way; that is no fault.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::time::timeout(HANG, talk).await.expect("the door hangs")
}

/// The same inside TLS from the first byte.
pub async fn say_tls(door: &Door, address: Option<SocketAddr>, bytes: &[u8]) -> String {
    let stream = TcpStream::connect(address.unwrap()).await.unwrap();
    say_on(secure(door, stream).await, bytes).await
}

/// TLS with this gateway.
pub async fn secure(door: &Door, stream: TcpStream) -> tokio_rustls::client::TlsStream<TcpStream> {
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(door::trusting(&door.gateway)));
    connector.connect(ServerName::try_from(DOMAIN).unwrap(), stream).await.unwrap()
}
