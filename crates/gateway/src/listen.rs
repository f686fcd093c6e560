//! Accepts connections: a cap on their number, TLS within its time, HTTP/1.1 and 2 with time-outs, and a drained end.

use std::{
    io,
    net::SocketAddr,
    path::Path,
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{Router, extract::ConnectInfo};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use parking_lot::Mutex;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::{
    Error,
    limits::Limits,
    tls::{Authority, Configs, Purpose, read_text, write_private},
};

/// Opens the listener. Port 0 means: choose one at the first start and keep it, for agents remember the address.
pub(crate) async fn bind(listen: SocketAddr, data: &Path, door: &str) -> Result<TcpListener, Error> {
    let failed = |address| move |source| Error::Listen { address, source };
    if listen.port() != 0 {
        return TcpListener::bind(listen).await.map_err(failed(listen));
    }
    let file = data.join(format!("{door}.port"));
    if let Some(port) = read_text(&file)?.and_then(|text| text.trim().parse().ok()) {
        match TcpListener::bind((listen.ip(), port)).await {
            Ok(listener) => return Ok(listener),
            Err(e) => {
                tracing::warn!(door, port, error = %e, "the port of a door is taken; its callers must learn another one")
            }
        }
    }
    let listener = TcpListener::bind(listen).await.map_err(failed(listen))?;
    let port = listener.local_addr().map_err(failed(listen))?.port();
    write_private(&file, port.to_string().as_bytes())?;
    Ok(listener)
}

/// The certificate in use, renewed when its time comes.
pub(crate) struct Certificates {
    authority: Authority,
    names: Vec<String>,
    current: Mutex<(Configs, SystemTime)>,
}

impl Certificates {
    pub(crate) fn new(authority: Authority, names: Vec<String>) -> Result<Self, Error> {
        let current = Mutex::new(authority.server_configs(&names)?);
        Ok(Self { authority, names, current })
    }

    pub(crate) fn acceptor(&self, purpose: Purpose) -> TlsAcceptor {
        let mut current = self.current.lock();
        if SystemTime::now() >= current.1 {
            match self.authority.server_configs(&self.names) {
                Ok(renewed) => *current = renewed,
                Err(e) => {
                    tracing::error!(error = %e, "the gateway's certificate could not be renewed; trying again in an hour");
                    current.1 = SystemTime::now() + Duration::from_secs(3_600);
                }
            }
        }
        TlsAcceptor::from(current.0[purpose as usize].clone())
    }
}

/// Serves until `shutdown`, then lets requests that have begun come to their end.
pub(crate) async fn serve(
    listener: TcpListener,
    certificates: Arc<Certificates>,
    router: Router,
    limits: Arc<Limits>,
    shutdown: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((stream, place)) = accepted else {
            // Out of file descriptors or the like: give the open connections a moment to end.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (acceptor, router) = (certificates.acceptor(Purpose::Http), router.clone());
        let (limits, shutdown) = (limits.clone(), shutdown.clone());
        connections.spawn(async move {
            connection(stream, &acceptor, router, &limits, &shutdown).await;
            drop(place);
        });
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, drained).await.is_err() {
        tracing::warn!("the gateway stops with requests under way; their senders will repeat them");
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

async fn connection(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    router: Router,
    limits: &Limits,
    shutdown: &CancellationToken,
) {
    let _ = stream.set_nodelay(true);
    let peer = stream.peer_addr().ok().map(ConnectInfo);
    let handshake = tokio::time::timeout(limits.handshake, acceptor.accept(stream));
    let stream = tokio::select! {
        () = shutdown.cancelled() => return,
        shaken = handshake => match shaken {
            Ok(Ok(stream)) => stream,
            Ok(Err(e)) => return tracing::debug!(error = %e, "a TLS handshake failed"),
            Err(_) => return tracing::debug!("a TLS handshake took too long"),
        },
    };
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        router.clone().oneshot(request)
    });
    let builder = protocol(limits);
    let mut serving = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        outcome = serving.as_mut() => return log_end(outcome),
        () = shutdown.cancelled() => serving.as_mut().graceful_shutdown(),
    }
    log_end(serving.await);
}

fn protocol(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(32)
        .max_header_list_size(32 * 1024)
        .initial_stream_window_size(256 * 1024)
        .keep_alive_interval(limits.head)
        .keep_alive_timeout(limits.head);
    builder
}

fn log_end(outcome: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(e) = outcome {
        tracing::debug!(error = %e, "a connection ended early");
    }
}
