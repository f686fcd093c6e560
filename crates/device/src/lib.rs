//! Reads one printer truthfully. [`Snapshot`] holds what a device said; [`assemble`] turns it into a
//! [`wire::Reading`] by the standard tables (`standard`) and by what is known of its vendor ([`profile`], data);
//! [`read`] asks over the network, [`vitals`] asks cheaply, [`identify`] judges one packet of discovery.

mod assemble;
mod bits;
mod identity;
mod level;
mod meters;
pub mod profile;
mod reader;
mod reasons;
mod recording;
mod snapshot;
mod snmprec;
mod standard;
mod status;
mod text;
mod time;

pub use assemble::{Origin, assemble};
pub use identity::{Guess, Makers, identify};
pub use reader::{
    Access, BulkTrust, Context, Introduction, Known, Read, ReadError, StatusRead, Tried, Vitals, introduce, read,
    read_meters, read_status, reread, vitals, ways_in,
};
pub use recording::{Disguise, Disguised, Recording, Replaced, record};
pub use snapshot::{Row, Snapshot};
pub use snmprec::{RecordingError, load_recording, parse_recording, write_recording};
pub use standard::trap::AlertRow;
pub use text::Charset;
