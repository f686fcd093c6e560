//! A test process that is killed leaves neither a server nor its folder behind.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use store::DatabaseUrl;
use store::testing::{TestDb, TestFolder};

const CHILD: &str = "PLATEN_STORE_TEST_SERVER";

/// Not a test: the process that the next one kills.
#[tokio::test]
async fn owner_of_a_server_that_is_killed() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let db = TestDb::postgres().await;
    let address = db.as_ref().map(|db| match db.url() {
        DatabaseUrl::Postgres(address) => address.replace("%2F", "/"),
        DatabaseUrl::Sqlite(_) => unreachable!("asked for postgres"),
    });
    println!("\nserver {}", address.unwrap_or_default());
    std::future::pending::<()>().await;
}

#[test]
fn a_killed_test_leaves_no_server_behind() {
    // Its folders are made within ours, and go with it.
    let place = TestFolder::new();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "leftovers::owner_of_a_server_that_is_killed", "--nocapture"])
        .env(CHILD, "1")
        .env("TMPDIR", place.path())
        .env_remove("PLATEN_TEST_PG")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.into_iter().find_map(|line| line.strip_prefix("server ").map(str::to_owned)).unwrap();
    let folder =
        address.split_once('@').and_then(|(_, place)| place.rsplit_once('/')).map(|(folder, _)| folder.to_owned());
    let running = folder.as_deref().map(|folder| {
        let pid = std::fs::read_to_string(Path::new(folder).join("data/postmaster.pid")).unwrap();
        pid.lines().next().unwrap().to_owned()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let (Some(folder), Some(pid)) = (folder, running) else { return };
    let deadline = Instant::now() + Duration::from_secs(120);
    while Path::new(&folder).exists() || Path::new("/proc").join(&pid).exists() {
        assert!(Instant::now() < deadline, "{folder} or process {pid} is still there");
        std::thread::sleep(Duration::from_millis(10));
    }
}
