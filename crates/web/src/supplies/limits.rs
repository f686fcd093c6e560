//! `/supplies/limits`: when a level calls for a person, and how things are sent.

use askama::Template;
use axum::{extract::State, http::HeaderMap};
use platen_core::{
    Error, OrgId,
    supplies::{
        self,
        rules::{shipments::Terms, thresholds::Limits},
        shipments,
    },
};

use crate::{
    app::App,
    fields::{Fields, Posted},
    shell::{Section, Shell, Shown, again, go, show},
    trouble::Trouble,
    viewer::Viewer,
};

struct RuleLine {
    org: String,
    model: String,
    what: String,
    cells: [String; 5],
}

#[derive(Template)]
#[template(path = "supplies/limits.html")]
struct LimitsPage {
    shell: Shell,
    place: &'static str,
    waiting: u64,
    org: String,
    usual: [String; 5],
    rules: Vec<RuleLine>,
    terms: Terms,
    terms_version: i64,
}

fn cells(limits: &Limits) -> [String; 5] {
    let percent = |limit: Option<f64>| limit.map_or_else(String::new, |value| format!("{value} %"));
    let days = limits.soon_days.map_or_else(String::new, |days| format!("{days} d"));
    [percent(limits.almost_empty), percent(limits.empty), percent(limits.almost_full), percent(limits.full), days]
}

async fn page(app: &App, viewer: &Viewer, error: Option<String>) -> Result<LimitsPage, Trouble> {
    let shell = Shell::of(app, viewer, "Limits", Section::Supplies).await?.with_error(error);
    let org = viewer.ctx.scope.focus().unwrap_or(viewer.ctx.home);
    let (rules, usual) = supplies::limits(&viewer.ctx).await?;
    let (terms, terms_version) = shipments::terms(&viewer.ctx, org).await?;
    let name =
        |id: &str| shell.orgs.iter().find(|org| org.id == id).map_or_else(|| id.to_owned(), |org| org.name.clone());
    let rules = rules.into_iter().map(|rule| RuleLine {
        org: name(&rule.org.to_string()),
        cells: cells(&rule.limits),
        model: rule.model,
        what: rule.what,
    });
    Ok(LimitsPage {
        rules: rules.collect(),
        usual: cells(&usual),
        waiting: shipments::waiting(&viewer.ctx).await?,
        place: "/supplies/limits",
        org: org.to_string(),
        terms,
        terms_version,
        shell,
    })
}

/// `GET /supplies/limits`.
pub(crate) async fn limits(State(app): State<App>, viewer: Viewer) -> Shown {
    show(&page(&app, &viewer, None).await?)
}

/// A figure of a form; nothing written means that the wider rule holds.
fn figure(fields: &Fields, name: &'static str) -> Result<Option<f64>, Error> {
    match fields.get(name) {
        None => Ok(None),
        Some(text) => {
            let figure: f64 =
                text.replace(',', ".").parse().map_err(|_| Error::invalid(name, format!("{text:?} is no figure")))?;
            if figure.is_finite() { Ok(Some(figure)) } else { Err(Error::invalid(name, "a figure, please")) }
        }
    }
}

fn asked(fields: &Fields) -> Result<Limits, Error> {
    if fields.text("act") == "remove" {
        return Ok(Limits::default());
    }
    Ok(Limits {
        almost_empty: figure(fields, "almost_empty")?,
        empty: figure(fields, "empty")?,
        almost_full: figure(fields, "almost_full")?,
        full: figure(fields, "full")?,
        soon_days: figure(fields, "soon_days")?,
    })
}

/// `POST /supplies/limits`.
pub(crate) async fn set_limits_page(State(app): State<App>, headers: HeaderMap, posted: Posted) -> Shown {
    let (viewer, fields) = (&posted.viewer, &posted.fields);
    let org = viewer.ctx.scope.focus().unwrap_or(viewer.ctx.home);
    let scope = (fields.text("model"), fields.text("what"));
    let done = match asked(fields) {
        Ok(limits) => supplies::set_limits(&viewer.ctx, org, scope, limits, None).await.map(drop),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => Ok(go(&app, &headers, "/supplies/limits", "saved")),
        Err(error) => again(error, |why| page(&app, viewer, Some(why))).await,
    }
}

/// `POST /shipments/terms`.
pub(crate) async fn terms_page(State(app): State<App>, headers: HeaderMap, posted: Posted) -> Shown {
    let fields = &posted.fields;
    let days = |name: &'static str| {
        fields.text(name).parse::<i64>().map_err(|_| Error::invalid(name, "a whole number of days, please"))
    };
    let terms = || -> Result<Terms, Error> {
        Ok(Terms {
            proposes: fields.get("proposes") == Some("yes"),
            delivery_days: days("delivery_days")?,
            margin_days: days("margin_days")?,
            together_days: days("together_days")?,
            interval_days: days("interval_days")?,
            expiry_days: days("expiry_days")?,
        })
    };
    let org = OrgId::parse(fields.text("org"))?;
    let done = match terms() {
        Ok(terms) => shipments::set_terms(&posted.viewer.ctx, org, terms, fields.text("version").parse().ok()).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(_) => Ok(go(&app, &headers, "/supplies/limits#terms", "saved")),
        Err(error) => again(error, |why| page(&app, &posted.viewer, Some(why))).await,
    }
}
