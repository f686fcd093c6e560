//! Alerts: what stands open, who takes care, what is over.

mod api;
mod pages;

pub(crate) use api::*;
pub(crate) use pages::{AlertBrief, acknowledge, brief, csv, list, snooze};
