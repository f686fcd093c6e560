//! `/organisations`.

use std::collections::HashMap;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
};
use platen_core::{
    Ctx, OrgId, alerts,
    devices::{self, DeviceQuery},
    orgs,
};

use crate::{
    app::App,
    fields::Posted,
    shell::{OrgChoice, Section, Shell, Shown, again, go, show},
    trouble::Trouble,
    viewer::Viewer,
    words::{capital, count, grouped},
};

/// Zones offered first; any IANA name is taken.
pub(crate) const ZONES: &[&str] = &[
    "UTC",
    "Europe/Berlin",
    "Europe/London",
    "Europe/Paris",
    "Europe/Madrid",
    "Europe/Rome",
    "Europe/Warsaw",
    "Europe/Stockholm",
    "Europe/Helsinki",
    "Europe/Istanbul",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Africa/Johannesburg",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Asia/Shanghai",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Pacific/Auckland",
];

/// Organisations that are counted on one page.
const COUNTED: usize = 60;

struct OrgRow {
    id: String,
    name: String,
    depth: usize,
    kind: String,
    zone: String,
    currency: String,
    devices: String,
    alerts: String,
}

#[derive(Template)]
#[template(path = "orgs/tree.html")]
struct TreePage {
    shell: Shell,
    summary: String,
    rows: Vec<OrgRow>,
    may_create: bool,
    parents: Vec<OrgChoice>,
    zone: String,
    currency: String,
    zones: &'static [&'static str],
}

/// Devices and open causes at and below the organisations whose fleet is visible, as far as one page needs them.
async fn numbers(ctx: &Ctx, tree: &[orgs::Org]) -> platen_core::Result<HashMap<OrgId, (u64, u64)>> {
    let mut numbers = HashMap::new();
    for org in tree.iter().filter(|org| org.access != orgs::Access::Licence).take(COUNTED) {
        let below = ctx.focused(org.id).await?;
        let devices = devices::facets(&below, &DeviceQuery::default()).await?.total;
        let causes = alerts::counts(&below).await?;
        numbers.insert(org.id, (devices, causes.open + causes.acknowledged));
    }
    Ok(numbers)
}

async fn tree_page(app: &App, viewer: &Viewer, error: Option<String>) -> Result<TreePage, Trouble> {
    let shell = Shell::of(app, viewer, "Organisations", Section::Organisations).await?.with_error(error);
    let tree = orgs::tree(&viewer.whole).await?;
    let numbers = numbers(&viewer.whole, &tree).await?;
    let own = tree.iter().find(|org| org.id == viewer.whole.home);
    let rows = tree.iter().map(|org| {
        let n = numbers.get(&org.id);
        OrgRow {
            id: org.id.to_string(),
            name: org.name.clone().unwrap_or_else(|| "(not named to you)".to_owned()),
            depth: (org.depth as usize).min(4),
            kind: capital(org.kind.as_str()),
            zone: org.zone.clone(),
            currency: org.currency.clone(),
            devices: n.map(|n| grouped(n.0)).unwrap_or_else(|| "–".to_owned()),
            alerts: n.map(|n| grouped(n.1)).unwrap_or_else(|| "–".to_owned()),
        }
    });
    Ok(TreePage {
        summary: format!("{}, the one at the top is yours.", count(tree.len() as u64, "organisation", "organisations")),
        rows: rows.collect(),
        may_create: shell.admin && own.is_some_and(|org| org.kind != orgs::OrgKind::Customer),
        parents: shell.orgs.iter().filter(|o| o.id == viewer.whole.home.to_string()).cloned().collect(),
        zone: own.map(|org| org.zone.clone()).unwrap_or_default(),
        currency: own.map(|org| org.currency.clone()).unwrap_or_default(),
        zones: ZONES,
        shell,
    })
}

/// `GET /organisations`.
pub(crate) async fn tree(State(app): State<App>, viewer: Viewer) -> Shown {
    show(&tree_page(&app, &viewer, None).await?)
}

/// `POST /organisations`.
pub(crate) async fn create(State(app): State<App>, headers: HeaderMap, posted: Posted) -> Shown {
    let f = &posted.fields;
    let optional = |name: &str| f.get(name).map(str::to_owned);
    let new = orgs::NewOrg {
        name: f.text("name").to_owned(),
        kind: f.text("kind").to_owned(),
        parent: f.get("parent").map(OrgId::parse).transpose()?,
        slug: None,
        zone: optional("zone"),
        locale: None,
        currency: optional("currency").map(|c| c.to_uppercase()),
    };
    match orgs::create(&posted.viewer.whole, &new).await {
        Ok(org) => Ok(go(&app, &headers, &format!("/organisations/{}", org.id), "created")),
        Err(error) => again(error, |why| tree_page(&app, &posted.viewer, Some(why))).await,
    }
}

#[derive(Template)]
#[template(path = "orgs/sheet.html")]
struct OrgPage {
    shell: Shell,
    id: String,
    name: String,
    zone: String,
    currency: String,
    version: i64,
    identity: Vec<(&'static str, String)>,
    zones: &'static [&'static str],
}

async fn org_page(app: &App, viewer: &Viewer, id: OrgId, error: Option<String>) -> Result<OrgPage, Trouble> {
    let org = orgs::get(&viewer.whole, id).await?;
    let name = org.name.clone().unwrap_or_else(|| "An organisation".to_owned());
    let shell = Shell::of(app, viewer, &name, Section::Organisations).await?.with_error(error);
    let since = shell.zone().full(org.created_at);
    Ok(OrgPage {
        id: org.id.to_string(),
        identity: vec![("Kind", capital(org.kind.as_str())), ("Short name", org.slug), ("Since", since)],
        name,
        zone: org.zone,
        currency: org.currency,
        version: org.version,
        zones: ZONES,
        shell,
    })
}

/// `GET /organisations/{id}`.
pub(crate) async fn sheet(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Shown {
    show(&org_page(&app, &viewer, OrgId::parse(&id)?, None).await?)
}

/// `POST /organisations/{id}`.
pub(crate) async fn update(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let (id, f) = (OrgId::parse(&id)?, &posted.fields);
    let patch = orgs::OrgPatch {
        name: f.get("name").map(str::to_owned),
        zone: f.get("zone").map(str::to_owned),
        locale: None,
        currency: f.get("currency").map(|c| c.to_uppercase()),
    };
    match orgs::update(&posted.viewer.whole, id, &patch, f.text("version").parse().ok()).await {
        Ok(org) => Ok(go(&app, &headers, &format!("/organisations/{}", org.id), "saved")),
        Err(error) => again(error, |why| org_page(&app, &posted.viewer, id, Some(why))).await,
    }
}
