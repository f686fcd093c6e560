//! Orders from a person to a device that an agent reads, and back: real server, real agent, virtual devices.

use serde_json::{Value, json};

use crate::databases;
use crate::reporting::PATIENCE;
use crate::site::Site;

async fn done(site: &Site, path: &str, id: &str) -> Value {
    let of = |list: &Value| list["items"].as_array()?.iter().find(|order| order["id"] == id).cloned();
    let is_over = |order: &Value| !matches!(order["state"].as_str(), Some("queued" | "taken"));
    let list = site.api.until(path, PATIENCE, |list| of(list).is_some_and(|order| is_over(&order))).await;
    of(&list).unwrap()
}

async fn given(site: &Site, path: &str, order: &Value) -> String {
    let (status, answer) = site.api.post(path, order).await;
    assert_eq!(status, 202, "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_an_agent_reads_reports_when_it_is_ordered_to_on_both_databases() {
    for (place, (engine, url, _db)) in databases::each().await.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::start(folder.path(), &url, 3, &format!("127.{}.0.1", 34 + place)).await;
        let devices = site.devices(3).await;
        let device = devices[0]["id"].as_str().unwrap();
        let commands = format!("/api/v1/devices/{device}/commands");
        let ready = site.api.until(&commands, PATIENCE, |orders| orders["hindered"].is_null()).await;
        assert_eq!((&ready["road"], &ready["away"]), (&json!("agent"), &json!(false)), "{engine}");
        let now = given(&site, &commands, &json!({ "wish": { "what": "report_now" } })).await;
        let order = done(&site, &commands, &now).await;
        assert_eq!(order["state"], "done", "{engine}: {order}");
        assert!(order["taken_at"].is_string() && order["given_by"].is_string(), "{engine}: {order}");
        let (status, refused) = site.api.post(&commands, &json!({ "wish": { "what": "send_log" } })).await;
        assert_eq!(status, 409, "{engine}: {refused}");
        assert!(refused["detail"].as_str().is_some_and(|why| why.contains("SNMP")), "{engine}: {refused}");
        let set = json!({ "wish": { "what": "set_period", "kind": "status", "period_s": 120 } });
        let order = done(&site, &commands, &given(&site, &commands, &set).await).await;
        assert_eq!((&order["state"], &order["what"]), (&json!("done"), &json!("schedule")), "{engine}: {order}");
        assert_eq!(site.api.get(&commands).await["status_s"], 120, "{engine}");
        the_agent_reads_all_and_sends_its_log(&site, engine).await;
        one_wish_for_all(&site, engine).await;
    }
}

async fn the_agent_reads_all_and_sends_its_log(site: &Site, engine: &str) {
    let agents = site.api.get("/api/v1/agents").await;
    let agent = agents["items"][0]["id"].as_str().unwrap();
    let commands = format!("/api/v1/agents/{agent}/commands");
    for what in ["report_now", "discover", "send_log"] {
        let order = done(site, &commands, &given(site, &commands, &json!({ "what": what })).await).await;
        assert_eq!(order["state"], "done", "{engine}: {order}");
    }
    let logs = site.api.get(&format!("/api/v1/agents/{agent}/logs")).await;
    let name = logs["items"][0]["sha256"].as_str().expect("a log came");
    let log = site.api.csv(&format!("/api/v1/agents/{agent}/logs/{name}")).await;
    assert!(log.contains("agent"), "{engine}: {log}");
}

async fn one_wish_for_all(site: &Site, engine: &str) {
    let wish = json!({ "wish": { "what": "report_now" }, "filter": "road eq \"agent\"" });
    let (status, seen) = site.api.post("/api/v1/tasks/preview", &wish).await;
    assert_eq!((status, &seen["devices"]), (200, &json!(3)), "{engine}: {seen}");
    assert_eq!(seen["roads"], json!([{ "road": "agent", "devices": 3 }]), "{engine}");
    let mut new = wish;
    new["preview_hash"] = seen["hash"].clone();
    let (status, task) = site.api.post("/api/v1/tasks", &new).await;
    assert_eq!(status, 202, "{engine}: {task}");
    let path = format!("/api/v1/tasks/{}", task["id"].as_str().unwrap());
    let ended = site.api.until(&path, PATIENCE, |task| task["state"] != "running").await;
    assert_eq!((&ended["state"], &ended["counts"]["succeeded"]), (&json!("done"), &json!(3)), "{engine}: {ended}");
}
