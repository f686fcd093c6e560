//! `min_free`: free bytes and inodes where messages are stored, looked at once a second at most.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use mail::limits::MinFree;
use parking_lot::Mutex;

const FRESH: Duration = Duration::from_secs(1);

/// The disk below the data folder.
#[derive(Debug)]
pub(super) struct Space {
    folder: PathBuf,
    limit: MinFree,
    seen: Mutex<Option<(Instant, u64, u64)>>,
}

impl Space {
    pub(super) fn new(folder: PathBuf, limit: MinFree) -> Self {
        Self { folder, limit, seen: Mutex::new(None) }
    }

    /// Whether a message of `size` bytes may be stored. A disk that cannot be asked has no room.
    pub(super) fn allows(&self, size: u64) -> bool {
        let now = Instant::now();
        let mut seen = self.seen.lock();
        let fresh = seen.filter(|(at, ..)| now.saturating_duration_since(*at) < FRESH);
        let looked = fresh.or_else(|| {
            let disk = rustix::fs::statvfs(&self.folder).ok()?;
            // Some file systems make inodes as they are needed and count none.
            let inodes = if disk.f_files == 0 { u64::MAX } else { disk.f_favail };
            Some((now, disk.f_bavail.saturating_mul(disk.f_frsize), inodes))
        });
        *seen = looked;
        looked.is_some_and(|(_, bytes, inodes)| self.limit.allows(bytes, inodes, size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_one_that_is_gone_have_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let space = |folder: PathBuf, bytes| Space::new(folder, MinFree { bytes, inodes: 0 });
        assert!(space(folder.path().to_owned(), 1).allows(1));
        assert!(!space(folder.path().to_owned(), u64::MAX).allows(0));
        assert!(!space(folder.path().join("gone"), 0).allows(0));
    }
}
