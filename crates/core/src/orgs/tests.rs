//! Tests of the service on both engines.
