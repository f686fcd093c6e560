//! Tokens of programs: `plt_`, 256 random bits, a checksum; only the hash is kept, the text is shown once.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Tx, View, params};

use super::service::{self, home};
use super::sql;
use crate::audit::{self, Change};
use crate::ctx::{Actor, Ctx, Role};
use crate::error::{Error, Kind, Result};
use crate::ids::{OrgId, TokenId, UserId};
use crate::orgs;
use crate::platform::Platform;
use crate::scope;
use crate::secrets::{Secret, hash_of};
use crate::time::Micros;

/// By this people and scanners for leaked secrets know an API token.
pub const TOKEN_PREFIX: &str = "plt_";
const REASON: &str = "a token, before it is known whose";
/// A use is written at most this often, µs.
const TOUCH: i64 = 60_000_000;
const DAY: u64 = 86_400;

/// A new token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for.
    pub name: String,
    /// `read`, `write` or `admin`; not above the own role.
    pub scope: String,
    /// Ends after so many days, 1..=3650; `None`: never.
    #[serde(default)]
    pub expires_days: Option<u64>,
}

/// A token, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Token {
    /// Its id; no secret.
    pub id: TokenId,
    /// Whose it is.
    pub user: UserId,
    /// What it is for.
    pub name: String,
    /// `read`, `write` or `admin`.
    pub scope: String,
    /// When it was made.
    pub created_at: Micros,
    /// When it ends.
    pub expires_at: Option<Micros>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Micros>,
}

/// What a scope allows.
fn role_of(scope: &str) -> Result<Role> {
    match scope {
        "read" => Ok(Role::User),
        "write" => Ok(Role::Manager),
        "admin" => Ok(Role::Admin),
        _ => Err(Error::invalid("scope", "a scope is read, write or admin")),
    }
}

/// Makes a token for the own account; the text is shown this once.
///
/// # Errors
/// `Forbidden` without an account or for a scope above the own role; `Invalid` for a field that does not fit.
pub async fn create_token(ctx: &Ctx, new: &NewToken) -> Result<(Secret, Token)> {
    let user = ctx.user().ok_or_else(|| Error::forbidden("have tokens"))?;
    ctx.require(role_of(&new.scope)?, "make a token that may do more than you")?;
    make(ctx, ctx.home, user, new).await
}

/// Makes a token for an account, from the machine itself.
///
/// # Errors
/// `Forbidden` for anyone but the program itself; `NotFound` for an unknown account.
pub async fn create_token_for(ctx: &Ctx, org: OrgId, user: UserId, new: &NewToken) -> Result<(Secret, Token)> {
    service::require_system(ctx)?;
    let role = service::find(&mut ctx.db().read(&ctx.scope.view()).await?, org, user).await?.role;
    if role_of(&new.scope)? > role {
        return Err(Error::forbidden("make a token that may do more than its owner"));
    }
    make(ctx, org, user, new).await
}

async fn make(ctx: &Ctx, org: OrgId, user: UserId, new: &NewToken) -> Result<(Secret, Token)> {
    let name = orgs::rules::name("name", &new.name)?;
    let expires_at = match new.expires_days {
        None => None,
        Some(days @ 1..=3_650) => Some(ctx.now + Duration::from_secs(days * DAY)),
        Some(_) => return Err(Error::invalid("expires_days", "a token lives 1 to 3650 days, or without end")),
    };
    let secret = with_checksum(&Secret::random(ctx.ids(), TOKEN_PREFIX));
    let id = TokenId::new(ctx.ids());
    let mut tx = ctx.db().write(&View::tenant(&org.to_string())).await?;
    let values = params![org, id, user, &name, secret.hash(), &new.scope, ctx.now, expires_at];
    tx.execute(&sql::INSERT_TOKEN, &values).await?;
    let after = json!({ "name": &name, "scope": &new.scope, "user": user });
    audit::record(&mut tx, ctx, Change::new(org, "created", "token", id).after(after)).await?;
    tx.commit().await?;
    let scope = new.scope.clone();
    Ok((secret, Token { id, user, name, scope, created_at: ctx.now, expires_at, last_used_at: None }))
}

/// The tokens of an account: the own one, or for administrators any of the own organisation.
///
/// # Errors
/// `NotFound` for any other.
pub async fn list_tokens(ctx: &Ctx, user: UserId) -> Result<Vec<Token>> {
    let mut tx = ctx.db().read(&home(ctx)).await?;
    if ctx.user() != Some(user) {
        if ctx.role < Role::Admin {
            return Err(UserId::missing());
        }
        service::find(&mut tx, ctx.home, user).await?;
    }
    let rows = tx.query(&sql::TOKENS, &params![ctx.home, user]).await?;
    rows.iter()
        .map(|row| {
            Ok(Token {
                id: row.get(0)?,
                user: row.get(1)?,
                name: row.get(2)?,
                scope: row.get(3)?,
                created_at: row.get(4)?,
                expires_at: row.get(5)?,
                last_used_at: row.get(6)?,
            })
        })
        .collect()
}

/// Ends a token: an own one, or for administrators any of the own organisation.
///
/// # Errors
/// `NotFound` for any other.
pub async fn revoke_token(ctx: &Ctx, token: TokenId) -> Result<()> {
    let mut tx = ctx.db().write(&home(ctx)).await?;
    let (owner, name) = owner(&mut tx, ctx, token).await?;
    if ctx.user() != Some(owner) && ctx.role < Role::Admin {
        return Err(TokenId::missing());
    }
    tx.execute(&sql::REVOKE_TOKEN, &params![ctx.home, token, ctx.now]).await?;
    let change = Change::new(ctx.home, "revoked", "token", token).before(json!({ "name": name, "user": owner }));
    audit::record(&mut tx, ctx, change).await?;
    Ok(tx.commit().await?)
}

async fn owner(tx: &mut Tx, ctx: &Ctx, token: TokenId) -> Result<(UserId, String)> {
    let row = tx.query_opt(&sql::TOKEN_OWNER, &params![ctx.home, token]).await?.ok_or_else(TokenId::missing)?;
    Ok((row.get(0)?, row.get(1)?))
}

/// The request of a program with a token.
///
/// # Errors
/// `Unauthenticated` for a token that is wrong, ended or revoked, or whose owner is disabled.
pub async fn bearer(platform: &Platform, token: &str) -> Result<Ctx> {
    let now = platform.now();
    let wrong = || Error::new(Kind::Unauthenticated, "the token is wrong, has ended or was revoked");
    if !has_checksum(token) {
        return Err(wrong());
    }
    let mut tx = platform.db().read(&View::All(REASON)).await?;
    let row = tx.query_opt(&sql::BEARER, &params![hash_of(token), now]).await?.ok_or_else(wrong)?;
    let (home_org, id, user): (OrgId, TokenId, UserId) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let role = role_of(&row.get::<String>(4)?)?.min(Role::parse(&row.get::<String>(6)?)?);
    let used: Option<Micros> = row.get(5)?;
    let scope = scope::of(&mut tx, home_org, now).await?;
    drop(tx);
    let actor = Actor::Token { id, user, name: row.get(3)? };
    let ctx = Ctx { platform: platform.clone(), actor, home: home_org, role, scope, now, request: String::new() };
    if used.is_none_or(|used| now.0 - used.0 > TOUCH) {
        let mut tx = platform.db().write(&home(&ctx)).await?;
        tx.execute(&sql::TOUCH_TOKEN, &params![home_org, id, now]).await?;
        tx.commit().await?;
    }
    Ok(ctx)
}

/// Six characters of checksum, so that a mistyped token costs no look into the database.
fn with_checksum(secret: &Secret) -> Secret {
    Secret::new(format!("{}{}", secret.expose(), checksum(secret.expose())))
}

fn has_checksum(token: &str) -> bool {
    token.starts_with(TOKEN_PREFIX)
        && token.len() == TOKEN_PREFIX.len() + 43 + 6
        && token.is_ascii()
        && checksum(&token[..token.len() - 6]) == token[token.len() - 6..]
}

fn checksum(text: &str) -> String {
    let mut sum = URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()));
    sum.truncate(6);
    sum
}
