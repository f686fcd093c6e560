//! Changing a password: by its owner, or anew by an administrator, who never chooses the new one.

use store::{Tx, View, params};

use super::service::{find, home};
use super::{budgets, rules, sql};
use crate::audit::{self, Change};
use crate::ctx::{Actor, Ctx, Role};
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::secrets::Secret;

/// Changes the own password; all other sessions end. `keep` is the session that asks.
///
/// # Errors
/// `Invalid` for a wrong present or a weak new password; `TooMany` after too many wrong ones.
pub async fn set_password(ctx: &Ctx, present: &Secret, new: &Secret, keep: Option<&str>) -> Result<()> {
    let Actor::User { id, .. } = ctx.actor else { return Err(Error::forbidden("change a password without a session")) };
    let mut tx = ctx.db().read(&home(ctx)).await?;
    let user = find(&mut tx, ctx.home, id).await?;
    let row = tx.query_opt(&sql::PASSWORD, &params![ctx.home, id]).await?;
    drop(tx);
    let verifier: Option<String> = row.map(|row| row.get(0)).transpose()?;
    let charge = budgets::Charge::new(&ctx.platform, &user.email, None);
    charge.take(&ctx.platform, ctx.now).await?;
    if !ctx.platform.passwords().verify(present, verifier).await? {
        return Err(Error::invalid("present", "the present password is another one"));
    }
    rules::password(new, &user.email, &user.name)?;
    let verifier = ctx.platform.passwords().hash(ctx.ids(), new).await?;
    let mut tx = ctx.db().write(&View::All("a password, and the failures counted before it")).await?;
    charge.give_back(&mut tx).await?;
    replace_password(&mut tx, ctx, id, &verifier, false, keep).await?;
    audit::record(&mut tx, ctx, Change::new(ctx.home, "password-changed", "user", id)).await?;
    Ok(tx.commit().await?)
}

/// Starts anew for somebody who forgot: a password to be shown once, good for three days, to be changed at sign-in.
///
/// # Errors
/// `Forbidden` below admin, `NotFound` outside the own organisation.
pub async fn reset_password(ctx: &Ctx, user: UserId) -> Result<Secret> {
    ctx.require(Role::Admin, "reset passwords")?;
    find(&mut ctx.db().read(&home(ctx)).await?, ctx.home, user).await?;
    let password = Secret::random(ctx.ids(), "");
    let verifier = ctx.platform.passwords().hash(ctx.ids(), &password).await?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    find(&mut tx, ctx.home, user).await?;
    replace_password(&mut tx, ctx, user, &verifier, true, None).await?;
    audit::record(&mut tx, ctx, Change::new(ctx.home, "password-reset", "user", user)).await?;
    tx.commit().await?;
    Ok(password)
}

pub(super) async fn replace_password(
    tx: &mut Tx,
    ctx: &Ctx,
    user: UserId,
    verifier: &str,
    temporary: bool,
    keep: Option<&str>,
) -> Result<()> {
    tx.execute(&sql::REVOKE_PASSWORD, &params![ctx.home, user]).await?;
    let identity = ctx.ids().uuid7().to_string();
    tx.execute(&sql::ISSUE_PASSWORD, &params![ctx.home, identity, user, verifier, temporary, ctx.now]).await?;
    let keep = keep.map(crate::secrets::hash_of).unwrap_or_default();
    tx.execute(&sql::END_SESSIONS, &params![ctx.home, user, keep]).await?;
    Ok(())
}
