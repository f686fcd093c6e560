//! Tests across capabilities, on both engines.
#![expect(clippy::unwrap_used, reason = "a test that panics is a test that fails")]

mod figures;
mod leaks;
mod repeats;
mod statements;
mod walls;
