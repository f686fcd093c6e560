//! Names and values of a query or a form: many values for a name, in the order they were sent.

use axum::{
    RequestPartsExt,
    extract::{Form, FromRequest, FromRequestParts, Query, Request},
    http::request::Parts,
};

use crate::{
    app::App,
    trouble::Trouble,
    viewer::{Viewer, same},
};

/// Pairs of a query string.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(pub(crate) Vec<(String, String)>);

impl Fields {
    /// Those of a bare address.
    pub(crate) const NONE: &'static Self = &Self(Vec::new());

    /// PostgreSQL holds no NUL, and no browser sends one by itself.
    fn checked(pairs: Vec<(String, String)>) -> Result<Self, Trouble> {
        match pairs.iter().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
            Some((name, _)) => {
                Err(Trouble::bad_request(&format!("`{}` holds a NUL; take it out", name.replace('\0', ""))))
            }
            None => Ok(Self(pairs)),
        }
    }

    /// First value; empty counts as absent.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.trim().is_empty()).map(|(_, value)| value.trim())
    }

    /// First value as sent, or nothing.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim()).unwrap_or_default()
    }

    /// All values that are not empty.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str()).collect()
    }

    /// The pairs without some names, as a query string with its `?`; empty when nothing is left.
    pub(crate) fn query_without(&self, names: &[&str]) -> String {
        query(self.0.iter().filter(|(key, value)| !value.is_empty() && !names.contains(&key.as_str())))
    }

    /// The same query with one name set to one value.
    pub(crate) fn query_with(&self, name: &str, value: &str, dropped: &[&str]) -> String {
        let mut pairs: Vec<(String, String)> = self
            .0
            .iter()
            .filter(|(k, v)| k != name && !v.is_empty() && !dropped.contains(&k.as_str()))
            .cloned()
            .collect();
        if !value.is_empty() {
            pairs.push((name.to_owned(), value.to_owned()));
        }
        query(pairs.iter())
    }
}

fn query<'p>(pairs: impl Iterator<Item = &'p (String, String)>) -> String {
    let mut out = String::new();
    for (key, value) in pairs {
        out.push(if out.is_empty() { '?' } else { '&' });
        out.push_str(&encode(key));
        out.push('=');
        out.push_str(&encode(value));
    }
    out
}

/// Percent-encodes one piece of an address.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                let _ = std::fmt::Write::write_fmt(&mut out, format_args!("%{byte:02X}"));
            }
        }
    }
    out
}

impl<S: Send + Sync> FromRequestParts<S> for Fields {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Trouble> {
        let Query(pairs) = parts.extract().await.map_err(|_| Trouble::bad_request("the address cannot be read"))?;
        Self::checked(pairs)
    }
}

/// A form that a signed-in person sent from one of our pages: the CSRF token was checked.
pub(crate) struct Posted {
    pub(crate) viewer: Viewer,
    pub(crate) fields: Fields,
}

impl FromRequest<App> for Posted {
    type Rejection = Trouble;

    async fn from_request(request: Request, app: &App) -> Result<Self, Trouble> {
        let (mut parts, body) = request.into_parts();
        let viewer = Viewer::from_request_parts(&mut parts, app).await?;
        let fields = read_form(Request::from_parts(parts, body), app).await?;
        if !same(fields.text("csrf"), &viewer.csrf) {
            return Err(Trouble::forbidden("the form is too old; go back, reload the page, and try again"));
        }
        Ok(Self { viewer, fields })
    }
}

/// A form that nobody needs to be signed in for; its origin was checked by `security`.
pub(crate) struct OpenForm(pub(crate) Fields);

impl FromRequest<App> for OpenForm {
    type Rejection = Trouble;

    async fn from_request(request: Request, app: &App) -> Result<Self, Trouble> {
        read_form(request, app).await.map(Self)
    }
}

async fn read_form(request: Request, app: &App) -> Result<Fields, Trouble> {
    let Form(pairs) = Form::<Vec<(String, String)>>::from_request(request, app)
        .await
        .map_err(|_| Trouble::bad_request("the form cannot be read"))?;
    Fields::checked(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_rebuilt_with_one_thing_changed() {
        let fields = Fields(
            [("status", "stopped"), ("status", "unknown"), ("sort", "name"), ("after", "x")]
                .map(|(a, b)| (a.into(), b.into()))
                .into(),
        );
        assert_eq!(fields.query_with("sort", "-pages", &["after"]), "?status=stopped&status=unknown&sort=-pages");
        assert_eq!(fields.query_without(&["status", "sort", "after"]), "");
        assert_eq!(encode("a b\"ü"), "a+b%22%C3%BC");
    }
}
