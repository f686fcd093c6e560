//! The wire formats, both twins: what is written is read back, and no bytes do harm.

mod contract;
mod fixtures;
mod hostile;
mod mutants;
#[expect(dead_code, clippy::unwrap_used, reason = "shared with the doors of mail, which have sessions of their own")]
#[path = "../../../mail/tests/it/mutator.rs"]
mod mutator;
mod sealed;
mod twins;
