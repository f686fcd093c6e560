//! `platen man --out DIR`

use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::printer::Printer;

/// Writes one page for the program and one for each command.
pub fn run(out: &Path, printer: Printer) -> Result<Exit> {
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    clap_mangen::generate_to(Cli::command(), out).with_context(|| format!("cannot write to {}", out.display()))?;
    printer.note(&format!("man pages written to {}", out.display()));
    Ok(Exit::Success)
}
