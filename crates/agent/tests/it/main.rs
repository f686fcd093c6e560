//! The agent against a small gateway of the tests' own and virtual devices.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod carrying;
mod delivery;
mod discovery;
mod enrolment;
mod finding;
mod gateway;
mod kill;
mod kinds;
mod orders;
mod pace;
mod relay;
mod traps;
