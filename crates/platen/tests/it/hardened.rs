//! Devices whose v1 and v2c are switched off: read from the command line, and among the others in the demo.

use serde_json::Value;

use crate::api::Api;
use crate::process::{PATIENCE, Platen, free_udp_port, platen};

const USER: [&str; 8] = ["--user", "ops", "--auth", "sha256", "--auth-pass", "auth-secret", "--priv", "aes256"];

#[test]
fn a_hardened_device_is_read_by_v3_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_udp_port().to_string();
    let fleet = ["vmfp", "--profile", "lexmark-mono-a4", "--base", "127.41.0.1", "--snmp-port", &port, "--v3-only"];
    let user = ["--v3-user", "ops:sha256:auth-secret:aes256:priv-secret"];
    let vmfp = Platen::start(folder.path(), "vmfp", &[&fleet[..], &user].concat());
    let read = ["read", "127.41.0.1", "--port", &port, "--json", "--timeout", "3"];
    let output = platen(&[&read[..], &["--v3"], &USER, &["--priv-pass", "priv-secret"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let reading: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&reading["snmp"], &reading["identity"]["vendor"]), (&"v3".into(), &"lexmark".into()));
    assert_eq!(reading["identity"]["serial"], vmfp.ready["devices"][0]["serial"]);
    let refused = platen(&read);
    assert_eq!(refused.status.code(), Some(1), "a community opens nothing");
    let wrong = ["vmfp", "--v3-user", "ops:sha256:short"];
    let told = platen(&wrong);
    assert_eq!(told.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&told.stderr).contains("fewer than 8"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_shows_a_v3_device_among_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo").to_str().unwrap().to_owned();
    let demo = Platen::start(folder.path(), "demo", &["demo", "--devices", "9", "--port", "0", "--data", &data]);
    let api = Api::new(&demo.url("web"), demo.ready["admin"]["token"].as_str().unwrap());
    let list =
        api.until("/api/v1/devices", PATIENCE, |list| list["items"].as_array().is_some_and(|all| all.len() >= 9)).await;
    let mut versions = Vec::new();
    for device in list["items"].as_array().unwrap() {
        let sheet = api.get(&format!("/api/v1/devices/{}", device["id"].as_str().unwrap())).await;
        versions.push((sheet["address"].as_str().unwrap().to_owned(), sheet["snmp"].as_str().unwrap().to_owned()));
    }
    let by_v3: Vec<_> = versions.iter().filter(|(_, version)| version == "v3").map(|(address, _)| address).collect();
    assert_eq!(by_v3, ["127.20.0.7"], "{versions:?}");
}
