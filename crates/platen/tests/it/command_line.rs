//! What scripts rely on: exit statuses, where output goes, and messages that say what to do next.

use std::time::{Duration, Instant};

use crate::process::{Platen, free_udp_port, platen, platen_with_input};

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_unreachable_device_is_told_in_one_line_with_the_next_step() {
    let port = free_udp_port().to_string();
    let start = Instant::now();
    let output = platen(&["read", "127.0.0.1", "--port", &port, "--timeout", "2", "--json"]);
    assert!(start.elapsed() < Duration::from_secs(60));
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "nothing on stdout when the work failed");
    let message = stderr(&output);
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    assert!(message.contains("127.0.0.1") && message.contains(&port), "{message}");
}

#[test]
fn a_wrong_call_ends_with_two() {
    for arguments in [
        &["read"][..],
        &["read", "127.0.0.1", "--port", "none"],
        &["discover", "10.0.0.0/99"],
        &["read", "127.0.0.1", "--timeout", "0"],
        &["no-such-command"],
        &["bench", "no-such-benchmark"],
    ] {
        let output = platen(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(!stderr(&output).is_empty(), "{arguments:?} says nothing");
    }
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in ["read", "discover", "vmfp", "serve", "agent", "demo", "doctor", "bench"] {
        let output = platen(&[command, "--help"]);
        assert_eq!(output.status.code(), Some(0), "{command}");
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(help.contains(&format!("platen {command}")), "{command}: {help}");
        assert!(help.contains("Example"), "{command} shows no example");
    }
}

#[test]
fn completions_and_man_pages_are_made() {
    let output = platen(&["completion", "bash"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("_platen"));
    let folder = tempfile::tempdir().unwrap();
    let output = platen(&["man", "--out", folder.path().to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(folder.path().join("platen-read.1").exists());
}

#[test]
fn a_virtual_device_is_read_as_the_contract_prints_it() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_udp_port().to_string();
    let vmfp =
        Platen::start(folder.path(), "vmfp", &["vmfp", "--fleet", "3", "--base", "127.21.0.1", "--snmp-port", &port]);
    let device = &vmfp.ready["devices"][1];
    let address = device["address"].as_str().unwrap();
    let output = platen(&["read", address, "--port", &port, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let reading: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(reading["identity"]["serial"], device["serial"]);
    for key in [
        "address", "port", "snmp", "identity", "status", "meters", "supplies", "inputs", "outputs", "covers", "alerts",
        "quirks",
    ] {
        assert!(reading.get(key).is_some(), "{key} is missing");
    }
    let total = reading["meters"].as_array().unwrap().iter().find(|meter| meter["function"] == "total").unwrap();
    assert!(total["value"].as_u64().is_some());
}

#[test]
fn discovery_prints_a_line_a_device_and_the_summary_last() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_udp_port().to_string();
    let _vmfp =
        Platen::start(folder.path(), "vmfp", &["vmfp", "--fleet", "20", "--base", "127.22.0.1", "--snmp-port", &port]);
    let output = platen(&["discover", "127.22.0.0/26", "--port", &port, "--timeout", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, devices) = lines.split_last().unwrap();
    assert_eq!(last["summary"]["answered"], devices.len());
    assert!(devices.len() >= 18, "{} of 20 found: {text}", devices.len());
    assert!(devices.iter().all(|line| line["credential"] == 0 && line.get("serial").is_some()));
}

#[test]
fn discovery_of_one_address_ends_when_it_has_answered() {
    let port = printer_at("127.0.0.1:0", "public").unwrap().port().to_string();
    let start = Instant::now();
    let output = platen(&["discover", "127.0.0.1", "--port", &port, "--timeout", "100"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2, "a device and the summary");
    assert!(start.elapsed() < Duration::from_secs(100), "{:?}, though the device answers at once", start.elapsed());
}

/// A printer that lets in only `community`; `None` where the system has no such address.
fn printer_at(bind: &str, community: &'static str) -> Option<std::net::SocketAddr> {
    struct Printer;
    impl snmp::responder::Mib for Printer {
        fn get(&self, oid: &snmp::Oid) -> snmp::Value {
            match oid.to_string().as_str() {
                "1.3.6.1.2.1.1.1.0" => snmp::Value::text("A quick printer"),
                "1.3.6.1.2.1.1.2.0" => snmp::Value::ObjectId("1.3.6.1.4.1.367.1.1".parse().unwrap()),
                _ => snmp::Value::NoSuchInstance,
            }
        }

        fn next(&self, _: &snmp::Oid) -> Option<(snmp::Oid, snmp::Value)> {
            None
        }
    }
    let socket = std::net::UdpSocket::bind(bind).ok()?;
    let address = socket.local_addr().ok()?;
    std::thread::spawn(move || {
        let (mut request, mut reply) = ([0; 2_048], Vec::new());
        while let Ok((length, from)) = socket.recv_from(&mut request) {
            reply.clear();
            let known = |asked: &snmp::responder::Asked<'_>| {
                (asked.name == community.as_bytes()).then(|| snmp::responder::Agent::new(&Printer))
            };
            if snmp::responder::answer(&request[..length], known, &mut reply).is_ok() {
                let _ = socket.send_to(&reply, from);
            }
        }
    });
    Some(address)
}

#[test]
fn discovery_of_an_ipv6_address_tells_which_credential_fits() {
    let Some(address) = printer_at("[::1]:0", "second") else {
        println!("skipped: IPv6 loopback not found");
        return;
    };
    let port = address.port().to_string();
    let communities = ["--community", "first", "--community", "second"];
    let output = platen(&[&["discover", "::1", "--port", &port, "--timeout", "20"], &communities[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((&line["credential"], &line["snmp"]), (&1.into(), &"v2c".into()), "{text}");
    assert_eq!(line["description"], "A quick printer");
}

#[test]
fn discovery_asks_the_places_of_a_list_and_tells_the_lines_that_it_leaves_out() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_udp_port().to_string();
    let _vmfp =
        Platen::start(folder.path(), "vmfp", &["vmfp", "--fleet", "3", "--base", "127.23.0.1", "--snmp-port", &port]);
    let list = folder.path().join("printers.csv");
    std::fs::write(&list, "address,name\n127.23.0.1,One\n127.23.0\n127.23.0.2,Two\n").unwrap();
    let list = list.to_str().unwrap();
    let run = |more: &[&str]| {
        let output = platen(&[&["discover", "--import", list, "--port", &port, "--timeout", "1"], more].concat());
        assert_eq!(output.status.code(), Some(3), "partly done: {}", stderr(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<serde_json::Value>>()
    };
    let seen = run(&["--dry-run"]);
    assert_eq!((seen.len(), &seen[0]["place"]["name"], &seen[2]["fault"]["line"]), (4, &"One".into(), &3.into()));
    let found = run(&["--exclude", "127.23.0.2"]);
    assert_eq!((found.len(), &found[0]["listed"]["target"]["name"]), (2, &"One".into()));
    assert_eq!(found[1]["summary"]["printers"], 1);
}

#[test]
fn the_first_account_and_a_token_need_no_browser() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let create =
        ["admin", "create-user", "--data", data, "--email", "me@example.com", "--role", "admin", "--password-stdin"];
    let output = platen_with_input(&create, "a long pass phrase\n");
    assert!(output.status.success(), "{}", stderr(&output));
    let output = platen_with_input(&create, "a long pass phrase\n");
    assert_eq!(output.status.code(), Some(1), "the same address twice");
    assert!(stderr(&output).contains("me@example.com"), "{}", stderr(&output));
    let output = platen(&["admin", "token", "--data", data, "--email", "me@example.com", "--scope", "read", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let token: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(token["token"].as_str().unwrap().starts_with("plt_"));
}

#[test]
fn doctor_names_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("not-a-folder");
    std::fs::write(&file, "x").unwrap();
    let output = platen(&["doctor", "--data", file.to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        report["checks"].as_array().unwrap().iter().any(|check| check["good"] == false && check["advice"].is_string())
    );
}

#[test]
fn a_wrong_configuration_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("platen.toml");
    std::fs::write(&path, "[web]\nlisten = \"nowhere\"\n").unwrap();
    let output = platen(&["config", "check", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("listen"), "{}", stderr(&output));
}
