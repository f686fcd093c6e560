//! Tests across capabilities, on both engines.

mod leaks;
mod statements;
mod walls;
