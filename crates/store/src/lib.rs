//! Databases, migrations, blobs, queue and event log. Knows no capability.
//! Tour: `db` (doors and transactions) -> `sqlite` | `postgres`; `sql`, `value`, `row` are what a statement needs;
//! `migrate`, `lint` guard the portable dialect; `events`, `queue`, `idempotency`, `blobs` are built upon them.

pub mod blobs;
mod bulk;
mod checkpoint;
mod commit;
mod convert;
mod days;
mod db;
mod error;
pub mod events;
pub mod idempotency;
pub mod lint;
mod migrate;
mod numeric;
mod postgres;
pub mod queue;
mod rewrite;
mod row;
mod sql;
mod sqlite;
#[doc(hidden)]
#[cfg(unix)]
pub mod testing;
mod token;
mod tx;
mod value;

pub use blobs::{Blobs, Sha256};
pub use db::{DatabaseUrl, Db, EngineKind, View};
pub use error::{Error, ErrorKind, Result};
pub use events::{Event, NewEvent};
pub use lint::prepare_all;
pub use migrate::{Applied, Migration, STORE_MIGRATION};
pub use queue::{Job, NewJob};
pub use row::{FromValue, Row};
pub use sql::{Registered, Sql, registered};
pub use tx::Tx;
pub use value::Value;

/// What the macros of this crate need; not for direct use.
#[doc(hidden)]
pub mod private {
    pub use inventory;
}
