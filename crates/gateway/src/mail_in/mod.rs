//! Mail doors: SMTP takes sealed reports of registered devices, POP3 gives them their orders. The protocols are state machines of
//! `mail`; here are sockets, TLS, limits and what the questions of a session mean. Path: `gate` → `talk` → `smtp` or `pop3` → core.

mod config;
mod gate;
mod line;
mod metrics;
mod pop3;
mod smtp;
mod space;
mod strangers;
mod talk;

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use mail::{Channel, limits::Named, pop3::Locks};
use platen_core::{Platform, monitors};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

pub use self::config::MailConfig;
use self::{
    gate::Gate,
    line::Line,
    metrics::{Metrics, Outcome, Protocol},
    talk::{Buffers, Terms, talk},
};
use crate::{
    Error,
    listen::{Certificates, bind},
    tls::{Purpose, reachable_address},
};

/// A wrong password is answered no sooner.
const REFUSED_AFTER: Duration = Duration::from_millis(200);

/// What all sessions share.
#[derive(Debug)]
pub(crate) struct Shared {
    platform: Platform,
    metrics: Metrics,
    space: space::Space,
    strangers: strangers::Notes,
    locks: Locks,
    smtp: Arc<mail::smtp::Config>,
    pop3: Arc<mail::pop3::Config>,
    gates: [Gate; 2],
    buffers: Buffers,
}

/// Where the doors listen.
#[derive(Clone, Copy, Debug, Default)]
pub struct MailAddresses {
    /// SMTP in the clear, with STARTTLS.
    pub smtp: Option<SocketAddr>,
    /// SMTP inside TLS.
    pub smtps: Option<SocketAddr>,
    /// POP3 in the clear, with STLS.
    pub pop3: Option<SocketAddr>,
    /// POP3 inside TLS.
    pub pop3s: Option<SocketAddr>,
}

/// Doors that listen and do not serve yet.
pub(crate) struct MailDoors {
    shared: Arc<Shared>,
    listeners: Vec<(TcpListener, Protocol, Channel)>,
    pub(crate) addresses: MailAddresses,
}

impl MailDoors {
    /// Takes the ports.
    pub(crate) async fn bind(config: &MailConfig, platform: Platform, data: &Path) -> Result<Self, Error> {
        let limits = &config.limits;
        let pop3 = mail::pop3::Config {
            limits: limits.clone(),
            tls: mail::pop3::server::Tls::Offered,
            login: config.pop3_login,
        };
        let gate = || Gate::new(limits.connection_rate, limits.max_sessions);
        let login = mail::smtp::server::Login::Offered;
        let shared = Shared {
            platform,
            metrics: Metrics::default(),
            space: space::Space::new(data.to_owned(), limits.min_free),
            strangers: strangers::Notes::default(),
            locks: Locks::default(),
            smtp: Arc::new(mail::smtp::Config::new(&config.domain, limits.clone(), config.smtp_tls, login)),
            pop3: Arc::new(pop3),
            gates: [gate(), gate()],
            buffers: Buffers::default(),
        };
        let mut doors = Self { shared: Arc::new(shared), listeners: Vec::new(), addresses: MailAddresses::default() };
        doors.addresses = MailAddresses {
            smtp: doors.open(config.smtp, data, "smtp", Protocol::Smtp, Channel::Clear).await?,
            smtps: doors.open(config.smtps, data, "smtps", Protocol::Smtp, Channel::Tls).await?,
            pop3: doors.open(config.pop3, data, "pop3", Protocol::Pop3, Channel::Clear).await?,
            pop3s: doors.open(config.pop3s, data, "pop3s", Protocol::Pop3, Channel::Tls).await?,
        };
        Ok(doors)
    }

    async fn open(
        &mut self,
        listen: Option<SocketAddr>,
        data: &Path,
        name: &str,
        protocol: Protocol,
        channel: Channel,
    ) -> Result<Option<SocketAddr>, Error> {
        let Some(listen) = listen else { return Ok(None) };
        let listener = bind(listen, data, name).await?;
        let address = listener.local_addr().map_err(|source| Error::Listen { address: listen, source })?;
        self.listeners.push((listener, protocol, channel));
        Ok(Some(address))
    }

    /// As devices reach them, and as their certificate must say.
    pub(crate) fn host(&self, config: &MailConfig) -> String {
        let own = [self.addresses.smtp, self.addresses.smtps, self.addresses.pop3, self.addresses.pop3s];
        let own = own.into_iter().flatten().find_map(reachable_address).map(|ip| match ip {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => format!("[{v6}]"),
        });
        config.host.clone().or(own).unwrap_or_else(|| config.domain.clone())
    }

    /// What devices are told of these doors; the door with TLS from the first byte where both are open.
    pub(crate) fn told(&self, config: &MailConfig) -> monitors::MailDoors {
        let host = self.host(config);
        let url = |scheme: &str, clear: Option<SocketAddr>, tls: Option<SocketAddr>| {
            let tls = tls.map(|address| format!("{scheme}s://{host}:{}", address.port()));
            tls.or_else(|| clear.map(|address| format!("{scheme}://{host}:{}", address.port())))
        };
        monitors::MailDoors {
            domain: config.domain.clone(),
            smtp: url("smtp", self.addresses.smtp, self.addresses.smtps),
            pop3: url("pop3", self.addresses.pop3, self.addresses.pop3s),
        }
    }

    /// Counts, for the process's one page of metrics.
    pub(crate) fn metrics(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Serves until `stop`; then messages under way may come to their end within `drain`.
    pub(crate) async fn serve(self, certificates: Arc<Certificates>, drain: Duration, stop: CancellationToken) {
        let mut listeners = JoinSet::new();
        for (listener, protocol, channel) in self.listeners {
            let door = Door {
                shared: Arc::clone(&self.shared),
                certificates: Arc::clone(&certificates),
                protocol,
                channel,
                stop: stop.clone(),
            };
            listeners.spawn(Arc::new(door).listen(listener, drain));
        }
        while listeners.join_next().await.is_some() {}
    }
}

impl Shared {
    /// Prometheus text.
    pub(crate) fn text(&self) -> String {
        self.metrics.text([self.gates[0].inside(), self.gates[1].inside()])
    }
}

/// One listener.
struct Door {
    shared: Arc<Shared>,
    certificates: Arc<Certificates>,
    protocol: Protocol,
    channel: Channel,
    stop: CancellationToken,
}

impl Door {
    async fn listen(self: Arc<Self>, listener: TcpListener, drain: Duration) {
        let mut sessions = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => break,
                accepted = listener.accept() => accepted,
                Some(_) = sessions.join_next() => continue,
            };
            match accepted {
                Ok((stream, peer)) => drop(sessions.spawn(Arc::clone(&self).receive(stream, peer.ip().to_canonical()))),
                // Out of file descriptors or the like: give the open sessions a moment to end.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        drop(listener);
        let drained = async { while sessions.join_next().await.is_some() {} };
        if tokio::time::timeout(drain, drained).await.is_err() {
            tracing::warn!("a mail door stops with messages under way; their senders will send them again");
        }
    }

    /// The limits on connections, then the session. What is refused here is told in the clear, or by closing what should be TLS.
    async fn receive(self: Arc<Self>, stream: TcpStream, peer: IpAddr) {
        let _ = stream.set_nodelay(true);
        let gate = &self.shared.gates[self.protocol as usize];
        let admitted = match gate.enter(peer) {
            Ok(place) => gate.pace(peer).await.map(|()| place),
            Err(limit) => Err(limit),
        };
        let limits = self.shared.smtp.limits();
        match admitted {
            Ok(place) => {
                self.converse(stream, peer).await;
                drop(place);
            }
            Err(limit) => {
                self.shared.metrics.count(self.protocol, Outcome::Limit(limit));
                if self.channel == Channel::Clear {
                    let mut line = Line::Clear(stream);
                    if line.write(refusal(self.protocol, limit), limits.idle).await.is_ok() {
                        line.close().await;
                    }
                }
            }
        }
    }

    async fn converse(&self, stream: TcpStream, peer: IpAddr) {
        let purpose = match self.protocol {
            Protocol::Smtp => Purpose::Smtp,
            Protocol::Pop3 => Purpose::Pop3,
        };
        let (shared, acceptor) = (Arc::clone(&self.shared), self.certificates.acceptor(purpose));
        let limits = self.shared.smtp.limits();
        let handshake = limits.idle.min(Duration::from_secs(10));
        let mut line = Line::Clear(stream);
        if self.channel == Channel::Tls {
            line = tokio::select! {
                () = self.stop.cancelled() => return,
                secured = line.secure(&acceptor, handshake) => match secured {
                    Ok(line) => line,
                    Err(error) => return tracing::debug!(%error, "a TLS handshake failed"),
                },
            };
        }
        let began = if self.channel == Channel::Tls { Outcome::Tls } else { Outcome::Clear };
        self.shared.metrics.count(self.protocol, began);
        let (metrics, protocol, buffers) = (&self.shared.metrics, self.protocol, &self.shared.buffers);
        let terms = Terms { limits, acceptor: &acceptor, handshake, stop: &self.stop, metrics, protocol, buffers };
        let mut out = Vec::new();
        match self.protocol {
            Protocol::Smtp => {
                let session = mail::smtp::Session::new(Arc::clone(&shared.smtp), self.channel, &mut out);
                talk(line, smtp::Receiving::new(session, shared, peer), out, terms).await;
            }
            Protocol::Pop3 => {
                let session = mail::pop3::Session::new(Arc::clone(&shared.pop3), self.channel, &mut out);
                talk(line, pop3::Giving::new(session, shared), out, terms).await;
            }
        }
    }
}

/// What a connection is told that meets a limit before it begins.
fn refusal(protocol: Protocol, limit: Named) -> &'static [u8] {
    match protocol {
        Protocol::Smtp => limit.answer().line().as_bytes(),
        Protocol::Pop3 => mail::pop3::Refusal::TooMany.line().as_bytes(),
    }
}
