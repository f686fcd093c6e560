//! `/search`: everything from one field: devices and pages.

use askama::Template;
use axum::extract::State;
use platen_core::devices::{self, DeviceRow};

use crate::{
    app::App,
    fields::Fields,
    shell::{Section, Shell, Shown, show},
    viewer::Viewer,
    words::{Mark, count, mark_of, model_name},
};

/// Devices offered below the field.
const FEW: u32 = 8;
/// Devices on the page of results.
const MANY: u32 = 100;

struct Hit {
    href: String,
    mark: Mark,
    name: String,
    model: String,
    found: String,
    place: String,
}

/// The field in which the words were found, so that one sees why a device is listed.
fn hit(row: DeviceRow, text: &str) -> Hit {
    let folded = text.to_lowercase();
    let first = folded.split_whitespace().next().unwrap_or_default();
    let fields = [
        ("serial", row.serial.as_deref()),
        ("address", row.address.as_deref()),
        ("MAC", row.mac.as_deref()),
        ("place", Some(row.place.as_str())),
    ];
    let found = fields
        .iter()
        .find_map(|(word, value)| value.filter(|v| v.to_lowercase().contains(first)).map(|v| format!("{word} {v}")))
        .unwrap_or_else(|| row.serial.clone().or_else(|| row.address.clone()).unwrap_or_default());
    Hit {
        href: format!("/devices/{}", row.id),
        mark: mark_of(row.word),
        model: model_name(Some(row.vendor.as_str()).filter(|v| !v.is_empty()), row.model.as_deref()),
        name: row.name,
        found,
        place: row.place,
    }
}

/// Pages whose words begin so.
fn pages(text: &str, admin: bool) -> Vec<(&'static str, &'static str)> {
    const PAGES: &[(&str, &str, &str)] = &[
        ("/devices", "Fleet", "fleet devices printers"),
        ("/alerts", "Alerts", "alerts jams errors"),
        ("/meters", "Meters", "meters billing counters"),
        ("/agents", "Agents", "agents discovery plan"),
        ("/agents/invite", "Add an agent", "add agent invite enrol"),
        ("/organisations", "Organisations", "organisations customers tree zone currency"),
        ("/users", "Users", "users people roles"),
        ("/audit", "Audit", "audit log changes"),
        ("/account", "Account and tokens", "account password tokens theme dark light"),
        ("/help", "Help", "help keyboard filters"),
    ];
    let text = text.trim().to_lowercase();
    if text.len() < 2 {
        return Vec::new();
    }
    let fits = |words: &str| words.split(' ').any(|word| word.starts_with(&text));
    PAGES
        .iter()
        .filter(|(href, _, words)| fits(words) && (admin || !matches!(*href, "/users" | "/audit")))
        .map(|p| (p.0, p.1))
        .collect()
}

#[derive(Template)]
#[template(path = "devices/suggest.html")]
struct SuggestPart {
    query: String,
    hits: Vec<Hit>,
    pages: Vec<(&'static str, &'static str)>,
}

/// `GET /search/suggest`: what drops below the field while one types.
pub(crate) async fn suggest(viewer: Viewer, fields: Fields) -> Shown {
    let text = fields.text("q");
    let hits = devices::search(&viewer.ctx, text, FEW).await?;
    show(&SuggestPart {
        hits: hits.into_iter().map(|row| hit(row, text)).collect(),
        pages: pages(text, viewer.ctx.role >= platen_core::Role::Admin),
        query: text.to_owned(),
    })
}

#[derive(Template)]
#[template(path = "devices/search.html")]
struct SearchPage {
    shell: Shell,
    summary: String,
    hits: Vec<Hit>,
    pages: Vec<(&'static str, &'static str)>,
}

/// `GET /search`.
pub(crate) async fn search(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    let text = fields.text("q");
    let shell = Shell::of(&app, &viewer, "Search", Section::None).await?;
    let hits = devices::search(&viewer.ctx, text, MANY).await?;
    let n = hits.len() as u64;
    show(&SearchPage {
        summary: match n {
            _ if text.is_empty() => String::new(),
            0 => format!("No device for “{text}”."),
            n if n == u64::from(MANY) => format!("The first {MANY} devices for “{text}”."),
            n => format!("{} for “{text}”.", count(n, "device", "devices")),
        },
        hits: hits.into_iter().map(|row| hit(row, text)).collect(),
        pages: pages(text, shell.admin),
        shell: shell.with_query(text),
    })
}
