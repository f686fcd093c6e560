//! The raw log beside the chains: sets of counters are kept once, and what came is shown byte for byte.

use store::{View, params};
use wire::monitor::{CounterSet, Dictionary};
use wire::{Body, Message, Outcome, Received, Report, Subject, cbor, packing};

use super::device_tests::{Park, error};
use super::{accept, raw, raw_report, verify};
use crate::diagnostics::rules::hash;
use crate::page::PageQuery;
use crate::{AgentId, monitors};

const COUNTERS: u32 = 900;

fn dictionary() -> Dictionary {
    Dictionary { model: "IM C3000".into(), names: (0..COUNTERS).map(|id| (id, format!("parts.{id}"))).collect() }
}

fn set(base_seq: Option<u64>, grown: i64) -> CounterSet {
    let value = |id: u32| (id, i64::from(id.wrapping_mul(2_654_435_761) % 2_000_000) + grown);
    CounterSet { base_seq, values: (0..COUNTERS).map(value).collect(), dictionary: hash(&dictionary()) }
}

fn report(park: &Park, first: u64, bodies: Vec<Body>) -> Report {
    let now_ms = park.test.platform.now().as_millis();
    let message =
        |(seq, body): (u64, Body)| Message { seq, taken_ms: now_ms + i64::try_from(seq).unwrap(), subject: None, body };
    let messages = (first..).zip(bodies).map(message).collect();
    Report { version: 1, sender: park.senders[0], epoch: 1, clock_ms: now_ms, mono_ms: 0, messages, plan_revision: 1 }
}

impl Park {
    async fn deliver(&self, report: impl Into<Received>) {
        let ctx = monitors::key_of(&self.test.platform, self.senders[0]).await.unwrap().unwrap().1;
        let reply = accept(&ctx, report).await.unwrap();
        assert!(reply.results.iter().all(|result| result.outcome == Outcome::Stored), "{:?}", reply.results);
    }

    /// The bytes of each message as the raw log shows them, in the order of their numbers.
    async fn shown(&self) -> Vec<(u64, Vec<u8>)> {
        let sender = AgentId::from(self.senders[0]);
        let mut all = Vec::new();
        for report in raw(&self.root, sender, None, &PageQuery::default()).await.unwrap().items {
            let (_, messages) = raw_report(&self.root, &report.name).await.unwrap();
            all.extend(messages.into_iter().map(|message| (message.seq, message.cbor)));
        }
        all.sort_unstable();
        all
    }

    async fn log_bytes(&self) -> i64 {
        self.ask("select sum(length(body)) from inbox").await
    }
}

#[tokio::test]
async fn a_set_is_kept_once_and_the_raw_log_shows_the_bytes_that_came() {
    for park in Park::each(1).await {
        park.deliver(report(&park, 2, vec![Body::Dictionary(dictionary())])).await;
        let before = park.log_bytes().await;
        let sets = report(&park, 3, vec![Body::Parts(set(None, 0)), error("E1"), Body::Modes(set(None, 7))]);
        park.deliver(sets.clone()).await;
        // As a whole report, compressed on the way.
        let packed = report(&park, 6, vec![Body::Parts(set(None, 3))]);
        let bytes = cbor::encode(&packed);
        let frame = packing::pack(&bytes, packing::USUAL).unwrap();
        park.deliver(Received::read_packed(bytes.into(), frame.into()).unwrap()).await;
        let grew = park.log_bytes().await - before;
        assert!(grew < 400, "three sets of {COUNTERS} counters take {grew} bytes of the raw log");
        let told: Vec<_> = sets.messages.iter().chain(&packed.messages).map(|m| (m.seq, cbor::encode(m))).collect();
        assert_eq!(park.shown().await[2..], told);
        let counted = verify(&park.test.platform).await.unwrap();
        assert_eq!((counted.messages, counted.missing, counted.twice), (6, 0, 0));
    }
}

#[tokio::test]
async fn a_set_that_is_not_kept_in_a_chain_stays_in_the_raw_log() {
    for park in Park::each(1).await {
        park.deliver(report(&park, 2, vec![Body::Dictionary(dictionary())])).await;
        let first = report(&park, 3, vec![Body::Parts(set(None, 0))]);
        park.deliver(first.clone()).await;
        // Another set of the same moment has no effect; what was said stays said.
        let mut second = report(&park, 4, vec![Body::Parts(set(None, 99))]);
        second.messages[0].taken_ms = first.messages[0].taken_ms;
        park.deliver(second.clone()).await;
        let told = [&first, &second].map(|told| (told.messages[0].seq, cbor::encode(&told.messages[0])));
        assert_eq!(park.shown().await[2..], told);
    }
}

#[tokio::test]
async fn a_message_whose_set_went_is_listed_without_it() {
    for park in Park::each(1).await {
        park.deliver(report(&park, 2, vec![Body::Dictionary(dictionary())])).await;
        park.deliver(report(&park, 3, vec![Body::Parts(set(None, 0))])).await;
        let mut tx = park.test.platform.db().write(&View::All("a test forgets counters")).await.unwrap();
        tx.execute(&store::Sql::built("delete from counter_snapshots".into()), &params![]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(park.shown().await[2], (3, Vec::new()));
    }
}

#[test]
fn a_subject_is_as_it_was_told() {
    let own = Subject([4; 16]);
    let message = |subject| Message { seq: 1, taken_ms: 1, subject, body: Body::Parts(set(None, 0)) };
    for subject in [None, Some(own)] {
        let row = cbor::encode(&[message(subject)]);
        let parted = super::logged::read_open(&row).unwrap().1.unwrap();
        let row = parted.row(&[(1, crate::DeviceId(uuid::Uuid::nil()))].into()).unwrap();
        let away = &super::logged::read(&row).unwrap().elsewhere[0];
        assert_eq!(away.with(set(None, 0)), Some(message(subject)));
    }
}
