//! The demo's past. The virtual devices are born weeks before the present and live through these weeks at once; the
//! agents, whose line is still down, read them meanwhile, each reading dated as if they had waited for it. Once they run
//! they deliver all of it through the same door as every report after it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use agent::ByHand;
use anyhow::{Context, Result};
use platen_core::Micros;

const HOUR: i64 = 3_600_000;
const DAYS: i64 = 60;
/// At the end readings are closer, so that charts by the hour have something to show.
const CLOSE_DAYS: i64 = 2;
/// Larger demos would take too long to begin: their devices start at the present.
const MOST_DEVICES: u32 = 50;

/// How long a demo of so many devices has been lived before it begins.
pub fn length(devices: u32) -> Duration {
    let days = if devices <= MOST_DEVICES { DAYS } else { 0 };
    Duration::from_millis((days * 24 * HOUR).unsigned_abs())
}

/// The first midnight (UTC) behind the first readings; `None` where there is no past.
pub fn begins(devices: u32, now: Micros) -> Option<Micros> {
    let day = 24 * HOUR * 1_000;
    let first = now.0 - (DAYS - 1) * day;
    (!length(devices).is_zero()).then(|| Micros(first - first.rem_euclid(day) + day))
}

/// The same for people; nothing where there is no past.
pub fn told(devices: u32) -> String {
    let days = length(devices).as_secs() / 86_400;
    if days == 0 { String::new() } else { format!("The agents read them for {days} days before this, at once. ") }
}

/// Lets the devices live up to the present; these agents read them on the way.
pub async fn live(fleet: &vmfp::Fleet, agents: &[(ByHand, Vec<SocketAddr>)], now_ms: i64) -> Result<()> {
    if fleet.now() < vmfp::Instant::START && !agents.is_empty() {
        for before in moments() {
            skip_to(fleet, -before);
            for (agent, addresses) in agents {
                let on: Vec<SocketAddr> = addresses.iter().copied().filter(|address| is_on(fleet, *address)).collect();
                agent.read(&on, now_ms - before).await.context("an agent of the demo cannot keep its readings")?;
            }
        }
    }
    skip_to(fleet, 0);
    Ok(())
}

/// Whether a device is on: who is off gives no answer, and nobody waits for it.
fn is_on(fleet: &vmfp::Fleet, address: SocketAddr) -> bool {
    let IpAddr::V4(address) = address.ip() else { return false };
    fleet.truth(address).is_ok_and(|truth| truth.state != vmfp::TrueState::Off)
}

/// Milliseconds before the present at which is read: once a day, in the last days every three hours.
fn moments() -> impl Iterator<Item = i64> {
    let daily = (CLOSE_DAYS + 1..DAYS).rev().map(|day| day * 24 * HOUR);
    daily.chain((1..=8 * CLOSE_DAYS).rev().map(|part| part * 3 * HOUR))
}

fn skip_to(fleet: &vmfp::Fleet, millis: i64) {
    let ahead = u64::try_from(millis - fleet.now().millis()).unwrap_or(0);
    fleet.skip(Duration::from_millis(ahead));
}
