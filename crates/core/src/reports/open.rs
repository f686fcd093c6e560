//! What of the raw log is open: which reports have had no effect yet, in which batches they are drawn, and what they hold.

use std::collections::HashSet;

use store::{Row, Tx, Value, View, params};
use wire::Message;
use wire::hello::Road;

use super::logged::{self, Parting};
use super::sql;
use crate::error::{Error, Result};
use crate::monitors;
use crate::{AgentId, Micros, OrgId, Platform};

pub(super) const REASON: &str = "reports of devices whose effect is still to come";
/// Batches that one look finds, about.
const AHEAD: usize = 4;
/// Bytes of messages in a batch, most; one report is a batch, however large.
const BYTES: i64 = 3 * 1024 * 1024;

/// A report whose effect is still to come.
pub(super) struct Open {
    pub(super) tenant: OrgId,
    pub(super) id: String,
    pub(super) tries: i64,
    pub(super) sender: AgentId,
    pub(super) epoch: u64,
    pub(super) at: Micros,
    pub(super) offset_ms: i64,
    pub(super) road: Road,
    pub(super) day: i64,
    bytes: i64,
}

/// An open report with what it holds.
pub(super) struct Told {
    pub(super) open: Open,
    pub(super) messages: Vec<Message>,
    /// How its row could do without its sets of counters, which have a chain of their own.
    pub(super) parting: Option<Parting>,
}

/// A batch as it is drawn: reports of different senders, and those that do not read.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) told: Vec<Told>,
    pub(super) unread: Vec<(Open, Error)>,
}

impl Open {
    fn read(row: &Row) -> Result<Self> {
        let road: Option<String> = row.get(7)?;
        Ok(Self {
            tenant: row.get(0)?,
            id: row.get(1)?,
            tries: row.get(2)?,
            sender: row.get(3)?,
            epoch: row.get(4)?,
            at: row.get(5)?,
            offset_ms: row.get(6)?,
            road: road.as_deref().and_then(monitors::road_of).unwrap_or(Road::Https),
            day: row.get(8)?,
            bytes: row.get(9)?,
        })
    }
}

/// The oldest reports that are open, parted into batches of at most `most`. A device's second report stands in a later
/// batch than its first one, whose effect it is to find.
pub(super) async fn look(platform: &Platform, most: usize) -> Result<Vec<Vec<Open>>> {
    let mut tx = platform.db().read(&View::All(REASON)).await?;
    let limit = i64::try_from(most * AHEAD).unwrap_or(i64::MAX);
    let rows = tx.query(&sql::OPEN_NEXT, &params![platform.now(), limit]).await?;
    drop(tx);
    Ok(parted(rows.iter().map(Open::read).collect::<Result<_>>()?, most))
}

fn parted(mut rest: Vec<Open>, most: usize) -> Vec<Vec<Open>> {
    let mut batches = Vec::new();
    while !rest.is_empty() {
        let (mut senders, mut bytes, mut batch, mut later) = (HashSet::new(), 0, Vec::new(), Vec::new());
        for open in rest {
            // Once one of a sender is left for later, all that follow it are.
            let full = batch.len() >= most || bytes >= BYTES;
            if senders.insert(open.sender) && !full {
                bytes += open.bytes;
                batch.push(open);
            } else {
                later.push(open);
            }
        }
        batches.push(batch);
        rest = later;
    }
    batches
}

/// Reads what a batch holds; decoded on a thread that serves nobody.
pub(super) async fn read(platform: &Platform, batch: Vec<Open>) -> Result<Batch> {
    let mut tx = platform.db().read(&View::All(REASON)).await?;
    let found = bodies(&mut tx, &batch).await?;
    drop(tx);
    let decoded = tokio::task::spawn_blocking(move || decoded(batch, found)).await;
    decoded.map_err(|error| Error::internal(format!("reading reports from the log failed: {error}")))
}

async fn bodies(tx: &mut Tx, batch: &[Open]) -> Result<Vec<Option<Vec<u8>>>> {
    let key = |open: &Open| params![open.tenant, open.day, &open.id].into();
    let values: Vec<Vec<Value>> = batch.iter().map(key).collect();
    let mut found = Vec::with_capacity(batch.len());
    for rows in tx.queries(&sql::OPEN_BODY, &values).await? {
        found.push(rows.first().map(|row| row.get(0)).transpose()?);
    }
    Ok(found)
}

fn decoded(batch: Vec<Open>, bodies: Vec<Option<Vec<u8>>>) -> Batch {
    let mut all = Batch::default();
    for (open, body) in batch.into_iter().zip(bodies) {
        // Without a body somebody else has drawn it since, and retention took it.
        let Some(body) = body else { continue };
        match logged::read_open(&body) {
            Ok((mut messages, parting)) => {
                // A device that speaks of itself need not name itself in each message.
                messages.iter_mut().for_each(|message| message.subject = message.subject.or(Some(open.sender.into())));
                all.told.push(Told { open, messages, parting });
            }
            Err(error) => all.unread.push((open, error)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(sender: u8, number: u32, bytes: i64) -> Open {
        Open {
            tenant: OrgId(uuid::Uuid::nil()),
            id: number.to_string(),
            tries: 0,
            sender: AgentId(uuid::Uuid::from_bytes([sender; 16])),
            epoch: 1,
            at: Micros(0),
            offset_ms: 0,
            road: Road::Https,
            day: 0,
            bytes,
        }
    }

    #[test]
    fn batches_keep_the_order_of_each_sender_and_lose_nothing() {
        let all: Vec<Open> = (0..200).map(|number| open((number * 7 % 11 % 5) as u8, number, 10)).collect();
        let batches = parted(all, 3);
        let mut last = std::collections::HashMap::new();
        for open in batches.iter().flatten() {
            let number: u32 = open.id.parse().unwrap();
            assert!(last.insert(open.sender, number).is_none_or(|before| before < number), "{number} came late");
        }
        assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), 200);
        for batch in &batches {
            let senders: HashSet<_> = batch.iter().map(|open| open.sender).collect();
            assert!(batch.len() <= 3 && senders.len() == batch.len(), "one report of a sender a batch");
        }
    }

    #[test]
    fn large_reports_make_small_batches() {
        let all: Vec<Open> = (0..6).map(|number| open(number as u8, number, BYTES / 2)).collect();
        assert_eq!(parted(all, 100).iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 2]);
        assert_eq!(parted(vec![open(1, 1, BYTES * 9)], 100).len(), 1);
    }
}
