//! `/webhooks` and `/webhooks/{id}`.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
};
use platen_core::{
    Error, PageQuery,
    webhooks::{self, Delivery, NewWebhook, Webhook, WebhookId},
};

use crate::{
    alerting,
    app::App,
    fields::{Fields, Posted},
    shell::{Section, Shell, Shown, again, facets::Tab, go, show, show_as},
    trouble::Trouble,
    viewer::Viewer,
    words::{Mark, Zone, mark},
};

struct Line {
    id: String,
    name: String,
    url: String,
    types: String,
    mark: Mark,
}

#[derive(Template)]
#[template(path = "webhooks/list.html")]
struct WebhooksPage {
    shell: Shell,
    tabs: Vec<Tab>,
    rows: Vec<Line>,
    name: String,
    url: String,
    types: String,
}

struct DeliveryLine {
    id: String,
    when: String,
    kind: String,
    state: String,
    status: String,
    took: String,
    body: String,
    can_resend: bool,
}

#[derive(Template)]
#[template(path = "webhooks/sheet.html")]
struct WebhookPage {
    shell: Shell,
    id: String,
    version: i64,
    name: String,
    url: String,
    types: String,
    mark: Mark,
    sentence: String,
    identity: Vec<(&'static str, String)>,
    active: bool,
    two: bool,
    secret: Option<String>,
    rows: Vec<DeliveryLine>,
    next: Option<String>,
}

fn state(webhook: &Webhook) -> Mark {
    match (webhook.active, webhook.failing_since) {
        (false, _) => mark("off", "s-off", "Disabled"),
        (true, Some(_)) => mark("warn", "s-warn", "Fails"),
        (true, None) => mark("", "s-ready", "Active"),
    }
}

fn types(webhook: &Webhook) -> String {
    if webhook.types.is_empty() { "all".to_owned() } else { webhook.types.join(" ") }
}

fn read(f: &Fields) -> NewWebhook {
    NewWebhook {
        name: f.text("name").to_owned(),
        url: f.text("url").to_owned(),
        types: f.text("types").split_whitespace().filter(|word| *word != "all").map(str::to_owned).collect(),
    }
}

async fn list_page(
    app: &App,
    viewer: &Viewer,
    entered: Option<&Fields>,
    error: Option<String>,
) -> Result<WebhooksPage, Trouble> {
    let shell = Shell::of(app, viewer, "Webhooks", Section::Alerting).await?.with_error(error);
    let all = webhooks::list_webhooks(&viewer.whole).await?;
    let text = |name: &str| entered.map(|f| f.text(name).to_owned()).unwrap_or_default();
    let rows = all.iter().map(|webhook| Line {
        id: webhook.id.to_string(),
        name: webhook.name.clone(),
        url: webhook.url.clone(),
        types: types(webhook),
        mark: state(webhook),
    });
    Ok(WebhooksPage {
        tabs: alerting::tabs("/webhooks"),
        rows: rows.collect(),
        name: text("name"),
        url: text("url"),
        types: text("types"),
        shell,
    })
}

/// `GET /webhooks`.
pub(crate) async fn list(State(app): State<App>, viewer: Viewer) -> Shown {
    show(&list_page(&app, &viewer, None, None).await?)
}

/// `POST /webhooks`.
pub(crate) async fn create(State(app): State<App>, posted: Posted) -> Shown {
    let (viewer, f) = (&posted.viewer, &posted.fields);
    match webhooks::create_webhook(&viewer.whole, &read(f)).await {
        Ok((made, secret)) => {
            let mut page = sheet_page(&app, viewer, made.id, Fields::NONE, None).await?;
            page.secret = Some(secret.expose().to_owned());
            show_as(StatusCode::CREATED, &page)
        }
        Err(error) => again(error, |why| list_page(&app, viewer, Some(f), Some(why))).await,
    }
}

async fn sheet_page(
    app: &App,
    viewer: &Viewer,
    id: WebhookId,
    fields: &Fields,
    error: Option<String>,
) -> Result<WebhookPage, Trouble> {
    let webhook = webhooks::webhook(&viewer.whole, id).await?;
    let page = PageQuery { limit: Some(50), after: fields.get("after").map(str::to_owned), count: false };
    let page = webhooks::list_deliveries(&viewer.whole, id, &page).await?;
    let shell = Shell::of(app, viewer, &webhook.name, Section::Alerting).await?.with_error(error);
    let zone = shell.zone();
    let mut identity = vec![("Address", webhook.url.clone()), ("Events", types(&webhook))];
    identity.extend(webhook.delivered_at.map(|at| ("Delivered last", zone.moment(at))));
    identity.extend(webhook.failing_since.map(|at| ("Fails since", zone.moment(at))));
    Ok(WebhookPage {
        id: id.to_string(),
        version: webhook.version,
        mark: state(&webhook),
        sentence: match (&webhook.why, webhook.active, webhook.failing_since) {
            (Some(why), false, _) => format!("Nothing is sent there since {}: {why}.", zone.moment(webhook.state_at)),
            (_, _, Some(_)) => {
                "It fails; each event is tried for three days, and after five the webhook is disabled.".to_owned()
            }
            _ => "What happens is sent there, signed.".to_owned(),
        },
        identity,
        active: webhook.active,
        two: webhook.secrets > 1,
        secret: None,
        rows: page.items.iter().map(|delivery| delivery_line(delivery, &zone)).collect(),
        next: page.next.map(|next| format!("/webhooks/{id}{}", fields.query_with("after", &next, &[]))),
        types: webhook.types.join(" "),
        url: webhook.url,
        name: webhook.name,
        shell,
    })
}

fn delivery_line(delivery: &Delivery, zone: &Zone) -> DeliveryLine {
    let error = delivery.error.clone().unwrap_or_default();
    DeliveryLine {
        id: delivery.id.clone(),
        when: zone.moment(delivery.created_at),
        kind: delivery.kind.clone(),
        state: match (delivery.state.as_str(), delivery.next_at) {
            ("sent", _) => "taken".to_owned(),
            ("dead", _) => format!("given up: {error}"),
            (_, Some(at)) if delivery.tries > 0 => {
                format!("tried {} times, again {}: {error}", delivery.tries, zone.moment(at))
            }
            _ => "waits".to_owned(),
        },
        status: delivery.status.map(|status| status.to_string()).unwrap_or_default(),
        took: delivery.took_ms.map(|ms| format!("{ms} ms")).unwrap_or_default(),
        body: delivery.body.clone(),
        can_resend: delivery.state != "queued",
    }
}

/// `GET /webhooks/{id}`.
pub(crate) async fn sheet(State(app): State<App>, viewer: Viewer, Path(id): Path<String>, fields: Fields) -> Shown {
    show(&sheet_page(&app, &viewer, WebhookId::parse(&id)?, &fields, None).await?)
}

/// `POST /webhooks/{id}`: save, test, turn or retire a secret, enable, delete.
pub(crate) async fn act(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap, posted: Posted) -> Shown {
    let (viewer, f, id) = (&posted.viewer, &posted.fields, WebhookId::parse(&id)?);
    let ctx = &viewer.whole;
    let (done, note) = match f.text("act") {
        "test" => (webhooks::test(ctx, id).await.map(drop), "sent-test"),
        "enable" => (webhooks::enable_webhook(ctx, id).await.map(drop), "enabled-hook"),
        "retire" => (webhooks::retire_secret(ctx, id).await.map(drop), "saved"),
        "rotate" => match webhooks::rotate_secret(ctx, id).await {
            Ok((_, secret)) => {
                let mut page = sheet_page(&app, viewer, id, Fields::NONE, None).await?;
                page.secret = Some(secret.expose().to_owned());
                return show(&page);
            }
            Err(error) => (Err(error), ""),
        },
        "delete" if f.get("sure").is_some() => match webhooks::delete_webhook(ctx, id).await {
            Ok(()) => return Ok(go(&app, &headers, "/webhooks", "deleted")),
            Err(error) => (Err(error), ""),
        },
        "delete" => (Err(Error::invalid("sure", "say that you mean it")), ""),
        _ => {
            let version = f.text("version").parse().ok();
            (webhooks::update_webhook(ctx, id, &read(f), version).await.map(drop), "saved")
        }
    };
    match done {
        Ok(()) => Ok(go(&app, &headers, &format!("/webhooks/{id}"), note)),
        Err(error) => again(error, |why| sheet_page(&app, viewer, id, Fields::NONE, Some(why))).await,
    }
}

/// `POST /webhooks/{id}/deliveries/{delivery}/resend`.
pub(crate) async fn resend(
    State(app): State<App>,
    Path((id, delivery)): Path<(String, String)>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let id = WebhookId::parse(&id)?;
    webhooks::resend(&posted.viewer.whole, id, &delivery).await?;
    Ok(go(&app, &headers, &format!("/webhooks/{id}"), "resent"))
}
