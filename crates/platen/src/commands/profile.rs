//! `platen profile check | list`: vendor profiles are data; this says what is wrong with one.

use anyhow::Result;
use device::profile;

use crate::cli::ProfileCommand;
use crate::exit::Exit;
use crate::printer::Printer;

/// Checks one file, or names the built-in profiles.
pub fn run(command: ProfileCommand, printer: Printer) -> Result<Exit> {
    match command {
        ProfileCommand::List => {
            let names: Vec<&str> =
                profile::Catalogue::current().iter().map(|profile| profile.vendor.as_str()).collect();
            if printer.is_json() {
                printer.document(&names)?
            } else {
                printer.text(&names.join("\n"))
            }
            Ok(Exit::Success)
        }
        ProfileCommand::Check { file } => {
            let findings = profile::check(&file)?;
            for finding in &findings {
                printer.text(&finding.to_string());
            }
            if findings.is_empty() {
                printer.note(&format!("{} is good", file.display()));
                return Ok(Exit::Success);
            }
            Ok(Exit::Failed)
        }
    }
}
