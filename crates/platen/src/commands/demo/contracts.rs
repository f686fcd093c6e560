//! Contracts of the demo: each began with the first days that its devices were read, so that one period is closed, with
//! its document; one ends a few minutes after the beginning, and what is doubted by then waits for a person; one runs.

use std::time::Duration;

use anyhow::Result;
use jiff::tz::TimeZone;
use platen_core::billing::{self, Line, MeterWords, NewContract};
use platen_core::devices::{self, DeviceQuery};
use platen_core::{Ctx, Filter, Kind, Micros, OrgId, PageQuery, Platform, users};

use super::{EMAIL, customer_org, customers, past};

/// Minutes until the periods of the present end: the agents have read each device several times by then.
const UNTIL: i64 = 3;
/// How often it is looked whether the past has arrived.
const LOOK_EACH: Duration = Duration::from_millis(500);

/// Makes the contract of each customer as soon as its agent has delivered what it read before the present.
pub async fn make(platform: &Platform, devices: u32, present: Micros) -> Result<()> {
    for (at, (customer, ..)) in (1..).zip(customers(devices)) {
        let org = customer_org(&users::ctx_local(platform, EMAIL).await?, customer).await?;
        let ctx = arrived(platform, org, present).await?;
        write(&ctx, org, &format!("NW-{at:04}"), &format!("{customer}, all devices"), past::begins(devices, ctx.now))
            .await?;
    }
    Ok(())
}

/// Waits for the first word of the present: an agent delivers in the order in which it read.
async fn arrived(platform: &Platform, org: OrgId, present: Micros) -> Result<Ctx> {
    let heard = format!(r#"org eq "{org}" and agent ne "" and seen gt "{}""#, present.timestamp());
    let filter = Some(Filter::parse(&heard)?);
    let page = PageQuery { limit: Some(1), ..PageQuery::default() };
    let query = DeviceQuery { filter, page, ..DeviceQuery::default() };
    loop {
        let ctx = users::ctx_local(platform, EMAIL).await?;
        if !devices::list(&ctx, &query).await?.items.is_empty() {
            return Ok(ctx);
        }
        tokio::time::sleep(LOOK_EACH).await;
    }
}

/// Makes a contract for an organisation, unless a kept folder has it.
async fn write(ctx: &Ctx, org: OrgId, number: &str, name: &str, first_at: Option<Micros>) -> Result<()> {
    let end = ctx.now.0 + UNTIL * 60_000_000;
    let local = Micros(end).timestamp().to_zoned(TimeZone::UTC);
    // Months have at least 28 days; on the last days of a month periods end with it.
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
        first_at,
        lines: vec![
            line("All pages", "total", "0.0085", "PAGES", 5_000)?,
            line("Colour, on top", "total full", "0.0520", "COLOUR", 0)?,
        ],
        ..NewContract::default()
    };
    match billing::create(ctx, org, &new).await {
        Err(error) if error.kind == Kind::Conflict => Ok(()),
        made => Ok(made.map(drop)?),
    }
}
