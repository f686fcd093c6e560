//! Carries bytes between a connection and a session, and holds the limits of time: silence, length, rate, and the end of the server.

use std::time::Duration;

use mail::{Dismissal, Limits};
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{
    line::Line,
    metrics::{Metrics, Outcome, Protocol},
};

/// Bytes read at once; pipelined commands and a small message fit.
const BUFFER: usize = 16 * 1024;
/// Buffers that are kept while nobody reads.
const IDLE: usize = 64;
/// A message in transfer is given so long before its rate is looked at.
const GRACE: Duration = Duration::from_secs(30);

/// One of the two protocols, with its questions answered.
pub(super) trait Conversation: Send {
    /// Works on the input until something is to be done with the connection.
    fn step(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> impl Future<Output = Next> + Send;
    /// The handshake is done.
    fn secured(&mut self);
    /// Says why it ends, in the words of the protocol.
    fn dismiss(&mut self, why: Dismissal, out: &mut Vec<u8>);
    /// Whether a message comes in.
    fn in_data(&self) -> bool;
}

/// What the connection shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Read,
    StartTls,
    Close,
}

/// What a connection may cost.
pub(super) struct Terms<'a> {
    pub(super) limits: &'a Limits,
    pub(super) acceptor: &'a TlsAcceptor,
    pub(super) handshake: Duration,
    pub(super) stop: &'a CancellationToken,
    pub(super) metrics: &'a Metrics,
    pub(super) protocol: Protocol,
    pub(super) buffers: &'a Buffers,
}

/// What connections read into, lent and given back: new ones would be zeroed for each.
#[derive(Debug, Default)]
pub(super) struct Buffers(Mutex<Vec<Box<[u8]>>>);

/// A buffer that goes back when it is dropped.
struct Lent<'a> {
    bytes: Box<[u8]>,
    home: &'a Buffers,
}

impl Buffers {
    fn lend(&self) -> Lent<'_> {
        let bytes = self.0.lock().pop();
        Lent { bytes: bytes.unwrap_or_else(|| vec![0; BUFFER].into_boxed_slice()), home: self }
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut idle = self.home.0.lock();
        if idle.len() < IDLE {
            idle.push(std::mem::take(&mut self.bytes));
        }
    }
}

/// Talks to the end. `out` holds the greeting.
pub(super) async fn talk(mut line: Line, mut side: impl Conversation, mut out: Vec<u8>, terms: Terms<'_>) {
    let (limits, mut buffer) = (terms.limits, terms.buffers.lend());
    let last = Instant::now() + limits.session;
    let mut transfer = Transfer::default();
    let mut filled = 0;
    loop {
        let next = side.step(&mut &buffer.bytes[..filled], &mut out).await;
        if line.write(&out, limits.idle).await.is_err() {
            return;
        }
        out.clear();
        match next {
            Next::Close => return line.close().await,
            Next::StartTls => {
                let Ok(secured) = line.secure(terms.acceptor, terms.handshake).await else { return };
                line = secured;
                side.secured();
                terms.metrics.count(terms.protocol, Outcome::Tls);
                filled = 0;
                continue;
            }
            Next::Read => {}
        }
        let until = (Instant::now() + limits.idle).min(last);
        let read = tokio::select! {
            // A message that is under way may come to its end; the listener's patience bounds that.
            () = terms.stop.cancelled(), if !side.in_data() => Err(Dismissal::Stopping),
            read = timeout_at(until, line.read(&mut buffer.bytes)) => read.map_err(|_| Dismissal::TooSlow),
        };
        filled = match read {
            Ok(Ok(0) | Err(_)) => return,
            Ok(Ok(count)) => count,
            Err(why) => return farewell(line, side, why, &terms).await,
        };
        if transfer.too_slow(side.in_data(), filled, limits.min_rate) {
            return farewell(line, side, Dismissal::TooSlow, &terms).await;
        }
    }
}

async fn farewell(mut line: Line, mut side: impl Conversation, why: Dismissal, terms: &Terms<'_>) {
    let mut out = Vec::new();
    side.dismiss(why, &mut out);
    if why == Dismissal::TooSlow {
        terms.metrics.count(terms.protocol, Outcome::TooSlow);
    }
    if line.write(&out, terms.limits.idle).await.is_ok() {
        line.close().await;
    }
}

/// The bytes of a message under way.
#[derive(Debug, Default)]
struct Transfer {
    began: Option<Instant>,
    bytes: u64,
}

impl Transfer {
    fn too_slow(&mut self, in_data: bool, bytes: usize, min_rate: u32) -> bool {
        if !in_data {
            self.began = None;
            return false;
        }
        let began = *self.began.get_or_insert_with(|| {
            self.bytes = 0;
            Instant::now()
        });
        self.bytes += bytes as u64;
        let passed = began.elapsed();
        passed > GRACE && (self.bytes as f64) < passed.as_secs_f64() * f64::from(min_rate)
    }
}
