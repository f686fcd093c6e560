//! `/api/v1/closes`: periods, what is missing for them, what they billed, their documents.

use axum::{
    Json,
    extract::{Path, Query},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use platen_core::{
    DeviceId, Micros,
    billing::{self, CloseId, CloseQuery, CloseRow, Document, GapKind, ManualRead},
};
use serde::Deserialize;
use utoipa::ToSchema;

use super::closes_views::{CloseLineView, CloseSheetView, CloseView, DocumentView, GapView, UnbilledView};
use crate::{
    api::{Answered, Posting},
    caller::Caller,
    listing::{ListQuery, Listed, answer, whole},
    problem::Problem,
};

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
    Ok(Json(CloseSheetView::of(close, &totals)).into_response())
}

/// One period with its sums: as billed, or, before it is closed, as they were when it was last looked at.
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
    let items: Vec<UnbilledView> =
        billing::unbilled(&caller.ctx, CloseId::parse(&id)?).await?.into_iter().map(Into::into).collect();
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
