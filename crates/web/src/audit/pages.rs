//! `/audit`.

use askama::Template;
use axum::extract::State;
use platen_core::{Filter, PageQuery, audit, filter::Operand};
use serde_json::Value;

use crate::{
    app::App,
    fields::Fields,
    shell::{Section, Shell, Shown, show},
    viewer::Viewer,
    words::{Zone, capital},
};

const VERBS: &[&str] = &[
    "created",
    "changed",
    "renamed",
    "revoked",
    "retired",
    "acknowledged",
    "snoozed",
    "signed in",
    "invited",
    "enrolled",
];

struct RecordRow {
    iso: String,
    when: String,
    who: String,
    verb: String,
    object: String,
    href: Option<String>,
    change: String,
    from: String,
}

#[derive(Template)]
#[template(path = "audit/list.html")]
struct AuditPage {
    shell: Shell,
    zone: String,
    actor: String,
    verb: String,
    object: String,
    filtered: bool,
    verbs: &'static [&'static str],
    rows: Vec<RecordRow>,
    shown: String,
    first: Option<String>,
    next: Option<String>,
}

/// The three fields of the form as one condition.
fn condition(fields: &Fields) -> Option<Filter> {
    let text = |s: &str| Operand::Text(s.to_owned());
    let mut all = Vec::new();
    if let Some(actor) = fields.get("actor") {
        all.push(match actor {
            "user" | "token" | "agent" | "system" => Filter::Eq("actor_kind".into(), text(actor)),
            id => Filter::Eq("actor_id".into(), text(id)),
        });
    }
    if let Some(verb) = fields.get("verb") {
        all.push(Filter::Eq("verb".into(), text(verb)));
    }
    if let Some(object) = fields.get("object") {
        let field = if object.len() == 36 { "object_id" } else { "object_kind" };
        all.push(Filter::Eq(field.into(), text(object)));
    }
    match all.len() {
        0 => None,
        1 => all.pop(),
        _ => Some(Filter::And(all)),
    }
}

/// `GET /audit`.
pub(crate) async fn list(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    let shell = Shell::of(&app, &viewer, "Audit", Section::Audit).await?;
    let after = fields.get("after").map(str::to_owned);
    let filter = condition(&fields);
    let query = audit::AuditQuery {
        filter: filter.clone(),
        page: PageQuery { limit: Some(50), after: after.clone(), count: false },
    };
    let page = audit::list(&viewer.ctx, &query).await?;
    let zone = shell.zone();
    let rows: Vec<RecordRow> = page.items.into_iter().map(|record| row(record, &zone)).collect();
    let at = |query: String| format!("/audit{query}");
    show(&AuditPage {
        zone: shell.zone_name.clone(),
        actor: fields.text("actor").to_owned(),
        verb: fields.text("verb").to_owned(),
        object: fields.text("object").to_owned(),
        filtered: filter.is_some(),
        verbs: VERBS,
        shown: if page.next.is_some() {
            format!("{} records", rows.len())
        } else {
            format!("{} records, no older ones", rows.len())
        },
        first: after.is_some().then(|| at(fields.query_without(&["after"]))),
        next: page.next.map(|next| at(fields.query_with("after", &next, &[]))),
        rows,
        shell,
    })
}

fn row(record: audit::AuditRecord, zone: &Zone) -> RecordRow {
    let href = match record.object_kind.as_str() {
        "device" => Some("devices"),
        "agent" => Some("agents"),
        "user" => Some("users"),
        "organisation" => Some("organisations"),
        _ => None,
    };
    let short = record.object_id.get(..8).unwrap_or(&record.object_id);
    RecordRow {
        iso: record.at.to_string(),
        when: zone.exact(record.at),
        who: record.actor_name.unwrap_or_else(|| "(erased)".to_owned()),
        verb: record.verb.replace('_', " "),
        object: named(&record.after).or_else(|| named(&record.before)).map_or_else(
            || format!("{} {short}", record.object_kind.replace('_', " ")),
            |name| format!("{} {name}", record.object_kind.replace('_', " ")),
        ),
        href: href.map(|folder| format!("/{folder}/{}", record.object_id)),
        change: change(&record.before, &record.after),
        from: capital(&record.actor_kind),
    }
}

fn named(value: &Value) -> Option<&str> {
    value.get("name").and_then(Value::as_str)
}

/// `zone UTC → Europe/Berlin, name –`: what changed, a few words each.
fn change(before: &Value, after: &Value) -> String {
    let empty = serde_json::Map::new();
    let (old, new) = (before.as_object().unwrap_or(&empty), after.as_object().unwrap_or(&empty));
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    let parts: Vec<String> = keys
        .into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
        .take(6)
        .map(|key| match (old.get(key).filter(|v| !v.is_null()), new.get(key).filter(|v| !v.is_null())) {
            (Some(old), Some(new)) => format!("{} {} → {}", key.replace('_', " "), plain(old), plain(new)),
            (Some(old), None) => format!("{} {} → nothing", key.replace('_', " "), plain(old)),
            (None, Some(new)) => format!("{} {}", key.replace('_', " "), plain(new)),
            (None, None) => String::new(),
        })
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(", ")
}

fn plain(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(60) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_shows_before_and_after_of_what_differs() {
        let (before, after) = (
            serde_json::json!({"name": "A", "zone": "UTC"}),
            serde_json::json!({"name": "A", "zone": "Asia/Tokyo", "x": 1}),
        );
        assert_eq!(change(&before, &after), "x 1, zone UTC → Asia/Tokyo");
    }
}
