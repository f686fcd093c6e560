//! The binary: command tree, configuration, logging, clock, start-up and shutdown as prose.

fn main() {}
