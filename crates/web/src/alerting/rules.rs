//! `/rules`, `/rules/new` and `/rules/{id}`.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::HeaderMap,
    response::Response,
};
use platen_core::{
    Error,
    alerting::{self, AlertRule, DryRun, NewRule, RuleId, Step},
    notifications::{self, Recipient, RecipientId},
};

use crate::{
    app::App,
    fields::{Fields, Posted},
    shell::{Section, Shell, Shown, again, facets::Tab, go, show},
    trouble::Trouble,
    viewer::Viewer,
    words::{Zone, capital, count, grouped},
};

/// Steps that the form has at least.
const STEPS: usize = 3;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

struct Line {
    id: String,
    name: String,
    what: String,
    who: String,
    state: &'static str,
}

#[derive(Template)]
#[template(path = "alerting/rules.html")]
struct RulesPage {
    shell: Shell,
    tabs: Vec<Tab>,
    rows: Vec<Line>,
    has_recipients: bool,
    mail_out: bool,
}

struct Tick {
    value: String,
    label: String,
    checked: bool,
}

struct StepForm {
    no: usize,
    after: String,
    recipients: Vec<Tick>,
}

struct DryLine {
    href: String,
    when: String,
    what: String,
}

#[derive(Template)]
#[template(path = "alerting/rule.html")]
struct RulePage {
    shell: Shell,
    id: Option<String>,
    title: String,
    action: String,
    version: Option<i64>,
    name: String,
    active: bool,
    filter: String,
    hold: String,
    severities: Vec<Tick>,
    from: String,
    until: String,
    days: Vec<Tick>,
    zone: String,
    tell_end: bool,
    steps: Vec<StepForm>,
    fields: String,
    dry: Option<(String, Vec<DryLine>)>,
    has_recipients: bool,
}

/// What is in the form: a rule that is known, or what was entered.
struct Draft {
    name: String,
    active: bool,
    filter: String,
    hold: String,
    severity: String,
    from: String,
    until: String,
    days: Vec<String>,
    zone: String,
    tell_end: bool,
    steps: Vec<(String, Vec<String>)>,
}

impl Draft {
    fn fresh() -> Self {
        Self {
            name: String::new(),
            active: true,
            filter: String::new(),
            hold: "0".to_owned(),
            severity: String::new(),
            from: String::new(),
            until: String::new(),
            days: (1..=7).map(|day| day.to_string()).collect(),
            zone: String::new(),
            tell_end: false,
            steps: Vec::new(),
        }
    }

    fn of(rule: &AlertRule) -> Self {
        let (from, until) = rule.hours.clone().unzip();
        let step =
            |step: &Step| (step.after_minutes.to_string(), step.recipients.iter().map(ToString::to_string).collect());
        Self {
            name: rule.name.clone(),
            active: rule.active,
            filter: rule.filter.clone(),
            hold: rule.hold_minutes.to_string(),
            severity: rule.severity.clone().unwrap_or_default(),
            from: from.unwrap_or_default(),
            until: until.unwrap_or_default(),
            days: rule.weekdays.iter().map(ToString::to_string).collect(),
            zone: rule.zone.clone(),
            tell_end: rule.tell_end,
            steps: rule.steps.iter().map(step).collect(),
        }
    }

    fn entered(f: &Fields) -> Self {
        let owned = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let steps = (0..8).map(|no| (f.text(&format!("after{no}")).to_owned(), owned(f.all(&format!("to{no}")))));
        let mut steps: Vec<_> = steps.collect();
        while steps.last().is_some_and(|(_, to)| to.is_empty()) {
            steps.pop();
        }
        Self {
            name: f.text("name").to_owned(),
            active: f.get("active").is_some(),
            filter: f.text("filter").to_owned(),
            hold: f.text("hold").to_owned(),
            severity: f.text("severity").to_owned(),
            from: f.text("from").to_owned(),
            until: f.text("until").to_owned(),
            days: owned(f.all("day")),
            zone: f.text("zone").to_owned(),
            tell_end: f.get("tell_end").is_some(),
            steps,
        }
    }

    fn rule(&self) -> Result<NewRule, Error> {
        let number = |field: &str, text: &str| match text.trim() {
            "" => Ok(0),
            text => text.parse::<i64>().map_err(|_| Error::invalid(field, "minutes are a whole number")),
        };
        let text = |text: &String| (!text.is_empty()).then(|| text.clone());
        let mut steps = Vec::new();
        for (after, to) in &self.steps {
            let recipients = to.iter().map(|id| RecipientId::parse(id)).collect::<Result<_, _>>()?;
            steps.push(Step { after_minutes: number("steps", after)?, recipients });
        }
        Ok(NewRule {
            name: self.name.clone(),
            active: Some(self.active),
            filter: self.filter.clone(),
            hold_minutes: number("hold_minutes", &self.hold)?,
            severity: text(&self.severity),
            from: text(&self.from),
            until: text(&self.until),
            weekdays: self.days.iter().filter_map(|day| day.parse().ok()).collect(),
            zone: text(&self.zone),
            tell_end: self.tell_end,
            steps,
        })
    }
}

fn names(all: &[Recipient], ids: &[RecipientId]) -> String {
    let name = |id: &RecipientId| all.iter().find(|known| known.id == *id).map(|known| known.name.clone());
    ids.iter().filter_map(name).collect::<Vec<_>>().join(", ")
}

fn who(all: &[Recipient], rule: &AlertRule) -> String {
    let steps = rule.steps.iter().map(|step| {
        let names = names(all, &step.recipients);
        if step.after_minutes > 0 { format!("after {} min {names}", step.after_minutes) } else { names }
    });
    steps.collect::<Vec<_>>().join("; ")
}

/// `GET /rules`.
pub(crate) async fn list(State(app): State<App>, viewer: Viewer) -> Shown {
    let shell = Shell::of(&app, &viewer, "Rules", Section::Alerting).await?;
    let recipients = notifications::list_recipients(&viewer.whole).await?;
    let rules = alerting::list_rules(&viewer.whole).await?;
    let rows = rules.iter().map(|rule| Line {
        id: rule.id.to_string(),
        name: rule.name.clone(),
        what: if rule.filter.is_empty() { "every incident".to_owned() } else { rule.filter.clone() },
        who: who(&recipients, rule),
        state: if rule.active { "Works" } else { "Off" },
    });
    show(&RulesPage {
        tabs: super::tabs("/rules"),
        rows: rows.collect(),
        has_recipients: !recipients.is_empty(),
        mail_out: app.mail_out,
        shell,
    })
}

async fn page(
    app: &App,
    viewer: &Viewer,
    known: Option<&AlertRule>,
    draft: Draft,
    error: Option<String>,
) -> Result<RulePage, Trouble> {
    let title = known.map_or_else(|| "New rule".to_owned(), |rule| rule.name.clone());
    let shell = Shell::of(app, viewer, &title, Section::Alerting).await?.with_error(error);
    let recipients = notifications::list_recipients(&viewer.whole).await?;
    let ticks = |chosen: &[String]| -> Vec<Tick> {
        let tick = |r: &Recipient| {
            let value = r.id.to_string();
            Tick { checked: chosen.contains(&value), label: r.name.clone(), value }
        };
        recipients.iter().map(tick).collect()
    };
    let none = (String::new(), Vec::new());
    let steps = (0..draft.steps.len().max(STEPS)).map(|no| {
        let (after, to) = draft.steps.get(no).unwrap_or(&none);
        StepForm { no, after: after.clone(), recipients: ticks(to) }
    });
    let severities =
        [("", "As the incident is"), ("critical", "Critical"), ("warning", "Warning"), ("other", "Notice")];
    let fields: Vec<&str> = alerting::FIELDS.iter().map(|field| field.name).collect();
    Ok(RulePage {
        id: known.map(|rule| rule.id.to_string()),
        action: known.map_or_else(|| "/rules".to_owned(), |rule| format!("/rules/{}", rule.id)),
        version: known.map(|rule| rule.version),
        severities: severities
            .into_iter()
            .map(|(value, label)| Tick { value: value.into(), label: label.into(), checked: draft.severity == value })
            .collect(),
        days: DAYS
            .iter()
            .zip(1..)
            .map(|(label, n)| {
                let value = n.to_string();
                Tick { checked: draft.days.contains(&value), label: (*label).to_owned(), value }
            })
            .collect(),
        steps: steps.collect(),
        fields: fields.join(", "),
        dry: None,
        has_recipients: !recipients.is_empty(),
        name: draft.name,
        active: draft.active,
        filter: draft.filter,
        hold: draft.hold,
        from: draft.from,
        until: draft.until,
        zone: draft.zone,
        tell_end: draft.tell_end,
        title,
        shell,
    })
}

/// `GET /rules/new`.
pub(crate) async fn form(State(app): State<App>, viewer: Viewer) -> Shown {
    show(&page(&app, &viewer, None, Draft::fresh(), None).await?)
}

/// `GET /rules/{id}`.
pub(crate) async fn sheet(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Shown {
    let rule = alerting::rule(&viewer.whole, RuleId::parse(&id)?).await?;
    show(&page(&app, &viewer, Some(&rule), Draft::of(&rule), None).await?)
}

/// `POST /rules`.
pub(crate) async fn create(State(app): State<App>, headers: HeaderMap, posted: Posted) -> Shown {
    answer(&app, &headers, &posted, None).await
}

/// `POST /rules/{id}`: save, look what it would have told, delete.
pub(crate) async fn save(State(app): State<App>, Path(id): Path<String>, headers: HeaderMap, posted: Posted) -> Shown {
    let (ctx, id) = (&posted.viewer.whole, RuleId::parse(&id)?);
    if posted.fields.text("act") == "delete" {
        if posted.fields.get("sure").is_some() {
            alerting::delete_rule(ctx, id).await?;
        }
        return Ok(go(&app, &headers, "/rules", "deleted"));
    }
    let rule = alerting::rule(ctx, id).await?;
    answer(&app, &headers, &posted, Some(&rule)).await
}

async fn answer(
    app: &App,
    headers: &HeaderMap,
    posted: &Posted,
    known: Option<&AlertRule>,
) -> Result<Response, Trouble> {
    let (viewer, f) = (&posted.viewer, &posted.fields);
    let (ctx, draft) = (&viewer.whole, Draft::entered(f));
    let new = draft.rule();
    let failed = match (new, f.text("act"), known) {
        (Err(error), ..) => error,
        (Ok(new), "dry", _) => match alerting::dry_run(ctx, &new).await {
            Ok(found) => {
                let mut page = page(app, viewer, known, draft, None).await?;
                page.dry = Some(dry(&found, &page.shell.zone()));
                return show(&page);
            }
            Err(error) => error,
        },
        (Ok(new), _, None) => match alerting::create_rule(ctx, &new).await {
            Ok(made) => return Ok(go(app, headers, &format!("/rules/{}", made.id), "created")),
            Err(error) => error,
        },
        (Ok(new), _, Some(rule)) => {
            match alerting::update_rule(ctx, rule.id, &new, f.text("version").parse().ok()).await {
                Ok(_) => return Ok(go(app, headers, &format!("/rules/{}", rule.id), "saved")),
                Err(error) => error,
            }
        }
    };
    again(failed, |why| page(app, viewer, known, draft, Some(why))).await
}

fn dry(found: &DryRun, zone: &Zone) -> (String, Vec<DryLine>) {
    let more = if found.more { "at least " } else { "" };
    let words = match found.incidents {
        0 => format!("In the last {} days it would have told nothing.", found.days),
        n => format!("In the last {} days it would have told {more}{}.", found.days, count(n, "incident", "incidents")),
    };
    let rows = found.newest.iter().map(|fired| DryLine {
        href: format!("/incidents/{}", fired.incident),
        when: zone.moment(fired.at),
        what: match &fired.device {
            Some(device) => format!("{}, {device}", capital(&fired.cause)),
            None => capital(&fired.cause),
        },
    });
    let rows: Vec<DryLine> = rows.collect();
    let words = if found.incidents > rows.len() as u64 {
        format!("{words} The newest {}:", grouped(rows.len() as u64))
    } else {
        words
    };
    (words, rows)
}
