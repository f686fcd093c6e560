//! `platen read ADDRESS` and `platen read --walk FILE`: one device, as the contract prints it, or as people like it.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use device::profile;
use wire::plan::SnmpCredential;
use wire::{Level, Reading, SnmpVersion};

use crate::cli::{AuthAlgorithm, PrivAlgorithm, ReadArgs, SnmpArgs};
use crate::exit::{Exit, UsageError};
use crate::printer::Printer;

/// Reads once and prints.
pub async fn run(args: ReadArgs, printer: Printer) -> Result<Exit> {
    if let Some(profile) = &args.profile
        && !try_profile(profile, printer)?
    {
        return Ok(Exit::Failed);
    }
    let reading = match &args.walk {
        Some(walk) => {
            device::assemble(&device::load_recording(walk)?, device::Origin::new("127.0.0.1", 161, SnmpVersion::V2c))
        }
        None => over_the_network(&args).await?,
    };
    if printer.is_json() {
        printer.document(&reading)?;
    } else {
        show(&reading, printer);
    }
    Ok(Exit::Success)
}

async fn over_the_network(args: &ReadArgs) -> Result<Reading> {
    let timeout = seconds(args.timeout, "--timeout")?;
    let address = args.address.as_deref().unwrap_or_default();
    let access = device::Access {
        address: resolve(address, args.snmp.port).await?,
        credentials: credentials(&args.snmp, args.v3),
        version: version(args.v1, args.v2c, args.v3),
        context: args.context.clone(),
        timeout,
    };
    let engine = snmp::Engine::start(snmp::EngineConfig::default()).context("cannot open a UDP socket")?;
    Ok(device::read(&engine, &access).await?.reading)
}

/// Puts a profile into use, if nothing is wrong with it.
fn try_profile(file: &Path, printer: Printer) -> Result<bool> {
    let findings = profile::check(file)?;
    for finding in &findings {
        printer.note(&format!("{}: {finding}", file.display()));
    }
    if findings.is_empty() {
        profile::Catalogue::embedded().with_file(file)?.install();
    }
    Ok(findings.is_empty())
}

/// A time given in seconds, fractions allowed.
pub fn seconds(value: f64, flag: &str) -> Result<Duration> {
    let bounded = (0.01..=3_600.0).contains(&value);
    let wrong = || UsageError(format!("{flag} is {value}; give seconds from 0.01 to 3600"));
    if bounded { Ok(Duration::from_secs_f64(value)) } else { Err(wrong().into()) }
}

/// The credentials that the flags name, in their order.
pub fn credentials(args: &SnmpArgs, only_usm: bool) -> Vec<SnmpCredential> {
    let usm = args.user.as_ref().map(|user| SnmpCredential::Usm {
        user: user.clone(),
        auth: args.auth.map(auth_name).map(str::to_owned),
        auth_pass: args.auth_pass.clone(),
        privacy: args.privacy.map(privacy_name).map(str::to_owned),
        privacy_pass: args.privacy_pass.clone(),
    });
    let communities = args.communities.iter().map(|name| SnmpCredential::community(name));
    match usm {
        Some(usm) if only_usm => vec![usm],
        Some(usm) => std::iter::once(usm).chain(communities).collect(),
        None => communities.collect(),
    }
}

fn auth_name(algorithm: AuthAlgorithm) -> &'static str {
    match algorithm {
        AuthAlgorithm::Md5 => "md5",
        AuthAlgorithm::Sha1 => "sha1",
        AuthAlgorithm::Sha224 => "sha224",
        AuthAlgorithm::Sha256 => "sha256",
        AuthAlgorithm::Sha384 => "sha384",
        AuthAlgorithm::Sha512 => "sha512",
    }
}

fn privacy_name(algorithm: PrivAlgorithm) -> &'static str {
    match algorithm {
        PrivAlgorithm::Des => "des",
        PrivAlgorithm::Aes128 => "aes128",
        PrivAlgorithm::Aes192 => "aes192",
        PrivAlgorithm::Aes256 => "aes256",
    }
}

/// The version that the flags name.
pub fn version(v1: bool, v2c: bool, v3: bool) -> Option<SnmpVersion> {
    match (v1, v2c, v3) {
        (true, _, _) => Some(SnmpVersion::V1),
        (_, true, _) => Some(SnmpVersion::V2c),
        (_, _, true) => Some(SnmpVersion::V3),
        _ => None,
    }
}

/// The address of a host, by its name if need be.
pub async fn resolve(host: &str, port: u16) -> Result<SocketAddr> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(address, port));
    }
    let mut found = tokio::net::lookup_host((host, port))
        .await
        .with_context(|| format!("no address is known for `{host}`; give its IP address, or check the name"))?;
    found.next().with_context(|| format!("the name `{host}` has no address"))
}

fn show(reading: &Reading, printer: Printer) {
    let identity = &reading.identity;
    let title =
        [identity.vendor.as_deref(), identity.model.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    printer.text(&printer.bold(if title.is_empty() { "unknown device" } else { &title }));
    let facts = [
        ("serial", identity.serial.as_deref()),
        ("name", identity.name.as_deref()),
        ("place", identity.location.as_deref()),
        ("mac", identity.mac.as_deref()),
    ];
    for (word, value) in facts.into_iter().filter_map(|(word, value)| value.map(|value| (word, value))) {
        printer.text(&format!("{word:<8}{value}"));
    }
    printer.text(&format!("{:<8}{}", "state", reading.status.state.as_str()));
    if !reading.status.reasons.is_empty() {
        printer.text(&format!("{:<8}{}", "because", reading.status.reasons.join(", ")));
    }
    if let Some(console) = &reading.status.console {
        printer.text(&format!("{:<8}{console}", "panel"));
    }
    show_supplies(reading, printer);
    show_meters(reading, printer);
    printer.text(&printer.dim(&format!("\n{} port {} by {}", reading.address, reading.port, reading.snmp.as_str())));
}

fn show_supplies(reading: &Reading, printer: Printer) {
    if reading.supplies.is_empty() {
        return;
    }
    printer.text("");
    let rows: Vec<Vec<String>> = reading
        .supplies
        .iter()
        .map(|supply| {
            vec![
                supply.description.clone().unwrap_or_else(|| supply.kind.clone()),
                bar(supply.level),
                level(supply.level),
            ]
        })
        .collect();
    printer.table(&["Supply", "", "Left"], &rows, &[2]);
}

fn show_meters(reading: &Reading, printer: Printer) {
    if reading.meters.is_empty() {
        return;
    }
    printer.text("");
    let rows: Vec<Vec<String>> = reading
        .meters
        .iter()
        .map(|meter| {
            let words = [meter.function.as_str(), meter.color.as_str(), meter.size.as_str(), meter.sides.as_str()];
            let name = meter.name.clone().unwrap_or_default();
            let mut row: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            row.extend([meter.value.to_string(), meter.unit.as_str().to_owned(), name]);
            row
        })
        .collect();
    printer.table(&["Function", "Colour", "Size", "Sides", "Count", "Unit", "Name"], &rows, &[4]);
}

fn bar(level: Level) -> String {
    let Some(percent) = level.percent() else { return "[··········]".to_owned() };
    let filled = (0..10).filter(|step| percent > f64::from(*step) * 10.0).count();
    format!("[{}{}]", "#".repeat(filled), " ".repeat(10 - filled))
}

fn level(level: Level) -> String {
    match level {
        Level::Percent { value } => format!("{value:.0} %"),
        Level::SomeRemaining => "some left".to_owned(),
        Level::Unknown => "unknown".to_owned(),
        Level::Unrestricted => "unlimited".to_owned(),
        Level::Staged { value, steps } => format!("step {value} of {steps}"),
    }
}
