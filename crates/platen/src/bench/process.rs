//! Starts and ends the processes of a benchmark. Loads and the measuring role end when their standard input closes,
//! so nothing outlives a benchmark that was killed; everything is ended by its process id.

use std::ffi::{OsStr, OsString};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;

use super::role::{Loaded, Usage};
use super::scene::Scene;

/// Longest start of a load.
const START: Duration = Duration::from_secs(120);
/// Longest end of one of our roles.
const END: Duration = Duration::from_secs(10);
/// Longest life of a server.
const SERVER: Duration = Duration::from_secs(1_800);

/// Which processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Core {
    /// Of the program under test.
    Tested,
    /// Of what it talks to.
    Load,
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

fn command(scene: &Scene, core: Core, words: &[OsString]) -> Result<Command> {
    let mut all = Vec::new();
    if scene.pinned {
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
struct Running(Child);

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
    fn close(&mut self) -> Result<bool> {
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

/// What a load is made of.
#[derive(Clone, Debug)]
pub(super) struct LoadPlan<'a> {
    /// Further arguments of the role.
    pub(super) what: Vec<OsString>,
    pub(super) devices: u32,
    pub(super) base: Ipv4Addr,
    /// 0 takes a free one.
    pub(super) port: u16,
    /// Share of datagrams lost on each way.
    pub(super) loss: f64,
    /// Records when datagrams came and answers none.
    pub(super) stamps: Option<&'a Path>,
    pub(super) core: Core,
}

impl LoadPlan<'_> {
    /// So many devices of a description or a recording.
    pub(super) fn of(model: &Model, devices: u32, base: Ipv4Addr) -> Self {
        let what = match model {
            Model::Profile(name) => line(["--profile", name]),
            Model::Recording(path) => vec!["--walk".into(), path.clone().into_os_string()],
        };
        Self { what, devices, base, port: 0, loss: 0.0, stamps: None, core: Core::Load }
    }
}

/// What every virtual device of a load is.
#[derive(Clone, Debug)]
pub(super) enum Model {
    Profile(&'static str),
    Recording(std::path::PathBuf),
}

impl Model {
    /// The recording of a large printer if the shared recordings are there, else a description of one.
    pub(super) fn large() -> Self {
        let roots = std::env::var_os("PLATEN_SHARED").map(std::path::PathBuf::from).into_iter();
        let roots = roots.chain(["shared", "../shared"].map(std::path::PathBuf::from));
        let mut files = roots.map(|root| root.join("recordings/walks/sharp.snmprec"));
        match files.find(|file| file.is_file()).and_then(|file| file.canonicalize().ok()) {
            Some(file) => Self::Recording(file),
            None => Self::Profile("sharp-colour-a3"),
        }
    }

    /// As notes name it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Profile(name) => format!("profile {name}"),
            Self::Recording(path) => {
                format!("recording {}", path.file_name().unwrap_or_default().to_string_lossy())
            }
        }
    }
}

/// A running load; ends with this value.
pub(super) struct Load {
    running: Running,
    /// UDP port of all its devices.
    pub(super) port: u16,
}

impl Load {
    /// Starts it and waits until it listens.
    pub(super) fn start(scene: &Scene, plan: &LoadPlan<'_>) -> Result<Self> {
        let ready = scene.path("load.ready");
        drop(std::fs::remove_file(&ready));
        let mut words = role(["load", "--devices", &plan.devices.to_string(), "--base", &plan.base.to_string()])?;
        words.extend(line(["--port", &plan.port.to_string(), "--loss", &plan.loss.to_string(), "--ready-file"]));
        words.push(ready.clone().into_os_string());
        words.extend_from_slice(&plan.what);
        if let Some(path) = plan.stamps {
            words.extend(["--stamps".into(), path.as_os_str().to_owned()]);
        }
        let child = command(scene, plan.core, &words)?.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let mut running = Running(child);
        let loaded: Loaded = await_file(&mut running.0, &ready)?;
        Ok(Self { running, port: loaded.port })
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.running.0.id()
    }

    /// Ends it and waits, so that it can write what it has.
    pub(super) fn finish(mut self) -> Result<()> {
        if self.running.close()? { Ok(()) } else { bail!("a load did not end") }
    }
}

/// A server that is no load of ours, for instance a peer; ends with this value.
pub(super) struct Server {
    running: Running,
    pid: u32,
}

impl Server {
    /// Starts it below the measuring role, which ends it in any case.
    pub(super) fn start(scene: &Scene, core: Core, words: &[OsString]) -> Result<Self> {
        let pid = scene.path("server.pid");
        drop(std::fs::remove_file(&pid));
        let mut all = role(["measure", "--limit", &SERVER.as_secs().to_string(), "--output"])?;
        all.push(scene.path("server.log").into_os_string());
        all.extend(["--pid-file".into(), pid.clone().into_os_string(), "--".into()]);
        all.extend_from_slice(words);
        let child = command(scene, core, &all)?.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let mut running = Running(child);
        let pid = await_file(&mut running.0, &pid)?;
        Ok(Self { running, pid })
    }

    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for a file that it writes.
    pub(super) fn ready<T: DeserializeOwned>(&mut self, path: &Path) -> Result<T> {
        await_file(&mut self.running.0, path)
    }
}

fn await_file<T: DeserializeOwned>(child: &mut Child, path: &Path) -> Result<T> {
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
