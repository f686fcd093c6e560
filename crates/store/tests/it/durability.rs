//! What was acknowledged is stored: after kill -9, and when the disk is full.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use rand::Rng;
use store::testing::{TestDb, TestFolder};
use store::{DatabaseUrl, Db, ErrorKind, Sql, params};

use crate::{ALL, INSERT_SAMPLE, SAMPLE_IDS, migrations};

const CHILD: &str = "PLATEN_STORE_TEST_WRITER";

async fn stored(db: &Db) -> BTreeSet<i64> {
    let rows = db.read(&ALL).await.unwrap().query(&SAMPLE_IDS, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

/// Not a test: the process that the next one kills. 16 tasks write and say what was acknowledged.
#[test]
fn writer_that_is_killed() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let db = Db::open(&DatabaseUrl::Sqlite(path.into())).await.unwrap();
        let first = stored(&db).await.last().map_or(0, |last| last / 16 + 1);
        let writers: Vec<_> = (0..16)
            .map(|writer| {
                let db = db.clone();
                tokio::spawn(async move {
                    for round in first.. {
                        let id = round * 16 + writer;
                        let mut tx = db.write(&ALL).await.unwrap();
                        tx.execute(&INSERT_SAMPLE, &params![id, "x".repeat(300)]).await.unwrap();
                        tx.commit().await.unwrap();
                        // One write call, so that lines of tasks do not mix.
                        std::io::stdout().lock().write_all(format!("\nack {id}\n").as_bytes()).unwrap();
                    }
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

/// Each connection would count what it has mapped: a server's memory would grow with its database, several times over.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_database_that_is_read_and_written_is_not_mapped_into_memory() {
    let folder = TestFolder::new();
    let path = folder.path().join("unmapped.db");
    let db = Db::open(&DatabaseUrl::Sqlite(path.clone())).await.unwrap();
    db.migrate(&migrations()).await.unwrap();
    let mut tx = db.write(&ALL).await.unwrap();
    tx.many(&INSERT_SAMPLE, (0..2_000).map(|id| params![id, "x".repeat(500)].into()).collect()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(stored(&db).await.len(), 2_000);
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let name = path.to_str().unwrap();
    assert!(maps.contains(&format!("{name}-shm")), "the database is open");
    assert!(!maps.lines().any(|line| line.ends_with(name)), "{maps}");
}

#[tokio::test]
async fn a_killed_writer_loses_nothing_that_it_acknowledged() {
    let folder = TestFolder::new();
    let path = folder.path().join("killed.db");
    let url = DatabaseUrl::Sqlite(path.clone());
    Db::open(&url).await.unwrap().migrate(&migrations()).await.unwrap();
    let mut acknowledged = BTreeSet::new();
    for _ in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "durability::writer_that_is_killed", "--nocapture"])
            .env(CHILD, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let first = lines.find_map(|line| line.strip_prefix("ack ").map(|id| id.parse::<i64>().unwrap())).unwrap();
        acknowledged.insert(first);
        let moment = rand::rng().random_range(0..60_000);
        std::thread::sleep(Duration::from_micros(moment));
        child.kill().unwrap();
        acknowledged.extend(lines.filter_map(|line| line.strip_prefix("ack ").and_then(|id| id.parse::<i64>().ok())));
        child.wait().unwrap();
        let db = Db::open(&url).await.unwrap();
        let lost: Vec<_> = acknowledged.difference(&stored(&db).await).copied().collect();
        assert!(lost.is_empty(), "acknowledged but lost: {lost:?}");
        let check = Sql::built("pragma integrity_check".into());
        let said: String = db.read(&ALL).await.unwrap().query_one(&check, &[]).await.unwrap().get(0).unwrap();
        assert_eq!(said, "ok");
    }
    println!("12 kills, {} rows acknowledged, none lost", acknowledged.len());
}

/// Lets many tasks write until there is no room; returns what was acknowledged and how many were refused as full.
async fn fill(db: &Db, tasks: i64, each: i64, base: i64) -> (BTreeSet<i64>, usize) {
    let writers: Vec<_> = (0..tasks)
        .map(|task| {
            let db = db.clone();
            tokio::spawn(async move {
                let (mut kept, mut full) = (Vec::new(), 0);
                for round in 0..each {
                    let id = base + task * each + round;
                    let outcome = async {
                        let mut tx = db.write(&ALL).await?;
                        tx.execute(&INSERT_SAMPLE, &params![id, "x".repeat(2_000)]).await?;
                        tx.commit().await
                    };
                    match outcome.await {
                        Ok(()) => kept.push(id),
                        Err(error) => {
                            assert!(matches!(error.kind(), ErrorKind::Full | ErrorKind::Io), "{error:?}");
                            full += 1;
                        }
                    }
                }
                (kept, full)
            })
        })
        .collect();
    let (mut kept, mut full) = (BTreeSet::new(), 0);
    for writer in writers {
        let (ids, refused) = writer.await.unwrap();
        kept.extend(ids);
        full += refused;
    }
    (kept, full)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_database_acknowledges_nothing_and_goes_on_working() {
    let db = TestDb::sqlite().await;
    db.migrate(&migrations()).await.unwrap();
    let mut tx = db.write(&ALL).await.unwrap();
    tx.query(&Sql::built("pragma max_page_count = 200".into()), &[]).await.unwrap();
    tx.commit().await.unwrap();
    let (kept, full) = fill(&db, 16, 40, 0).await;
    println!("page limit: {} acknowledged, {full} refused", kept.len());
    assert!(full > 0 && !kept.is_empty());
    assert_eq!(stored(&db).await, kept);
    let mut tx = db.write(&ALL).await.unwrap();
    tx.query(&Sql::built("pragma max_page_count = 100000".into()), &[]).await.unwrap();
    tx.commit().await.unwrap();
    let (more, full) = fill(&db, 16, 10, 10_000).await;
    assert_eq!((more.len(), full), (160, 0));
    assert_eq!(stored(&db).await.len(), kept.len() + 160);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_acknowledges_nothing_and_goes_on_working() {
    let folder = TestFolder::new();
    let mount = ["-t", "tmpfs", "-o", "size=1m", "tmpfs"];
    let mounted = Command::new("mount").args(mount).arg(folder.path()).stderr(Stdio::null()).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("skipped: the right to mount a small tmpfs not found (run as root)");
        return;
    }
    let url = DatabaseUrl::Sqlite(folder.path().join("full.db"));
    let ballast = folder.path().join("ballast");
    let outcome = tokio::spawn(async move {
        std::fs::write(&ballast, vec![0; 200_000]).unwrap();
        let db = Db::open(&url).await.unwrap();
        db.migrate(&migrations()).await.unwrap();
        let (kept, full) = fill(&db, 16, 30, 0).await;
        println!("tmpfs: {} acknowledged, {full} refused", kept.len());
        assert!(full > 0 && !kept.is_empty());
        assert_eq!(stored(&db).await, kept);
        std::fs::remove_file(&ballast).unwrap();
        let (more, full) = fill(&db, 4, 2, 10_000).await;
        assert_eq!((more.len(), full), (8, 0));
        drop(db);
        let db = Db::open(&url).await.unwrap();
        assert_eq!(stored(&db).await.len(), kept.len() + 8);
    })
    .await;
    let unmounted = Command::new("umount").arg(folder.path()).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    outcome.unwrap();
}

#[tokio::test]
async fn a_backup_is_a_whole_database() {
    let db = TestDb::sqlite().await;
    db.migrate(&migrations()).await.unwrap();
    let (kept, _) = fill(&db, 4, 5, 0).await;
    let copy = db.folder().join("copy.db");
    db.backup(&copy).await.unwrap();
    assert_eq!(db.backup(&copy).await.unwrap_err().kind(), ErrorKind::Usage);
    let copy = Db::open(&DatabaseUrl::Sqlite(copy)).await.unwrap();
    assert_eq!(copy.migrate(&migrations()).await.unwrap().before, 2);
    assert_eq!(stored(&copy).await, kept);
}
