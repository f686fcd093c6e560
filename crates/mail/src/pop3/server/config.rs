//! What a POP3 listener offers.

use crate::{Channel, Limits};

/// Shared by all sessions of a listener.
#[derive(Clone, Debug)]
pub struct Config {
    /// Limits; those of messages that come in mean nothing here.
    pub limits: Limits,
    /// STLS.
    pub tls: Tls,
    /// Where passwords are taken.
    pub login: Login,
}

/// STLS (RFC 2595 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Not offered.
    Absent,
    /// Offered.
    Offered,
}

/// Where passwords are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// Inside TLS only.
    TlsOnly,
    /// Also in the clear: a switch for devices too old for TLS. Everybody on the way reads them.
    Legacy,
}

impl Config {
    /// Whether a password may come over this channel.
    pub(super) fn takes_passwords(&self, channel: Channel) -> bool {
        channel == Channel::Tls || self.login == Login::Legacy
    }

    /// The reply to CAPA (RFC 2449 §5).
    pub(super) fn capabilities(&self, channel: Channel, out: &mut Vec<u8>) {
        out.extend_from_slice(b"+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n");
        if self.takes_passwords(channel) {
            out.extend_from_slice(b"USER\r\nSASL PLAIN\r\n");
        }
        if channel == Channel::Clear && self.tls == Tls::Offered {
            out.extend_from_slice(b"STLS\r\n");
        }
        out.extend_from_slice(b"IMPLEMENTATION Platen\r\n.\r\n");
    }
}
