//! Sign-in and sessions: a random token for the browser, its hash in the database, two ends, and rotation.

use std::net::IpAddr;

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::json;
use store::{Tx, View, params};

use super::budgets::Charge;
use super::service::{self, home};
use super::{Session, User, UserState, rules, sql};
use crate::audit::{self, Change};
use crate::ctx::{Actor, Ctx};
use crate::error::{Error, Kind, Result};
use crate::events;
use crate::filter::fold;
use crate::platform::Platform;
use crate::scope;
use crate::secrets::{Secret, hash_of};
use crate::time::Micros;

const REASON: &str = "a session or sign-in, before it is known whose";
/// A sign of life is written at most this often, µs.
const TOUCH: i64 = 60_000_000;

/// What a person sends to sign in.
#[derive(Debug)]
pub struct SignIn {
    /// Address of the account.
    pub email: String,
    /// Its password.
    pub password: Secret,
    /// Where the request came from; failures are counted by network.
    pub address: Option<IpAddr>,
    /// Program that asks (`User-Agent`), for the list of sessions; cut to 200 characters.
    pub client: String,
    /// Id of the request, for the audit.
    pub request: String,
}

/// One session, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionRow {
    /// Names it; no secret.
    pub id: String,
    /// Program.
    pub client: String,
    /// Network.
    pub address: String,
    /// Sign-in.
    pub created_at: Micros,
    /// Last request, to the minute.
    pub seen_at: Micros,
    /// Ends then, if nothing happens.
    pub idle_until: Micros,
    /// Ends then.
    pub absolute_until: Micros,
}

/// Signs in: the token for the cookie, shown to nobody else, and the session.
///
/// # Errors
/// `Unauthenticated` in the same words and time for an unknown address, a wrong password and a disabled account;
/// `TooMany` while a lock stands; `Unavailable` in a flood.
pub async fn sign_in(platform: &Platform, sign_in: &SignIn) -> Result<(Secret, Session)> {
    let now = platform.now();
    let charge = Charge::new(platform, &sign_in.email, sign_in.address);
    charge.take(platform, now).await?;
    let found = prove(platform, sign_in, now).await?;
    let Some((user, temporary)) = found else {
        tracing::info!(network = rules::source(sign_in.address), "a sign-in failed");
        return Err(Error::new(Kind::Unauthenticated, "e-mail address or password is wrong"));
    };
    let actor = Actor::User { id: user.id, name: user.name.clone() };
    let ctx = scope::request(platform, user.org, actor, user.role).await?.with_request(&*sign_in.request);
    let token = Secret::random(platform.ids(), "");
    let (idle_until, absolute_until) = (now + rules::idle(user.role), now + rules::ABSOLUTE);
    let mut tx = platform.db().write(&View::All(REASON)).await?;
    charge.give_back(&mut tx).await?;
    let client: String = sign_in.client.chars().filter(|c| !c.is_control()).take(200).collect();
    let address = rules::source(sign_in.address);
    let values = params![user.org, token.hash(), user.id, &client, address, now, idle_until, absolute_until];
    tx.execute(&sql::START_SESSION, &values).await?;
    tx.execute(&sql::SIGNED_IN, &params![user.org, user.id, now]).await?;
    let subject = ("user", user.id.to_string());
    events::emit(&mut tx, &ctx, user.org, "session.started", subject, json!({ "client": client })).await?;
    audit::record(&mut tx, &ctx, Change::new(user.org, "signed-in", "user", user.id)).await?;
    tx.commit().await?;
    let csrf = csrf(&token);
    Ok((token, Session { ctx, user, csrf, idle_until, absolute_until, must_change: temporary }))
}

/// The account that this address and password prove; one address may have accounts in several organisations.
async fn prove(platform: &Platform, sign_in: &SignIn, now: Micros) -> Result<Option<(User, bool)>> {
    let oversized = sign_in.password.expose().len() > rules::MAX_PASSWORD;
    let mut candidates = Vec::new();
    let mut tx = platform.db().read(&View::All(REASON)).await?;
    for row in tx.query(&sql::BY_EMAIL, &params![fold(&sign_in.email)]).await? {
        let user = service::read(&row)?;
        let Some(proof) = tx.query_opt(&sql::PASSWORD, &params![user.org, user.id]).await? else { continue };
        let (verifier, temporary, issued): (String, bool, Micros) = (proof.get(0)?, proof.get(1)?, proof.get(2)?);
        let expired = temporary && now > issued + rules::TEMPORARY;
        let usable = user.state == UserState::Active && !expired && !oversized;
        candidates.push((user, verifier, temporary, usable));
    }
    drop(tx);
    if candidates.is_empty() || oversized {
        platform.passwords().verify(&Secret::new(""), None).await?;
        return Ok(None);
    }
    for (user, verifier, temporary, usable) in candidates {
        if platform.passwords().verify(&sign_in.password, Some(verifier)).await? && usable {
            return Ok(Some((user, temporary)));
        }
    }
    Ok(None)
}

/// The session that a cookie names, prolonged because its owner acts.
///
/// # Errors
/// `Unauthenticated` when it has ended, was never, or the account is disabled.
pub async fn resume(platform: &Platform, token: &str) -> Result<Session> {
    let (mut session, seen) = find(platform, token).await?;
    let now = session.ctx.now;
    if now.0 - seen.0 > TOUCH {
        session.idle_until = now + rules::idle(session.user.role);
        let mut tx = platform.db().write(&home(&session.ctx)).await?;
        let values = params![session.user.org, hash_of(token), now, session.idle_until];
        tx.execute(&sql::TOUCH_SESSION, &values).await?;
        tx.commit().await?;
    }
    Ok(session)
}

/// The session that a cookie names, not prolonged: an open page that renews itself is not a person at work.
///
/// # Errors
/// As [`resume`].
pub async fn glance(platform: &Platform, token: &str) -> Result<Session> {
    find(platform, token).await.map(|(session, _)| session)
}

/// A live session, and when its owner was last at work.
async fn find(platform: &Platform, token: &str) -> Result<(Session, Micros)> {
    let now = platform.now();
    let ended = || Error::new(Kind::Unauthenticated, "the session has ended; sign in again");
    if token.len() != 43 {
        return Err(ended());
    }
    let token = Secret::new(token);
    let mut tx = platform.db().read(&View::All(REASON)).await?;
    let row = tx.query_opt(&sql::SESSION, &params![token.hash()]).await?.ok_or_else(ended)?;
    let user = service::read(&row)?;
    let (seen, idle_until, absolute_until): (Micros, Micros, Micros) = (row.get(10)?, row.get(11)?, row.get(12)?);
    if user.state != UserState::Active || now > idle_until || now > absolute_until {
        return Err(ended());
    }
    let scope = scope::of(&mut tx, user.org, now).await?;
    drop(tx);
    let actor = Actor::User { id: user.id, name: user.name.clone() };
    let ctx =
        Ctx { platform: platform.clone(), actor, home: user.org, role: user.role, scope, now, request: String::new() };
    let session = Session {
        ctx,
        csrf: csrf(&token),
        idle_until,
        absolute_until,
        must_change: row.get::<Option<bool>>(13)?.unwrap_or(false),
        user,
    };
    Ok((session, seen))
}

/// A new token for the same session, after the password or the rights of its owner changed; the old one is dead.
///
/// # Errors
/// `Unauthenticated` when the session has ended.
pub async fn rotate(ctx: &Ctx, token: &str) -> Result<Secret> {
    let new = Secret::random(ctx.ids(), "");
    let mut tx = ctx.db().write(&home(ctx)).await?;
    if tx.execute(&sql::ROTATE_SESSION, &params![ctx.home, hash_of(token), new.hash()]).await? == 0 {
        return Err(Error::new(Kind::Unauthenticated, "the session has ended; sign in again"));
    }
    tx.commit().await?;
    Ok(new)
}

/// Ends the session; a token of no session is no error.
///
/// # Errors
/// When the database refuses.
pub async fn sign_out(ctx: &Ctx, token: &str) -> Result<()> {
    let mut tx = ctx.db().write(&home(ctx)).await?;
    if tx.execute(&sql::END_SESSION, &params![ctx.home, hash_of(token)]).await? > 0 {
        tell_end(&mut tx, ctx).await?;
    }
    Ok(tx.commit().await?)
}

/// The own sessions, newest first.
///
/// # Errors
/// `Forbidden` without an account.
pub async fn list_sessions(ctx: &Ctx) -> Result<Vec<SessionRow>> {
    let user = ctx.user().ok_or_else(|| Error::forbidden("have sessions"))?;
    let mut tx = ctx.db().read(&home(ctx)).await?;
    let rows = tx.query(&sql::SESSIONS, &params![ctx.home, user, ctx.now]).await?;
    rows.iter()
        .map(|row| {
            Ok(SessionRow {
                id: row.get(0)?,
                client: row.get(1)?,
                address: row.get(2)?,
                created_at: row.get(3)?,
                seen_at: row.get(4)?,
                idle_until: row.get(5)?,
                absolute_until: row.get(6)?,
            })
        })
        .collect()
}

/// Ends one of the own sessions, by its id in [`list_sessions`].
///
/// # Errors
/// `NotFound` for any other.
pub async fn end_session(ctx: &Ctx, id: &str) -> Result<()> {
    let user = ctx.user().ok_or_else(|| Error::forbidden("have sessions"))?;
    let mut tx = ctx.db().write(&home(ctx)).await?;
    if tx.execute(&sql::END_OWN_SESSION, &params![ctx.home, user, id]).await? == 0 {
        return Err(Error::not_found("session"));
    }
    tell_end(&mut tx, ctx).await?;
    Ok(tx.commit().await?)
}

async fn tell_end(tx: &mut Tx, ctx: &Ctx) -> Result<()> {
    let user = ctx.user().map(|user| user.to_string()).unwrap_or_default();
    events::emit(tx, ctx, ctx.home, "session.ended", ("user", user.clone()), json!({})).await?;
    audit::record(tx, ctx, Change::new(ctx.home, "signed-out", "user", user)).await
}

/// Made of the token, so that it need not be stored and ends with it.
fn csrf(token: &Secret) -> Secret {
    let key = hmac::Key::new(hmac::HMAC_SHA256, token.expose().as_bytes());
    Secret::new(URL_SAFE_NO_PAD.encode(hmac::sign(&key, b"platen-csrf")))
}
