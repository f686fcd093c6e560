//! What whoever runs a program on the machine of the data may do: accounts, passwords and tokens without a browser.
//! The right comes from the data folder and its key; that is why a shorter password is the operator's choice here.

use store::View;

use super::service::{self, Row};
use super::{FirstUser, NewToken, Token, User, find_by_email, password_change, rules, setup, tokens};
use crate::audit::{self, Change};
use crate::ctx::{Actor, Ctx, Role};
use crate::error::{Error, Result};
use crate::ids::OrgId;
use crate::orgs::{self, NewOrg, OrgKind};
use crate::platform::Platform;
use crate::scope;
use crate::secrets::Secret;

const REASON: &str = "an account, by the operator of this machine";

/// An account by command line.
#[derive(Debug)]
pub struct LocalUser {
    /// What it signs in with.
    pub email: String,
    /// Name for people.
    pub name: String,
    /// What it may do; the first account of all has to be an admin.
    pub role: Role,
    /// At least [`super::LOCAL_PASSWORD`] characters; below [`super::MIN_PASSWORD`] the caller should warn.
    pub password: Secret,
    /// Name of the first organisation, made together with the first account.
    pub organisation: String,
}

/// The first account with its organisation, or a further one of the first organisation.
///
/// # Errors
/// `Invalid` for a field that does not fit, `Conflict` for a taken address.
pub async fn create_local(platform: &Platform, new: LocalUser) -> Result<User> {
    let ctx = platform.system(REASON);
    let email = rules::email(&new.email)?;
    rules::password_of(rules::LOCAL_PASSWORD, &new.password, &email, &new.name)?;
    if setup::setup_needed(platform).await? {
        if new.role != Role::Admin {
            return Err(Error::invalid("role", "the first account has to be an admin"));
        }
        let organisation =
            NewOrg { name: new.organisation, kind: OrgKind::Root.as_str().to_owned(), ..NewOrg::default() };
        return setup::make(&ctx, &FirstUser { organisation, email, name: new.name, password: new.password }).await;
    }
    let home = first_org(&ctx).await?;
    let ctx = Ctx { home, ..ctx };
    let verifier = platform.passwords().hash(ctx.ids(), &new.password).await?;
    let mut tx = ctx.db().write(&View::All(REASON)).await?;
    let row = Row { org: home, email, name: new.name, role: new.role, locale: "en".to_owned() };
    let user = service::insert(&mut tx, &ctx, &row, &verifier, false).await?;
    tx.commit().await?;
    Ok(user)
}

/// A new password for an account; its sessions end.
///
/// # Errors
/// `NotFound` without such an account, `Invalid` for a weak password.
pub async fn reset_local(platform: &Platform, email: &str, password: &Secret) -> Result<()> {
    let user = find_by_email(&platform.system(REASON), email).await?;
    rules::password_of(rules::LOCAL_PASSWORD, password, &user.email, &user.name)?;
    let ctx = Ctx { home: user.org, ..platform.system(REASON) };
    let verifier = platform.passwords().hash(ctx.ids(), password).await?;
    let mut tx = ctx.db().write(&View::All(REASON)).await?;
    password_change::replace_password(&mut tx, &ctx, user.id, &verifier, false, None).await?;
    audit::record(&mut tx, &ctx, Change::new(user.org, "password-reset", "user", user.id)).await?;
    tx.commit().await?;
    Ok(())
}

/// A token with the rights of an account, bounded by its scope.
///
/// # Errors
/// `NotFound` without such an account, `Invalid` for a field that does not fit.
pub async fn token_local(platform: &Platform, email: &str, new: &NewToken) -> Result<(Secret, Token)> {
    let ctx = platform.system(REASON);
    let user = find_by_email(&ctx, email).await?;
    tokens::create_token_for(&ctx, user.org, user.id, new).await
}

/// A request in the name of an account, as if it had signed in.
///
/// # Errors
/// `NotFound` without such an account.
pub async fn ctx_local(platform: &Platform, email: &str) -> Result<Ctx> {
    let user = find_by_email(&platform.system(REASON), email).await?;
    let now = platform.now();
    let mut tx = platform.db().read(&View::All(REASON)).await?;
    let scope = scope::of(&mut tx, user.org, now).await?;
    let actor = Actor::User { id: user.id, name: user.name };
    Ok(Ctx { platform: platform.clone(), actor, home: user.org, role: user.role, scope, now, request: String::new() })
}

async fn first_org(ctx: &Ctx) -> Result<OrgId> {
    let top = orgs::tree(ctx).await?.into_iter().find(|org| org.parent.is_none());
    top.map(|org| org.id).ok_or_else(|| Error::internal("an installation that is set up has no organisation"))
}
