//! Who may import whom: the table of ARCHITECTURE.md held against `cargo metadata`.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::cargo;

/// A crate of ours: what it may import of ours, and what it must never import of anyone.
struct Layer {
    name: &'static str,
    may: &'static [&'static str],
    never: &'static [&'static str],
}

const ALL: &[&str] = &["*"];

const LAYERS: &[Layer] = &[
    Layer { name: "platen-snmp", may: &[], never: &["rusqlite", "tokio-postgres", "axum"] },
    Layer { name: "platen-ipp", may: &[], never: &["rusqlite", "tokio-postgres"] },
    Layer { name: "platen-wire", may: &[], never: &["tokio", "rusqlite", "tokio-postgres", "axum"] },
    Layer { name: "platen-mail", may: &[], never: &["tokio", "rusqlite", "tokio-postgres", "axum"] },
    Layer { name: "platen-store", may: &[], never: &["axum", "hyper"] },
    Layer { name: "platen-device", may: &["snmp", "ipp", "wire"], never: &["rusqlite", "tokio-postgres", "axum"] },
    Layer { name: "platen-embedded", may: &["wire", "mail"], never: &["axum", "rusqlite", "tokio-postgres"] },
    Layer {
        name: "platen-vmfp",
        may: &["snmp", "ipp", "wire", "embedded", "mail"],
        never: &["rusqlite", "tokio-postgres"],
    },
    Layer {
        name: "platen-core",
        may: &["store", "wire"],
        never: &["axum", "hyper", "askama", "rusqlite", "tokio-postgres"],
    },
    Layer {
        name: "platen-gateway",
        may: &["core", "device", "wire", "mail", "ipp"],
        never: &["askama", "rusqlite", "tokio-postgres"],
    },
    Layer { name: "platen-web", may: &["core", "wire"], never: &["rusqlite", "tokio-postgres"] },
    Layer {
        name: "platen-agent",
        may: &["device", "snmp", "ipp", "wire", "store"],
        never: &["rusqlite", "tokio-postgres", "axum"],
    },
    Layer { name: "platen-desktop", may: &["wire", "ipp"], never: &["rusqlite", "tokio-postgres"] },
    Layer { name: "platen", may: ALL, never: &["rusqlite", "tokio-postgres", "askama"] },
    Layer { name: "xtask", may: &[], never: &[] },
];

/// What no package of ours may import, anywhere: one TLS provider, no C beside aws-lc and SQLite.
const NOWHERE: &[&str] = &["openssl", "openssl-sys", "native-tls", "async-std"];

/// Checks every crate; lists all that is wrong, not the first only.
pub(crate) fn run() -> Result<()> {
    let faults = check(&metadata()?)?;
    if faults.is_empty() {
        println!("layers: every crate imports only what it may");
        return Ok(());
    }
    bail!("{}\nmove the code, or change the table in ARCHITECTURE.md and here with a reason", faults.join("\n"));
}

fn metadata() -> Result<Value> {
    let output = cargo().args(["metadata", "--format-version", "1", "--locked"]).output()?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata printed no JSON")
}

fn check(metadata: &Value) -> Result<Vec<String>> {
    let packages = metadata["packages"].as_array().context("metadata without packages")?;
    let ours: BTreeSet<&str> = packages.iter().filter(|p| p["source"].is_null()).filter_map(name).collect();
    let mut faults = Vec::new();
    for package in packages {
        let Some(package_name) = name(package) else { continue };
        if NOWHERE.contains(&package_name) {
            faults.push(format!("{package_name} is in the lock file; nothing here may need it"));
        }
        if !ours.contains(package_name) {
            continue;
        }
        match LAYERS.iter().find(|layer| layer.name == package_name) {
            Some(layer) => check_package(layer, package, &ours, &mut faults),
            None => faults.push(format!("{package_name} has no line in the table of layers")),
        }
    }
    Ok(faults)
}

fn check_package(layer: &Layer, package: &Value, ours: &BTreeSet<&str>, faults: &mut Vec<String>) {
    let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    for dependency in dependencies {
        let Some(wanted) = name(dependency) else { continue };
        let for_tests = dependency["kind"].as_str() == Some("dev");
        if layer.never.contains(&wanted) && !for_tests {
            faults.push(format!("{} must never import {wanted}", layer.name));
        }
        if !ours.contains(wanted) || layer.may == ALL {
            continue;
        }
        let short = wanted.trim_start_matches("platen-");
        let allowed = layer.may.contains(&short)
            || (for_tests && short == "vmfp" && layer.name != "platen-vmfp")
            // Its own tests, with a feature that others ask for.
            || (for_tests && wanted == layer.name);
        if !allowed {
            faults.push(format!("{} must not import {wanted}", layer.name));
        }
    }
}

fn name(value: &Value) -> Option<&str> {
    value["name"].as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_import_only_what_they_may() {
        let faults = check(&metadata().unwrap()).unwrap();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    #[test]
    fn a_forbidden_import_is_named() {
        let metadata = serde_json::json!({ "packages": [
            { "name": "platen-core", "source": null, "dependencies": [ { "name": "axum" }, { "name": "platen-snmp" } ] },
            { "name": "platen-snmp", "source": null, "dependencies": [] },
        ]});
        let faults = check(&metadata).unwrap();
        assert_eq!(faults, ["platen-core must never import axum", "platen-core must not import platen-snmp"]);
    }
}
