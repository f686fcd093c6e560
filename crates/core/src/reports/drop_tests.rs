//! Behaviour 12 by what is done and not by how fast: however much a day holds, it goes in small steps or whole, reports come
//! in between, and whoever reads meanwhile sees no gap.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::SeqCst};
use std::time::Duration;

use store::{EngineKind, Sql, View, params};
use wire::{Outcome, Report};

use super::device_tests::{Park, error};
use crate::{monitors, retention};

const DAY: Duration = Duration::from_secs(86_400);
const DEVICES: usize = 4;
/// Reports of the day that goes.
const ROWS: i64 = 6_000;
/// Most rows of a day that may go in one transaction.
const STEP: i64 = 500;
const WATCH: View = View::All("a test watches how a day goes");

impl Park {
    /// A month and some days of the log, of which the oldest but one is over and very large. Returns that day: the one before
    /// it has no part of its own on PostgreSQL.
    async fn with_a_large_day(&mut self) -> i64 {
        let platform = self.test.platform.clone();
        retention::run(&platform).await.unwrap();
        for _ in 0..34 {
            self.test.clock.advance(DAY);
            for place in 0..DEVICES {
                assert_eq!(self.tell(place, error("E300")).await.unwrap(), Outcome::Stored);
            }
            if self.ask("select count(distinct recv_day) from inbox").await < 31 {
                retention::run(&platform).await.unwrap();
            }
        }
        let large = self.ask("select min(recv_day) from inbox").await + 1;
        let (home, now) = (self.root.home, platform.now());
        let sender = monitors::MonitorId::from(self.senders[0]);
        let rows = (0..ROWS).map(|n| {
            let id = format!("00000000-0000-7000-9000-{n:012}");
            params![home, large, id, now.days_ago(33), sender, 0, n, n, 1, 0, 0, 0, 40, vec![7_u8; 40], "https"].into()
        });
        let mut tx = platform.db().write(&WATCH).await.unwrap();
        tx.many(&super::sql::INBOX, rows.collect()).await.unwrap();
        tx.commit().await.unwrap();
        large
    }

    /// From now on each row of the log that goes or comes is noted in its order. SQLite alone deletes rows.
    async fn watch(&self) {
        let mut tx = self.test.platform.db().write(&WATCH).await.unwrap();
        for text in [
            "create table watched (n integer primary key, gone integer not null)",
            "create trigger watch_gone after delete on inbox begin insert into watched (gone) values (1); end",
            "create trigger watch_came after insert on inbox begin insert into watched (gone) values (0); end",
        ] {
            tx.execute(&Sql::built(text.to_owned()), &[]).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    /// How many rows went in a row, at most, without a report that came in between.
    async fn longest_wait(&self) -> usize {
        let mut tx = self.test.platform.db().read(&WATCH).await.unwrap();
        let rows = tx.query(&Sql::built("select gone from watched order by n".to_owned()), &[]).await.unwrap();
        let noted: Vec<i64> = rows.iter().map(|row| row.get(0).unwrap()).collect();
        noted.split(|gone| *gone == 0).map(<[i64]>::len).max().unwrap_or(0)
    }

    /// Tells its reports, one after the other, until the day is gone. Returns the number of the last one.
    async fn keep_telling(&self, reports: Vec<Report>, over: &AtomicBool) -> i64 {
        let mut last = 0;
        for report in reports {
            if over.load(SeqCst) {
                break;
            }
            let seq = i64::try_from(report.messages[0].seq).unwrap();
            assert_eq!(self.send(report).await.unwrap(), Outcome::Stored);
            last = seq;
        }
        last
    }

    /// Reads again and again until the day is gone: what stays never becomes less, what goes never more.
    async fn look(&self, large: i64, over: &AtomicBool) -> usize {
        let (mut looks, mut stays, mut goes) = (0, 0, i64::MAX);
        while !over.load(SeqCst) {
            let stay = self.ask(&format!("select count(*) from inbox where recv_day > {}", large + 4)).await;
            let go = self.ask(&format!("select count(*) from inbox where recv_day = {large}")).await;
            assert!(stay >= stays && go <= goes, "{stays} to {stay} stay, {goes} to {go} go");
            (looks, stays, goes) = (looks + 1, stay, go);
            tokio::task::yield_now().await;
        }
        looks
    }
}

#[tokio::test]
async fn drop_of_a_day_of_any_size_goes_in_small_steps_or_whole_while_reports_come_12() {
    for mut park in Park::each(DEVICES).await {
        let (platform, root) = (park.test.platform.clone(), park.root.clone());
        let by_rows = platform.db().engine() == EngineKind::Sqlite;
        let large = park.with_a_large_day().await;
        if by_rows {
            // So large a share of the rows waits for a person's word.
            retention::run(&platform).await.unwrap();
            assert!(park.ask(&format!("select count(*) from inbox where recv_day = {large}")).await >= ROWS);
            retention::confirm(&park.test.again(&root).await, "inbox").await.unwrap();
            park.watch().await;
        } else {
            assert!(platform.db().days("inbox").await.unwrap().contains(&large), "a part of its own");
        }
        let reports: Vec<Vec<Report>> =
            (0..DEVICES).map(|place| (0..250).map(|_| park.report(place, error("E301"))).collect()).collect();
        let (over, before) = (AtomicBool::new(false), park.ask("select count(*) from device_events").await);
        let told = AtomicI64::new(0);
        let (park, over, told) = (&park, &over, &told);
        let delivering = reports.into_iter().map(async |reports| {
            let first = i64::try_from(reports[0].messages[0].seq).unwrap();
            let last = park.keep_telling(reports, over).await;
            told.fetch_add(last + 1 - first, SeqCst);
            last
        });
        let dropping = async {
            retention::run(&platform).await.unwrap();
            over.store(true, SeqCst);
        };
        let delivering = futures_util::future::join_all(delivering);
        let (lasts, (), looks) = tokio::join!(delivering, dropping, park.look(large, over));
        assert!(looks > 0 && told.load(SeqCst) >= 4, "{looks} looks, {told:?} reports");
        assert_eq!(park.ask(&format!("select count(*) from inbox where recv_day = {large}")).await, 0);
        let proved = "from deletion_proofs where table_name = 'inbox'";
        if by_rows {
            let (steps, longest) =
                (park.ask(&format!("select max(rows_gone) {proved}")).await, park.longest_wait().await);
            assert!(steps <= STEP, "{steps} rows in one transaction");
            assert!(longest <= usize::try_from(4 * STEP).unwrap(), "{longest} rows went while nobody was heard");
        } else {
            assert!(!platform.db().days("inbox").await.unwrap().contains(&large), "the day went whole");
            assert!(park.ask(&format!("select max(rows_gone) {proved}")).await >= ROWS, "and is proved as one");
        }
        for (sender, last) in park.senders.iter().zip(lasts) {
            let of = format!("from inbox where epoch = 1 and sender = '{}'", monitors::MonitorId::from(*sender));
            let rows = park.ask(&format!("select count(*) {of}")).await;
            let span = park.ask(&format!("select max(first_seq) - min(first_seq) + 1 {of}")).await;
            assert_eq!(
                (rows, park.ask(&format!("select max(first_seq) {of}")).await),
                (span, last),
                "no gap, to the last"
            );
        }
        assert_eq!(
            park.ask("select count(*) from device_events").await,
            before + told.load(SeqCst),
            "each has its effect"
        );
        assert_eq!(park.ask("select count(*) from inbox_open").await, 0);
    }
}
