//! The wire formats, both twins: what is written is read back, and no bytes do harm.

mod fixtures;
mod hostile;
mod sealed;
mod twins;
