//! `/api/v1/organisations`.

use axum::{
    extract::{Path, Query},
    http::{HeaderMap, StatusCode},
};
use platen_core::{Micros, OrgId, Page, orgs};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    api::{Answered, Body, IfMatch, Posting, tagged},
    caller::Caller,
    listing::{ListQuery, Listed, Row, answer},
    problem::Problem,
};

/// An organisation as the reader may see it.
#[derive(Serialize, ToSchema)]
#[schema(as = Organisation)]
pub(crate) struct OrgView {
    id: String,
    /// The one above, where it is visible.
    parent: Option<String>,
    /// Short name, as `under "…"` in filters means it.
    slug: String,
    /// `root`, `provider` or `customer`.
    kind: &'static str,
    /// `null` where the reader sees only that it is there.
    name: Option<String>,
    /// IANA time zone.
    zone: String,
    /// BCP 47 language.
    locale: String,
    /// ISO 4217 currency.
    currency: String,
    /// `own`, `fleet` or `licence`: how much of it the reader sees.
    #[schema(value_type = String)]
    access: orgs::Access,
    /// The `ETag`.
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Micros,
}

impl Row for OrgView {
    const COLUMNS: &'static [&'static str] =
        &["id", "parent", "slug", "kind", "name", "zone", "locale", "currency", "access", "version", "created_at"];
}

impl From<orgs::Org> for OrgView {
    fn from(org: orgs::Org) -> Self {
        Self {
            id: org.id.to_string(),
            parent: org.parent.map(|id| id.to_string()),
            slug: org.slug,
            kind: org.kind.as_str(),
            name: org.name,
            zone: org.zone,
            locale: org.locale,
            currency: org.currency,
            access: org.access,
            version: org.version,
            created_at: org.created_at,
        }
    }
}

/// A new organisation; what is not said is taken from the one above.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrganisation {
    name: String,
    /// `provider` or `customer`.
    kind: String,
    /// Id of the one above; the own one when not given.
    parent: Option<String>,
    slug: Option<String>,
    zone: Option<String>,
    locale: Option<String>,
    currency: Option<String>,
}

/// What to change; fields that are not sent stay.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganisationPatch {
    name: Option<String>,
    zone: Option<String>,
    locale: Option<String>,
    currency: Option<String>,
}

/// The own organisation and all below it, parents before children; one page.
#[utoipa::path(get, path = "/api/v1/organisations", tag = "organisations", params(ListQuery),
    responses((status = 200, body = Listed<OrgView>), (status = "default", body = Problem)))]
pub(crate) async fn list_organisations(caller: Caller, Query(query): Query<ListQuery>, headers: HeaderMap) -> Answered {
    query.one_order()?;
    let items: Vec<OrgView> = orgs::tree(&caller.ctx).await?.into_iter().map(OrgView::from).collect();
    let count = query.count.unwrap_or(false).then_some(items.len() as u64);
    answer(Page { items, next: None, count }, &query, &headers)
}

/// One organisation.
#[utoipa::path(get, path = "/api/v1/organisations/{id}", tag = "organisations", params(("id" = String, Path)),
    responses((status = 200, body = OrgView), (status = "default", body = Problem)))]
pub(crate) async fn get_organisation(caller: Caller, Path(id): Path<String>) -> Answered {
    let org = orgs::get(&caller.ctx, OrgId::parse(&id)?).await?;
    let version = org.version;
    Ok(tagged(StatusCode::OK, &OrgView::from(org), version))
}

/// Creates an organisation below the own one. A customer begins with leave for its maker to see the fleet.
#[utoipa::path(post, path = "/api/v1/organisations", tag = "organisations", request_body = NewOrganisation,
    params(("Idempotency-Key" = Option<String>, Header)),
    responses((status = 201, body = OrgView), (status = "default", body = Problem)))]
pub(crate) async fn create_organisation(caller: Caller, Posting(new, once): Posting<NewOrganisation>) -> Answered {
    let parent = new.parent.as_deref().map(OrgId::parse).transpose()?;
    let new = orgs::NewOrg {
        name: new.name,
        kind: new.kind,
        parent,
        slug: new.slug,
        zone: new.zone,
        locale: new.locale,
        currency: new.currency,
    };
    let ctx = &caller.ctx;
    once.run(ctx, async {
        let org = orgs::create(ctx, &new).await?;
        let version = org.version;
        Ok(tagged(StatusCode::CREATED, &OrgView::from(org), version))
    })
    .await
}

/// Changes name, zone, locale or currency.
#[utoipa::path(patch, path = "/api/v1/organisations/{id}", tag = "organisations", request_body = OrganisationPatch,
    params(("id" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = OrgView), (status = "default", body = Problem)))]
pub(crate) async fn update_organisation(
    caller: Caller,
    Path(id): Path<String>,
    IfMatch(version): IfMatch,
    Body(patch): Body<OrganisationPatch>,
) -> Answered {
    let patch = orgs::OrgPatch { name: patch.name, zone: patch.zone, locale: patch.locale, currency: patch.currency };
    let org = orgs::update(&caller.ctx, OrgId::parse(&id)?, &patch, version).await?;
    let version = org.version;
    Ok(tagged(StatusCode::OK, &OrgView::from(org), version))
}
