//! Kind 4 of a virtual device: identity and present condition in the words that agents use for devices they read.

use wire::report::StatusBody;
use wire::{
    Alert, AlertSeverity, Body, Class, Component, Cover, Identity, Input, Level, Output, RawLevel, SnmpVersion, State,
    Status, Supply,
};

use super::event::is_event;
use crate::life::{Cause, Phase, Row, Severity};
use crate::profile::SupplyType;
use crate::table::{self, View};

/// What makes a device tell its status again: its alerts, and supplies in whole percent. Whether it prints or rests is
/// told with it but is no reason to tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) standing: Vec<Row>,
    pub(super) supplies: Vec<u8>,
}

impl Condition {
    pub(super) fn of(view: &View<'_>) -> Self {
        let rows = view.life.alerts.rows.iter().copied();
        let standing = rows.filter(|row| !matches!(row.cause, Cause::Removal(_) | Cause::PowerUp)).collect();
        let supplies = view.life.supplies.iter().map(|supply| percent(supply.left) as u8).collect();
        Self { standing, supplies }
    }
}

/// Address and port are those of its own door: it speaks for itself.
pub(super) fn status(view: &View<'_>, address: String, port: u16) -> Body {
    let standing = Condition::of(view).standing;
    Body::Status(Box::new(StatusBody {
        address,
        port,
        snmp: SnmpVersion::V2c,
        identity: identity(view),
        status: Status { state: state(view), reasons: reasons(view, &standing), console: console(view) },
        supplies: supplies(view),
        inputs: inputs(view),
        outputs: outputs(view),
        covers: covers(view),
        alerts: standing.iter().filter(|row| !is_event(view, row.cause)).map(|row| alert(view, row)).collect(),
        quirks: Vec::new(),
    }))
}

/// What its log says: who it is, what stands, and what is left of each supply, a line each.
pub(super) fn log(view: &View<'_>, now_ms: i64) -> String {
    let who = identity(view);
    let mut lines = vec![format!(
        "{now_ms} boot model={} serial={} firmware={}",
        who.model.unwrap_or_default(),
        who.serial.unwrap_or_default(),
        view.profile.identity.firmware
    )];
    lines.push(format!("{now_ms} state {:?}", state(view)));
    for row in Condition::of(view).standing {
        lines.push(format!("{now_ms} stands {row:?}"));
    }
    for supply in supplies(view) {
        lines.push(format!("{now_ms} supply {} {:?}", supply.index, supply.level));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn identity(view: &View<'_>) -> Identity {
    let (profile, who) = (view.profile, view.who);
    let version = profile.identity.firmware.clone();
    Identity {
        vendor: Some(profile.vendor.clone()),
        model: Some(profile.model.clone()),
        serial: Some(who.serial(profile)),
        name: Some(who.name(profile)),
        location: Some(who.location()),
        mac: Some(mac(view)),
        firmware: vec![Component { name: "system".to_owned(), version }],
        ..Identity::default()
    }
}

/// Hardware address, `aa:bb:cc:dd:ee:ff`.
pub(super) fn mac(view: &View<'_>) -> String {
    view.who.mac(view.profile).map(|octet| format!("{octet:02x}")).join(":")
}

fn state(view: &View<'_>) -> State {
    match view.life.phase {
        Phase::Off => State::Offline,
        Phase::WarmUp => State::WarmingUp,
        Phase::Printing => State::Processing,
        Phase::Idle if view.life.stopped() => State::Stopped,
        Phase::Idle if view.life.asleep(view.profile, view.now) => State::Asleep,
        Phase::Idle => State::Idle,
    }
}

fn console(view: &View<'_>) -> Option<String> {
    let lines: Vec<_> = [0, 1].map(|line| table::console(view, line)).into_iter().filter(|l| !l.is_empty()).collect();
    (!lines.is_empty()).then(|| lines.join(" "))
}

fn reasons(view: &View<'_>, standing: &[Row]) -> Vec<String> {
    let known = standing.iter().filter(|row| row.cause != Cause::Service);
    let mut all: Vec<_> = known
        .map(|row| {
            let grave = if row.severity == Severity::Critical { "error" } else { "warning" };
            format!("{}-{grave}", reason(view, row.cause))
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn alert(view: &View<'_>, row: &Row) -> Alert {
    let (group, part, code) = table::place(view, row.cause);
    Alert {
        severity: match row.severity {
            Severity::Critical => AlertSeverity::Critical,
            Severity::Warning => AlertSeverity::Warning,
            Severity::Other => AlertSeverity::Other,
        },
        reason: reason(view, row.cause).to_owned(),
        group: group_word(group).map(str::to_owned),
        part: Some(format!("1.{part}")),
        text: Some(table::text(view, row.cause)),
        code: Some(i64::from(code)),
        since: None,
    }
}

/// IPP keyword.
fn reason(view: &View<'_>, cause: Cause) -> &'static str {
    let kind = |number: u8| view.profile.supplies[usize::from(number)].kind;
    match cause {
        Cause::Jam => "media-jam",
        Cause::Cover(cover) if view.profile.covers[usize::from(cover)].interlock => "interlock-open",
        Cause::Cover(_) => "cover-open",
        Cause::InputLow(_) => "media-low",
        Cause::InputEmpty { .. } => "media-empty",
        Cause::OutputNearFull(_) => "output-area-almost-full",
        Cause::OutputFull(_) => "output-area-full",
        Cause::SupplyLow(number) if kind(number).waste() => "marker-waste-almost-full",
        Cause::SupplyEmpty(number) if kind(number).waste() => "marker-waste-full",
        Cause::SupplyLow(number) if kind(number).marks() => "toner-low",
        Cause::SupplyEmpty(number) if kind(number).marks() => "toner-empty",
        Cause::SupplyLow(_) => "marker-supply-low",
        Cause::SupplyEmpty(_) => "marker-supply-empty",
        Cause::Service | Cause::PowerUp | Cause::Removal(_) => "other",
    }
}

/// prtAlertGroup in words.
fn group_word(group: i32) -> Option<&'static str> {
    Some(match group {
        5 => "general-printer",
        6 => "cover",
        8 => "input",
        9 => "output",
        10 => "marker",
        11 => "marker-supplies",
        13 => "media-path",
        30 => "finisher",
        _ => return None,
    })
}

fn supplies(view: &View<'_>) -> Vec<Supply> {
    let pairs = view.profile.supplies.iter().zip(&view.life.supplies).enumerate();
    let all = pairs.map(|(slot, (plan, supply))| {
        let serial = view.who.cartridge_serial(slot, supply.generation);
        let left = percent(supply.left);
        Supply {
            index: format!("1.{}", plan.index),
            description: Some(plan.description.replace("{serial}", &serial)),
            kind: kind_word(plan.kind).to_owned(),
            color: plan.colorant.clone(),
            class: if plan.kind.waste() { Class::Receptacle } else { Class::Consumed },
            part_number: None,
            serial: Some(serial),
            level: Level::Percent { value: left },
            raw: RawLevel { unit: Some(19), max: Some(100), level: Some(left as i64) },
        }
    });
    all.collect()
}

/// PrtMarkerSuppliesTypeTC in words.
pub(super) fn kind_word(kind: SupplyType) -> &'static str {
    match kind {
        SupplyType::Other => "other",
        SupplyType::Toner => "toner",
        SupplyType::WasteToner => "waste-toner",
        SupplyType::Ink => "ink",
        SupplyType::InkCartridge => "ink-cartridge",
        SupplyType::InkRibbon => "ink-ribbon",
        SupplyType::WasteInk => "waste-ink",
        SupplyType::Opc => "opc",
        SupplyType::Developer => "developer",
        SupplyType::Fuser => "fuser",
        SupplyType::CleanerUnit => "cleaner-unit",
        SupplyType::TransferUnit => "transfer-unit",
        SupplyType::TonerCartridge => "toner-cartridge",
        SupplyType::Staples => "staples",
    }
}

fn inputs(view: &View<'_>) -> Vec<Input> {
    let pairs = view.profile.inputs.iter().zip(&view.life.inputs);
    let all = pairs.map(|(plan, input)| {
        let (level, raw) = sheets(input.level, plan.sheets);
        let (index, name) = (format!("1.{}", plan.index), Some(plan.name.clone()));
        Input { index, name, media: Some(plan.media.clone()), level, raw }
    });
    all.collect()
}

fn outputs(view: &View<'_>) -> Vec<Output> {
    let pairs = view.profile.outputs.iter().zip(&view.life.outputs).enumerate();
    let all = pairs.map(|(number, (plan, output))| {
        let (level, raw) = sheets(plan.sheets.saturating_sub(output.level), plan.sheets);
        Output { index: format!("1.{}", number + 1), name: Some(plan.name.clone()), level, raw }
    });
    all.collect()
}

fn covers(view: &View<'_>) -> Vec<Cover> {
    let open = view.life.open_cover();
    let all = view.profile.covers.iter().enumerate().map(|(number, plan)| Cover {
        index: format!("1.{}", number + 1),
        name: Some(plan.name.clone()),
        open: Some(open.is_some_and(|open| usize::from(open) == number)),
    });
    all.collect()
}

/// So many sheets of so many.
fn sheets(level: u16, of: u16) -> (Level, RawLevel) {
    let value = percent(f64::from(level) / f64::from(of.max(1)));
    (Level::Percent { value }, RawLevel { unit: Some(8), max: Some(i64::from(of)), level: Some(i64::from(level)) })
}

fn percent(share: f64) -> f64 {
    (share * 100.0).round().clamp(0.0, 100.0)
}
