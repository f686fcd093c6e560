//! Searches that people keep, for themselves or for all of a role in their organisation.

use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Row, Tx, params};

use super::service::home;
use super::sql;
use crate::audit::{self, Change};
use crate::ctx::{Ctx, Role};
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::ids::{FilterId, UserId};
use crate::orgs;

/// Most saved filters of one person.
const MAX: i64 = 200;

/// A saved filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SavedFilter {
    /// Its id.
    pub id: FilterId,
    /// Who made it.
    pub owner: UserId,
    /// Which list: `devices`, `alerts` …
    pub list: String,
    /// Name for people.
    pub name: String,
    /// The filter, as text.
    pub filter: String,
    /// All of this role and above see it; `None`: only its owner.
    pub shared_role: Option<Role>,
    /// For `If-Match`.
    pub version: i64,
}

/// A filter to be saved.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewFilter {
    /// Which list: `devices`, `alerts` …
    pub list: String,
    /// Name for people.
    pub name: String,
    /// The filter, as text.
    pub filter: String,
    /// Share with all of this role and above: for managers and administrators.
    #[serde(default)]
    pub shared_role: Option<Role>,
}

/// The own saved filters, and those shared with the own role.
///
/// # Errors
/// `Forbidden` without an account.
pub async fn list_filters(ctx: &Ctx) -> Result<Vec<SavedFilter>> {
    let user = owner(ctx)?;
    let mut tx = ctx.db().read(&home(ctx)).await?;
    let rows = tx.query(&sql::FILTERS, &params![ctx.home, user]).await?;
    let all = rows.iter().map(read).collect::<Result<Vec<_>>>()?;
    Ok(all.into_iter().filter(|saved| sees(ctx, user, saved)).collect())
}

/// Saves a filter.
///
/// # Errors
/// `Invalid` for a filter that does not read; `Forbidden` to share below manager.
pub async fn save_filter(ctx: &Ctx, new: &NewFilter) -> Result<SavedFilter> {
    let user = owner(ctx)?;
    let (name, filter) = checked(ctx, new)?;
    let known = (1..=40).contains(&new.list.len()) && new.list.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if !known {
        return Err(Error::invalid("list", "list names a list, as devices does"));
    }
    let id = FilterId::new(ctx.ids());
    let mut tx = ctx.db().write(&home(ctx)).await?;
    if tx.query_one(&sql::FILTER_COUNT, &params![ctx.home, user]).await?.get::<i64>(0)? >= MAX {
        return Err(Error::conflict(format!("you have {MAX} saved filters; delete one first")));
    }
    let shared = new.shared_role.map(Role::as_str);
    tx.execute(&sql::INSERT_FILTER, &params![ctx.home, id, user, &new.list, name, filter, shared, ctx.now]).await?;
    let saved = find(&mut tx, ctx, id).await?;
    audit::record(&mut tx, ctx, Change::new(ctx.home, "created", "saved_filter", id).after(json!(saved))).await?;
    tx.commit().await?;
    Ok(saved)
}

/// Changes a saved filter: its owner, or an administrator if it is shared.
///
/// # Errors
/// `NotFound` for any other; `PreconditionRequired` and `Stale` by `if_match`.
pub async fn update_filter(ctx: &Ctx, id: FilterId, new: &NewFilter, if_match: Option<i64>) -> Result<SavedFilter> {
    let (name, filter) = checked(ctx, new)?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let old = changeable(&mut tx, ctx, id).await?;
    Error::check_version(if_match, old.version)?;
    let shared = new.shared_role.map(Role::as_str);
    tx.execute(&sql::UPDATE_FILTER, &params![ctx.home, id, name, filter, shared]).await?;
    let saved = find(&mut tx, ctx, id).await?;
    let change = Change::new(ctx.home, "changed", "saved_filter", id).before(json!(old)).after(json!(saved));
    audit::record(&mut tx, ctx, change).await?;
    tx.commit().await?;
    Ok(saved)
}

/// Deletes a saved filter: its owner, or an administrator if it is shared.
///
/// # Errors
/// `NotFound` for any other.
pub async fn delete_filter(ctx: &Ctx, id: FilterId) -> Result<()> {
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let old = changeable(&mut tx, ctx, id).await?;
    tx.execute(&sql::DELETE_FILTER, &params![ctx.home, id]).await?;
    audit::record(&mut tx, ctx, Change::new(ctx.home, "deleted", "saved_filter", id).before(json!(old))).await?;
    Ok(tx.commit().await?)
}

fn owner(ctx: &Ctx) -> Result<UserId> {
    ctx.user().ok_or_else(|| Error::forbidden("have saved filters"))
}

fn checked(ctx: &Ctx, new: &NewFilter) -> Result<(String, String)> {
    if new.shared_role.is_some() {
        ctx.require(Role::Manager, "share filters")?;
    }
    if new.shared_role == Some(Role::Agent) {
        return Err(Error::invalid("shared_role", "a filter is shared with admin, manager or user"));
    }
    // Kept in the form that we write, so that equal filters are equal texts.
    Ok((orgs::rules::name("name", &new.name)?, Filter::parse(&new.filter)?.to_string()))
}

async fn changeable(tx: &mut Tx, ctx: &Ctx, id: FilterId) -> Result<SavedFilter> {
    let user = owner(ctx)?;
    let saved = find(tx, ctx, id).await?;
    let may = saved.owner == user || (saved.shared_role.is_some() && ctx.role >= Role::Admin);
    if may { Ok(saved) } else { Err(FilterId::missing()) }
}

fn sees(ctx: &Ctx, user: UserId, saved: &SavedFilter) -> bool {
    saved.owner == user || saved.shared_role.is_some_and(|role| ctx.role >= role)
}

async fn find(tx: &mut Tx, ctx: &Ctx, id: FilterId) -> Result<SavedFilter> {
    let row = tx.query_opt(&sql::FILTER, &params![ctx.home, id]).await?;
    row.as_ref().map(read).transpose()?.ok_or_else(FilterId::missing)
}

fn read(row: &Row) -> Result<SavedFilter> {
    let shared: Option<String> = row.get(5)?;
    Ok(SavedFilter {
        id: row.get(0)?,
        owner: row.get(1)?,
        list: row.get(2)?,
        name: row.get(3)?,
        filter: row.get(4)?,
        shared_role: shared.as_deref().map(Role::parse).transpose()?,
        version: row.get(6)?,
    })
}
