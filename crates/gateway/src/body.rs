//! Reads a request body within its limits: bytes, time, and the memory that all bodies together may hold.

use std::{future::poll_fn, pin::Pin, sync::Arc};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{limits::Limits, reply::Refusal};

/// Unit in which memory for bodies is counted.
const BLOCK: usize = 64 * 1024;
/// Memory for all bodies that are being received, in blocks: 256 MiB.
const BLOCKS: usize = 4_096;

/// Hands out memory for bodies.
#[derive(Clone, Debug)]
pub(crate) struct Memory(Arc<Semaphore>);

impl Default for Memory {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BLOCKS)))
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
    let busy = || Refusal::Busy { wait: std::time::Duration::from_secs(5) };
    let blocks = u32::try_from(blocks).map_err(|_| busy())?;
    let permit = memory.0.clone().try_acquire_many_owned(blocks).map_err(|_| busy())?;
    match held {
        Some(held) => held.merge(permit),
        None => *held = Some(permit),
    }
    Ok(())
}
