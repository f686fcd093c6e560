//! What a fleet is asked to be.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use snmp::UsmUser;

use crate::fault::Line;
use crate::monitor::Reports;
use crate::traps::TrapTarget;

/// First address of a fleet when nothing else is said.
pub const BASE: Ipv4Addr = Ipv4Addr::new(127, 20, 0, 1);

/// What a fleet is asked to be.
#[derive(Debug, Clone)]
pub struct FleetConfig {
    /// Which devices.
    pub devices: Devices,
    /// UDP port for SNMP; 0 takes a free one, which [`crate::DeviceInfo`] tells.
    pub snmp_port: u16,
    /// TCP port for the devices' own pages; 0 is off.
    pub http_port: u16,
    /// TCP port for IPP; 0 is off. Anything else is refused as long as no IPP side exists.
    pub ipp_port: u16,
    /// The same seed gives the same devices and the same life.
    pub seed: u64,
    /// Simulated seconds in a real second; 0 stands still.
    pub speed: f64,
    /// Whether things go wrong by themselves.
    pub mood: Mood,
    /// Simulated time before [`crate::Instant::START`] at which the clock starts and the devices are born. Who reads
    /// them while he skips through it sees a past that the present goes on from.
    pub past: Duration,
    /// What the network does to all devices.
    pub line: Line,
    /// Community that every device answers; walks answer `COMMUNITY@Context` too.
    pub community: String,
    /// First address of walks.
    pub walk_base: Ipv4Addr,
    /// Users of SNMPv3 that every device knows, recordings too.
    pub v3_users: Vec<UsmUser>,
    /// Who gets traps.
    pub traps: Vec<TrapTarget>,
    /// Who reports by itself.
    pub reports: Option<Reports>,
}

/// Which devices.
#[derive(Debug, Clone)]
pub enum Devices {
    /// A mixed fleet at successive addresses.
    Fleet {
        /// How many.
        count: u32,
        /// First address, within 127.0.0.0/8.
        base: Ipv4Addr,
    },
    /// One device a `.snmprec` file, from [`FleetConfig::walk_base`] on.
    Walks(Vec<PathBuf>),
    /// Devices of one description.
    Profile {
        /// See [`crate::profile_names`].
        name: String,
        /// How many.
        count: u32,
        /// First address, within 127.0.0.0/8.
        base: Ipv4Addr,
    },
}

/// Whether things go wrong by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// As in real life: among every 25 devices one is jammed at the beginning, one open, one asleep, one about to
    /// leave the network for a while; all answer at first.
    #[default]
    Lively,
    /// Nothing is broken at the beginning and no device leaves the network; jams, covers and supplies come later.
    Calm,
    /// Nothing goes wrong at all: no jams, covers, failures or outages. Paper and supplies are still used up.
    Faultless,
}

impl Default for FleetConfig {
    fn default() -> Self {
        Self {
            devices: Devices::Fleet { count: 25, base: BASE },
            snmp_port: 0,
            http_port: 0,
            ipp_port: 0,
            seed: 1,
            speed: 1.0,
            mood: Mood::default(),
            past: Duration::ZERO,
            line: Line::default(),
            community: "public".into(),
            walk_base: BASE,
            v3_users: Vec::new(),
            traps: Vec::new(),
            reports: None,
        }
    }
}
