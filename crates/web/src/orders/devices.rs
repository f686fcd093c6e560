//! The orders on the sheet of a device, and their forms.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
};
use platen_core::{
    Error,
    devices::DeviceId,
    orders::{self, CommandId, Way, Wish},
};
use wire::{hello::Road, monitor::Kind};

use super::{OrderLine, order_line};
use crate::{
    app::App,
    devices::sheet_again,
    fields::{Fields, Posted},
    shell::{Shell, Shown, again, go},
    trouble::Trouble,
    viewer::Viewer,
};

/// Life of an order that a person gives by a button: a day.
pub(super) const LIFE_MS: i64 = 86_400_000;

/// The part of the sheet.
#[derive(Template)]
#[template(path = "orders/device.html")]
pub(crate) struct DeviceOrdersPart {
    csrf: String,
    base: String,
    live: String,
    road: &'static str,
    /// Why it cannot report now, as a sentence.
    pub(crate) hindered: Option<String>,
    away: bool,
    is_read: bool,
    status_words: String,
    meters_words: String,
    orders: Vec<OrderLine>,
    /// Whether whoever looks may give orders.
    pub(crate) may_change: bool,
    /// An order to report is under way.
    pub(crate) reporting: bool,
}

fn road_words(way: Option<Way>) -> &'static str {
    match way {
        Some(Way::Agent(..)) => "its agent fetches them when it calls",
        Some(Way::Own(_, Road::HttpsBothWays)) => "the server calls it",
        Some(Way::Own(_, Road::MailBothWays)) => "it fetches them as mail",
        Some(Way::Own(..)) => "it fetches them when it calls",
        None => "",
    }
}

/// What the sheet of a device says of its orders.
pub(crate) async fn device_part(viewer: &Viewer, shell: &Shell, id: DeviceId) -> Result<DeviceOrdersPart, Trouble> {
    let all = orders::of_device(&viewer.whole, id).await?;
    let zone = shell.zone();
    let words =
        |period: Option<u32>| period.map_or_else(String::new, |s| format!(", now every {} min", s.div_ceil(60)));
    let orders: Vec<_> = all.orders.into_iter().map(|row| order_line(row, &zone)).collect();
    Ok(DeviceOrdersPart {
        csrf: shell.csrf.clone(),
        base: format!("/devices/{id}"),
        live: match all.way {
            Some(Way::Own(monitor, _)) => monitor.to_string(),
            _ => id.to_string(),
        },
        road: road_words(all.way),
        hindered: all.hindered.map(|why| format!("Orders do not reach it: {why}.")),
        away: all.away,
        is_read: matches!(all.way, Some(Way::Agent(..))),
        status_words: words(all.periods.status_s),
        meters_words: words(all.periods.meters_s),
        reporting: orders.iter().any(|order| order.open && order.what == "Report now"),
        may_change: shell.manager,
        orders,
    })
}

/// What a form on the sheet asks for.
fn wish_of(fields: &Fields) -> Result<Wish, Error> {
    match fields.text("what") {
        "report_now" => Ok(Wish::ReportNow { kinds: Vec::new() }),
        "send_log" => Ok(Wish::SendLog),
        "set_period" => {
            let kind = fields.text("kind").parse().ok().and_then(Kind::of_number);
            let kind = kind.ok_or_else(|| Error::invalid("kind", "choose what is looked at"))?;
            let minutes = fields.get("minutes").map(|text| text.trim().parse::<u32>()).transpose();
            let minutes = minutes.map_err(|_| {
                Error::invalid("minutes", "a period is a whole number of minutes; nothing means as planned")
            })?;
            Ok(Wish::SetPeriod { kind, period_s: minutes.map(|minutes| minutes.saturating_mul(60)) })
        }
        _ => Err(Error::invalid("what", "choose an order")),
    }
}

async fn after(app: &App, headers: &HeaderMap, posted: &Posted, id: DeviceId, done: Result<(), Error>) -> Shown {
    match done {
        Ok(()) => Ok(go(app, headers, &format!("/devices/{id}#orders"), "ordered")),
        Err(error) => again(error, |why| sheet_again(app, &posted.viewer, id, why)).await,
    }
}

/// `POST /devices/{id}/orders`.
pub(crate) async fn order_device_page(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let id = DeviceId::parse(&id)?;
    let done = match wish_of(&posted.fields) {
        Ok(wish) => orders::order_device(&posted.viewer.whole, id, &wish, LIFE_MS).await.map(drop),
        Err(error) => Err(error),
    };
    after(&app, &headers, &posted, id, done).await
}

/// `POST /devices/{id}/orders/{command}/cancel`.
pub(crate) async fn cancel_device(
    State(app): State<App>,
    Path((id, command)): Path<(String, String)>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let (id, command) = (DeviceId::parse(&id)?, CommandId::parse(&command)?);
    let done = orders::cancel_of_device(&posted.viewer.whole, id, command).await;
    after(&app, &headers, &posted, id, done).await
}
