//! The reader's own account: theme, password, API tokens, saved filters, sessions.

mod api;
mod pages;

pub(crate) use api::*;
pub(crate) use pages::{account, make_token, password, revoke_token, theme};
