//! One wish for many devices: look whom it reaches, wish it, watch each share, take it back, try again.

mod api;
mod pages;

pub(crate) use api::*;
pub(crate) use pages::{cancel, create, form, list, retry, sheet};
