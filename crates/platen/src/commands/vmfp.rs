//! `platen vmfp`: virtual devices until Ctrl-C.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wire::Activation;
use wire::hello::Road;

use crate::cli::VmfpArgs;
use crate::exit::{Exit, UsageError};
use crate::printer::Printer;
use crate::{ready, shutdown};

/// Starts them, says where they are, waits.
pub async fn run(args: VmfpArgs, printer: Printer) -> Result<Exit> {
    if args.profile.as_deref() == Some("list") {
        printer.text(&vmfp::profile_names().join("\n"));
        return Ok(Exit::Success);
    }
    let config = vmfp::FleetConfig {
        devices: devices(&args)?,
        snmp_port: args.snmp_port,
        ipp_port: args.ipp_port,
        http_port: args.http_port,
        seed: args.seed,
        speed: args.speed,
        walk_base: args.base,
        v3_users: args.v3_users.iter().map(|user| user.0.clone()).collect(),
        traps: args
            .trap_to
            .map(|to| vmfp::TrapTarget { form: args.trap_form.clone(), ..vmfp::TrapTarget::new(to) })
            .into_iter()
            .collect(),
        reports: reports(&args)?,
        ..vmfp::FleetConfig::default()
    };
    let fleet = vmfp::start(config).await.context("the virtual devices do not start")?;
    let file = fleet.ready_file();
    if args.v3_only {
        file.devices.iter().try_for_each(|device| fleet.fault(device.address, vmfp::Fault::V3Only))?;
    }
    if let Some(path) = &args.ready_file {
        ready::write(path, &file)?;
    }
    if printer.is_json() {
        printer.line(&file)?;
    } else {
        printer.text(&format!("{} devices from {} on UDP port {}", file.devices.len(), args.base, args.snmp_port));
        printer.text("Ctrl-C ends them");
    }
    shutdown::on_signal().cancelled().await;
    fleet.stop().await;
    Ok(Exit::Success)
}

/// What the flags say of devices that report by themselves.
fn reports(args: &VmfpArgs) -> Result<Option<vmfp::Reports>> {
    let (Some(server), Some(ca)) = (&args.report_to, &args.ca) else { return Ok(None) };
    if args.claims.is_none() && args.activate.is_empty() {
        return Err(UsageError("--report-to needs devices: give --claims or --activate".to_owned()).into());
    }
    let ca_pem = std::fs::read(ca).with_context(|| format!("cannot read the CA {}", ca.display()))?;
    Ok(Some(vmfp::Reports {
        server: server.clone(),
        ca_pem,
        claims: args.claims.as_deref().map(|file| claims(file, args.road)).transpose()?.unwrap_or_default(),
        documents: documents(&args.activate)?,
        keep: args.keep.clone(),
        proxy: args.proxy.clone(),
    }))
}

/// What technicians typed, line by line.
fn claims(file: &Path, road: Road) -> Result<Vec<vmfp::Claim>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let read = vmfp::Claim::read_all(&text, road);
    Ok(read.map_err(|wrong| UsageError(format!("{}: {wrong}", file.display())))?)
}

/// What installers carried: files, and all files of folders.
fn documents(places: &[PathBuf]) -> Result<Vec<Activation>> {
    let mut files = Vec::new();
    for place in places {
        if !place.is_dir() {
            files.push(place.clone());
            continue;
        }
        let unread = || format!("cannot read the folder {}", place.display());
        for entry in std::fs::read_dir(place).with_context(unread)? {
            files.push(entry.with_context(unread)?.path());
        }
    }
    let read = |file: &PathBuf| {
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(vmfp::activation(&bytes).map_err(|wrong| UsageError(format!("{}: {wrong}", file.display())))?)
    };
    files.iter().map(read).collect()
}

fn devices(args: &VmfpArgs) -> Result<vmfp::Devices> {
    Ok(match (&args.profile, args.walk.is_empty(), args.fleet) {
        (Some(name), ..) => vmfp::Devices::Profile { name: name.clone(), count: 1, base: args.base },
        (None, false, _) => vmfp::Devices::Walks(args.walk.clone()),
        (None, true, Some(0)) => return Err(UsageError("--fleet 0 is no fleet".to_owned()).into()),
        (None, true, count) => vmfp::Devices::Fleet { count: count.unwrap_or(25), base: args.base },
    })
}
