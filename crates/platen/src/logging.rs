//! Logs: pretty on a terminal, JSON when `PLATEN_LOG_FORMAT=json`; always on stderr.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging. `default` is the level of our own crates when `RUST_LOG` says nothing.
pub fn start(verbose: u8, default: &str) {
    let level = match verbose {
        0 => default,
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let ours = ["platen", "agent", "gateway", "web", "platen_core", "store", "device", "snmp", "vmfp"];
    let directives = ours.map(|name| format!("{name}={level}")).join(",");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("warn,{directives}")));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    let started = if std::env::var("PLATEN_LOG_FORMAT").is_ok_and(|format| format == "json") {
        builder.json().try_init()
    } else {
        builder.with_target(true).try_init()
    };
    // A second start happens only in tests; the first one stands.
    drop(started);
}
