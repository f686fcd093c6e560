//! Opens the listeners, serves, and drains on shutdown.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{App, WebConfig},
    router,
};

/// How long open requests may finish after the word to stop.
const DRAIN: Duration = Duration::from_secs(7);

/// An open web door.
#[derive(Debug)]
pub struct WebDoor {
    /// Where people find it, as `http://127.0.0.1:8080`.
    pub url: String,
    /// Where metrics are, when they have a listener of their own.
    pub admin_url: Option<String>,
    /// Ends when the door is closed and drained.
    pub task: JoinHandle<()>,
}

/// Opens the web door; it closes when `shutdown` is cancelled.
///
/// # Errors
/// When an address cannot be listened on.
pub async fn serve(config: WebConfig, shutdown: CancellationToken) -> io::Result<WebDoor> {
    let listener = bind(config.listen).await?;
    let admin = match config.admin_listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let url = format!("http://{}", listener.local_addr()?);
    let admin_url = admin.as_ref().map(|l| l.local_addr()).transpose()?.map(|a| format!("http://{a}"));
    let app = App::new(config, shutdown.clone());
    let web = run(listener, router::web(app.clone()), shutdown.clone());
    let task = match admin {
        Some(listener) => {
            let admin = run(listener, router::admin(app), shutdown);
            tokio::spawn(async move {
                tokio::join!(web, admin);
            })
        }
        None => tokio::spawn(web),
    };
    tracing::info!(url, "web door open");
    Ok(WebDoor { url, admin_url, task })
}

async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|e| io::Error::new(e.kind(), format!("cannot listen on {address}: {e}")))
}

/// Serves until told to stop, then waits for open requests, but not for ever.
async fn run(listener: TcpListener, router: axum::Router, shutdown: CancellationToken) {
    let stop = shutdown.clone();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(async move { stop.cancelled().await });
    let patience = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = server.into_future() => if let Err(error) = served { tracing::error!(%error, "web door failed") },
        () = patience => tracing::warn!("web door closed with requests still open"),
    }
}
