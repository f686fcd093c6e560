//! What a row of the raw log holds: an array of messages, or the whole report as it came; of either the CBOR, or a frame of
//! zstd around it. Or, once they had their effect, messages whose sets of counters lie in their chain: not kept twice.

use std::borrow::Cow;
use std::collections::HashMap;

use minicbor::{Decode, Encode};
use wire::monitor::CounterSet;
use wire::{Body, Message, Subject, cbor, packing};

use crate::devices::DeviceId;
use crate::error::{Error, Result};

/// Larger than any report becomes.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// How a frame of zstd begins (RFC 8878 §3.1.1).
const FRAME: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// How a row begins whose sets lie elsewhere; no array, map or frame begins so.
const PARTED: u8 = 1;

/// A message whose full set of counters lies in the chain of its device. Written anew it is, byte for byte, what came.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Elsewhere {
    #[n(0)]
    pub(super) seq: u64,
    #[n(1)]
    pub(super) kind: u64,
    #[n(2)]
    pub(super) taken_ms: i64,
    /// As it was told.
    #[n(3)]
    pub(super) subject: Option<Subject>,
    /// The device that keeps the set.
    #[n(4)]
    pub(super) device: Subject,
}

/// What is read from a row.
#[derive(Debug, Default)]
pub(super) struct Logged {
    pub(super) messages: Vec<Message>,
    pub(super) elsewhere: Vec<Elsewhere>,
}

/// A row that could do without its sets.
#[derive(Debug)]
pub(super) struct Parting {
    /// The sets' messages; the device is not known yet.
    sets: Vec<Elsewhere>,
    rest: Vec<Message>,
}

impl Elsewhere {
    /// The message with its set.
    pub(super) fn with(&self, set: CounterSet) -> Option<Message> {
        let body = match self.kind {
            5 => Body::Billing(set),
            6 => Body::Detailed(set),
            7 => Body::Parts(set),
            8 => Body::Modes(set),
            _ => return None,
        };
        Some(Message { seq: self.seq, taken_ms: self.taken_ms, subject: self.subject, body })
    }
}

fn unread(error: impl std::fmt::Display) -> Error {
    Error::internal(format!("what the log holds does not read: {error}"))
}

fn unpacked(body: &[u8]) -> Result<Cow<'_, [u8]>> {
    if body.starts_with(&FRAME) {
        return packing::unpack(body, MOST_BYTES).map(Into::into).map_err(unread);
    }
    Ok(body.into())
}

/// Reads a row.
pub(super) fn read(body: &[u8]) -> Result<Logged> {
    if let Some((&PARTED, rest)) = body.split_first() {
        let (messages, elsewhere) = cbor::decode(rest).map_err(unread)?;
        return Ok(Logged { messages, elsewhere });
    }
    let messages = wire::messages_in(&unpacked(body)?).map_err(unread)?;
    Ok(Logged { messages: messages.into_iter().map(|(message, _)| message).collect(), elsewhere: Vec::new() })
}

/// Reads a row that has had no effect yet: all its messages, and how it could be parted from its sets. Only where each of
/// its messages is written as we would write it: so what came can be made again.
pub(super) fn read_open(body: &[u8]) -> Result<(Vec<Message>, Option<Parting>)> {
    if body.first() == Some(&PARTED) {
        return Err(Error::internal("a report had its effect, and is listed as one that has not"));
    }
    let bytes = unpacked(body)?;
    let told = wire::messages_in(&bytes).map_err(unread)?;
    let full =
        |message: &Message| crate::diagnostics::rules::set(&message.body).is_some_and(|set| set.base_seq.is_none());
    let any = told.iter().any(|(message, _)| full(message));
    let ours = any && told.iter().all(|(message, place)| cbor::encode(message) == bytes[place.clone()]);
    let parting = ours.then(|| {
        let (sets, rest): (Vec<_>, Vec<_>) = told.iter().map(|(message, _)| message).partition(|message| full(message));
        let away = |message: &Message| Elsewhere {
            seq: message.seq,
            kind: message.body.kind(),
            taken_ms: message.taken_ms,
            subject: message.subject,
            device: Subject([0; 16]),
        };
        Parting { sets: sets.into_iter().map(away).collect(), rest: rest.into_iter().cloned().collect() }
    });
    Ok((told.into_iter().map(|(message, _)| message).collect(), parting))
}

impl Parting {
    /// The row without its sets, if all of them are kept: `kept` says by which device, by their number.
    pub(super) fn row(&self, kept: &HashMap<u64, DeviceId>) -> Option<Vec<u8>> {
        let placed = self.sets.iter().map(|set| {
            let device = Subject(kept.get(&set.seq)?.0.into_bytes());
            Some(Elsewhere { device, ..set.clone() })
        });
        let placed: Vec<Elsewhere> = placed.collect::<Option<_>>()?;
        let mut row = vec![PARTED];
        row.extend(cbor::encode(&(&self.rest, placed)));
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use wire::Report;
    use wire::monitor::EventBody;

    use super::*;

    fn set() -> CounterSet {
        CounterSet { base_seq: None, values: (0..50).map(|id| (id, i64::from(id) * 1_000)).collect(), dictionary: 7 }
    }

    fn messages() -> Vec<Message> {
        let event = EventBody { code: "E1".into(), ..EventBody::default() };
        let bodies = [Body::Billing(set()), Body::Error(event), Body::Modes(CounterSet { base_seq: Some(1), ..set() })];
        let message = |(seq, body)| Message { seq, taken_ms: 9, subject: None, body };
        (1..).zip(bodies).map(message).collect()
    }

    #[test]
    fn a_row_reads_alike_however_it_was_written() {
        let messages = messages();
        let report = Report {
            version: 1,
            sender: Subject([1; 16]),
            epoch: 1,
            clock_ms: 1,
            mono_ms: 1,
            messages: messages.clone(),
            plan_revision: 0,
        };
        let (array, whole) = (cbor::encode(&messages), cbor::encode(&report));
        let packed = [&array, &whole].map(|bytes| packing::pack(bytes, packing::FAST).unwrap());
        for row in [array, whole].iter().chain(&packed) {
            assert_eq!(read(row).unwrap().messages, messages);
            assert_eq!(read_open(row).unwrap().0, messages);
        }
        assert!(read(b"\xff").is_err() && read(&[]).is_err() && read(&[PARTED]).is_err());
    }

    #[test]
    fn a_row_without_its_sets_makes_the_same_bytes_again() {
        let messages = messages();
        let row = cbor::encode(&messages);
        let parting = read_open(&row).unwrap().1.unwrap();
        assert!(parting.row(&HashMap::new()).is_none(), "its set is kept nowhere");
        let device = DeviceId(uuid::Uuid::from_bytes([5; 16]));
        let parted = parting.row(&[(1, device)].into()).unwrap();
        assert!(parted.len() < row.len() - 100);
        let logged = read(&parted).unwrap();
        assert_eq!(logged.messages, messages[1..]);
        assert_eq!(logged.elsewhere[0].device, Subject([5; 16]));
        assert_eq!(
            logged.elsewhere[0].with(set()).map(|message| cbor::encode(&message)),
            Some(cbor::encode(&messages[0]))
        );
        assert!(read_open(&parted).is_err());
    }

    #[test]
    fn what_is_written_otherwise_stays_as_it_is() {
        let mut row = cbor::encode(&messages());
        // The number 1 of the first message in two bytes.
        let at = row.iter().position(|byte| *byte == 1).unwrap();
        row.splice(at + 1..=at + 1, [0x18, 1]);
        let (read, parting) = read_open(&row).unwrap();
        assert_eq!(read, messages());
        assert!(parting.is_none());
    }
}
