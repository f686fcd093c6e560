//! The demo's past: lived and read before its first page, delivered through the door, gone on from by the present.

use std::time::Duration;

use crate::api::Api;
use crate::process::Platen;

const PATIENCE: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_has_a_past_that_the_present_goes_on_from() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo").to_str().unwrap().to_owned();
    let demo = Platen::start(folder.path(), "demo", &["demo", "--devices", "4", "--port", "0", "--data", &data]);
    let api = Api::new(&demo.url("web"), demo.ready["admin"]["token"].as_str().unwrap());
    let foretold = api
        .until("/api/v1/supplies", PATIENCE, |list| list["items"].as_array().is_some_and(|all| !all.is_empty()))
        .await;
    let device = foretold["items"][0]["device"].as_str().unwrap().to_owned();
    let sheet = api.get(&format!("/api/v1/devices/{device}")).await;
    let age = |sheet: &serde_json::Value| {
        let first: jiff::Timestamp = sheet["first_at"].as_str().unwrap().parse().unwrap();
        jiff::Timestamp::now().as_second() - first.as_second()
    };
    assert!(age(&sheet) > 50 * 86_400, "its first reading is weeks old: {}", sheet["first_at"]);
    // Pages of the present come on top: nothing counts back, so that nobody doubts a counter of this device.
    let pages = |sheet: &serde_json::Value| sheet["pages_life"].as_i64().unwrap_or(0);
    let before = pages(&sheet);
    let path = format!("/api/v1/devices/{device}");
    api.until(&path, PATIENCE, |now| pages(now) > before || before == 0).await;
}
