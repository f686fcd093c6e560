//! Why a request brought no values. Texts name the device and say what to try.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::ber::Malformed;
use crate::usm::AuthFailure;

/// Failure of a request to one device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing answered.
    #[error("{target} did not answer {tries} requests: check address, community or user, and that SNMP is on")]
    Timeout {
        /// Whom was asked.
        target: SocketAddr,
        /// Packets sent.
        tries: u8,
    },
    /// The network said that nothing listens there (ICMP unreachable).
    #[error("{target} is unreachable: nothing listens on UDP port {}, check that SNMP is on", target.port())]
    Unreachable {
        /// Whom was asked.
        target: SocketAddr,
    },
    /// The agent refused the request.
    #[error("{target} answered {status} for object {index} of the request")]
    ErrorStatus {
        /// Whom was asked.
        target: SocketAddr,
        /// The agent's reason.
        status: ErrorStatus,
        /// Place of the object at fault, from 1; 0: none named.
        index: u32,
    },
    /// An answer came that could not be understood.
    #[error("{target} sent an answer that is not SNMP: {source}")]
    Malformed {
        /// Whom was asked.
        target: SocketAddr,
        /// What was wrong and where.
        source: Malformed,
    },
    /// The agent and we do not agree on user, keys or time (SNMPv3).
    #[error("{target} refused the SNMPv3 user: {reason}")]
    Auth {
        /// Whom was asked.
        target: SocketAddr,
        /// What the agent, or our own check, found.
        reason: AuthFailure,
    },
    /// The request is longer than a datagram.
    #[error("the request to {target} has {bytes} bytes, more than a datagram holds: ask for fewer objects")]
    TooLarge {
        /// Whom it was for.
        target: SocketAddr,
        /// Its length.
        bytes: usize,
    },
    /// The socket failed.
    #[error("sending to {target} failed: {source}")]
    Socket {
        /// Whom it was for.
        target: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The engine holds as many requests as it may; try again later.
    #[error("too many requests are under way, {target} was not asked")]
    Busy {
        /// Whom it was for.
        target: SocketAddr,
    },
    /// The engine has stopped.
    #[error("the SNMP engine has stopped, {target} was not asked")]
    Stopped {
        /// Whom it was for.
        target: SocketAddr,
    },
}

impl Error {
    /// The device the failure is about.
    pub fn target(&self) -> SocketAddr {
        match self {
            Self::Timeout { target, .. }
            | Self::Unreachable { target }
            | Self::ErrorStatus { target, .. }
            | Self::Malformed { target, .. }
            | Self::Auth { target, .. }
            | Self::TooLarge { target, .. }
            | Self::Socket { target, .. }
            | Self::Busy { target }
            | Self::Stopped { target } => *target,
        }
    }

    /// Whether nothing at all came back (time-out or unreachable).
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Unreachable { .. })
    }
}

/// The error-status of a response (RFC 3416 §3), any number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorStatus(pub i32);

impl ErrorStatus {
    /// 0
    pub const NO_ERROR: Self = Self(0);
    /// 1: the answer does not fit a message
    pub const TOO_BIG: Self = Self(1);
    /// 2: v1 only, no such object
    pub const NO_SUCH_NAME: Self = Self(2);
    /// 3: v1 only, a value of the wrong kind
    pub const BAD_VALUE: Self = Self(3);
    /// 4: v1 only
    pub const READ_ONLY: Self = Self(4);
    /// 5: anything else went wrong
    pub const GEN_ERR: Self = Self(5);
    /// 6
    pub const NO_ACCESS: Self = Self(6);
    /// 7
    pub const WRONG_TYPE: Self = Self(7);
    /// 8
    pub const WRONG_LENGTH: Self = Self(8);
    /// 10
    pub const WRONG_VALUE: Self = Self(10);
    /// 11
    pub const NO_CREATION: Self = Self(11);
    /// 14
    pub const COMMIT_FAILED: Self = Self(14);
    /// 16
    pub const AUTHORIZATION_ERROR: Self = Self(16);
    /// 17
    pub const NOT_WRITABLE: Self = Self(17);

    /// The name the RFC gives it, if it does.
    pub fn name(self) -> Option<&'static str> {
        const NAMES: [&str; 19] = [
            "noError",
            "tooBig",
            "noSuchName",
            "badValue",
            "readOnly",
            "genErr",
            "noAccess",
            "wrongType",
            "wrongLength",
            "wrongEncoding",
            "wrongValue",
            "noCreation",
            "inconsistentValue",
            "resourceUnavailable",
            "commitFailed",
            "undoFailed",
            "authorizationError",
            "notWritable",
            "inconsistentName",
        ];
        usize::try_from(self.0).ok().and_then(|code| NAMES.get(code).copied())
    }
}

impl fmt::Display for ErrorStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "error status {}", self.0),
        }
    }
}

impl fmt::Debug for ErrorStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
