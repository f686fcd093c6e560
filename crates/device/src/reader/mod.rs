//! Asks one device over the network: a first packet that finds the way in, then the tables in few exchanges.

mod access;
mod error;
mod knock;
mod poll;
mod proof;
mod questions;
mod session;
mod ways;
mod whole;

pub use access::{Access, Context, Known};
pub use error::{ReadError, Tried};
pub use poll::{Introduction, StatusRead, Vitals, introduce, read_meters, read_status, vitals};
pub use proof::BulkTrust;

pub use ways::ways_in;
pub(crate) use whole::walk_all;

use snmp::Engine;
use wire::Reading;

use crate::assemble::assemble_with;
use session::Session;

/// A full reading, and what was learnt on the way.
#[derive(Clone, Debug)]
pub struct Read {
    /// The document.
    pub reading: Reading,
    /// Place in [`Access::credentials`] of the one that the device accepted.
    pub credential: usize,
    /// To be kept and given to the next reading.
    pub known: Known,
}

/// Reads everything, knowing nothing.
pub async fn read(engine: &Engine, access: &Access) -> Result<Read, ReadError> {
    reread(engine, access, &Known::default()).await
}

/// Reads everything again: begins with what worked before, and falls back to trying all.
pub async fn reread(engine: &Engine, access: &Access, known: &Known) -> Result<Read, ReadError> {
    let mut session = Session::open_knocking(engine, access, known).await?;
    session.ask_tables(questions::FULL).await;
    session.prove_bulk(questions::FULL).await;
    session.ask_vendor(questions::Depth::All).await;
    session.ask_context().await;
    let (said, makers, origin, mut known) = session.close();
    let mut reading = assemble_with(&said, origin, &makers);
    known.settle_serial(&said, &makers, &mut reading);
    known.learn(&said, &reading);
    Ok(Read { reading, credential: known.credential, known })
}
