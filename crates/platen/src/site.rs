//! A server's place on this machine: data folder, key, database, blobs; opened the same way by every command.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use platen_core::{Platform, PlatformConfig};
use store::{Blobs, DatabaseUrl, Db};

use crate::clock::{SystemIds, WallClock};
use crate::config::default_database;

/// Opens database and blobs and brings the tables up to date.
pub async fn open(data: &Path, database: &str, blobs: &str) -> Result<Platform> {
    make_folder(data)?;
    let url: DatabaseUrl =
        database.parse().with_context(|| "the database URL is neither sqlite:PATH nor postgres://…")?;
    let db = Db::open(&url).await.with_context(|| format!("cannot open the database {}", shown(database)))?;
    let blobs = Blobs::open(blobs_folder(blobs)?).await.context("cannot open the blobs")?;
    let config =
        PlatformConfig { db, blobs, data_key: data_key(data)?, clock: Arc::new(WallClock), ids: Arc::new(SystemIds) };
    Platform::open(config).await.with_context(|| format!("cannot bring {} up to date", shown(database)))
}

/// As [`open`], with the defaults of `serve` for what is not named.
pub async fn open_default(data: &Path, database: Option<&str>) -> Result<Platform> {
    let url = database.map_or_else(|| default_database(data), str::to_owned);
    open(data, &url, &format!("dir:{}", data.join("blobs").display())).await
}

/// Makes a folder that only its owner may look into.
pub fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the data folder {}; name another with --data", folder.display()))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
            .with_context(|| format!("{} is not yours to keep secrets in", folder.display()))?;
    }
    Ok(())
}

/// A database URL without its password.
pub fn shown(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    }
}

fn blobs_folder(url: &str) -> Result<PathBuf> {
    url.strip_prefix("dir:").map(PathBuf::from).with_context(|| format!("blobs are kept in dir:PATH, not in `{url}`"))
}

/// The root key for secrets at rest: made once, kept beside the database but not in it.
fn data_key(data: &Path) -> Result<[u8; 32]> {
    let path = data.join("secret.key");
    if let Ok(bytes) = std::fs::read(&path) {
        return bytes.try_into().map_err(|_| anyhow::anyhow!("{} is not a key of 32 bytes", path.display()));
    }
    let mut key = [0; 32];
    platen_core::Ids::random(&SystemIds, &mut key);
    write_secret(&path, &key).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(key)
}

/// Readable by its owner only, and on disk before it is used; a key that a power cut takes back opens nothing.
fn write_secret(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
