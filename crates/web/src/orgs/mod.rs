//! Organisations: the tree, new ones, zone and currency.

mod api;
mod pages;

pub(crate) use api::*;
pub(crate) use pages::{ZONES, create, sheet, tree, update};
