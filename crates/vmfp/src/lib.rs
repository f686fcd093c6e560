//! Devices that are software: each lives a seeded life in simulated time and answers SNMP at a loopback address of its
//! own, from a description of a real kind of device or from a recorded walk, with faults on demand. Tour: [`start`]
//! (`fleet`) binds the doors (`answer`, `http`); `profile` says what a kind is, `life` what happens, `table` what is told.

mod answer;
mod clock;
mod config;
mod device;
mod fault;
mod fleet;
mod happen;
mod http;
mod identity;
mod life;
mod misbehave;
mod monitor;
mod profile;
mod random;
mod ready;
mod rhythm;
mod table;
mod traps;
mod truth;
mod usm;
mod walk;

pub use clock::Instant;
pub use config::{BASE, Devices, FleetConfig, Mood};
pub use fault::{Fault, Line};
pub use fleet::{Fleet, FleetError, start};
pub use monitor::{Claim, ROADS, Reports, ReportsError, activation, road_of};
pub use profile::{ErrorShape, Profile, ProfileError, find as find_profile, names as profile_names};
pub use ready::{DeviceInfo, ReadyFile};
pub use rhythm::Rhythm;
pub use traps::{TrapForm, TrapTarget};
pub use truth::{TrueAlert, TrueInput, TrueState, TrueSupply, Truth};
pub use usm::{NoUser, V3User};
pub use walk::{Recording, Walk};
