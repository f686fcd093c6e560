//! `platen record`, `platen read --walk` and `platen profile check`: what docs/guides/add-a-printer.md promises a dealer.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::process::Platen;

fn platen(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_platen")).args(arguments).current_dir(folder).output().unwrap()
}

fn document(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What may differ between a device and its disguised recording.
fn facts(mut reading: Value) -> Value {
    for key in ["address", "port", "snmp", "quirks"] {
        reading[key] = Value::Null;
    }
    for key in ["serial", "name", "location", "contact", "mac", "description", "hostname", "engine_id"] {
        reading["identity"][key] = Value::Null;
    }
    for supply in reading["supplies"].as_array_mut().unwrap() {
        supply["serial"] = Value::Null;
        supply["description"] = Value::Null;
    }
    for alert in reading["alerts"].as_array_mut().unwrap() {
        alert["since"] = Value::Null;
    }
    reading
}

#[test]
fn a_recording_reads_back_as_the_device_it_was_made_from() {
    let folder = tempfile::tempdir().unwrap();
    let ports = ["--snmp-port", "0", "--http-port", "0", "--ipp-port", "0"];
    let fleet = [&["vmfp", "--fleet", "6", "--base", "127.37.4.1", "--speed", "0"][..], &ports[..]].concat();
    let vmfp = Platen::start(folder.path(), "vmfp", &fleet);
    for device in vmfp.ready["devices"].as_array().unwrap() {
        let (address, port) = (device["address"].as_str().unwrap(), device["ports"]["snmp"].to_string());
        let live = document(&platen(folder.path(), &["read", address, "--port", &port, "--timeout", "60", "--json"]));
        let record = ["record", address, "--port", &port, "--output", "device.snmprec", "--force", "--json"];
        let written = document(&platen(folder.path(), &record));
        assert!(written["objects"].as_u64().unwrap() > 50, "{written}");
        let kinds: Vec<&str> =
            written["replaced"].as_array().unwrap().iter().map(|row| row["kind"].as_str().unwrap()).collect();
        assert!(kinds.contains(&"serial") && kinds.contains(&"mac"), "{kinds:?}");
        let walk = document(&platen(folder.path(), &["read", "--walk", "device.snmprec", "--json"]));
        assert_ne!(walk["identity"]["serial"], live["identity"]["serial"]);
        let text = std::fs::read_to_string(folder.path().join("device.snmprec")).unwrap();
        assert!(!text.contains(live["identity"]["serial"].as_str().unwrap()), "{}", live["identity"]["model"]);
        assert_eq!(facts(walk), facts(live));
        assert!(!platen(folder.path(), &record[..6]).status.success(), "nothing is written over unasked");
    }
}

/// The indented blocks of the guide that hold `word`; blank lines inside a block do not end it.
fn blocks(guide: &str, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block = String::new();
    for line in guide.lines().chain(["end"]) {
        match line.strip_prefix("    ") {
            Some(code) => block.push_str(&format!("{code}\n")),
            None if line.is_empty() && !block.is_empty() => block.push('\n'),
            None => {
                let text = std::mem::take(&mut block);
                found.extend(Some(text.trim_end().to_owned()).filter(|text| text.contains(word)));
            }
        }
    }
    found
}

#[test]
fn the_guide_to_add_a_printer_works_as_written() {
    let guide_file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/add-a-printer.md");
    let guide = std::fs::read_to_string(guide_file).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| -> PathBuf {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    write("device.snmprec", &blocks(&guide, "1.3.6.1.2.1.1.1.0|4|")[0]);
    // Before: the brand is unknown, its counters are not read.
    let before = document(&platen(folder.path(), &["read", "--walk", "device.snmprec", "--json"]));
    assert_eq!(before["identity"]["serial"], Value::Null);
    // The profile as the guide writes it, piece by piece.
    let profile = blocks(&guide, "vendor = \"acme\"").into_iter().chain(blocks(&guide, "[[counters]]"));
    let profile: Vec<String> = profile.chain(blocks(&guide, "[[counter_tables]]")).collect();
    assert!(profile.len() >= 3, "{profile:?}");
    write("acme.toml", &profile.join("\n\n"));
    let check = platen(folder.path(), &["profile", "check", "acme.toml"]);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    let read = ["read", "--walk", "device.snmprec", "--profile", "acme.toml", "--json"];
    let reading = document(&platen(folder.path(), &read));
    assert_eq!(reading["identity"]["vendor"], "acme");
    assert_eq!(reading["identity"]["model"], "Imager 9000");
    assert_eq!(reading["identity"]["serial"], "AC1234567");
    let counts: Vec<(&str, &str, u64)> = reading["meters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|meter| {
            (meter["function"].as_str().unwrap(), meter["color"].as_str().unwrap(), meter["value"].as_u64().unwrap())
        })
        .collect();
    for count in [("total", "all", 5_120), ("copy", "mono", 310), ("total", "all", 5_100), ("copy", "mono", 1_204)] {
        assert!(counts.contains(&count), "{count:?} is not among {counts:?}");
    }
    // The mistakes that the guide names are told by line.
    let spoilt = profile.join("\n\n").replace("function = \"copy\"", "funktion = \"copy\"");
    write("acme.toml", &spoilt);
    let check = platen(folder.path(), &["profile", "check", "acme.toml"]);
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert_eq!(check.status.code(), Some(1));
    assert!(said.starts_with("line ") && said.contains("funktion"), "{said}");
    assert_eq!(platen(folder.path(), &read).status.code(), Some(1), "a wrong profile is not used");
}
