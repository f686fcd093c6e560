//! SNMP v1, v2c and v3 for a manager and for an agent. It has never heard of a printer.
//! Sans-IO in the middle (`ber`, `pdu`, `message`, `usm`, `walk`, `responder`), sockets and the clock at the rim
//! (`engine`, `sweep`, `trap`, `responder::serve`). Start with [`Engine`] and [`Target`].

pub mod ber;
pub mod engine;
mod error;
pub mod message;
mod oid;
pub mod pdu;
pub mod responder;
mod socket;
pub mod sweep;
mod target;
pub mod trap;
pub mod usm;
mod value;
pub mod walk;

pub use ber::Malformed;
pub use engine::{Engine, EngineConfig, SubnetBudget, Subnets};
pub use error::{Error, ErrorStatus};
pub use oid::{Oid, OidRef, ParseOidError};
pub use target::{Community, Secret, Security, Target, Version};
pub use usm::{AuthProtocol, KeyExtension, PrivProtocol, UsmUser};
pub use value::{Value, ValueRef, VarBind};
pub use walk::{BulkUse, Quirk, Walk, WalkLimits};
