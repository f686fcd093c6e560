//! What decisions of people do to identities: two entries become one, one becomes two, another agent reads it.

use serde_json::{Value as Json, json};
use store::{Tx, Value, params};

use super::intake::chunks;
use super::known::{Known, read_json};
use super::service::note;
use super::{DeviceId, sql};
use crate::error::{Error, Result};
use crate::{AgentId, Ctx, Micros, OrgId};

async fn load(tx: &mut Tx, tenant: OrgId, id: DeviceId) -> Result<Known> {
    let values = chunks(tenant, &[id.to_string()]).next().unwrap_or_default();
    let row = tx.query_opt(&sql::BY_ID, &values).await?.ok_or_else(DeviceId::missing)?;
    Known::read(&row)
}

/// What changed about the identity of a device between two moments, oldest first.
pub(crate) async fn changes_near(
    tx: &mut Tx,
    tenant: OrgId,
    device: DeviceId,
    from: i64,
    to: i64,
) -> Result<Vec<(Micros, Json)>> {
    let rows = tx.query(&sql::CHANGES, &params![tenant, device, from, to]).await?;
    rows.iter().map(|row| Ok((row.get(0)?, read_json(&row.get::<String>(1)?)?))).collect()
}

/// The entry `newer` joins `older`: names that agents have for it, history, serial number; it stays as a retired one.
pub(crate) async fn join(ctx: &Ctx, tx: &mut Tx, tenant: OrgId, newer: DeviceId, older: DeviceId) -> Result<()> {
    let (from, mut to) = (load(tx, tenant, newer).await?, load(tx, tenant, older).await?);
    if from.lifecycle == "retired" || to.lifecycle == "retired" {
        return Err(Error::conflict("one of the two devices is retired"));
    }
    tx.execute(&sql::RETIRE_JOINED, &params![tenant, newer, ctx.now]).await?;
    crate::alerts::close_all_of(tx, ctx, tenant, newer).await?;
    for statement in [&sql::EVIDENCE_JOIN, &sql::HISTORY_JOIN] {
        tx.execute(statement, &params![tenant, newer, older]).await?;
    }
    tx.execute(&sql::EVIDENCE_LEFT, &params![tenant, newer, ctx.now]).await?;
    // What it is called now is what it said last.
    to.vendor = if from.vendor.is_empty() { to.vendor } else { from.vendor };
    to.serial = from.serial.or(to.serial);
    to.serial_fold = from.serial_fold.or(to.serial_fold);
    to.mac = from.mac.or(to.mac);
    to.model = from.model.or(to.model);
    let [_, _, _, sort_serial, _] = to.sort_keys();
    let values = params![
        tenant,
        older,
        &to.vendor,
        to.serial.as_ref(),
        to.serial_fold.as_ref(),
        to.mac.as_ref(),
        to.model.as_ref(),
        sort_serial
    ];
    tx.execute(&sql::TAKE_OVER, &values).await?;
    retoken(tx, tenant, &to).await?;
    note(ctx, tx, tenant, older, "merged", &json!({ "merged": newer, "name": from.label })).await
}

/// What an agent calls `subject` becomes a device of its own, without the serial number that another holds.
pub(crate) async fn split(
    ctx: &Ctx,
    tx: &mut Tx,
    tenant: OrgId,
    device: DeviceId,
    subject: &str,
    mac: Option<&str>,
) -> Result<DeviceId> {
    let first = load(tx, tenant, device).await?;
    let agent = subject.split('/').next().and_then(|agent| AgentId::parse(agent).ok());
    if agent.is_none() || first.lifecycle == "retired" {
        return Err(Error::conflict("the second source is not known any more"));
    }
    let id = DeviceId::new(ctx.ids());
    let mut second = Known::meet(id, ctx.now.0, ctx.now);
    (second.agent, second.vendor, second.model) = (agent, first.vendor, first.model);
    (second.serial, second.mac) = (first.serial, mac.map(str::to_owned));
    second.relabel();
    second.judge();
    tx.execute(&sql::INSERT, &second.insert_row(tenant, ctx.now.month())?).await?;
    tx.execute(&sql::PRESENCE_NEW, &params![tenant, id, ctx.now, subject]).await?;
    retoken(tx, tenant, &second).await?;
    tx.execute(&sql::EVIDENCE_END, &params![tenant, "subject", subject, id, ctx.now]).await?;
    tx.execute(&sql::EVIDENCE, &params![tenant, "subject", subject, id, "person", ctx.now]).await?;
    note(ctx, tx, tenant, id, "split", &json!({ "from": device })).await?;
    note(ctx, tx, tenant, device, "split", &json!({ "into": id })).await?;
    Ok(id)
}

/// The device is read by this agent from now on: what the other says of its address is not taken while this one is heard.
pub(crate) async fn give_to(
    tx: &mut Tx,
    tenant: OrgId,
    device: DeviceId,
    agent: AgentId,
    subject: &str,
    now: Micros,
) -> Result<()> {
    tx.execute(&sql::GIVE_TO, &params![tenant, device, agent]).await?;
    tx.execute(&sql::SOURCE, &params![tenant, device, subject, now]).await?;
    Ok(())
}

/// The total that is billed; `None`: the standard one.
pub(crate) async fn bill_by(tx: &mut Tx, tenant: OrgId, device: DeviceId, source: Option<&str>) -> Result<()> {
    tx.execute(&sql::BILL_BY, &params![tenant, device, source]).await?;
    Ok(())
}

async fn retoken(tx: &mut Tx, tenant: OrgId, device: &Known) -> Result<()> {
    tx.execute(&sql::TOKENS_DROP, &params![tenant, device.id]).await?;
    let tokens: Vec<Vec<Value>> =
        device.tokens().into_iter().map(|token| params![tenant, device.id, token].into()).collect();
    if !tokens.is_empty() {
        tx.many(&sql::TOKEN, tokens).await?;
    }
    Ok(())
}
