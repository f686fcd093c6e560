//! Where calls may go. A listener's URL is told by a device, so it may name anything: another host of the customer, this machine,
//! a cloud's metadata. It is resolved once, judged by address, and that very address is called.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use reqwest::Url;

use super::CallPolicy;

/// Addresses by their first bits: `10.0.0.0/8`, `2001:db8::/32`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

/// Not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a network; write it as 10.0.0.0/8, 2001:db8::/32, or one address")]
pub struct NotANetwork;

impl Network {
    /// Whether it holds the address.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let shift = 32 - u32::from(self.bits);
                u32::from(base).checked_shr(shift) == u32::from(address).checked_shr(shift)
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let shift = 128 - u32::from(self.bits);
                u128::from(base).checked_shr(shift) == u128::from(address).checked_shr(shift)
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (base, bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
        let base: IpAddr = base.parse().map_err(|_| NotANetwork)?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| NotANetwork)?;
        if bits <= most { Ok(Self { base, bits }) } else { Err(NotANetwork) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.base, self.bits)
    }
}

/// Why a listener is not called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Forbidden {
    #[error("its listener is no https URL of scheme, host and port alone")]
    Url,
    #[error("the name of its listener does not resolve")]
    Name,
    #[error(
        "calls to {0} are not allowed; it may be called where it calls from, or in a network that the configuration names"
    )]
    Address(IpAddr),
}

/// `https://host[:port]` and nothing more.
pub(super) fn listener(text: &str) -> Result<Url, Forbidden> {
    let url: Url = text.parse().map_err(|_| Forbidden::Url)?;
    let plain = url.scheme() == "https"
        && url.host_str().is_some_and(|host| !host.is_empty())
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && matches!(url.path(), "" | "/")
        && url.port() != Some(0);
    if plain { Ok(url) } else { Err(Forbidden::Url) }
}

/// The one address to call: resolved once, the first that is allowed.
pub(super) async fn resolve(url: &Url, peer: Option<IpAddr>, policy: &CallPolicy) -> Result<SocketAddr, Forbidden> {
    let host = url.host_str().ok_or(Forbidden::Url)?.trim_start_matches('[').trim_end_matches(']');
    let port = url.port_or_known_default().ok_or(Forbidden::Url)?;
    let found = tokio::net::lookup_host((host, port)).await.map_err(|_| Forbidden::Name)?;
    let mut refused = Forbidden::Name;
    for address in found {
        let ip = address.ip().to_canonical();
        if permitted(ip, peer, policy) {
            return Ok(SocketAddr::new(ip, port));
        }
        refused = Forbidden::Address(ip);
    }
    Err(refused)
}

/// Whether an address may be called.
pub(super) fn permitted(address: IpAddr, peer: Option<IpAddr>, policy: &CallPolicy) -> bool {
    let named = policy.allow.iter().any(|network| network.holds(address));
    named || !is_special(address) && peer.is_some_and(|peer| peer.to_canonical() == address)
}

/// This machine, its link, groups, a cloud's metadata, and forms of IPv6 that hide an IPv4 address.
fn is_special(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let first = v4.octets()[0];
            v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || v4.is_broadcast()
                || v4.is_multicast()
                || first == 0
                || first >= 240
                || v4.octets() == [100, 100, 100, 200]
        }
        IpAddr::V6(v6) => {
            let part = v6.segments();
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unicast_link_local()
                || v6 == METADATA_V6
                || part[0] == 0x2002
                || part[..2] == [0x2001, 0]
                || part[..4] == [0x64, 0xff9b, 0, 0]
                || part[..6] == [0; 6]
        }
    }
}

/// Where one large cloud keeps its instance metadata.
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_hold_what_their_bits_say() {
        let network = |text: &str| text.parse::<Network>().unwrap();
        assert!(network("10.0.0.0/8").holds(ip("10.255.0.1")) && !network("10.0.0.0/8").holds(ip("11.0.0.1")));
        assert!(network("0.0.0.0/0").holds(ip("203.0.113.9")) && !network("0.0.0.0/0").holds(ip("::1")));
        assert!(network("127.0.0.1").holds(ip("::ffff:127.0.0.1")) && !network("127.0.0.1").holds(ip("127.0.0.2")));
        assert!(network("2001:db8::/32").holds(ip("2001:db8:1::1")));
        for wrong in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/x", "a/8"] {
            assert_eq!(wrong.parse::<Network>(), Err(NotANetwork), "{wrong}");
        }
    }

    #[test]
    fn a_device_is_called_where_it_calls_from_and_where_the_configuration_says() {
        let policy = CallPolicy { allow: vec!["10.1.0.0/16".parse().unwrap()] };
        assert!(permitted(ip("10.1.2.3"), None, &policy));
        assert!(permitted(ip("192.168.4.5"), Some(ip("192.168.4.5")), &policy));
        assert!(permitted(ip("192.168.4.5"), Some(ip("::ffff:192.168.4.5")), &policy));
        assert!(!permitted(ip("192.168.4.6"), Some(ip("192.168.4.5")), &policy));
        assert!(!permitted(ip("192.168.4.6"), None, &policy));
    }

    #[test]
    fn addresses_of_this_machine_its_link_and_metadata_are_called_only_by_explicit_allowance() {
        for special in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "100.100.100.200",
            "224.0.0.251",
            "255.255.255.255",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "ff02::fb",
            "fd00:ec2::254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::1",
            "::7f00:1",
        ] {
            let address = ip(special);
            assert!(!permitted(address, Some(address), &CallPolicy::default()), "{special}");
            let named = CallPolicy { allow: vec![special.parse().unwrap()] };
            assert!(permitted(address, None, &named), "{special}");
        }
    }

    #[test]
    fn a_listener_is_scheme_host_and_port() {
        for good in ["https://10.0.0.1:8443", "https://printer.example/", "https://[2001:db8::1]:443"] {
            assert!(listener(good).is_ok(), "{good}");
        }
        for bad in [
            "http://10.0.0.1",
            "https://10.0.0.1/admin",
            "https://a:b@10.0.0.1",
            "https://10.0.0.1?x",
            "https://10.0.0.1#x",
            "https://10.0.0.1:0",
            "https://",
            "10.0.0.1:443",
            "file:///etc/passwd",
            "gopher://10.0.0.1",
        ] {
            assert_eq!(listener(bad), Err(Forbidden::Url), "{bad}");
        }
    }

    #[tokio::test]
    async fn numbers_in_disguise_are_judged_as_what_they_are() {
        for disguised in
            ["https://2130706433:8443", "https://0x7f.1:8443", "https://localhost:8443", "https://[::ffff:127.0.0.1]"]
        {
            let url = listener(disguised).unwrap();
            let refused = resolve(&url, Some(ip("127.0.0.1")), &CallPolicy::default()).await;
            assert!(
                matches!(refused, Err(Forbidden::Address(address)) if is_special(address)),
                "{disguised}: {refused:?}"
            );
        }
    }
}
