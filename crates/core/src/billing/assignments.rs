//! Devices that a contract names one by one, by date. A device has one contract at a time.

use serde::Serialize;
use serde_json::json;
use store::{Value, params};

use super::{ContractId, contracts, sql};
use crate::audit::{self, Change};
use crate::ctx::{Ctx, Role};
use crate::devices::DeviceId;
use crate::error::{Error, Result};
use crate::page::{Key, Page, PageQuery, Sort};
use crate::time::Micros;

const ORDER: Sort = Sort { name: "assignments.device", keys: &[Key::up("a.device"), Key::up("a.from_at")] };

/// A device under a contract, from a day until a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Assignment {
    /// The device.
    pub device: DeviceId,
    /// What people call it.
    pub name: String,
    /// Serial number.
    pub serial: Option<String>,
    /// Billed from its newest reading at this moment on.
    pub from_at: Micros,
    /// Billed until its newest reading at this moment; `None`: as long as the contract.
    pub until_at: Option<Micros>,
}

/// The devices of a contract, page by page.
///
/// # Errors
/// `NotFound` outside the scope, `Invalid` for a cursor that does not fit.
pub async fn assignments(ctx: &Ctx, id: ContractId, page: &PageQuery) -> Result<Page<Assignment>> {
    ctx.require(Role::User, "see contracts")?;
    let limit = page.limit()?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let org = contracts::tenant(ctx, &mut tx, id).await?;
    let mut after: Vec<Value> = Vec::new();
    ORDER.after(page.after.as_deref(), &mut after)?;
    let (device, from) = match after.as_slice() {
        [device, from] => (device.clone(), from.clone()),
        _ => ("".into(), 0_i64.into()),
    };
    let more = i64::try_from(limit).unwrap_or(i64::MAX) + 1;
    let rows = tx.query(&sql::ASSIGNED, &[org.into(), id.into(), device, from, more.into()]).await?;
    let mut items = rows
        .iter()
        .map(|row| {
            Ok(Assignment {
                device: row.get(0)?,
                from_at: row.get(1)?,
                until_at: row.get(2)?,
                name: row.get(3)?,
                serial: row.get(4)?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let longer = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| longer);
    let next = last.map(|last| ORDER.cursor(&[last.device.into(), last.from_at.into()]));
    Ok(Page { items, next, count: None })
}

/// Puts a device under a contract from a moment on.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` for a device of another organisation, `Conflict` while it is under a contract.
pub async fn assign(ctx: &Ctx, id: ContractId, device: DeviceId, from_at: Option<Micros>) -> Result<()> {
    ctx.require(Role::Manager, "assign devices to contracts")?;
    let of_device = crate::devices::tenant_of(ctx, device).await?;
    let from = from_at.unwrap_or(ctx.now);
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = contracts::tenant(ctx, &mut tx, id).await?;
    if of_device != org {
        return Err(Error::invalid("device", "the device belongs to another organisation than the contract"));
    }
    if let Some(row) = tx.query_opt(&sql::OVERLAPS, &params![org, device, from]).await? {
        let number: String = row.get(0)?;
        return Err(Error::conflict(format!("the device is under contract {number} then; take it out first")));
    }
    tx.execute(&sql::ASSIGN, &params![org, device, from, id]).await?;
    let told = json!({ "device": device, "from_at": from });
    audit::record(&mut tx, ctx, Change::new(org, "assigned a device", "contract", id).after(told)).await?;
    Ok(tx.commit().await?)
}

/// Takes a device out of a contract from a moment on; what it did until then is still billed.
///
/// # Errors
/// `Forbidden` below manager, `NotFound` when it is not under this contract then.
pub async fn unassign(ctx: &Ctx, id: ContractId, device: DeviceId, until_at: Option<Micros>) -> Result<()> {
    ctx.require(Role::Manager, "take devices out of contracts")?;
    let until = until_at.unwrap_or(ctx.now);
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let org = contracts::tenant(ctx, &mut tx, id).await?;
    if tx.execute(&sql::UNASSIGN, &params![org, id, device, until]).await? == 0 {
        return Err(Error::not_found("device under this contract"));
    }
    let told = json!({ "device": device, "until_at": until });
    audit::record(&mut tx, ctx, Change::new(org, "took a device out", "contract", id).after(told)).await?;
    Ok(tx.commit().await?)
}
