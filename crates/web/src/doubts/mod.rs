//! Doubts: what Platen could not know about counters and identities, and what people decide.

mod api;
mod pages;

pub(crate) use api::*;
pub(crate) use pages::{csv, list, reopen, settle, sheet};
