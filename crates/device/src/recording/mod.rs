//! Recordings to send in: everything that a device says, with its owner's traces replaced by stand-ins.

mod disguise;
mod people;
mod standin;
mod take;

pub use disguise::{Disguise, Disguised, Replaced};
pub use take::{Recording, record};
