//! `/api/v1/alert-rules`.

use axum::{Json, extract::Path, http::StatusCode, response::IntoResponse};
use platen_core::{
    Micros,
    alerting::{self, AlertRule, DryRun, Fired, NewRule, RuleId, Step},
    notifications::RecipientId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{Answered, Body, IfMatch, Posting, tagged},
    caller::Caller,
    listing::{Listed, whole},
    problem::Problem,
};

/// Who is told together.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AlertRuleStep)]
pub(crate) struct StepView {
    /// Told when nobody has taken care for so many minutes since the step before; 0 in the first.
    #[serde(default)]
    pub(crate) after_minutes: i64,
    #[schema(value_type = Vec<String>)]
    pub(crate) recipients: Vec<RecipientId>,
}

/// Which incidents are told, to whom, when.
#[derive(Serialize, ToSchema)]
#[schema(as = AlertRule)]
pub(crate) struct RuleView {
    id: String,
    name: String,
    active: bool,
    /// Condition over `severity level reason kind code trouble text group part source audience org device name vendor model serial
    /// place asset_no agent`; empty: all.
    filter: String,
    hold_minutes: i64,
    /// How much it matters to those who are told, whatever the device says.
    severity: Option<String>,
    from: Option<String>,
    until: Option<String>,
    /// 1 Monday to 7 Sunday.
    weekdays: Vec<i64>,
    zone: String,
    tell_end: bool,
    steps: Vec<StepView>,
    version: i64,
}

impl From<AlertRule> for RuleView {
    fn from(rule: AlertRule) -> Self {
        let (from, until) = rule.hours.unzip();
        let step = |step: Step| StepView { after_minutes: step.after_minutes, recipients: step.recipients };
        Self {
            id: rule.id.to_string(),
            name: rule.name,
            active: rule.active,
            filter: rule.filter,
            hold_minutes: rule.hold_minutes,
            severity: rule.severity,
            from,
            until,
            weekdays: rule.weekdays,
            zone: rule.zone,
            tell_end: rule.tell_end,
            steps: rule.steps.into_iter().map(step).collect(),
            version: rule.version,
        }
    }
}

/// A rule to be, or as it shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AlertRulePut)]
pub(crate) struct RulePut {
    pub(crate) name: String,
    /// It works when not given.
    #[serde(default)]
    pub(crate) active: Option<bool>,
    #[serde(default)]
    pub(crate) filter: String,
    /// Told only when it has stood for so many minutes.
    #[serde(default)]
    pub(crate) hold_minutes: i64,
    /// `critical`, `warning` or `other`.
    #[serde(default)]
    pub(crate) severity: Option<String>,
    /// `08:00`.
    #[serde(default)]
    pub(crate) from: Option<String>,
    #[serde(default)]
    pub(crate) until: Option<String>,
    /// 1 Monday to 7 Sunday; all when not given.
    #[serde(default)]
    pub(crate) weekdays: Vec<i64>,
    /// IANA name; the zone of the organisation when not given.
    #[serde(default)]
    pub(crate) zone: Option<String>,
    #[serde(default)]
    pub(crate) tell_end: bool,
    pub(crate) steps: Vec<StepView>,
}

impl From<RulePut> for NewRule {
    fn from(put: RulePut) -> Self {
        let step = |step: StepView| Step { after_minutes: step.after_minutes, recipients: step.recipients };
        Self {
            name: put.name,
            active: put.active,
            filter: put.filter,
            hold_minutes: put.hold_minutes,
            severity: put.severity,
            from: put.from,
            until: put.until,
            weekdays: put.weekdays,
            zone: put.zone,
            tell_end: put.tell_end,
            steps: put.steps.into_iter().map(step).collect(),
        }
    }
}

/// What a rule would have told.
#[derive(Serialize, ToSchema)]
#[schema(as = AlertRuleDryRun)]
pub(crate) struct DryRunView {
    /// Days that were looked at.
    days: i64,
    incidents: u64,
    /// Whether there were more than were looked at.
    more: bool,
    newest: Vec<FiredView>,
}

/// One of them.
#[derive(Serialize, ToSchema)]
#[schema(as = AlertRuleDryRunIncident)]
pub(crate) struct FiredView {
    incident: String,
    cause: String,
    device: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    at: Micros,
}

impl From<DryRun> for DryRunView {
    fn from(run: DryRun) -> Self {
        let one = |fired: Fired| FiredView {
            incident: fired.incident.to_string(),
            cause: fired.cause,
            device: fired.device,
            at: fired.at,
        };
        Self {
            days: run.days,
            incidents: run.incidents,
            more: run.more,
            newest: run.newest.into_iter().map(one).collect(),
        }
    }
}

/// The rules of the own organisation, by name.
#[utoipa::path(get, path = "/api/v1/alert-rules", tag = "alerting",
    responses((status = 200, body = Listed<RuleView>), (status = "default", body = Problem)))]
pub(crate) async fn list_alert_rules(caller: Caller) -> Answered {
    let items: Vec<RuleView> = alerting::list_rules(&caller.ctx).await?.into_iter().map(Into::into).collect();
    Ok(whole(items))
}

/// Makes a rule. It tells what begins from now on.
#[utoipa::path(post, path = "/api/v1/alert-rules", tag = "alerting", request_body = RulePut,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = RuleView), (status = "default", body = Problem)))]
pub(crate) async fn create_alert_rule(caller: Caller, Posting(new, once): Posting<RulePut>) -> Answered {
    let ctx = &caller.ctx;
    once.run(ctx, async {
        let made = alerting::create_rule(ctx, &new.into()).await?;
        let version = made.version;
        Ok(tagged(StatusCode::CREATED, &RuleView::from(made), version))
    })
    .await
}

/// One rule.
#[utoipa::path(get, path = "/api/v1/alert-rules/{id}", tag = "alerting", params(("id" = String, Path)),
    responses((status = 200, body = RuleView), (status = "default", body = Problem)))]
pub(crate) async fn get_alert_rule(caller: Caller, Path(id): Path<String>) -> Answered {
    let rule = alerting::rule(&caller.ctx, RuleId::parse(&id)?).await?;
    let version = rule.version;
    Ok(tagged(StatusCode::OK, &RuleView::from(rule), version))
}

/// Replaces a rule.
#[utoipa::path(put, path = "/api/v1/alert-rules/{id}", tag = "alerting", request_body = RulePut,
    params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = RuleView), (status = "default", body = Problem)))]
pub(crate) async fn update_alert_rule(
    caller: Caller,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
    Body(put): Body<RulePut>,
) -> Answered {
    let made = alerting::update_rule(&caller.ctx, RuleId::parse(&id)?, &put.into(), version).await?;
    let version = made.version;
    Ok(tagged(StatusCode::OK, &RuleView::from(made), version))
}

/// Deletes a rule; what it has told stays told.
#[utoipa::path(delete, path = "/api/v1/alert-rules/{id}", tag = "alerting", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn delete_alert_rule(caller: Caller, Path(id): Path<String>) -> Answered {
    alerting::delete_rule(&caller.ctx, RuleId::parse(&id)?).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What a rule would have told in the last 30 days. Nobody is told, nothing is saved.
#[utoipa::path(post, path = "/api/v1/alert-rules/dry-run", tag = "alerting", request_body = RulePut,
    responses((status = 200, body = DryRunView), (status = "default", body = Problem)))]
pub(crate) async fn dry_run_alert_rule(caller: Caller, Body(put): Body<RulePut>) -> Answered {
    Ok(Json(DryRunView::from(alerting::dry_run(&caller.ctx, &put.into()).await?)).into_response())
}
