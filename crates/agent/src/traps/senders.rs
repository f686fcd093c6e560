//! Who sends notifications and is no known device: listed for people, never trusted. No community is kept.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use snmp::trap::NotificationRef;
use wire::{SnmpVersion, traps::MAX_SENDERS, traps::TrapSender};

/// Senders that are remembered until they have been told; others are only counted.
const MOST: usize = 4_096;

/// What is not told yet of unknown senders.
#[derive(Debug, Default)]
pub(super) struct Senders(HashMap<IpAddr, Sender>);

#[derive(Clone, Debug)]
struct Sender {
    count: u64,
    first_ms: i64,
    last_ms: i64,
    what: Option<What>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct What {
    trap: snmp::Oid,
    snmp: SnmpVersion,
    speaks_for: Option<IpAddr>,
}

impl Senders {
    /// One more datagram. A sender that nobody has told yet of costs a place; when there is none it is only counted
    /// by the door.
    pub(super) fn note(&mut self, from: IpAddr, now_ms: i64, said: Option<(&NotificationRef<'_>, Option<IpAddr>)>) {
        if self.0.len() >= MOST && !self.0.contains_key(&from) {
            return;
        }
        let sender = self.0.entry(from).or_insert(Sender { count: 0, first_ms: now_ms, last_ms: now_ms, what: None });
        sender.count += 1;
        sender.last_ms = now_ms;
        if let Some((notification, speaks_for)) = said {
            let snmp = version(notification.version);
            sender.what = Some(What { trap: notification.trap.clone(), snmp, speaks_for });
        }
    }

    /// What can be told in one message, those that called most often first. It is still here until [`Senders::told`].
    pub(super) fn news(&self) -> Vec<TrapSender> {
        let mut all: Vec<(&IpAddr, &Sender)> = self.0.iter().collect();
        all.sort_by_key(|(address, sender)| (std::cmp::Reverse(sender.count), **address));
        let shown = all.into_iter().take(MAX_SENDERS).map(|(address, sender)| TrapSender {
            address: address.to_string(),
            count: sender.count,
            first_ms: sender.first_ms,
            last_ms: sender.last_ms,
            trap: sender.what.as_ref().map(|what| what.trap.to_string()),
            snmp: sender.what.as_ref().map(|what| what.snmp),
            speaks_for: sender.what.as_ref().and_then(|what| what.speaks_for).map(|address| address.to_string()),
        });
        shown.collect()
    }

    /// Forgets what is safely kept elsewhere; what came since stays.
    pub(super) fn told(&mut self, kept: &[TrapSender]) {
        let mut over = HashSet::new();
        for told in kept {
            let Ok(address) = told.address.parse::<IpAddr>() else { continue };
            let Some(sender) = self.0.get_mut(&address) else { continue };
            sender.count = sender.count.saturating_sub(told.count);
            sender.first_ms = sender.last_ms;
            if sender.count == 0 {
                over.insert(address);
            }
        }
        self.0.retain(|address, _| !over.contains(address));
    }
}

/// The version in the words of the wire.
pub(super) fn version(version: snmp::Version) -> SnmpVersion {
    match version {
        snmp::Version::V1 => SnmpVersion::V1,
        snmp::Version::V2c => SnmpVersion::V2c,
        snmp::Version::V3 => SnmpVersion::V3,
    }
}

#[cfg(test)]
mod tests {
    use snmp::{
        Oid,
        trap::{V1, write_v1},
    };

    use super::*;

    #[test]
    fn unknown_senders_are_counted_without_their_community() {
        let mut packet = Vec::new();
        let head = V1 {
            enterprise: "1.3.6.1.4.1.9".parse::<Oid>().unwrap(),
            agent_address: [10, 0, 0, 9],
            generic: 0,
            specific: 0,
            uptime: 1,
        };
        write_v1(&mut packet, b"s3cret", &head, &[]);
        let notification = NotificationRef::parse(&packet).unwrap();
        let mut senders = Senders::default();
        let (from, proxied) = ("192.0.2.7".parse().unwrap(), "10.0.0.9".parse().unwrap());
        senders.note(from, 1_000, Some((&notification, Some(proxied))));
        senders.note(from, 5_000, None);
        let news = senders.news();
        assert_eq!((news[0].count, news[0].first_ms, news[0].last_ms), (2, 1_000, 5_000));
        assert_eq!(news[0].speaks_for.as_deref(), Some("10.0.0.9"));
        assert_eq!(news[0].trap.as_deref(), Some("1.3.6.1.6.3.1.1.5.1"));
        assert!(!format!("{senders:?}{news:?}").contains("s3cret"));
        senders.note(from, 6_000, None);
        senders.told(&news);
        assert_eq!(senders.news()[0].count, 1, "what came meanwhile is told next time");
        let news = senders.news();
        senders.told(&news);
        assert!(senders.news().is_empty());
    }

    #[test]
    fn a_flood_of_addresses_costs_bounded_memory() {
        let mut senders = Senders::default();
        for number in 0..10_000_u32 {
            senders.note(IpAddr::from(number.to_be_bytes()), 0, None);
        }
        assert_eq!(senders.0.len(), MOST);
        assert_eq!(senders.news().len(), MAX_SENDERS);
    }
}
