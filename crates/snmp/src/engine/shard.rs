//! One socket and the task that serves it: the rim around the core, where time and the network come in.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::Notify;

use super::core::{Core, Failure, Patience, Token};
use super::pacer::Pacer;
use super::subnets::Subnets;
use crate::responder::is_passing;
use crate::socket::{BATCH, Batch, Inbox, Options, Outbox, Port, incoming};
use crate::usm::Memory;

/// Sleep of a shard that has nothing to wait for.
const IDLE: Duration = Duration::from_secs(3_600);

/// How much may be sent.
#[derive(Debug)]
pub(super) struct Budgets {
    /// To all devices together.
    pub(super) whole: Option<Arc<Pacer>>,
    /// To each subnet.
    pub(super) subnets: Subnets,
}

/// What the task and the askers of a shard share.
#[derive(Debug)]
pub(super) struct Shard {
    pub(super) core: Mutex<Core>,
    /// What SNMPv3 needs to remember.
    pub(super) memory: Memory,
    port: Port,
    bell: Notify,
    stopped: AtomicBool,
    epoch: Instant,
    budgets: Budgets,
}

impl Shard {
    pub(super) fn open(bind: SocketAddr, core: Core, budgets: Budgets) -> io::Result<Arc<Self>> {
        let port = Port::open(Options { errors: true, ..Options::new(bind) })?;
        let (bell, stopped) = (Notify::new(), AtomicBool::new(false));
        let memory = Memory::new();
        Ok(Arc::new(Self { core: Mutex::new(core), memory, port, bell, stopped, epoch: Instant::now(), budgets }))
    }

    /// Starts the task on the current runtime.
    pub(super) fn start(self: &Arc<Self>) -> io::Result<()> {
        let watch = self.port.watch()?;
        tokio::spawn(Arc::clone(self).serve(watch));
        Ok(())
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.core.lock().wake_all();
        self.bell.notify_one();
    }

    pub(super) fn now(&self) -> u64 {
        self.epoch.elapsed().as_micros() as u64
    }

    /// Puts a request in line. `None` if there is no room.
    pub(super) fn submit(
        self: &Arc<Self>,
        address: SocketAddr,
        patience: Patience,
        write: impl FnOnce(i32, &mut Vec<u8>),
    ) -> Option<Pending> {
        let now = self.now();
        let token = {
            let mut core = self.core.lock();
            let peer = core.peers.find_or_add(address, now);
            core.submit(peer, patience, 0, write)?
        };
        self.bell.notify_one();
        Some(Pending { shard: Arc::clone(self), token, ended: false })
    }

    async fn serve(self: Arc<Self>, watch: UdpSocket) {
        let mut rim = Rim { inbox: Inbox::new(), outbox: Outbox::default(), refused: Vec::new(), ended: Vec::new() };
        let sleep = tokio::time::sleep(IDLE);
        tokio::pin!(sleep);
        while !self.stopped.load(Ordering::Acquire) {
            tokio::select! {
                ready = watch.ready(incoming()) => {
                    let Ok(ready) = ready else { break };
                    self.take_in(&watch, &mut rim, ready.is_error());
                }
                () = self.bell.notified() => {}
                () = &mut sleep => {}
            }
            let next = self.turn(&mut rim);
            if rim.outbox.waiting() > 0 {
                let _ = watch.writable().await;
                let _ = watch.try_io(Interest::WRITABLE, || self.port.send(&mut rim.outbox));
            }
            sleep.as_mut().reset(tokio::time::Instant::from_std(Instant::now() + next));
        }
    }

    /// Receives what is there.
    fn take_in(&self, watch: &UdpSocket, rim: &mut Rim, errors: bool) {
        if errors {
            // Says "would block" when the queue is empty, so that the next error wakes the task again.
            let _ = watch.try_io(Interest::ERROR, || -> io::Result<()> {
                self.port.refusals(&mut rim.refused);
                Err(io::ErrorKind::WouldBlock.into())
            });
            let mut core = self.core.lock();
            for refused in rim.refused.drain(..) {
                core.refused(refused.target, &mut rim.ended);
            }
            for number in rim.ended.drain(..) {
                core.wake(number);
            }
        }
        // A few batches, then the others get their turn.
        for _ in 0..4 {
            match self.port.receive_watched(watch, &mut rim.inbox) {
                Ok(batch) => {
                    self.deliver(&mut rim.inbox);
                    if batch == Batch::Last {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "receiving SNMP answers failed");
                    return;
                }
            }
        }
    }

    fn deliver(&self, inbox: &mut Inbox) {
        let now = self.now();
        let mut core = self.core.lock();
        for place in 0..inbox.len() {
            let item = inbox.get(place);
            if let Some((number, _)) = core.accept(now, item.from, item.bytes) {
                core.keep(number, item.bytes);
            }
        }
    }

    /// Ends what has waited enough, sends what is due; returns how long nothing will happen by itself.
    fn turn(&self, rim: &mut Rim) -> Duration {
        loop {
            let now = self.now();
            let full = {
                let mut core = self.core.lock();
                core.expire(now, &mut rim.ended);
                for number in rim.ended.drain(..) {
                    core.wake(number);
                }
                self.fill(&mut core, now, &mut rim.outbox)
            };
            if rim.outbox.waiting() > 0 && self.port.send(&mut rim.outbox).is_err() {
                return Duration::ZERO;
            }
            self.give_back(&mut rim.outbox);
            if !full {
                return self.idle_time();
            }
        }
    }

    /// Moves due requests into the outbox; true if more are due than fit.
    fn fill(&self, core: &mut Core, now: u64, outbox: &mut Outbox) -> bool {
        if outbox.waiting() > 0 {
            return false;
        }
        outbox.clear();
        let instant = Instant::now();
        let room = match &self.budgets.whole {
            Some(pacer) if core.wants_to_send() => pacer.take(instant, BATCH),
            _ => BATCH,
        };
        for used in 0..room {
            let Some((number, address, packet)) = core.next_to_send(now, Some((&self.budgets.subnets, instant))) else {
                if let Some(pacer) = &self.budgets.whole {
                    pacer.put_back(room - used);
                }
                return false;
            };
            outbox.push(address, None, number, packet);
        }
        room == BATCH
    }

    /// Ends the requests that the system refused to send.
    fn give_back(&self, outbox: &mut Outbox) {
        if outbox.failed.is_empty() {
            return;
        }
        let mut core = self.core.lock();
        for (number, error) in outbox.failed.drain(..) {
            core.unsendable(number, error);
            core.wake(number);
        }
    }

    fn idle_time(&self) -> Duration {
        let core = self.core.lock();
        let now = self.now();
        let timer = core.deadline().map_or(IDLE, |at| Duration::from_micros(at.saturating_sub(now)));
        if !core.wants_to_send() {
            return timer;
        }
        let instant = Instant::now();
        let subnet = core.next_turn().map_or(Duration::ZERO, |at| at.saturating_duration_since(instant));
        let whole = self.budgets.whole.as_ref().map_or(Duration::ZERO, |pacer| pacer.wait(instant));
        timer.min(subnet.max(whole))
    }
}

/// Buffers of the task.
struct Rim {
    inbox: Inbox,
    outbox: Outbox,
    refused: Vec<crate::socket::Refused>,
    ended: Vec<u32>,
}

/// How a request ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// The answering datagram.
    Answer(Vec<u8>),
    Failure(Failure),
    Stopped,
}

/// A request on its way; dropping it gives the request up.
#[derive(Debug)]
pub(super) struct Pending {
    shard: Arc<Shard>,
    token: Token,
    ended: bool,
}

impl Future for Pending {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ended> {
        let outcome = self.shard.core.lock().outcome(self.token, context.waker());
        match outcome {
            Some(outcome) => {
                self.ended = true;
                Poll::Ready(match outcome {
                    Ok(datagram) => Ended::Answer(datagram),
                    Err(failure) => Ended::Failure(failure),
                })
            }
            None if self.shard.stopped.load(Ordering::Acquire) => Poll::Ready(Ended::Stopped),
            None => Poll::Pending,
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.ended {
            self.shard.core.lock().cancel(self.token);
            // The next request to the same device may have got its turn.
            self.shard.bell.notify_one();
        }
    }
}
