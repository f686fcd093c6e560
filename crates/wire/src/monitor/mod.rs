//! What the monitor inside a device says by itself: the seed's sixteen kinds, when each is told, and their bodies.
//! Allow-listed shapes only: counters, codes, versions, measurements; never a name, an address book line or an image.

mod counters;
mod event;
mod kind;
mod log;
mod parts;

pub use counters::{CounterSet, Dictionary};
pub use event::EventBody;
pub use kind::{Kind, Trigger};
pub use log::{LogBody, UploadState};
pub use parts::{
    BrowserBody, EnvironmentBody, EnvironmentSample, RomBody, RomVersion, ServiceBody, ServiceValue, SmartAttribute,
    SmartBody,
};
