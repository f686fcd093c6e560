//! Contracts and closes: what is billed, what is missing for it, what was billed.

mod api;
mod close_pages;
mod closes_api;
mod closes_views;
mod contract_acts;
mod pages;

pub(crate) use api::*;
pub(crate) use close_pages::{act, close_sheet, closes, download_document};
pub(crate) use closes_api::*;
pub(crate) use contract_acts::{assign_device, change, end_page, lines_page, map_page};
pub(crate) use pages::{create_page, list, sheet};
