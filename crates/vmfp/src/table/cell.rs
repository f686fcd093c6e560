//! One cell of a device's table: a value, or the way to compute it from the life of the device.

use bytes::Bytes;
use snmp::{Oid, Value};

use super::alert;
use crate::clock::Instant;
use crate::fault::Fault;
use crate::identity::Identity;
use crate::life::{Cause, Life, Phase, Severity};
use crate::profile::{ErrorShape, Expression, ObjectType, Profile, Report};
use crate::usm;

/// A device at one moment.
pub(crate) struct View<'a> {
    pub profile: &'a Profile,
    pub who: Identity,
    pub life: &'a Life,
    pub now: Instant,
    /// Faults that change what it says of itself.
    pub faults: &'a [Fault],
}

impl View<'_> {
    /// Replaces the fields of a text.
    fn fill_in(&self, text: &str) -> String {
        let told = self.faults.iter().rev().find_map(|fault| match fault {
            Fault::Serial(serial) => Some(text.replace("{serial}", serial)),
            _ => None,
        });
        let text = told.as_deref().unwrap_or(text);
        let Some(mac) = self.told_mac() else { return self.who.fill_in(self.profile, text) };
        let octets = mac.map(|octet| format!("{octet:02X}"));
        let text = text.replace("{mac}", &octets.join("")).replace("{mac:}", &octets.join(":"));
        self.who.fill_in(self.profile, &text)
    }

    fn told_mac(&self) -> Option<[u8; 6]> {
        self.faults.iter().rev().find_map(|fault| match fault {
            Fault::Mac(mac) => Some(*mac),
            _ => None,
        })
    }

    fn error_shape(&self) -> ErrorShape {
        let told = self.faults.iter().rev().find_map(|fault| match fault {
            Fault::ErrorState(shape) => Some(*shape),
            _ => None,
        });
        told.unwrap_or(self.profile.manners.error_state)
    }
}

/// A value, or how to compute it.
#[derive(Debug, Clone)]
pub(crate) enum Cell {
    Same(Value),
    /// Text with fields, a NUL behind it if the device does so.
    Text(Box<str>),
    /// A counter by the profile's sum.
    Count(Expression, ObjectType),
    Uptime,
    Mac,
    Name,
    Location,
    DeviceStatus,
    PrinterStatus,
    ErrorState,
    ConfigChanges,
    AllEvents,
    CriticalEvents,
    Cover(u8, bool),
    InputLevel(u8),
    InputStatus(u8),
    OutputRoom(u8),
    OutputStatus(u8),
    SupplyLevel(u8),
    /// Level that says -100 near the end.
    NearLevel(u8),
    /// Description that tells the cartridge's serial.
    SupplyText(u8, Box<str>),
    MarkerStatus,
    Console(u8),
    /// Lamp number, and whether this is its on time (else off time).
    Light(u8, bool),
    EngineId,
    EngineBoots,
    /// snmpEngineTime; told in simulated seconds, as uptime is.
    EngineTime,
    /// Octets or packets a second of uptime: network counters that rise.
    Traffic(u32),
}

impl Cell {
    /// Text that holds no fields is a value at once.
    pub(crate) fn text(profile: &Profile, text: &str) -> Self {
        if text.contains('{') { Self::Text(text.into()) } else { Self::Same(string(profile, text)) }
    }

    pub(crate) const fn number(number: i32) -> Self {
        Self::Same(Value::Integer(number))
    }

    pub(crate) fn value(&self, view: &View<'_>) -> Value {
        let life = view.life;
        match self {
            Self::Same(value) => value.clone(),
            Self::Text(text) => string(view.profile, &view.fill_in(text)),
            Self::Count(sum, kind) => counted(life.shown(sum.value(&life.meters)), *kind),
            Self::Uptime => Value::TimeTicks((view.now.since(life.booted) / 10) as u32),
            Self::Mac => {
                let mac = view.told_mac().unwrap_or_else(|| view.who.mac(view.profile));
                Value::OctetString(Bytes::copy_from_slice(&mac))
            }
            Self::Name => string(view.profile, &view.who.name(view.profile)),
            Self::Location => string(view.profile, &view.who.location()),
            Self::DeviceStatus => Value::Integer(status(view).0),
            Self::PrinterStatus => Value::Integer(status(view).1),
            Self::ErrorState => error_state(view),
            Self::ConfigChanges => Value::Counter32(life.config_changes),
            Self::AllEvents => Value::Counter32(life.alerts.all_events),
            Self::CriticalEvents => Value::Counter32(life.alerts.critical_events),
            Self::Cover(..) | Self::InputStatus(_) | Self::OutputStatus(_) | Self::MarkerStatus => {
                Value::Integer(self.part_status(view))
            }
            Self::InputLevel(input) => Value::Integer(input_level(view, usize::from(*input))),
            Self::OutputRoom(output) => Value::Integer(output_room(view, usize::from(*output))),
            Self::SupplyLevel(supply) => Value::Integer(supply_level(view, usize::from(*supply))),
            Self::NearLevel(supply) => Value::Integer(near_level(view, usize::from(*supply))),
            Self::SupplyText(supply, text) => {
                let slot = usize::from(*supply);
                let serial = view.who.cartridge_serial(slot, life.supplies[slot].generation);
                string(view.profile, &text.replace("{serial}", &serial))
            }
            Self::Console(line) => string(view.profile, &console(view, *line)),
            Self::Light(light, on) => Value::Integer(light_time(view, *light, *on)),
            Self::EngineId => {
                let cloned = view.faults.contains(&Fault::ClonedEngineId);
                Value::OctetString(usm::engine_id(view.profile, view.who, cloned).into())
            }
            Self::EngineBoots => Value::Integer(usm::boots(view.who, life.boots, view.faults) as i32),
            Self::EngineTime => Value::Integer((view.now.since(life.booted) / 1_000) as i32),
            Self::Traffic(a_second) => {
                let seconds = view.now.since(life.booted) / 1000;
                Value::Counter32((seconds as u32).wrapping_mul(*a_second))
            }
        }
    }
}

impl Cell {
    /// Status of a cover (PrtCoverStatusTC) or of a tray, a bin, the marker (PrtSubUnitStatusTC).
    fn part_status(&self, view: &View<'_>) -> i32 {
        match self {
            Self::Cover(cover, interlock) => {
                let open = view.life.open_cover() == Some(*cover);
                i32::from(!open) + if *interlock { 5 } else { 3 }
            }
            Self::InputStatus(input) => unit_status(
                view,
                |cause| matches!(cause, Cause::InputLow(n) | Cause::InputEmpty { input: n, .. } if n == *input),
            ),
            Self::OutputStatus(output) => unit_status(
                view,
                |cause| matches!(cause, Cause::OutputFull(n) | Cause::OutputNearFull(n) if n == *output),
            ),
            _ => {
                unit_status(view, |cause| matches!(cause, Cause::SupplyLow(_) | Cause::SupplyEmpty(_) | Cause::Service))
            }
        }
    }
}

/// Text as the device sends it.
pub(super) fn string(profile: &Profile, text: &str) -> Value {
    let mut octets = text.as_bytes().to_vec();
    if profile.manners.trailing_nul && !octets.is_empty() {
        octets.push(0);
    }
    Value::OctetString(octets.into())
}

fn counted(count: u32, kind: ObjectType) -> Value {
    match kind {
        ObjectType::Counter => Value::Counter32(count),
        ObjectType::Counter64 => Value::Counter64(u64::from(count)),
        ObjectType::Gauge => Value::Gauge32(count),
        ObjectType::Text => Value::text(&count.to_string()),
        ObjectType::Oid => Value::ObjectId(Oid::from_arcs(&[0, 0])),
        ObjectType::Integer | ObjectType::Hex | ObjectType::NearLevel => Value::Integer(count as i32),
    }
}

/// hrDeviceStatus and hrPrinterStatus (RFC 3805 §2.2.13: their combination tells the state).
pub(crate) fn status(view: &View<'_>) -> (i32, i32) {
    let life = view.life;
    let worst = life.alerts.rows.iter().map(|row| row.severity).fold(Severity::Other, |worst, severity| {
        match (worst, severity) {
            (Severity::Critical, _) | (_, Severity::Critical) => Severity::Critical,
            (Severity::Warning, _) | (_, Severity::Warning) => Severity::Warning,
            _ => Severity::Other,
        }
    });
    let printer = match life.phase {
        Phase::WarmUp => 5,
        Phase::Printing => 4,
        _ if life.stopped() => 1,
        _ if life.asleep(view.profile, view.now) && !view.profile.manners.idle_asleep => 1,
        _ => 3,
    };
    let device = match worst {
        _ if life.stopped() => 5,
        Severity::Warning | Severity::Critical => 3,
        Severity::Other => 2,
    };
    (device, printer)
}

fn error_state(view: &View<'_>) -> Value {
    let bits = alert::error_bits(view);
    let octets = match view.error_shape() {
        ErrorShape::Two => bits.to_be_bytes().to_vec(),
        ErrorShape::One => vec![bits.to_be_bytes()[0]],
        ErrorShape::EmptyWhenReady if bits == 0 => Vec::new(),
        ErrorShape::EmptyWhenReady => bits.to_be_bytes().to_vec(),
        ErrorShape::Swapped => bits.to_le_bytes().to_vec(),
        ErrorShape::LittleEndian => bits.reverse_bits().to_be_bytes().to_vec(),
        ErrorShape::Four => (u32::from(bits) << 16).to_be_bytes().to_vec(),
        ErrorShape::Never => Vec::new(),
    };
    Value::OctetString(octets.into())
}

/// PrtSubUnitStatusTC: 0 available and idle, 4 active; +8 non-critical alert, +16 critical alert.
fn unit_status(view: &View<'_>, here: impl Fn(Cause) -> bool) -> i32 {
    let mut code = 0;
    for row in view.life.alerts.rows.iter().filter(|row| here(row.cause)) {
        code |= if row.severity == Severity::Critical { 16 } else { 8 };
    }
    code + if view.life.phase == Phase::Printing && code & 16 == 0 { 4 } else { 0 }
}

fn input_level(view: &View<'_>, input: usize) -> i32 {
    let plan = &view.profile.inputs[input];
    let level = i32::from(view.life.inputs[input].level);
    told(plan.report, f64::from(level) / f64::from(plan.sheets.max(1)), i32::from(plan.sheets), level)
}

fn output_room(view: &View<'_>, output: usize) -> i32 {
    let plan = &view.profile.outputs[output];
    let room = i32::from(plan.sheets) - i32::from(view.life.outputs[output].level);
    told(plan.report, f64::from(room) / f64::from(plan.sheets.max(1)), i32::from(plan.sheets), room)
}

fn supply_level(view: &View<'_>, supply: usize) -> i32 {
    let plan = &view.profile.supplies[supply];
    let left = view.life.supplies[supply].left;
    let share = if plan.counts_up { 1.0 - left } else { left };
    let max = plan.max.max(0);
    let exact = (share * f64::from(max)).ceil() as i32;
    if plan.kind.waste() && plan.report == Report::Some {
        // The rest of the space is not measured: some, until the sensor sees it full.
        return if left > 0.0 { -3 } else { 0 };
    }
    told_supply(plan.report, share, max, exact, plan.low_at)
}

fn near_level(view: &View<'_>, supply: usize) -> i32 {
    let left = view.life.supplies[supply].left;
    match left {
        left if left <= 0.0 => 0,
        left if left < view.profile.supplies[supply].low_at => -100,
        left => (left * 10.0).ceil() as i32 * 10,
    }
}

fn told_supply(report: Report, share: f64, max: i32, exact: i32, low_at: f64) -> i32 {
    let (low, near) = (share < low_at, share < low_at / 4.0);
    match report {
        Report::Steps if share <= 0.0 => 0,
        Report::Steps => [(near, 1), (low, 10)].iter().find(|step| step.0).map_or(100, |step| step.1),
        Report::Staged if share <= 0.0 => 2,
        Report::Staged => [(near, 3), (low, 1)].iter().find(|step| step.0).map_or(0, |step| step.1),
        _ => told(report, share, max, exact),
    }
}

/// A level in the device's way of telling levels.
fn told(report: Report, share: f64, max: i32, exact: i32) -> i32 {
    let rounded = |steps: f64| ((share * steps).ceil() / steps * f64::from(max)) as i32;
    match report {
        Report::Exact => exact,
        Report::Tenths => rounded(10.0),
        Report::Quarters => rounded(4.0),
        Report::Percent => (share * 100.0).ceil() as i32,
        Report::Some | Report::Steps | Report::Staged => {
            if share > 0.0 {
                -3
            } else {
                0
            }
        }
        Report::Unknown => -2,
    }
}

/// What the panel shows: the state, then the worst alert.
pub(crate) fn console(view: &View<'_>, line: u8) -> String {
    let (plan, life) = (&view.profile.console, view.life);
    let urgent = life.alerts.rows.iter().filter(|row| row.severity != Severity::Other);
    let worst = urgent.min_by_key(|row| (row.severity, row.index)).map(|row| alert::text(view, row.cause));
    let state = match life.phase {
        Phase::WarmUp => "Warming up".to_owned(),
        Phase::Printing => "Printing".to_owned(),
        _ if life.stopped() => worst.clone().unwrap_or_default(),
        _ if life.asleep(view.profile, view.now) => plan.asleep.clone(),
        _ => plan.ready.clone(),
    };
    let text = match line {
        0 => state,
        1 => worst.filter(|text| *text != state).unwrap_or_default(),
        _ => String::new(),
    };
    text.chars().take(plan.width).collect()
}

/// Milliseconds of a lamp's on or off phase: steady on is (n, 0), off (0, n), blinking both.
fn light_time(view: &View<'_>, light: u8, on: bool) -> i32 {
    let life = view.life;
    let bright = match light {
        0 => !life.stopped(),
        1 => life.stopped(),
        _ => life.phase == Phase::Printing,
    };
    let blinking = life.phase == Phase::WarmUp && light == 0;
    if blinking || bright == on { 1000 } else { 0 }
}
