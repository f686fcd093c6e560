//! System group, one network interface, and Host-Resources: what every printer's agent serves.

use snmp::Value;

use super::{Cell, Draft};
use crate::profile::Profile;

pub(super) fn add(draft: &mut Draft, profile: &Profile) {
    let plan = &profile.identity;
    let id = object_id(draft, &plan.sys_object_id);
    draft.put("1.3.6.1.2.1.1.1.0", Cell::text(profile, &plan.sys_descr));
    draft.put("1.3.6.1.2.1.1.2.0", id.clone());
    draft.put("1.3.6.1.2.1.1.3.0", Cell::Uptime);
    draft.put("1.3.6.1.2.1.1.4.0", Cell::text(profile, "it-service@example.org"));
    draft.put("1.3.6.1.2.1.1.5.0", Cell::Name);
    draft.put("1.3.6.1.2.1.1.6.0", Cell::Location);
    draft.put("1.3.6.1.2.1.1.7.0", Cell::number(72));
    if !profile.manners.no_v3 {
        engine(draft);
    }
    interfaces(draft, profile);
    host(draft, profile, &id);
}

/// The value of an object identifier; a wrong one makes the draft fail.
pub(super) fn object_id(draft: &mut Draft, text: &str) -> Cell {
    match text.parse() {
        Ok(oid) => Cell::Same(Value::ObjectId(oid)),
        Err(_) => {
            draft.wrong = Some(format!("{text} is no object identifier"));
            Cell::number(0)
        }
    }
}

/// snmpEngine (RFC 3411 §5).
fn engine(draft: &mut Draft) {
    for (column, cell) in
        [(1, Cell::EngineId), (2, Cell::EngineBoots), (3, Cell::EngineTime), (4, Cell::number(65_507))]
    {
        draft.put(&format!("1.3.6.1.6.3.10.2.1.{column}.0"), cell);
    }
}

fn interfaces(draft: &mut Draft, profile: &Profile) {
    draft.put("1.3.6.1.2.1.2.1.0", Cell::number(2));
    let empty = || Cell::Same(Value::text(""));
    for (index, name, kind, mtu, speed, mac) in
        [(1, "eth0", 6, 1500, 1_000_000_000, Cell::Mac), (2, "lo", 24, 65_536, 0, empty())]
    {
        let rate = |rate: u32| Cell::Traffic(if index == 1 { rate } else { 0 });
        let columns = [
            (1, Cell::number(index)),
            (2, Cell::text(profile, name)),
            (3, Cell::number(kind)),
            (4, Cell::number(mtu)),
            (5, Cell::Same(Value::Gauge32(speed))),
            (6, mac),
            (7, Cell::number(1)),
            (8, Cell::number(1)),
            (9, Cell::Same(Value::TimeTicks(0))),
            (10, rate(831)),
            (11, rate(3)),
            (13, rate(0)),
            (14, rate(0)),
            (16, rate(297)),
            (17, rate(2)),
            (19, rate(0)),
            (20, rate(0)),
        ];
        for (column, cell) in columns {
            draft.put(&format!("1.3.6.1.2.1.2.2.1.{column}.{index}"), cell);
        }
    }
}

fn host(draft: &mut Draft, profile: &Profile, id: &Cell) {
    const HOST: &str = "1.3.6.1.2.1.25";
    draft.put(&format!("{HOST}.1.1.0"), Cell::Uptime);
    draft.put(&format!("{HOST}.2.2.0"), Cell::number(2_097_152));
    let storage = [
        (1, Cell::number(1)),
        (2, Cell::Same(Value::ObjectId(snmp::Oid::of("1.3.6.1.2.1.25.2.1.2")))),
        (3, Cell::text(profile, "RAM")),
        (4, Cell::number(1024)),
        (5, Cell::number(2_097_152)),
        (6, Cell::number(1_310_720)),
    ];
    for (column, cell) in storage {
        draft.put(&format!("{HOST}.2.3.1.{column}.1"), cell);
    }
    let printer = Cell::Same(Value::ObjectId(snmp::Oid::of("1.3.6.1.2.1.25.3.1.5")));
    let network = Cell::Same(Value::ObjectId(snmp::Oid::of("1.3.6.1.2.1.25.3.1.4")));
    for (index, kind, descr, status) in [
        (1, printer, profile.identity.hr_descr.as_str(), Cell::DeviceStatus),
        (2, network, "Ethernet 10/100/1000", Cell::number(2)),
    ] {
        let columns = [
            (1, Cell::number(index)),
            (2, kind),
            (3, Cell::text(profile, descr)),
            (4, id.clone()),
            (5, status),
            (6, Cell::Same(Value::Counter32(0))),
        ];
        for (column, cell) in columns {
            draft.put(&format!("{HOST}.3.2.1.{column}.{index}"), cell);
        }
    }
    draft.put(&format!("{HOST}.3.5.1.1.1"), Cell::PrinterStatus);
    draft.put(&format!("{HOST}.3.5.1.2.1"), Cell::ErrorState);
}
