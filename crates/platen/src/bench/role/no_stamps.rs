//! Times of arrival are known on Linux only.

use std::path::Path;

use anyhow::{Result, bail};

use super::load::LoadArgs;
use crate::exit::Exit;

/// Refuses.
pub(super) fn run(_args: &LoadArgs, _path: &Path) -> Result<Exit> {
    bail!("times of arrival are measured on Linux only")
}
