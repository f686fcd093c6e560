//! The part of BER (X.690) that SNMP uses: definite lengths, low tag numbers, shallow nesting.
//! Reading never copies and never allocates; writing makes the shortest lengths.

mod reader;
pub mod tag;
mod writer;

pub use reader::{Malformed, Reader, Tail};
pub use writer::{Open, Writer};
