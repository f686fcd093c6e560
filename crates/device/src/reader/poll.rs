//! The questions between full readings: has anything moved, how is it, what has it done.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use snmp::{Engine, Oid, Value};
use wire::report::StatusBody;
use wire::{Meter, Reading};

use super::Read;
use super::access::{Access, Known};
use super::error::ReadError;
use super::questions::{Depth, Tables};
use super::session::Session;
use crate::assemble::assemble_with;
use crate::identity::Guess;
use crate::meters;
use crate::standard::{host, oid};

/// Five objects that tell whether anything moved. Two are equal when nothing did; the running clock is left out of the
/// comparison, see [`Vitals::restarted_since`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Vitals {
    /// prtGeneralConfigChanges.
    pub config_changes: Option<i64>,
    /// prtAlertAllEvents.
    pub alert_events: Option<i64>,
    /// hrPrinterDetectedErrorState as sent.
    pub error_state: Option<Vec<u8>>,
    /// prtMarkerLifeCount of the first marker.
    pub life_count: Option<u64>,
    /// sysUpTime, hundredths of a second.
    pub uptime: Option<u64>,
}

impl PartialEq for Vitals {
    fn eq(&self, other: &Self) -> bool {
        let told = |vitals: &Self| (vitals.config_changes, vitals.alert_events, vitals.life_count);
        told(self) == told(other) && self.error_state == other.error_state
    }
}

impl Eq for Vitals {}

impl Vitals {
    /// The device started again since: its clock stands before the earlier one. (A wrap after 497 days looks the same
    /// and costs one needless reading.)
    pub fn restarted_since(&self, earlier: &Self) -> bool {
        self.uptime.zip(earlier.uptime).is_some_and(|(now, then)| now < then)
    }

    /// Whether the device tells at all when something moves; without this the tables must be read by the clock.
    pub fn tells_changes(&self) -> bool {
        self.alert_events.is_some() || self.error_state.is_some()
    }
}

/// Who a device is, and how it let us in.
#[derive(Clone, Debug)]
pub struct Introduction {
    /// What it seems to be.
    pub guess: Guess,
    /// sysObjectID.0
    pub sys_object_id: Option<Oid>,
    /// sysDescr.0
    pub sys_descr: Option<Bytes>,
    /// Version and credential that worked, to be given to the next reading.
    pub known: Known,
}

/// The condition of a device without its meters.
#[derive(Clone, Debug)]
pub struct StatusRead {
    /// As it is reported.
    pub body: StatusBody,
    /// To be kept and given to the next reading.
    pub known: Known,
}

/// The objects of the cheap poll.
pub(super) fn vital_objects(known: &Known) -> [Oid; 5] {
    let (printer, marker) = (known.printer.max(1), known.marker.max(1));
    [
        oid::GENERAL_CONFIG_CHANGES.child(printer),
        oid::ALERT_ALL_EVENTS.child(printer),
        oid::HR_PRINTER_ERROR_STATE.child(printer),
        oid::MARKER.join(&[4, printer, marker]),
        oid::SYS_UP_TIME.clone(),
    ]
}

/// The cheap poll: one GET of at most five objects, those that the device is known to have.
pub async fn vitals(engine: &Engine, access: &Access, known: &Known) -> Result<Vitals, ReadError> {
    let objects = vital_objects(known);
    let asked: Vec<Oid> = match known.vitals {
        0 => objects.to_vec(),
        has => objects
            .iter()
            .enumerate()
            .filter(|(place, _)| has >> place & 1 == 1)
            .map(|(_, object)| object.clone())
            .collect(),
    };
    let said = Session::ask_once(engine, access, known, &asked).await?;
    let number = |place: usize| said.number(&objects[place]);
    Ok(Vitals {
        config_changes: number(0),
        alert_events: number(1),
        error_state: said.get(&objects[2]).and_then(|value| value.as_bytes()).map(<[u8]>::to_vec),
        life_count: number(3).and_then(|count| u64::try_from(count).ok()),
        uptime: number(4).and_then(|ticks| u64::try_from(ticks).ok()),
    })
}

/// Who a device is, in two or three requests: enough for the line of a discovery.
pub async fn introduce(engine: &Engine, access: &Access, known: &Known) -> Result<Introduction, ReadError> {
    let mut session = Session::open(engine, access, known).await?;
    session.ask_objects(&[oid::HR_DEVICE_DESCR.child(1), oid::GENERAL_SERIAL_NUMBER.child(1)]).await;
    session.ask_vendor(Depth::Identity).await;
    let (said, makers, _, known) = session.close();
    Ok(Introduction {
        guess: Guess::of(&said, &makers),
        sys_object_id: said.get(&oid::SYS_OBJECT_ID).and_then(Value::as_oid).cloned(),
        sys_descr: said.get(&oid::SYS_DESCR).and_then(Value::as_bytes).map(Bytes::copy_from_slice),
        known,
    })
}

/// Everything but the meters.
pub async fn read_status(engine: &Engine, access: &Access, known: &Known) -> Result<StatusRead, ReadError> {
    let mut session = Session::open(engine, access, known).await?;
    session.ask_tables(super::questions::FULL).await;
    session.doubt_bulk(super::questions::FULL).await;
    session.ask_vendor(Depth::Identity).await;
    session.ask_context().await;
    let (said, makers, origin, mut known) = session.close();
    let mut reading = assemble_with(&said, origin, &makers);
    known.settle_serial(&said, &makers, &mut reading);
    known.learn(&said, &reading);
    Ok(StatusRead { body: body(reading), known })
}

/// The counters alone.
pub async fn read_meters(engine: &Engine, access: &Access, known: &Known) -> Result<Vec<Meter>, ReadError> {
    let mut session = Session::open_knocking(engine, access, known).await?;
    session.take_makers_from(known);
    session.ask_tables(&[Tables::Markers]).await;
    session.doubt_bulk(&[Tables::Markers]).await;
    session.take_makers_from(known);
    session.ask_vendor(Depth::Counters).await;
    let (said, makers, ..) = session.close();
    let charset = host::charset(&said, host::printer_index(&said));
    Ok(meters::read(&said, charset, makers.iter()))
}

/// The part of a reading that is reported as status.
pub(crate) fn body(reading: Reading) -> StatusBody {
    StatusBody {
        address: reading.address,
        port: reading.port,
        snmp: reading.snmp,
        identity: reading.identity,
        status: reading.status,
        supplies: reading.supplies,
        inputs: reading.inputs,
        outputs: reading.outputs,
        covers: reading.covers,
        alerts: reading.alerts,
        quirks: reading.quirks,
    }
}

impl From<Read> for StatusBody {
    fn from(read: Read) -> Self {
        body(read.reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vitals_ignore_the_running_clock() {
        let before = Vitals { alert_events: Some(4), life_count: Some(100), uptime: Some(1_000), ..Vitals::default() };
        let after = Vitals { uptime: Some(2_000), ..before.clone() };
        assert_eq!(before, after);
        assert!(!after.restarted_since(&before));
        assert!(Vitals { uptime: Some(10), ..before.clone() }.restarted_since(&before));
        assert_ne!(before, Vitals { life_count: Some(101), ..before.clone() });
    }
}
