//! What people change on `/contracts/{id}`: terms, lines, devices, codes, its end.

use axum::{
    extract::{Path, State},
    http::HeaderMap,
};
use platen_core::{
    DeviceId, Error, Filter,
    billing::{self, ContractId, ContractPatch, Estimate, Line, MapId, MeterWords, NewMap},
    devices::{self, DeviceQuery},
};

use super::api::LineView;
use super::pages::{contract_page, number};
use crate::{
    app::App,
    fields::{Fields, Posted},
    shell::{Shown, again, go},
    viewer::Viewer,
};

/// A form of the sheet of a contract.
type Act = (State<App>, Path<String>, HeaderMap, Posted);

/// After a change: back to the sheet with a note, or the sheet with what was wrong.
async fn after(app: &App, headers: &HeaderMap, posted: &Posted, id: ContractId, done: Result<(), Error>) -> Shown {
    match done {
        Ok(()) => Ok(go(app, headers, &format!("/contracts/{id}"), "saved")),
        Err(error) => again(error, |why| contract_page(app, &posted.viewer, id, Some(why))).await,
    }
}

fn version(fields: &Fields) -> Option<i64> {
    fields.get("version").and_then(|text| text.parse().ok())
}

/// `POST /contracts/{id}`.
pub(crate) async fn change((State(app), Path(id), headers, posted): Act) -> Shown {
    let (ctx, f, id) = (&posted.viewer.ctx, &posted.fields, ContractId::parse(&id)?);
    let done = match terms(f) {
        Ok(patch) => billing::update(ctx, id, &patch, version(f)).await.map(drop),
        Err(error) => Err(error),
    };
    after(&app, &headers, &posted, id, done).await
}

fn terms(f: &Fields) -> Result<ContractPatch, Error> {
    Ok(ContractPatch {
        name: f.get("name").map(str::to_owned),
        device_filter: Some(f.get("devices").map(str::to_owned)),
        max_age_d: number(f, "max_age_d")?,
        estimate: f.get("estimate").map(Estimate::parse).transpose()?,
        review_d: number(f, "review_d")?,
        mail_to: Some(f.text("mail_to").to_owned()),
    })
}

/// `POST /contracts/{id}/lines`.
pub(crate) async fn lines_page((State(app), Path(id), headers, posted): Act) -> Shown {
    let (ctx, f, id) = (&posted.viewer.ctx, &posted.fields, ContractId::parse(&id)?);
    let done = match lines(f) {
        Ok(lines) => billing::set_lines(ctx, id, &lines, version(f)).await.map(drop),
        Err(error) => Err(error),
    };
    after(&app, &headers, &posted, id, done).await
}

fn lines(f: &Fields) -> Result<Vec<Line>, Error> {
    let mut all = Vec::new();
    for at in 0..60 {
        let Some(meter) = f.get(&format!("meter-{at}")) else { continue };
        let text = |name: &str| f.text(&format!("{name}-{at}")).to_owned();
        let whole = |name: &str, usual: i64| match f.get(&format!("{name}-{at}")) {
            None => Ok(usual),
            Some(text) => text.parse().map_err(|_| Error::invalid(name, format!("{name} is a whole number"))),
        };
        let code = Some(text("code")).filter(|code| !code.is_empty());
        let (included, factor) = (whole("included", 0)?, whole("factor", 1_000)?);
        let view = LineView::new(&text("name"), meter, code.as_deref(), &text("price"), included, factor);
        all.push(view.line()?);
    }
    Ok(all)
}

/// `POST /contracts/{id}/devices`: puts a device under the contract by its serial number, or takes one out.
pub(crate) async fn assign_device((State(app), Path(id), headers, posted): Act) -> Shown {
    let (ctx, f, id) = (&posted.viewer.ctx, &posted.fields, ContractId::parse(&id)?);
    let done = match f.get("out") {
        Some(device) => billing::unassign(ctx, id, DeviceId::parse(device)?, None).await,
        None => match by_serial(&posted.viewer, f.text("serial")).await {
            Ok(device) => billing::assign(ctx, id, device, None).await,
            Err(error) => Err(error),
        },
    };
    after(&app, &headers, &posted, id, done).await
}

async fn by_serial(viewer: &Viewer, serial: &str) -> Result<DeviceId, Error> {
    let filter = Filter::Eq("serial".to_owned(), platen_core::filter::Operand::Text(serial.to_owned()));
    let found = devices::list(&viewer.ctx, &DeviceQuery { filter: Some(filter), ..DeviceQuery::default() }).await?;
    let [device] = found.items.as_slice() else {
        let many = if found.items.is_empty() { "no device has" } else { "more than one device has" };
        return Err(Error::invalid("serial", format!("{many} the serial number {serial:?}")));
    };
    Ok(device.id)
}

/// `POST /contracts/{id}/maps`: sets a code of the books, or takes one away.
pub(crate) async fn map_page((State(app), Path(id), headers, posted): Act) -> Shown {
    let (ctx, f, id) = (&posted.viewer.ctx, &posted.fields, ContractId::parse(&id)?);
    let org = billing::contract(ctx, id).await?.org;
    let done = match (f.get("out"), MeterWords::parse(f.text("meter"))) {
        (Some(map), _) => billing::unmap(ctx, MapId::parse(map)?).await,
        (None, Err(error)) => Err(error),
        (None, Ok(words)) => {
            let (vendor, model) = (f.text("vendor").to_owned(), f.text("model").to_owned());
            let new = NewMap { vendor, model, device: None, words, erp_code: f.text("code").to_owned() };
            billing::map(ctx, org, &new).await.map(drop)
        }
    };
    after(&app, &headers, &posted, id, done).await
}

/// `POST /contracts/{id}/end`.
pub(crate) async fn end_page((State(app), Path(id), headers, posted): Act) -> Shown {
    let (ctx, f, id) = (&posted.viewer.ctx, &posted.fields, ContractId::parse(&id)?);
    let done = match f.get("sure") {
        Some("yes") => billing::end(ctx, id, version(f)).await.map(drop),
        _ => Err(Error::invalid("sure", "say that you mean it")),
    };
    after(&app, &headers, &posted, id, done).await
}
