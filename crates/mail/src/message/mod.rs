//! One message is one report or one request: a mark in the head, and exactly one sealed attachment.

pub mod read;
mod stamp;
mod write;

pub use read::{Received, Unreadable, read};
pub use stamp::{NotAStamp, Stamp};
pub use write::Letter;
