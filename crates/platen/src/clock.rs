//! The one file that reads the wall clock and the system's randomness for `core`.
