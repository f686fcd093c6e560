//! Meters to bill from: a month of every counter of every device.

mod api;
mod pages;

pub(crate) use api::*;
pub(crate) use pages::{billing, csv};
