//! One throw-away PostgreSQL for a whole test run: own folder, loopback only, ended with us.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::command::{Guarded, run as run_command};

/// A running server and the folder that goes with it.
pub(crate) struct Postgres {
    server: Option<Guarded>,
    folder: PathBuf,
    /// `postgres://…` of its administrative database.
    pub(crate) url: String,
}

impl Postgres {
    /// Starts a server from the newest installed binaries; `None` when there are none.
    pub(crate) fn start() -> Result<Option<Self>> {
        let Some(binaries) = binaries() else { return Ok(None) };
        let folder = std::env::temp_dir().join(format!("platen-test-pg-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let root = is_root();
        if root {
            run_command(Command::new("chown").arg("postgres:postgres").arg(&folder))?;
        }
        let data = folder.join("data");
        let mut init = as_postgres(root, &binaries.join("initdb"));
        init.arg("-D").arg(&data).args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync"]);
        run_command(init.stdout(Stdio::null()))?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut server = as_postgres(root, &binaries.join("postgres"));
        server.arg("-D").arg(&data).arg("-k").arg(&folder).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        server.args(["-c", "fsync=off", "-c", "max_connections=200", "-c", "shared_buffers=64MB"]);
        let log = std::fs::File::create(folder.with_extension("log"))?;
        let server = Guarded(server.stdout(Stdio::null()).stderr(log).spawn().context("cannot start postgres")?);
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let postgres = Self { server: Some(server), folder, url };
        postgres.wait(port)?;
        Ok(Some(postgres))
    }

    fn wait(&self, port: u16) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(30) {
            if self.folder.join(format!(".s.PGSQL.{port}")).exists() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the throw-away PostgreSQL did not come up within 30 s")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.server.take());
        drop(std::fs::remove_dir_all(&self.folder));
        drop(std::fs::remove_file(self.folder.with_extension("log")));
    }
}

fn binaries() -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
        .collect();
    versions.sort();
    versions.pop()
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

/// PostgreSQL refuses to run as root.
fn as_postgres(root: bool, program: &Path) -> Command {
    if !root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    command.current_dir("/");
    command
}
