//! Objects in the vendor's own tree, as the profile writes them.

use snmp::Value;

use super::{Cell, Draft, system};
use crate::profile::{Expression, ObjectPlan, ObjectType, Profile};

pub(super) fn add(draft: &mut Draft, profile: &Profile) {
    for object in &profile.objects {
        let cell = cell(draft, profile, object);
        draft.put(&object.oid, cell);
    }
}

fn cell(draft: &mut Draft, profile: &Profile, object: &ObjectPlan) -> Cell {
    match object.kind {
        ObjectType::Text => match object.value.strip_prefix("=") {
            Some(sum) => counter(draft, object, sum),
            None => Cell::text(profile, &object.value),
        },
        ObjectType::Hex => match octets(&object.value) {
            Some(octets) => Cell::Same(Value::OctetString(octets.into())),
            None => wrong(draft, object),
        },
        ObjectType::Oid => system::object_id(draft, &object.value),
        ObjectType::NearLevel => match object.value.parse::<usize>() {
            Ok(number) if (1..=profile.supplies.len()).contains(&number) => Cell::NearLevel(number as u8 - 1),
            _ => wrong(draft, object),
        },
        _ => match object.value.parse::<i32>() {
            Ok(number) if object.kind == ObjectType::Integer => Cell::number(number),
            _ => counter(draft, object, &object.value),
        },
    }
}

fn counter(draft: &mut Draft, object: &ObjectPlan, sum: &str) -> Cell {
    match Expression::parse(sum) {
        Ok(sum) => Cell::Count(sum, object.kind),
        Err(_) => wrong(draft, object),
    }
}

fn wrong(draft: &mut Draft, object: &ObjectPlan) -> Cell {
    draft.wrong = Some(format!("{} is not understood at {}", object.value, object.oid));
    Cell::number(0)
}

/// Octets from hexadecimal digits, blanks between them allowed.
pub(super) fn octets(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| {
        let text = std::str::from_utf8(pair).ok().filter(|text| text.len() == 2)?;
        u8::from_str_radix(text, 16).ok()
    });
    pairs.collect()
}
