//! From everything that a device said to one reading. No network, no clock: the same input gives the same reading.

use wire::{Reading, SnmpVersion, State};

use crate::identity::{self, Makers};
use crate::meters;
use crate::profile::{Catalogue, ErrorState, Profile};
use crate::snapshot::Snapshot;
use crate::standard::alerts::{self, Around};
use crate::standard::supplies::{self, Habits};
use crate::standard::{host, paper};
use crate::status::{self, Evidence};

/// Where and when a snapshot was taken.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The address that was read.
    pub address: String,
    /// UDP port.
    pub port: u16,
    /// The version it answered in.
    pub version: SnmpVersion,
    /// When the device started, milliseconds since 1970; without it alerts carry no time.
    pub boot_ms: Option<i64>,
    /// Faults that were met while asking.
    pub quirks: Vec<String>,
}

impl Origin {
    /// An origin without clock and faults.
    pub fn new(address: impl Into<String>, port: u16, version: SnmpVersion) -> Self {
        Self { address: address.into(), port, version, boot_ms: None, quirks: Vec::new() }
    }
}

/// Builds the reading with the catalogue in use.
pub fn assemble(said: &Snapshot, origin: Origin) -> Reading {
    assemble_with(said, origin, &Makers::find(said, Catalogue::current()))
}

/// Builds the reading by profiles that were chosen already.
pub(crate) fn assemble_with(said: &Snapshot, origin: Origin, makers: &Makers) -> Reading {
    let printer = host::printer_index(said);
    let charset = host::charset(said, printer);
    let mut quirks = origin.quirks;
    let identity = identity::read(said, charset, makers);
    let staged = makers.iter().flat_map(|profile| &profile.staged).find(|steps| steps.fits(identity.model.as_deref()));
    let habits = Habits {
        staged,
        rules: makers.iter().map(|profile| &profile.supplies).collect(),
        tables: makers.iter().flat_map(|profile| &profile.supply_tables).collect(),
    };
    let supplies = supplies::read(said, charset, &habits, &mut quirks);
    let covers = paper::covers(said, charset);
    let mut alerts = alerts::read(said, charset, Around { supplies: &supplies, boot_ms: origin.boot_ms });
    if !wire::report::tells_alerts(&quirks) {
        // Half a row is no condition: what it lacks may be what tells it from another one.
        alerts.retain(|alert| alert.group.is_some() && alert.code.is_some());
    }
    let told = status::told(said, makers.iter());
    let evidence = Evidence {
        printer,
        order: octet_order(makers.iter()),
        supplies: &supplies,
        covers: &covers,
        alerts: &alerts,
        told: &told,
    };
    let status = status::read(said, host::console(said, printer, charset), evidence, &mut quirks);
    // What a sleeping device tells is what it knew when it fell asleep.
    if status.state == State::Asleep {
        quirks.push("read-while-asleep".to_owned());
    }
    quirks.sort();
    quirks.dedup();
    Reading {
        address: origin.address,
        port: origin.port,
        snmp: origin.version,
        identity,
        status,
        meters: meters::read(said, charset, makers.iter()),
        supplies,
        inputs: paper::inputs(said, charset),
        outputs: paper::outputs(said, charset),
        covers,
        alerts,
        quirks,
    }
}

fn octet_order<'a>(mut profiles: impl Iterator<Item = &'a Profile>) -> ErrorState {
    let swapped = profiles.any(|profile| profile.error_state == ErrorState::Swapped);
    if swapped { ErrorState::Swapped } else { ErrorState::Standard }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rows: &str) -> Reading {
        let said = crate::parse_recording(rows.as_bytes());
        assemble(&said, Origin::new("127.0.0.1", 161, SnmpVersion::V2c))
    }

    #[test]
    fn sleep_is_told_and_what_is_told_in_sleep_is_marked() {
        let printer = |printer, device| {
            read(&format!(
                "1.3.6.1.2.1.25.3.2.1.2.1|6|1.3.6.1.2.1.25.3.1.5\n1.3.6.1.2.1.25.3.2.1.5.1|2|{device}\n\
                 1.3.6.1.2.1.25.3.5.1.1.1|2|{printer}\n1.3.6.1.2.1.43.11.1.1.8.1.1|2|100\n1.3.6.1.2.1.43.11.1.1.9.1.1|2|40\n"
            ))
        };
        let asleep = printer(1, 2);
        assert_eq!((asleep.status.state, asleep.quirks), (State::Asleep, vec!["read-while-asleep".to_owned()]));
        assert_eq!(asleep.supplies[0].level.percent(), Some(40.0), "the last that it knew");
        for (state, awake) in [(State::Idle, printer(3, 2)), (State::Stopped, printer(1, 5))] {
            assert_eq!((awake.status.state, awake.quirks.len()), (state, 0));
        }
        let words = read("1.3.6.1.2.1.43.16.5.1.2.1.1|4|Energy saver\n");
        assert_eq!(words.status.state, State::Asleep, "the panel's words, when no object tells");
    }

    #[test]
    fn a_walk_without_anything_is_read_as_nothing() {
        let nothing = read("");
        assert_eq!(nothing.status, wire::Status::default());
        assert!(nothing.meters.is_empty() && nothing.supplies.is_empty() && nothing.quirks.is_empty());
        assert_eq!((nothing.identity.vendor, nothing.identity.model, nothing.identity.serial), (None, None, None));
    }
}
