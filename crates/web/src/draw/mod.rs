//! Pictures made on the server as SVG: they need no script, work on paper and in mail, and take colour from classes.

mod border;
mod chart;
mod columns;
mod curves;
mod inks;
mod outlook;
mod slots;
mod spark;

pub(crate) use border::{Dot, border};
pub(crate) use chart::{Bar, chart};
pub(crate) use columns::{Column, columns};
pub(crate) use curves::{Curve, curves};
pub(crate) use inks::{Ink, bar, level_words, look, mini, progress};
pub(crate) use outlook::{Ahead, Told, outlook};
pub(crate) use slots::{SlotLine, slots};
pub(crate) use spark::spark;
