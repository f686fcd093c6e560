//! Reports, raw log first, then what follows for devices, meters, supplies and alerts. Agents: one transaction each. Devices:
//! `ingest` answers once the log has them, many in a transaction; `drain` draws their effect from the log straight after.
//! (sender, epoch, seq) takes effect once, however often and over whichever door it comes.

#[cfg(test)]
mod batch_tests;
#[cfg(test)]
mod device_tests;
mod drain;
mod draw;
#[cfg(test)]
mod drop_tests;
mod group;
mod heads;
mod ingest;
mod logged;
#[cfg(test)]
mod logged_tests;
mod open;
mod projection;
mod raw;
pub(crate) mod rules;
mod service;
mod sql;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod verify;

pub use drain::{Backlog, backlog, keep, project};
pub(crate) use ingest::Ingest;
pub use raw::{FIELDS, RawMessage, RawReport, raw, raw_report};
pub use service::{accept, accept_by};
pub use verify::{Counted, verify};
