//! Who may come in: `max_sessions` (in all and by address), then `connection_rate` (in all and by network).
//! A connection over its rate is held back once and asked again, holding its place meanwhile, so that floods meet both limits.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use mail::limits::{ConnectionRate, MaxSessions, Named};
use parking_lot::Mutex;

/// Networks whose buckets are remembered; beyond that the full ones are forgotten, for they say nothing.
const MOST_NETWORKS: usize = 10_000;

/// One for each protocol, shared by its listeners.
#[derive(Debug)]
pub(super) struct Gate {
    rate: ConnectionRate,
    sessions: MaxSessions,
    inside: Arc<Mutex<Inside>>,
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Inside {
    total: usize,
    addresses: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Buckets {
    total: Bucket,
    networks: HashMap<IpAddr, Bucket>,
}

/// Tokens as they were at a moment.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

/// A place inside; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    address: IpAddr,
    inside: Arc<Mutex<Inside>>,
}

impl Gate {
    pub(super) fn new(rate: ConnectionRate, sessions: MaxSessions) -> Self {
        let total = Bucket { tokens: most(rate.total, rate), at: Instant::now() };
        let buckets = Mutex::new(Buckets { total, networks: HashMap::new() });
        Self { rate, sessions, inside: Arc::default(), buckets }
    }

    /// A place for this address, if one is free.
    pub(super) fn enter(&self, address: IpAddr) -> Result<Place, Named> {
        let address = address.to_canonical();
        let mut inside = self.inside.lock();
        let of_address = inside.addresses.get(&address).copied().unwrap_or(0);
        if inside.total >= self.sessions.total || of_address >= self.sessions.address {
            return Err(Named::MaxSessions);
        }
        inside.total += 1;
        inside.addresses.insert(address, of_address + 1);
        Ok(Place { address, inside: Arc::clone(&self.inside) })
    }

    /// Whether a connection may begin now; one over the rate waits once.
    pub(super) async fn pace(&self, address: IpAddr) -> Result<(), Named> {
        if self.token(address, Instant::now()) {
            return Ok(());
        }
        tokio::time::sleep(self.rate.delay).await;
        if self.token(address, Instant::now()) { Ok(()) } else { Err(Named::ConnectionRate) }
    }

    /// Sessions now.
    pub(super) fn inside(&self) -> usize {
        self.inside.lock().total
    }

    fn token(&self, address: IpAddr, now: Instant) -> bool {
        let (rate, network) = (self.rate, network_of(address.to_canonical()));
        let mut buckets = self.buckets.lock();
        if buckets.networks.len() >= MOST_NETWORKS {
            let full = most(rate.network, rate);
            buckets.networks.retain(|_, bucket| bucket.level(rate.network, full, now) < full);
        }
        let mut total = buckets.total;
        let full = most(rate.network, rate);
        let bucket = buckets.networks.entry(network).or_insert(Bucket { tokens: full, at: now });
        // A token is taken from both or from none.
        let granted = total.fill(rate.total, most(rate.total, rate), now) & bucket.fill(rate.network, full, now);
        if granted {
            bucket.tokens -= 1.0;
            total.tokens -= 1.0;
        }
        buckets.total = total;
        granted
    }
}

impl Bucket {
    fn level(&self, per_second: u32, most: f64, now: Instant) -> f64 {
        let passed: Duration = now.saturating_duration_since(self.at);
        (self.tokens + passed.as_secs_f64() * f64::from(per_second)).min(most)
    }

    /// Lets time pass; whether there is a whole token.
    fn fill(&mut self, per_second: u32, most: f64, now: Instant) -> bool {
        (self.tokens, self.at) = (self.level(per_second, most, now), now);
        self.tokens >= 1.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inside = self.inside.lock();
        inside.total -= 1;
        if let Some(count) = inside.addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                inside.addresses.remove(&self.address);
            }
        }
    }
}

/// What a bucket holds after quiet.
fn most(per_second: u32, rate: ConnectionRate) -> f64 {
    f64::from(per_second) * f64::from(rate.burst.max(1))
}

/// The /24 of an IPv4 address, the /64 of an IPv6 address.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) & 0xffff_ff00).into()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(total: u32, network: u32, sessions: usize, of_address: usize) -> Gate {
        let rate = ConnectionRate { total, network, burst: 1, delay: Duration::from_millis(1) };
        Gate::new(rate, MaxSessions { total: sessions, address: of_address })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_are_counted_by_address_and_given_back() {
        let gate = gate(9, 9, 3, 2);
        let (a, b) = (ip("10.0.0.1"), ip("10.0.0.2"));
        let one = gate.enter(a).unwrap();
        let _two = gate.enter(ip("::ffff:10.0.0.1")).unwrap();
        assert_eq!(gate.enter(a).unwrap_err(), Named::MaxSessions);
        let _three = gate.enter(b).unwrap();
        assert_eq!(gate.enter(b).unwrap_err(), Named::MaxSessions);
        drop(one);
        assert!(gate.enter(a).is_ok());
        assert_eq!(gate.inside(), 2);
    }

    #[test]
    fn the_rate_holds_for_a_network_and_for_all() {
        let gate = gate(5, 2, 9, 9);
        let now = Instant::now();
        let come = |text: &str| gate.token(ip(text), now);
        assert!(come("10.0.0.1") && come("10.0.0.2") && !come("10.0.0.3"), "two a second from one /24");
        assert!(come("2001:db8::1") && come("2001:db8::2") && !come("2001:db8::3"), "and from one /64");
        assert!(come("10.0.9.1") && !come("10.0.8.1"), "five a second from everywhere");
        let later = now + Duration::from_millis(500);
        assert!(gate.token(ip("10.0.0.1"), later) && !gate.token(ip("10.0.0.1"), later));
    }

    #[test]
    fn quiet_networks_are_forgotten() {
        let gate = gate(u32::MAX, 1, 9, 9);
        let now = Instant::now();
        for number in 0..2 * u32::try_from(MOST_NETWORKS).unwrap() {
            let at = now + Duration::from_millis(u64::from(number));
            assert!(gate.token(IpAddr::V4((number << 8).into()), at));
        }
        assert!(gate.buckets.lock().networks.len() <= MOST_NETWORKS);
    }
}
