//! Group commit for SQLite: each transaction is a savepoint inside one outer `begin immediate`.
//! A commit is acknowledged only after the outer COMMIT, whose one fsync all transactions of the batch share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot, watch};

use crate::sqlite::{self, engine_error};
use crate::{Error, ErrorKind, Result};

/// A batch is closed after so many transactions …
const BATCH: usize = 256;
/// … or when it has been open for so long.
const OPEN_FOR: Duration = Duration::from_millis(5);
/// How long a writer waits for another process to let go of the file.
const PATIENCE: Duration = Duration::from_secs(10);

/// When a batch is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// With those who wait for the writer, if anybody does.
    Shared,
    /// With this transaction, which is a batch of its own: it must not wait for one as large as itself.
    AtOnce,
}

/// The door to the one writer.
pub(crate) struct Gate {
    writer: Arc<Mutex<Writer>>,
    waiting: AtomicUsize,
    pub(crate) committed: watch::Sender<i64>,
}

/// The connection that writes and the batch that is open on it.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    batch: Option<Batch>,
}

struct Batch {
    opened: Instant,
    waiting: Vec<oneshot::Sender<Result<()>>>,
    last_event: i64,
}

/// Counts a writer in the queue, also when its future is dropped there.
struct Queued<'a>(&'a AtomicUsize);

impl<'a> Queued<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Gate {
    pub(crate) fn new(connection: Connection) -> Arc<Self> {
        let writer = Arc::new(Mutex::new(Writer { connection, batch: None }));
        Arc::new(Self { writer, waiting: AtomicUsize::new(0), committed: watch::Sender::new(0) })
    }

    /// Waits for the writer and opens a savepoint on it.
    pub(crate) async fn begin(self: &Arc<Self>) -> Result<WriteTx> {
        let queued = Queued::enter(&self.waiting);
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        drop(queued);
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = writer.open() {
            if error.kind() != ErrorKind::Busy || Instant::now() > deadline {
                return Err(error);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(WriteTx { writer: Some(writer), gate: Arc::clone(self) })
    }

    /// The writer outside any batch, for work that needs a transaction of its own (migrations).
    pub(crate) async fn alone(&self) -> Result<OwnedMutexGuard<Writer>> {
        let mut writer = Arc::clone(&self.writer).lock_owned().await;
        writer.flush(&self.committed);
        Ok(writer)
    }

    fn has_queue(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }
}

impl Writer {
    fn open(&mut self) -> Result<()> {
        if self.batch.is_none() {
            self.run("begin immediate").map_err(|e| engine_error("begin", e))?;
            self.batch = Some(Batch { opened: Instant::now(), waiting: Vec::new(), last_event: 0 });
        }
        self.run("savepoint tx").map_err(|e| engine_error("begin", e))
    }

    fn run(&self, text: &str) -> rusqlite::Result<()> {
        sqlite::run(&self.connection, text)
    }

    /// Commits the open batch and tells everyone who waits for it.
    fn flush(&mut self, committed: &watch::Sender<i64>) {
        let Some(batch) = self.batch.take() else { return };
        let outcome = self.run("commit").map_err(|e| engine_error("commit", e));
        if outcome.is_err() && !self.connection.is_autocommit() {
            self.run("rollback").unwrap_or_else(|error| tracing::error!(%error, "cannot roll back a failed commit"));
        }
        if outcome.is_ok() {
            committed.send_if_modified(|last| {
                let newer = batch.last_event > *last;
                *last = batch.last_event.max(*last);
                newer
            });
        }
        for waiting in batch.waiting {
            // A receiver that is gone was cancelled: nobody is left to tell.
            let _ = waiting.send(outcome.clone());
        }
    }

    /// Gives the batch up: every commit in it fails with `error`.
    fn abandon(&mut self, error: &Error) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.run("rollback")
        {
            tracing::error!(%error, "cannot roll back a batch");
        }
        for waiting in self.batch.take().map(|batch| batch.waiting).unwrap_or_default() {
            let _ = waiting.send(Err(error.clone()));
        }
    }
}

/// One transaction: a savepoint on the writer, which it holds.
pub(crate) struct WriteTx {
    writer: Option<OwnedMutexGuard<Writer>>,
    gate: Arc<Gate>,
}

impl WriteTx {
    /// Runs `work` on the connection. An error that ended the outer transaction ends the whole batch with it.
    pub(crate) fn with<T>(&mut self, work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let Some(writer) = &mut self.writer else { return Err(Error::aborted("transaction")) };
        let outcome = work(&writer.connection);
        if let Err(error) = &outcome
            && writer.connection.is_autocommit()
        {
            writer.abandon(error);
            self.writer = None;
        }
        outcome
    }

    /// Leaves the savepoint and waits until the batch is on the disk.
    pub(crate) async fn commit(mut self, last_event: i64, closing: Closing) -> Result<()> {
        self.with(|connection| sqlite::run(connection, "release tx").map_err(|e| engine_error("commit", e)))?;
        let Some(mut writer) = self.writer.take() else { return Err(Error::aborted("commit")) };
        let (tell, mut told) = oneshot::channel();
        let Some(batch) = &mut writer.batch else { return Err(Error::aborted("commit")) };
        batch.waiting.push(tell);
        batch.last_event = batch.last_event.max(last_event);
        let full = batch.waiting.len() >= BATCH || batch.opened.elapsed() >= OPEN_FOR;
        match closing {
            Closing::AtOnce => flush_here(writer, Arc::clone(&self.gate)),
            Closing::Shared if full || !self.gate.has_queue() => flush_apart(writer, Arc::clone(&self.gate)),
            Closing::Shared => drop(writer),
        }
        tokio::select! {
            biased;
            outcome = &mut told => return outcome.unwrap_or_else(|_| Err(gone())),
            () = tokio::time::sleep(OPEN_FOR) => {}
        }
        // The writer after us may be slow, or was cancelled in the queue: then the batch is ours to close.
        tokio::select! {
            biased;
            outcome = &mut told => return outcome.unwrap_or_else(|_| Err(gone())),
            writer = Arc::clone(&self.gate.writer).lock_owned() => flush_apart(writer, Arc::clone(&self.gate)),
        }
        told.await.unwrap_or_else(|_| Err(gone()))
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Connection, "commit", "the writer stopped before it could tell the outcome")
}

/// As [`flush_apart`], on this thread where it serves nobody else: no other has to be woken first.
fn flush_here(mut writer: OwnedMutexGuard<Writer>, gate: Arc<Gate>) {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(|| writer.flush(&gate.committed)),
        _ => flush_apart(writer, gate),
    }
}

/// The fsync may take milliseconds: not on a thread that serves others.
fn flush_apart(mut writer: OwnedMutexGuard<Writer>, gate: Arc<Gate>) {
    if writer.batch.is_none() {
        return;
    }
    tokio::task::spawn_blocking(move || writer.flush(&gate.committed));
}

impl Drop for WriteTx {
    fn drop(&mut self) {
        let Some(mut writer) = self.writer.take() else { return };
        if let Err(error) = writer.run("rollback to tx").and_then(|()| writer.run("release tx")) {
            writer.abandon(&engine_error("rollback", error));
            return;
        }
        let Some(batch) = &writer.batch else { return };
        if self.gate.has_queue() {
            return;
        }
        if batch.waiting.is_empty() {
            // Nothing in it: let go of the file.
            writer.abandon(&Error::aborted("rollback"));
        } else if let Ok(runtime) = Handle::try_current() {
            let gate = Arc::clone(&self.gate);
            runtime.spawn_blocking(move || writer.flush(&gate.committed));
        } else {
            writer.flush(&self.gate.committed);
        }
    }
}
