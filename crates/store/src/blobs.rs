//! Blobs by content: a file named after its SHA-256, so that the same bytes are stored once.
//! Acknowledged = synced: temporary file, fsync, rename, fsync of the folder.

use std::fmt;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::digest;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{Error, ErrorKind, Result};

const CHUNK: usize = 64 * 1024;

/// Name of a blob: the SHA-256 of its bytes, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// The hash of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_digest(&digest::digest(&digest::SHA256, bytes))
    }

    fn from_digest(digest: &digest::Digest) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

impl FromStr for Sha256 {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::usage("blob", format!("{text:?} is no SHA-256 of 64 hexadecimal digits"));
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

/// A folder of blobs; clones share it.
#[derive(Clone, Debug)]
pub struct Blobs {
    root: Arc<Path>,
}

/// A blob that was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub hash: Sha256,
    /// Its length in bytes.
    pub length: u64,
}

/// A file that is removed unless it got its final name.
struct Temporary {
    path: PathBuf,
    kept: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.kept {
            // Left-overs do no harm: `Blobs::open` removes them.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Blobs {
    /// Opens or makes the folder, and removes what a killed process left half-written there.
    pub async fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        blocking(move || {
            let incoming = root.join("incoming");
            fs::create_dir_all(&incoming).map_err(|e| told(&incoming, e))?;
            for entry in fs::read_dir(&incoming).map_err(|e| told(&incoming, e))? {
                let path = entry.map_err(|e| told(&incoming, e))?.path();
                fs::remove_file(&path).map_err(|e| told(&path, e))?;
            }
            // All folders now: a blob then needs no sync but that of its own folder.
            for first in 0..=u8::MAX {
                let folder = root.join(format!("{first:02x}"));
                fs::create_dir_all(&folder).map_err(|e| told(&folder, e))?;
            }
            sync_folder(&root)?;
            Ok(Self { root: root.into() })
        })
        .await
    }

    /// Stores bytes; returns when they are on the disk.
    pub async fn put(&self, bytes: Vec<u8>) -> Result<Stored> {
        let blobs = self.clone();
        blocking(move || {
            let hash = Sha256::of(&bytes);
            let length = bytes.len() as u64;
            let path = blobs.path(hash);
            if path.exists() {
                // Its name may be so new that it is not on the disk yet.
                blobs.sync_folder_of(&path)?;
                return Ok(Stored { hash, length });
            }
            let (mut file, temporary) = blobs.temporary()?;
            file.write_all(&bytes).map_err(|e| told(&temporary.path, e))?;
            blobs.settle(&file, temporary, hash)?;
            Ok(Stored { hash, length })
        })
        .await
    }

    /// Stores what a reader gives, at most `limit` bytes, hashing on the way; returns when it is on the disk.
    pub async fn put_stream(&self, mut from: impl AsyncRead + Unpin, limit: u64) -> Result<Stored> {
        let blobs = self.clone();
        let (mut file, temporary) = blocking(move || blobs.temporary()).await?;
        let mut context = digest::Context::new(&digest::SHA256);
        let mut length = 0;
        let mut buffer = vec![0; CHUNK];
        loop {
            let count = from.read(&mut buffer).await.map_err(|e| Error::io("blob being received", e))?;
            if count == 0 {
                break;
            }
            length += count as u64;
            if length > limit {
                return Err(Error::new(
                    ErrorKind::Full,
                    "blob being received",
                    format!("is larger than {limit} bytes"),
                ));
            }
            let path = temporary.path.clone();
            (file, buffer, context) = blocking(move || {
                context.update(&buffer[..count]);
                file.write_all(&buffer[..count]).map_err(|e| told(&path, e))?;
                Ok((file, buffer, context))
            })
            .await?;
        }
        let hash = Sha256::from_digest(&context.finish());
        let blobs = self.clone();
        blocking(move || blobs.settle(&file, temporary, hash)).await?;
        Ok(Stored { hash, length })
    }

    /// All bytes of a blob, compared with its name.
    pub async fn get(&self, hash: Sha256) -> Result<Vec<u8>> {
        let path = self.path(hash);
        blocking(move || {
            let mut bytes = Vec::new();
            let read = File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes));
            read.map_err(|e| told(&path, e))?;
            if Sha256::of(&bytes) == hash {
                return Ok(bytes);
            }
            let message = "its bytes are not those that were stored; restore it from a backup";
            Err(Error::new(ErrorKind::Corrupt, format!("blob {}", path.display()), message))
        })
        .await
    }

    /// Opens a blob for reading in parts; its bytes are not compared with its name.
    pub async fn open_blob(&self, hash: Sha256) -> Result<tokio::fs::File> {
        let path = self.path(hash);
        tokio::fs::File::open(&path).await.map_err(|e| told(&path, e))
    }

    /// True when the blob is stored.
    pub async fn contains(&self, hash: Sha256) -> Result<bool> {
        let path = self.path(hash);
        tokio::fs::try_exists(&path).await.map_err(|e| told(&path, e))
    }

    /// Deletes a blob; false when there was none. Its name is gone from the disk when this returns.
    pub async fn delete(&self, hash: Sha256) -> Result<bool> {
        let path = self.path(hash);
        blocking(move || match fs::remove_file(&path) {
            Ok(()) => path.parent().map_or(Ok(()), sync_folder).map(|()| true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(told(&path, error)),
        })
        .await
    }

    fn path(&self, hash: Sha256) -> PathBuf {
        let name = hash.to_string();
        self.root.join(&name[..2]).join(name)
    }

    fn temporary(&self) -> Result<(File, Temporary)> {
        let path = self.root.join("incoming").join(uuid::Uuid::now_v7().to_string());
        let file = File::create_new(&path).map_err(|e| told(&path, e))?;
        Ok((file, Temporary { path, kept: false }))
    }

    fn settle(&self, file: &File, mut temporary: Temporary, hash: Sha256) -> Result<()> {
        file.sync_all().map_err(|e| told(&temporary.path, e))?;
        let path = self.path(hash);
        fs::rename(&temporary.path, &path).map_err(|e| told(&path, e))?;
        temporary.kept = true;
        self.sync_folder_of(&path)
    }

    fn sync_folder_of(&self, path: &Path) -> Result<()> {
        sync_folder(path.parent().unwrap_or(&self.root))
    }
}

fn told(path: &Path, error: std::io::Error) -> Error {
    Error::io(format!("blob {}", path.display()), error)
}

/// Windows has no such thing; there a rename is journaled by the file system.
fn sync_folder(path: &Path) -> Result<()> {
    if cfg!(unix) { File::open(path).and_then(|folder| folder.sync_all()).map_err(|e| told(path, e)) } else { Ok(()) }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => Err(Error::new(ErrorKind::Io, "blob", error.to_string())),
    }
}
