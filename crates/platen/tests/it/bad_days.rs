//! Bad days of an installation: a full disk at the server or at the agent, a database that goes away. Clear words while
//! it lasts, nothing lost that was acknowledged, and everything goes on by itself afterwards.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use store::DatabaseUrl;
use store::testing::TestDb;

use crate::process::PATIENCE;
use crate::site::Site;

/// A small file system of its own; unmounted when dropped.
struct Disk {
    path: PathBuf,
}

impl Disk {
    /// `None`, with a word, where mounting is not allowed.
    fn mount(path: PathBuf, size: &str) -> Option<Self> {
        std::fs::create_dir_all(&path).unwrap();
        let options = format!("size={size}");
        let mount = ["-t", "tmpfs", "-o", &options, "tmpfs"];
        let mounted = Command::new("mount").args(mount).arg(&path).stderr(Stdio::null()).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self { path });
        }
        println!("skipped: the right to mount a small tmpfs not found (run as root)");
        None
    }

    /// Writes until nothing more fits.
    fn fill(&self) {
        use std::io::Write;
        let mut ballast = std::fs::File::create(self.path.join("ballast")).unwrap();
        for size in [65_536, 4_096, 512] {
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.path.join("ballast")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process of the test may still be ending.
        drop(Command::new("umount").arg("-l").arg(&self.path).status());
    }
}

/// The number that the agent's outbox holds, as the server knows it.
pub(crate) fn depth(list: &Value) -> Option<u64> {
    list["items"][0]["outbox_depth"].as_u64()
}

/// All is as it should be: the outbox holds no more than a round of polls, the devices are there, and no acknowledged report is missing or double.
async fn recovers(site: &Site, devices: usize) {
    site.api.until("/api/v1/agents", PATIENCE, |list| depth(list).is_some_and(|left| left < 10)).await;
    site.devices(devices).await;
    let diagnosis = site.doctor();
    for name in ["reports", "audit"] {
        let checks = diagnosis["checks"].as_array().unwrap();
        let check = checks.iter().find(|check| check["name"] == name).unwrap();
        assert_eq!(check["good"], true, "{check}");
    }
}

/// Readings of a device, newest first, when asked now.
async fn newest(site: &Site) -> String {
    let devices = site.api.get("/api/v1/devices?limit=500").await;
    let seen: Vec<_> = devices["items"].as_array().unwrap().iter().map(|item| item["seen_at"].to_string()).collect();
    seen.into_iter().max().unwrap_or_default()
}

/// Waits until some device was heard of later than `before`.
async fn hears_more(site: &Site, before: &str) {
    let start = Instant::now();
    while newest(site).await.as_str() <= before {
        assert!(start.elapsed() < PATIENCE, "nothing was heard since {before}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_at_the_server_is_said_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(folder.path().join("server"), "12m") else { return };
    let url = format!("sqlite:{}", disk.path.join("platen.db").display());
    let site = Site::start(folder.path(), &url, 6, "127.46.0.1").await;
    site.devices(5).await;
    disk.fill();
    // Writes are refused in words; what was there is still read.
    let start = Instant::now();
    let (status, answer) = loop {
        let (status, answer) = site.api.post("/api/v1/agents/invitations", &json!({})).await;
        if status != 201 {
            break (status, answer);
        }
        assert!(start.elapsed() < PATIENCE, "a full disk still takes invitations");
    };
    println!("full: {status} {answer}");
    assert_eq!(status, 503, "{answer}");
    assert!(answer.to_string().contains("space") || answer.to_string().contains("disk"), "{answer}");
    assert!(!site.api.get("/api/v1/devices").await["items"].as_array().unwrap().is_empty());
    // The agent keeps what the server cannot take.
    tokio::time::sleep(Duration::from_secs(4)).await;
    let before = newest(&site).await;
    disk.free();
    hears_more(&site, &before).await;
    recovers(&site, 5).await;
    let (status, answer) = site.api.post("/api/v1/agents/invitations", &json!({})).await;
    assert_eq!(status, 201, "{answer}");
    drop(site);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_at_the_agent_is_said_and_it_goes_on_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(folder.path().join("agent"), "4m") else { return };
    let url = format!("sqlite:{}", folder.path().join("platen.db").display());
    let mut site = Site::start(folder.path(), &url, 6, "127.46.1.1").await;
    site.devices(5).await;
    disk.fill();
    // Some rounds of polling find no room.
    let start = Instant::now();
    let log = loop {
        let log = site.agent.as_ref().unwrap().log();
        if log.contains("full") || log.contains("space") {
            break log;
        }
        assert!(start.elapsed() < PATIENCE, "the agent says nothing of its full disk:\n{log}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert!(!log.contains("panicked"), "{log}");
    let before = newest(&site).await;
    disk.free();
    hears_more(&site, &before).await;
    recovers(&site, 5).await;
    // It also starts again on what it has kept.
    site.agent.take().unwrap().kill();
    site.start_agent(folder.path(), &[]);
    let before = newest(&site).await;
    hears_more(&site, &before).await;
    drop(site);
}

/// Runs text on the server of a throw-away database, as its owner; false where `psql` is missing.
fn psql(url: &str, text: &str) -> bool {
    let found = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let program = found.map(|entry| entry.path().join("bin/psql")).find(|path| path.exists());
    let Some(program) = program.or_else(|| Path::new("/usr/bin/psql").exists().then(|| "/usr/bin/psql".into())) else {
        println!("skipped: psql not found (apt install postgresql)");
        return false;
    };
    let output = Command::new(program).args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", text, url]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_is_said_and_loses_nothing() {
    let Some(db) = TestDb::postgres().await else { return };
    let DatabaseUrl::Postgres(url) = db.url().clone() else { return };
    let (place, options) = url.split_once('?').map_or((url.as_str(), String::new()), |(a, b)| (a, format!("?{b}")));
    let (server, name) = place.rsplit_once('/').unwrap();
    let server = format!("{server}/postgres{options}");
    if !psql(&server, "select 1") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let site = Site::start(folder.path(), &url, 6, "127.46.2.1").await;
    site.devices(5).await;
    for round in 0..2 {
        // Every connection ends, and no new one is let in: what a killed server looks like to its clients.
        psql(&server, &format!("alter database \"{name}\" with allow_connections false"));
        psql(&server, &format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"));
        for path in ["/api/v1/devices", "/api/v1/agents"] {
            let start = Instant::now();
            let (status, body) = site.api.try_get(path).await;
            println!("{path} without a database: {status} in {:?}: {body}", start.elapsed());
            assert_eq!(status, 503, "{path}: {body}");
            assert!(body.contains("database"), "{body}");
        }
        let (status, answer) = site.api.post("/api/v1/agents/invitations", &json!({})).await;
        assert_eq!(status, 503, "{answer}");
        tokio::time::sleep(Duration::from_secs(2)).await;
        psql(&server, &format!("alter database \"{name}\" with allow_connections true"));
        let back = site.api.until("/api/v1/devices", PATIENCE, |list| list["items"].is_array()).await;
        assert!(back["items"].as_array().unwrap().len() >= 5, "round {round}: {back}");
        let before = newest(&site).await;
        hears_more(&site, &before).await;
    }
    recovers(&site, 5).await;
    drop(site);
}
