//! What the plan forbids to ask, for every road to a device: sweeps, single places, announcements, polling.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use wire::AgentPlan;
use wire::places::{Exclusions, Mac};

use super::neighbours::Neighbours;

/// The exclusions of the present plan; shared.
#[derive(Debug)]
pub(crate) struct Forbidden {
    plan: watch::Receiver<AgentPlan>,
    /// As they were read last, with the texts that they were read from.
    read: Mutex<(Vec<String>, Arc<Exclusions>)>,
    /// Where devices with excluded cards were met under these texts.
    shunned: Mutex<HashSet<IpAddr>>,
    neighbours: Neighbours,
}

impl Forbidden {
    pub(crate) fn new(plan: watch::Receiver<AgentPlan>) -> Self {
        Self { plan, read: Mutex::default(), shunned: Mutex::default(), neighbours: Neighbours::default() }
    }

    /// The rules of the present plan.
    pub(crate) fn rules(&self) -> Arc<Exclusions> {
        let plan = self.plan.borrow();
        let mut read = self.read.lock();
        if read.0 != plan.exclude {
            self.shunned.lock().clear();
            *read = (plan.exclude.clone(), Arc::new(Exclusions::read(&plan.exclude).0));
        }
        read.1.clone()
    }

    /// Whether an address must not be asked; `mac` is the card that the device there is known to have.
    pub(crate) fn is(&self, address: SocketAddr, mac: Option<&str>) -> bool {
        let rules = self.rules();
        let has_card = || {
            let told = mac.and_then(|mac| mac.parse().ok());
            told.or_else(|| self.card_at(address)).is_some_and(|mac| rules.forbid_card(mac))
        };
        rules.forbid(address) || rules.names_cards() && (has_card() || self.shunned.lock().contains(&address.ip()))
    }

    /// Remembers that the device at an address has an excluded card, so that it is not asked again to find that out.
    pub(crate) fn shun(&self, address: SocketAddr) {
        self.shunned.lock().insert(address.ip());
    }

    /// Addresses where excluded cards are, as far as that is known.
    pub(crate) fn shunned(&self) -> Vec<IpAddr> {
        let rules = self.rules();
        if !rules.names_cards() {
            return Vec::new();
        }
        let seen = self.neighbours.all().into_iter().filter(|(_, mac)| rules.forbid_card(*mac)).map(|(at, _)| at);
        seen.chain(self.shunned.lock().iter().copied()).collect()
    }

    /// The network card behind an address, by the plan's lists or by what this machine has seen on its links.
    pub(crate) fn card_at(&self, address: SocketAddr) -> Option<Mac> {
        self.neighbours.card_at(address.ip())
    }
}
