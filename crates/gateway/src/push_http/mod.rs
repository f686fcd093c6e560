//! What devices call that report by themselves: communication test, inquiry, answers to orders. Reports are one call for all.

pub(crate) mod ack;
pub(crate) mod blob;
pub(crate) mod hello;
pub(crate) mod poll;
