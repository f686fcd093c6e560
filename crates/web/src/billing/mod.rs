//! Contracts and closes: what is billed, what is missing for it, what was billed.

mod api;
mod close_pages;
mod closes_api;
mod pages;

pub(crate) use api::*;
pub(crate) use close_pages::{act, close_sheet, closes, download_document};
pub(crate) use closes_api::*;
pub(crate) use pages::{assign_device, change, create_page, end_page, lines_page, list, map_page, sheet};
