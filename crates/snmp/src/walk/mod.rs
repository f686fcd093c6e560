//! Reading a subtree or the columns of a table from agents that may be broken in many ways. `walker` is sans-IO and
//! decides what to ask next; `drive` carries its questions to the engine.

mod drive;
mod report;
mod runs;
mod walker;

pub(crate) use drive::drive;
pub use report::{BulkUse, Quirk, Walk, WalkLimits};
