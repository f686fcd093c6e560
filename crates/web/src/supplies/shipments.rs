//! `/shipments`: what is proposed, ordered and on its way; many at once, rehearsed first.

use askama::Template;
use axum::{body::Body, extract::State, http::HeaderMap};
use platen_core::{
    Error, Page, PageQuery,
    supplies::{
        rules::shipments::{Act, State as Stage},
        shipments::{self, Outcome, Shipment, ShipmentQuery},
    },
};

use super::{
    list::Choice,
    ship_api::{PickLine, pick_lines},
};
use crate::{
    app::App,
    devices::download,
    fields::{Fields, Posted},
    listing,
    shell::{Section, Shell, Shown, again, go, show},
    trouble::Trouble,
    viewer::Viewer,
    words::{Mark, Zone, capital, count, grouped, mark, model_name},
};

/// Shipments of a page.
const LIMIT: u32 = 50;

struct ItemLine {
    name: String,
    part: String,
    why: &'static str,
    ended: &'static str,
}

struct ShipLine {
    id: String,
    mark: Mark,
    device: String,
    name: String,
    model: String,
    place: String,
    customer: String,
    items: Vec<ItemLine>,
    needed: String,
    late: bool,
    since: String,
    note: String,
    chosen: bool,
}

struct Rehearsal {
    act: &'static str,
    verb: &'static str,
    ids: Vec<String>,
    note: String,
    can: Vec<String>,
    cannot: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "supplies/shipments.html")]
struct ShipmentsPage {
    shell: Shell,
    place: &'static str,
    waiting: u64,
    summary: String,
    tabs: Vec<Choice>,
    rows: Vec<ShipLine>,
    acts: Vec<(&'static str, &'static str)>,
    over: bool,
    proposed: bool,
    rehearsal: Option<Rehearsal>,
    shown: String,
    first: Option<String>,
    next: Option<String>,
    csv: String,
}

fn query(fields: &Fields) -> ShipmentQuery {
    let stage = match fields.get("state") {
        Some("sent") => Some("state in (\"ordered\", \"shipped\", \"arrived\")"),
        Some("over") => None,
        _ => Some("state eq \"proposed\""),
    };
    ShipmentQuery {
        filter: stage.and_then(|text| platen_core::Filter::parse(text).ok()),
        open: Some(fields.get("state") != Some("over")),
        page: PageQuery { limit: Some(LIMIT), after: fields.get("after").map(str::to_owned), count: true },
    }
}

fn stage_mark(state: Stage) -> Mark {
    match state {
        Stage::Proposed => mark("warn", "s-warn", "Proposed"),
        Stage::Ordered => mark("busy", "s-busy", "Ordered"),
        Stage::Shipped => mark("busy", "s-busy", "On its way"),
        Stage::Arrived => mark("", "s-ready", "Arrived"),
        Stage::Done => mark("", "s-ready", "Fitted"),
        Stage::Cancelled => mark("sleep", "s-sleep", "Taken back"),
        Stage::Expired => mark("off", "s-off", "Given up"),
    }
}

fn why_words(why: &str) -> &'static str {
    match why {
        "low" => "low already",
        "soon" => "ends before it can be there",
        _ => "ends soon after",
    }
}

fn ended_words(ended: Option<&str>) -> &'static str {
    match ended {
        None => "",
        Some("fitted") => "fitted",
        Some("unneeded") => "not needed any more",
        Some("expired") => "given up",
        Some(_) => "taken back",
    }
}

async fn page(
    app: &App,
    viewer: &Viewer,
    fields: &Fields,
    rehearsal: Option<Rehearsal>,
    error: Option<String>,
) -> Result<ShipmentsPage, Trouble> {
    let shell = Shell::of(app, viewer, "Shipments", Section::Supplies).await?.with_error(error);
    let (zone, now) = (shell.zone(), viewer.ctx.now);
    let found = shipments::list(&viewer.ctx, &query(fields)).await?;
    let waiting = shipments::waiting(&viewer.ctx).await?;
    let n = found.count.unwrap_or(0);
    let state = fields.get("state").unwrap_or_default();
    let choice = |key: &str, label| Choice {
        href: format!("/shipments{}", fields.query_with("state", key, &["after", "csrf", "act", "id", "note", "go"])),
        label,
        current: state == key,
    };
    let chosen: Vec<String> = rehearsal.as_ref().map(|rehearsal| rehearsal.ids.clone()).unwrap_or_default();
    let rows: Vec<ShipLine> = found.items.iter().map(|one| line(one, now.0, &zone, &chosen)).collect();
    let acts = match state {
        "sent" => vec![("ship", "It has left"), ("arrive", "It is there"), ("cancel", "Take back")],
        "over" => Vec::new(),
        _ => vec![("order", "Order"), ("cancel", "Take back")],
    };
    Ok(ShipmentsPage {
        summary: match waiting {
            0 => "Nothing waits for your word.".to_owned(),
            n => format!("<b>{}</b> for your word.", count(n, "proposal waits", "proposals wait")),
        },
        tabs: vec![choice("", "Proposed"), choice("sent", "Ordered and on the way"), choice("over", "Over")],
        shown: format!("{} of {}", rows.len(), grouped(n)),
        acts: if shell.manager { acts } else { Vec::new() },
        over: state == "over",
        proposed: state.is_empty(),
        first: fields.get("after").map(|_| format!("/shipments{}", fields.query_without(&["after"]))),
        next: found.next.map(|next| format!("/shipments{}", fields.query_with("after", &next, &[]))),
        csv: format!("/shipments.csv{}", fields.query_without(&["after"])),
        place: "/shipments",
        rows,
        waiting,
        rehearsal,
        shell,
    })
}

fn line(one: &Shipment, now: i64, zone: &Zone, chosen: &[String]) -> ShipLine {
    let id = one.id.to_string();
    let since = one.ended_at.or(one.arrived_at).or(one.shipped_at).or(one.ordered_at).unwrap_or(one.made_at);
    ShipLine {
        chosen: chosen.contains(&id),
        id,
        mark: stage_mark(one.state),
        device: one.device.to_string(),
        name: one.device_name.clone(),
        model: model_name(Some(one.vendor.as_str()).filter(|v| !v.is_empty()), one.model.as_deref()),
        place: one.place.clone(),
        customer: one.customer.clone(),
        items: one
            .items
            .iter()
            .map(|item| ItemLine {
                name: capital(&item.name),
                part: item.part_number.clone().unwrap_or_default(),
                why: why_words(&item.why),
                ended: ended_words(item.ended.as_deref()),
            })
            .collect(),
        needed: zone.day(one.needed_at),
        late: !one.state.is_over() && one.needed_at.0 <= now + 86_400_000_000,
        since: zone.moment(since),
        note: match (&one.note, &one.changed_by) {
            (Some(note), Some(who)) => format!("“{note}”, {who}"),
            (None, Some(who)) => who.clone(),
            (Some(note), None) => format!("“{note}”"),
            (None, None) => String::new(),
        },
    }
}

/// `GET /shipments`.
pub(crate) async fn shipments(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    show(&page(&app, &viewer, &fields, None, None).await?)
}

fn verb(act: Act) -> &'static str {
    match act {
        Act::Order => "order",
        Act::Ship => "mark as sent",
        Act::Arrive => "mark as arrived",
        Act::Cancel => "take back",
    }
}

fn rehearsal(act: Act, ids: Vec<String>, note: &str, outcomes: Vec<Outcome>) -> Rehearsal {
    let (mut can, mut cannot) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        let name = if outcome.device_name.is_empty() { outcome.id } else { outcome.device_name };
        match outcome.why {
            None => can.push(name),
            Some(why) => cannot.push((name, why)),
        }
    }
    Rehearsal { act: act.as_str(), verb: verb(act), ids, note: note.to_owned(), can, cannot }
}

/// `POST /shipments`: many at once; first as a rehearsal, then for good.
pub(crate) async fn act(State(app): State<App>, headers: HeaderMap, posted: Posted) -> Shown {
    let (viewer, fields) = (&posted.viewer, &posted.fields);
    let ids: Vec<String> = fields.all("id").into_iter().map(str::to_owned).collect();
    let (state, note) = (fields.text("state"), fields.text("note"));
    let shown = Fields(vec![("state".to_owned(), state.to_owned())]);
    let done = match Act::from_word(fields.text("act")) {
        None => Err(Error::invalid("act", "choose what to do")),
        Some(_) if ids.is_empty() => Err(Error::invalid("id", "choose at least one shipment")),
        Some(act) => {
            let real = fields.get("go") == Some("yes");
            shipments::act(&viewer.ctx, &ids, act, Some(note), !real).await.map(|outcomes| (act, real, outcomes))
        }
    };
    match done {
        Ok((_, true, outcomes)) => {
            let failed = outcomes.iter().filter(|outcome| outcome.why.is_some()).count();
            let note = if failed == 0 { "saved" } else { "partly" };
            Ok(go(&app, &headers, &format!("/shipments{}", shown.query_without(&[])), note))
        }
        Ok((act, false, outcomes)) => {
            show(&page(&app, viewer, &shown, Some(rehearsal(act, ids, note, outcomes)), None).await?)
        }
        Err(error) => again(error, |why| page(&app, viewer, &shown, None, Some(why))).await,
    }
}

/// `GET /shipments.csv`: a line a thing, for the warehouse.
pub(crate) async fn shipments_csv(viewer: Viewer, fields: Fields) -> Shown {
    let mut asked = query(&fields);
    asked.page = PageQuery { limit: Some(200), after: None, count: false };
    let first = shipments::list(&viewer.ctx, &asked).await?;
    let ctx = viewer.ctx.clone();
    let pages = futures_util::stream::unfold(Some((first, true)), move |state| {
        let (ctx, mut asked) = (ctx.clone(), asked.clone());
        async move {
            let (page, head): (Page<Shipment>, bool) = state?;
            let rows: Vec<PickLine> = page.items.into_iter().flat_map(pick_lines).collect();
            let text = listing::csv_of(&rows, head).map_err(|problem| std::io::Error::other(problem.detail));
            let next = match page.next {
                None => None,
                Some(after) => {
                    asked.page.after = Some(after);
                    shipments::list(&ctx, &asked).await.ok().map(|page| (page, false))
                }
            };
            Some((text, next))
        }
    });
    Ok(download("shipments.csv", Body::from_stream(pages)))
}
