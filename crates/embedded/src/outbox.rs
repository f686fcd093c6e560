//! Messages and answers that the server has not called safe: one record each, oldest first, within a budget.

use std::collections::{BTreeMap, VecDeque};
use std::io;

use wire::command::{Ack, Acks};
use wire::monitor::Kind;
use wire::{Message, cbor};

use crate::Flash;

/// Most bytes of messages that are kept; beyond, the oldest regular ones go first, errors, jams and alarms last.
const MOST_BYTES: usize = 4 * 1024 * 1024;
/// Most bytes of one report.
const REPORT_BYTES: usize = 512 * 1024;
const ACKS: &str = "acks";
/// The kind of a dictionary.
pub(crate) const DICTIONARY: u64 = 80;

/// One message, as its record holds it.
#[derive(Clone, Debug)]
struct Kept {
    kind: u64,
    size: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    kept: BTreeMap<u64, Kept>,
    bytes: usize,
    acks: VecDeque<Ack>,
    /// Messages that had to go because nothing was heard of the server for too long.
    pub(crate) lost: u64,
}

impl Outbox {
    pub(crate) fn load(flash: &impl Flash) -> io::Result<Self> {
        let mut outbox = Self::default();
        for key in flash.keys()? {
            let Some(seq) = key.strip_prefix("m-").and_then(|seq| seq.parse().ok()) else { continue };
            let Some(record) = flash.get(&key)? else { continue };
            if let Ok(message) = cbor::decode::<Message>(&record) {
                outbox.bytes += record.len();
                outbox.kept.insert(seq, Kept { kind: message.body.kind(), size: record.len() });
            }
        }
        if let Some(record) = flash.get(ACKS)? {
            outbox.acks = cbor::decode::<Acks>(&record).map(|acks| acks.acks.into()).unwrap_or_default();
        }
        Ok(outbox)
    }

    /// Number of the newest message; 0 when there is none.
    pub(crate) fn newest(&self) -> u64 {
        self.kept.last_key_value().map_or(0, |(seq, _)| *seq)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Something waits that should not wait long.
    pub(crate) fn urgent(&self) -> bool {
        self.kept.values().any(|kept| is_urgent(kept.kind))
    }

    pub(crate) fn push(&mut self, flash: &mut impl Flash, message: &Message) -> io::Result<()> {
        let record = cbor::encode(message);
        while self.bytes + record.len() > MOST_BYTES {
            let Some(oldest) = self.expendable() else { break };
            self.remove(flash, oldest)?;
            self.lost += 1;
        }
        flash.put(&key(message.seq), &record)?;
        self.bytes += record.len();
        self.kept.insert(message.seq, Kept { kind: message.body.kind(), size: record.len() });
        Ok(())
    }

    fn expendable(&self) -> Option<u64> {
        let regular = self.kept.iter().find(|(_, kept)| !is_urgent(kept.kind)).map(|(seq, _)| *seq);
        regular.or_else(|| self.kept.first_key_value().map(|(seq, _)| *seq))
    }

    pub(crate) fn remove(&mut self, flash: &mut impl Flash, seq: u64) -> io::Result<()> {
        if let Some(kept) = self.kept.remove(&seq) {
            self.bytes -= kept.size;
            flash.delete(&key(seq))?;
        }
        Ok(())
    }

    /// One message.
    pub(crate) fn get(&self, flash: &impl Flash, seq: u64) -> io::Result<Option<Message>> {
        let record = if self.kept.contains_key(&seq) { flash.get(&key(seq))? } else { None };
        Ok(record.and_then(|record| cbor::decode(&record).ok()))
    }

    /// Whether a message of this kind waits.
    pub(crate) fn holds(&self, kind: u64) -> bool {
        self.kept.values().any(|kept| kept.kind == kind)
    }

    /// The messages of the next report: errors, jams and alarms first, then words for ids before what uses them, then
    /// the oldest.
    pub(crate) fn batch(&self, flash: &impl Flash) -> io::Result<Vec<Message>> {
        let first = |kept: &Kept| is_urgent(kept.kind) || kept.kind == DICTIONARY;
        let urgent = self.kept.iter().filter(|(_, kept)| first(kept));
        let others = self.kept.iter().filter(|(_, kept)| !first(kept));
        let (mut messages, mut bytes) = (Vec::new(), 0);
        for (seq, kept) in urgent.chain(others) {
            if messages.len() == wire::report::MAX_MESSAGES || !messages.is_empty() && bytes + kept.size > REPORT_BYTES
            {
                break;
            }
            let record = flash.get(&key(*seq))?.unwrap_or_default();
            if let Ok(message) = cbor::decode(&record) {
                messages.push(message);
                bytes += kept.size;
            }
        }
        Ok(messages)
    }

    pub(crate) fn acks(&self) -> Acks {
        Acks { acks: self.acks.iter().take(64).cloned().collect() }
    }

    pub(crate) fn answer(&mut self, flash: &mut impl Flash, ack: Ack) -> io::Result<()> {
        self.acks.retain(|known| known.id != ack.id);
        self.acks.push_back(ack);
        self.save_acks(flash)
    }

    pub(crate) fn answered(&mut self, flash: &mut impl Flash, ids: &[wire::Subject]) -> io::Result<()> {
        self.acks.retain(|ack| !ids.contains(&ack.id));
        self.save_acks(flash)
    }

    fn save_acks(&self, flash: &mut impl Flash) -> io::Result<()> {
        if self.acks.is_empty() {
            return flash.delete(ACKS);
        }
        flash.put(ACKS, &cbor::encode(&Acks { acks: self.acks.iter().cloned().collect() }))
    }
}

fn is_urgent(kind: u64) -> bool {
    Kind::of_number(kind).is_some_and(Kind::is_urgent)
}

/// Twenty digits: keys sort as numbers.
fn key(seq: u64) -> String {
    format!("m-{seq:020}")
}
