//! The first account: by a one-time secret in a URL, or from the machine itself. Once done it never opens again.

use serde::Deserialize;
use store::{View, params};

use super::service::{self, Row};
use super::{User, rules, sql};
use crate::ctx::{Ctx, Role};
use crate::error::{Error, Kind, Result};
use crate::orgs::{self, NewOrg};
use crate::platform::Platform;
use crate::secrets::{Secret, hash_of};

const REASON: &str = "set-up, before there is any organisation";

/// The first organisation and its administrator.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FirstUser {
    /// The root organisation; only name, zone, locale and currency count.
    pub organisation: NewOrg,
    /// What the administrator signs in with.
    pub email: String,
    /// Name for people.
    pub name: String,
    /// At least 15 characters.
    pub password: Secret,
}

/// Whether nobody has set this installation up yet: a fact of the database, not of a file or a flag.
///
/// # Errors
/// When the database refuses.
pub async fn setup_needed(platform: &Platform) -> Result<bool> {
    let mut tx = platform.db().read(&View::All(REASON)).await?;
    let row = tx.query_opt(&sql::INSTALLATION, &[]).await?;
    Ok(match row {
        None => true,
        Some(row) => row.get::<Option<i64>>(1)?.is_none(),
    })
}

/// A new set-up secret, of which only a hash is kept: older ones end. `None` when set-up is done.
///
/// # Errors
/// When the database refuses.
pub async fn setup_secret(platform: &Platform) -> Result<Option<Secret>> {
    if !setup_needed(platform).await? {
        return Ok(None);
    }
    let secret = Secret::random(platform.ids(), "");
    let mut tx = platform.db().write(&View::All(REASON)).await?;
    let kept = tx.execute(&sql::SETUP_HASH, &params![secret.hash()]).await?;
    tx.commit().await?;
    Ok((kept == 1).then_some(secret))
}

/// Makes the first organisation and account for whoever has the set-up secret.
///
/// # Errors
/// `Forbidden` for a wrong or used secret, `Invalid` for a field that does not fit.
pub async fn setup_first(platform: &Platform, secret: &str, first: &FirstUser) -> Result<User> {
    let ctx = platform.system(REASON);
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let row = tx.query_opt(&sql::INSTALLATION, &[]).await?;
    drop(tx);
    let stored: Option<String> = row.map(|row| row.get(0)).transpose()?.flatten();
    let fits = stored.is_some_and(|stored| Secret::new(stored).matches(&hash_of(secret)));
    if !fits {
        return Err(Error::new(
            Kind::Forbidden,
            "this set-up address is wrong or was used; start the server again for a new one",
        ));
    }
    rules::password(&first.password, &rules::email(&first.email)?, &first.name)?;
    make(&ctx, first).await
}

/// Makes the first organisation and account for whoever runs a program on the machine of the data.
///
/// # Errors
/// `Conflict` when set-up is done, `Invalid` for a field that does not fit.
pub async fn setup_local(platform: &Platform, first: &FirstUser) -> Result<User> {
    rules::password(&first.password, &rules::email(&first.email)?, &first.name)?;
    make(&platform.system(REASON), first).await
}

/// Makes both; the password is checked by the caller.
pub(super) async fn make(ctx: &Ctx, first: &FirstUser) -> Result<User> {
    let email = rules::email(&first.email)?;
    let verifier = ctx.platform.passwords().hash(ctx.ids(), &first.password).await?;
    let mut tx = ctx.db().write(&View::All(REASON)).await?;
    if tx.execute(&sql::SETUP_DONE, &params![ctx.now]).await? != 1 {
        return Err(Error::conflict("this installation is set up already"));
    }
    let org = orgs::create_root(&mut tx, ctx, &first.organisation).await?;
    let locale = first.organisation.locale.clone().unwrap_or_else(|| "en".to_owned());
    let row = Row { org, email, name: first.name.clone(), role: Role::Admin, locale };
    let user = service::insert(&mut tx, ctx, &row, &verifier, false).await?;
    tx.commit().await?;
    Ok(user)
}
