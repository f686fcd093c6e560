//! What a mail door lets through: the five limits that administrators know by name, and ours beside them.
//! Sessions hold those that concern their own bytes; the shell holds the others and answers by [`crate::smtp::Refusal`].

use std::time::Duration;

use crate::smtp::Refusal;

/// All limits of a mail door. The defaults suit devices: small messages, few recipients, no patience for errors.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Connection rate throttling. Held by the shell: delay, then [`Refusal::TooManyConnections`] (421).
    pub connection_rate: ConnectionRate,
    /// Max daemon children: sessions at once. Held by the shell: [`Refusal::TooManySessions`] (421).
    pub max_sessions: MaxSessions,
    /// Min free blocks. Measured by the shell, answered at MAIL FROM: [`Refusal::NoSpace`] (452 4.3.1).
    pub min_free: MinFree,
    /// Max headers length. Held by the session, while bytes come: 552 and 554.
    pub max_header: MaxHeader,
    /// Max message size in bytes, dots unstuffed: told by SIZE, counted while bytes come: 552.
    pub max_message: usize,
    /// Longest command line in bytes, CRLF included (RFC 5321 §4.5.3.1.4).
    pub command_line: usize,
    /// Longest line of a message in bytes, CRLF not counted (RFC 5322 §2.1.1).
    pub message_line: usize,
    /// Recipients of one message. RFC 5321 §4.5.3.1.8 asks for 100 of a relay; this is none.
    pub recipients: usize,
    /// Refused commands, recipients and passwords before a session is closed.
    pub errors: u32,
    /// Commands between two messages that lead to none (EHLO, NOOP, RSET …) before a session is closed.
    pub idle_commands: u32,
    /// Messages of one session.
    pub messages: u32,
    /// Held by the shell: silence after which a session is closed with [`Refusal::TooSlow`] (421).
    /// RFC 5321 §4.5.3.2.7 asks for five minutes.
    pub idle: Duration,
    /// Held by the shell: longest life of a session.
    pub session: Duration,
    /// Held by the shell: bytes a second below which a message in transfer is given up, after the first 30 s.
    pub min_rate: u32,
}

/// Token buckets for new connections: one for all, one for each network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionRate {
    /// New connections a second, from everywhere together.
    pub total: u32,
    /// New connections a second, from one /24 (IPv4) or /64 (IPv6).
    pub network: u32,
    /// How many may come at once after quiet: so many seconds' worth.
    pub burst: u32,
    /// How long a connection over the rate is held back before it is refused.
    pub delay: Duration,
}

/// Sessions at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxSessions {
    /// From everywhere together.
    pub total: usize,
    /// From one address.
    pub address: usize,
}

/// What must stay free where messages are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MinFree {
    /// Bytes.
    pub bytes: u64,
    /// Inodes; a full table of them stops a disk that has bytes left.
    pub inodes: u64,
}

impl MinFree {
    /// Whether a message of `size` bytes leaves enough. The shell asks at MAIL FROM.
    #[must_use]
    pub fn allows(&self, free_bytes: u64, free_inodes: u64, size: u64) -> bool {
        free_bytes.saturating_sub(size) >= self.bytes && free_inodes >= self.inodes
    }
}

/// The head of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxHeader {
    /// All of it in bytes.
    pub bytes: usize,
    /// Fields, folded lines counted once.
    pub fields: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connection_rate: ConnectionRate { total: 500, network: 50, burst: 10, delay: Duration::from_secs(5) },
            max_sessions: MaxSessions { total: 2_000, address: 50 },
            min_free: MinFree { bytes: 512 << 20, inodes: 10_000 },
            max_header: MaxHeader { bytes: 32 << 10, fields: 100 },
            max_message: 4 << 20,
            command_line: 512,
            message_line: 998,
            recipients: 10,
            errors: 10,
            idle_commands: 100,
            messages: 1_000,
            idle: Duration::from_mins(5),
            session: Duration::from_hours(1),
            min_rate: 100,
        }
    }
}

/// One of the limits that the seed calls by name, as it stands in configuration and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Named {
    /// `connection_rate`
    ConnectionRate,
    /// `max_sessions`
    MaxSessions,
    /// `min_free`
    MinFree,
    /// `max_header`
    MaxHeader,
    /// `max_message`
    MaxMessage,
}

impl Named {
    /// All five, in the seed's order.
    pub const ALL: [Self; 5] =
        [Self::ConnectionRate, Self::MaxSessions, Self::MinFree, Self::MaxHeader, Self::MaxMessage];

    /// The key in configuration, metrics and logs.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::ConnectionRate => "connection_rate",
            Self::MaxSessions => "max_sessions",
            Self::MinFree => "min_free",
            Self::MaxHeader => "max_header",
            Self::MaxMessage => "max_message",
        }
    }

    /// The limit that a refusal tells of.
    #[must_use]
    pub fn of(refusal: Refusal) -> Option<Self> {
        match refusal {
            Refusal::HeaderFields => Some(Self::MaxHeader),
            refusal => Self::ALL.into_iter().find(|limit| limit.answer() == refusal),
        }
    }

    /// What a client is told that meets the limit.
    #[must_use]
    pub const fn answer(self) -> Refusal {
        match self {
            Self::ConnectionRate => Refusal::TooManyConnections,
            Self::MaxSessions => Refusal::TooManySessions,
            Self::MinFree => Refusal::NoSpace,
            Self::MaxHeader => Refusal::HeaderTooLarge,
            Self::MaxMessage => Refusal::MessageTooLarge,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_limits_answer_as_documented() {
        let codes = Named::ALL.map(|limit| (limit.key(), limit.answer().code()));
        let documented = [
            ("connection_rate", 421),
            ("max_sessions", 421),
            ("min_free", 452),
            ("max_header", 552),
            ("max_message", 552),
        ];
        assert_eq!(codes, documented);
        assert!(Refusal::NoSpace.line().starts_with("452 4.3.1 "));
    }

    #[test]
    fn free_space_counts_bytes_and_inodes() {
        let limit = MinFree { bytes: 100, inodes: 5 };
        assert!(limit.allows(150, 5, 50));
        assert!(!limit.allows(150, 5, 51));
        assert!(!limit.allows(1_000, 4, 0));
    }
}
