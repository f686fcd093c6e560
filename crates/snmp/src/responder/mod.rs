//! The agent side: answers requests from a [`Mib`]. [`answer`] is sans-IO; [`Responder`] owns a socket that may be
//! thousands of devices at once.

mod answer;
mod secure;
mod serve;

pub use answer::{Agent, Asked, Ignored, answer};
pub use secure::{answer_v3, is_v3};
pub(crate) use serve::is_passing;
pub use serve::{Datagram, Responder, ResponderConfig};

use crate::error::ErrorStatus;
use crate::oid::Oid;
use crate::value::{Value, VarBind};

/// Longest answer an agent gives unless told otherwise: what an Ethernet frame carries.
pub const DEFAULT_LIMIT: usize = 1_472;

/// The objects of one device.
pub trait Mib {
    /// The value of an object, or `NoSuchObject` / `NoSuchInstance`.
    fn get(&self, oid: &Oid) -> Value;

    /// The first object behind `oid`; `None` at the end.
    fn next(&self, oid: &Oid) -> Option<(Oid, Value)>;

    /// Writes all or none; on refusal the reason and the place of the object at fault, from 1.
    fn set(&self, values: &[VarBind]) -> Result<(), (ErrorStatus, u32)> {
        let _ = values;
        Err((ErrorStatus::NOT_WRITABLE, 1))
    }
}
