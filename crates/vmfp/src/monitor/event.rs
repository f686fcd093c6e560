//! Kinds 1 to 3 of a virtual device: what began to stand, and what stands no more.

use wire::Body;
use wire::monitor::EventBody;

use crate::life::{Cause, Row, Severity};
use crate::profile::SupplyType;
use crate::random::mix;
use crate::table::{self, View};

/// Whether a condition is told as an event. All others stand in the status alone, so that nothing is told twice: jams,
/// faults and worn parts are events, what users mend themselves (paper, covers, toner, waste, staples) is not.
pub(super) fn is_event(view: &View<'_>, cause: Cause) -> bool {
    match cause {
        Cause::Jam | Cause::Service => true,
        Cause::SupplyLow(number) | Cause::SupplyEmpty(number) => {
            let kind = view.profile.supplies[usize::from(number)].kind;
            !kind.marks() && !kind.waste() && kind != SupplyType::Staples
        }
        _ => false,
    }
}

/// The message that a row of the alert table is worth.
pub(super) fn event(view: &View<'_>, row: &Row, standing: bool) -> Body {
    let total = Some(u64::from(view.life.meters.total()));
    let body = EventBody { total, standing: Some(standing), ..EventBody::default() };
    // The same row has the same numbers when it goes as when it came.
    let number = mix(u64::from(view.who.stream()) << 32 | u64::from(row.index));
    match row.cause {
        Cause::Jam => Body::Jam(EventBody {
            code: format!("{:04X}", 0x0100 + number % 0x40),
            sub_code: Some(format!("{:02}", number >> 8 & 7)),
            media: view.profile.inputs.first().map(|input| input.media.clone()),
            ..body
        }),
        Cause::Service => Body::Error(EventBody {
            code: format!("E{:03}", [0, 20, 52, 100, 240, 602, 733, 747][(number % 8) as usize]),
            sub_code: Some(format!("{:04}", number >> 8 & 15)),
            ..body
        }),
        cause => {
            let (group, part, code) = table::place(view, cause);
            Body::Alarm(EventBody {
                code: format!("{group:02}-{code:04}"),
                sub_code: Some(format!("{part}")),
                level: Some(level(row)),
                ..body
            })
        }
    }
}

fn level(row: &Row) -> u8 {
    match (row.severity, row.cause) {
        (Severity::Critical, _) => 3,
        (_, Cause::SupplyEmpty(_)) => 2,
        _ => 1,
    }
}
