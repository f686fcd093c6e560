//! The agent side: answers requests from a [`Mib`]. `answer` is sans-IO, `serve` owns a socket.

use crate::error::ErrorStatus;
use crate::oid::Oid;
use crate::target::Version;
use crate::value::{Value, VarBind};

/// The objects of one device.
pub trait Mib {
    /// The value of an object, or `NoSuchObject` / `NoSuchInstance`.
    fn get(&self, oid: &Oid) -> Value;

    /// The first object behind `oid`; `None` at the end.
    fn next(&self, oid: &Oid) -> Option<(Oid, Value)>;

    /// Writes all or none; on refusal the reason and the place of the object at fault, from 1.
    fn set(&self, _values: &[VarBind]) -> Result<(), (ErrorStatus, u32)> {
        Err((ErrorStatus::NOT_WRITABLE, 1))
    }
}

/// What a request presents to be let in.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Version of the message.
    pub version: Version,
    /// Community (v1, v2c) or user (v3).
    pub name: &'a [u8],
    /// Context name (v3), else empty.
    pub context: &'a [u8],
    /// Whether it wants to write.
    pub write: bool,
}
