//! An agent on another machine: its name, key, settings, devices and what waits, in one file under a passphrase.
//! What waited is delivered under its old numbers, so that what the old machine delivered meanwhile has no second effect;
//! only then a new epoch begins.

mod sealed;

use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use crate::{
    error::{Error, Result},
    keys::write_secret,
    state::{State, identity::Home},
};
use sealed::{Opener, Sealer};

/// Shortest passphrase, characters.
pub const MIN_PASSPHRASE: usize = 12;
/// Files of an agent's folder in the order in which they are restored; with the last one the agent is enrolled.
const FILES: [&str; 4] = ["agent.db", "agent.key", "ca.pem", "agent.json"];
/// Copy of the database that an export is made of; it stands in the agent's folder as long as that takes.
const COPY: &str = "export.part";
/// No file of an agent is larger.
const MOST_BYTES: u64 = 64 << 30;

/// What an export or a restored folder holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The agent's name on the wire.
    pub agent: wire::Subject,
    /// Where it reports to.
    pub gateway: String,
    /// Devices that it keeps read.
    pub devices: u64,
    /// Messages that wait.
    pub messages: u64,
}

/// Removes a database and what stands beside an open one.
fn remove(database: &Path) {
    for end in ["", "-wal", "-shm"] {
        drop(fs::remove_file(format!("{}{end}", database.display())));
    }
}

fn failed(path: &Path) -> impl Fn(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { path: path.clone(), source }
}

async fn carried(home: &Home, state: &State) -> Result<Carried> {
    let identity = home.identity()?.ok_or(Error::NotEnrolled)?;
    let (devices, messages) = state.counts().await?;
    Ok(Carried { agent: identity.agent, gateway: identity.gateway, devices, messages })
}

/// Writes the agent in `data` to `file`, which must not be there yet. It may run meanwhile.
///
/// # Errors
/// When it is not enrolled, the passphrase is too short, or a file cannot be read or written.
pub async fn export(data: &Path, file: &Path, passphrase: &str) -> Result<Carried> {
    if passphrase.chars().count() < MIN_PASSPHRASE {
        return Err(Error::Passphrase { least: MIN_PASSPHRASE });
    }
    let home = Home::open(data)?;
    home.identity()?.ok_or(Error::NotEnrolled)?;
    let copy = data.join(COPY);
    remove(&copy);
    State::open(&home.database()).await?.copy(&copy).await?;
    let written = write(data, &copy, file, passphrase);
    // What the export holds, not what has come in since.
    let what = match written {
        Ok(()) => carried(&home, &State::open(&copy).await?).await,
        Err(error) => Err(error),
    };
    remove(&copy);
    what
}

fn write(data: &Path, database: &Path, file: &Path, passphrase: &str) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(failed(file))?;
    let sealer = Sealer::new(BufWriter::new(out), passphrase).map_err(failed(file))?;
    let mut packed = zstd::stream::Encoder::new(sealer, 3).map_err(failed(file))?;
    for name in FILES {
        let path = if name == "agent.db" { database.to_owned() } else { data.join(name) };
        let mut from = match File::open(&path) {
            Ok(from) => from,
            // A gateway that the system trusts needs no CA of ours.
            Err(e) if e.kind() == io::ErrorKind::NotFound && name == "ca.pem" => continue,
            Err(e) => return Err(failed(&path)(e)),
        };
        let size = from.metadata().map_err(failed(&path))?.len();
        packed.write_all(&[name.len() as u8]).map_err(failed(file))?;
        packed.write_all(name.as_bytes()).map_err(failed(file))?;
        packed.write_all(&size.to_be_bytes()).map_err(failed(file))?;
        let copied = io::copy(&mut (&mut from).take(size), &mut packed).map_err(failed(file))?;
        if copied != size {
            return Err(Error::Damaged { path, reason: "it shrank while it was read".into() });
        }
    }
    packed.write_all(&[0]).map_err(failed(file))?;
    let sealer = packed.finish().map_err(failed(file))?;
    let out = sealer.finish().and_then(|out| out.into_inner().map_err(io::IntoInnerError::into_error));
    out.and_then(|out| out.sync_all()).map_err(failed(file))
}

/// Puts an export into `data`, which must hold no agent yet. Stop the agent on the old machine for good.
///
/// # Errors
/// When the passphrase is wrong, the file is damaged, or `data` holds an agent; then nothing of it is left there.
pub async fn restore(file: &Path, data: &Path, passphrase: &str) -> Result<Carried> {
    let home = Home::open(data)?;
    if home.identity()?.is_some() || home.key().exists() || home.database().exists() {
        return Err(Error::Occupied { path: data.to_owned() });
    }
    let parts = read(file, data, passphrase);
    let parts = match parts {
        Ok(parts) => parts,
        Err(error) => {
            FILES.iter().for_each(|name| drop(fs::remove_file(data.join(format!("{name}.restore")))));
            return Err(error);
        }
    };
    // With the database first and the identity last: killed in between, the folder holds no agent.
    for (part, path) in &parts {
        if path.ends_with("agent.json") {
            State::open(&home.database()).await?.deliver_first().await?;
            let bytes = fs::read(part).map_err(failed(part))?;
            write_secret(path, &bytes)?;
            drop(fs::remove_file(part));
        } else {
            fs::rename(part, path).map_err(failed(path))?;
        }
    }
    let state = State::open(&home.database()).await?;
    carried(&home, &state).await
}

/// Unpacks into files beside those that they will be; returns both names of each.
fn read(file: &Path, data: &Path, passphrase: &str) -> Result<Vec<(PathBuf, PathBuf)>> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let from = BufReader::new(File::open(file).map_err(failed(file))?);
    let opener = Opener::new(from, passphrase).map_err(failed(file))?;
    let mut unpacked = zstd::stream::Decoder::new(opener).map_err(failed(file))?;
    let damaged = |reason: &str| Error::Damaged { path: file.to_owned(), reason: reason.into() };
    let mut parts = Vec::new();
    loop {
        let mut length = [0; 1];
        unpacked.read_exact(&mut length).map_err(failed(file))?;
        if length == [0] {
            break;
        }
        let mut name = vec![0; usize::from(length[0])];
        unpacked.read_exact(&mut name).map_err(failed(file))?;
        let known = FILES.into_iter().find(|known| known.as_bytes() == name);
        let name = known.ok_or_else(|| damaged("it holds a file that is no agent's"))?;
        let mut size = [0; 8];
        unpacked.read_exact(&mut size).map_err(failed(file))?;
        let size = u64::from_be_bytes(size);
        if size > MOST_BYTES {
            return Err(damaged("it holds a file that is too large"));
        }
        let part = data.join(format!("{name}.restore"));
        let options = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part);
        let mut out = options.map_err(failed(&part))?;
        let copied = io::copy(&mut (&mut unpacked).take(size), &mut out).map_err(failed(file))?;
        out.sync_all().map_err(failed(&part))?;
        if copied != size {
            return Err(damaged("it ends early"));
        }
        parts.push((part, data.join(name)));
    }
    // To the end of the stream: only then its last chunk has proved that nothing is missing.
    io::copy(&mut unpacked, &mut io::sink()).map_err(failed(file))?;
    if !parts.iter().any(|(_, path)| path.ends_with("agent.json")) {
        return Err(damaged("it holds no agent"));
    }
    Ok(parts)
}
