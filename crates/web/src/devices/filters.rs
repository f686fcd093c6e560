//! Saved filters from the list's page.

use axum::{
    extract::{Path, State},
    http::HeaderMap,
};
use platen_core::{FilterId, Role, users};

use crate::{
    app::App,
    fields::{Posted, encode},
    shell::{Shown, go},
};

/// `POST /filters`.
pub(crate) async fn save(State(app): State<App>, headers: HeaderMap, posted: Posted) -> Shown {
    let f = &posted.fields;
    let new = users::NewFilter {
        list: "devices".to_owned(),
        name: f.text("name").to_owned(),
        filter: f.text("filter").to_owned(),
        shared_role: (f.get("shared") == Some("yes")).then_some(Role::User),
    };
    let saved = users::save_filter(&posted.viewer.whole, &new).await?;
    Ok(go(&app, &headers, &format!("/devices?saved={}", encode(&saved.id.to_string())), "filter-saved"))
}

/// `POST /filters/{id}/delete`.
pub(crate) async fn delete(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    posted: Posted,
) -> Shown {
    let id = FilterId::parse(&id)?;
    users::delete_filter(&posted.viewer.whole, id).await?;
    Ok(go(&app, &headers, "/devices", "filter-deleted"))
}
