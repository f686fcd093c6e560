//! Agents: invitations, plans, and how discovery goes.

mod api;
mod discovery;
mod import;
mod pages;
mod plan;
mod traps;

pub(crate) use api::*;
pub(crate) use discovery::*;
pub(crate) use import::*;
pub(crate) use pages::{after, invite, list, make_invitation, rename, revoke, set_plan, sheet};
pub(crate) use traps::*;
