//! Keeps every known device read, each in its own slot of the period: `scheduler` → `looks` → `intake` → outbox.

pub(crate) mod fleet;
pub(crate) mod identity;
pub(crate) mod intake;
pub(crate) mod looks;
mod record;
pub(crate) mod scheduler;
pub(crate) mod seen;
pub(crate) mod slots;
mod telling;
