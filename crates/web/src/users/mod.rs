//! Users: accounts of the own organisation, their roles and passwords.

mod api;
mod pages;

pub(crate) use api::*;
pub(crate) use pages::{create, list, rename, reset, role, sheet, state};
