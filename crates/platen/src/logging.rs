//! Logs: pretty on a terminal, JSON when `PLATEN_LOG_FORMAT=json`; always on stderr. An agent keeps the end of its own.

use std::io::IsTerminal;

use agent::LogTail;
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry, filter::filter_fn, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

/// What an agent may send of its log: its own words and those of what it reads devices with.
const OF_AGENT: [&str; 3] = ["agent", "device", "snmp"];

/// Starts logging. `default` is the level of our own crates when `RUST_LOG` says nothing; `tail` keeps what an agent logged
/// last.
pub fn start(verbose: u8, default: &str, tail: Option<LogTail>) {
    let level = match verbose {
        0 => default,
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let ours = ["platen", "agent", "gateway", "web", "platen_core", "store", "device", "snmp", "vmfp"];
    let directives = ours.map(|name| format!("{name}={level}")).join(",");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(format!("warn,{directives}")));
    let shown = fmt::layer::<Registry>().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let shown = if std::env::var("PLATEN_LOG_FORMAT").is_ok_and(|format| format == "json") {
        shown.json().boxed()
    } else {
        shown.with_target(true).boxed()
    };
    let kept = tail.map(|tail| {
        let layer = fmt::layer().with_ansi(false).with_writer(move || tail.clone());
        layer.with_filter(filter_fn(|meta| OF_AGENT.iter().any(|name| meta.target().starts_with(name))))
    });
    // A second start happens only in tests; the first one stands.
    drop(tracing_subscriber::registry().with(shown).with(kept).with(filter).try_init());
}
