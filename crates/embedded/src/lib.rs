//! The monitor that a maker links into firmware. It owns no socket, clock, thread or key: the firmware lends all four.
//! Tour: [`Config`] (where it may call) → [`Monitor`] (what to do now) → [`Call`] (one request, ready to send) → [`Wish`]
//! (what the firmware is asked for). What it was told stays in [`Flash`] until the server says that it is safe there.

mod backoff;
mod call;
mod config;
mod crypto;
mod flash;
mod life;
mod monitor;
mod outbox;
mod state;

pub use backoff::Backoff;
pub use call::{Answer, Call, Trouble};
pub use config::{Config, ConfigError};
pub use crypto::Crypto;
pub use flash::{FileFlash, Flash, MemoryFlash};
pub use life::{Moment, Wish};
pub use monitor::{CallError, Monitor};
