//! The person before a page: their session, what they look at, and the token that their forms must carry.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, Method, request::Parts},
};
use platen_core::{Ctx, Kind, OrgId};

use crate::{
    app::{App, cookie},
    security::RequestId,
    session::{self, FOCUS, NOTE, SESSION, THEME, theme_of},
    trouble::Trouble,
};

/// A signed-in person.
#[derive(Clone, Debug)]
pub(crate) struct Viewer {
    /// Who asks, looking only at the organisation that they chose.
    pub(crate) ctx: Ctx,
    /// Without that choice: all they may see.
    pub(crate) whole: Ctx,
    /// What forms must send back.
    pub(crate) csrf: String,
    /// `light`, `dark`, or empty for the system's.
    pub(crate) theme: &'static str,
    /// Path and query of this page.
    pub(crate) path: String,
    /// Key of the line that tells what the last form did.
    pub(crate) note: Option<String>,
    /// What the account signs in with.
    pub(crate) email: String,
    /// The password was made by another and must be changed before anything else.
    pub(crate) must_change: bool,
    /// Token of the session.
    pub(crate) session: String,
}

/// Compares without telling how much was right.
pub(crate) fn same(a: &str, b: &str) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a.as_bytes(), b.as_bytes()).is_ok()
}

/// The request's id, as the core writes it into audit records.
pub(crate) fn request_id(parts: &Parts) -> String {
    parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default()
}

/// Narrows to the organisation that a cookie or `?org=` names; one that is not visible is simply not chosen.
async fn focus(ctx: &Ctx, headers: &HeaderMap) -> Ctx {
    let Some(org) = cookie(headers, FOCUS).and_then(|text| OrgId::parse(text).ok()) else { return ctx.clone() };
    ctx.focused(org).await.unwrap_or_else(|_| ctx.clone())
}

/// Pages that one may see with a password that was made by another.
fn without_change(path: &str) -> bool {
    matches!(path, "/account" | "/account/password" | "/account/theme" | "/sign-out")
}

impl FromRequestParts<App> for Viewer {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Trouble> {
        let path = parts.uri.path_and_query().map(|p| p.as_str().to_owned()).unwrap_or_default();
        let next = if parts.method == Method::GET { path.clone() } else { "/devices".to_owned() };
        let Some(token) = cookie(&parts.headers, SESSION).map(str::to_owned) else {
            return Err(Trouble::SignIn { next });
        };
        let resumed = match session::of_token(app, &parts.headers, &token).await {
            Ok(resumed) => resumed,
            Err(error) if error.kind == Kind::Unauthenticated => return Err(Trouble::SignIn { next }),
            Err(error) => return Err(error.into()),
        };
        if resumed.must_change && !without_change(parts.uri.path()) {
            return Err(Trouble::Elsewhere("/account?must-change=1#password"));
        }
        let whole = resumed.ctx.with_request(request_id(parts));
        Ok(Self {
            ctx: focus(&whole, &parts.headers).await,
            whole,
            csrf: resumed.csrf.expose().to_owned(),
            email: resumed.user.email,
            must_change: resumed.must_change,
            theme: theme_of(cookie(&parts.headers, THEME)),
            path,
            note: cookie(&parts.headers, NOTE).map(str::to_owned),
            session: token,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_compared_whole() {
        assert!(same("x", "x") && !same("x", "y") && !same("", "x"));
    }
}
