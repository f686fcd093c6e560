//! Faults that show in objects: wrong values, missing ones, and GETNEXT that leads astray.

use snmp::pdu::PduKind;
use snmp::{Oid, Value};

use crate::fault::Fault;
use crate::random::mix;

const ENTERPRISES: Oid = Oid::of("1.3.6.1.4.1");
const SNMP_V2: Oid = Oid::of("1.3.6.1.6");
const PRINTER_MIB: Oid = Oid::of("1.3.6.1.2.1.43");
const INPUTS: Oid = Oid::of("1.3.6.1.2.1.43.8.2.1");
const LIFE_COUNT: Oid = Oid::of("1.3.6.1.2.1.43.10.2.1.4.1.1");
const SUPPLIES: Oid = Oid::of("1.3.6.1.2.1.43.11.1.1");
const CLASS: Oid = Oid::of("1.3.6.1.2.1.43.11.1.1.4");
const UNIT: Oid = Oid::of("1.3.6.1.2.1.43.11.1.1.7");
const CAPACITY: Oid = Oid::of("1.3.6.1.2.1.43.11.1.1.8");
const LEVEL: Oid = Oid::of("1.3.6.1.2.1.43.11.1.1.9");

/// Faults that change objects, for a request of one kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Twist<'f> {
    faults: &'f [Fault],
    bulk: bool,
}

impl<'f> Twist<'f> {
    pub(crate) fn of(faults: &'f [Fault], kind: PduKind) -> Self {
        Self { faults, bulk: kind == PduKind::GetBulk }
    }

    pub(crate) fn is_none(self) -> bool {
        self.faults.is_empty()
    }

    /// What is told instead of `value`; `read` gives objects as they are, `exact` says that GET asks.
    pub(crate) fn value(self, oid: &Oid, value: Value, exact: bool, read: impl Fn(&Oid) -> Value) -> Value {
        self.faults.iter().fold(value, |value, fault| match fault {
            Fault::PartialReply if exact && draw(oid).is_multiple_of(3) => Value::NoSuchInstance,
            Fault::Holes if is_hole(oid) => Value::NoSuchInstance,
            Fault::BulkWrongValues if self.bulk => wrong(value),
            Fault::WrongTypes => retyped(value),
            Fault::LevelSentinel(number) if is_cell(oid, &LEVEL, &value) => Value::Integer(*number),
            Fault::Capacity(number) if is_cell(oid, &CAPACITY, &value) => Value::Integer(*number),
            Fault::SupplyUnit(number) if is_cell(oid, &UNIT, &value) => Value::Integer(*number),
            Fault::ReceptaclesReversed if is_cell(oid, &LEVEL, &value) => reversed(oid, value, read_row(&read)),
            Fault::PrivateTotalBehind(pages) if oid.starts_with(&ENTERPRISES) => behind(value, &read, *pages),
            Fault::Says(at, said) if at == oid => said.clone(),
            _ => value,
        })
    }

    /// What GETNEXT finds instead of `found`; `ask` goes on as it should.
    pub(crate) fn next(
        self,
        from: &Oid,
        mut found: Option<(Oid, Value)>,
        ask: impl Fn(&Oid) -> Option<(Oid, Value)>,
    ) -> Option<(Oid, Value)> {
        for fault in self.faults {
            let left = found.as_ref().is_none_or(|(next, _)| !next.starts_with(&SUPPLIES));
            found = match fault {
                Fault::NonIncreasing if from.starts_with(&PRINTER_MIB) && from.len() > PRINTER_MIB.len() + 3 => {
                    found.map(|(_, value)| (from.clone(), value))
                }
                Fault::LoopingOids if left && from.starts_with(&SUPPLIES) => ask(&SUPPLIES),
                Fault::EndlessTable if left && from.starts_with(&SUPPLIES) => another_row(from).or(found),
                Fault::Holes => over_holes(found, &ask),
                // Its end is that of the maker's tree, where walks for printers come to.
                Fault::GenErrAtEnd => found.filter(|(next, _)| !next.starts_with(&SNMP_V2)),
                _ => found,
            };
        }
        found
    }
}

/// The same for one object whoever asks, and without a pattern.
fn draw(oid: &Oid) -> u64 {
    oid.as_ber().iter().fold(0, |sum, byte| mix(sum ^ u64::from(*byte)))
}

fn is_hole(oid: &Oid) -> bool {
    (oid.starts_with(&SUPPLIES) || oid.starts_with(&INPUTS)) && draw(oid).is_multiple_of(4)
}

/// A number in this column.
fn is_cell(oid: &Oid, column: &Oid, value: &Value) -> bool {
    oid.starts_with(column) && matches!(value, Value::Integer(_))
}

fn wrong(value: Value) -> Value {
    match value {
        Value::Integer(number) => Value::Integer(number.wrapping_mul(7).wrapping_add(13)),
        Value::Counter32(number) => Value::Counter32(number.wrapping_add(100_000)),
        other => other,
    }
}

fn retyped(value: Value) -> Value {
    match value {
        Value::Integer(number) => Value::text(&number.to_string()),
        Value::Counter32(number) => Value::Integer(number as i32),
        other => other,
    }
}

/// Reads a number of a supplies column.
fn read_row(read: &impl Fn(&Oid) -> Value) -> impl Fn(&Oid, &[u32]) -> Option<i64> + '_ {
    |column, row| read(&column.join(row)).as_i64()
}

/// What is in a receptacle instead of what fits into it.
fn reversed(oid: &Oid, value: Value, read: impl Fn(&Oid, &[u32]) -> Option<i64>) -> Value {
    let (Some(row), Some(level)) = (oid.suffix_of(&LEVEL), value.as_i64()) else { return value };
    let capacity = read(&CAPACITY, &row).filter(|capacity| level >= 0 && *capacity >= level);
    match capacity.filter(|_| read(&CLASS, &row) == Some(4)) {
        Some(capacity) => Value::Integer((capacity - level) as i32),
        None => value,
    }
}

/// A total of the maker's own, some pages behind.
fn behind(value: Value, read: &impl Fn(&Oid) -> Value, pages: u32) -> Value {
    if value.as_i64().is_none() || value.as_i64() != read(&LIFE_COUNT).as_i64() {
        return value;
    }
    match value {
        Value::Integer(number) => Value::Integer(number.saturating_sub(pages as i32)),
        Value::Counter32(number) => Value::Counter32(number.saturating_sub(pages)),
        Value::Gauge32(number) => Value::Gauge32(number.saturating_sub(pages)),
        other => other,
    }
}

/// The row after this one, which does not exist.
fn another_row(from: &Oid) -> Option<(Oid, Value)> {
    let last = from.arcs().last()?;
    Some((from.parent()?.child(last.checked_add(1)?), Value::Integer(1)))
}

fn over_holes(mut found: Option<(Oid, Value)>, ask: &impl Fn(&Oid) -> Option<(Oid, Value)>) -> Option<(Oid, Value)> {
    while let Some((oid, _)) = found.as_ref().filter(|(oid, _)| is_hole(oid)) {
        found = ask(oid);
    }
    found
}
