//! One device on each of the four roads, with real doors and real sockets: what it tells arrives, and orders reach whoever
//! can be reached.

use serde_json::{Value, json};

use crate::api::Api;
use crate::process::{Platen, free_udp_port};
use crate::reporting::{Doors, PATIENCE, devices_of, told};
use crate::site::Site;

/// The roads, and what the server calls the road by which it hears such a device.
const ROADS: [(&str, &str); 4] =
    [("https", "https"), ("https-both-ways", "https"), ("mail", "mail"), ("mail-both-ways", "mail")];
/// Doors for mail, each at a port of its own.
const MAIL: [&str; 6] =
    ["--mail-domain", "mail.example.org", "--smtp-listen", "127.0.0.1:0", "--pop3s-listen", "127.0.0.1:0"];

/// Registers a device that asks for its settings each minute; its name and its claim code.
async fn registered(api: &Api, device: &Value) -> (String, String) {
    let new = json!({ "vendor": device["vendor"], "serial": device["serial"] });
    let (status, made) = api.post("/api/v1/monitors", &new).await;
    assert_eq!(status, 201, "{made}");
    let id = made["monitor"]["id"].as_str().unwrap().to_owned();
    let inquiry = format!("/api/v1/monitors/{id}/kinds/15");
    assert_eq!(api.put(&inquiry, &json!({ "period_s": 60 })).await.0, 204);
    (id, made["claim"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_on_all_four_roads_are_heard_and_obey() {
    let folder = tempfile::tempdir().unwrap();
    let (doors, api) = Doors::open(folder.path(), &MAIL);
    let port = free_udp_port().to_string();
    let fleet = ["vmfp", "--fleet", "4", "--base", "127.59.0.1", "--snmp-port", &port, "--speed", "60"];
    let devices = devices_of(folder.path(), &fleet);
    let (mut claims, mut ids) = (String::new(), Vec::new());
    for (device, (road, _)) in devices.iter().zip(ROADS) {
        let (id, claim) = registered(&api, device).await;
        claims += &format!("{},{},{road}\n", device["serial"].as_str().unwrap(), claim);
        ids.push(id);
    }
    let file = folder.path().join("claims.csv");
    std::fs::write(&file, claims).unwrap();
    let server = doors.server.as_ref().unwrap();
    let (gateway, ca) = (server.url("gateway"), server.url("ca"));
    let to = ["--report-to", &gateway, "--ca", &ca, "--claims", file.to_str().unwrap()];
    let _vmfp = Platen::start(folder.path(), "vmfp", &[&fleet[..], &to].concat());

    for (id, (road, heard)) in ids.iter().zip(ROADS) {
        let path = format!("/api/v1/monitors/{id}");
        let monitor = api.until(&path, PATIENCE, |monitor| monitor["device"].is_string()).await;
        assert_eq!((&monitor["road"], &monitor["said_road"]), (&json!(road), &json!(heard)), "{monitor}");
        assert_eq!(monitor["listener"].is_string(), road == "https-both-ways", "{monitor}");
        api.until(&format!("{path}/kinds"), PATIENCE, |kinds| told(kinds, "billing") > 0).await;
    }
    for (id, (road, _)) in ids.iter().zip(ROADS) {
        let orders = format!("/api/v1/monitors/{id}/commands");
        let (status, order) = api.post(&orders, &json!({ "what": "report_now", "kinds": ["rom"] })).await;
        assert_eq!(status, if road == "mail" { 409 } else { 202 }, "{order}");
    }
    for (id, (road, _)) in ids.iter().zip(ROADS) {
        let path = format!("/api/v1/monitors/{id}");
        if road == "mail" {
            continue;
        }
        api.until(&format!("{path}/commands"), PATIENCE, |list| list["items"][0]["state"] == "done").await;
        api.until(&format!("{path}/kinds"), PATIENCE, |kinds| told(kinds, "rom") > 0).await;
    }
    let unreachable = api.get(&format!("/api/v1/monitors/{}/commands", ids[2])).await;
    assert_eq!(unreachable["items"], json!([]), "who only sends mail gets no orders");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_that_reach_nothing_but_mail_are_activated_by_a_document() {
    let folder = tempfile::tempdir().unwrap();
    let (doors, api) = Doors::open(folder.path(), &MAIL);
    let port = free_udp_port().to_string();
    let fleet = ["vmfp", "--fleet", "2", "--base", "127.59.0.21", "--snmp-port", &port, "--speed", "60"];
    let devices = devices_of(folder.path(), &fleet);
    let carried = folder.path().join("documents");
    std::fs::create_dir(&carried).unwrap();
    let (mut ids, mut secrets) = (Vec::new(), Vec::new());
    for (device, road) in devices.iter().zip(["mail", "mail-both-ways"]) {
        let (id, _) = registered(&api, device).await;
        let (status, document) = api.post(&format!("/api/v1/monitors/{id}/activation"), &json!({ "road": road })).await;
        assert_eq!(status, 200, "{document}");
        std::fs::write(carried.join(road), document.to_string()).unwrap();
        secrets.extend(
            [&document["claim"], &document["mail"]["secret"]].map(|secret| secret.as_str().unwrap().to_owned()),
        );
        ids.push(id);
    }
    // Nothing listens there: the devices have no way by HTTPS.
    let ca = doors.server.as_ref().unwrap().url("ca");
    let to = ["--report-to", "https://127.0.0.1:1", "--ca", &ca, "--activate", carried.to_str().unwrap()];
    let vmfp = Platen::start(folder.path(), "vmfp", &[&fleet[..], &to].concat());

    for (id, road) in ids.iter().zip(["mail", "mail-both-ways"]) {
        let path = format!("/api/v1/monitors/{id}");
        let monitor = api.until(&path, PATIENCE, |monitor| monitor["device"].is_string()).await;
        assert_eq!((&monitor["road"], &monitor["said_road"]), (&json!(road), &json!("mail")), "{monitor}");
        api.until(&format!("{path}/kinds"), PATIENCE, |kinds| told(kinds, "billing") > 0).await;
    }
    let path = format!("/api/v1/monitors/{}", ids[1]);
    let order = json!({ "what": "report_now", "kinds": ["rom"] });
    assert_eq!(api.post(&format!("{path}/commands"), &order).await.0, 202);
    api.until(&format!("{path}/commands"), PATIENCE, |list| list["items"][0]["state"] == "done").await;
    api.until(&format!("{path}/kinds"), PATIENCE, |kinds| told(kinds, "rom") > 0).await;
    let logs = [doors.server.as_ref().unwrap().log(), vmfp.log()];
    for secret in secrets {
        assert!(!logs.iter().any(|log| log.contains(&secret)), "a secret of a document stands in a log");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_without_a_way_of_its_own_reports_through_the_agent_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("platen.db").display());
    let site = Site::start(folder.path(), &url, 1, "127.59.0.11").await;
    let device = &site.vmfp.ready["devices"][0];
    let new = json!({ "vendor": device["vendor"], "serial": device["serial"] });
    let (status, made) = site.api.post("/api/v1/monitors", &new).await;
    assert_eq!(status, 201, "{made}");
    let claims = folder.path().join("claims.csv");
    let line = format!("{},{}\n", device["serial"].as_str().unwrap(), made["claim"].as_str().unwrap());
    std::fs::write(&claims, line).unwrap();
    let proxy = format!("http://{}", site.agent.as_ref().unwrap().url("relay"));
    let server = site.server.as_ref().unwrap();
    let (port, gateway, ca) = (free_udp_port().to_string(), server.url("gateway"), server.url("ca"));
    let mut reports = vec!["vmfp", "--fleet", "1", "--base", "127.59.0.11", "--snmp-port", &port, "--proxy", &proxy];
    reports.extend(["--report-to", &gateway, "--ca", &ca, "--claims", claims.to_str().unwrap()]);
    let _behind = Platen::start(folder.path(), "behind", &reports);
    let id = made["monitor"]["id"].as_str().unwrap();
    site.api.until(&format!("/api/v1/monitors/{id}/kinds"), PATIENCE, |kinds| told(kinds, "billing") > 0).await;
}
