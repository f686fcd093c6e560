//! `/messages?sender=…` and `/messages/{name}`.

use std::fmt::Write as _;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::header,
    response::IntoResponse,
};
use platen_core::{
    AgentId, Filter, MonitorId, PageQuery, agents, monitors,
    reports::{self, RawMessage, RawReport},
};
use wire::monitor::Kind;

use super::api::ReportView;
use crate::{
    app::App,
    fields::Fields,
    listing,
    monitors::kind_words,
    shell::{
        Section, Shell, Shown,
        facets::{self, Facet, Facets},
        show,
    },
    viewer::Viewer,
    words::{Mark, Zone, count, grouped, mark, vendor_name},
};

/// Reports of a page.
const LIMIT: u32 = 50;
/// Bytes of a message that are drawn.
const HEX: usize = 4_096;
/// Characters of a twin that are drawn.
const TWIN: usize = 20_000;

/// Who sent it, and the page that is his.
struct Sender {
    name: String,
    href: String,
    section: Section,
}

async fn sender(viewer: &Viewer, id: AgentId) -> platen_core::Result<Sender> {
    if let Ok(monitor) = monitors::get(&viewer.whole, MonitorId(id.0)).await {
        let model = if monitor.model.is_empty() { vendor_name(&monitor.vendor) } else { monitor.model };
        let name = format!("{model} {}", monitor.serial);
        return Ok(Sender { name, href: format!("/registrations/{id}"), section: Section::Registrations });
    }
    let agent = agents::get(&viewer.whole, id).await?;
    Ok(Sender { name: agent.name, href: format!("/agents/{id}"), section: Section::Agents })
}

fn outcome_mark(outcome: &str) -> Mark {
    match outcome {
        "quarantined" => mark("stop", "s-stop", "Quarantined"),
        "waiting" => mark("busy", "s-busy", "About to be taken"),
        _ => mark("", "s-ready", "Taken"),
    }
}

fn road_words(road: Option<&str>) -> &'static str {
    match road {
        Some("https-both-ways") => "HTTPS, both ways",
        Some("mail") => "Mail",
        Some("mail-both-ways") => "Mail, both ways",
        _ => "HTTPS",
    }
}

/// How far a clock is off, where it matters.
fn clock_words(offset_ms: i64) -> String {
    let seconds = offset_ms / 1_000;
    match seconds.unsigned_abs() {
        0..=2 => "right".to_owned(),
        n @ 3..=299 => format!("{n} s {}", if seconds > 0 { "fast" } else { "slow" }),
        n => format!("{} min {}", grouped(n / 60), if seconds > 0 { "fast" } else { "slow" }),
    }
}

struct ReportLine {
    name: String,
    mark: Mark,
    at: String,
    road: &'static str,
    messages: String,
    numbers: String,
    clock: String,
    size: String,
}

fn report_line(report: &RawReport, zone: &Zone) -> ReportLine {
    let odd = [(report.invalid, "invalid"), (report.unknown_kinds, "of an unknown kind")];
    let odd: String = odd.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!(", {n} {word}")).collect();
    ReportLine {
        name: report.name.clone(),
        mark: outcome_mark(&report.outcome),
        at: zone.exact(report.received_at),
        road: road_words(report.road.as_deref()),
        messages: format!("{}{odd}", count(u64::try_from(report.messages).unwrap_or(0), "message", "messages")),
        numbers: if report.first_seq == report.last_seq {
            report.first_seq.to_string()
        } else {
            format!("{}–{}", report.first_seq, report.last_seq)
        },
        clock: clock_words(report.clock_offset_ms),
        size: format!("{} B", grouped(u64::try_from(report.size_bytes).unwrap_or(0))),
    }
}

#[derive(Template)]
#[template(path = "messages/list.html")]
struct MessagesPage {
    shell: Shell,
    from: String,
    from_href: String,
    summary: String,
    facets: Facets,
    rows: Vec<ReportLine>,
    filtered: bool,
    csv: String,
    first: Option<String>,
    next: Option<String>,
}

/// The facets: name and words of each value.
const ROADS: [(&str, &str, Option<u64>); 4] = [
    ("https", "HTTPS", None),
    ("https-both-ways", "HTTPS, both ways", None),
    ("mail", "Mail", None),
    ("mail-both-ways", "Mail, both ways", None),
];
const OUTCOMES: [(&str, &str, Option<u64>); 3] =
    [("taken", "Taken", None), ("waiting", "About to be taken", None), ("quarantined", "Quarantined", None)];

fn condition(fields: &Fields) -> Option<Filter> {
    let one_of = |name| facets::one_of(fields, name, name);
    facets::all([one_of("road"), one_of("outcome")].into_iter().flatten().collect())
}

/// `GET /messages?sender=…`.
pub(crate) async fn list(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    let id = AgentId::parse(fields.text("sender"))?;
    let page = PageQuery { limit: Some(LIMIT), after: fields.get("after").map(str::to_owned), count: true };
    let filter = condition(&fields);
    let found = reports::raw(&viewer.whole, id, filter.as_ref(), &page).await?;
    let from = sender(&viewer, id).await?;
    let shell = Shell::of(&app, &viewer, "Messages", from.section).await?;
    let zone = shell.zone();
    let groups = vec![
        Facet::of(&fields, ("Road", "road"), &ROADS),
        Facet::of(&fields, ("What became of it", "outcome"), &OUTCOMES),
    ];
    show(&MessagesPage {
        summary: count(found.count.unwrap_or(0), "report is kept", "reports are kept"),
        facets: Facets::of(&fields, "/messages", groups).keeping(&fields, &["sender"]),
        rows: found.items.iter().map(|report| report_line(report, &zone)).collect(),
        filtered: filter.is_some(),
        csv: format!("/messages.csv{}", fields.query_without(&["after"])),
        first: fields.get("after").map(|_| format!("/messages{}", fields.query_without(&["after"]))),
        next: found.next.map(|next| format!("/messages{}", fields.query_with("after", &next, &[]))),
        from: from.name,
        from_href: from.href,
        shell,
    })
}

/// `GET /messages.csv?sender=…`: the whole list.
pub(crate) async fn csv(viewer: Viewer, fields: Fields) -> Shown {
    let id = AgentId::parse(fields.text("sender"))?;
    let (ctx, filter) = (viewer.whole.clone(), condition(&fields));
    let page = |after| PageQuery { limit: Some(500), after, count: false };
    let first = reports::raw(&ctx, id, filter.as_ref(), &page(None)).await?;
    Ok(listing::csv_pages::<_, ReportView, _, _>("messages.csv", first, move |after| {
        let (ctx, filter) = (ctx.clone(), filter.clone());
        async move { reports::raw(&ctx, id, filter.as_ref(), &page(Some(after))).await.ok() }
    }))
}

struct MessageBlock {
    seq: u64,
    title: String,
    subject: String,
    taken: String,
    told: String,
    size: String,
    twin: String,
    hex: String,
    cut: bool,
    open: bool,
}

#[derive(Template)]
#[template(path = "messages/sheet.html")]
struct ReportPage {
    shell: Shell,
    name: String,
    from: String,
    from_href: String,
    list: String,
    mark: Mark,
    identity: Vec<(&'static str, String)>,
    why: Option<String>,
    messages: Vec<MessageBlock>,
}

/// What a kind is called; those beyond the seed's sixteen are ours.
fn kind_title(kind: u64) -> String {
    match (Kind::of_number(kind), kind) {
        (Some(kind), _) => kind_words(kind).to_owned(),
        (None, 64) => "Signs of life".to_owned(),
        (None, 65) => "The agent itself".to_owned(),
        (None, 66) => "Traps".to_owned(),
        (None, 67) => "Who sent traps".to_owned(),
        (None, 68) => "A discovery".to_owned(),
        (None, 80) => "A dictionary".to_owned(),
        (None, other) => format!("Kind {other}, unknown to this version"),
    }
}

/// Bytes sixteen a line, with their place and what of them is text.
fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 5);
    for (line, chunk) in bytes.chunks(16).enumerate() {
        let _ = write!(out, "{:04x}  ", line * 16);
        for place in 0..16 {
            match chunk.get(place) {
                Some(byte) => {
                    let _ = write!(out, "{byte:02x} ");
                }
                None => out.push_str("   "),
            }
            if place == 7 {
                out.push(' ');
            }
        }
        out.push(' ');
        out.extend(
            chunk.iter().map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' }),
        );
        out.push('\n');
    }
    out
}

fn block(message: &RawMessage, first: bool, zone: &Zone) -> MessageBlock {
    let twin = serde_json::to_string_pretty(&message.json).unwrap_or_default();
    let cut = message.cbor.len() > HEX || twin.len() > TWIN;
    let end = twin.char_indices().map(|(at, _)| at).take_while(|at| *at <= TWIN).last().unwrap_or(0);
    MessageBlock {
        seq: message.seq,
        title: kind_title(message.kind),
        subject: message.subject.map(|subject| subject.to_text()).unwrap_or_default(),
        taken: zone.exact(message.taken_at),
        told: platen_core::Micros(message.taken_ms.saturating_mul(1_000)).to_string(),
        size: format!("{} B", grouped(message.cbor.len() as u64)),
        hex: hex(&message.cbor[..message.cbor.len().min(HEX)]),
        twin: if twin.len() > TWIN { twin[..end].to_owned() } else { twin },
        cut,
        open: first,
    }
}

/// `GET /messages/{name}`.
pub(crate) async fn sheet(State(app): State<App>, viewer: Viewer, Path(name): Path<String>) -> Shown {
    let (report, messages) = reports::raw_report(&viewer.whole, &name).await?;
    let from = sender(&viewer, report.sender).await?;
    let shell = Shell::of(&app, &viewer, "A report", from.section).await?;
    let zone = shell.zone();
    let line = report_line(&report, &zone);
    show(&ReportPage {
        name,
        list: format!("/messages?sender={}", report.sender),
        mark: line.mark,
        identity: vec![
            ("Received", line.at),
            ("Road", line.road.to_owned()),
            ("Holds", line.messages),
            ("Numbers", format!("{} of epoch {}", line.numbers, report.epoch)),
            ("Its clock", line.clock),
            ("Size", line.size),
        ],
        why: report.why,
        messages: messages.iter().enumerate().map(|(place, message)| block(message, place == 0, &zone)).collect(),
        from: from.name,
        from_href: from.href,
        shell,
    })
}

/// `GET /messages/{name}/cbor`: the messages as they are kept.
pub(crate) async fn download(viewer: Viewer, Path(name): Path<String>) -> Shown {
    let (report, messages) = reports::raw_report(&viewer.whole, &name).await?;
    // A CBOR sequence (RFC 8742): one message after the other.
    let bytes: Vec<u8> = messages.into_iter().flat_map(|message| message.cbor).collect();
    let kind = (header::CONTENT_TYPE, "application/cbor-seq".to_owned());
    let file = format!("attachment; filename=\"report-{}.cborseq\"", report.name);
    Ok(([kind, (header::CONTENT_DISPOSITION, file)], bytes).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stand_sixteen_a_line_beside_their_text() {
        let text = hex(b"\x01Platen \xff and more bytes");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("0000  01 50 6c 61 74 65 6e 20  ff") && lines[0].ends_with(".Platen . and mo"));
        assert!(lines[1].starts_with("0010  72 65"));
    }

    #[test]
    fn a_clock_is_said_to_be_right_when_it_is() {
        assert_eq!(clock_words(-1_900), "right");
        assert_eq!(clock_words(60_000), "60 s fast");
        assert_eq!(clock_words(-3_600_000), "60 min slow");
    }
}
