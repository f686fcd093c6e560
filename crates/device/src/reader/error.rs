//! Why a device could not be read: one line that says what was tried and what to try next.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// A reading that brought nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Nothing answered at all.
    #[error("{0}: check that SNMP is enabled on the printer, that the community or user is right, that no firewall blocks UDP {port}, and that `ping {ip}` answers", port = .0.address.port(), ip = .0.address.ip())]
    Silent(Tried),
    /// The network or the machine said at once that nothing listens there.
    #[error("{0}, the network says that it is unreachable: check the address, that SNMP is enabled on the printer, that no firewall blocks UDP {port}, and that `ping {ip}` answers", port = .0.address.port(), ip = .0.address.ip())]
    Closed(Tried),
    /// It answered, and refused every way in.
    #[error("{tried}, the last answer was: {source}")]
    Refused {
        /// What was tried.
        tried: Tried,
        /// The last refusal.
        source: Box<snmp::Error>,
    },
    /// A credential that cannot be used.
    #[error("credential {place} cannot be used: {reason}")]
    Credential {
        /// Place in the list given, from 1.
        place: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// No credential fits the version asked for.
    #[error("no credential fits SNMP {0}: give a community for v1 and v2c, a user for v3")]
    NothingToTry(&'static str),
    /// The engine or the socket failed, whatever the device does.
    #[error(transparent)]
    Engine(Box<snmp::Error>),
}

/// What was tried before giving up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Whom was asked.
    pub address: SocketAddr,
    /// Versions, in the order of the tries.
    pub versions: Vec<&'static str>,
    /// Number of communities.
    pub communities: usize,
    /// Number of SNMPv3 users.
    pub users: usize,
    /// Time spent.
    pub spent: Duration,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ip, port) = (self.address.ip(), self.address.port());
        let several = |count: usize, one: &str, many: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {many}"),
        };
        let ways: Vec<String> = [
            (self.communities, several(self.communities, "community", "communities")),
            (self.users, several(self.users, "user", "users")),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(_, words)| words)
        .collect();
        let (versions, ways) = (self.versions.join(" and "), ways.join(" and "));
        write!(
            f,
            "{ip} port {port} gave no usable answer in {:.1} s (tried {versions} with {ways})",
            self.spent.as_secs_f64()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_was_tried_and_what_to_try() {
        let tried = Tried {
            address: "192.0.2.7:161".parse().unwrap(),
            versions: vec!["v2c", "v1"],
            communities: 2,
            users: 0,
            spent: Duration::from_millis(5_020),
        };
        let line = ReadError::Silent(tried).to_string();
        assert!(
            line.starts_with(
                "192.0.2.7 port 161 gave no usable answer in 5.0 s (tried v2c and v1 with 2 communities): "
            ),
            "{line}"
        );
        for word in ["enabled", "community", "firewall", "ping 192.0.2.7"] {
            assert!(line.contains(word), "{line}");
        }
        assert!(!line.contains('\n'));
    }
}
