//! The demo's agents: one a customer, each with its share of the devices. They enrol, find and read them as they would
//! real ones.

use std::net::SocketAddr;
use std::path::Path;

use agent::{AgentConfig, ByHand};
use anyhow::{Context, Result};
use platen_core::{AgentId, Platform, agents, users};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use wire::AgentPlan;
use wire::enrol::EnrolToken;
use wire::plan::SnmpCredential;

use super::{EMAIL, HARDENED, V3_USER, address, customer_org, customers, past};
use crate::{cli::DemoArgs, doors::Doors, site};

/// A customer whose devices an agent reads.
struct Ward {
    config: AgentConfig,
    first: u32,
    last: u32,
}

/// Starts all agents, after they have read what their devices lived through before.
pub async fn start(
    platform: &Platform,
    doors: &Doors,
    args: &DemoArgs,
    folder: &Path,
    fleet: &vmfp::Fleet,
    stop: &CancellationToken,
) -> Result<Vec<JoinHandle<()>>> {
    let (mut wards, mut by_hand) = (Vec::new(), Vec::new());
    for (customer, first, last) in customers(args.devices) {
        let data = folder.join("agents").join(slug(customer));
        let is_new = !data.exists();
        let ward = prepare(platform, doors, customer, &data, (first, last)).await?;
        // In a kept folder the past is there already.
        if is_new && fleet.now() < vmfp::Instant::START {
            let at = |number| SocketAddr::from((address(number), fleet.snmp_port()));
            by_hand.push((ByHand::open(&ward.config, credentials()?).await?, (first..=last).map(at).collect()));
        }
        wards.push(ward);
    }
    past::live(fleet, &by_hand, platform.system("the demo's past").now.as_millis()).await?;
    drop(by_hand);
    let mut started = Vec::new();
    for ward in wards {
        started.push(begin(platform, args, fleet, ward, stop.clone()).await?);
    }
    Ok(started)
}

/// Makes the customer and invites its agent, unless a kept folder has both.
async fn prepare(
    platform: &Platform,
    doors: &Doors,
    customer: &str,
    data: &Path,
    (first, last): (u32, u32),
) -> Result<Ward> {
    let ctx = users::ctx_local(platform, EMAIL).await?;
    let org = customer_org(&ctx, customer).await?;
    let ctx = users::ctx_local(platform, EMAIL).await?;
    let invitation = if data.exists() { None } else { Some(agents::invite(&ctx, org).await?) };
    site::make_folder(data)?;
    let token =
        invitation.map(|made| EnrolToken { secret: made.secret.expose().to_owned(), ca_pin: Some(doors.ca_pin()) });
    let config = AgentConfig {
        data: data.to_owned(),
        server: Some(doors.gateway_url().to_owned()),
        enrol: token.map(|token| token.to_text()),
        name: Some(slug(customer)),
        trap_listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        ..AgentConfig::default()
    };
    Ok(Ward { config, first, last })
}

/// Lets an agent run, gives it its plan, and tells the devices where traps go.
async fn begin(
    platform: &Platform,
    args: &DemoArgs,
    fleet: &vmfp::Fleet,
    ward: Ward,
    stop: CancellationToken,
) -> Result<JoinHandle<()>> {
    let (send, running) = tokio::sync::oneshot::channel();
    let Ward { config, first, last } = ward;
    let task = tokio::spawn(async move {
        if let Err(error) = agent::run(config, move |running| drop(send.send(running)), stop).await {
            tracing::error!(%error, "an agent of the demo ended");
        }
    });
    let running = running.await.context("an agent of the demo did not start; -v says why")?;
    let ctx = users::ctx_local(platform, EMAIL).await?;
    let id = AgentId(uuid::Uuid::from_bytes(running.agent.0));
    let revision = agents::plan(&ctx, id).await?.revision;
    let range = format!("{}-{}:{}", address(first), address(last), fleet.snmp_port());
    agents::set_plan(&ctx, id, plan(range, args.devices, revision)?).await?;
    running.traps.into_iter().flat_map(|to| traps(first, last, to)).for_each(|target| fleet.send_traps(target));
    Ok(task)
}

/// Where devices send their traps: hardened ones by SNMPv3, the others as printers do out of the box.
fn traps(first: u32, last: u32, to: SocketAddr) -> Vec<vmfp::TrapTarget> {
    let target = |from, until, form| vmfp::TrapTarget { to, form, devices: Some((address(from), address(until))) };
    let (user, _) = V3_USER.split_once(':').unwrap_or((V3_USER, ""));
    let (mut targets, mut from) = (Vec::new(), first);
    for number in HARDENED.into_iter().filter(|number| (first..=last).contains(number)) {
        if number > from {
            targets.push(target(from, number - 1, vmfp::TrapForm::V2c));
        }
        targets.push(target(number, number, vmfp::TrapForm::V3(user.to_owned())));
        from = number + 1;
    }
    if from <= last {
        targets.push(target(from, last, vmfp::TrapForm::V2c));
    }
    targets
}

/// The user of hardened devices, as a person would enter him in the plan.
fn v3_credential() -> Result<SnmpCredential> {
    let words: Vec<String> = V3_USER.split(':').map(str::to_owned).collect();
    let Ok([user, auth, auth_pass, privacy, privacy_pass]) = <[String; 5]>::try_from(words) else {
        anyhow::bail!("the demo's SNMPv3 user has five parts");
    };
    let (auth, auth_pass) = (Some(auth), Some(auth_pass));
    Ok(SnmpCredential::Usm { user, auth, auth_pass, privacy: Some(privacy), privacy_pass: Some(privacy_pass) })
}

/// Communities and users, as a person would enter them in the plan.
fn credentials() -> Result<Vec<SnmpCredential>> {
    Ok(vec![SnmpCredential::community("public"), v3_credential()?])
}

/// Quick enough to watch; a large fleet is polled less often, so that a laptop stays cool.
fn plan(range: String, devices: u32, revision: u64) -> Result<AgentPlan> {
    let status_s = (devices / 100).clamp(3, 60);
    Ok(AgentPlan {
        revision,
        ranges: vec![range],
        credentials: credentials()?,
        status_s,
        meters_s: status_s * 3,
        full_s: status_s * 20,
        discovery_s: 600,
        discovery_pps: 2_000,
        ..AgentPlan::default()
    })
}

fn slug(name: &str) -> String {
    name.to_lowercase().replace(' ', "-")
}
