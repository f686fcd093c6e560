//! The peer of `ingest-counters`: COPY in binary form into a throw-away PostgreSQL, with and without an index.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::peer;
use super::role::{LARGE, counters};
use super::scene::Scene;

/// A server of its own, in the folder of the scene.
pub(super) struct Postgres {
    programs: PathBuf,
    data: PathBuf,
    socket: PathBuf,
}

/// What a copy came to.
pub(super) struct Copied {
    pub(super) rows: f64,
    pub(super) seconds: f64,
    pub(super) bytes: f64,
}

impl Postgres {
    pub(super) fn start(scene: &Scene) -> Result<Self> {
        let programs = programs().context("PostgreSQL not found, so not measured (apt install postgresql)")?;
        let (data, socket) = (scene.path("postgres"), scene.folder().to_owned());
        let postgres = Self { programs, data, socket };
        let made = postgres.run(
            "initdb",
            &["-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C", "-D"],
            Some(&postgres.data),
        )?;
        ensure!(made, "PostgreSQL not measured: initdb failed");
        let options = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c max_wal_size=8GB -c shared_buffers=256MB",
            postgres.socket.display()
        );
        let log = scene.path("postgres.log");
        let words = ["-w", "-o", &options, "-l", &log.to_string_lossy(), "start", "-D"];
        ensure!(postgres.run("pg_ctl", &words, Some(&postgres.data))?, "PostgreSQL not measured: it does not start");
        Ok(postgres)
    }

    /// Programs of PostgreSQL refuse to run for root: then they run for `postgres`, who owns the folder meanwhile.
    fn command(&self, program: &str) -> Command {
        let path = self.programs.join(program);
        let mut command;
        if is_root() {
            drop(Command::new("chown").args(["-R", "postgres"]).arg(&self.socket).status());
            command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(path);
        } else {
            command = Command::new(path);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).env("LC_ALL", "C");
        command
    }

    fn run(&self, program: &str, words: &[&str], last: Option<&Path>) -> Result<bool> {
        Ok(self.command(program).args(words).args(last).status()?.success())
    }

    fn ask(&self, text: &str) -> Result<String> {
        let mut command = self.command("psql");
        command
            .args(["-U", "bench", "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-Atq", "-h"])
            .arg(&self.socket)
            .args(["-c", text]);
        let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output()?;
        ensure!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// So many sets as PostgreSQL's own binary form: device, counter, time, value.
    pub(super) fn samples(&self, scene: &Scene, devices: u32, sets: u32) -> Result<PathBuf> {
        let path = scene.path("samples.copy");
        let mut out = std::io::BufWriter::new(std::fs::File::create(&path)?);
        out.write_all(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0")?;
        for set in 0..sets {
            let (device, round) = (set % devices, set / devices);
            let time = i64::from(round) * 57_600;
            for (counter, value) in counters(device, round, 0, LARGE).values {
                out.write_all(&4_i16.to_be_bytes())?;
                for field in [device, counter] {
                    out.write_all(&4_i32.to_be_bytes())?;
                    out.write_all(&field.to_be_bytes())?;
                }
                for field in [time, value] {
                    out.write_all(&8_i32.to_be_bytes())?;
                    out.write_all(&field.to_be_bytes())?;
                }
            }
        }
        out.write_all(&(-1_i16).to_be_bytes())?;
        out.into_inner().map_err(|error| anyhow::anyhow!("{error}"))?.sync_all()?;
        Ok(path)
    }

    /// Copies them into an empty table, durable at the end.
    pub(super) fn copy(&self, file: &Path, indexed: bool) -> Result<Copied> {
        let key = if indexed { ", primary key (device, counter, t)" } else { "" };
        self.ask("drop table if exists samples")?;
        self.ask(&format!("create table samples (device int, counter int, t bigint, value bigint{key})"))?;
        let began = Instant::now();
        self.ask(&format!("\\copy samples from '{}' with (format binary)", file.display()))?;
        let seconds = began.elapsed().as_secs_f64();
        let rows = self.ask("select count(*) from samples")?.parse()?;
        let bytes = self.ask("select pg_total_relation_size('samples')")?.parse()?;
        Ok(Copied { rows, seconds, bytes })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.run("pg_ctl", &["-w", "-m", "immediate", "stop", "-D"], Some(&self.data)));
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// The newest version that is installed, as Debian lays them out, or what is on the path.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    let debian = folders.into_iter().rfind(|folder| folder.join("initdb").is_file());
    debian.or_else(|| peer::on_path("initdb")?.parent().map(Path::to_owned))
}
