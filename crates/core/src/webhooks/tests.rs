//! Tests of this slice, on both engines.
