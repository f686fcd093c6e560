//! `/recipients` and `/recipients/{id}`.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
};
use platen_core::{
    Error, PageQuery, UserId,
    notifications::{self, ChannelKind, NewRecipient, Recipient, RecipientId},
    users,
    webhooks::{self, WebhookId},
};

use crate::{
    app::App,
    fields::{Fields, Posted},
    shell::{Section, Shell, Shown, again, facets::Tab, go, show},
    trouble::Trouble,
    viewer::Viewer,
    words::{Mark, mark},
};

struct Line {
    id: String,
    name: String,
    way: &'static str,
    target: String,
    mark: Mark,
    why: String,
}

/// A choice of a select.
struct Choice {
    value: String,
    label: String,
    chosen: bool,
}

/// What the form shows.
struct Form {
    action: String,
    version: Option<i64>,
    name: String,
    kinds: Vec<Choice>,
    address: String,
    users: Vec<Choice>,
    webhooks: Vec<Choice>,
    fallbacks: Vec<Choice>,
    zone: String,
    quiet_from: String,
    quiet_until: String,
    critical_passes: bool,
    cap: String,
    digests: Vec<Choice>,
    digest_time: String,
    weekdays: Vec<Choice>,
}

#[derive(Template)]
#[template(path = "alerting/recipients.html")]
struct RecipientsPage {
    shell: Shell,
    tabs: Vec<Tab>,
    rows: Vec<Line>,
    form: Form,
    mail_out: bool,
}

#[derive(Template)]
#[template(path = "alerting/recipient.html")]
struct RecipientPage {
    shell: Shell,
    id: String,
    name: String,
    mark: Mark,
    sentence: String,
    identity: Vec<(&'static str, String)>,
    form: Form,
    suspended: bool,
    mail_out: bool,
}

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

fn way(kind: ChannelKind) -> &'static str {
    match kind {
        ChannelKind::User => "Person",
        ChannelKind::Mail => "Mail",
        ChannelKind::Webhook => "Webhook",
        ChannelKind::Syslog => "Log host",
    }
}

fn state(recipient: &Recipient) -> Mark {
    if recipient.suspended { mark("stop", "s-stop", "Suspended") } else { mark("", "s-ready", "Told") }
}

fn choice(value: &str, label: &str, chosen: &str) -> Choice {
    Choice { value: value.to_owned(), label: label.to_owned(), chosen: value == chosen }
}

/// What was entered, to be shown again where it did not fit.
struct Entered<'f> {
    fields: Option<&'f Fields>,
    known: Option<&'f Recipient>,
}

impl Entered<'_> {
    fn text(&self, name: &str, known: impl Fn(&Recipient) -> String, fresh: &str) -> String {
        match (self.fields, self.known) {
            (Some(fields), _) => fields.text(name).to_owned(),
            (None, Some(recipient)) => known(recipient),
            (None, None) => fresh.to_owned(),
        }
    }
}

async fn form(viewer: &Viewer, entered: &Entered<'_>) -> Result<Form, Trouble> {
    let ctx = &viewer.whole;
    let others = notifications::list_recipients(ctx).await?;
    let page = PageQuery { limit: Some(500), ..PageQuery::default() };
    let own = ctx.focused(ctx.home).await?;
    let people =
        users::list(&own, &users::UserQuery { filter: None, page }).await.map(|page| page.items).unwrap_or_default();
    let hooks = webhooks::list_webhooks(ctx).await?;
    let id = |id: Option<String>| id.unwrap_or_default();
    let kind = entered.text("kind", |r| r.kind.as_str().to_owned(), "mail");
    let user = entered.text("user", |r| id(r.user.map(|u| u.to_string())), "");
    let webhook = entered.text("webhook", |r| id(r.webhook.map(|w| w.to_string())), "");
    let fallback = entered.text("fallback", |r| id(r.fallback.map(|f| f.to_string())), "");
    let digest = entered.text("digest", |r| r.digest.clone(), "none");
    let day = entered.text("digest_weekday", |r| r.digest_weekday.to_string(), "1");
    let own_id = entered.known.map(|r| r.id);
    let quiet = |at: usize| {
        move |r: &Recipient| r.quiet.clone().map(|(from, until)| [from, until][at].clone()).unwrap_or_default()
    };
    let kinds = [ChannelKind::Mail, ChannelKind::User, ChannelKind::Webhook, ChannelKind::Syslog];
    Ok(Form {
        action: own_id.map_or_else(|| "/recipients".to_owned(), |id| format!("/recipients/{id}")),
        version: entered.known.map(|r| r.version),
        name: entered.text("name", |r| r.name.clone(), ""),
        kinds: kinds.into_iter().map(|k| choice(k.as_str(), way(k), &kind)).collect(),
        address: entered.text(
            "address",
            |r| {
                if matches!(r.kind, ChannelKind::Mail | ChannelKind::Syslog) { r.target.clone() } else { String::new() }
            },
            "",
        ),
        users: people.iter().map(|u| choice(&u.id.to_string(), &format!("{}, {}", u.name, u.email), &user)).collect(),
        webhooks: hooks.iter().map(|w| choice(&w.id.to_string(), &w.name, &webhook)).collect(),
        fallbacks: others
            .iter()
            .filter(|other| Some(other.id) != own_id)
            .map(|other| choice(&other.id.to_string(), &other.name, &fallback))
            .collect(),
        zone: entered.text("zone", |r| r.zone.clone(), ""),
        quiet_from: entered.text("quiet_from", quiet(0), ""),
        quiet_until: entered.text("quiet_until", quiet(1), ""),
        critical_passes: match (entered.fields, entered.known) {
            (Some(fields), _) => fields.get("critical_passes").is_some(),
            (None, known) => known.is_none_or(|r| r.critical_passes),
        },
        cap: entered.text("cap_per_hour", |r| r.cap_per_hour.to_string(), "20"),
        digests: [("none", "None"), ("daily", "Each day"), ("weekly", "Each week")]
            .into_iter()
            .map(|(value, label)| choice(value, label, &digest))
            .collect(),
        digest_time: entered.text("digest_time", |r| r.digest_time.clone(), "07:00"),
        weekdays: DAYS.iter().zip(1..).map(|(name, n)| choice(&n.to_string(), name, &day)).collect(),
    })
}

fn read(f: &Fields) -> Result<NewRecipient, Error> {
    let kind = match f.text("kind") {
        "user" => ChannelKind::User,
        "webhook" => ChannelKind::Webhook,
        "syslog" => ChannelKind::Syslog,
        _ => ChannelKind::Mail,
    };
    let text = |name: &str| f.get(name).map(str::to_owned);
    let number = |name: &str| {
        let fail = |_| Error::invalid(name, "this is a whole number");
        f.get(name).map(|text| text.parse::<i64>().map_err(fail)).transpose()
    };
    Ok(NewRecipient {
        address: text("address"),
        user: f.get("user").map(UserId::parse).transpose()?,
        webhook: f.get("webhook").map(WebhookId::parse).transpose()?,
        fallback: f.get("fallback").map(RecipientId::parse).transpose()?,
        zone: text("zone"),
        quiet_from: text("quiet_from"),
        quiet_until: text("quiet_until"),
        critical_passes: Some(f.get("critical_passes").is_some()),
        cap_per_hour: number("cap_per_hour")?,
        digest: text("digest"),
        digest_time: text("digest_time"),
        digest_weekday: number("digest_weekday")?,
        ..NewRecipient::named(f.text("name"), kind)
    })
}

async fn list_page(
    app: &App,
    viewer: &Viewer,
    entered: Option<&Fields>,
    error: Option<String>,
) -> Result<RecipientsPage, Trouble> {
    let shell = Shell::of(app, viewer, "Recipients", Section::Alerting).await?.with_error(error);
    let all = notifications::list_recipients(&viewer.whole).await?;
    let rows = all.iter().map(|recipient| Line {
        id: recipient.id.to_string(),
        name: recipient.name.clone(),
        way: way(recipient.kind),
        target: recipient.target.clone(),
        mark: state(recipient),
        why: recipient.why.clone().unwrap_or_default(),
    });
    Ok(RecipientsPage {
        tabs: super::tabs("/recipients"),
        rows: rows.collect(),
        form: form(viewer, &Entered { fields: entered, known: None }).await?,
        mail_out: app.mail_out,
        shell,
    })
}

/// `GET /recipients`.
pub(crate) async fn list(State(app): State<App>, viewer: Viewer) -> Shown {
    show(&list_page(&app, &viewer, None, None).await?)
}

/// `POST /recipients`.
pub(crate) async fn create(State(app): State<App>, headers: HeaderMap, posted: Posted) -> Shown {
    let (viewer, f) = (&posted.viewer, &posted.fields);
    let done = match read(f) {
        Ok(new) => notifications::create_recipient(&viewer.whole, &new).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(made) => Ok(go(&app, &headers, &format!("/recipients/{}", made.id), "created")),
        Err(error) => again(error, |why| list_page(&app, viewer, Some(f), Some(why))).await,
    }
}

async fn sheet_page(
    app: &App,
    viewer: &Viewer,
    id: RecipientId,
    entered: Option<&Fields>,
    error: Option<String>,
) -> Result<RecipientPage, Trouble> {
    let recipient = notifications::recipient(&viewer.whole, id).await?;
    let shell = Shell::of(app, viewer, &recipient.name, Section::Alerting).await?.with_error(error);
    let zone = shell.zone();
    let mut identity = vec![("Way", way(recipient.kind).to_owned()), ("Target", recipient.target.clone())];
    if recipient.bounces > 0 {
        identity.push(("Suspended so far", format!("{} times", recipient.bounces)));
    }
    identity.extend(recipient.digest_at.map(|at| ("Next digest", zone.moment(at))));
    Ok(RecipientPage {
        id: id.to_string(),
        mark: state(&recipient),
        sentence: match (&recipient.why, recipient.suspended) {
            (Some(why), true) => format!("Nothing is sent there since {}: {why}.", zone.moment(recipient.state_at)),
            _ => "Messages go there.".to_owned(),
        },
        identity,
        form: form(viewer, &Entered { fields: entered, known: Some(&recipient) }).await?,
        suspended: recipient.suspended,
        mail_out: app.mail_out || !matches!(recipient.kind, ChannelKind::Mail | ChannelKind::User),
        name: recipient.name,
        shell,
    })
}

/// `GET /recipients/{id}`.
pub(crate) async fn sheet(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Shown {
    show(&sheet_page(&app, &viewer, RecipientId::parse(&id)?, None, None).await?)
}

/// `POST /recipients/{id}`: save, test, resume, delete.
pub(crate) async fn act(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap, posted: Posted) -> Shown {
    let (viewer, f, id) = (&posted.viewer, &posted.fields, RecipientId::parse(&id)?);
    let ctx = &viewer.whole;
    let (done, note) = match f.text("act") {
        "test" => (notifications::test_recipient(ctx, id).await.map(drop), "sent-test"),
        "resume" => (notifications::resume_recipient(ctx, id).await.map(drop), "saved"),
        "delete" if f.get("sure").is_some() => {
            notifications::delete_recipient(ctx, id).await?;
            return Ok(go(&app, &headers, "/recipients", "deleted"));
        }
        "delete" => (Err(Error::invalid("sure", "say that you mean it")), ""),
        _ => {
            let done = match read(f) {
                Ok(new) => {
                    notifications::update_recipient(ctx, id, &new, f.text("version").parse().ok()).await.map(drop)
                }
                Err(error) => Err(error),
            };
            (done, "saved")
        }
    };
    match done {
        Ok(()) => Ok(go(&app, &headers, &format!("/recipients/{id}"), note)),
        Err(error) => {
            let entered = f.get("name").map(|_| f);
            again(error, |why| sheet_page(&app, viewer, id, entered, Some(why))).await
        }
    }
}
