//! Draws the effect of devices' reports from the raw log, in the order in which they came: at once when it is quiet, a
//! few at a time while reports come, so that those go first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use store::View;

use super::open::{self, REASON};
use super::{draw, sql};
use crate::error::{Error, Result};
use crate::{Micros, Platform, apart};

/// Reports of a transaction, most: nothing else is to be done …
const MOST: usize = 512;
/// … or reports come in, which wait for the transaction to end.
const MOST_BESIDE: usize = 64;
/// Beyond this lag whoever delivers waits for the effects, not the effects for them.
const LAG: i64 = 60 * 1_000_000;
/// How long the drawing rests after work, as a multiple of that work, while reports keep coming.
const YIELD: u32 = 4;
/// How long a batch may take to its end when the server stops.
const PATIENCE: Duration = Duration::from_secs(10);
/// Other servers may have taken reports and stopped.
const LOOK: Duration = Duration::from_secs(1);

/// What waits in the raw log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Reports whose effect is still to come.
    pub reports: u64,
    /// How long the oldest of them waits, µs; 0 when nothing does.
    pub oldest_us: i64,
}

/// Draws effects as reports come, until `stop`.
pub async fn keep(platform: Platform, stop: impl Future<Output = ()>) {
    let mut stop = std::pin::pin!(stop);
    let ingest = platform.ingest();
    ingest.kept.store(true, Ordering::Release);
    let (mut last, mut behind) = (ingest.taken.load(Ordering::Relaxed), false);
    let ending = Arc::new(AtomicBool::new(false));
    loop {
        let (began, taken) = (platform.now(), ingest.taken.load(Ordering::Relaxed));
        let (of, ends, beside) = (platform.clone(), Arc::clone(&ending), taken != last && !behind);
        let mut drawing = apart::spawn(async move { round(&of, beside, &ends).await });
        let outcome = tokio::select! {
            biased;
            () = stop.as_mut() => {
                ending.store(true, Ordering::Release);
                // The batch under way comes to its end; the others are drawn when the server is there again.
                drop(tokio::time::timeout(PATIENCE, drawing).await);
                break;
            }
            outcome = &mut drawing => outcome.unwrap_or_else(|error| Err(lost(&error))),
        };
        last = taken;
        let pause = match outcome {
            Ok(0) => None,
            Ok(_) if ingest.taken.load(Ordering::Relaxed) == taken => Some(Duration::ZERO),
            // Reports come in meanwhile: they go first, as long as they do not leave the effects far behind.
            Ok(_) => {
                behind = lag(&platform).await.is_ok_and(|lag| lag >= LAG);
                Some(if behind { Duration::ZERO } else { since(&platform, began) * YIELD })
            }
            Err(error) => {
                tracing::warn!(%error, source = ?error.source, "what follows from reports waits in the log; tried again in a second");
                Some(LOOK)
            }
        };
        tokio::select! {
            () = stop.as_mut() => break,
            () = tokio::time::sleep(pause.unwrap_or(LOOK)) => {}
            () = ingest.news.notified(), if pause.is_none() => {}
        }
    }
    ingest.kept.store(false, Ordering::Release);
}

fn lost(error: &tokio::task::JoinError) -> Error {
    Error::internal(format!("drawing what follows from reports failed: {error}"))
}

fn since(platform: &Platform, began: Micros) -> Duration {
    Duration::from_micros(u64::try_from(platform.now().0 - began.0).unwrap_or(0))
}

/// Draws everything that is open now.
///
/// # Errors
/// When the database refuses; what was drawn until then stands.
pub async fn project(platform: &Platform) -> Result<u64> {
    let mut drawn = 0;
    loop {
        match round(platform, false, &AtomicBool::new(false)).await? {
            0 => return Ok(drawn),
            count => drawn += count,
        }
    }
}

/// How long the oldest report that is open waits, µs.
async fn lag(platform: &Platform) -> Result<i64> {
    let mut tx = platform.db().read(&View::All(REASON)).await?;
    let oldest: Option<i64> = tx.query_one(&sql::OPEN_OLDEST, &[]).await?.get(0)?;
    Ok(oldest.map_or(0, |oldest| platform.now().0 - oldest))
}

/// What waits.
///
/// # Errors
/// When the database refuses.
pub async fn backlog(platform: &Platform) -> Result<Backlog> {
    let mut tx = platform.db().read(&View::All(REASON)).await?;
    let row = tx.query_one(&sql::OPEN_COUNT, &[]).await?;
    let (reports, oldest): (u64, i64) = (row.get(0)?, row.get(1)?);
    let oldest_us = if reports == 0 { 0 } else { platform.now().0 - oldest };
    Ok(Backlog { reports, oldest_us })
}

/// One turn: what is open now, batch by batch; while one is written the next is read. Returns how many left the list.
/// While `beside` says that reports come in, it is one small batch. `ending`: no other begins.
async fn round(platform: &Platform, beside: bool, ending: &AtomicBool) -> Result<u64> {
    let _alone = platform.ingest().drawing.lock().await;
    let most = if beside { MOST_BESIDE } else { MOST };
    let mut batches = open::look(platform, most).await?.into_iter().take(if beside { 1 } else { usize::MAX });
    let Some(first) = batches.next() else { return Ok(0) };
    let mut ready = Some(open::read(platform, first).await?);
    let (taken, mut gone) = (platform.ingest().taken.load(Ordering::Relaxed), 0);
    while let Some(batch) = ready.take() {
        let alone = || platform.ingest().taken.load(Ordering::Relaxed) == taken && !ending.load(Ordering::Acquire);
        let next = batches.next().filter(|_| alone());
        let following = async {
            match next {
                Some(next) => open::read(platform, next).await.map(Some),
                None => Ok(None),
            }
        };
        let (drawn, following) = tokio::join!(draw::draw(platform, batch), following);
        gone += drawn?;
        ready = following?;
    }
    Ok(gone)
}
