//! Reads a request body within its limits: bytes, time, and the memory that all bodies together may hold.

use std::{
    fmt::Write as _,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{limits::Limits, reply::Refusal};

/// Unit in which memory for bodies is counted.
const BLOCK: usize = 64 * 1024;

/// Hands out memory for bodies.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    free: Arc<Semaphore>,
    /// Blocks in all, free or held.
    all: usize,
    /// Most blocks that were held at once so far.
    peak: Arc<AtomicUsize>,
}

impl Memory {
    /// So many bytes, rounded down to blocks, one at least.
    pub(crate) fn of(bytes: usize) -> Self {
        let all = (bytes / BLOCK).max(1);
        Self { free: Arc::new(Semaphore::new(all)), all, peak: Arc::default() }
    }

    fn held(&self) -> usize {
        self.all - self.free.available_permits()
    }

    /// Bytes that are held now and that were held at most, as Prometheus text.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        for (name, help, blocks) in [
            ("body_bytes", "Memory that bodies of requests hold.", self.held()),
            ("body_bytes_peak", "Most memory that bodies of requests held at once.", self.peak.load(Relaxed)),
        ] {
            let _ = writeln!(out, "# HELP platen_gateway_{name} {help}\n# TYPE platen_gateway_{name} gauge");
            let _ = writeln!(out, "platen_gateway_{name} {}", blocks * BLOCK);
        }
        out
    }
}

/// A body with the memory that it holds until it is dropped.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    _memory: Option<OwnedSemaphorePermit>,
}

/// Reads all of a body of at most `most` bytes.
pub(crate) async fn receive(body: Body, most: usize, limits: &Limits, memory: &Memory) -> Result<Received, Refusal> {
    if body.size_hint().lower() > most as u64 {
        return Err(Refusal::TooLarge { budget: most });
    }
    tokio::time::timeout(limits.body, collect(body, most, memory)).await.unwrap_or(Err(Refusal::TooSlow))
}

async fn collect(mut body: Body, most: usize, memory: &Memory) -> Result<Received, Refusal> {
    let mut all: Vec<u8> = Vec::new();
    let mut held: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame =
            frame.map_err(|_| Refusal::Malformed { offset: Some(all.len()), detail: "the body broke off".into() })?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > most - all.len() {
            return Err(Refusal::TooLarge { budget: most });
        }
        let wanted = (all.len() + data.len()).div_ceil(BLOCK);
        let more = wanted - held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if more > 0 {
            take(&mut held, memory, more)?;
        }
        all.extend_from_slice(&data);
    }
    Ok(Received { bytes: all.into(), _memory: held })
}

fn take(held: &mut Option<OwnedSemaphorePermit>, memory: &Memory, blocks: usize) -> Result<(), Refusal> {
    let busy = || Refusal::Later { least: Duration::ZERO };
    let blocks = u32::try_from(blocks).map_err(|_| busy())?;
    let permit = memory.free.clone().try_acquire_many_owned(blocks).map_err(|_| busy())?;
    memory.peak.fetch_max(memory.held(), Relaxed);
    match held {
        Some(held) => held.merge(permit),
        None => *held = Some(permit),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bodies_hold_no_more_memory_than_there_is_and_give_it_back() {
        let (memory, limits) = (Memory::of(3 * BLOCK), Limits::default());
        let body = |blocks: usize| receive(Body::from(vec![7; blocks * BLOCK]), 4 * BLOCK, &limits, &memory);
        let (one, two) = (body(1).await.unwrap(), body(2).await.unwrap());
        assert_eq!(body(1).await.unwrap_err(), Refusal::Later { least: Duration::ZERO });
        drop((one, two));
        assert!(body(3).await.is_ok());
        let (now, peak) = ("platen_gateway_body_bytes 0\n", "platen_gateway_body_bytes_peak 196608\n");
        assert!(memory.text().contains(now) && memory.text().contains(peak), "{}", memory.text());
    }
}
