//! Activation documents: `POST /api/v1/monitors/{id}/activation`, and the form on a device's page that downloads one.

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use platen_core::{MonitorId, monitors};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wire::{Activation, activation::CBOR, cbor, hello::Road};

use super::pages::sheet_of;
use crate::{
    api::{Answered, Body},
    app::App,
    caller::Caller,
    fields::Posted,
    problem::Problem,
    shell::{Shown, again},
    trouble::Trouble,
};

/// For which road.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActivationPost {
    /// `mail` or `mail-both-ways`, as the device is set.
    #[schema(value_type = String)]
    road: Road,
}

/// The document for one device, shown only here: what its communication test by HTTPS would be answered, with the claim code
/// that its test by mail gives back and the password of its mailbox. Its fields are those of `activation` in the CDDL.
#[derive(Serialize, ToSchema)]
#[schema(as = Activation, value_type = Object)]
pub(crate) struct ActivationView(Activation);

/// Makes the activation document of a device that reaches nothing but mail; the claim code before is worthless.
///
/// `Accept: application/vnd.platen.activation+cbor` asks for the form that devices read. It is shown in this answer alone.
#[utoipa::path(post, path = "/api/v1/monitors/{id}/activation", tag = "monitors", request_body = ActivationPost,
    params(("id" = String, Path)),
    responses((status = 200, body = ActivationView), (status = "default", body = Problem)))]
pub(crate) async fn make_monitor_activation(
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(new): Body<ActivationPost>,
) -> Answered {
    let document = monitors::activation(&caller.ctx, MonitorId::parse(&id)?, new.road).await?;
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.split(',').any(|part| part.split(';').next().unwrap_or_default().trim() == CBOR) {
        return Ok(([(header::CONTENT_TYPE, CBOR)], cbor::encode(&document)).into_response());
    }
    Ok(Json(ActivationView(document)).into_response())
}

/// `POST /registrations/{id}/activation`: the document as a file.
pub(crate) async fn download_activation(State(app): State<App>, Path(id): Path<String>, posted: Posted) -> Shown {
    let (viewer, id) = (&posted.viewer, MonitorId::parse(&id)?);
    let road = if posted.fields.text("road") == "mail-both-ways" { Road::MailBothWays } else { Road::Mail };
    match monitors::activation(&viewer.ctx, id, road).await {
        Ok(document) => file(&document, posted.fields.text("form") == "json"),
        Err(error) => again(error, |why| sheet_of(&app, viewer, id, Some(why))).await,
    }
}

fn file(document: &Activation, json: bool) -> Result<Response, Trouble> {
    let (kind, ending, bytes) = if json {
        let text = serde_json::to_vec_pretty(document);
        let text = text.map_err(|e| platen_core::Error::internal("a document could not be written").with_source(e))?;
        ("application/json", "json", text)
    } else {
        (CBOR, "cbor", cbor::encode(document))
    };
    let serial: String = document.serial.chars().filter(char::is_ascii_alphanumeric).collect();
    let name = format!("attachment; filename=\"activation-{serial}.{ending}\"");
    Ok(([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, name)], bytes).into_response())
}
