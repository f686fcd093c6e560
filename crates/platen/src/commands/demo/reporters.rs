//! Devices of the demo that report by themselves: registered as a provider would, claimed as a technician would.

use std::path::Path;

use anyhow::{Context, Result};
use platen_core::monitors::{self, MonitorQuery, NewMonitor};
use platen_core::{Ctx, MonitorId, OrgId};
use wire::hello::Road;
use wire::monitor::Kind;

use crate::doors::Doors;

/// How many of so many devices: the last four, one on each road, fewer in a small demo, whose agents must have some too.
pub fn count(devices: u32) -> u32 {
    match devices {
        0..10 => 0,
        10..18 => 2,
        _ => vmfp::ROADS.len() as u32,
    }
}

/// Often enough to watch; the usual periods are hours and weeks.
const PERIODS: [(Kind, u32); 5] =
    [(Kind::Billing, 60), (Kind::Detailed, 300), (Kind::Parts, 300), (Kind::Environment, 120), (Kind::Inquiry, 60)];

/// Registers the last devices of the fleet and lets them report.
pub async fn start(
    ctx: &Ctx,
    org: OrgId,
    doors: &Doors,
    fleet: &vmfp::Fleet,
    keep: &Path,
    reporting: u32,
) -> Result<()> {
    let (mut claims, mut documents) = (Vec::new(), Vec::new());
    let last = fleet.devices().into_iter().rev().take(reporting as usize);
    for (device, (_, road)) in last.zip(vmfp::ROADS) {
        let (id, code, fresh) = register(ctx, org, &device).await?;
        for (kind, period) in PERIODS {
            monitors::set_period(ctx, id, kind, Some(period)).await?;
        }
        // One of them reaches nothing but mail: what it needs is carried to it.
        if fresh && road == Road::Mail {
            documents.push(monitors::activation(ctx, id, road).await?);
        } else {
            claims.push(vmfp::Claim { serial: device.serial, code, road });
        }
    }
    let ca_pem = std::fs::read(doors.ca_path()).context("cannot read the gateway's CA")?;
    let (server, keep) = (doors.gateway_url().to_owned(), Some(keep.to_owned()));
    fleet
        .report_to(&vmfp::Reports { server, ca_pem, claims, documents, keep, proxy: None })
        .context("devices cannot report by themselves")
}

/// In a folder that was kept the device is registered already, and once it was tested its key is known: neither claim nor
/// document is needed. Tells the claim code, and whether the device still has to prove it.
async fn register(ctx: &Ctx, org: OrgId, device: &vmfp::DeviceInfo) -> Result<(MonitorId, String, bool)> {
    let known = monitors::list(ctx, &MonitorQuery::default()).await?;
    let known = known.items.into_iter().find(|monitor| monitor.serial == device.serial);
    let made = match known {
        Some(monitor) if monitor.hello_at.is_some() => return Ok((monitor.id, "used".to_owned(), false)),
        Some(monitor) => monitors::new_claim(ctx, monitor.id).await?,
        None => {
            let (vendor, serial, model) = (device.vendor.clone(), device.serial.clone(), Some(device.model.clone()));
            monitors::register(ctx, org, &NewMonitor { vendor, serial, model }).await?
        }
    };
    Ok((made.monitor.id, made.claim.expose().to_owned(), true))
}
