//! Finds the programs to measure beside. What is not installed is named with the package that holds it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::process::line;
use super::role::Range;
use super::scene::Scene;

/// An asynchronous poller on libsnmp, in C.
const LIBSNMP_POLLER: &str = include_str!("peers/libsnmp_poll.c");

/// A program on the search path.
pub(super) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A program on the search path, or what to install.
pub(super) fn installed(name: &str, package: &str) -> Result<OsString, String> {
    on_path(name).map(PathBuf::into_os_string).ok_or_else(|| format!("{name} not found, so not measured ({package})"))
}

/// The poller on async-snmp: beside our own binary as cargo leaves examples, or in `PLATEN_BENCH_PEERS`.
pub(super) fn async_snmp() -> Result<OsString, String> {
    const NAME: &str = "peer_async_snmp";
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("examples")));
    let folders = std::env::var_os("PLATEN_BENCH_PEERS").map(PathBuf::from).into_iter().chain(beside);
    let found = folders.map(|folder| folder.join(NAME)).find(|file| file.is_file());
    found.map(PathBuf::into_os_string).ok_or_else(|| {
        format!("async-snmp not built, so not measured (cargo build --release -p platen-snmp --example {NAME})")
    })
}

/// Builds the poller on libsnmp.
pub(super) fn libsnmp(scene: &Scene) -> Result<OsString, String> {
    let missing = || "libsnmp not found, so not measured (apt install libsnmp-dev gcc)".to_owned();
    let (source, program) = (scene.path("libsnmp_poll.c"), scene.path("libsnmp_poll"));
    std::fs::write(&source, LIBSNMP_POLLER).map_err(|error| format!("libsnmp not measured: {error}"))?;
    let mut compile = Command::new("cc");
    compile.arg("-O2").arg("-o").arg(&program).arg(&source).arg("-lnetsnmp").stdin(Stdio::null());
    let done = compile.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if done.is_ok_and(|status| status.success()) { Ok(program.into_os_string()) } else { Err(missing()) }
}

/// A program of net-snmp started for one device after the other; `xargs` does that with next to no cost of its own.
pub(super) fn one_by_one(
    scene: &Scene,
    program: &str,
    devices: Range,
    options: &[&str],
    objects: &[&str],
) -> Result<Vec<OsString>, String> {
    let (program, xargs) = (installed(program, "apt install snmp")?, installed("xargs", "apt install findutils")?);
    let list = scene.path("devices.list");
    let text: String = devices.addresses().flat_map(|address| [address.to_string(), "\n".to_owned()]).collect();
    std::fs::write(&list, text).map_err(|error| format!("{} not measured: {error}", program.to_string_lossy()))?;
    let mut words = vec![xargs, "-a".into(), list.into_os_string(), "-I{}".into(), program];
    words.extend(line(options));
    words.extend(line(["-Onq", "-m", "", "{}"]));
    words.extend(line(objects));
    Ok(words)
}
