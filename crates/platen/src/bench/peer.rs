//! Finds the programs to measure beside. What is not installed is named with the package that holds it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

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
