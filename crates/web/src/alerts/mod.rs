//! Alerts: what stands open, who takes care, what is over.

mod api;
mod pages;

pub(crate) use api::*;
pub(crate) use pages::{
    AlertBrief, acknowledge, audience_facet, brief, csv, list, model, owner_facet, severity_facet, snooze,
};
