//! The program (or page script) before the API: a token by Bearer or Basic, or a session cookie with the CSRF header.

use axum::{
    extract::FromRequestParts,
    http::{Method, header, request::Parts},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use platen_core::{Ctx, OrgId, users};

use crate::{
    app::{App, cookie},
    problem::Problem,
    session::{self, SESSION},
    viewer::{request_id, same},
};

/// Who calls the API.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Who asks, narrowed by `?org=` if given.
    pub(crate) ctx: Ctx,
}

/// Header that repeats the form token when a script writes with the session cookie.
const CSRF_HEADER: &str = "platen-csrf";

/// The token of `Authorization: Bearer …`, or the password of `Basic …`.
fn token(parts: &Parts) -> Result<Option<String>, Problem> {
    let Some(value) = parts.headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let wrong = || Problem::unauthenticated("Authorization is `Bearer TOKEN`, or `Basic` with the token as password");
    let text = value.to_str().map_err(|_| wrong())?;
    let (scheme, rest) = text.split_once(' ').ok_or_else(wrong)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Some(rest.trim().to_owned()));
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let decoded =
            STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(wrong)?;
        let (_, password) = decoded.split_once(':').ok_or_else(wrong)?;
        return Ok(Some(password.to_owned()));
    }
    Err(wrong())
}

async fn identify(parts: &Parts, app: &App) -> Result<Ctx, Problem> {
    if let Some(token) = token(parts)? {
        return Ok(users::bearer(&app.platform, &token).await?);
    }
    let Some(token) = cookie(&parts.headers, SESSION) else {
        return Err(Problem::unauthenticated("send an API token, or sign in"));
    };
    let resumed = session::of_token(app, &parts.headers, token).await?;
    let reads = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let proof = parts.headers.get(CSRF_HEADER).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !reads && !same(proof, resumed.csrf.expose()) {
        return Err(Problem::forbidden(format!("a write with the session cookie needs the header {CSRF_HEADER}")));
    }
    if resumed.must_change {
        return Err(Problem::forbidden("the password was made by another; change it first"));
    }
    Ok(resumed.ctx)
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let id = request_id(parts);
        let ctx = identify(parts, app).await.map_err(|p| p.with_instance(&id))?.with_request(id.clone());
        let org = parts.uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("org="));
        let ctx = match org {
            Some(org) => ctx.focused(OrgId::parse(org)?).await.map_err(|e| Problem::from(e).with_instance(&id))?,
            None => ctx,
        };
        Ok(Self { ctx })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(value: &str) -> Parts {
        axum::http::Request::builder().header("authorization", value).body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_token_comes_as_bearer_or_as_password() {
        assert_eq!(token(&parts("Bearer plt_x")).unwrap().as_deref(), Some("plt_x"));
        assert_eq!(token(&parts("bearer  plt_x")).unwrap().as_deref(), Some("plt_x"));
        let basic = format!("Basic {}", STANDARD.encode("anyone:plt:x"));
        assert_eq!(token(&parts(&basic)).unwrap().as_deref(), Some("plt:x"));
        assert_eq!(token(&parts("Digest x")).unwrap_err().status, 401);
    }
}
