//! `/closes` and `/closes/{id}`: which periods are due, what is missing, what they bill, their documents.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
};
use platen_core::{
    DeviceId, Error, Filter, PageQuery, Role,
    billing::{
        self, CloseId, CloseQuery, CloseRow, CloseState, Document, Gap, GapKind, LineRow, ManualRead, Total,
        UNBILLED_OF, money,
    },
};

use super::closes_api::attached;
use super::pages::{CloseLine, close_line, close_mark, name_in};
use crate::{
    app::App,
    fields::{Fields, Posted},
    shell::{Section, Shell, Shown, again, go, show},
    trouble::Trouble,
    viewer::Viewer,
    words::{Mark, Zone, capital, count, grouped, model_name, sentence},
};

/// Lines that a sheet shows.
const SHOWN: u32 = 50;

#[derive(Template)]
#[template(path = "billing/closes.html")]
struct ClosesPage {
    shell: Shell,
    place: &'static str,
    summary: String,
    rows: Vec<CloseLine>,
    over: bool,
    contracts: bool,
    next: Option<String>,
}

/// `GET /closes`.
pub(crate) async fn closes(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    let shell = Shell::of(&app, &viewer, "Meters due", Section::Meters).await?;
    let over = fields.get("state") == Some("closed");
    let filter = Filter::parse(if over { "state eq \"closed\"" } else { "state ne \"closed\"" })?;
    let page = PageQuery { limit: Some(100), after: fields.get("after").map(str::to_owned), count: true };
    let asked = CloseQuery { filter: Some(filter), soonest: !over, page };
    let page = billing::closes(&viewer.ctx, &asked).await?;
    let waiting = page.items.iter().filter(|close| close.open_gaps > 0).count();
    let all = page.count.unwrap_or(0);
    show(&ClosesPage {
        place: "/closes",
        summary: match (over, all, waiting) {
            (true, n, _) => format!("{} closed for good.", count(n, "period", "periods")),
            (false, 0, _) => String::new(),
            (false, n, 0) => format!("{}; none waits for you.", count(n, "period runs", "periods run")),
            (false, n, w) => {
                let waits = if w == 1 { "waits" } else { "wait" };
                format!("{}, {w} of them {waits} for you.", count(n, "period runs", "periods run"))
            }
        },
        rows: page.items.iter().map(|close| close_line(close, &shell)).collect(),
        over,
        contracts: viewer.ctx.role >= Role::Manager,
        next: page.next.map(|next| format!("/closes{}", fields.query_with("after", &next, &[]))),
        shell,
    })
}

struct GapRow {
    device: String,
    name: String,
    serial: String,
    no: i64,
    line: String,
    kind: &'static str,
    why: String,
    last: String,
    estimate: String,
    open: bool,
    readable: bool,
    waived: String,
}

struct SumRow {
    name: String,
    code: String,
    devices: String,
    units: String,
    price: String,
    credit: String,
    amount: String,
}

struct BillRow {
    device: String,
    name: String,
    model: String,
    line: String,
    opening: String,
    closing: String,
    used: String,
    extra: String,
    billed: String,
    quality: String,
    plain: bool,
}

struct DocumentRow {
    no: i64,
    what: String,
    made: String,
    size: String,
    hash: String,
    mailed: String,
}

struct UnbilledRow {
    model: String,
    meter: String,
    devices: String,
    counts: bool,
}

#[derive(Template)]
#[template(path = "billing/close.html")]
struct ClosePage {
    shell: Shell,
    place: &'static str,
    id: String,
    contract: String,
    number: String,
    period: String,
    mark: Mark,
    identity: Vec<(&'static str, String)>,
    sentence: String,
    closed: bool,
    review: bool,
    may_change: bool,
    open_gaps: i64,
    gaps: Vec<GapRow>,
    more_gaps: Option<String>,
    sums: Vec<SumRow>,
    amount: String,
    currency: String,
    lines: Vec<BillRow>,
    more_lines: Option<String>,
    documents: Vec<DocumentRow>,
    unbilled: Vec<UnbilledRow>,
    /// `of the first 10,000 devices`, where there are more.
    unbilled_of: String,
    /// What the sums are called: as billed, or as they were when.
    as_of: String,
}

fn told(close: &CloseRow, zone: &Zone) -> String {
    match close.state {
        CloseState::Scheduled => format!(
            "The period runs until {}. A day before, who has not been read is listed here.",
            zone.full(close.to_at)
        ),
        CloseState::Gathering => {
            format!("The period ends at {}. Whoever is listed as missing can still be read.", zone.full(close.to_at))
        }
        CloseState::Review if close.open_gaps > 0 => format!(
            "The period is over. {} for you: a reading, a code, or your name under it.",
            count(u64::try_from(close.open_gaps).unwrap_or(0), "line waits", "lines wait")
        ),
        CloseState::Review if close.gaps > 0 => {
            "The period is over. Missing readings are waited for; what is still missing then is estimated.".to_owned()
        }
        CloseState::Review => "The period is over and nothing is missing.".to_owned(),
        CloseState::Closed => format!(
            "Closed {} by {}. Nothing of it changes; what came later is in the next period.",
            close.closed_at.map(|at| zone.full(at)).unwrap_or_default(),
            close.closed_by.as_deref().unwrap_or("Platen")
        ),
    }
}

fn as_of(close: &CloseRow, zone: &Zone) -> String {
    match (close.state, close.looked_at) {
        (CloseState::Closed, _) => "Billed".to_owned(),
        (_, Some(at)) => format!("As it was on {}", zone.moment(at)),
        (_, None) => "As it would be".to_owned(),
    }
}

fn gap_row(gap: Gap, zone: &Zone) -> GapRow {
    let waived = match (&gap.waived_by, gap.waived_at) {
        (Some(by), Some(at)) => format!("waived by {by}, {}: {}", zone.moment(at), gap.note.as_deref().unwrap_or("")),
        _ => String::new(),
    };
    GapRow {
        open: gap.is_open(),
        readable: gap.meter.is_some() && matches!(gap.kind, GapKind::Silent | GapKind::Error),
        device: gap.device.to_string(),
        name: gap.device_name,
        serial: gap.serial.unwrap_or_default(),
        no: gap.no,
        line: gap.line,
        kind: gap.kind.as_str(),
        why: sentence(&gap.why),
        last: match (gap.value, gap.read_at) {
            (Some(value), Some(at)) => format!("{} on {}", grouped(u64::try_from(value).unwrap_or(0)), zone.day(at)),
            _ => "never read".to_owned(),
        },
        estimate: gap.estimate.map(|units| grouped(u64::try_from(units).unwrap_or(0))).unwrap_or_default(),
        waived,
    }
}

/// An amount as people read it, in groups and to the hundredth; the documents have it to the millionth.
fn rounded(micro: i64) -> String {
    let exact = money((micro + 5_000).div_euclid(10_000) * 10_000);
    match exact.split_once('.') {
        Some((whole, rest)) => match whole.parse() {
            Ok(whole) => format!("{}.{rest}", grouped(whole)),
            Err(_) => exact,
        },
        None => exact,
    }
}

fn sum_row(total: &Total) -> SumRow {
    SumRow {
        name: total.line.name.clone(),
        code: total.line.erp_code.clone().unwrap_or_default(),
        devices: grouped(u64::try_from(total.devices).unwrap_or(0)),
        units: grouped(u64::try_from(total.units).unwrap_or(0)),
        price: money(total.line.price_micro),
        credit: if total.credit_micro > 0 { rounded(total.credit_micro) } else { String::new() },
        amount: rounded(total.amount_micro),
    }
}

fn bill_row(line: LineRow) -> BillRow {
    let figure = |n: Option<i64>| n.map_or_else(|| "–".to_owned(), |n| grouped(u64::try_from(n).unwrap_or(0)));
    let mut extra = Vec::new();
    for (units, word) in [
        (line.estimate, "estimated"),
        (line.estimate_in, "estimate taken back"),
        (line.carry_in, "carried in"),
        (line.carry_out, "carried on"),
    ] {
        if units != 0 {
            extra.push(format!("{} {word}", grouped(u64::try_from(units).unwrap_or(0))));
        }
    }
    extra.extend(line.breaks.iter().map(|border| border.reason.replace('_', " ")));
    if line.clock_offset_ms != 0 {
        extra.push("clock wrong".to_owned());
    }
    BillRow {
        device: line.device.to_string(),
        name: line.device_name,
        model: model_name(Some(&line.vendor), line.model.as_deref()),
        line: line.name,
        opening: figure(line.opening),
        closing: figure(line.closing),
        used: figure(Some(line.usage)),
        extra: extra.join(", "),
        billed: if line.meter.is_some() { figure(Some(line.billed)) } else { "–".to_owned() },
        plain: line.quality == "actual",
        quality: line.quality,
    }
}

fn document_row(document: Document, zone: &Zone) -> DocumentRow {
    DocumentRow {
        no: document.no,
        what: match document.note {
            Some(note) => format!("Correction: {note}"),
            None => "Lines and sums".to_owned(),
        },
        made: zone.moment(document.made_at),
        size: count(u64::try_from(document.line_count).unwrap_or(0), "line", "lines"),
        hash: document.sha256,
        mailed: document.mailed_at.map(|at| format!("mailed {}", zone.moment(at))).unwrap_or_default(),
    }
}

async fn page(
    app: &App,
    viewer: &Viewer,
    id: CloseId,
    fields: &Fields,
    error: Option<String>,
) -> Result<ClosePage, Trouble> {
    let ctx = &viewer.ctx;
    let close = billing::close(ctx, id).await?;
    let title = format!("{} {}", close.number, close.period);
    let shell = Shell::of(app, viewer, &title, Section::Meters).await?.with_error(error);
    let zone = Zone::named(&close.zone);
    let some = |after: Option<&str>| PageQuery { limit: Some(SHOWN), after: after.map(str::to_owned), count: false };
    let gaps = billing::gaps(ctx, id, &some(fields.get("gaps"))).await?;
    let lines = billing::lines(ctx, id, &some(fields.get("after"))).await?;
    let totals = billing::totals(ctx, id).await?;
    let unbilled = billing::unbilled(ctx, id).await?;
    let amount = rounded(totals.iter().map(|total| total.amount_micro).sum());
    let path = format!("/closes/{id}");
    Ok(ClosePage {
        place: "/closes",
        id: id.to_string(),
        contract: close.contract.to_string(),
        number: close.number.clone(),
        period: close.period.clone(),
        mark: close_mark(&close),
        identity: vec![
            ("Contract", close.contract_name.clone()),
            ("Organisation", name_in(&shell, close.org)),
            ("From", zone.full(close.from_at)),
            ("Until", zone.full(close.to_at)),
            ("Zone", close.zone.clone()),
            ("Devices", grouped(u64::try_from(close.devices).unwrap_or(0))),
        ],
        sentence: told(&close, &zone),
        closed: close.state == CloseState::Closed,
        review: close.state == CloseState::Review,
        may_change: ctx.role >= Role::Manager,
        open_gaps: close.open_gaps,
        more_gaps: gaps.next.map(|next| format!("{path}{}", fields.query_with("gaps", &next, &[]))),
        gaps: gaps.items.into_iter().map(|gap| gap_row(gap, &zone)).collect(),
        sums: totals.iter().map(sum_row).collect(),
        amount,
        currency: close.currency.clone(),
        more_lines: lines.next.map(|next| format!("{path}{}", fields.query_with("after", &next, &[]))),
        lines: lines.items.into_iter().map(bill_row).collect(),
        documents: billing::documents(ctx, id).await?.into_iter().map(|d| document_row(d, &zone)).collect(),
        unbilled: unbilled
            .into_iter()
            .map(|one| UnbilledRow {
                model: model_name(Some(&one.vendor), one.model.as_deref()),
                meter: capital(&one.words.title()),
                devices: grouped(u64::try_from(one.devices).unwrap_or(0)),
                counts: one.counts,
            })
            .collect(),
        unbilled_of: if close.devices > UNBILLED_OF {
            format!(" of the first {} devices", grouped(u64::try_from(UNBILLED_OF).unwrap_or(0)))
        } else {
            String::new()
        },
        as_of: as_of(&close, &zone),
        shell,
    })
}

/// `GET /closes/{id}`.
pub(crate) async fn close_sheet(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    fields: Fields,
) -> Shown {
    show(&page(&app, &viewer, CloseId::parse(&id)?, &fields, None).await?)
}

/// `POST /closes/{id}`: waives, reads by hand, looks again, closes, corrects.
pub(crate) async fn act(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap, posted: Posted) -> Shown {
    let (viewer, f, id) = (&posted.viewer, &posted.fields, CloseId::parse(&id)?);
    let ctx = &viewer.ctx;
    let done = match f.text("act") {
        "waive" => match which(f) {
            Ok(which) => billing::waive(ctx, id, which, f.text("note")).await,
            Err(error) => Err(error),
        },
        "read" => match by_hand(f) {
            Ok(read) => billing::read_by_hand(ctx, id, &read).await,
            Err(error) => Err(error),
        },
        "look" => billing::look_again(ctx, id).await,
        "close" if f.get("sure") == Some("yes") => billing::close_now(ctx, id).await.map(drop),
        "correct" => billing::correct(ctx, id, f.text("note")).await.map(drop),
        _ => Err(Error::invalid("act", "choose what to do, and say that you mean it")),
    };
    match done {
        Ok(()) => Ok(go(&app, &headers, &format!("/closes/{id}"), "saved")),
        Err(error) => again(error, |why| page(&app, viewer, id, Fields::NONE, Some(why))).await,
    }
}

fn which(f: &Fields) -> Result<(DeviceId, i64, GapKind), Error> {
    Ok((DeviceId::parse(f.text("device"))?, line(f)?, GapKind::parse(f.text("kind"))?))
}

fn line(f: &Fields) -> Result<i64, Error> {
    f.text("line").parse().map_err(|_| Error::invalid("line", "a line is a number"))
}

fn by_hand(f: &Fields) -> Result<ManualRead, Error> {
    let value: String = f.text("value").chars().filter(|c| !matches!(c, ',' | '.' | ' ' | '\u{a0}')).collect();
    let value = value.parse().map_err(|_| Error::invalid("value", "a counter is a whole number"))?;
    Ok(ManualRead { device: DeviceId::parse(f.text("device"))?, no: line(f)?, value, at: None })
}

/// `GET /closes/{id}/documents/{no}`.
pub(crate) async fn download_document(viewer: Viewer, Path((id, no)): Path<(String, i64)>) -> Shown {
    let (document, bytes) = billing::document(&viewer.ctx, CloseId::parse(&id)?, no).await?;
    Ok(attached(&document, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_rounded_to_the_hundredth_and_grouped() {
        let shown = [0, 4_999, 5_000, 44_438_000, 7_941_095_000, 1_234_567_890_000].map(rounded);
        assert_eq!(shown.join(" "), "0.00 0.00 0.01 44.44 7,941.10 1,234,567.89");
    }
}
