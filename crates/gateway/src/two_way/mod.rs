//! The road on which the server calls: a device's own listener is given its waiting orders, over mutual TLS. The same orders as
//! on every other road, signed; the device's answers count as if it had called. `guard` says where calls may go,
//! `trust` who may answer, `call` is one call.

mod call;
mod guard;
mod trust;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use platen_core::{Platform, monitors};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wire::command::Acks;

pub use self::guard::{Network, NotANetwork};
use crate::{Error, tls::Authority};

/// How often is looked for devices to call.
const PAUSE: Duration = Duration::from_secs(2);
/// Calls at the same time.
const AT_ONCE: i64 = 32;

/// Where calls may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallPolicy {
    /// Networks of devices, beside the address that a device itself called from. Only an entry here opens addresses
    /// of this machine (loopback), of its link, or of a cloud's metadata.
    pub allow: Vec<Network>,
}

/// What became of calls.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    went: AtomicU64,
    failed: AtomicU64,
    forbidden: AtomicU64,
}

impl Counts {
    /// Prometheus text.
    pub(crate) fn text(&self) -> String {
        let mut out = String::from(
            "# HELP platen_calls_total Calls of devices' own listeners.\n# TYPE platen_calls_total counter\n",
        );
        for (outcome, count) in [("went", &self.went), ("failed", &self.failed), ("forbidden", &self.forbidden)] {
            let count = count.load(Relaxed);
            out.push_str(&format!("platen_calls_total{{outcome=\"{outcome}\"}} {count}\n"));
        }
        out
    }
}

/// Calls devices.
pub(crate) struct Caller {
    platform: Platform,
    policy: CallPolicy,
    identity: trust::Identity,
    counts: Arc<Counts>,
}

impl Caller {
    pub(crate) fn new(platform: Platform, policy: CallPolicy, authority: &Authority) -> Result<Self, Error> {
        Ok(Self { platform, policy, identity: trust::Identity::issue(authority)?, counts: Arc::default() })
    }

    pub(crate) fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Calls devices until `stop`; calls under way then have `drain` to end. One that is cut off is made again.
    pub(crate) async fn keep(self, stop: CancellationToken, drain: Duration) {
        let caller = Arc::new(self);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE) => {}
            }
            let found = match monitors::callable(&caller.platform, AT_ONCE).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(%error, "nobody knows whom to call; asked again soon");
                    continue;
                }
            };
            let mut calls = JoinSet::new();
            for device in found {
                let caller = Arc::clone(&caller);
                calls.spawn(async move { caller.call(device).await });
            }
            let ended = async { while calls.join_next().await.is_some() {} };
            tokio::select! {
                () = ended => {}
                () = async { stop.cancelled().await; tokio::time::sleep(drain).await } => return,
            }
        }
    }

    /// One device: its orders, the call, and what came back.
    async fn call(&self, device: monitors::Callable) {
        let commands = match monitors::orders_for(&device).await {
            Ok(commands) if commands.is_empty() => return,
            Ok(commands) => commands,
            Err(error) => return tracing::warn!(monitor.id = %device.monitor, %error, "no orders for a call"),
        };
        let server_ms = crate::server_ms(&self.platform);
        let outcome = call::give(&device, &commands, server_ms, &self.policy, &self.identity).await;
        let counter = match &outcome {
            Ok(_) => &self.counts.went,
            Err(call::Fault::Forbidden(_)) => &self.counts.forbidden,
            Err(_) => &self.counts.failed,
        };
        let noted = match outcome {
            Ok(acks) => answered(&device, acks).await,
            Err(fault) => {
                tracing::info!(monitor.id = %device.monitor, %fault, "a device could not be called");
                monitors::failed(&device, &commands, &fault.to_string()).await
            }
        };
        counter.fetch_add(1, Relaxed);
        if let Err(error) = noted {
            tracing::warn!(monitor.id = %device.monitor, %error, "a call could not be noted");
        }
    }
}

/// A device has its orders, and perhaps answered them.
async fn answered(device: &monitors::Callable, acks: Option<Acks>) -> platen_core::Result<()> {
    if let Some(acks) = acks {
        platen_core::orders::acknowledge(&device.ctx, &acks).await?;
    }
    monitors::went(device).await
}
