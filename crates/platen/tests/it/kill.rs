//! Power cuts: whatever was acknowledged is there, once. `PLATEN_KILL_ROUNDS` makes it longer (default 6).

use std::time::Duration;

use crate::bad_days::depth;
use crate::databases;
use crate::process::PATIENCE;
use crate::site::Site;

fn rounds() -> u32 {
    std::env::var("PLATEN_KILL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_report_is_there_once_after_kill_9() {
    for (place, (engine, url, _db)) in databases::each().await.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let base = format!("127.{}.0.1", 40 + place);
        let mut site = Site::start(folder.path(), &url, 40, &base).await;
        site.devices(20).await;
        for round in 0..rounds() {
            tokio::time::sleep(Duration::from_millis(u64::from(round * 131 % 700))).await;
            if round % 2 == 0 {
                site.server.take().unwrap().kill();
                site.start_server(folder.path());
            } else {
                site.agent.take().unwrap().kill();
                site.start_agent(folder.path(), &[]);
            }
        }
        // Of forty, two leave the network soon and one may never have been met.
        site.devices(36).await;
        let diagnosis = site.doctor();
        let checks = diagnosis["checks"].as_array().unwrap();
        let reports = checks.iter().find(|check| check["name"] == "reports").unwrap();
        println!("{engine}: {} kills, {}", rounds(), reports["detail"]);
        assert_eq!(reports["good"], true, "{engine}: {reports}");
        let audit = checks.iter().find(|check| check["name"] == "audit").unwrap();
        assert_eq!(audit["good"], true, "{engine}: {audit}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_costs_nothing_but_delay() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("platen.db").display());
    let mut site = Site::start(folder.path(), &url, 10, "127.45.0.1").await;
    let devices = site.devices(9).await;
    let path = format!("/api/v1/devices/{}/meters", devices[0]["id"].as_str().unwrap());
    site.api.until(&path, PATIENCE, |list| !list["items"].as_array().unwrap().is_empty()).await;
    site.server.take().unwrap().kill();
    tokio::time::sleep(Duration::from_secs(6)).await;
    site.start_server(folder.path());
    // Readings taken while the server was away arrive with the time at which they were taken.
    let diagnosis = site.doctor();
    assert_eq!(diagnosis["good"], true, "{diagnosis}");
    site.api.until("/api/v1/agents", PATIENCE, |list| depth(list).is_some_and(|left| left < 10)).await;
}
