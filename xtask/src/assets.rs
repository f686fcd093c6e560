//! Scripts and styles of the pages, built by npm from assets/package-lock.json into assets/dist.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use anyhow::Result;

use crate::command::{present, root, run as run_command};

/// Builds when Node is present; says so and goes on when it is not.
pub(crate) fn run() -> Result<()> {
    let folder = root().join("assets");
    if !present("npm") {
        println!("assets: npm not found; the pages will be plainer (no live updates, no zoom in charts)");
        return Ok(());
    }
    if fresh(&folder) {
        return Ok(());
    }
    println!("assets: building scripts and styles with npm");
    run_command(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&folder))?;
    run_command(Command::new("npm").args(["run", "--silent", "build"]).current_dir(&folder))
}

/// Whether assets/dist is newer than everything that it is made from.
fn fresh(folder: &Path) -> bool {
    let Some(built) = modified(&folder.join("dist/.built")) else { return false };
    let inputs = ["package.json", "package-lock.json", "build.mjs"].map(|name| folder.join(name));
    let islands = fs::read_dir(folder.join("islands")).into_iter().flatten().flatten().map(|entry| entry.path());
    inputs.into_iter().chain(islands).filter_map(|path| modified(&path)).all(|time| time <= built)
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}
