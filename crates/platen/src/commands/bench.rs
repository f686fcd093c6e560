//! `platen bench NAME`: each measures ours beside a peer in one run.

use anyhow::Result;

use crate::cli::BenchArgs;
use crate::exit::{Exit, UsageError};
use crate::printer::Printer;

/// Names of contracts.md that this build can measure.
const NAMES: &[&str] = &[];

/// Lists, or runs one.
pub fn run(args: &BenchArgs, printer: Printer) -> Result<Exit> {
    if args.name == "list" {
        if printer.is_json() {
            printer.document(&NAMES)?
        } else {
            printer.text(&NAMES.join("\n"))
        }
        return Ok(Exit::Success);
    }
    Err(UsageError(format!("no benchmark is named `{}`; `platen bench list` names them", args.name)).into())
}
