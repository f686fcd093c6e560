//! POP3: RFC 1939 with CAPA (RFC 2449), STLS (RFC 2595), AUTH PLAIN (RFC 5034), UIDL and TOP.

pub mod client;
mod command;
mod entry;
mod lock;
mod refusal;
pub mod server;

pub use client::Client;
pub use entry::Entry;
pub use lock::{Locks, Taken};
pub use refusal::Refusal;
pub use server::{Config, Event, Session};
