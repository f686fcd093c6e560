//! The rest of the tests: readings of recorded walks against their oracles, and visits to virtual devices.

mod oracle;
mod recordings;
