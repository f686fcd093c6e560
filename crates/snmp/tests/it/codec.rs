//! The codec against itself, against mutations, and against a second decoder.
