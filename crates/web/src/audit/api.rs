//! `/api/v1/audit`.

use axum::{extract::Query, http::HeaderMap};
use platen_core::{Micros, audit};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    api::Answered,
    caller::Caller,
    listing::{ListQuery, Listed, Row, answer},
    problem::Problem,
};

/// One record of the audit log.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditRecord)]
pub(crate) struct RecordView {
    /// Organisation of the object.
    organisation: String,
    /// yyyymm: which chain.
    month: i64,
    /// Place in the chain, from 1.
    no: i64,
    #[schema(value_type = String, format = DateTime)]
    at: Micros,
    /// `user`, `token`, `agent` or `system`.
    actor_kind: String,
    actor_id: String,
    /// `null` after erasure.
    actor_name: Option<String>,
    verb: String,
    object_kind: String,
    object_id: String,
    request: String,
    #[schema(value_type = Object)]
    before: Value,
    #[schema(value_type = Object)]
    after: Value,
    /// SHA-256 over this record and the one before it, hex.
    leaf_hash: String,
}

impl Row for RecordView {
    const COLUMNS: &'static [&'static str] = &[
        "at",
        "organisation",
        "actor_kind",
        "actor_id",
        "actor_name",
        "verb",
        "object_kind",
        "object_id",
        "before",
        "after",
        "request",
        "month",
        "no",
        "leaf_hash",
    ];
}

impl From<audit::AuditRecord> for RecordView {
    fn from(r: audit::AuditRecord) -> Self {
        Self {
            organisation: r.tenant.to_string(),
            month: r.month,
            no: r.no,
            at: r.at,
            actor_kind: r.actor_kind,
            actor_id: r.actor_id,
            actor_name: r.actor_name,
            verb: r.verb,
            object_kind: r.object_kind,
            object_id: r.object_id,
            request: r.request,
            before: r.before,
            after: r.after,
            leaf_hash: r.leaf_hash,
        }
    }
}

/// Every change, newest first. Filter by `at actor_kind actor_id verb object_kind object_id request`.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(ListQuery),
    responses((status = 200, body = Listed<RecordView>), (status = "default", body = Problem)))]
pub(crate) async fn list_audit(caller: Caller, Query(query): Query<ListQuery>, headers: HeaderMap) -> Answered {
    query.one_order()?;
    let page = audit::list(&caller.ctx, &audit::AuditQuery { filter: query.filter()?, page: query.page() }).await?;
    answer(page.map(RecordView::from), &query, &headers)
}
