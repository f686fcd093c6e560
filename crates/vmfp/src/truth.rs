//! What a device really is, past all manners of telling it: end-to-end tests compare it with what the server shows.

use std::net::Ipv4Addr;

use serde::Serialize;

use crate::clock::Instant;
use crate::identity::Identity;
use crate::life::{Cause, Life, Phase, Severity};
use crate::profile::Profile;
use crate::table::{self, View};

/// A device, as it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Truth {
    /// Address that was asked about.
    pub address: Ipv4Addr,
    /// Vendor slug; empty for recordings.
    pub vendor: String,
    /// Model.
    pub model: String,
    /// Serial of the main board.
    pub serial: String,
    /// sysName.
    pub name: String,
    /// sysLocation.
    pub location: String,
    /// Hardware address.
    pub mac: [u8; 6],
    /// Firmware release.
    pub firmware: String,
    /// All page sides.
    pub life_count: u32,
    /// Page sides in black.
    pub mono: u32,
    /// Page sides in colour.
    pub colour: u32,
    /// Page sides printed, copied, received by fax; reports of the device itself.
    pub functions: [u32; 4],
    /// Scanned pages.
    pub scans: u32,
    /// Sheets of paper.
    pub sheets: u32,
    /// What it does.
    pub state: TrueState,
    /// hrPrinterDetectedErrorState, bit 0 the most significant.
    pub error_bits: u16,
    /// Supplies in the order of the description.
    pub supplies: Vec<TrueSupply>,
    /// Trays.
    pub inputs: Vec<TrueInput>,
    /// Standing alerts.
    pub alerts: Vec<TrueAlert>,
    /// Alerts that began and ended since the fleet began.
    pub alerts_begun: u32,
    /// See [`Self::alerts_begun`].
    pub alerts_ended: u32,
    /// Supplies exchanged since the fleet began.
    pub replacements: u32,
    /// Page sides since the fleet began, or since this unit came; no reset and no wrap of a counter changes it.
    pub printed: u64,
    /// Times the power came on since then.
    pub boots: u16,
    /// What the panel shows, first line.
    pub console: String,
    /// Simulated milliseconds since the fleet began.
    pub at_ms: i64,
}

/// What a device does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrueState {
    /// Waits for work.
    Idle,
    /// Prints.
    Processing,
    /// Gets warm.
    WarmingUp,
    /// Saves power.
    Asleep,
    /// Needs people.
    Stopped,
    /// Not on the network.
    Off,
}

/// A supply, as it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrueSupply {
    /// prtMarkerSuppliesIndex (or finSupplyIndex).
    pub index: u32,
    /// Finisher number; 0 for the marker.
    pub finisher: u8,
    /// Description as text, whatever octets the device sends.
    pub description: String,
    /// Colour word.
    pub colorant: Option<String>,
    /// Used up (3) or filled (4).
    pub class: i32,
    /// Share left, or room left, 0.0 to 1.0.
    pub left: f64,
    /// Serial of the cartridge.
    pub serial: String,
}

/// A tray, as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrueInput {
    /// Name.
    pub name: String,
    /// Sheets in it.
    pub level: u16,
    /// Sheets that fit.
    pub capacity: u16,
}

/// A standing alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrueAlert {
    /// prtAlertIndex.
    pub index: u32,
    /// prtAlertGroup, prtAlertGroupIndex, prtAlertCode.
    pub place: (i32, i32, i32),
    /// It stops the device or hides another that does.
    pub critical: bool,
    /// Words of the panel.
    pub text: String,
    /// Simulated milliseconds since the fleet began.
    pub since_ms: i64,
}

impl Truth {
    pub(crate) fn of(address: Ipv4Addr, profile: &Profile, who: Identity, life: &Life, now: Instant) -> Self {
        let view = View { profile, who, life, now, faults: &[] };
        let meters = &life.meters;
        let function = |number: usize| meters.pages[number * 4..number * 4 + 4].iter().sum();
        let state = match life.phase {
            Phase::Off => TrueState::Off,
            Phase::WarmUp => TrueState::WarmingUp,
            Phase::Printing => TrueState::Processing,
            Phase::Idle if life.stopped() => TrueState::Stopped,
            Phase::Idle if life.asleep(profile, now) => TrueState::Asleep,
            Phase::Idle => TrueState::Idle,
        };
        Self {
            address,
            vendor: profile.vendor.clone(),
            model: profile.model.clone(),
            serial: who.serial(profile),
            name: who.name(profile),
            location: who.location(),
            mac: who.mac(profile),
            firmware: profile.identity.firmware.clone(),
            life_count: meters.total(),
            mono: meters.mono(),
            colour: meters.colour(),
            functions: [0, 1, 2, 3].map(function),
            scans: meters.scans[0] + meters.scans[1],
            sheets: meters.sheets,
            state,
            error_bits: table::error_bits(&view),
            supplies: supplies(&view),
            inputs: inputs(&view),
            alerts: alerts(&view),
            alerts_begun: life.alerts.all_events,
            alerts_ended: life.alerts.cleared,
            replacements: life.replacements,
            printed: life.printed,
            boots: life.boots,
            console: table::console(&view, 0),
            at_ms: now.millis(),
        }
    }

    /// A recording knows no more than it says.
    pub(crate) fn recorded(address: Ipv4Addr, vendor: String, model: String, serial: String, now: Instant) -> Self {
        Self {
            address,
            vendor,
            model,
            serial,
            name: String::new(),
            location: String::new(),
            mac: [0; 6],
            firmware: String::new(),
            life_count: 0,
            mono: 0,
            colour: 0,
            functions: [0; 4],
            scans: 0,
            sheets: 0,
            state: TrueState::Idle,
            error_bits: 0,
            supplies: Vec::new(),
            inputs: Vec::new(),
            alerts: Vec::new(),
            alerts_begun: 0,
            alerts_ended: 0,
            replacements: 0,
            printed: 0,
            boots: 0,
            console: String::new(),
            at_ms: now.millis(),
        }
    }
}

fn supplies(view: &View<'_>) -> Vec<TrueSupply> {
    let pairs = view.profile.supplies.iter().zip(&view.life.supplies).enumerate();
    let all = pairs.map(|(slot, (plan, supply))| {
        let serial = view.who.cartridge_serial(slot, supply.generation);
        TrueSupply {
            index: plan.index,
            finisher: plan.finisher,
            description: plan.description.replace("{serial}", &serial),
            colorant: plan.colorant.clone(),
            class: plan.class(),
            left: supply.left,
            serial,
        }
    });
    all.collect()
}

fn inputs(view: &View<'_>) -> Vec<TrueInput> {
    let pairs = view.profile.inputs.iter().zip(&view.life.inputs);
    let all =
        pairs.map(|(plan, input)| TrueInput { name: plan.name.clone(), level: input.level, capacity: plan.sheets });
    all.collect()
}

fn alerts(view: &View<'_>) -> Vec<TrueAlert> {
    let standing = view.life.alerts.rows.iter().filter(|row| !matches!(row.cause, Cause::Removal(_) | Cause::PowerUp));
    let all = standing.map(|row| TrueAlert {
        index: row.index,
        place: table::place(view, row.cause),
        critical: row.severity == Severity::Critical,
        text: table::text(view, row.cause),
        since_ms: row.at.millis(),
    });
    all.collect()
}
