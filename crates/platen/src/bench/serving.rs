//! What programs under test talk to: loads of virtual devices, and servers that are no load of ours.

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::de::DeserializeOwned;

use super::process::{Core, Running, await_file, command, line, role};
use super::role::Loaded;
use super::scene::Scene;

/// Longest life of a server.
const SERVER: Duration = Duration::from_secs(1_800);

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
    Recording(PathBuf),
}

impl Model {
    /// The recording of a large printer if the shared recordings are there, else a description of one.
    pub(super) fn large() -> Self {
        let roots = std::env::var_os("PLATEN_SHARED").map(PathBuf::from).into_iter();
        let roots = roots.chain(["shared", "../shared"].map(PathBuf::from));
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
