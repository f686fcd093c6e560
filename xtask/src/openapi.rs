//! openapi/platen-v1.json is what the handlers say; the test in `web` compares, this writes.

use anyhow::Result;

use crate::command::{cargo, run as run_command};

/// Runs the snapshot test of the API document in writing mode.
pub(crate) fn run() -> Result<()> {
    run_command(cargo().args(["test", "--locked", "-p", "platen-web", "openapi"]).env("UPDATE", "1"))
}
