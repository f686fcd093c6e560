//! The web door as programs and people meet it: a real listener, a real database, reports by the real path.

mod activation;
mod alerting;
mod api;
mod billing;
mod doubts;
mod pages;
mod rubbish;
mod site;
mod supplies;
mod told;
mod traps;
