//! SMTP: RFC 5321 with STARTTLS (RFC 3207), AUTH PLAIN (RFC 4954), SIZE (RFC 1870), 8BITMIME (RFC 6152),
//! PIPELINING (RFC 2920) and enhanced status codes (RFC 2034, RFC 3463).

pub mod client;
mod command;
mod refusal;
mod reply;
pub mod server;

pub use client::Client;
pub use refusal::Refusal;
pub use reply::Reply;
pub use server::{Config, Event, Message, Origin, Session};
