//! `platen discover RANGE…`: NDJSON, a line a device as it is found, the summary last.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::{Context, Result};
use serde::Serialize;
use snmp::sweep::{Found, Ipv4Range, SweepConfig, sweep};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use wire::plan::SnmpCredential;

use crate::cli::DiscoverArgs;
use crate::commands::read::{credentials, seconds};
use crate::exit::{Exit, UsageError};
use crate::printer::Printer;

/// Devices that are identified at the same time.
const IDENTIFY_AT_ONCE: usize = 64;

/// One device, as the contract prints it.
#[derive(Serialize)]
struct Line {
    address: String,
    snmp: &'static str,
    credential: usize,
    sys_object_id: Option<String>,
    description: Option<String>,
    vendor: Option<String>,
    model: Option<String>,
    serial: Option<String>,
}

#[derive(Serialize)]
struct Last {
    summary: Summary,
}

#[derive(Serialize)]
struct Summary {
    probed: u64,
    answered: u64,
    printers: u64,
    packets_sent: u64,
    seconds: f64,
}

/// Sweeps the ranges and identifies what answers.
pub async fn run(args: DiscoverArgs, printer: Printer) -> Result<Exit> {
    let credentials = credentials(&args.snmp, false);
    let ways = device::ways_in(&credentials).map_err(|error| UsageError(error.to_string()))?;
    let config = SweepConfig {
        targets: ranges(&args.ranges)?,
        exclude: Vec::new(),
        port: args.snmp.port,
        securities: ways.iter().map(|(_, security)| Arc::clone(security)).collect(),
        rate_pps: args.rate,
        retries: args.retries,
        timeout: seconds(args.timeout, "--timeout")?,
        progress: Arc::new(AtomicU64::new(0)),
    };
    let progress = show_progress(&config.progress, printer);
    let engine = snmp::Engine::start(snmp::EngineConfig::default()).context("cannot open a UDP socket")?;
    let (send, mut receive) = mpsc::channel(1_024);
    let sweeping = tokio::spawn(sweep(config, send));
    let mut identifying = JoinSet::new();
    let mut printers = 0;
    loop {
        tokio::select! {
            found = receive.recv(), if identifying.len() < IDENTIFY_AT_ONCE => match found {
                Some(found) => {
                    let place = ways.get(found.credential).map_or(0, |way| way.0);
                    let credential = credentials.get(place).cloned();
                    identifying.spawn(identify(engine.clone(), found, place, credential));
                }
                None => break,
            },
            Some(line) = identifying.join_next() => printers += print(printer, line?)?,
        }
    }
    while let Some(line) = identifying.join_next().await {
        printers += print(printer, line?)?;
    }
    progress.abort();
    printer.progress_done();
    let summary = sweeping.await?.context("the sweep failed")?;
    printer.line(&Last {
        summary: Summary {
            probed: summary.probed,
            answered: summary.answered,
            printers,
            packets_sent: summary.packets_sent,
            seconds: summary.seconds,
        },
    })?;
    Ok(Exit::Success)
}

fn print(printer: Printer, (line, is_printer): (Line, bool)) -> Result<u64> {
    printer.progress_done();
    printer.line(&line)?;
    Ok(u64::from(is_printer))
}

fn show_progress(sent: &Arc<AtomicU64>, printer: Printer) -> tokio::task::JoinHandle<()> {
    let sent = Arc::clone(sent);
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(250)).await;
            printer.progress(&format!("{} packets sent", sent.load(std::sync::atomic::Ordering::Relaxed)));
        }
    })
}

/// What a found address is. A device that answers no more questions is still listed, by what its first answer said.
async fn identify(engine: snmp::Engine, found: Found, place: usize, way: Option<SnmpCredential>) -> (Line, bool) {
    let object = found.sys_object_id.as_ref().map(ToString::to_string);
    let description = found.sys_descr.as_ref().map(|text| String::from_utf8_lossy(text).trim().to_owned());
    let guess = device::identify(found.sys_object_id.as_ref(), found.sys_descr.as_deref());
    let access = device::Access {
        credentials: way.into_iter().collect(),
        timeout: std::time::Duration::from_secs(5),
        ..device::Access::new(found.address)
    };
    let read = device::read_identity(&engine, &access).await.ok();
    let identity = read.unwrap_or_default();
    let is_printer = guess.is_printer || identity.serial.is_some();
    let line = Line {
        address: found.address.ip().to_string(),
        snmp: version_name(found.version),
        credential: place,
        sys_object_id: object,
        description: identity.description.or(description),
        vendor: identity.vendor.or(guess.vendor),
        model: identity.model.or(guess.model),
        serial: identity.serial,
    };
    (line, is_printer)
}

fn version_name(version: snmp::Version) -> &'static str {
    match version {
        snmp::Version::V1 => "v1",
        snmp::Version::V2c => "v2c",
        snmp::Version::V3 => "v3",
    }
}

fn ranges(texts: &[String]) -> Result<Vec<Ipv4Range>> {
    texts
        .iter()
        .map(|text| text.parse().map_err(|error: snmp::sweep::ParseRangeError| UsageError(error.to_string()).into()))
        .collect()
}
