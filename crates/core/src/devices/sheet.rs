//! The sheet of one device: all that is known now, every raw value with source and age, and its history.

use serde_json::Value as Json;
use store::{Sql, Tx};

use super::known::read_json;
use super::list::read_row;
use super::service::{key, tenant_in};
use super::{ComponentRow, DeviceId, DeviceSheet, HistoryLine, RawValue, sql};
use crate::error::Result;
use crate::page::{Key, Page, PageQuery, Sort};
use crate::{Ctx, Micros};

const NEWEST: Sort = Sort { name: "devices.history", keys: &[Key::down("h.at"), Key::down("h.no")] };

/// Everything of one device.
///
/// # Errors
/// `NotFound` when it is not visible.
pub async fn get(ctx: &Ctx, id: DeviceId) -> Result<DeviceSheet> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let tenant = tenant_in(ctx, &mut tx, id).await?;
    let row = tx.query_opt(&sql::SHEET, &key(tenant, id)).await?.ok_or_else(DeviceId::missing)?;
    let mut sheet = head(&row, ctx.now)?;
    for row in tx.query(&sql::COMPONENTS, &key(tenant, id)).await? {
        sheet.components.push(ComponentRow {
            kind: row.get(0)?,
            name: row.get(1)?,
            version: row.get(2)?,
            first_at: row.get(3)?,
        });
    }
    sheet.supplies = crate::supplies::current_in(&mut tx, tenant, id, ctx.now).await?;
    sheet.meters = crate::meters::current_in(&mut tx, tenant, id, ctx.now).await?;
    sheet.alerts = crate::alerts::open_of(ctx, &mut tx, id).await?;
    sheet.doubts = crate::doubts::open_of(&mut tx, tenant, id).await?;
    sheet.apart = crate::meters::apart(&sheet.meters);
    sheet.raw = raw_values(&sheet);
    Ok(sheet)
}

fn head(row: &store::Row, now: Micros) -> Result<DeviceSheet> {
    let list = |at: usize| -> Result<String> { Ok(row.get::<Option<String>>(at)?.unwrap_or_else(|| "[]".to_owned())) };
    Ok(DeviceSheet {
        row: read_row(row)?,
        lifecycle: row.get(20)?,
        own_name: row.get(21)?,
        own_location: row.get(22)?,
        asset_no: row.get(23)?,
        told_name: row.get(24)?,
        told_location: row.get(25)?,
        hostname: row.get(26)?,
        contact: row.get(27)?,
        description: row.get(28)?,
        sys_object_id: row.get(29)?,
        snmp: row.get(30)?,
        port: row.get(31)?,
        console: row.get(32)?,
        state_at: row.get(33)?,
        status_at: row.get(34)?,
        comm_at: row.get(35)?,
        first_at: row.get(36)?,
        agent_name: row.get(37)?,
        inputs: read_json(&list(38)?)?,
        outputs: read_json(&list(39)?)?,
        covers: read_json(&list(40)?)?,
        quirks: read_json(&list(41)?)?,
        components: Vec::new(),
        supplies: Vec::new(),
        meters: Vec::new(),
        alerts: Vec::new(),
        doubts: Vec::new(),
        apart: None,
        raw: Vec::new(),
        now,
    })
}

/// Every value as the device said it.
fn raw_values(sheet: &DeviceSheet) -> Vec<RawValue> {
    let at = sheet.status_at;
    let mut all = Vec::new();
    let mut push = |name: String, value: Option<String>, source: String, at: Micros| {
        all.extend(value.map(|value| RawValue { name, value, source, at }));
    };
    let identity = [
        ("sysDescr", &sheet.description, "1.3.6.1.2.1.1.1.0"),
        ("sysObjectID", &sheet.sys_object_id, "1.3.6.1.2.1.1.2.0"),
        ("sysContact", &sheet.contact, "1.3.6.1.2.1.1.4.0"),
        ("sysName", &sheet.told_name, "1.3.6.1.2.1.1.5.0"),
        ("sysLocation", &sheet.told_location, "1.3.6.1.2.1.1.6.0"),
        ("Console", &sheet.console, "1.3.6.1.2.1.43.16.5.1.2"),
    ];
    for (name, value, source) in identity {
        push(name.to_owned(), value.clone(), source.to_owned(), at);
    }
    for meter in &sheet.meters {
        push(meter.title(), Some(meter.value.to_string()), meter.source.clone(), meter.read_at);
    }
    let raw = |raw: wire::RawLevel| {
        let show = |number: Option<i64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
        (raw != wire::RawLevel::default())
            .then(|| format!("{} / {}, unit {}", show(raw.level), show(raw.max), show(raw.unit)))
    };
    for supply in &sheet.supplies {
        let name = supply.description.clone().unwrap_or_else(|| supply.kind.clone());
        push(format!("{name}, level / max"), raw(supply.raw), format!("1.3.6.1.2.1.43.11.1.1.9.{}", supply.index), at);
    }
    for input in &sheet.inputs {
        let name = input.name.clone().unwrap_or_else(|| format!("Input {}", input.index));
        push(format!("{name}, level / max"), raw(input.raw), format!("1.3.6.1.2.1.43.8.2.1.10.{}", input.index), at);
    }
    for output in &sheet.outputs {
        let name = output.name.clone().unwrap_or_else(|| format!("Output {}", output.index));
        push(format!("{name}, level / max"), raw(output.raw), format!("1.3.6.1.2.1.43.9.2.1.5.{}", output.index), at);
    }
    all
}

/// What happened to a device, newest first.
///
/// # Errors
/// `NotFound` when it is not visible; `Invalid` for a cursor or limit that does not fit.
pub async fn history(ctx: &Ctx, id: DeviceId, page: &PageQuery) -> Result<Page<HistoryLine>> {
    let limit = page.limit()?;
    let mut tx: Tx = ctx.db().read(&ctx.scope.view()).await?;
    let tenant = tenant_in(ctx, &mut tx, id).await?;
    let mut params = Vec::from(key(tenant, id));
    let after = NEWEST.after(page.after.as_deref(), &mut params)?;
    params.push(i64::try_from(limit + 1).unwrap_or(i64::MAX).into());
    let text = format!(
        "select h.kind, h.data, h.actor, h.at, h.no from device_history h where h.tenant = $1 and h.device = $2 and {after} \
         order by {} limit ${}",
        NEWEST.order(),
        params.len()
    );
    let rows = tx.query(&Sql::built_as("devices::history", text), &params).await?;
    NEWEST.page(rows, limit, |row| {
        let data: Json = row.get(1)?;
        Ok(HistoryLine { at: row.get(3)?, kind: row.get(0)?, data, actor: row.get(2)? })
    })
}
