//! What people do to a device: give it a name, a place, an asset number; retire it.

use serde::Deserialize;
use serde_json::{Map, json};
use store::{Sql, Tx, Value, params};

use super::fold::clean;
use super::intake::chunks;
use super::known::Known;
use super::{DeviceId, sql};
use crate::audit::{self, Change};
use crate::error::{Error, Result};
use crate::{Ctx, OrgId, Role};

/// A change by a person. Absent: stays as it is. `null`: the device's own words count again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevicePatch {
    /// Name, up to 200 characters.
    #[serde(default, deserialize_with = "present")]
    pub name: Option<Option<String>>,
    /// Asset number, up to 200 characters.
    #[serde(default, deserialize_with = "present")]
    pub asset_no: Option<Option<String>>,
    /// Place, up to 200 characters.
    #[serde(default, deserialize_with = "present")]
    pub location: Option<Option<String>>,
}

/// Tells `null` from absent.
#[expect(clippy::option_option, reason = "absent, null and a value are three things")]
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// The organisation of a device.
///
/// # Errors
/// `NotFound` when it is not visible.
pub(crate) async fn tenant_of(ctx: &Ctx, device: DeviceId) -> Result<OrgId> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    tenant_in(ctx, &mut tx, device).await
}

pub(crate) async fn tenant_in(ctx: &Ctx, tx: &mut Tx, device: DeviceId) -> Result<OrgId> {
    let mut params = Vec::new();
    let scope = ctx.scope.condition("d", &mut params);
    params.push(device.into());
    let text = format!("select d.tenant from devices d where {scope} and d.id = ${}", params.len());
    let row = tx.query_opt(&Sql::built_as("devices::tenant_of", text), &params).await?;
    Ok(row.ok_or_else(DeviceId::missing)?.get(0)?)
}

async fn load(ctx: &Ctx, tx: &mut Tx, id: DeviceId) -> Result<(OrgId, Known)> {
    let tenant = tenant_in(ctx, tx, id).await?;
    let values = chunks(tenant, &[id.to_string()]).next().unwrap_or_default();
    let row = tx.query_opt(&sql::BY_ID, &values).await?.ok_or_else(DeviceId::missing)?;
    Ok((tenant, Known::read(&row)?))
}

fn given(field: &str, text: Option<&str>) -> Result<Option<String>> {
    match text {
        Some(text) if text.chars().count() > 200 => {
            Err(Error::invalid(field, format!("{field} is longer than 200 characters")))
        }
        text => Ok(clean(text)),
    }
}

/// Adds a line to the history of a device, by the one who asks.
pub(crate) async fn note(
    ctx: &Ctx,
    tx: &mut Tx,
    tenant: OrgId,
    id: DeviceId,
    kind: &str,
    data: &serde_json::Value,
) -> Result<()> {
    let mut no = [0; 8];
    ctx.ids().random(&mut no);
    let no = i64::from_be_bytes(no) & (i64::MAX >> 1);
    let values = params![tenant, ctx.now.month(), id, ctx.now, no, kind, data, ctx.actor.name()];
    tx.execute(&sql::HISTORY, &values).await?;
    Ok(())
}

/// Changes name, asset number or place. `if_match`: the version that the person saw.
///
/// # Errors
/// `NotFound`, `Forbidden`, `Invalid`, `PreconditionRequired`, `Stale`.
pub async fn update(ctx: &Ctx, id: DeviceId, patch: &DevicePatch, if_match: Option<i64>) -> Result<i64> {
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let (tenant, mut device) = load(ctx, &mut tx, id).await?;
    ctx.require(Role::Manager, "change devices")?;
    Error::check_version(if_match, device.version)?;
    let (mut before, mut after) = (Map::new(), Map::new());
    let fields = [
        ("name", &mut device.own_name, &patch.name),
        ("asset_no", &mut device.asset_no, &patch.asset_no),
        ("location", &mut device.own_location, &patch.location),
    ];
    for (field, stored, wanted) in fields {
        let Some(wanted) = wanted else { continue };
        let wanted = given(field, wanted.as_deref())?;
        if *stored != wanted {
            before.insert(field.into(), json!(stored));
            after.insert(field.into(), json!(wanted));
            *stored = wanted;
        }
    }
    if after.is_empty() {
        return Ok(device.version);
    }
    device.relabel();
    let [sort_name, _, sort_place, _, _] = device.sort_keys();
    let values = params![
        tenant,
        id,
        device.own_name.as_ref(),
        device.own_location.as_ref(),
        device.asset_no.as_ref(),
        &device.label,
        &device.place,
        sort_name,
        sort_place,
        device.version
    ];
    if tx.execute(&sql::UPDATE_OWN, &values).await? == 0 {
        return Err(Error::new(crate::Kind::Stale, "it was changed meanwhile"));
    }
    tx.execute(&sql::TOKENS_DROP, &params![tenant, id]).await?;
    let tokens = device.tokens().into_iter().map(|token| Vec::from(params![tenant, id, token])).collect();
    tx.many(&sql::TOKEN, tokens).await?;
    let (before, after) = (serde_json::Value::from(before), serde_json::Value::from(after));
    note(ctx, &mut tx, tenant, id, "edited", &json!({ "before": before, "after": after })).await?;
    crate::events::emit(
        &mut tx,
        ctx,
        tenant,
        "device.edited",
        ("device", id.to_string()),
        json!({ "device": id, "fields": after }),
    )
    .await?;
    audit::record(&mut tx, ctx, Change::new(tenant, "edited", "device", id).before(before).after(after)).await?;
    tx.commit().await?;
    Ok(device.version + 1)
}

/// Retires a device: it leaves the lists, its history stays, and nothing more is taken from it.
///
/// # Errors
/// `NotFound`, `Forbidden`, `PreconditionRequired`, `Stale`, `Conflict` when it is retired already.
pub async fn retire(ctx: &Ctx, id: DeviceId, if_match: Option<i64>) -> Result<()> {
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let (tenant, device) = load(ctx, &mut tx, id).await?;
    ctx.require(Role::Manager, "retire devices")?;
    Error::check_version(if_match, device.version)?;
    if device.lifecycle == "retired" {
        return Err(Error::conflict("the device is retired already"));
    }
    tx.execute(&sql::RETIRE, &params![tenant, id, ctx.now]).await?;
    crate::alerts::close_all_of(&mut tx, ctx, tenant, id).await?;
    note(ctx, &mut tx, tenant, id, "retired", &json!({ "pages_life": device.pages_life })).await?;
    let data = json!({ "device": id, "vendor": device.vendor, "model": device.model, "reason": "person" });
    crate::events::emit(&mut tx, ctx, tenant, "device.retired", ("device", id.to_string()), data).await?;
    let before = json!({ "name": device.label, "serial": device.serial });
    audit::record(&mut tx, ctx, Change::new(tenant, "retired", "device", id).before(before)).await?;
    tx.commit().await?;
    // Whether a device that reports by itself is retired is remembered beside its key.
    ctx.platform.known().forget_all();
    Ok(())
}

/// Parameters `[tenant, id]`.
pub(super) fn key(tenant: OrgId, id: DeviceId) -> [Value; 2] {
    params![tenant, id]
}
