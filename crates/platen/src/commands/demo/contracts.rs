//! Contracts of the demo: one period of each ends a few minutes after the beginning, so that pages of billing show a
//! closed one and one that waits for a person.

use anyhow::Result;
use jiff::tz::TimeZone;
use platen_core::billing::{self, Line, MeterWords, NewContract};
use platen_core::{Ctx, Kind, OrgId};

/// Minutes until the first periods end: the agents have read each device several times by then.
const UNTIL: i64 = 3;

/// Makes a contract for an organisation, unless a kept folder has it.
pub async fn make(ctx: &Ctx, org: OrgId, number: &str, name: &str) -> Result<()> {
    let end = ctx.now.0 + UNTIL * 60_000_000;
    let local = platen_core::Micros(end).timestamp().to_zoned(TimeZone::UTC);
    // Months have at least 28 days; on the last days of a month the first period ends in the next one.
    let (day, minute) = match i64::from(local.day()) {
        day @ 1..=28 => (day, i64::from(local.hour()) * 60 + i64::from(local.minute())),
        _ => (1, 0),
    };
    let line = |name: &str, meter: &str, price: &str, erp_code: &str, included| {
        Ok::<_, platen_core::Error>(Line {
            no: 0,
            name: name.to_owned(),
            words: MeterWords::parse(meter)?,
            erp_code: Some(erp_code.to_owned()),
            price_micro: billing::price(price)?,
            included,
            factor_milli: 1_000,
        })
    };
    let new = NewContract {
        number: number.to_owned(),
        name: name.to_owned(),
        device_filter: Some("*".to_owned()),
        due_day: Some(day),
        close_minute: Some(minute),
        zone: Some("UTC".to_owned()),
        currency: Some("EUR".to_owned()),
        lines: vec![line("All pages", "total", "0.0085", "PAGES", 100)?],
        ..NewContract::default()
    };
    match billing::create(ctx, org, &new).await {
        Err(error) if error.kind == Kind::Conflict => Ok(()),
        made => Ok(made.map(drop)?),
    }
}
