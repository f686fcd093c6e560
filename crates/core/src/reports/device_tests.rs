//! Reports of devices about themselves: answered from the raw log, effects drawn once; poison, old days, dead drawers.

use std::time::{Duration, Instant};

use store::{EngineKind, Sql, View, params};
use wire::monitor::EventBody;
use wire::{Body, Message, Outcome, Report, Subject};

use super::testing::{monitor, status};
use super::{backlog, project, verify};
use crate::monitors;
use crate::testing::TestPlatform;
use crate::{Ctx, Result, retention};

const DAY: Duration = Duration::from_secs(86_400);

#[expect(clippy::disallowed_methods, reason = "a test measures how long others really wait")]
fn stopwatch() -> Instant {
    Instant::now()
}

/// Devices that passed their communication test and told a status.
pub(super) struct Park {
    pub(super) test: TestPlatform,
    pub(super) root: Ctx,
    pub(super) senders: Vec<Subject>,
    pub(super) seqs: Vec<u64>,
}

impl Park {
    async fn on(test: TestPlatform, devices: usize) -> Self {
        let root = test.root().await;
        let mut senders = Vec::new();
        for place in 0..devices {
            let serial = format!("QMA{place:05}");
            let key = vec![place as u8; 32];
            senders.push(monitor(&test, &root, ("ricoh", &serial, "IM C3000"), |hello| hello.key = key).await);
        }
        let mut park = Self { test, root, senders, seqs: vec![0; devices] };
        for place in 0..devices {
            let first = Body::Status(Box::new(status(&format!("QMA{place:05}"), |_| {})));
            assert_eq!(park.tell(place, first).await.unwrap(), Outcome::Stored);
        }
        park
    }

    pub(super) async fn each(devices: usize) -> Vec<Self> {
        let mut all = Vec::new();
        for test in TestPlatform::each().await {
            all.push(Self::on(test, devices).await);
        }
        all
    }

    pub(super) fn report(&mut self, place: usize, body: Body) -> Report {
        self.seqs[place] += 1;
        let seq = self.seqs[place];
        let now_ms = self.test.platform.now().as_millis();
        let message = Message { seq, taken_ms: now_ms + i64::try_from(seq).unwrap(), subject: None, body };
        let sender = self.senders[place];
        Report { version: 1, sender, epoch: 1, clock_ms: now_ms, mono_ms: 0, messages: vec![message], plan_revision: 1 }
    }

    pub(super) async fn send(&self, report: Report) -> Result<Outcome> {
        let ctx = monitors::key_of(&self.test.platform, report.sender).await?.unwrap().1;
        Ok(super::accept(&ctx, report).await?.results[0].outcome)
    }

    pub(super) async fn tell(&mut self, place: usize, body: Body) -> Result<Outcome> {
        let report = self.report(place, body);
        self.send(report).await
    }

    pub(super) async fn ask(&self, text: &str) -> i64 {
        let mut tx = self.test.platform.db().read(&View::All("a test counts rows")).await.unwrap();
        tx.query_one(&Sql::built(text.to_owned()), &[]).await.unwrap().get(0).unwrap()
    }
}

pub(super) fn error(code: &str) -> Body {
    Body::Error(EventBody { code: code.into(), ..EventBody::default() })
}

/// Behaviour 10, behind the door: what cannot be drawn is tried three times and set aside, raw as it came, and what stands
/// behind it moves on in the same second.
#[tokio::test]
async fn poison_in_the_log_is_set_aside_after_three_tries_and_holds_nobody_up() {
    for mut park in Park::each(2).await {
        let (home, now) = (park.root.home, park.test.platform.now());
        let day = now.day(&jiff::tz::TimeZone::UTC);
        let rubbish: [(&str, Vec<u8>); 4] = [
            ("00000000-0000-7000-8000-000000000001", b"\x81\xa1\x01".to_vec()),
            ("00000000-0000-7000-8000-000000000002", vec![0x28, 0xb5, 0x2f, 0xfd, 0xff]),
            ("00000000-0000-7000-8000-000000000003", vec![0x81; 10_000]),
            ("00000000-0000-7000-8000-000000000004", b"\x81\x62\xff\xff".to_vec()),
        ];
        let mut tx = park.test.platform.db().write(&View::All("a test poisons the log")).await.unwrap();
        for (id, body) in &rubbish {
            let size = i64::try_from(body.len()).unwrap();
            let sender = monitors::MonitorId::from(park.senders[0]);
            let row = params![home, day, *id, now, sender, 1, 90, 90, 1, 0, 0, 0, size, body.clone(), "https"];
            tx.execute(&super::sql::INBOX, &row).await.unwrap();
            tx.execute(&super::sql::OPEN, &params![home, *id, day, sender, now]).await.unwrap();
        }
        tx.commit().await.unwrap();
        let began = stopwatch();
        assert_eq!(park.tell(1, error("E100")).await.unwrap(), Outcome::Stored);
        assert_eq!(park.ask("select count(*) from device_events").await, 1, "behind the poison");
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
        for tries in 2..=3 {
            assert_eq!(park.ask("select count(*) from inbox_quarantine").await, 0, "before try {tries}");
            park.test.clock.advance(Duration::from_millis(200));
            // One report of a device a turn: its others wait for the next.
            for _ in 0..rubbish.len() {
                project(&park.test.platform).await.unwrap();
                park.test.clock.advance(Duration::from_millis(200));
            }
            if park.ask("select count(*) from inbox_open").await == 0 {
                break;
            }
        }
        for _ in 0..12 {
            park.test.clock.advance(Duration::from_millis(200));
            project(&park.test.platform).await.unwrap();
        }
        assert_eq!(park.ask("select count(*) from inbox_open").await, 0);
        assert_eq!(park.ask("select count(*) from inbox_quarantine").await, 4);
        assert_eq!(park.ask("select count(*) from inbox where first_seq = 90").await, 4, "raw as it came");
        assert_eq!(park.ask("select count(*) from events where type = 'report.quarantined'").await, 4);
        assert_eq!(park.tell(0, error("E101")).await.unwrap(), Outcome::Stored, "and the device is heard");
    }
}

/// Whoever drew from the log died right after the answer: the next one draws it, once.
#[tokio::test]
async fn what_was_answered_takes_effect_once_whoever_dies_in_between() {
    for mut park in Park::each(3).await {
        // Somebody says to draw, and never does.
        park.test.platform.ingest().kept.store(true, std::sync::atomic::Ordering::Release);
        for place in 0..3 {
            assert_eq!(park.tell(place, error("E200")).await.unwrap(), Outcome::Stored);
        }
        assert_eq!(backlog(&park.test.platform).await.unwrap().reports, 3);
        assert_eq!(park.ask("select count(*) from device_events").await, 0);
        let (one, other) = tokio::join!(project(&park.test.platform), project(&park.test.platform));
        assert!(one.is_ok() || other.is_ok(), "{one:?} {other:?}");
        project(&park.test.platform).await.unwrap();
        assert_eq!(backlog(&park.test.platform).await.unwrap().reports, 0);
        assert_eq!(park.ask("select count(*) from device_events").await, 3);
        assert_eq!(park.ask("select sum(messages) from monitor_kinds where kind = 1").await, 3);
        let counted = verify(&park.test.platform).await.unwrap();
        assert_eq!((counted.missing, counted.twice), (0, 0));
    }
}

#[tokio::test]
async fn many_devices_at_once_share_transactions_and_each_hears_its_own() {
    for mut park in Park::each(40).await {
        let mut reports = Vec::new();
        for place in 0..40 {
            reports.push(park.report(place, error(&format!("E{place:03}"))));
        }
        // Each goes out twice at the same time.
        let park = &park;
        let sent: Vec<_> =
            reports.iter().flat_map(|report| [park.send(report.clone()), park.send(report.clone())]).collect();
        let outcomes = futures_util::future::join_all(sent).await;
        let stored = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Outcome::Stored))).count();
        let again = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Outcome::Duplicate))).count();
        assert_eq!((stored, again), (40, 40), "{outcomes:?}");
        assert_eq!(park.ask("select count(*) from device_events").await, 40);
        assert_eq!(park.ask("select count(distinct device) from device_events").await, 40);
    }
}

/// Behaviour 12: an old day goes while reports come; none of them waits long, nothing of other days goes.
#[tokio::test]
async fn drop_of_a_day_while_ingesting_loses_nothing_and_holds_nobody_up() {
    for mut park in Park::each(4).await {
        let platform = park.test.platform.clone();
        retention::run(&platform).await.unwrap();
        // So many days of the log that one of them is a day's share.
        for _ in 0..34 {
            park.test.clock.advance(DAY);
            for place in 0..4 {
                assert_eq!(park.tell(place, error("E300")).await.unwrap(), Outcome::Stored);
            }
            if park.ask("select count(distinct recv_day) from inbox").await < 31 {
                retention::run(&platform).await.unwrap();
            }
        }
        let oldest = park.ask("select min(recv_day) from inbox").await;
        let (home, now) = (park.root.home, platform.now());
        let sender = monitors::MonitorId::from(park.senders[0]);
        let mut tx = platform.db().write(&View::All("a test fills a day")).await.unwrap();
        let rows = (0..3_000).map(|n| {
            let id = format!("00000000-0000-7000-9000-{n:012}");
            params![home, oldest, id, now.days_ago(33), sender, 0, n, n, 1, 0, 0, 0, 400, vec![7_u8; 400], "https"]
                .into()
        });
        tx.many(&super::sql::INBOX, rows.collect()).await.unwrap();
        tx.commit().await.unwrap();
        let kept = park.ask(&format!("select count(*) from inbox where recv_day > {oldest}")).await;
        let reports: Vec<_> = (0..40).map(|n| park.report(n % 4, error("E301"))).collect();
        let (park, mut slowest) = (&park, Duration::ZERO);
        let deliver = async {
            for report in reports {
                let began = stopwatch();
                assert_eq!(park.send(report).await.unwrap(), Outcome::Stored);
                slowest = slowest.max(began.elapsed());
            }
        };
        let ((), run) = tokio::join!(deliver, retention::run(&platform));
        run.unwrap();
        let held = retention::holds(&park.test.again(&park.root).await).await.unwrap();
        if park.test.platform.db().engine() == EngineKind::Postgres {
            assert!(!platform.db().days("inbox").await.unwrap().contains(&oldest), "the day went whole");
        }
        // Without days of its own so large a share waits for a person's word.
        for hold in held.iter().filter(|hold| hold.table == "inbox") {
            retention::confirm(&park.test.again(&park.root).await, &hold.table).await.unwrap();
            retention::run(&platform).await.unwrap();
        }
        assert_eq!(park.ask(&format!("select count(*) from inbox where recv_day <= {oldest}")).await, 0);
        let left = park.ask(&format!("select count(*) from inbox where recv_day > {oldest}")).await;
        assert!(left >= kept - 12 + 40, "{left} of {kept} and 40 new ones are left");
        assert!(slowest < Duration::from_secs(60), "a report waited {slowest:?}");
        assert_eq!(park.ask("select count(*) from inbox_open").await, 0);
    }
}
