//! Runs one program and reports its processor time (children's getrusage), memory and duration. It is ended by its
//! process id at a limit, or when standard input closes.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::{leave, until_closed};
use crate::exit::Exit;

/// `platen bench-run measure`
#[derive(Args, Debug)]
pub struct MeasureArgs {
    /// Seconds after which it is ended
    #[arg(long)]
    pub limit: f64,
    /// Where its standard output and errors go
    #[arg(long)]
    pub output: PathBuf,
    /// Where the report goes
    #[arg(long)]
    pub report: Option<PathBuf>,
    /// Where its process id goes
    #[arg(long)]
    pub pid_file: Option<PathBuf>,
    /// Program and arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
}

/// What a program cost.
#[derive(Serialize, Deserialize, Debug, Clone, Copy)]
pub(in crate::bench) struct Usage {
    pub(in crate::bench) wall_s: f64,
    /// User and system, the program's children included.
    pub(in crate::bench) cpu_s: f64,
    /// The part of it outside the kernel.
    pub(in crate::bench) user_s: f64,
    /// Most resident memory, the program's children included.
    pub(in crate::bench) rss_mb: f64,
    /// Exit status, if it ended by itself.
    pub(in crate::bench) code: Option<i32>,
    pub(in crate::bench) timed_out: bool,
}

pub(super) fn run(args: &MeasureArgs) -> Result<Exit> {
    let (program, arguments) = args.command.split_first().context("no program to measure")?;
    let output = File::create(&args.output).context("cannot write the output")?;
    let start = Instant::now();
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let mut child = command.spawn().with_context(|| format!("{} does not start", program.to_string_lossy()))?;
    if let Some(path) = &args.pid_file {
        leave(path, &child.id())?;
    }
    let watch = Watch::begin(child.id(), Duration::try_from_secs_f64(args.limit).unwrap_or(Duration::from_secs(60)));
    let status = child.wait()?;
    let wall_s = start.elapsed().as_secs_f64();
    let Some((rss_mb, timed_out)) = watch.end() else {
        // The benchmark is gone; nobody reads a report.
        return Ok(Exit::Failed);
    };
    let (user_s, system_s) = cpu_of_children();
    let usage = Usage { wall_s, cpu_s: user_s + system_s, user_s, rss_mb, code: status.code(), timed_out };
    if let Some(path) = &args.report {
        leave(path, &usage)?;
    }
    Ok(Exit::Success)
}

/// Looks at the memory of a process and ends it when its time is over.
struct Watch {
    over: Arc<AtomicBool>,
    closed: Arc<AtomicBool>,
    looking: std::thread::JoinHandle<(f64, bool)>,
}

impl Watch {
    fn begin(pid: u32, limit: Duration) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let closed = Arc::new(AtomicBool::new(false));
        let (done, shut, gone) = (Arc::clone(&over), Arc::clone(&closed), Arc::clone(&closed));
        std::thread::spawn(move || {
            until_closed();
            shut.store(true, Ordering::Release);
        });
        let looking = std::thread::spawn(move || {
            let (start, mut most, mut timed_out) = (Instant::now(), 0f64, false);
            while !done.load(Ordering::Acquire) {
                most = most.max(tree_mb(pid));
                if gone.load(Ordering::Acquire) || start.elapsed() > limit {
                    timed_out = true;
                    end(pid);
                }
                std::thread::park_timeout(Duration::from_millis(20));
            }
            (most, timed_out)
        });
        Self { over, closed, looking }
    }

    /// Most memory in MB, and whether it took too long; `None` if standard input was closed.
    fn end(self) -> Option<(f64, bool)> {
        self.over.store(true, Ordering::Release);
        self.looking.thread().unpark();
        let seen = self.looking.join().unwrap_or((0.0, false));
        (!self.closed.load(Ordering::Acquire)).then_some(seen)
    }
}

/// Most resident memory of a process so far, in MB.
pub(in crate::bench) fn peak_mb(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kilobytes| kilobytes / 1_024.0)
}

/// The children of a process at this moment.
pub(in crate::bench) fn children(pid: u32) -> Vec<u32> {
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// A process and its children at this moment.
fn tree_mb(pid: u32) -> f64 {
    peak_mb(pid).unwrap_or(0.0) + children(pid).into_iter().filter_map(peak_mb).sum::<f64>()
}

/// Ends a process and its children, who would outlive it: workers do not notice that their master was killed.
fn end(pid: u32) {
    let below = children(pid);
    kill(pid);
    below.into_iter().for_each(kill);
}

/// Seconds, user and system.
#[cfg(unix)]
fn cpu_of_children() -> (f64, f64) {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or((0.0, 0.0), |usage| {
        let seconds = |time: nix::sys::time::TimeVal| time.num_microseconds() as f64 / 1e6;
        (seconds(usage.user_time()), seconds(usage.system_time()))
    })
}

#[cfg(not(unix))]
fn cpu_of_children() -> (f64, f64) {
    (0.0, 0.0)
}

#[cfg(unix)]
fn kill(pid: u32) {
    use nix::sys::signal::{Signal, kill};
    if let Ok(pid) = i32::try_from(pid) {
        let _ = kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL);
    }
}

#[cfg(not(unix))]
fn kill(_pid: u32) {}
