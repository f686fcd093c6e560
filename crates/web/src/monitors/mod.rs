//! Devices that report by themselves: registration, communication, schedule, orders.

mod activation;
mod api;
mod pages;

pub(crate) use activation::*;
pub(crate) use api::*;
pub(crate) use pages::{act, cancel, kind_words, list, order, register, set_schedule, sheet};
