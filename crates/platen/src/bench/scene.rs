//! Where a benchmark happens: how much is done, a folder of its own, and which processor runs what.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::peer;
use crate::printer::Printer;

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    quick: bool,
    scale: f64,
}

impl Effort {
    pub(super) fn new(quick: bool, scale: f64) -> Self {
        Self { quick, scale }
    }

    pub(super) fn is_quick(self) -> bool {
        self.quick
    }

    /// Runs of each program.
    pub(super) fn runs(self) -> usize {
        match (self.scale < 1.0, self.quick) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => 5,
        }
    }

    /// A size: as given in a full or a quick run, less on a smaller scale, at least `least`.
    pub(super) fn size(self, full: u32, quick: u32, least: u32) -> u32 {
        let size = f64::from(if self.quick { quick } else { full }) * self.scale;
        (size as u32).max(least)
    }
}

/// What every benchmark needs.
pub(super) struct Scene {
    pub(super) effort: Effort,
    /// True if the program under test has a processor and the load another.
    pub(super) pinned: bool,
    folder: PathBuf,
    printer: Printer,
}

impl Scene {
    pub(super) fn set(effort: Effort, printer: Printer) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("platen-bench-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the folder {}; may you write there?", folder.display()))?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self { effort, pinned: cores >= 2 && peer::on_path("taskset").is_some(), folder, printer })
    }

    /// A folder that goes with the scene.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A path in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What happens now, for who watches.
    pub(super) fn say(&self, text: &str) {
        self.printer.progress(text);
    }

    /// What every outcome has to say about the circumstances.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.effort.quick {
            notes.push("quick: fewer devices and runs, ends within 60 s".to_owned());
        }
        if self.effort.scale < 1.0 {
            notes.push(format!("at {} of the full size: figures mean nothing", self.effort.scale));
        }
        if cfg!(debug_assertions) {
            notes.push("a build for debugging: figures mean nothing".to_owned());
        }
        if !self.pinned {
            notes.push("not pinned: needs two processors and taskset (apt install util-linux)".to_owned());
        }
        if let Some(load) = load_average() {
            notes.push(format!("load average {load} when it began"));
        }
        notes
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.printer.progress_done();
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn load_average() -> Option<String> {
    Some(std::fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.to_owned())
}
