//! `/api/v1/closes`: periods, what is missing for them, what they billed, their documents.

use axum::{
    Json,
    extract::{Path, Query},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use platen_core::{
    DeviceId, Micros,
    billing::{self, CloseId, CloseQuery, CloseRow, Document, Gap, GapKind, LineRow, ManualRead, Total, money},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{Answered, Posting},
    caller::Caller,
    listing::{ListQuery, Listed, Row, answer, whole},
    problem::Problem,
};

/// One period of one contract.
#[derive(Serialize, ToSchema)]
#[schema(as = Close)]
pub(crate) struct CloseView {
    id: String,
    organisation: String,
    contract: String,
    number: String,
    name: String,
    /// `2026-03` or `2026-Q1`.
    period: String,
    #[schema(value_type = String, format = DateTime)]
    from_at: Micros,
    #[schema(value_type = String, format = DateTime)]
    to_at: Micros,
    /// `scheduled`, `gathering`, `review` or `closed`.
    state: &'static str,
    devices: i64,
    /// What is listed as missing.
    gaps: i64,
    /// Of these, what waits for a person.
    open_gaps: i64,
    #[schema(value_type = Option<String>, format = DateTime)]
    looked_at: Option<Micros>,
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Micros>,
    closed_by: Option<String>,
    currency: String,
    /// SHA-256 over all that its lines were made of.
    input_hash: Option<String>,
}

impl Row for CloseView {
    const COLUMNS: &'static [&'static str] = &[
        "number",
        "name",
        "period",
        "from_at",
        "to_at",
        "state",
        "devices",
        "gaps",
        "open_gaps",
        "looked_at",
        "closed_at",
        "closed_by",
        "currency",
        "input_hash",
        "organisation",
        "contract",
        "id",
    ];
}

impl From<CloseRow> for CloseView {
    fn from(close: CloseRow) -> Self {
        Self {
            id: close.id.to_string(),
            organisation: close.org.to_string(),
            contract: close.contract.to_string(),
            number: close.number,
            name: close.contract_name,
            period: close.period,
            from_at: close.from_at,
            to_at: close.to_at,
            state: close.state.as_str(),
            devices: close.devices,
            gaps: close.gaps,
            open_gaps: close.open_gaps,
            looked_at: close.looked_at,
            closed_at: close.closed_at,
            closed_by: close.closed_by,
            currency: close.currency,
            input_hash: close.input_hash,
        }
    }
}

/// A close with its sums.
#[derive(Serialize, ToSchema)]
#[schema(as = CloseSheet)]
pub(crate) struct CloseSheetView {
    #[serde(flatten)]
    close: CloseView,
    /// As billed, or as they would be now.
    totals: Vec<TotalView>,
}

/// One line of a contract over all devices of a close.
#[derive(Serialize, ToSchema)]
#[schema(as = CloseTotal)]
pub(crate) struct TotalView {
    line: i64,
    name: String,
    meter: String,
    erp_code: Option<String>,
    devices: i64,
    units: i64,
    price: String,
    /// Before what is included.
    gross: String,
    included: i64,
    /// What is included takes off.
    credit: String,
    amount: String,
}

impl From<&Total> for TotalView {
    fn from(total: &Total) -> Self {
        Self {
            line: total.line.no,
            name: total.line.name.clone(),
            meter: total.line.words.to_string(),
            erp_code: total.line.erp_code.clone(),
            devices: total.devices,
            units: total.units,
            price: money(total.line.price_micro),
            gross: money(total.gross_micro),
            included: total.line.included,
            credit: money(total.credit_micro),
            amount: money(total.amount_micro),
        }
    }
}

/// One counter of one device in one close.
#[derive(Serialize, ToSchema)]
#[schema(as = CloseLine)]
pub(crate) struct CloseLineView {
    device: String,
    device_name: String,
    serial: Option<String>,
    asset_no: Option<String>,
    vendor: String,
    model: Option<String>,
    place: String,
    line: i64,
    name: String,
    erp_code: Option<String>,
    opening: Option<i64>,
    #[schema(value_type = Option<String>, format = DateTime)]
    opening_at: Option<Micros>,
    opening_quality: Option<String>,
    closing: Option<i64>,
    #[schema(value_type = Option<String>, format = DateTime)]
    closing_at: Option<Micros>,
    closing_quality: Option<String>,
    /// `actual`, `manual`, `reset-adjusted`, `estimated`, `suspect` or `missing`.
    quality: String,
    /// Used by readings.
    usage: i64,
    /// The estimate of the period before, taken back.
    estimate_in: i64,
    estimate: i64,
    /// Billed too much before.
    carry_in: i64,
    carry_out: i64,
    billed: i64,
    /// Before what is included.
    gross: String,
    /// 0 unless the clock of whoever read was wrong by more than five minutes.
    clock_offset_ms: i64,
    /// Why the counter began anew within the period, joined by `; `.
    breaks: String,
}

impl Row for CloseLineView {
    const COLUMNS: &'static [&'static str] = &[
        "serial",
        "asset_no",
        "vendor",
        "model",
        "device_name",
        "place",
        "line",
        "name",
        "erp_code",
        "opening",
        "opening_at",
        "opening_quality",
        "closing",
        "closing_at",
        "closing_quality",
        "quality",
        "usage",
        "estimate_in",
        "estimate",
        "carry_in",
        "carry_out",
        "billed",
        "gross",
        "clock_offset_ms",
        "breaks",
        "device",
    ];
}

impl From<LineRow> for CloseLineView {
    fn from(line: LineRow) -> Self {
        let breaks: Vec<&str> = line.breaks.iter().map(|border| border.reason.as_str()).collect();
        Self {
            breaks: breaks.join("; "),
            device: line.device.to_string(),
            device_name: line.device_name,
            serial: line.serial,
            asset_no: line.asset_no,
            vendor: line.vendor,
            model: line.model,
            place: line.place,
            line: line.no,
            name: line.name,
            erp_code: line.erp_code,
            opening: line.opening,
            opening_at: line.opening_at,
            opening_quality: line.opening_quality,
            closing: line.closing,
            closing_at: line.closing_at,
            closing_quality: line.closing_quality,
            quality: line.quality,
            usage: line.usage,
            estimate_in: line.estimate_in,
            estimate: line.estimate,
            carry_in: line.carry_in,
            carry_out: line.carry_out,
            billed: line.billed,
            gross: money(line.amount_micro),
            clock_offset_ms: line.clock_offset_ms,
        }
    }
}

/// What is missing for a close.
#[derive(Serialize, ToSchema)]
#[schema(as = CloseGap)]
pub(crate) struct GapView {
    device: String,
    device_name: String,
    serial: Option<String>,
    line: i64,
    name: String,
    /// `silent`, `error`, `unmapped` or `suspect`.
    kind: &'static str,
    why: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    read_at: Option<Micros>,
    value: Option<i64>,
    /// What is billed instead; `null`: a person must read, map or waive it.
    estimate: Option<i64>,
    #[schema(value_type = Option<String>, format = DateTime)]
    waived_at: Option<Micros>,
    waived_by: Option<String>,
    note: Option<String>,
    /// Whether the close waits for a person.
    open: bool,
}

impl Row for GapView {
    const COLUMNS: &'static [&'static str] = &[
        "serial",
        "device_name",
        "line",
        "name",
        "kind",
        "why",
        "read_at",
        "value",
        "estimate",
        "open",
        "waived_at",
        "waived_by",
        "note",
        "device",
    ];
}

impl From<Gap> for GapView {
    fn from(gap: Gap) -> Self {
        Self {
            open: gap.is_open(),
            device: gap.device.to_string(),
            device_name: gap.device_name,
            serial: gap.serial,
            line: gap.no,
            name: gap.line,
            kind: gap.kind.as_str(),
            why: gap.why,
            read_at: gap.read_at,
            value: gap.value,
            estimate: gap.estimate,
            waived_at: gap.waived_at,
            waived_by: gap.waived_by,
            note: gap.note,
        }
    }
}

/// What is let go, by name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WaiverPost {
    device: String,
    line: i64,
    /// `silent`, `error`, `unmapped` or `suspect`.
    kind: String,
    /// Why it may be closed without.
    note: String,
}

/// What a person read at the device.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadingPost {
    device: String,
    line: i64,
    value: i64,
    /// The end of the period, or now if that is earlier, when not given.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Micros>,
}

/// Why a closed period is reckoned again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CorrectionPost {
    note: String,
}

/// Nothing more need be said.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NothingMore {}

/// A document of a close.
#[derive(Serialize, ToSchema)]
#[schema(as = BillingDocument)]
pub(crate) struct DocumentView {
    id: String,
    no: i64,
    /// `csv` or `correction-csv`.
    format: String,
    sha256: String,
    size_bytes: i64,
    line_count: i64,
    corrects: Option<String>,
    note: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    made_at: Micros,
    made_by: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    mailed_at: Option<Micros>,
}

impl From<Document> for DocumentView {
    fn from(document: Document) -> Self {
        Self {
            id: document.id.to_string(),
            no: document.no,
            format: document.format,
            sha256: document.sha256,
            size_bytes: document.size_bytes,
            line_count: document.line_count,
            corrects: document.corrects.map(|id| id.to_string()),
            note: document.note,
            made_at: document.made_at,
            made_by: document.made_by,
            mailed_at: document.mailed_at,
        }
    }
}

/// A counter that the devices of a close have and no line bills.
#[derive(Serialize, ToSchema)]
#[schema(as = UnbilledMeter)]
pub(crate) struct UnbilledView {
    vendor: String,
    model: Option<String>,
    meter: String,
    devices: i64,
    /// Whether it counts towards the pages of some of them.
    counts: bool,
}

/// Periods, newest first; `sort=to_at` gives those that are due first. CSV by `Accept: text/csv`.
#[utoipa::path(get, path = "/api/v1/closes", tag = "billing", params(ListQuery),
    responses((status = 200, body = Listed<CloseView>), (status = "default", body = Problem)))]
pub(crate) async fn list_closes(caller: Caller, Query(query): Query<ListQuery>, headers: HeaderMap) -> Answered {
    let soonest = match query.sort.as_deref() {
        None | Some("-to_at") => false,
        Some("to_at") => true,
        Some(_) => return Err(Problem::invalid("/sort", "periods are sorted by to_at or -to_at")),
    };
    let asked = CloseQuery { filter: query.filter()?, soonest, page: query.page() };
    answer(billing::closes(&caller.ctx, &asked).await?.map(CloseView::from), &query, &headers)
}

async fn sheet(caller: &Caller, close: CloseRow) -> Answered {
    let totals = billing::totals(&caller.ctx, close.id).await?;
    let totals = totals.iter().map(Into::into).collect();
    Ok(Json(CloseSheetView { close: close.into(), totals }).into_response())
}

/// One period with its sums: as billed, or, before it is closed, as they would be now.
#[utoipa::path(get, path = "/api/v1/closes/{id}", tag = "billing", params(("id" = String, Path)),
    responses((status = 200, body = CloseSheetView), (status = "default", body = Problem)))]
pub(crate) async fn get_close(caller: Caller, Path(id): Path<String>) -> Answered {
    let close = billing::close(&caller.ctx, CloseId::parse(&id)?).await?;
    sheet(&caller, close).await
}

/// Lines of a period: as billed, or as they would be now; then `limit` is in devices. CSV by `Accept: text/csv`.
#[utoipa::path(get, path = "/api/v1/closes/{id}/lines", tag = "billing", params(("id" = String, Path), ListQuery),
    responses((status = 200, body = Listed<CloseLineView>), (status = "default", body = Problem)))]
pub(crate) async fn list_close_lines(
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Answered {
    query.one_order()?;
    let page = billing::lines(&caller.ctx, CloseId::parse(&id)?, &query.page()).await?;
    answer(page.map(CloseLineView::from), &query, &headers)
}

/// What is missing for a period. CSV by `Accept: text/csv`.
#[utoipa::path(get, path = "/api/v1/closes/{id}/gaps", tag = "billing", params(("id" = String, Path), ListQuery),
    responses((status = 200, body = Listed<GapView>), (status = "default", body = Problem)))]
pub(crate) async fn list_close_gaps(
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Answered {
    query.one_order()?;
    let page = billing::gaps(&caller.ctx, CloseId::parse(&id)?, &query.page()).await?;
    answer(page.map(GapView::from), &query, &headers)
}

/// Counters that the devices of a period have and no line bills, by model.
#[utoipa::path(get, path = "/api/v1/closes/{id}/unbilled", tag = "billing", params(("id" = String, Path)),
    responses((status = 200, body = Listed<UnbilledView>), (status = "default", body = Problem)))]
pub(crate) async fn list_unbilled_meters(caller: Caller, Path(id): Path<String>) -> Answered {
    let items: Vec<UnbilledView> = billing::unbilled(&caller.ctx, CloseId::parse(&id)?)
        .await?
        .into_iter()
        .map(|one| UnbilledView {
            vendor: one.vendor,
            model: one.model,
            meter: one.words.to_string(),
            devices: one.devices,
            counts: one.counts,
        })
        .collect();
    Ok(whole(items))
}

/// Lets a period be closed without something, by name and with a reason.
#[utoipa::path(post, path = "/api/v1/closes/{id}/waivers", tag = "billing", request_body = WaiverPost,
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn waive_close_gap(
    caller: Caller,
    Path(id): Path<String>,
    Posting(new, once): Posting<WaiverPost>,
) -> Answered {
    once.run(&caller.ctx, async {
        let which = (DeviceId::parse(&new.device)?, new.line, GapKind::parse(&new.kind)?);
        billing::waive(&caller.ctx, CloseId::parse(&id)?, which, &new.note).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

/// Takes what a person read at the device; it counts as a reading of its own.
#[utoipa::path(post, path = "/api/v1/closes/{id}/readings", tag = "billing", request_body = ReadingPost,
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn enter_close_reading(
    caller: Caller,
    Path(id): Path<String>,
    Posting(new, once): Posting<ReadingPost>,
) -> Answered {
    once.run(&caller.ctx, async {
        let read = ManualRead { device: DeviceId::parse(&new.device)?, no: new.line, value: new.value, at: new.at };
        billing::read_by_hand(&caller.ctx, CloseId::parse(&id)?, &read).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    })
    .await
}

/// Looks for what is missing anew.
#[utoipa::path(post, path = "/api/v1/closes/{id}/look", tag = "billing", request_body = NothingMore,
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = CloseView), (status = "default", body = Problem)))]
pub(crate) async fn look_at_close(
    caller: Caller,
    Path(id): Path<String>,
    Posting(_nothing, once): Posting<NothingMore>,
) -> Answered {
    once.run(&caller.ctx, async {
        let id = CloseId::parse(&id)?;
        billing::look_again(&caller.ctx, id).await?;
        Ok(Json(CloseView::from(billing::close(&caller.ctx, id).await?)).into_response())
    })
    .await
}

/// Closes a period that is over; nothing of it changes afterwards.
#[utoipa::path(post, path = "/api/v1/closes/{id}/close", tag = "billing", request_body = NothingMore,
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 200, body = CloseSheetView), (status = "default", body = Problem)))]
pub(crate) async fn close_period(
    caller: Caller,
    Path(id): Path<String>,
    Posting(_nothing, once): Posting<NothingMore>,
) -> Answered {
    once.run(&caller.ctx, async {
        let close = billing::close_now(&caller.ctx, CloseId::parse(&id)?).await?;
        sheet(&caller, close).await
    })
    .await
}

/// Documents of a period, oldest first.
#[utoipa::path(get, path = "/api/v1/closes/{id}/documents", tag = "billing", params(("id" = String, Path)),
    responses((status = 200, body = Listed<DocumentView>), (status = "default", body = Problem)))]
pub(crate) async fn list_close_documents(caller: Caller, Path(id): Path<String>) -> Answered {
    let items: Vec<DocumentView> =
        billing::documents(&caller.ctx, CloseId::parse(&id)?).await?.into_iter().map(Into::into).collect();
    Ok(whole(items))
}

/// The bytes of a document; its SHA-256 is the `ETag`.
#[utoipa::path(get, path = "/api/v1/closes/{id}/documents/{no}", tag = "billing",
    params(("id" = String, Path), ("no" = i64, Path)),
    responses((status = 200, content_type = "text/csv", body = String), (status = "default", body = Problem)))]
pub(crate) async fn get_close_document(caller: Caller, Path((id, no)): Path<(String, i64)>) -> Answered {
    let (document, bytes) = billing::document(&caller.ctx, CloseId::parse(&id)?, no).await?;
    Ok(attached(&document, bytes))
}

/// Reckons a closed period again with all that came in since, and issues a document of what differs.
#[utoipa::path(post, path = "/api/v1/closes/{id}/corrections", tag = "billing", request_body = CorrectionPost,
    params(("id" = String, Path), ("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = DocumentView), (status = "default", body = Problem)))]
pub(crate) async fn correct_close(
    caller: Caller,
    Path(id): Path<String>,
    Posting(new, once): Posting<CorrectionPost>,
) -> Answered {
    once.run(&caller.ctx, async {
        let made = billing::correct(&caller.ctx, CloseId::parse(&id)?, &new.note).await?;
        Ok((StatusCode::CREATED, Json(DocumentView::from(made))).into_response())
    })
    .await
}

/// A document as a download.
pub(super) fn attached(document: &Document, bytes: Vec<u8>) -> Response {
    let mut response = crate::devices::download(&format!("{}.csv", document.id), bytes.into());
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", document.sha256)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
