//! Reading a subtree or the columns of a table from agents that may be broken in many ways.

mod report;

pub use report::{BulkUse, Quirk, Walk, WalkLimits};
