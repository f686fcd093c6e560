//! `/api/v1/doubts`.

use axum::{
    Json,
    extract::{Path, Query},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use platen_core::{
    Micros,
    doubts::{self, DoubtId, Settlement},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    api::{Answered, IfMatch, Posting, tagged},
    caller::Caller,
    listing::{Listed, OpenListQuery, Row, answer},
    problem::Problem,
};

/// Something that Platen could not know, and what it assumes until a person decides.
#[derive(Serialize, ToSchema)]
#[schema(as = Doubt)]
pub(crate) struct DoubtView {
    id: String,
    organisation: String,
    /// `reset`, `set_back`, `board_swap`, `jump`, `wrap`, `passing_fault`, `device_swap`, `doubled_serial`, `two_agents`
    /// or `conflicting_totals`.
    kind: String,
    /// `open` or `settled`.
    state: String,
    /// The kind in plain words.
    title: String,
    /// What is assumed meanwhile.
    assumed: String,
    device: String,
    device_name: String,
    device_model: String,
    serial: Option<String>,
    place: String,
    /// The other device, where two are concerned.
    other: Option<String>,
    other_name: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    at: Micros,
    #[schema(value_type = String, format = DateTime)]
    opened_at: Micros,
    /// Pages of the device that are counted across it now; `null`: usage does not hang on it.
    pages: Option<i64>,
    decision: Option<String>,
    decision_title: Option<String>,
    note: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    settled_at: Option<Micros>,
    settled_by: Option<String>,
    /// For `If-Match`.
    version: i64,
}

impl Row for DoubtView {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "organisation",
        "kind",
        "state",
        "title",
        "assumed",
        "device",
        "device_name",
        "device_model",
        "serial",
        "place",
        "other",
        "other_name",
        "at",
        "opened_at",
        "pages",
        "decision",
        "decision_title",
        "note",
        "settled_at",
        "settled_by",
        "version",
    ];
}

impl From<doubts::DoubtRow> for DoubtView {
    fn from(d: doubts::DoubtRow) -> Self {
        Self {
            id: d.id.to_string(),
            organisation: d.org.to_string(),
            kind: d.kind.as_str().to_owned(),
            state: d.state,
            title: d.title,
            assumed: d.assumed,
            device: d.device.to_string(),
            device_name: d.device_name,
            device_model: d.device_model,
            serial: d.serial,
            place: d.place,
            other: d.other.map(|id| id.to_string()),
            other_name: d.other_name,
            at: d.at,
            opened_at: d.opened_at,
            pages: d.pages,
            decision: d.decision,
            decision_title: d.decision_title,
            note: d.note,
            settled_at: d.settled_at,
            settled_by: d.settled_by,
            version: d.version,
        }
    }
}

/// A reading near a doubt.
#[derive(Serialize, ToSchema)]
pub(crate) struct DoubtReading {
    #[schema(value_type = String, format = DateTime)]
    at: Micros,
    value: i64,
    /// `false`: it was kept aside and counts for nothing.
    believed: bool,
}

/// One counter at the border that is doubted.
#[derive(Serialize, ToSchema)]
#[schema(as = DoubtMeter)]
pub(crate) struct DoubtMeterView {
    /// Number of the meter, for `amounts`.
    meter: i64,
    /// Its words.
    title: String,
    /// `total`, `mono` or `color` where it counts towards the pages of the device.
    role: Option<String>,
    source: String,
    #[schema(value_type = String, format = DateTime)]
    before_at: Micros,
    before: i64,
    #[schema(value_type = String, format = DateTime)]
    border_at: Micros,
    after: i64,
    /// Pages counted over the border as assumed.
    assumed: i64,
    /// Pages counted over the border now.
    counted: i64,
    readings: Vec<DoubtReading>,
}

/// What may be decided.
#[derive(Serialize, ToSchema)]
#[schema(as = DoubtChoice)]
pub(crate) struct ChoiceView {
    /// For `decision`.
    key: String,
    title: String,
    explained: String,
    /// Pages of the device that are then counted across it.
    pages: Option<i64>,
    /// Takes `amounts`.
    takes_amounts: bool,
    /// It is what is assumed already.
    is_assumed: bool,
    /// It can be taken back.
    undoable: bool,
}

/// Everything of one doubt.
#[derive(Serialize, ToSchema)]
#[schema(as = DoubtSheet)]
pub(crate) struct DoubtSheetView {
    #[serde(flatten)]
    row: DoubtView,
    question: String,
    effect: String,
    meters: Vec<DoubtMeterView>,
    /// What was seen, as it was seen.
    #[schema(value_type = Object)]
    evidence: Value,
    choices: Vec<ChoiceView>,
    /// Whether the decision can be taken back.
    reopenable: bool,
}

impl From<doubts::DoubtSheet> for DoubtSheetView {
    fn from(sheet: doubts::DoubtSheet) -> Self {
        Self {
            row: sheet.row.into(),
            question: sheet.question,
            effect: sheet.effect,
            meters: sheet.meters.into_iter().map(DoubtMeterView::from).collect(),
            evidence: sheet.evidence,
            choices: sheet.choices.into_iter().map(ChoiceView::from).collect(),
            reopenable: sheet.reopenable,
        }
    }
}

impl From<doubts::DoubtMeter> for DoubtMeterView {
    fn from(m: doubts::DoubtMeter) -> Self {
        let reading =
            |r: platen_core::meters::ReadingAt| DoubtReading { at: r.at, value: r.value, believed: r.believed };
        Self {
            meter: m.meter,
            title: m.title,
            role: m.role,
            source: m.source,
            before_at: m.before_at,
            before: m.before,
            border_at: m.border_at,
            after: m.after,
            assumed: m.assumed,
            counted: m.counted,
            readings: m.readings.into_iter().map(reading).collect(),
        }
    }
}

impl From<doubts::Choice> for ChoiceView {
    fn from(c: doubts::Choice) -> Self {
        Self {
            key: c.key.to_owned(),
            title: c.title.to_owned(),
            explained: c.explained,
            pages: c.pages,
            takes_amounts: c.takes_amounts,
            is_assumed: c.is_assumed,
            undoable: c.undoable,
        }
    }
}

/// What a person decides.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DoubtSettlement)]
pub(crate) struct SettlementView {
    /// Key of one of the choices.
    decision: String,
    /// For the choice `amount`: pages printed over the border, by number of the meter; others stay as assumed.
    #[serde(default)]
    amounts: std::collections::BTreeMap<String, i64>,
    /// Why.
    #[serde(default)]
    note: Option<String>,
}

/// The new version of what was decided.
#[derive(Serialize, ToSchema)]
pub(crate) struct Settled {
    version: i64,
}

/// Doubts, newest first. Filter by `kind family state device at opened settled decision pages name vendor place`.
#[utoipa::path(get, path = "/api/v1/doubts", tag = "doubts", params(OpenListQuery),
    responses((status = 200, body = Listed<DoubtView>), (status = "default", body = Problem)))]
pub(crate) async fn list_doubts(caller: Caller, Query(q): Query<OpenListQuery>, headers: HeaderMap) -> Answered {
    let (open, query) = q.split();
    query.one_order()?;
    let asked = doubts::DoubtQuery { filter: query.filter()?, open, device: None, page: query.page() };
    let page = doubts::list(&caller.ctx, &asked).await?;
    answer(page.map(DoubtView::from), &query, &headers)
}

/// One doubt with all that was seen, and what may be decided.
#[utoipa::path(get, path = "/api/v1/doubts/{id}", tag = "doubts", params(("id" = String, Path)),
    responses((status = 200, body = DoubtSheetView), (status = "default", body = Problem)))]
pub(crate) async fn get_doubt(caller: Caller, Path(id): Path<String>) -> Answered {
    let sheet = doubts::get(&caller.ctx, DoubtId::parse(&id)?).await?;
    let version = sheet.row.version;
    Ok(tagged(StatusCode::OK, &DoubtSheetView::from(sheet), version))
}

/// Decides a doubt; usage that hangs on it is reckoned anew.
#[utoipa::path(post, path = "/api/v1/doubts/{id}/settle", tag = "doubts", request_body = SettlementView,
    params(("id" = String, Path), ("If-Match" = Option<String>, Header), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = Settled), (status = "default", body = Problem)))]
pub(crate) async fn settle_doubt(
    caller: Caller,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
    Posting(new, once): Posting<SettlementView>,
) -> Answered {
    let (ctx, id) = (&caller.ctx, DoubtId::parse(&id)?);
    once.run(ctx, async {
        let number = |text: &String| {
            text.parse::<i64>()
                .map_err(|_| platen_core::Error::invalid("amounts", format!("{text:?} is no number of a meter")))
        };
        let amounts = new.amounts.iter().map(|(meter, pages)| Ok((number(meter)?, *pages)));
        let amounts = amounts.collect::<Result<_, platen_core::Error>>()?;
        let wanted = Settlement { decision: new.decision, amounts, note: new.note };
        let version = doubts::settle(ctx, id, &wanted, version).await?;
        Ok(Json(Settled { version }).into_response())
    })
    .await
}

/// Nothing.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reopening {}

/// Takes a decision back: usage is what it was before.
#[utoipa::path(post, path = "/api/v1/doubts/{id}/reopen", tag = "doubts", request_body = Reopening,
    params(("id" = String, Path), ("If-Match" = Option<String>, Header), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = Settled), (status = "default", body = Problem)))]
pub(crate) async fn reopen_doubt(
    caller: Caller,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
    Posting(Reopening {}, once): Posting<Reopening>,
) -> Answered {
    let (ctx, id) = (&caller.ctx, DoubtId::parse(&id)?);
    once.run(ctx, async {
        let version = doubts::reopen(ctx, id, version).await?;
        Ok(Json(Settled { version }).into_response())
    })
    .await
}
