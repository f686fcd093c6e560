//! What the doors may ask of accounts. Users are data of the class people: only their own organisation sees them.

use serde::Deserialize;
use serde_json::json;
use store::{Sql, Tx, View, params};

use super::{User, UserState, rules, sql};
use crate::audit::{self, Change};
use crate::ctx::{Actor, Ctx, Role};
use crate::error::{Error, Result};
use crate::events;
use crate::filter::{Field, FieldKind, Filter, fold};
use crate::ids::{OrgId, UserId};
use crate::orgs;
use crate::page::{Key, Page, PageQuery, Sort};
use crate::secrets::Secret;

const BY_NAME: Sort = Sort { name: "users.name", keys: &[Key::up("u.name_fold"), Key::up("u.id")] };

/// Fields of the filter of [`list`].
pub const FIELDS: &[Field] = &[
    Field::new("name", "u.name_fold", FieldKind::Folded),
    Field::new("email", "u.email_fold", FieldKind::Folded),
    Field::new("role", "u.role", FieldKind::Word(&["admin", "manager", "user"])),
    Field::new("state", "u.state", FieldKind::Word(&["active", "disabled"])),
    Field::new("created_at", "u.created_at", FieldKind::Time),
    Field::new("last_sign_in_at", "u.last_sign_in_at", FieldKind::Time),
];

/// A new account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// What it signs in with.
    pub email: String,
    /// Name for people.
    pub name: String,
    /// `admin`, `manager` or `user`.
    pub role: String,
    /// `None`: one is made, to be shown once and changed at the first sign-in.
    #[serde(default)]
    pub password: Option<Secret>,
    /// `None`: the own organisation. Another only for its first administrator.
    #[serde(default)]
    pub org: Option<OrgId>,
    /// BCP 47 language; `None`: `en`.
    #[serde(default)]
    pub locale: Option<String>,
}

/// What to change; `None` stays.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    /// Name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// BCP 47 language.
    #[serde(default)]
    pub locale: Option<String>,
}

/// Which accounts.
#[derive(Clone, Debug, Default)]
pub struct UserQuery {
    /// Condition over `name email role state created_at last_sign_in_at`.
    pub filter: Option<Filter>,
    /// Which page; by name.
    pub page: PageQuery,
}

/// Accounts of the own organisation.
///
/// # Errors
/// `Forbidden` below admin; `Invalid` for a filter or cursor that does not fit.
pub async fn list(ctx: &Ctx, query: &UserQuery) -> Result<Page<User>> {
    ctx.require(Role::Admin, "see users")?;
    let limit = query.page.limit()?;
    let mut values = params![ctx.home].to_vec();
    let mut conditions = vec!["u.tenant = $1".to_owned()];
    if let Some(filter) = &query.filter {
        conditions.push(filter.to_sql(FIELDS, &mut values)?);
    }
    let counted = (conditions.join(" and "), values.clone());
    conditions.push(BY_NAME.after(query.page.after.as_deref(), &mut values)?);
    let text =
        format!("{} where {} order by {} limit {}", sql::LIST, conditions.join(" and "), BY_NAME.order(), limit + 1);
    let mut tx = ctx.db().read(&home(ctx)).await?;
    let rows = tx.query(&Sql::built_as("users list", text), &values).await?;
    let mut page = BY_NAME.page(rows, limit, read)?;
    if query.page.count {
        let text = format!("select count(*) from users u where {}", counted.0);
        page.count = Some(tx.query_one(&Sql::built_as("users count", text), &counted.1).await?.get(0)?);
    }
    Ok(page)
}

/// One account: any of the own organisation for administrators, the own one for all.
///
/// # Errors
/// `NotFound` otherwise.
pub async fn get(ctx: &Ctx, user: UserId) -> Result<User> {
    if ctx.user() != Some(user) && ctx.role < Role::Admin {
        return Err(UserId::missing());
    }
    let mut tx = ctx.db().read(&home(ctx)).await?;
    find(&mut tx, ctx.home, user).await
}

/// The account with an address, for the program's own commands.
///
/// # Errors
/// `Forbidden` for anyone but the program itself; `NotFound` without such an account.
pub async fn find_by_email(ctx: &Ctx, email: &str) -> Result<User> {
    require_system(ctx)?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&sql::BY_EMAIL, &params![fold(email)]).await?;
    rows.first().map(read).transpose()?.ok_or_else(UserId::missing)
}

/// Makes an account; returns it with the password, if that was made here: to be shown once.
///
/// # Errors
/// `Forbidden` below admin; `NotFound` for another organisation, unless it was created by the own one and has nobody
/// yet; `Conflict` for a taken address.
pub async fn create_user(ctx: &Ctx, new: &NewUser) -> Result<(User, Option<Secret>)> {
    ctx.require(Role::Admin, "create users")?;
    let row = Row {
        org: new.org.unwrap_or(ctx.home),
        email: rules::email(&new.email)?,
        name: orgs::rules::name("name", &new.name)?,
        role: Role::parse(&new.role)?,
        locale: orgs::rules::locale(new.locale.as_deref().unwrap_or("en"))?,
    };
    let made = match &new.password {
        Some(password) => {
            rules::password(password, &row.email, &row.name)?;
            None
        }
        None => Some(Secret::random(ctx.ids(), "")),
    };
    let password = made.as_ref().or(new.password.as_ref()).ok_or_else(|| Error::internal("no password was made"))?;
    // Before the work of hashing, so that a refusal costs nothing; again inside, where it counts.
    let view = View::All("the first administrator of a new organisation is made by the one that created it");
    may_create(ctx, &mut ctx.db().read(&view).await?, row.org).await?;
    let verifier = ctx.platform.passwords().hash(ctx.ids(), password).await?;
    let mut tx = ctx.db().write(&view).await?;
    tx.execute(&sql::LOCK_ORG, &params![row.org]).await?;
    may_create(ctx, &mut tx, row.org).await?;
    let user = insert(&mut tx, ctx, &row, &verifier, made.is_some()).await?;
    tx.commit().await?;
    Ok((user, made))
}

async fn may_create(ctx: &Ctx, tx: &mut Tx, org: OrgId) -> Result<()> {
    if org == ctx.home && ctx.actor != Actor::System {
        return Ok(());
    }
    let maker = tx.query_opt(&sql::MAKER, &params![org]).await?.ok_or_else(OrgId::missing)?;
    if ctx.actor == Actor::System {
        return Ok(());
    }
    let people: i64 = tx.query_one(&sql::COUNT, &params![org]).await?.get(0)?;
    let first = maker.get::<Option<OrgId>>(0)? == Some(ctx.home) && people == 0;
    if first { Ok(()) } else { Err(OrgId::missing()) }
}

/// A row to be inserted, checked.
pub(super) struct Row {
    pub(super) org: OrgId,
    pub(super) email: String,
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) locale: String,
}

pub(super) async fn insert(tx: &mut Tx, ctx: &Ctx, row: &Row, verifier: &str, temporary: bool) -> Result<User> {
    let id = UserId::new(ctx.ids());
    let values = params![
        row.org,
        id,
        &row.email,
        fold(&row.email),
        &row.name,
        fold(&row.name),
        row.role.as_str(),
        &row.locale,
        ctx.now
    ];
    if tx.execute(&sql::INSERT, &values).await? == 0 {
        let taken = Error::conflict("an account with this e-mail address exists already");
        return Err(Error { field: Some("email".to_owned()), ..taken });
    }
    let identity = ctx.ids().uuid7().to_string();
    tx.execute(&sql::ISSUE_PASSWORD, &params![row.org, identity, id, verifier, temporary, ctx.now]).await?;
    let data = json!({ "user": id, "source": "local" });
    events::emit(tx, ctx, row.org, "user.created", ("user", id.to_string()), data).await?;
    let after = json!({ "email": &row.email, "name": &row.name, "role": row.role });
    audit::record(tx, ctx, Change::new(row.org, "created", "user", id).after(after)).await?;
    find(tx, row.org, id).await
}

/// Changes name or language: of the own account, or of any in the own organisation for administrators.
///
/// # Errors
/// `NotFound` otherwise; `PreconditionRequired` and `Stale` by `if_match`.
pub async fn update(ctx: &Ctx, user: UserId, patch: &UserPatch, if_match: Option<i64>) -> Result<User> {
    if ctx.user() != Some(user) && ctx.role < Role::Admin {
        return Err(UserId::missing());
    }
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let old = find(&mut tx, ctx.home, user).await?;
    Error::check_version(if_match, old.version)?;
    let name = orgs::rules::name("name", patch.name.as_deref().unwrap_or(&old.name))?;
    let locale = orgs::rules::locale(patch.locale.as_deref().unwrap_or(&old.locale))?;
    tx.execute(&sql::UPDATE, &params![ctx.home, user, &name, fold(&name), &locale]).await?;
    let change = Change::new(ctx.home, "changed", "user", user)
        .before(json!({ "name": old.name, "locale": old.locale }))
        .after(json!({ "name": name, "locale": locale }));
    audit::record(&mut tx, ctx, change).await?;
    let new = find(&mut tx, ctx.home, user).await?;
    tx.commit().await?;
    Ok(new)
}

/// Gives an account another role; effective with its next request.
///
/// # Errors
/// `Forbidden` below admin, `NotFound` outside the own organisation, `Conflict` if no administrator would be left.
pub async fn set_role(ctx: &Ctx, user: UserId, role: Role, if_match: Option<i64>) -> Result<User> {
    ctx.require(Role::Admin, "change roles")?;
    if role == Role::Agent {
        return Err(Error::invalid("role", "a role is admin, manager or user"));
    }
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let old = lock_and_find(&mut tx, ctx, user, if_match).await?;
    if old.role == Role::Admin && role != Role::Admin {
        keep_an_admin(&mut tx, ctx, &old).await?;
    }
    tx.execute(&sql::SET_ROLE, &params![ctx.home, user, role.as_str()]).await?;
    let data = json!({ "user": user, "role": role, "scope": ctx.home });
    events::emit(&mut tx, ctx, ctx.home, "role.changed", ("user", user.to_string()), data).await?;
    let change = Change::new(ctx.home, "role-changed", "user", user)
        .before(json!({ "role": old.role }))
        .after(json!({ "role": role }));
    audit::record(&mut tx, ctx, change).await?;
    let new = find(&mut tx, ctx.home, user).await?;
    tx.commit().await?;
    Ok(new)
}

/// Disables an account, which ends its sessions and tokens, or lets it in again.
///
/// # Errors
/// `Forbidden` below admin, `NotFound` outside the own organisation, `Conflict` if no administrator would be left.
pub async fn set_state(ctx: &Ctx, user: UserId, state: UserState, if_match: Option<i64>) -> Result<User> {
    ctx.require(Role::Admin, "disable users")?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let old = lock_and_find(&mut tx, ctx, user, if_match).await?;
    if state == UserState::Disabled {
        if old.role == Role::Admin {
            keep_an_admin(&mut tx, ctx, &old).await?;
        }
        tx.execute(&sql::END_SESSIONS, &params![ctx.home, user, ""]).await?;
        tx.execute(&sql::REVOKE_TOKENS, &params![ctx.home, user, ctx.now]).await?;
    }
    tx.execute(&sql::SET_STATE, &params![ctx.home, user, state.as_str()]).await?;
    let (event, verb) = match state {
        UserState::Active => ("user.enabled", "enabled"),
        UserState::Disabled => ("user.disabled", "disabled"),
    };
    events::emit(&mut tx, ctx, ctx.home, event, ("user", user.to_string()), json!({ "user": user })).await?;
    audit::record(&mut tx, ctx, Change::new(ctx.home, verb, "user", user).before(json!({ "state": old.state })))
        .await?;
    let new = find(&mut tx, ctx.home, user).await?;
    tx.commit().await?;
    Ok(new)
}

async fn lock_and_find(tx: &mut Tx, ctx: &Ctx, user: UserId, if_match: Option<i64>) -> Result<User> {
    tx.execute(&sql::LOCK_ORG, &params![ctx.home]).await?;
    let user = find(tx, ctx.home, user).await?;
    Error::check_version(if_match, user.version)?;
    Ok(user)
}

async fn keep_an_admin(tx: &mut Tx, ctx: &Ctx, user: &User) -> Result<()> {
    let others: i64 = tx.query_one(&sql::OTHER_ADMINS, &params![ctx.home, user.id]).await?.get(0)?;
    match others {
        0 if user.state == UserState::Active => {
            Err(Error::conflict("this is the only administrator; make somebody else administrator first"))
        }
        _ => Ok(()),
    }
}

pub(super) async fn find(tx: &mut Tx, org: OrgId, user: UserId) -> Result<User> {
    let row = tx.query_opt(&sql::GET, &params![org, user]).await?;
    row.as_ref().map(read).transpose()?.ok_or_else(UserId::missing)
}

pub(super) fn read(row: &store::Row) -> Result<User> {
    Ok(User {
        org: row.get(0)?,
        id: row.get(1)?,
        email: row.get(2)?,
        name: row.get(3)?,
        role: Role::parse(&row.get::<String>(4)?)?,
        state: if row.get::<String>(5)? == "active" { UserState::Active } else { UserState::Disabled },
        locale: row.get(6)?,
        version: row.get(7)?,
        created_at: row.get(8)?,
        last_sign_in_at: row.get(9)?,
    })
}

pub(super) fn require_system(ctx: &Ctx) -> Result<()> {
    if ctx.actor == Actor::System { Ok(()) } else { Err(Error::forbidden("do this from outside the machine")) }
}

/// Only the own organisation: the class people is not covered by grants.
pub(super) fn home(ctx: &Ctx) -> View {
    View::tenant(&ctx.home.to_string())
}
