//! The product: one folder per capability, rules and SQL. Knows no transport.
//! Tour: `platform` (what a process has) -> `ctx` (who asks) -> `scope` (what they see) -> a capability's `service`;
//! `filter`, `page`, `events`, `audit` are the words that all capabilities share.

pub mod ctx;
pub mod error;
pub mod events;
pub mod filter;
pub mod idempotency;
pub mod ids;
mod migrations;
pub mod page;
pub mod platform;
pub mod scope;
pub mod secrets;
#[doc(hidden)]
pub mod testing;
pub mod time;

pub mod agents;
pub mod alerting;
pub mod alerts;
mod apart;
pub mod audit;
pub mod billing;
pub mod codes;
pub mod devices;
pub mod diagnostics;
pub mod doubts;
pub mod meters;
pub mod monitors;
pub mod notifications;
pub mod orders;
pub mod orgs;
pub mod reports;
pub mod retention;
pub mod supplies;
pub mod tasks;
pub mod traps;
pub mod users;
pub mod webhooks;

pub use ctx::{Actor, Ctx, Role};
pub use devices::DeviceId;
pub use error::{Error, Kind, Result};
pub use filter::{Filter, fold};
pub use ids::{AgentId, FilterId, OrgId, TokenId, UserId};
pub use migrations::migrations;
pub use monitors::MonitorId;
pub use page::{Page, PageQuery};
pub use platform::{Clock, Ids, Platform, PlatformConfig};
pub use scope::Scope;
pub use secrets::Secret;
pub use time::Micros;

/// The store, for programs and tests that open a [`Platform`] and name no other crate of ours.
#[doc(hidden)]
pub use store;
