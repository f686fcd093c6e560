//! The memory of a device that outlives its power: a folder, or memory of this program where devices are many.

use std::io;
use std::path::Path;
use std::sync::Arc;

use embedded::{FileFlash, Flash, MemoryFlash};
use parking_lot::Mutex;

/// Shared between the lives of one device: each power-on opens a new monitor over the same records.
#[derive(Clone)]
pub(super) struct Keep(Arc<Mutex<Medium>>);

enum Medium {
    Memory(MemoryFlash),
    Files(FileFlash),
}

impl Keep {
    pub(super) fn open(folder: Option<&Path>, serial: &str) -> io::Result<Self> {
        let medium = match folder {
            None => Medium::Memory(MemoryFlash::default()),
            Some(folder) => {
                let name: String = serial.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
                Medium::Files(FileFlash::open(folder.join(name))?)
            }
        };
        Ok(Self(Arc::new(Mutex::new(medium))))
    }
}

impl Flash for Keep {
    fn get(&self, key: &str) -> io::Result<Option<Vec<u8>>> {
        match &*self.0.lock() {
            Medium::Memory(flash) => flash.get(key),
            Medium::Files(flash) => flash.get(key),
        }
    }

    fn put(&mut self, key: &str, record: &[u8]) -> io::Result<()> {
        match &mut *self.0.lock() {
            Medium::Memory(flash) => flash.put(key, record),
            Medium::Files(flash) => flash.put(key, record),
        }
    }

    fn delete(&mut self, key: &str) -> io::Result<()> {
        match &mut *self.0.lock() {
            Medium::Memory(flash) => flash.delete(key),
            Medium::Files(flash) => flash.delete(key),
        }
    }

    fn keys(&self) -> io::Result<Vec<String>> {
        match &*self.0.lock() {
            Medium::Memory(flash) => flash.keys(),
            Medium::Files(flash) => flash.keys(),
        }
    }
}
