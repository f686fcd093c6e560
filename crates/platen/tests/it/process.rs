//! Starts `platen` in its roles and ends it by process id, whatever happens to the test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// For what happens for sure, however busy the machine is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

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
        while start.elapsed() < PATIENCE {
            if let Ok(bytes) = std::fs::read(ready_file) {
                return serde_json::from_slice(&bytes).unwrap();
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("platen ended with {status} before it was ready:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("platen was not ready within {} s:\n{}", PATIENCE.as_secs(), self.log());
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

/// A UDP port for one test, see [`own_port`].
pub(crate) fn free_udp_port() -> u16 {
    own_port(|port| std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok())
}

/// A TCP port for one test, which stays its own while a server on it is killed and started again; see [`own_port`].
pub(crate) fn free_tcp_port() -> u16 {
    own_port(|port| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok())
}

/// A free port below those that the system gives to whoever asks for any: other tests take thousands of them, and
/// would take one that is left for a moment. Tests are processes, so each begins elsewhere.
fn own_port(free: impl Fn(u16) -> bool) -> u16 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    loop {
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let place = std::process::id().wrapping_mul(37).wrapping_add(number) % 10_000;
        let port = u16::try_from(20_000 + place).unwrap();
        if free(port) {
            return port;
        }
    }
}
