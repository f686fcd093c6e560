//! The door and its unknown senders through reports, on both engines.

use wire::traps::{MAX_SENDERS, SendersBody, TrapSender};
use wire::{Body, Outcome, SnmpVersion};

use super::*;
use crate::page::PageQuery;
use crate::reports::testing::Site;
use crate::{AgentId, Kind};

fn sender(address: &str, count: u64, at_ms: i64) -> TrapSender {
    TrapSender {
        address: address.into(),
        count,
        first_ms: at_ms,
        last_ms: at_ms + 10,
        trap: Some("1.3.6.1.6.3.1.1.5.1".into()),
        snmp: Some(SnmpVersion::V2c),
        speaks_for: None,
    }
}

fn heard(senders: Vec<TrapSender>) -> Body {
    let listen = "192.0.2.1:162".to_owned();
    Body::Senders(SendersBody { listen, received: 10, known: 7, shed: 5, refused: 1, senders })
}

#[tokio::test]
async fn unknown_senders_are_listed_and_their_numbers_add_up() {
    for mut site in Site::each().await {
        let agent = AgentId::from(site.agent);
        assert_eq!(door(&site.person().await, agent).await.unwrap(), None);
        let now = site.test.platform.now().as_millis();
        for _ in 0..2 {
            let body = heard(vec![sender("198.51.100.7", 3, now - 5_000), sender("198.51.100.8", 1, now - 9_000)]);
            assert_eq!(site.deliver(vec![(None, body)]).await, [Outcome::Stored]);
        }
        let ctx = site.person().await;
        let told = door(&ctx, agent).await.unwrap().unwrap();
        assert_eq!((told.received, told.known, told.shed, told.refused), (20, 14, 10, 2));
        assert_eq!(told.listen, "192.0.2.1:162");
        let page = senders(&ctx, agent, &PageQuery { limit: Some(1), after: None, count: true }).await.unwrap();
        assert_eq!((page.items[0].address.as_str(), page.items[0].total, page.count), ("198.51.100.7", 6, Some(2)));
        let rest = senders(&ctx, agent, &PageQuery { after: page.next, ..PageQuery::default() }).await.unwrap();
        assert_eq!((rest.items[0].address.as_str(), rest.items[0].snmp.as_deref()), ("198.51.100.8", Some("v2c")));
        let (_, stranger) = site.test.customer(&site.root, "Harbour Clinic").await;
        assert_eq!(door(&stranger, agent).await.unwrap_err().kind, Kind::NotFound);
        assert_eq!(senders(&stranger, agent, &PageQuery::default()).await.unwrap_err().kind, Kind::NotFound);
    }
}

#[tokio::test]
async fn a_flood_of_senders_does_not_grow_the_list_without_end() {
    let test = crate::testing::TestPlatform::sqlite().await;
    let mut site = Site::on(test).await;
    let now = site.test.platform.now().as_millis();
    for block in 0..5_i64 {
        let many = (0..MAX_SENDERS).map(|n| sender(&format!("198.51.{block}.{n}"), 1, now - 60_000 + block)).collect();
        assert_eq!(site.deliver(vec![(None, heard(many))]).await, [Outcome::Stored]);
    }
    let query = PageQuery { limit: Some(1), after: None, count: true };
    let page = senders(&site.person().await, AgentId::from(site.agent), &query).await.unwrap();
    assert_eq!(page.count, Some(1_000));
    assert!(page.items[0].address.starts_with("198.51.4."), "the latest are kept: {}", page.items[0].address);
}

#[tokio::test]
async fn a_message_with_too_many_senders_is_not_believed() {
    let test = crate::testing::TestPlatform::sqlite().await;
    let mut site = Site::on(test).await;
    let many = (0..=MAX_SENDERS).map(|n| sender(&format!("198.51.100.{n}"), 1, 0)).collect();
    assert_eq!(site.deliver(vec![(None, heard(many))]).await, [Outcome::Invalid]);
}
