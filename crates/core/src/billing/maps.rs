//! Maps from counters to codes of the books: for a maker, a model, or one device; the narrowest holds.

use serde::Serialize;
use serde_json::json;
use store::{Tx, params};

use super::{MapId, MeterWords, sql};
use crate::audit::{self, Change};
use crate::ctx::{Ctx, Role};
use crate::devices::DeviceId;
use crate::devices::fold::clean;
use crate::error::{Error, Result};
use crate::ids::OrgId;

/// A counter of some devices and its code in the books.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MeterMap {
    /// Its id.
    pub id: MapId,
    /// Brand slug; empty: of any maker.
    pub vendor: String,
    /// Model; empty: any.
    pub model: String,
    /// One device; `None`: all of that model.
    pub device: Option<DeviceId>,
    /// Which counter.
    #[serde(flatten)]
    pub words: MeterWords,
    /// Its code.
    pub erp_code: String,
}

/// A new map; one for the same counter of the same devices takes its place.
#[derive(Clone, Debug)]
pub struct NewMap {
    /// Brand slug; empty: of any maker.
    pub vendor: String,
    /// Model; empty: any.
    pub model: String,
    /// One device.
    pub device: Option<DeviceId>,
    /// Which counter.
    pub words: MeterWords,
    /// Its code.
    pub erp_code: String,
}

/// The maps of an organisation.
///
/// # Errors
/// `NotFound` outside the scope.
pub async fn maps(ctx: &Ctx, org: OrgId) -> Result<Vec<MeterMap>> {
    ctx.require(Role::User, "see meter maps")?;
    ctx.scope.require(org, OrgId::NOUN)?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    load(&mut tx, org).await
}

pub(super) async fn load(tx: &mut Tx, org: OrgId) -> Result<Vec<MeterMap>> {
    let rows = tx.query(&sql::MAPS, &params![org]).await?;
    rows.iter()
        .map(|row| {
            Ok(MeterMap {
                id: row.get(0)?,
                vendor: row.get(1)?,
                model: row.get(2)?,
                device: Some(row.get::<String>(3)?)
                    .filter(|id| !id.is_empty())
                    .map(|id| DeviceId::parse(&id))
                    .transpose()?,
                words: MeterWords {
                    function: row.get(4)?,
                    color: row.get(5)?,
                    size: row.get(6)?,
                    sides: row.get(7)?,
                    unit: row.get(8)?,
                },
                erp_code: row.get(9)?,
            })
        })
        .collect()
}

/// The code of a counter of a device, by the narrowest map.
pub(super) fn code<'m>(
    maps: &'m [MeterMap],
    device: DeviceId,
    vendor: &str,
    model: Option<&str>,
    words: &MeterWords,
) -> Option<&'m str> {
    let fits = |map: &&MeterMap| {
        map.words == *words
            && map.device.is_none_or(|own| own == device)
            && (map.vendor.is_empty() || map.vendor == vendor)
            && (map.model.is_empty() || model.is_some_and(|model| crate::fold(model) == crate::fold(&map.model)))
    };
    let narrow = |map: &&MeterMap| (map.device.is_some(), !map.model.is_empty(), !map.vendor.is_empty());
    maps.iter().filter(fits).max_by_key(narrow).map(|map| map.erp_code.as_str())
}

/// Sets the code of a counter.
///
/// # Errors
/// `Forbidden` below manager, `Invalid`, `NotFound` for a device of another organisation.
pub async fn map(ctx: &Ctx, org: OrgId, new: &NewMap) -> Result<MeterMap> {
    ctx.require(Role::Manager, "map meters")?;
    ctx.scope.require(org, OrgId::NOUN)?;
    if let Some(device) = new.device
        && crate::devices::tenant_of(ctx, device).await? != org
    {
        return Err(DeviceId::missing());
    }
    let words = new.words.clone().check()?;
    let short = |text: &str| clean(Some(text)).unwrap_or_default().chars().take(120).collect::<String>();
    let (vendor, model, code) = (short(&new.vendor).to_lowercase(), short(&new.model), short(&new.erp_code));
    if code.is_empty() {
        return Err(Error::invalid("erp_code", "a map gives a code"));
    }
    let device = new.device.map(|device| device.to_string()).unwrap_or_default();
    let w = &words;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let id = MapId::new(ctx.ids());
    let values = params![org, id, &vendor, &model, device, &w.function, &w.color, &w.size, &w.sides, &w.unit, &code];
    let id: MapId = tx.query_one(&sql::MAP, &values).await?.get(0)?;
    let map = MeterMap { id, vendor, model, device: new.device, words, erp_code: code };
    audit::record(&mut tx, ctx, Change::new(org, "mapped", "meter_map", id).after(json!(map))).await?;
    tx.commit().await?;
    Ok(map)
}

/// Takes a map away.
///
/// # Errors
/// `Forbidden` below manager, `NotFound`.
pub async fn unmap(ctx: &Ctx, id: MapId) -> Result<()> {
    ctx.require(Role::Manager, "map meters")?;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let row = tx.query_opt(&sql::MAP_TENANT, &params![id]).await?.ok_or_else(MapId::missing)?;
    let org: OrgId = row.get(0)?;
    ctx.scope.require(org, MapId::NOUN)?;
    tx.execute(&sql::UNMAP, &params![org, id]).await?;
    audit::record(&mut tx, ctx, Change::new(org, "unmapped", "meter_map", id)).await?;
    Ok(tx.commit().await?)
}
