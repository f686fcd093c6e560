//! The monitor that a maker links into firmware. It owns no socket, clock, thread or key: the firmware lends all four.
//! Tour: [`Config`] (where it may call) → [`Monitor`] (what to do now) → [`Task`] (a request or a mail, ready to send) → [`Wish`]
//! (what the firmware is asked for). What it was told stays in [`Flash`] until the server says that it is safe there.

mod activation;
mod backoff;
mod call;
mod called;
mod config;
mod crypto;
mod flash;
mod life;
mod monitor;
mod outbox;
mod post;
mod state;
mod task;
mod upload;

pub use activation::ActivationError;
pub use backoff::Backoff;
pub use call::{Answer, Call, Trouble};
pub use called::{CALL_PATH, Called, NotOrders};
pub use config::{Config, ConfigError};
pub use crypto::{Crypto, Sealing};
pub use flash::{FileFlash, Flash, MemoryFlash};
pub use life::{Moment, Wish};
pub use monitor::{CallError, Monitor};
pub use task::{Fetch, Fetched, Mail, Task};
