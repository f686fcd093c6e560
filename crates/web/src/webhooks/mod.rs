//! Webhooks with the log of their deliveries.

mod api;
mod pages;

pub(crate) use api::*;
pub(crate) use pages::{act, create, list, resend, sheet};
