//! Many devices' reports drawn in one transaction: one that fails neither stops nor loses its neighbours, and each device's
//! reports have their effect in their order.

use std::sync::atomic::Ordering;
use std::time::Duration;

use store::{View, params};
use wire::monitor::{CounterSet, Dictionary};
use wire::{Body, Outcome};

use super::device_tests::Park;
use super::{project, verify};
use crate::diagnostics::rules::hash;

fn dictionary() -> Dictionary {
    Dictionary { model: "IM C3000".into(), names: (0..3).map(|id| (id, format!("parts.unit-{id}"))).collect() }
}

fn set(base_seq: Option<u64>, value: i64) -> Body {
    let values = (0..3).map(|id| (id, value + i64::from(id))).collect();
    Body::Detailed(CounterSet { base_seq, values, dictionary: hash(&dictionary()) })
}

store::sql! {
    SPOIL = "update counter_snapshots set body = $1 where tenant = $2 and device = (select m.device from monitors m where m.tenant = $2
        and m.id = $3)";
}

impl Park {
    /// All know the dictionary and told a set in full; from now on nobody draws before a test says so.
    async fn counting(&mut self, devices: usize) {
        assert_eq!(self.tell(0, Body::Dictionary(dictionary())).await.unwrap(), Outcome::Stored);
        for place in 0..devices {
            assert_eq!(self.tell(place, set(None, 10)).await.unwrap(), Outcome::Stored);
        }
        self.test.platform.ingest().kept.store(true, Ordering::Release);
    }
}

#[tokio::test]
async fn one_report_that_fails_in_a_batch_neither_stops_nor_loses_its_neighbours() {
    for mut park in Park::each(21).await {
        park.counting(21).await;
        let spoilt = crate::MonitorId::from(park.senders[7]);
        let mut tx = park.test.platform.db().write(&View::All("a test spoils what a device told")).await.unwrap();
        let row = params![b"no frame".to_vec(), park.root.home, spoilt];
        assert_eq!(tx.execute(&SPOIL, &row).await.unwrap(), 1);
        tx.commit().await.unwrap();
        for place in 0..21 {
            assert_eq!(park.tell(place, set(None, 20)).await.unwrap(), Outcome::Stored);
        }
        assert_eq!(park.ask("select count(*) from counter_snapshots").await, 21, "nothing is drawn yet");
        assert_eq!(project(&park.test.platform).await.unwrap(), 20);
        assert_eq!(park.ask("select count(*) from counter_snapshots").await, 41, "all but the one");
        assert_eq!(park.ask("select count(*) from inbox_open").await, 1);
        assert_eq!(park.ask("select max(tries) from inbox_open").await, 1);
        // What the device tells meanwhile is drawn though the other report still waits.
        assert_eq!(park.tell(7, super::device_tests::error("E7")).await.unwrap(), Outcome::Stored);
        assert_eq!(project(&park.test.platform).await.unwrap(), 1);
        for _ in 0..2 {
            park.test.clock.advance(Duration::from_secs(1));
            project(&park.test.platform).await.unwrap();
        }
        assert_eq!(park.ask("select count(*) from inbox_open").await, 0);
        assert_eq!(park.ask("select count(*) from inbox_quarantine").await, 1);
        assert_eq!(park.ask("select count(*) from device_events").await, 1);
        let counted = verify(&park.test.platform).await.unwrap();
        assert_eq!((counted.missing, counted.twice), (0, 0));
    }
}

#[tokio::test]
async fn reports_of_a_device_are_drawn_in_their_order_though_many_share_a_transaction() {
    const ROUNDS: i64 = 5;
    for mut park in Park::each(8).await {
        park.counting(8).await;
        let mut expected = 8;
        for round in 0..ROUNDS {
            for place in 0..8 {
                // Some tell more than others, so that batches do not end with rounds. A change stands on the full set before it.
                for _ in 0..=place % 3 {
                    let full = park.seqs[place] + 1;
                    assert_eq!(park.tell(place, set(None, 100 + round)).await.unwrap(), Outcome::Stored);
                    assert_eq!(park.tell(place, set(Some(full), 200 + round)).await.unwrap(), Outcome::Stored);
                    expected += 2;
                }
            }
        }
        let open = park.ask("select count(*) from inbox_open").await;
        assert_eq!(i64::try_from(project(&park.test.platform).await.unwrap()).unwrap(), open);
        assert_eq!(park.ask("select count(*) from counter_snapshots").await, expected, "each change found its base");
        assert_eq!(park.ask("select count(*) from inbox_open").await, 0);
        assert_eq!(
            park.ask("select count(*) from streams where heads is null").await,
            0,
            "nobody need tell in full again"
        );
    }
}
