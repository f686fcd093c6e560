//! Whom to ask and how to prove who asks.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::usm::UsmUser;

/// Version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// RFC 1157.
    V1,
    /// RFC 1901, with communities.
    V2c,
    /// RFC 3412.
    V3,
}

impl Version {
    /// As people write it: `v1`, `v2c`, `v3`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2c => "v2c",
            Self::V3 => "v3",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Bytes that never reach a log: no `Display`, a `Debug` that hides, memory wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes, for the one place that needs them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes())
    }
}

/// A community name, which is a secret.
pub type Community = Secret;

/// How a request proves who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// v1 or v2c with a community.
    Community {
        /// [`Version::V1`] or [`Version::V2c`].
        version: Version,
        /// The community name.
        community: Community,
    },
    /// v3 with the user-based security model (RFC 3414).
    Usm {
        /// User and pass phrases.
        user: Arc<UsmUser>,
        /// Context name, usually empty.
        context: Vec<u8>,
    },
}

impl Security {
    /// v2c with a community.
    pub fn v2c(community: impl Into<Vec<u8>>) -> Self {
        Self::Community { version: Version::V2c, community: Secret::new(community) }
    }

    /// v1 with a community.
    pub fn v1(community: impl Into<Vec<u8>>) -> Self {
        Self::Community { version: Version::V1, community: Secret::new(community) }
    }

    /// v3 in the default context.
    pub fn v3(user: Arc<UsmUser>) -> Self {
        Self::Usm { user, context: Vec::new() }
    }

    /// The version it speaks.
    pub fn version(&self) -> Version {
        match self {
            Self::Community { version, .. } => *version,
            Self::Usm { .. } => Version::V3,
        }
    }
}

/// One device to ask.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it listens, usually port 161.
    pub address: SocketAddr,
    /// How to prove who asks.
    pub security: Arc<Security>,
    /// Longest wait for the answer to one packet.
    pub timeout: Duration,
    /// Packets sent again when no answer comes.
    pub retries: u8,
}

impl Target {
    /// A target with a time-out of 2 s and one retry.
    pub fn new(address: SocketAddr, security: Security) -> Self {
        Self { address, security: Arc::new(security), timeout: Duration::from_secs(2), retries: 1 }
    }

    /// The same target with another time-out a try and number of retries.
    pub fn patience(mut self, timeout: Duration, retries: u8) -> Self {
        (self.timeout, self.retries) = (timeout, retries);
        self
    }
}
