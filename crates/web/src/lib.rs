//! Doors for people and programs: JSON API, pages, SSE, metrics, health.
//! Tour: `router` (table of contents) -> a capability's `pages` and `api` -> `shell` (what every page has),
//! `viewer` and `caller` (who asks), `draw` (SVG made here), `words` (all that people read), `assets`.

mod account;
mod agents;
mod alerting;
mod alerts;
mod api;
mod app;
mod assets;
mod audit;
mod billing;
mod caller;
mod devices;
mod door;
mod doubts;
mod draw;
mod events;
mod fields;
mod health;
mod incidents;
mod listing;
mod messages;
mod meters;
mod metrics;
mod monitors;
mod openapi;
mod orders;
mod orgs;
mod problem;
mod router;
mod security;
mod session;
mod shell;
mod supplies;
mod tasks;
mod told;
mod trouble;
mod troubles;
mod users;
mod viewer;
mod webhooks;
mod words;

pub use app::WebConfig;
pub use door::{WebDoor, serve};
pub use openapi::document as openapi_document;
