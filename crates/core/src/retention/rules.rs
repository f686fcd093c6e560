//! Defaults and ranges of the classes (model.md, end of §2), and when a deletion is too much to be true.

use aws_lc_rs::digest::{SHA256, digest};

use super::{Class, Target};
use crate::ids::{Hex, OrgId};
use crate::time::Micros;

/// Fewer rows than these are not worth a person's time.
const FLOOR: u64 = 20;

/// Default, least and most days.
pub(super) fn range(class: Class) -> (i64, i64, i64) {
    match class {
        Class::Short => (1, 1, 1),
        Class::Inbox | Class::Event | Class::Delivery => (30, 7, 400),
        Class::Status | Class::Task => (100, 30, 2_000),
        Class::Audit => (730, 30, 2_000),
        Class::Service => (730, 180, 3_660),
        Class::Meter => (2_557, 365, 7_320),
        Class::Close => (3_660, 2_557, 7_320),
    }
}

/// Whether a deletion waits for a person: more than 5 %, unless even a daily run of so short a rule deletes more.
pub(super) fn is_too_much(target: &Target, days: i64, due: u64, all: u64) -> bool {
    if target.class == Class::Short || due < FLOOR {
        return false;
    }
    // A day's share, doubled; a month's share for tables that go by whole months, never more than 60 %.
    let usual = if target.at.is_some() { 200 / days.max(1) } else { (4_650 / days.max(1)).min(60) };
    let share = u64::try_from(usual.max(5)).unwrap_or(5);
    u128::from(due) * 100 > u128::from(all) * u128::from(share)
}

/// What a proof commits to.
pub(super) fn proof(tenant: Option<OrgId>, table: &str, before: Micros, rows: u64, first: i64, last: i64) -> String {
    let tenant = tenant.map(|tenant| tenant.to_string()).unwrap_or_default();
    let text = format!("platen-deletion\n{tenant}\n{table}\n{}\n{rows}\n{first}\n{last}\n", before.0);
    Hex(digest(&SHA256, text.as_bytes()).as_ref()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_per_cent_waits_unless_the_rule_is_so_short_that_a_day_is_more() {
        let status = Target::at(Class::Status, "t", "at");
        assert!(!is_too_much(&status, 100, 50, 1_000));
        assert!(is_too_much(&status, 100, 51, 1_000));
        assert!(!is_too_much(&status, 100, 19, 20));
        let inbox = Target::at(Class::Inbox, "t", "at");
        assert!(!is_too_much(&inbox, 7, 280, 1_000) && is_too_much(&inbox, 7, 300, 1_000));
        let audit = Target::months(Class::Audit, "t");
        assert!(!is_too_much(&audit, 730, 60, 1_000) && is_too_much(&audit, 730, 70, 1_000));
        assert!(!is_too_much(&audit, 30, 600, 1_000) && is_too_much(&audit, 30, 601, 1_000));
        assert!(!is_too_much(&Target::at(Class::Short, "t", "at"), 1, 1_000, 1_000));
    }

    #[test]
    fn defaults_lie_in_their_ranges() {
        for class in Class::ALL {
            let (days, least, most) = range(class);
            assert!((least..=most).contains(&days), "{class:?}");
            assert_eq!(Class::parse(class.as_str()).unwrap(), class);
        }
    }
}
