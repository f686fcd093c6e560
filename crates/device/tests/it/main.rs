//! The rest of the tests: readings of recorded walks against their oracles, and visits to virtual devices.

#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod hard;
mod hostile;
mod oracle;
mod profiles;
mod recordings;
mod recordings_to_send;
mod variants;
mod virtual_profiles;
mod visits;
