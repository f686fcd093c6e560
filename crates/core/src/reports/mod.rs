//! Reports of agents: one transaction each, raw log first, then what follows for devices, meters, supplies and alerts.
//! (sender, epoch, seq) takes effect once, however often and over whichever door it comes.

pub(crate) mod rules;
mod service;
mod sql;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod verify;

pub use service::accept;
pub use verify::{Counted, verify};
