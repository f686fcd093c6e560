//! Kinds 5 to 8 of a virtual device: full sets by the ids of one dictionary, whose ids are the same for every model.

use std::collections::BTreeMap;

use embedded::Crypto;
use wire::Body;
use wire::monitor::{CounterSet, Dictionary, Kind};

use super::status::kind_word;
use crate::profile::Meters;
use crate::table::View;

/// Id, name and value.
type Counted = (u32, String, i64);

/// What the ids mean.
pub(super) fn dictionary(view: &View<'_>) -> Dictionary {
    let all = [billing(view), detailed(view), parts(view), modes(view)].concat();
    let names: BTreeMap<_, _> = all.into_iter().map(|(id, name, _)| (id, name)).collect();
    Dictionary { model: format!("{} {}", view.profile.vendor, view.profile.model), names }
}

/// The counters of a kind; `None` for kinds that count nothing.
pub(super) fn counters(view: &View<'_>, crypto: &impl Crypto, kind: Kind) -> Option<Body> {
    let (values, of): (_, fn(CounterSet) -> Body) = match kind {
        Kind::Billing => (billing(view), Body::Billing),
        Kind::Detailed => (detailed(view), Body::Detailed),
        Kind::Parts => (parts(view), Body::Parts),
        Kind::Modes => (modes(view), Body::Modes),
        _ => return None,
    };
    let hash = crypto.sha256(&wire::cbor::encode(&dictionary(view)));
    let dictionary = hash.iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte));
    let values = values.into_iter().map(|(id, _, value)| (id, value)).collect();
    Some(of(CounterSet { base_seq: None, values, dictionary }))
}

fn counted(id: u32, name: &str, value: u32) -> Counted {
    (id, name.to_owned(), i64::from(value))
}

/// Page sides of a function, by colour (`None`: both) and size (`None`: all).
fn pages(meters: &Meters, function: usize, colour: Option<bool>, large: Option<bool>) -> u32 {
    let fits = |cell: &usize| {
        colour.is_none_or(|colour| colour == (cell & 2 != 0)) && large.is_none_or(|large| large == (cell & 1 != 0))
    };
    (0..4_usize).filter(fits).fold(0, |sum, cell| sum.wrapping_add(meters.pages[function * 4 + cell]))
}

fn billing(view: &View<'_>) -> Vec<Counted> {
    let meters = &view.life.meters;
    let of = |function, colour| pages(meters, function, colour, None);
    let mut all = vec![
        counted(101, "total/all/all/all/impressions", meters.total()),
        counted(102, "total/mono/all/all/impressions", meters.mono()),
        counted(111, "print/all/all/all/impressions", of(Meters::PRINT, None)),
        counted(121, "copy/all/all/all/impressions", of(Meters::COPY, None)),
        counted(131, "fax/all/all/all/impressions", of(Meters::FAX, None)),
        counted(141, "other/all/all/all/impressions", of(Meters::REPORT, None)),
        counted(151, "scan/all/all/all/other", meters.scans[0].wrapping_add(meters.scans[1])),
        counted(161, "total/all/all/all/sheets", meters.sheets),
        counted(162, "total/all/all/two/impressions", meters.duplex),
    ];
    if view.profile.engine.colour {
        all.push(counted(103, "total/full/all/all/impressions", meters.colour()));
        all.push(counted(113, "print/full/all/all/impressions", of(Meters::PRINT, Some(true))));
        all.push(counted(123, "copy/full/all/all/impressions", of(Meters::COPY, Some(true))));
    }
    all
}

fn detailed(view: &View<'_>) -> Vec<Counted> {
    let meters = &view.life.meters;
    let mut all = Vec::new();
    for (function, word) in ["print", "copy", "fax", "other"].into_iter().enumerate() {
        for (cell, (colour, size)) in
            [("mono", "small"), ("mono", "large"), ("full", "small"), ("full", "large")].into_iter().enumerate()
        {
            if cell < 2 || view.profile.engine.colour {
                let name = format!("{word}/{colour}/{size}/all/impressions");
                all.push((200 + (function * 4 + cell) as u32, name, i64::from(meters.pages[function * 4 + cell])));
            }
        }
    }
    all
}

/// Pages since each part was new, from its wear, and what it is rated for.
fn parts(view: &View<'_>) -> Vec<Counted> {
    let pairs = view.profile.supplies.iter().zip(&view.life.supplies).enumerate();
    let all = pairs.flat_map(|(slot, (plan, supply))| {
        let colour = plan.colorant.as_deref().unwrap_or("all");
        let used = (plan.lasts * (1.0 - supply.left).clamp(0.0, 1.0)).round() as i64;
        let name = format!("parts.{}.{colour}.{}", kind_word(plan.kind), slot + 1);
        let rated = (340 + slot as u32, format!("{name}.rated"), plan.lasts.round() as i64);
        [(300 + slot as u32, name, used), rated]
    });
    all.collect()
}

fn modes(view: &View<'_>) -> Vec<Counted> {
    let meters = &view.life.meters;
    vec![
        counted(400, "mode.duplex", meters.duplex),
        counted(401, "mode.feeder", meters.feeder),
        counted(402, "mode.jobs", meters.jobs),
        counted(403, "mode.staple", meters.staples),
        counted(404, "mode.scan.mono", meters.scans[0]),
        counted(405, "mode.scan.colour", meters.scans[1]),
        counted(406, "mode.fax-sent", meters.fax_sent),
        counted(407, "mode.jams", meters.jams),
    ]
}
