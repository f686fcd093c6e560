//! Devices in memory: what another server changes is felt within a second, and what changes here at once.

use std::time::Duration;

use wire::hello::Road;
use wire::{Body, Message, Report};

use super::known::{Name, look_up};
use super::mail::by_mailbox;
use super::mail_tests::{Device, with_doors};
use super::*;
use crate::Ctx;
use crate::reports::testing::status;
use crate::testing::TestPlatform;

const SERIAL: &str = "QMA00001";

/// A device that told who it is, so that it stays in memory.
async fn settled(test: &TestPlatform, root: &Ctx) -> Device {
    with_doors(test);
    let device = Device::tested(test, root, SERIAL, 1, Road::MailBothWays).await;
    let clock_ms = test.platform.now().as_millis();
    let (sender, epoch) = (device.reply.sender, device.reply.epoch_floor);
    let body = Body::Status(Box::new(status(SERIAL, |_| {})));
    let message = Message { seq: 1, taken_ms: clock_ms, subject: Some(sender), body };
    let report = Report { version: 1, sender, epoch, clock_ms, mono_ms: 0, messages: vec![message], plan_revision: 1 };
    crate::reports::accept(&device.ctx, report).await.unwrap();
    test.platform.known().forget_all();
    device
}

#[tokio::test]
async fn a_suspension_on_another_server_is_felt_after_a_second_and_one_here_at_once() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let device = settled(&test, &root).await;
        let (sender, address) = (device.reply.sender, device.addresses().0);
        let other = test.beside().await;
        let heard = async |platform: &crate::Platform| {
            let by_key = key_of(platform, sender).await.unwrap().is_some();
            let by_address = by_mailbox(platform, &address).await.unwrap().is_some();
            assert_eq!(by_key, by_address);
            by_key
        };
        assert!(heard(&test.platform).await && heard(&other).await);
        suspend(&root, sender.into()).await.unwrap();
        assert!(!heard(&test.platform).await, "it was suspended here");
        assert!(heard(&other).await, "from memory, within the second");
        test.clock.advance(Duration::from_millis(1_100));
        assert!(!heard(&other).await, "events were followed");
        resume(&root, sender.into()).await.unwrap();
        assert!(heard(&other).await, "whoever is not heard is asked for each time");
        // Long after, everything is asked anew.
        test.clock.advance(Duration::from_secs(3_600));
        assert!(heard(&test.platform).await && heard(&other).await);
        release(&test.again(&root).await, sender.into()).await.unwrap();
        test.clock.advance(Duration::from_millis(1_100));
        assert!(!heard(&test.platform).await && !heard(&other).await);
    }
}

#[tokio::test]
async fn a_settled_device_stays_in_memory_and_an_order_from_elsewhere_is_seen_after_a_second() {
    for test in TestPlatform::each().await {
        let root = test.root().await;
        let device = settled(&test, &root).await;
        let (sender, other) = (device.reply.sender, test.beside().await);
        let first = look_up(&other, Name::Subject(sender)).await.unwrap().unwrap();
        for _ in 0..5 {
            test.clock.advance(Duration::from_secs(30));
            let found = look_up(&other, Name::Address(&device.addresses().0)).await.unwrap().unwrap();
            assert!(
                std::sync::Arc::ptr_eq(&found.standing.serial_fold, &first.standing.serial_fold),
                "the same piece of memory: the database was not asked"
            );
        }
        let now = test.again(&root).await;
        order(&now, sender.into(), wire::command::What::SendLog, 3_600_000).await.unwrap();
        test.clock.advance(Duration::from_millis(1_100));
        let found = look_up(&other, Name::Subject(sender)).await.unwrap().unwrap();
        assert_eq!(found.standing.orders, 1);
    }
}
