//! Work that is mostly SQL, on a thread of its own. SQLite answers on the thread that asks: on one that serves sockets, those
//! would wait for thousands of rows, and the rows, at each pause, for whatever the sockets brought.

use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};

/// Begins the work; it goes on when nobody waits for it any more. Needs a running tokio runtime.
pub(crate) fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    let runtime = Handle::current();
    spawn_blocking(move || runtime.block_on(work))
}
