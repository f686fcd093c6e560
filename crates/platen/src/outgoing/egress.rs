//! Where webhooks and log hosts may be: addresses that all the world may reach, and networks that the operator names.
//! A name is resolved once, judged by address, and that very address is called: what it says a moment later does not count.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use gateway::Network;

/// The rule of the operator.
#[derive(Clone, Debug, Default)]
pub struct Egress {
    /// Networks that may be reached though they are not public.
    pub allow: Vec<Network>,
    /// PEM file of CAs that are trusted beside those of the system.
    pub ca: Option<PathBuf>,
}

impl Egress {
    /// The addresses of a host that may be called; an error says why there is none.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let found = tokio::net::lookup_host((host, port)).await.map_err(|_| format!("`{host}` does not resolve"))?;
        let mut refused = None;
        let mut allowed = Vec::new();
        for address in found {
            let ip = address.ip().to_canonical();
            if self.permits(ip) {
                allowed.push(SocketAddr::new(ip, port));
            } else {
                refused = Some(ip);
            }
        }
        match (allowed.is_empty(), refused) {
            (false, _) => Ok(allowed),
            (true, Some(ip)) => Err(format!(
                "`{host}` is {ip}, which is not public; the operator may allow it in [egress] of platen.toml"
            )),
            (true, None) => Err(format!("`{host}` has no address")),
        }
    }

    /// Whether the operator named this address.
    pub fn names(&self, address: IpAddr) -> bool {
        self.allow.iter().any(|network| network.holds(address))
    }

    fn permits(&self, address: IpAddr) -> bool {
        self.names(address) || is_public(address)
    }
}

/// Whether an address belongs to all the world (IANA special-purpose registries of 2024).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    let special = v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !special
}

/// Only 2000::/3 is given out; of that, forms that hide an IPv4 address, test networks and documentation are not public.
fn is_public_v6(v6: Ipv6Addr) -> bool {
    let s = v6.segments();
    let global = s[0] & 0xe000 == 0x2000;
    let hidden = s[0] == 0x2002 || (s[0] == 0x2001 && s[1] < 0x200);
    let documentation = (s[0] == 0x2001 && s[1] == 0xdb8) || (s[0] == 0x3fff && s[1] < 0x1000);
    global && !hidden && !documentation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_all_the_world_are_public() {
        let inside = [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.8",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "64:ff9b::7f00:1",
            "::ffff:10.0.0.1",
            "fec0::1",
        ];
        for text in inside {
            let address: IpAddr = text.parse().unwrap();
            assert!(!is_public(address.to_canonical()), "{text}");
        }
        for text in ["1.1.1.1", "8.8.8.8", "172.32.0.1", "2606:4700::1111", "2001:4860:4860::8888"] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[tokio::test]
    async fn a_name_is_judged_by_where_it_leads() {
        let closed = Egress::default();
        for host in ["localhost", "127.0.0.1", "[::1]", "0x7f.1", "2130706433", "127.1", "[::ffff:127.0.0.1]"] {
            assert!(closed.resolve(host, 443).await.is_err(), "{host}");
        }
        let open = Egress { allow: vec!["127.0.0.0/8".parse().unwrap()], ca: None };
        assert_eq!(open.resolve("127.0.0.1", 8080).await.unwrap(), ["127.0.0.1:8080".parse().unwrap()]);
        assert!(open.resolve("10.0.0.1", 8080).await.unwrap_err().contains("not public"));
    }
}
