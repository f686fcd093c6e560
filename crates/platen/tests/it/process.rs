//! Starts `platen` in its roles and ends it by process id, whatever happens to the test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A running `platen`, with what its ready file said.
pub(crate) struct Platen {
    child: Child,
    pub(crate) ready: Value,
    log: PathBuf,
}

impl Platen {
    /// Starts a role that writes a ready file and waits for it.
    pub(crate) fn start(folder: &Path, name: &str, arguments: &[&str]) -> Self {
        let ready_file = folder.join(format!("{name}.ready.json"));
        drop(std::fs::remove_file(&ready_file));
        let log = folder.join(format!("{name}.log"));
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_platen"))
            .args(arguments)
            .arg("--ready-file")
            .arg(&ready_file)
            .env("RUST_BACKTRACE", "1")
            .env_remove("PLATEN_DATA")
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .unwrap();
        let mut platen = Self { child, ready: Value::Null, log };
        platen.ready = platen.wait_for(&ready_file);
        platen
    }

    fn wait_for(&mut self, ready_file: &Path) -> Value {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) {
            if let Ok(bytes) = std::fs::read(ready_file) {
                return serde_json::from_slice(&bytes).unwrap();
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("platen ended with {status} before it was ready:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("platen was not ready within 60 s:\n{}", self.log());
    }

    /// What it printed so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// A field of the ready file.
    pub(crate) fn url(&self, door: &str) -> String {
        self.ready[door].as_str().unwrap_or_else(|| panic!("no {door} in {}", self.ready)).to_owned()
    }

    /// kill -9, as a power cut does it.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; the time until it was gone.
    pub(crate) fn stop(mut self) -> Duration {
        let start = Instant::now();
        assert!(Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap().success());
        self.child.wait().unwrap();
        start.elapsed()
    }
}

impl Drop for Platen {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs a command to its end.
pub(crate) fn platen(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_platen"))
        .args(arguments)
        .env_remove("PLATEN_DATA")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Runs a command with something on its standard input.
pub(crate) fn platen_with_input(arguments: &[&str], input: &str) -> std::process::Output {
    use std::io::Write;
    let mut child = Command::new(env!("CARGO_BIN_EXE_platen"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// A UDP port that was free a moment ago.
pub(crate) fn free_udp_port() -> u16 {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
