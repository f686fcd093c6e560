//! Starts and ends the processes of a benchmark. Loads and the measuring role end when their standard input closes,
//! so nothing outlives a benchmark that was killed; everything is ended by its process id.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;

use super::role::Usage;
use super::scene::Scene;

/// Longest start of a load.
const START: Duration = Duration::from_secs(120);
/// Longest end of one of our roles.
const END: Duration = Duration::from_secs(10);

/// Which processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Core {
    /// Of the program under test.
    Tested,
    /// Of what it talks to.
    Load,
    /// Any: they share what there is.
    Any,
}

/// What a measured process cost and said.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) usage: Usage,
    /// Its standard output.
    pub(super) output: String,
}

impl Measured {
    /// Reads the last line as JSON: what our own roles and peers print.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        let line = self.output.lines().last().unwrap_or_default();
        serde_json::from_str(line).with_context(|| format!("a measured program printed no result but {line:?}"))
    }
}

/// A command line under way of being written.
pub(super) fn line<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(words: I) -> Vec<OsString> {
    words.into_iter().map(|word| word.as_ref().to_owned()).collect()
}

/// Our own binary in a role of `bench-run`.
pub(super) fn role<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(words: I) -> Result<Vec<OsString>> {
    let mut all = vec![std::env::current_exe().context("cannot find our own binary")?.into_os_string()];
    all.push("bench-run".into());
    all.extend(line(words));
    Ok(all)
}

/// A command, pinned to its processor where that is possible.
pub(super) fn command(scene: &Scene, core: Core, words: &[OsString]) -> Result<Command> {
    let mut all = Vec::new();
    if scene.pinned && core != Core::Any {
        all = line(["taskset", "-c", if core == Core::Tested { "0" } else { "1" }]);
    }
    all.extend_from_slice(words);
    let (program, arguments) = all.split_first().context("a command without words")?;
    let mut command = Command::new(program);
    command.args(arguments).env("RUST_LOG", "error").env("LC_ALL", "C");
    Ok(command)
}

/// Runs a program to its end, or to `limit`, and says what it cost.
pub(super) fn measure(scene: &Scene, core: Core, words: &[OsString], limit: Duration) -> Result<Measured> {
    let (output, report) = (scene.path("output"), scene.path("usage.json"));
    let mut all = role(["measure", "--limit", &limit.as_secs_f64().to_string(), "--output"])?;
    all.extend([output.clone().into_os_string(), "--report".into(), report.clone().into(), "--".into()]);
    all.extend_from_slice(words);
    drop(std::fs::remove_file(&report));
    let mut running = Running(command(scene, core, &all)?.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?);
    running.wait()?;
    let usage: Usage =
        serde_json::from_slice(&std::fs::read(&report).context("the measuring process left no report")?)?;
    let text = String::from_utf8_lossy(&std::fs::read(&output).unwrap_or_default()).into_owned();
    if usage.timed_out {
        bail!("{} was ended after {} s", name(words), limit.as_secs());
    }
    Ok(Measured { usage, output: text })
}

fn name(words: &[OsString]) -> String {
    let program = words.first().map(|word| Path::new(word).file_name().unwrap_or(word).to_string_lossy().into_owned());
    program.unwrap_or_default()
}

/// One of our roles in a process; it ends with this value, because its standard input closes.
pub(super) struct Running(pub(super) Child);

impl Running {
    /// Waits with the standard input open.
    fn wait(&mut self) -> Result<()> {
        let input = self.0.stdin.take();
        let status = self.0.wait()?;
        drop(input);
        if !status.success() {
            bail!("the measuring process ended with {status}");
        }
        Ok(())
    }

    /// Closes the standard input and gives it time to end; false if it did not.
    pub(super) fn close(&mut self) -> Result<bool> {
        drop(self.0.stdin.take());
        let start = Instant::now();
        while self.0.try_wait()?.is_none() {
            if start.elapsed() > END {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(true)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.close().unwrap_or(false) {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }
}

/// Waits for a file that a process writes when it is ready.
pub(super) fn await_file<T: DeserializeOwned>(child: &mut Child, path: &Path) -> Result<T> {
    let start = Instant::now();
    while start.elapsed() < START {
        if let Ok(bytes) = std::fs::read(path) {
            return Ok(serde_json::from_slice(&bytes)?);
        }
        if let Some(status) = child.try_wait()? {
            bail!("a process of the benchmark ended with {status} before it was ready");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    bail!("a process of the benchmark was not ready within {} s", START.as_secs())
}

/// Processor time of a running process so far and its most resident memory in MB, from /proc.
pub(super) fn spent(pid: u32) -> Option<(f64, f64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    // Ticks are hundredths of a second on every Linux that user space sees.
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some((ticks / 100.0, super::role::peak_mb(pid).unwrap_or(0.0)))
}
