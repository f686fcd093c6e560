//! Lists of places for the plan of an agent: upload or paste, look at what it would do, take it.

use askama::Template;
use axum::{
    Json,
    extract::{FromRequest, Multipart, Path, Query, Request, State},
    http::HeaderMap,
    response::IntoResponse,
};
use bytes::Bytes;
use platen_core::{
    AgentId, Error,
    agents::{
        self,
        import::{Fate, Format, Preview, PreviewLine},
    },
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plan;
use crate::{
    api::Answered,
    app::App,
    caller::Caller,
    fields::Fields,
    problem::Problem,
    shell::{Section, Shell, Shown, again, go, show},
    trouble::Trouble,
    viewer::{Viewer, same},
    words::{count, vendor_name},
};

/// Places that the page shows; all of them are taken.
const SHOWN: usize = 300;

/// How to read a list.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListReading {
    /// `csv`, `neighbours`, `isc`, `kea`, `dnsmasq` or `windows`; told by the list's look if not given.
    format: Option<String>,
    /// Only tell what would change.
    #[serde(default)]
    dry_run: bool,
}

/// What a list does to a plan.
#[derive(Serialize, ToSchema)]
#[schema(as = ListPreview)]
pub(crate) struct PreviewDocument {
    /// How it was read.
    format: &'static str,
    /// Places that are new.
    new: usize,
    changed: usize,
    /// Places that are in the plan just so.
    known: usize,
    /// Places that the plan forbids to ask; they are left out.
    forbidden: usize,
    /// Lines that speak of no place to ask now: incomplete neighbours, leases that have ended.
    passed_over: usize,
    /// Its places, likely printers first.
    places: Vec<ListedPlace>,
    /// How many lines cannot be used.
    fault_count: usize,
    /// The first 100 of them.
    faults: Vec<ListFault>,
}

/// A place of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedPlace {
    line: usize,
    /// Address or host name.
    host: String,
    name: Option<String>,
    site: Option<String>,
    asset: Option<String>,
    mac: Option<String>,
    /// What it calls itself in the list; not kept.
    label: Option<String>,
    /// Brand whose printers often have such a network card: a hint, no more.
    maker: Option<&'static str>,
    /// `new`, `changed`, `known` or `forbidden`.
    #[schema(value_type = String)]
    fate: Fate,
    /// A range of the plan holds it already.
    in_range: bool,
}

/// A line that cannot be used.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListFault {
    line: usize,
    text: String,
    /// What is wrong, and what to write.
    advice: String,
}

impl From<Preview> for PreviewDocument {
    fn from(preview: Preview) -> Self {
        let place = |line: PreviewLine| ListedPlace {
            line: line.line,
            host: line.target.host,
            name: line.target.name,
            site: line.target.site,
            asset: line.target.asset,
            mac: line.target.mac,
            label: line.label,
            maker: line.maker,
            fate: line.fate,
            in_range: line.in_range,
        };
        let fault =
            |fault: agents::import::Fault| ListFault { line: fault.line, text: fault.text, advice: fault.advice };
        Self {
            format: preview.format.as_str(),
            new: preview.new,
            changed: preview.changed,
            known: preview.known,
            forbidden: preview.forbidden,
            passed_over: preview.passed_over,
            places: preview.lines.into_iter().map(place).collect(),
            fault_count: preview.fault_count,
            faults: preview.faults.into_iter().map(fault).collect(),
        }
    }
}

/// Adds the places of a list to the plan of an agent: a table, a neighbour table, or the leases of a DHCP server, as they
/// are. Lines that cannot be used are told and left out. Sending the same list again changes nothing.
#[utoipa::path(post, path = "/api/v1/agents/{id}/targets", tag = "agents",
    params(("id" = String, Path), ListReading), request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = PreviewDocument), (status = "default", body = Problem)))]
pub(crate) async fn import_agent_targets(
    caller: Caller,
    Path(id): Path<String>,
    Query(reading): Query<ListReading>,
    list: Bytes,
) -> Answered {
    let (id, format) = (AgentId::parse(&id)?, format_of(reading.format.as_deref())?);
    let preview = match reading.dry_run {
        true => agents::preview_list(&caller.ctx, id, &list, format).await?,
        false => agents::import_list(&caller.ctx, id, &list, format).await?,
    };
    Ok(Json(PreviewDocument::from(preview)).into_response())
}

fn format_of(name: Option<&str>) -> platen_core::Result<Option<Format>> {
    let known = || Format::ALL.map(Format::as_str).join(", ");
    name.filter(|name| !name.is_empty())
        .map(|name| {
            Format::from_name(name).ok_or_else(|| Error::invalid("format", format!("format is one of {}", known())))
        })
        .transpose()
}

/// What the page says before it takes a list.
struct PreviewView {
    summary: String,
    lines: Vec<PlaceLine>,
    more: Option<String>,
    faults: Vec<agents::import::Fault>,
    faults_more: Option<String>,
    /// The places to take, as a table; none when nothing would change.
    taken: Option<String>,
    button: String,
}

struct PlaceLine {
    host: String,
    says: String,
    mac: String,
    fate: &'static str,
    is_out: bool,
    note: &'static str,
}

#[derive(Template)]
#[template(path = "agents/import.html")]
struct ImportPage {
    shell: Shell,
    id: String,
    name: String,
    formats: Vec<(&'static str, &'static str)>,
    preview: Option<PreviewView>,
}

async fn page(app: &App, viewer: &Viewer, id: AgentId, error: Option<String>) -> Result<ImportPage, Trouble> {
    let agent = agents::get(&viewer.whole, id).await?;
    let shell = Shell::of(app, viewer, "Import a list", Section::Agents).await?.with_error(error);
    let formats = Format::ALL.map(|format| (format.as_str(), format.label())).to_vec();
    Ok(ImportPage { shell, id: id.to_string(), name: agent.name, formats, preview: None })
}

/// `GET /agents/{id}/import`.
pub(crate) async fn import_form(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Shown {
    show(&page(&app, &viewer, AgentId::parse(&id)?, None).await?)
}

/// `POST /agents/{id}/import`: shows what a list would do, or takes it when it was seen.
pub(crate) async fn import_list(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    sent: Sent,
) -> Shown {
    let (id, viewer) = (AgentId::parse(&id)?, &sent.viewer);
    match judged(&sent, id).await {
        Ok(None) => Ok(go(&app, &headers, &format!("/agents/{id}"), "imported")),
        Ok(Some(preview)) => show(&ImportPage { preview: Some(preview), ..page(&app, viewer, id, None).await? }),
        Err(error) => again(error, |why| page(&app, viewer, id, Some(why))).await,
    }
}

/// Takes a list that was seen, or gives what there is to see.
async fn judged(sent: &Sent, id: AgentId) -> platen_core::Result<Option<PreviewView>> {
    let ctx = &sent.viewer.whole;
    if sent.fields.get("take").is_some() {
        agents::import_list(ctx, id, sent.fields.text("list").as_bytes(), Some(Format::Csv)).await?;
        return Ok(None);
    }
    let pasted = sent.fields.text("list");
    let list = if sent.file.is_empty() { pasted.as_bytes() } else { &sent.file };
    if list.is_empty() {
        return Err(Error::invalid("list", "choose a file, or paste a list"));
    }
    let preview = agents::preview_list(ctx, id, list, format_of(sent.fields.get("format"))?).await?;
    Ok(Some(view(preview, sent.fields.get("makers").is_some())))
}

fn view(preview: Preview, only_makers: bool) -> PreviewView {
    let is_wanted =
        |line: &&PreviewLine| matches!(line.fate, Fate::New | Fate::Changed) && (!only_makers || line.maker.is_some());
    let wanted: Vec<_> = preview.lines.iter().filter(is_wanted).map(|line| line.target.clone()).collect();
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let facts = [
        (preview.new, "would be added"),
        (preview.changed, "would change"),
        (preview.known, "known already"),
        (preview.forbidden, "forbidden by the plan"),
        (preview.passed_over, "passed over: incomplete or ended"),
        (preview.fault_count, "not usable"),
    ];
    let facts: Vec<String> =
        facts.iter().filter(|(count, _)| *count > 0).map(|(count, words)| format!("{count} {words}")).collect();
    let summary = format!("Read as {}: {}.", preview.format.label(), facts.join(", "));
    let rest = |all: usize, shown: usize| (all > shown).then(|| format!("{shown} of {all} are shown."));
    PreviewView {
        summary,
        more: rest(preview.lines.len(), SHOWN),
        lines: preview.lines.iter().take(SHOWN).map(|line| place(line, only_makers)).collect(),
        faults_more: rest(preview.fault_count, preview.faults.len()),
        faults: preview.faults,
        button: format!("Take {}", count(number(wanted.len()), "place", "places")),
        taken: (!wanted.is_empty()).then(|| format!("address,name,site,asset,mac\n{}", plan::target_lines(&wanted))),
    }
}

fn place(line: &PreviewLine, only_makers: bool) -> PlaceLine {
    let target = &line.target;
    let says = [&target.name, &line.label, &target.site, &target.asset];
    let maker = line.maker.map(vendor_name).unwrap_or_default();
    let is_left = only_makers && line.maker.is_none();
    PlaceLine {
        host: target.host.clone(),
        says: says.into_iter().flatten().cloned().collect::<Vec<_>>().join(", "),
        mac: [target.mac.clone().unwrap_or_default(), maker].join(" ").trim().to_owned(),
        fate: match line.fate {
            Fate::New | Fate::Changed if is_left => "Left out",
            Fate::New => "New",
            Fate::Changed => "Changed",
            Fate::Known => "Known",
            Fate::Forbidden => "Forbidden",
        },
        is_out: is_left || line.fate == Fate::Forbidden,
        note: if line.in_range { "in a range" } else { "" },
    }
}

/// A form with a file that a signed-in person sent from our page: the CSRF token was checked.
pub(crate) struct Sent {
    viewer: Viewer,
    fields: Fields,
    file: Bytes,
}

impl FromRequest<App> for Sent {
    type Rejection = Trouble;

    async fn from_request(request: Request, app: &App) -> Result<Self, Trouble> {
        use axum::extract::FromRequestParts;
        let (mut parts, body) = request.into_parts();
        let viewer = Viewer::from_request_parts(&mut parts, app).await?;
        let unreadable = |_| Trouble::bad_request("the form cannot be read; the list may be too large");
        let mut form = Multipart::from_request(Request::from_parts(parts, body), app)
            .await
            .map_err(|_| Trouble::bad_request("the form cannot be read"))?;
        let (mut fields, mut file) = (Vec::new(), Bytes::new());
        while let Some(field) = form.next_field().await.map_err(unreadable)? {
            let name = field.name().unwrap_or_default().to_owned();
            if field.file_name().is_some() {
                file = field.bytes().await.map_err(unreadable)?;
            } else {
                fields.push((name, field.text().await.map_err(unreadable)?));
            }
        }
        let fields = Fields(fields);
        if !same(fields.text("csrf"), &viewer.csrf) {
            return Err(Trouble::forbidden("the form is too old; go back, reload the page, and try again"));
        }
        Ok(Self { viewer, fields, file })
    }
}
