//! The audit log: every change by a person or a program.

mod api;
mod pages;

pub(crate) use api::*;
pub(crate) use pages::list;
