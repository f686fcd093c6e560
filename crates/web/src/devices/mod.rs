//! Devices: the fleet list, the sheet of one device, search and saved filters.

mod api;
mod filters;
mod list;
mod parts;
mod query;
mod row;
mod search;
mod sheet;

pub(crate) use api::*;
pub(crate) use filters::{delete as delete_filter_page, save as save_filter_page};
pub(crate) use list::{csv, download, list};
pub(crate) use search::{search, suggest};
pub(crate) use sheet::{edit, retire, sheet, sheet_again};
