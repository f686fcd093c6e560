//! Errors, jams and alarms across the fleet, how often each model told each code, and what the codes mean.

mod api;
mod pages;

pub(crate) use api::*;
pub(crate) use pages::{Line as EventLine, codes as codes_page, csv, line, list};
