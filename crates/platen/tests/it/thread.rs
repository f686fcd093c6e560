//! The one thread through everything: a printer is found, read, reported, stored, and seen.

use std::time::Duration;

use crate::databases;
use crate::process::{PATIENCE, platen};
use crate::site::Site;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_printer_is_found_read_reported_stored_and_seen_on_both_databases() {
    for (place, (engine, url, _db)) in databases::each().await.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let base = format!("127.{}.0.1", 30 + place);
        let site = Site::start(folder.path(), &url, 12, &base).await;
        let devices = site.devices(11).await;
        println!("{engine}: {} devices", devices.len());
        let known = site.vmfp.ready["devices"].as_array().unwrap();
        for device in &devices {
            let serial = device["serial"].as_str().unwrap();
            let virtual_device = known.iter().find(|known| known["serial"] == serial).expect("a serial that vmfp gave");
            assert_eq!(device["address"], virtual_device["address"], "{engine}");
        }
        what_the_server_shows_is_what_the_device_says(&site, devices[0]["id"].as_str().unwrap(), engine).await;
        let csv = site.api.csv("/api/v1/meters").await;
        assert!(csv.lines().count() > devices.len(), "{engine}: {csv}");
        let alerts = site.api.get("/api/v1/alerts?limit=100").await;
        assert!(alerts["items"].is_array());
        let stopped = site.server.unwrap().stop();
        assert!(stopped < Duration::from_secs(60), "{engine}: the server took {stopped:?} to stop");
    }
}

async fn what_the_server_shows_is_what_the_device_says(site: &Site, id: &str, engine: &str) {
    let device = site.api.get(&format!("/api/v1/devices/{id}")).await;
    let address = device["address"].as_str().unwrap();
    let output = platen(&["read", address, "--port", &site.snmp_port, "--json"]);
    let reading: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(device["model"], reading["identity"]["model"], "{engine}");
    let supplies = site.api.get(&format!("/api/v1/devices/{id}/supplies")).await;
    let shown = supplies["items"].as_array().unwrap();
    assert_eq!(shown.len(), reading["supplies"].as_array().unwrap().len(), "{engine}");
    for supply in shown {
        let has_figure = supply["level"]["value"].is_number();
        let is_figure = matches!(supply["level"]["kind"].as_str(), Some("percent" | "staged"));
        assert_eq!(has_figure, is_figure, "{engine}: a level without a number got one: {supply}");
    }
    let path = format!("/api/v1/devices/{id}/meters");
    let total = |list: &serde_json::Value| {
        let items = list["items"].as_array()?;
        items.iter().find(|meter| meter["function"] == "total" && meter["color"] == "all")?["value"].as_u64()
    };
    let meters = site.api.until(&path, PATIENCE, |list| total(list).is_some()).await;
    let before = total(&meters).unwrap();
    assert!(before > 0, "{engine}");
    let output = platen(&["read", address, "--port", &site.snmp_port, "--json"]);
    let later: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let now = later["meters"].as_array().unwrap().iter().find(|meter| meter["function"] == "total").unwrap();
    assert!(now["value"].as_u64().unwrap() >= before, "{engine}: the server shows more than the device has printed");
}
