//! Two contracts over the same devices, and what a close comes to before it is closed.

use super::*;

async fn two_devices(site: &mut Site) -> [DeviceId; 2] {
    let ids = [meet(site, 1).await, meet(site, 2).await];
    read(site, 1, "2026-03-01T13:00:00Z", 1_000).await;
    read(site, 2, "2026-03-01T13:01:00Z", 500).await;
    ids
}

fn in_utc(number: &str) -> NewContract {
    let first_at = Some(at("2026-03-01T14:00:00Z"));
    NewContract { number: number.into(), zone: Some("UTC".into()), first_at, ..all_devices() }
}

#[tokio::test]
async fn two_contracts_that_close_the_same_device_at_the_same_moment_bill_it_once() {
    for mut site in Site::each().await {
        two_devices(&mut site).await;
        for number in ["K-1", "K-2"] {
            make(&site, in_utc(number)).await;
        }
        read(&mut site, 1, "2026-03-31T20:00:00Z", 1_400).await;
        read(&mut site, 2, "2026-03-31T20:01:00Z", 530).await;
        set(&site, at("2026-04-01T00:00:00Z"));
        // Both servers have noted the members of theirs before either has written a line.
        let system = site.test.platform.system("two servers at once");
        for close in every_close(&site.person().await).await {
            stages::look(&system, &close, CloseState::Review, stages::Then::Wait).await.unwrap();
        }
        let ctx = site.person().await;
        let both: Vec<CloseRow> =
            every_close(&ctx).await.into_iter().filter(|close| close.state == CloseState::Review).collect();
        assert_eq!(both.iter().map(|close| close.devices).collect::<Vec<_>>(), [2, 2], "both hold both devices");
        let mut frozen = Vec::new();
        for close in &both {
            let mut tx = system.db().write(&system.scope.view()).await.unwrap();
            frozen.push(write::frozen(&mut tx, &system, close).await.unwrap());
            tx.commit().await.unwrap();
        }
        let (one, other) = tokio::join!(write::finish(&system, &frozen[0]), write::finish(&system, &frozen[1]));
        one.unwrap();
        other.unwrap();
        let mut billed = Vec::new();
        for close in &both {
            let now = close::close(&ctx, close.id).await.unwrap();
            let lines = all_lines(&ctx, close.id).await;
            assert_eq!(usize::try_from(now.devices).unwrap(), lines.len(), "who is billed elsewhere is no member");
            let sum: i64 = lines.iter().map(|line| line.billed).sum();
            assert_eq!(totals(&ctx, close.id).await.unwrap()[0].units, sum);
            billed.extend(lines.into_iter().map(|line| (line.device, line.billed)));
        }
        billed.sort_unstable();
        assert_eq!(billed.iter().map(|(_, units)| *units).collect::<Vec<_>>(), [400, 30], "{billed:?}");
    }
}

#[tokio::test]
async fn sums_before_a_close_are_those_of_the_last_look_and_of_readings_by_hand() {
    for mut site in Site::each().await {
        let [_, two] = two_devices(&mut site).await;
        let id = meet(&mut site, 3).await;
        read(&mut site, 3, "2026-03-01T13:02:00Z", 70).await;
        make(&site, NewContract { estimate: Estimate::None, ..in_utc("K-1") }).await;
        read(&mut site, 1, "2026-03-31T20:00:00Z", 1_400).await;
        read(&mut site, 3, "2026-03-31T20:01:00Z", 75).await;
        set(&site, at("2026-04-01T00:00:00Z"));
        run(&site.test.platform).await.unwrap();
        let ctx = site.person().await;
        let close = every_close(&ctx).await.remove(0);
        let units = async |ctx: &Ctx| {
            let total = &totals(ctx, close.id).await.unwrap()[0];
            (total.devices, total.units, total.amount_micro)
        };
        assert_eq!((close.state, units(&ctx).await), (CloseState::Review, (3, 405, 405 * 8_500)), "one was not read");
        let read = ManualRead { device: two, no: 1, value: 510, at: Some(at("2026-03-31T23:00:00Z")) };
        read_by_hand(&ctx, close.id, &read).await.unwrap();
        assert_eq!(units(&ctx).await, (3, 415, 415 * 8_500), "ten by hand");
        look_again(&ctx, close.id).await.unwrap();
        assert_eq!(units(&ctx).await, (3, 415, 415 * 8_500), "a look finds the same");
        let closed = close_now(&ctx, close.id).await.unwrap();
        assert_eq!((closed.state, units(&ctx).await), (CloseState::Closed, (3, 415, 415 * 8_500)));
        let lines = all_lines(&ctx, close.id).await;
        assert!(lines.iter().any(|line| line.device == id && line.billed == 5));
    }
}
