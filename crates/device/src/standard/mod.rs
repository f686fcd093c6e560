//! The standard tables, one file each: RFC 2790 (host resources), RFC 3805 (printers), RFC 3806 (finishers).
//! Pure functions from a [`crate::Snapshot`] to the types of `wire`.

pub mod alerts;
pub mod host;
pub mod oid;
pub mod paper;
pub mod supplies;
pub mod trap;
mod words;
