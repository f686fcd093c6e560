//! `cargo xtask demo`: everything a newcomer needs in one command.

use anyhow::Result;

use crate::assets;
use crate::command::{cargo, run as run_command, target};

/// Builds the pages and the binary, then becomes `platen demo`.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    if let Err(error) = assets::run() {
        println!("assets: {error:#}; going on with plainer pages");
    }
    println!("demo: building platen (some minutes the first time, seconds after that)");
    build()?;
    run_command(std::process::Command::new(binary()).arg("demo").args(arguments))
}

/// Builds the binary in the profile that tests use too.
pub(crate) fn build() -> Result<()> {
    run_command(cargo().args(["build", "--locked", "--package", "platen"]))
}

/// Where [`build`] leaves the binary.
pub(crate) fn binary() -> std::path::PathBuf {
    target().join("debug/platen")
}
