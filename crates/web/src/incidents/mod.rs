//! Incidents: one cause each, which people own, snooze and end.

mod api;
mod pages;

pub(crate) use api::*;
pub(crate) use pages::{act, csv, list, sheet};
