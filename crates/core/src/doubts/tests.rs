//! Doubts through reports, on both engines.
