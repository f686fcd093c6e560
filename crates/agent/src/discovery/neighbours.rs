//! Which network card is behind an address of this machine's own links, by the kernel's table.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use wire::places::Mac;

/// The table is read again after this time.
const FRESH: Duration = Duration::from_secs(5);
const TABLE: &str = "/proc/net/arp";

/// The table as it was read last.
#[derive(Debug, Default)]
pub(crate) struct Neighbours(Mutex<Option<(Instant, HashMap<IpAddr, Mac>)>>);

impl Neighbours {
    /// The card at an address; `None` for what is behind a router, and where the system has no such table.
    pub(crate) fn card_at(&self, address: IpAddr) -> Option<Mac> {
        self.with(|table| table.get(&address).copied())
    }

    /// Everything in the table.
    pub(crate) fn all(&self) -> HashMap<IpAddr, Mac> {
        self.with(Clone::clone)
    }

    fn with<T>(&self, look: impl FnOnce(&HashMap<IpAddr, Mac>) -> T) -> T {
        let mut known = self.0.lock();
        if let Some((read, table)) = known.as_ref()
            && read.elapsed() < FRESH
        {
            return look(table);
        }
        let table = read(&std::fs::read_to_string(TABLE).unwrap_or_default());
        let seen = look(&table);
        *known = Some((Instant::now(), table));
        seen
    }
}

/// Complete entries of `/proc/net/arp`. A card that stands at several addresses is a router's that answers for others.
fn read(table: &str) -> HashMap<IpAddr, Mac> {
    let entries = table.lines().skip(1).filter_map(|line| {
        let mut words = line.split_whitespace();
        let address = words.next()?.parse().ok()?;
        let mac: Mac = words.nth(2)?.parse().ok()?;
        mac.is_one_card().then_some((address, mac))
    });
    let entries: HashMap<IpAddr, Mac> = entries.collect();
    let mut seen: HashMap<Mac, usize> = HashMap::new();
    for mac in entries.values() {
        *seen.entry(*mac).or_default() += 1;
    }
    entries.into_iter().filter(|(_, mac)| seen.get(mac) == Some(&1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_that_answers_for_many_addresses_is_nobodys() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
            10.0.0.5         0x1         0x2         00:26:73:aa:bb:cc     *        eth0\n\
            10.0.0.6         0x1         0x0         00:00:00:00:00:00     *        eth0\n\
            10.0.0.7         0x1         0x2         00:17:c8:00:00:01     *        eth0\n\
            10.0.0.8         0x1         0x2         00:17:c8:00:00:01     *        eth0\n";
        let read = read(table);
        assert_eq!(read.len(), 1);
        assert_eq!(read[&"10.0.0.5".parse::<IpAddr>().unwrap()].to_string(), "00:26:73:aa:bb:cc");
    }
}
