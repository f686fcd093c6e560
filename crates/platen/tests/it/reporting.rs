//! A device that reports by itself, end to end: registered, claimed, heard, ordered about; power cuts at both ends.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::Api;
use crate::process::{Platen, free_tcp_port, free_udp_port, platen, platen_with_input};

pub const PATIENCE: Duration = crate::process::PATIENCE;

/// A server at fixed ports, so that it is found again where it was.
pub struct Doors {
    data: String,
    listen: String,
    gateway: String,
    more: Vec<String>,
    pub server: Option<Platen>,
}

impl Doors {
    /// With further arguments for `serve`.
    pub fn open(folder: &Path, more: &[&str]) -> (Self, Api) {
        let data = folder.join("server").to_str().unwrap().to_owned();
        let account = ["--data", &data, "--email", "me@example.com"];
        let create = [&["admin", "create-user"], &account[..], &["--role", "admin", "--password-stdin"]].concat();
        let output = platen_with_input(&create, "a long pass phrase");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let token = platen(&[&["admin", "token"], &account[..], &["--scope", "admin", "--json"]].concat());
        let token: Value = serde_json::from_slice(&token.stdout).unwrap();
        let (listen, gateway) = (free_address(), free_address());
        let more = more.iter().map(|argument| (*argument).to_owned()).collect();
        let mut doors = Self { data, listen, gateway, more, server: None };
        doors.start(folder);
        let api = Api::new(&doors.server.as_ref().unwrap().url("web"), token["token"].as_str().unwrap());
        (doors, api)
    }

    fn start(&mut self, folder: &Path) {
        let own = ["serve", "--data", &self.data, "--listen", &self.listen, "--gateway-listen", &self.gateway];
        let more: Vec<&str> = self.more.iter().map(String::as_str).collect();
        let arguments = [&own[..], &more].concat();
        self.server = Some(Platen::start(folder, "server", &arguments));
    }
}

fn free_address() -> String {
    format!("127.0.0.1:{}", free_tcp_port())
}

/// Messages that the device keeps because no server said that it has them.
fn waiting(keep: &Path) -> usize {
    let Ok(devices) = std::fs::read_dir(keep) else { return 0 };
    let records = devices.flat_map(|device| std::fs::read_dir(device.unwrap().path()).unwrap());
    records.filter(|record| record.as_ref().unwrap().file_name().to_string_lossy().starts_with("m-")).count()
}

async fn until(what: &str, mut pleases: impl FnMut() -> bool) {
    let start = Instant::now();
    while !pleases() {
        assert!(start.elapsed() < PATIENCE, "{what} did not happen within {} s", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The devices of a fleet that reports nowhere yet; they are the same when it is started again.
pub fn devices_of(folder: &Path, fleet: &[&str]) -> Vec<Value> {
    Platen::start(folder, "looked-at", fleet).ready["devices"].as_array().unwrap().clone()
}

/// How many messages of a kind the server has taken.
pub fn told(kinds: &Value, kind: &str) -> i64 {
    let of_kind = kinds["items"].as_array().unwrap().iter().find(|row| row["kind"] == kind);
    of_kind.and_then(|row| row["messages"].as_i64()).unwrap_or(0)
}

fn total(kinds: &Value) -> i64 {
    kinds["items"].as_array().unwrap().iter().filter_map(|row| row["messages"].as_i64()).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_reports_by_itself_and_power_cuts_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut doors, api) = Doors::open(folder.path(), &[]);
    let (port, keep) = (free_udp_port().to_string(), folder.path().join("keep"));
    let fleet = ["vmfp", "--fleet", "2", "--base", "127.57.0.1", "--snmp-port", &port, "--speed", "600"];
    let device = devices_of(folder.path(), &fleet).swap_remove(0);
    let (status, made) =
        api.post("/api/v1/monitors", &json!({ "vendor": device["vendor"], "serial": device["serial"] })).await;
    assert_eq!(status, 201, "{made}");
    let id = made["monitor"]["id"].as_str().unwrap().to_owned();
    for kind in [11, 15] {
        let (status, answer) =
            api.put(&format!("/api/v1/monitors/{id}/kinds/{kind}"), &json!({ "period_s": 60 })).await;
        assert_eq!(status, 204, "{answer}");
    }
    let claims = folder.path().join("claims.csv");
    let serial = device["serial"].as_str().unwrap();
    std::fs::write(&claims, format!("{serial},{}\n", made["claim"].as_str().unwrap())).unwrap();
    let server = doors.server.as_ref().unwrap();
    let (gateway, ca) = (server.url("gateway"), server.url("ca"));
    let to = ["--report-to", &gateway, "--ca", &ca, "--claims", claims.to_str().unwrap()];
    let arguments = [&fleet[..], &to, &["--keep", keep.to_str().unwrap()]].concat();
    let vmfp = Platen::start(folder.path(), "vmfp", &arguments);

    // The communication test, then the status: the device of the fleet is there.
    let path = format!("/api/v1/monitors/{id}");
    api.until(&path, PATIENCE, |monitor| monitor["state"] == "active" && monitor["device"].is_string()).await;
    let list = api.get("/api/v1/devices").await;
    let devices = list["items"].as_array().unwrap();
    assert_eq!((devices.len(), &devices[0]["serial"]), (1, &device["serial"]), "the other one was not registered");
    let (kinds, orders) = (format!("{path}/kinds"), format!("{path}/commands"));
    api.until(&kinds, PATIENCE, |kinds| told(kinds, "billing") > 0 && told(kinds, "service-all") > 0).await;

    // An order rides on the next contact.
    let before = told(&api.get(&kinds).await, "rom");
    let (status, order) = api.post(&orders, &json!({ "what": "report_now", "kinds": ["rom"] })).await;
    assert_eq!(status, 202, "{order}");
    api.until(&orders, PATIENCE, |list| list["items"][0]["state"] == "done").await;
    api.until(&kinds, PATIENCE, |kinds| told(kinds, "rom") > before).await;

    let tested = api.get(&path).await["hello_at"].clone();

    // The server's power goes; what the device has to say meanwhile it keeps, over its own loss of power too.
    doors.server.take().unwrap().kill();
    let heard = waiting(&keep);
    until("news while the server is away", || waiting(&keep) > heard).await;
    vmfp.kill();
    let kept = i64::try_from(waiting(&keep)).unwrap();
    doors.start(folder.path());
    let before = total(&api.get(&kinds).await);
    let vmfp = Platen::start(folder.path(), "vmfp", &arguments);
    api.until(&kinds, PATIENCE, |kinds| total(kinds) >= before + kept).await;
    let monitor = api.get(&path).await;
    assert_eq!(monitor["hello_at"], tested, "no new communication test was needed");
    drop(vmfp);
    let diagnosis = platen(&["doctor", "--data", &doors.data, "--json"]);
    let diagnosis: Value = serde_json::from_slice(&diagnosis.stdout).unwrap();
    let reports = diagnosis["checks"].as_array().unwrap().iter().find(|check| check["name"] == "reports").unwrap();
    assert_eq!(reports["good"], true, "{reports}");
}

/// Whatever a device lets go of after 250 is in the log, once; whatever it keeps comes again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_mail_is_stored_once_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let smtp = free_address();
    let (mut doors, api) = Doors::open(folder.path(), &["--mail-domain", "mail.example.org", "--smtp-listen", &smtp]);
    let (port, keep) = (free_udp_port().to_string(), folder.path().join("keep"));
    let fleet = ["vmfp", "--fleet", "6", "--base", "127.61.0.1", "--snmp-port", &port, "--speed", "600"];
    let devices = devices_of(folder.path(), &fleet);
    let (mut claims, mut paths) = (String::new(), Vec::new());
    for device in &devices {
        let new = json!({ "vendor": device["vendor"], "serial": device["serial"] });
        let (status, made) = api.post("/api/v1/monitors", &new).await;
        assert_eq!(status, 201, "{made}");
        claims += &format!("{},{},mail\n", device["serial"].as_str().unwrap(), made["claim"].as_str().unwrap());
        paths.push(format!("/api/v1/monitors/{}", made["monitor"]["id"].as_str().unwrap()));
    }
    let file = folder.path().join("claims.csv");
    std::fs::write(&file, claims).unwrap();
    let server = doors.server.as_ref().unwrap();
    let (gateway, ca) = (server.url("gateway"), server.url("ca"));
    let to = ["--report-to", &gateway, "--ca", &ca, "--claims", file.to_str().unwrap()];
    let arguments = [&fleet[..], &to, &["--keep", keep.to_str().unwrap()]].concat();
    let vmfp = Platen::start(folder.path(), "vmfp", &arguments);
    for path in &paths {
        api.until(path, PATIENCE, |monitor| monitor["said_road"] == "mail").await;
    }
    for round in 0..5u64 {
        tokio::time::sleep(Duration::from_millis(round * 397 % 1_500)).await;
        doors.server.take().unwrap().kill();
        doors.start(folder.path());
    }
    // After failures devices hold back for minutes; after a power cut they call within one.
    vmfp.kill();
    let kept = waiting(&keep);
    let vmfp = Platen::start(folder.path(), "vmfp", &arguments);
    until("what was kept is taken", || kept == 0 || waiting(&keep) < kept).await;
    vmfp.kill();
    let diagnosis = platen(&["doctor", "--data", &doors.data, "--json"]);
    let diagnosis: Value = serde_json::from_slice(&diagnosis.stdout).unwrap();
    let reports = diagnosis["checks"].as_array().unwrap().iter().find(|check| check["name"] == "reports").unwrap();
    assert_eq!(reports["good"], true, "{reports}");
}
