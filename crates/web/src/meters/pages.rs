//! `/meters`: what was used in a month, to bill from.

use askama::Template;
use axum::extract::State;
use platen_core::{
    PageQuery,
    devices::{DeviceQuery, SortBy},
    meters::{self, BillingQuery, BillingRow},
};

use super::api::{BillingView, month_of};
use crate::{
    app::App,
    fields::Fields,
    listing,
    shell::{Section, Shell, Shown, show},
    viewer::Viewer,
    words::{Zone, capital, count, grouped},
};

/// Devices of a page.
const LIMIT: u32 = 50;
/// Months offered.
const MONTHS: usize = 13;

struct MonthLink {
    href: String,
    label: String,
    current: bool,
}

struct BillLine {
    first: bool,
    device: String,
    name: String,
    serial: String,
    counter: String,
    own: String,
    opening: String,
    closing: String,
    used: String,
    doubted: bool,
    read: String,
}

#[derive(Template)]
#[template(path = "meters/billing.html")]
struct BillingPage {
    shell: Shell,
    summary: String,
    month_words: String,
    months: Vec<MonthLink>,
    end_head: &'static str,
    rows: Vec<BillLine>,
    csv: String,
    shown: String,
    first: Option<String>,
    next: Option<String>,
}

fn query(fields: &Fields, limit: u32, after: Option<String>) -> platen_core::Result<BillingQuery> {
    let month = fields.get("month").map(month_of).transpose()?;
    let page = PageQuery { limit: Some(limit), after, count: true };
    Ok(BillingQuery { devices: DeviceQuery { sort: SortBy::Name, page, ..DeviceQuery::default() }, month })
}

/// `GET /meters`.
pub(crate) async fn billing(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    let shell = Shell::of(&app, &viewer, "Meters", Section::Meters).await?;
    let zone = shell.zone();
    let asked = query(&fields, LIMIT, fields.get("after").map(str::to_owned))?;
    let page = meters::billing_rows(&viewer.ctx, &asked).await?;
    let today = zone.zoned(viewer.ctx.now).date();
    let present = i64::from(today.year()) * 100 + i64::from(today.month());
    let chosen = asked.month.unwrap_or(present);
    let months: Vec<MonthLink> = (0..MONTHS)
        .filter_map(|back| {
            today.first_of_month().checked_sub(jiff::Span::new().months(i64::try_from(back).unwrap_or(0))).ok()
        })
        .map(|date| {
            let key = i64::from(date.year()) * 100 + i64::from(date.month());
            let value = if key == present { String::new() } else { date.strftime("%Y-%m").to_string() };
            MonthLink {
                href: format!("/meters{}", fields.query_with("month", &value, &["after"])),
                label: date.strftime("%B %Y").to_string(),
                current: key == chosen,
            }
        })
        .collect();
    let month_words = months.iter().find(|m| m.current).map_or_else(|| chosen.to_string(), |m| m.label.clone());
    let devices = page.count.unwrap_or(0);
    let of_one = page.items.chunk_by(|a, b| a.device == b.device);
    let rows: Vec<BillLine> = of_one
        .flat_map(|of_one| {
            let titles: Vec<String> = of_one.iter().map(BillingRow::title).collect();
            let twice = |title: &String| titles.iter().filter(|other| *other == title).count() > 1;
            let row = |(at, row)| line(row, at == 0, twice(&titles[at]), &zone);
            of_one.iter().enumerate().map(row).collect::<Vec<_>>()
        })
        .collect();
    let billed = rows.iter().filter(|row| row.first).count();
    show(&BillingPage {
        summary: format!("What each counter of <b>{}</b> did in {month_words}.", count(devices, "device", "devices")),
        end_head: if chosen == present { "Now" } else { "At the end" },
        shown: if page.next.is_none() && fields.get("after").is_none() {
            format!("All {} shown, by name", count(billed as u64, "device", "devices"))
        } else {
            format!("{billed} of {} devices, by name", grouped(devices))
        },
        months,
        month_words,
        rows,
        csv: format!("/meters.csv{}", fields.query_without(&["after"])),
        first: fields.get("after").map(|_| format!("/meters{}", fields.query_without(&["after"]))),
        next: page.next.map(|next| format!("/meters{}", fields.query_with("after", &next, &[]))),
        shell,
    })
}

/// A row; where a device has two counters of the same words, its own name or the object tells them apart.
fn line(row: &BillingRow, first: bool, twice: bool, zone: &Zone) -> BillLine {
    let figure = |n: Option<i64>| n.map_or_else(|| "–".to_owned(), |n| grouped(u64::try_from(n).unwrap_or(0)));
    let breaks = if row.breaks > 0 { ", count began anew" } else { "" };
    BillLine {
        first,
        device: row.device.to_string(),
        name: row.name.clone(),
        serial: row.serial.clone().unwrap_or_default(),
        counter: format!("{}{breaks}", capital(&row.title())),
        own: if twice { row.own_name.clone().unwrap_or_else(|| row.source.clone()) } else { String::new() },
        opening: figure(row.opening),
        closing: figure(row.closing),
        used: figure(row.usage),
        doubted: row.doubt.is_some(),
        read: row.closing_at.map(|at| zone.moment(at)).unwrap_or_default(),
    }
}

/// `GET /meters.csv`.
pub(crate) async fn csv(viewer: Viewer, fields: Fields) -> Shown {
    let ctx = viewer.ctx.clone();
    let first = meters::billing_rows(&ctx, &query(&fields, 200, None)?).await?;
    let name = format!("meters-{}.csv", fields.get("month").unwrap_or("now")).replace(['"', '\r', '\n'], "");
    Ok(listing::csv_pages::<_, BillingView, _, _>(&name, first, move |after| {
        let (ctx, query) = (ctx.clone(), query(&fields, 200, Some(after)));
        async move { meters::billing_rows(&ctx, &query.ok()?).await.ok() }
    }))
}
