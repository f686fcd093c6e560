//! A small shell on sockets: listeners in the clear and inside TLS, one task a connection, a store in memory.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mail::pop3::{self, Locks};
use mail::smtp::{self, Message};
use mail::{Channel, Limits};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::drive::{self, known, pop3_config, smtp_config};

const PATIENCE: Duration = Duration::from_secs(120);

/// What all connections share.
pub struct Shell {
    smtp: Arc<smtp::Config>,
    pop3: Arc<pop3::Config>,
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    locks: Locks,
    pub stored: Mutex<Vec<Message>>,
    pub maildrop: Mutex<Vec<Vec<u8>>>,
    pub addresses: Addresses,
    /// Where the certificate of the authority lies, for other people's programs.
    pub authority: PathBuf,
    folder: tempfile::TempDir,
}

#[derive(Clone, Copy)]
pub struct Addresses {
    pub smtp: SocketAddr,
    pub smtps: SocketAddr,
    pub pop3: SocketAddr,
    pub pop3s: SocketAddr,
}

#[derive(Clone, Copy)]
enum Door {
    Smtp(Channel),
    Pop3(Channel),
}

fn certificate() -> (String, rustls::ServerConfig, rustls::ClientConfig) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let der = CertificateDer::from(made.cert.der().to_vec());
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let server = server.with_no_client_auth().with_single_cert(vec![der.clone()], key).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(der).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    (made.cert.pem(), server, client.with_root_certificates(roots).with_no_client_auth())
}

impl Shell {
    /// Listens on four free ports of the loopback.
    pub async fn start(limits: Limits) -> Arc<Self> {
        let (pem, server, client) = certificate();
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("authority.pem");
        std::fs::write(&authority, pem).unwrap();
        let mut listeners = Vec::new();
        for _ in 0..4 {
            listeners.push(TcpListener::bind("127.0.0.1:0").await.unwrap());
        }
        let at = |place: usize| listeners[place].local_addr().unwrap();
        let shell = Arc::new(Self {
            smtp: smtp_config(limits.clone()),
            pop3: pop3_config(limits),
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector: TlsConnector::from(Arc::new(client)),
            locks: Locks::default(),
            stored: Mutex::default(),
            maildrop: Mutex::new(drive::MAILDROP.iter().map(|message| message.to_vec()).collect()),
            addresses: Addresses { smtp: at(0), smtps: at(1), pop3: at(2), pop3s: at(3) },
            authority,
            folder,
        });
        let doors = [
            Door::Smtp(Channel::Clear),
            Door::Smtp(Channel::Tls),
            Door::Pop3(Channel::Clear),
            Door::Pop3(Channel::Tls),
        ];
        for (listener, door) in listeners.into_iter().zip(doors) {
            tokio::spawn(Arc::clone(&shell).listen(listener, door));
        }
        shell
    }

    pub fn messages(&self) -> Vec<Message> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn maildrop(&self) -> Vec<Vec<u8>> {
        self.maildrop.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A file for another program, gone with the shell.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        // fetchmail and mpop want their passwords read by nobody else.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    async fn listen(self: Arc<Self>, listener: TcpListener, door: Door) {
        while let Ok((stream, _)) = listener.accept().await {
            let shell = Arc::clone(&self);
            tokio::spawn(async move { tokio::time::timeout(PATIENCE, shell.serve(stream, door)).await });
        }
    }

    async fn serve(&self, stream: TcpStream, door: Door) -> std::io::Result<()> {
        let (Door::Smtp(channel) | Door::Pop3(channel)) = door;
        let mut out = Vec::new();
        let mut side = match door {
            Door::Smtp(_) => Side::Smtp(smtp::Session::new(Arc::clone(&self.smtp), channel, &mut out)),
            Door::Pop3(_) => Side::Pop3(pop3::Session::new(Arc::clone(&self.pop3), channel, &mut out), None),
        };
        if channel == Channel::Tls {
            self.talk(&mut self.acceptor.accept(stream).await?, &mut side, out).await?;
            return Ok(());
        }
        let mut stream = stream;
        if self.talk(&mut stream, &mut side, out).await? {
            let mut inside = self.acceptor.accept(stream).await?;
            side.secured();
            self.talk(&mut inside, &mut side, Vec::new()).await?;
        }
        Ok(())
    }

    /// Carries bytes until the end; true when TLS shall begin.
    async fn talk<S>(&self, stream: &mut S, side: &mut Side, mut out: Vec<u8>) -> std::io::Result<bool>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut buffer = vec![0; 16 * 1024];
        let mut filled = 0;
        loop {
            let mut input = &buffer[..filled];
            let next = loop {
                match self.step(side, &mut input, &mut out) {
                    Next::GoOn => {}
                    next => break next,
                }
            };
            stream.write_all(&out).await?;
            stream.flush().await?;
            out.clear();
            match next {
                Next::StartTls => return Ok(true),
                Next::Close => {
                    stream.shutdown().await?;
                    // What the client still sends is read and forgotten, so that our last words reach it.
                    let late = async {
                        while stream.read(&mut buffer).await? > 0 {}
                        std::io::Result::Ok(())
                    };
                    let _ = tokio::time::timeout(Duration::from_secs(1), late).await;
                    return Ok(false);
                }
                Next::GoOn | Next::Read => {}
            }
            filled = stream.read(&mut buffer).await?;
            if filled == 0 {
                return Ok(false);
            }
        }
    }

    fn step(&self, side: &mut Side, input: &mut &[u8], out: &mut Vec<u8>) -> Next {
        match side {
            Side::Smtp(session) => self.smtp(session, input, out),
            Side::Pop3(session, lock) => self.pop3(session, lock, input, out),
        }
    }

    fn smtp(&self, session: &mut smtp::Session, input: &mut &[u8], out: &mut Vec<u8>) -> Next {
        let mut seen = drive::Mail { out: std::mem::take(out), ..Default::default() };
        let more = drive::smtp_answer(session, input, &mut seen);
        *out = seen.out;
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).extend(seen.messages);
        match (seen.closed, seen.start_tls, more) {
            (Some(_), ..) => Next::Close,
            (_, true, _) => Next::StartTls,
            (_, _, true) => Next::GoOn,
            _ => Next::Read,
        }
    }

    fn pop3(
        &self,
        session: &mut pop3::Session,
        lock: &mut Option<pop3::Taken>,
        input: &mut &[u8],
        out: &mut Vec<u8>,
    ) -> Next {
        let mut maildrop = self.maildrop.lock().unwrap_or_else(PoisonError::into_inner);
        match session.next(input, out) {
            None => return Next::Read,
            Some(pop3::Event::StartTls) => return Next::StartTls,
            Some(pop3::Event::Closed(_)) => return Next::Close,
            Some(pop3::Event::Login(credentials)) if !known(credentials) => {
                session.refuse(pop3::Refusal::BadCredentials, out);
            }
            Some(pop3::Event::Login(credentials)) => {
                *lock = self.locks.take(&credentials.user);
                match lock {
                    Some(_) => session.open(drive::entries(&maildrop), out),
                    None => session.refuse(pop3::Refusal::InUse, out),
                }
            }
            Some(pop3::Event::Fetch(place)) => session.message(&maildrop[place], out).unwrap(),
            Some(pop3::Event::Remove(places)) => {
                for place in places.iter().rev() {
                    maildrop.remove(*place);
                }
                session.removed(out);
            }
        }
        Next::GoOn
    }

    /// TLS as a client that trusts this shell.
    pub async fn connect_tls(&self, stream: TcpStream) -> tokio_rustls::client::TlsStream<TcpStream> {
        self.connector.connect("localhost".try_into().unwrap(), stream).await.unwrap()
    }
}

enum Side {
    Smtp(smtp::Session),
    Pop3(pop3::Session, Option<pop3::Taken>),
}

impl Side {
    fn secured(&mut self) {
        match self {
            Self::Smtp(session) => session.secured(),
            Self::Pop3(session, _) => session.secured(),
        }
    }
}

enum Next {
    GoOn,
    Read,
    StartTls,
    Close,
}
