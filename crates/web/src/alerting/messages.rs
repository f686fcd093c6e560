//! `/notifications`: who was told what, what waits, what was given up.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
};
use platen_core::{
    PageQuery,
    notifications::{self, NotificationId, NotificationQuery},
};

use super::message_state;
use crate::{
    app::App,
    fields::{Fields, Posted},
    shell::{
        Section, Shell, Shown,
        facets::{Facet, Facets, Tab, all, one_of},
        go, show,
    },
    viewer::Viewer,
    words::{count, grouped},
};

/// Messages of a page.
const LIMIT: u32 = 100;

struct Line {
    id: String,
    when: String,
    who: String,
    title: String,
    href: Option<String>,
    state: String,
    can_resend: bool,
}

#[derive(Template)]
#[template(path = "alerting/messages.html")]
struct MessagesPage {
    shell: Shell,
    summary: String,
    facets: Facets,
    tabs: Vec<Tab>,
    rows: Vec<Line>,
    none: &'static str,
    mail_out: bool,
    next: Option<String>,
}

/// `GET /notifications`.
pub(crate) async fn list(State(app): State<App>, viewer: Viewer, fields: Fields) -> Shown {
    let shell = Shell::of(&app, &viewer, "Messages", Section::Alerting).await?;
    let zone = shell.zone();
    let states = [
        ("queued", "Waits", None),
        ("sent", "Sent", None),
        ("dead", "Given up", None),
        ("handed", "To a webhook", None),
        ("folded", "With another", None),
    ];
    let kinds =
        [("mail", "Mail", None), ("user", "People", None), ("syslog", "Log host", None), ("webhook", "Webhook", None)];
    let groups = vec![Facet::of(&fields, ("State", "is"), &states), Facet::of(&fields, ("Way", "way"), &kinds)];
    let mut conditions = Vec::new();
    conditions.extend(one_of(&fields, "is", "state"));
    conditions.extend(one_of(&fields, "way", "channel"));
    let page = PageQuery { limit: Some(LIMIT), after: fields.get("after").map(str::to_owned), count: false };
    let page = notifications::list(&viewer.whole, &NotificationQuery { filter: all(conditions), page }).await?;
    let counts = notifications::counts(&viewer.whole).await?;
    let number = |state: &str| counts.iter().find(|(known, _)| known == state).map_or(0, |(_, n)| *n);
    let rows = page.items.iter().map(|message| Line {
        id: message.id.to_string(),
        when: zone.moment(message.created_at),
        who: message.recipient_name.clone(),
        title: message.title.clone(),
        href: (message.subject.0 == "incident").then(|| format!("/incidents/{}", message.subject.1)),
        state: message_state(message, &zone),
        can_resend: matches!(message.state.as_str(), "sent" | "dead") && message.channel != "webhook",
    });
    let facets = Facets::of(&fields, "/notifications", groups);
    show(&MessagesPage {
        summary: match (number("queued"), number("dead")) {
            (0, 0) => "Nothing waits.".to_owned(),
            (waiting, 0) => format!("{} to go out.", count(waiting, "message waits", "messages wait")),
            (waiting, dead) => format!("{} wait, {} given up.", grouped(waiting), count(dead, "was", "were")),
        },
        tabs: super::tabs("/notifications"),
        rows: rows.collect(),
        none: if facets.any() { "Nothing fits these facets." } else { "Nobody has been told anything yet." },
        mail_out: app.mail_out,
        next: page.next.map(|next| format!("/notifications{}", fields.query_with("after", &next, &[]))),
        facets,
        shell,
    })
}

/// `POST /notifications/{id}/resend`.
pub(crate) async fn resend(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    notifications::resend(&posted.viewer.whole, NotificationId::parse(&id)?).await?;
    Ok(go(&app, &headers, posted.fields.get("next").unwrap_or("/notifications"), "resent"))
}
