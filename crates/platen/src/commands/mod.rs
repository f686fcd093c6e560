//! One command a file; each returns how it ended.

pub mod admin;
pub mod agent;
pub mod completion;
pub mod configuration;
pub mod demo;
pub mod discover;
pub mod doctor;
pub mod man;
pub mod profile;
pub mod read;
pub mod record;
pub mod serve;
pub mod vmfp;
