//! The raw log for those who may: reports of a sender, and each message decoded beside its bytes.

mod api;
mod pages;

pub(crate) use api::*;
pub(crate) use pages::{csv, download, list, sheet};
