//! `cargo xtask dist`: the release binary with its man pages and shell completions.

use std::process::Command;

use anyhow::Result;

use crate::assets;
use crate::command::{cargo, run as run_command, target};

/// Fills target/dist.
pub(crate) fn run() -> Result<()> {
    assets::run()?;
    run_command(cargo().args(["build", "--locked", "--release", "--package", "platen"]))?;
    let folder = target().join("dist");
    std::fs::create_dir_all(folder.join("man"))?;
    std::fs::create_dir_all(folder.join("completions"))?;
    let binary = target().join("release/platen");
    std::fs::copy(&binary, folder.join("platen"))?;
    run_command(Command::new(&binary).arg("man").arg("--out").arg(folder.join("man")))?;
    for shell in ["bash", "zsh", "fish"] {
        let output = Command::new(&binary).args(["completion", shell]).output()?;
        std::fs::write(folder.join("completions").join(format!("platen.{shell}")), output.stdout)?;
    }
    println!("dist: {}", folder.display());
    Ok(())
}
