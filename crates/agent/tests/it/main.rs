//! The agent against a small gateway of the tests' own and virtual devices.

mod delivery;
mod discovery;
mod enrolment;
mod gateway;
mod kill;
