//! Places that the plan or an announcement names singly: host names become addresses, what is excluded is left out.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::task::JoinSet;
use wire::AgentPlan;
use wire::places::{Span, part_port};
use wire::plan::Target;
use wire::report::MAX_SIGHTINGS;

use super::dns_sd::Advertised;
use super::exclusion::Forbidden;
use super::ranges::SNMP_PORT;

/// Names that are looked up at the same time.
const AT_ONCE: usize = 16;
/// Longest look-up of a name.
const PATIENCE: Duration = Duration::from_secs(5);

/// Places to ask first, each once.
#[derive(Debug, Default)]
pub(crate) struct Named {
    pub(crate) places: Vec<SocketAddr>,
    seen: HashSet<SocketAddr>,
    /// Cards as lists had them: evidence for devices that tell none.
    cards: HashMap<SocketAddr, String>,
    /// Places that must not be asked.
    pub(crate) forbidden: u64,
    /// Names without an address.
    pub(crate) unresolved: Vec<String>,
}

impl Named {
    /// The targets of a plan. A name that has several addresses is asked at the first one, IPv4 before IPv6.
    pub(crate) async fn targets(&mut self, targets: &[Target], forbidden: &Forbidden) {
        let mut lookups: JoinSet<(Target, Option<SocketAddr>)> = JoinSet::new();
        for target in targets {
            let Some((host, port)) = part_port(&target.host) else { continue };
            let port = port.unwrap_or(SNMP_PORT);
            if let Ok(address) = host.parse::<IpAddr>() {
                self.add(SocketAddr::new(address, port), target.mac.as_deref(), forbidden);
                continue;
            }
            if lookups.len() >= AT_ONCE
                && let Some(Ok((target, address))) = lookups.join_next().await
            {
                self.looked_up(&target, address, forbidden);
            }
            let (host, target) = (host.to_owned(), target.clone());
            lookups.spawn(async move { (target, look_up(&host, port).await) });
        }
        while let Some(done) = lookups.join_next().await {
            if let Ok((target, address)) = done {
                self.looked_up(&target, address, forbidden);
            }
        }
    }

    /// What announced itself, at the port that a range of the plan names for its address, else at that of SNMP.
    pub(crate) fn advertised(&mut self, found: &[Advertised], plan: &AgentPlan, forbidden: &Forbidden) {
        let ranges: Vec<Span> = plan.ranges.iter().filter_map(|text| text.parse().ok()).collect();
        for mut place in found.iter().filter_map(place_of) {
            let port = ranges.iter().filter(|range| range.holds(place.ip())).find_map(|range| range.port);
            place.set_port(port.unwrap_or(SNMP_PORT));
            self.add(place, None, forbidden);
        }
    }

    fn looked_up(&mut self, target: &Target, address: Option<SocketAddr>, forbidden: &Forbidden) {
        match address {
            Some(address) => self.add(address, target.mac.as_deref(), forbidden),
            None if self.unresolved.len() < MAX_SIGHTINGS => self.unresolved.push(target.host.clone()),
            None => {}
        }
    }

    /// Adds one address, unless the plan forbids it.
    pub(crate) fn add(&mut self, address: SocketAddr, mac: Option<&str>, forbidden: &Forbidden) {
        if let Some(mac) = mac {
            self.cards.insert(address, mac.to_owned());
        }
        if !self.seen.insert(address) {
            return;
        }
        if forbidden.is(address, mac) {
            self.forbidden += 1;
        } else {
            self.places.push(address);
        }
    }

    /// The card that a list had for an address.
    pub(crate) fn card_at(&self, address: SocketAddr) -> Option<&str> {
        self.cards.get(&address).map(String::as_str)
    }
}

/// Where a host that announced itself is asked: at its IPv4 address, else at its IPv6 address.
pub(crate) fn place_of(host: &Advertised) -> Option<SocketAddr> {
    let reachable = |address: &&IpAddr| !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let v4 = host.addresses.iter().find(|address| address.is_ipv4());
    v4.or_else(|| host.addresses.iter().find(reachable)).map(|address| SocketAddr::new(*address, SNMP_PORT))
}

async fn look_up(host: &str, port: u16) -> Option<SocketAddr> {
    let found = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, port))).await.ok()?.ok()?;
    let mut found: Vec<SocketAddr> = found.collect();
    found.sort_by_key(|address| address.is_ipv6());
    found.first().copied()
}
