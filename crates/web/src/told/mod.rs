//! What one device tells of itself beside its condition: events, sets of counters, versions, measurements, service values.

mod api;
mod pages;
mod parts;

pub(crate) use api::*;
pub(crate) use pages::{log, sheet};
