//! The gateway over real TLS, with core on SQLite behind it.

mod door;
mod hostile;
mod listener;
mod refusals;
mod reports;
