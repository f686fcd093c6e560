//! Tests across capabilities, on both engines.

mod leaks;
mod repeats;
mod statements;
mod walls;
