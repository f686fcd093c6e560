//! Agents: invitations, plans, and how discovery goes.

mod api;
mod pages;
mod plan;
mod traps;

pub(crate) use api::*;
pub(crate) use pages::{invite, list, make_invitation, rename, revoke, set_plan, sheet};
pub(crate) use traps::*;
