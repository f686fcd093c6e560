//! Memory that outlives a loss of power: small records by key. A record is there whole or not at all.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;

/// Durable records. `put` and `delete` return only when a loss of power can no longer undo them.
pub trait Flash {
    /// A record; `None` when there is none.
    ///
    /// # Errors
    /// When the memory cannot be read.
    fn get(&self, key: &str) -> io::Result<Option<Vec<u8>>>;
    /// Writes or replaces a record. Keys are letters, digits, `-` and `.`.
    ///
    /// # Errors
    /// When it is not safe, for example because the memory is full; the old record is still there then.
    fn put(&mut self, key: &str, record: &[u8]) -> io::Result<()>;
    /// Removes a record; one that is not there is no error.
    ///
    /// # Errors
    /// When the memory refuses.
    fn delete(&mut self, key: &str) -> io::Result<()>;
    /// All keys, in order.
    ///
    /// # Errors
    /// When the memory cannot be read.
    fn keys(&self) -> io::Result<Vec<String>>;
}

/// A folder with a file a record.
#[derive(Debug)]
pub struct FileFlash {
    folder: PathBuf,
}

impl FileFlash {
    /// Opens a folder, made if absent; half-written records of a lost power are removed.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub fn open(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "part") {
                fs::remove_file(path)?;
            }
        }
        Ok(Self { folder })
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

impl Flash for FileFlash {
    fn get(&self, key: &str) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.folder.join(key)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn put(&mut self, key: &str, record: &[u8]) -> io::Result<()> {
        let part = self.folder.join(format!("{key}.part"));
        let mut file = File::create(&part)?;
        file.write_all(record)?;
        file.sync_all()?;
        fs::rename(&part, self.folder.join(key))?;
        self.sync()
    }

    fn delete(&mut self, key: &str) -> io::Result<()> {
        match fs::remove_file(self.folder.join(key)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.sync(),
        }
    }

    fn keys(&self) -> io::Result<Vec<String>> {
        let mut keys = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            keys.extend(entry?.file_name().into_string());
        }
        keys.sort_unstable();
        Ok(keys)
    }
}

/// Records in memory: for tests, and for virtual devices that are many.
#[derive(Clone, Debug, Default)]
pub struct MemoryFlash(BTreeMap<String, Vec<u8>>);

impl Flash for MemoryFlash {
    fn get(&self, key: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(key).cloned())
    }

    fn put(&mut self, key: &str, record: &[u8]) -> io::Result<()> {
        self.0.insert(key.to_owned(), record.to_vec());
        Ok(())
    }

    fn delete(&mut self, key: &str) -> io::Result<()> {
        self.0.remove(key);
        Ok(())
    }

    fn keys(&self) -> io::Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_outlive_the_program_and_half_written_ones_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let mut flash = FileFlash::open(folder.path()).unwrap();
        flash.put("b", b"2").unwrap();
        flash.put("a", b"1").unwrap();
        flash.put("a", b"one").unwrap();
        fs::write(folder.path().join("c.part"), b"half").unwrap();
        drop(flash);
        let mut flash = FileFlash::open(folder.path()).unwrap();
        assert_eq!(flash.keys().unwrap(), ["a", "b"]);
        assert_eq!(flash.get("a").unwrap().unwrap(), b"one");
        flash.delete("a").unwrap();
        flash.delete("a").unwrap();
        assert_eq!(flash.get("a").unwrap(), None);
    }
}
