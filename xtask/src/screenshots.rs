//! A fresh demo, visited by headless Chromium: pictures for docs/, accessibility and keyboard checks for the tests.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::{Guarded, present, root, run as run_command, target};
use crate::{assets, demo};

const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome"];

/// Writes docs/screenshots.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let Some(reason) = lacking() else {
        return visit(Some(&root().join("docs/screenshots")), arguments);
    };
    bail!("{reason}");
}

/// What the visit needs and does not find; `None` when nothing is missing.
pub(crate) fn lacking() -> Option<String> {
    if !present("node") || !present("npm") {
        return Some("node not found (apt install nodejs npm)".to_owned());
    }
    if !BROWSERS.iter().any(|name| present(name)) {
        return Some("chromium not found (apt install chromium)".to_owned());
    }
    None
}

/// Starts a demo, waits for its devices, and walks through all pages; pictures only where a folder is given.
pub(crate) fn visit(pictures: Option<&Path>, arguments: &[String]) -> Result<()> {
    assets::run()?;
    demo::build()?;
    let folder = target().join("xtask");
    std::fs::create_dir_all(&folder)?;
    let ready_file = folder.join(format!("demo-{}.json", std::process::id()));
    let log = std::fs::File::create(folder.join("demo.log"))?;
    let demo = Command::new(demo::binary())
        .args(["demo", "--port", "0", "--ready-file"])
        .arg(&ready_file)
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot start the demo")?;
    let demo = Guarded(demo);
    let ready = wait_for(&ready_file, Duration::from_secs(300))?;
    drop(std::fs::remove_file(&ready_file));
    let admin = &ready["admin"];
    let mut script = Command::new("node");
    script.current_dir(root().join("assets")).arg("tests/pages.mjs");
    script.env("PLATEN_URL", text(&ready["web"])?);
    script.env("PLATEN_EMAIL", text(&admin["email"])?);
    script.env("PLATEN_PASSWORD", text(&admin["password"])?);
    script.env("PLATEN_TOKEN", text(&admin["token"])?);
    if let Some(pictures) = pictures {
        std::fs::create_dir_all(pictures)?;
        script.env("PLATEN_PICTURES", pictures);
    }
    let outcome = run_command(script.args(arguments));
    drop(demo);
    outcome
}

fn text(value: &Value) -> Result<&str> {
    value.as_str().context("the demo's ready file lacks a field; see contracts.md")
}

fn wait_for(path: &Path, patience: Duration) -> Result<Value> {
    let start = Instant::now();
    while start.elapsed() < patience {
        if let Ok(bytes) = std::fs::read(path)
            && let Ok(value) = serde_json::from_slice(&bytes)
        {
            return Ok(value);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    bail!("the demo was not ready within {} s; see target/xtask/demo.log", patience.as_secs())
}
