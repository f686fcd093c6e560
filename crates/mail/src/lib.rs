//! SMTP and POP3, both sides, as state machines without sockets: bytes in, events and bytes out.
//! Sessions read a slice, write to a `Vec`, and ask their shell by events; they know no clock, no TLS, no database.

pub mod address;
pub mod bounce;
mod credentials;
mod dot;
pub mod limits;
mod lines;
pub mod message;
pub mod pop3;
mod serving;
pub mod smtp;

pub use address::Address;
pub use credentials::{Credentials, Secret};
pub use dot::BareNewline;
pub use limits::Limits;
pub use serving::Dismissal;

/// How the bytes of a session travel when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// In the clear, until STARTTLS or STLS.
    Clear,
    /// Inside TLS from the first byte (RFC 8314 §3).
    Tls,
}
