//! What the doors may ask of organisations: see the tree, create below, rename.

use serde::Deserialize;
use serde_json::json;
use store::{Row, Tx, View, params};
use uuid::Uuid;

use super::{Access, Grant, Org, OrgKind, rules, sql};
use crate::audit::{self, Change};
use crate::ctx::{Actor, Ctx, Role};
use crate::error::{Error, Result};
use crate::events;
use crate::filter::fold;
use crate::ids::OrgId;

/// A new organisation. What is not said is taken from the one above.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewOrg {
    /// Name, 1..=120 characters.
    pub name: String,
    /// `provider` or `customer`.
    pub kind: String,
    /// The one above; `None`: the own one.
    #[serde(default)]
    pub parent: Option<OrgId>,
    /// Short name; `None`: made of the name.
    #[serde(default)]
    pub slug: Option<String>,
    /// IANA time zone.
    #[serde(default)]
    pub zone: Option<String>,
    /// BCP 47 language.
    #[serde(default)]
    pub locale: Option<String>,
    /// ISO 4217 currency.
    #[serde(default)]
    pub currency: Option<String>,
}

/// What to change; `None` stays.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrgPatch {
    /// Name, 1..=120 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// IANA time zone.
    #[serde(default)]
    pub zone: Option<String>,
    /// BCP 47 language.
    #[serde(default)]
    pub locale: Option<String>,
    /// ISO 4217 currency.
    #[serde(default)]
    pub currency: Option<String>,
}

/// A row with what only rules need to know.
struct Found {
    org: Org,
    path: String,
    created_by: Option<OrgId>,
}

/// The own organisation and all below it, parents before children. Those that gave no grant show that they are there.
///
/// # Errors
/// When the database refuses.
pub async fn tree(ctx: &Ctx) -> Result<Vec<Org>> {
    let all = ctx.scope.tenants().is_none();
    // Class licence: ancestors see that an organisation is there, hence the whole tree is read and then thinned out.
    let mut tx = ctx.db().read(&View::All("the tree below the own organisation")).await?;
    let top = match (all, ctx.scope.focus()) {
        (true, _) => String::new(),
        (false, focus) => path(&mut tx, focus.unwrap_or(ctx.home)).await?,
    };
    let mut found = tx.query(&sql::TREE, &params![&top]).await?.iter().map(read).collect::<Result<Vec<_>>>()?;
    let first = found.first().map_or(0, |first| rules::depth(&first.path));
    for found in &mut found {
        found.org.depth = rules::depth(&found.path) - first;
        conceal(ctx, found);
    }
    Ok(found.into_iter().map(|found| found.org).collect())
}

/// One organisation.
///
/// # Errors
/// `NotFound` unless it is the own one, one below it, or one that gave a grant.
pub async fn get(ctx: &Ctx, org: OrgId) -> Result<Org> {
    let mut tx = ctx.db().read(&View::All("an organisation below the own one")).await?;
    Ok(visible(ctx, &mut tx, org).await?.org)
}

/// Leaves that an organisation gave: its own people see all of them.
///
/// # Errors
/// `NotFound` for an organisation that is not in the scope.
pub async fn grants(ctx: &Ctx, org: OrgId) -> Result<Vec<Grant>> {
    ctx.scope.require(org, OrgId::NOUN)?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&sql::GRANTS, &params![org]).await?;
    rows.iter()
        .map(|row| {
            Ok(Grant {
                tenant: row.get(0)?,
                grantee: row.get(1)?,
                class: row.get(2)?,
                from_at: row.get(3)?,
                until_at: row.get(4)?,
            })
        })
        .collect()
}

/// Creates an organisation below the own one. A customer begins with a grant to its maker, who then sees its fleet.
///
/// # Errors
/// `Forbidden` below admin, `NotFound` for a parent that is not the own one, `Conflict` for a taken short name.
pub async fn create(ctx: &Ctx, new: &NewOrg) -> Result<Org> {
    ctx.require(Role::Admin, "create organisations")?;
    let parent = new.parent.unwrap_or(ctx.home);
    if ctx.scope.tenants().is_some() && parent != ctx.home {
        return Err(OrgId::missing());
    }
    let kind = OrgKind::parse(&new.kind)?;
    let mut tx = ctx.db().write(&View::All("an organisation is created, its tenant with it")).await?;
    let above = found(&mut tx, parent).await?.ok_or_else(OrgId::missing)?;
    rules::child_fits(above.org.kind, kind)?;
    let name = rules::name("name", &new.name)?;
    let slug = match &new.slug {
        Some(slug) => free_slug(&mut tx, parent, rules::slug(slug)?, Taken::Refuse).await?,
        None => free_slug(&mut tx, parent, rules::slug_of(&name), Taken::Number).await?,
    };
    let last: Option<String> = tx.query_one(&sql::LAST_CHILD, &params![parent]).await?.get(0)?;
    let row = NewRow {
        id: OrgId::new(ctx.ids()),
        parent: Some(parent),
        slug,
        path: rules::next_path(&above.path, last.as_deref())?,
        kind,
        name,
        zone: rules::zone(new.zone.as_deref().unwrap_or(&above.org.zone))?,
        locale: rules::locale(new.locale.as_deref().unwrap_or(&above.org.locale))?,
        currency: rules::currency(new.currency.as_deref().unwrap_or(&above.org.currency))?,
    };
    insert(&mut tx, ctx, &row, Some(parent)).await?;
    if kind == OrgKind::Customer {
        give(&mut tx, ctx, row.id, parent).await?;
    }
    let mut created = found(&mut tx, row.id).await?.ok_or_else(OrgId::missing)?;
    tx.commit().await?;
    created.org.access = if kind == OrgKind::Customer { Access::Fleet } else { Access::Licence };
    Ok(created.org)
}

/// Changes name, zone, locale or currency, of the own organisation or of one that it created.
///
/// # Errors
/// `Forbidden` below admin, `NotFound` for any other, `PreconditionRequired` and `Stale` by `if_match`.
pub async fn update(ctx: &Ctx, org: OrgId, patch: &OrgPatch, if_match: Option<i64>) -> Result<Org> {
    ctx.require(Role::Admin, "change organisations")?;
    let mut tx = ctx.db().write(&View::All("an organisation below the own one is renamed")).await?;
    let found = visible(ctx, &mut tx, org).await?;
    let ours = ctx.scope.tenants().is_none() || org == ctx.home || found.created_by == Some(ctx.home);
    if !ours {
        return Err(OrgId::missing());
    }
    let old = found.org;
    Error::check_version(if_match, old.version)?;
    let name = rules::name("name", patch.name.as_deref().unwrap_or(old.name.as_deref().unwrap_or_default()))?;
    let zone = rules::zone(patch.zone.as_deref().unwrap_or(&old.zone))?;
    let locale = rules::locale(patch.locale.as_deref().unwrap_or(&old.locale))?;
    let currency = rules::currency(patch.currency.as_deref().unwrap_or(&old.currency))?;
    let values = params![org, &name, fold(&name), &zone, &locale, &currency, old.version];
    tx.execute(&sql::UPDATE, &values).await?;
    events::emit(&mut tx, ctx, org, "organisation.changed", ("organisation", org.to_string()), json!({ "org": org }))
        .await?;
    let change = Change::new(org, "changed", "organisation", org)
        .before(json!({ "name": old.name, "zone": old.zone, "locale": old.locale, "currency": old.currency }))
        .after(json!({ "name": &name, "zone": &zone, "locale": &locale, "currency": &currency }));
    audit::record(&mut tx, ctx, change).await?;
    tx.commit().await?;
    Ok(Org { name: Some(name), zone, locale, currency, version: old.version + 1, ..old })
}

/// The first organisation, made by set-up in its own transaction.
pub(crate) async fn create_root(tx: &mut Tx, ctx: &Ctx, new: &NewOrg) -> Result<OrgId> {
    if tx.query_opt(&sql::ANY, &[]).await?.is_some() {
        return Err(Error::conflict("this installation is set up already"));
    }
    let name = rules::name("organisation", &new.name)?;
    let row = NewRow {
        id: OrgId::new(ctx.ids()),
        parent: None,
        slug: rules::slug_of(&name),
        path: rules::next_path("", None)?,
        kind: OrgKind::Root,
        name,
        zone: rules::zone(new.zone.as_deref().unwrap_or("UTC"))?,
        locale: rules::locale(new.locale.as_deref().unwrap_or("en"))?,
        currency: rules::currency(new.currency.as_deref().unwrap_or("EUR"))?,
    };
    insert(tx, ctx, &row, None).await?;
    Ok(row.id)
}

struct NewRow {
    id: OrgId,
    parent: Option<OrgId>,
    slug: String,
    path: String,
    kind: OrgKind,
    name: String,
    zone: String,
    locale: String,
    currency: String,
}

async fn insert(tx: &mut Tx, ctx: &Ctx, row: &NewRow, maker: Option<OrgId>) -> Result<()> {
    let values = params![
        row.id,
        row.parent,
        &row.slug,
        &row.path,
        row.kind.as_str(),
        &row.name,
        fold(&row.name),
        maker,
        &row.zone,
        &row.locale,
        &row.currency,
        ctx.now
    ];
    tx.execute(&sql::INSERT, &values).await?;
    let subject = ("organisation", row.id.to_string());
    let data = json!({ "org": row.id, "parent": row.parent });
    events::emit(tx, ctx, row.id, "organisation.created", subject, data).await?;
    let after = json!({ "name": &row.name, "kind": row.kind, "parent": row.parent, "slug": &row.slug });
    audit::record(tx, ctx, Change::new(row.id, "created", "organisation", row.id).after(after)).await
}

async fn give(tx: &mut Tx, ctx: &Ctx, org: OrgId, grantee: OrgId) -> Result<()> {
    let id = ctx.ids().uuid7().to_string();
    tx.execute(&sql::GRANT, &params![org, &id, grantee, ctx.now, ctx.actor.id()]).await?;
    let data = json!({ "provider": grantee, "classes": ["fleet"], "until": null });
    events::emit(tx, ctx, org, "grant.given", ("grant", id.clone()), data).await?;
    let after = json!({ "grantee": grantee, "class": "fleet" });
    audit::record(tx, ctx, Change::new(org, "granted", "grant", id).after(after)).await
}

#[derive(Clone, Copy)]
enum Taken {
    Refuse,
    Number,
}

async fn free_slug(tx: &mut Tx, parent: OrgId, slug: String, taken: Taken) -> Result<String> {
    let mut candidate = slug.clone();
    for n in 2..1_000 {
        if tx.query_opt(&sql::SIBLING, &params![parent, &candidate]).await?.is_none() {
            return Ok(candidate);
        }
        match taken {
            Taken::Refuse => break,
            Taken::Number => candidate = format!("{slug}-{n}"),
        }
    }
    Err(Error { field: Some("slug".to_owned()), ..Error::conflict(format!("the short name {slug:?} is taken")) })
}

async fn path(tx: &mut Tx, org: OrgId) -> Result<String> {
    Ok(tx.query_opt(&sql::PATH, &params![org]).await?.ok_or_else(OrgId::missing)?.get(0)?)
}

async fn found(tx: &mut Tx, org: OrgId) -> Result<Option<Found>> {
    tx.query_opt(&sql::GET, &params![org]).await?.as_ref().map(read).transpose()
}

/// One organisation of the reader's tree, or one that gave a grant.
async fn visible(ctx: &Ctx, tx: &mut Tx, org: OrgId) -> Result<Found> {
    let mut found = found(tx, org).await?.ok_or_else(OrgId::missing)?;
    if !ctx.scope.contains(org) {
        let home = path(tx, ctx.home).await?;
        if matches!(ctx.actor, Actor::Agent { .. } | Actor::Monitor { .. }) || !found.path.starts_with(&home) {
            return Err(OrgId::missing());
        }
    }
    conceal(ctx, &mut found);
    Ok(found)
}

/// Sets what the reader sees of it and takes away the rest.
fn conceal(ctx: &Ctx, found: &mut Found) {
    let org = &mut found.org;
    let all = ctx.scope.tenants().is_none();
    org.access = match (all || org.id == ctx.home, ctx.scope.contains(org.id)) {
        (true, _) => Access::Own,
        (false, true) => Access::Fleet,
        (false, false) => Access::Licence,
    };
    if org.access == Access::Licence && found.created_by != Some(ctx.home) {
        org.name = None;
        org.slug = String::new();
    }
    if org.id == ctx.home {
        org.parent = None;
    }
}

fn read(row: &Row) -> Result<Found> {
    Ok(Found {
        org: Org {
            id: row.get(0)?,
            parent: row.get(1)?,
            slug: row.get(2)?,
            depth: 0,
            kind: OrgKind::parse(&row.get::<String>(4)?)?,
            name: row.get(5)?,
            zone: row.get(7)?,
            locale: row.get(8)?,
            currency: row.get(9)?,
            access: Access::Licence,
            version: row.get(10)?,
            created_at: row.get(11)?,
        },
        path: row.get(3)?,
        created_by: row.get::<Option<OrgId>>(6)?.filter(|maker| maker.0 != Uuid::nil()),
    })
}
