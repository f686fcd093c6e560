//! The thread that stands at the door: it receives in batches and judges, and waits for nothing else. A reading or a
//! database that is slow must not cost a trap.

use std::{sync::Arc, thread::JoinHandle};

use snmp::trap::Listener;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::{Shared, Told, judge::Judge};

/// Stands at the door until `stop`.
pub(super) fn stand(
    listener: Arc<Listener>,
    shared: Arc<Shared>,
    send: UnboundedSender<Told>,
    stop: CancellationToken,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("traps".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%error, "the trap door has no one to stand at it"),
        };
        let judge = Judge { shared: &shared, send: &send };
        runtime.block_on(async {
            tokio::select! {
                () = stop.cancelled() => {}
                ended = listener.serve_all(|received| judge.take(&received), |from| judge.refuse(from)) => {
                    if let Err(error) = ended {
                        tracing::error!(%error, "the trap door has closed; devices are polled as before");
                    }
                }
            }
        });
    })
}
