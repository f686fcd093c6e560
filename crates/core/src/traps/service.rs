//! What people may ask of trap doors.

use store::{Row, Sql, Tx, params};

use super::{Door, Sender, sql};
use crate::ctx::{Ctx, Role};
use crate::error::Result;
use crate::ids::{AgentId, OrgId};
use crate::page::{Key, Page, PageQuery, Sort};

const LATEST: Sort = Sort { name: "traps.senders", keys: &[Key::down("s.last_at"), Key::up("s.address")] };

/// The door of an agent; `None` if it has none or never reported it.
///
/// # Errors
/// `NotFound` when the agent is not visible.
pub async fn door(ctx: &Ctx, agent: AgentId) -> Result<Option<Door>> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let org = tenant(ctx, &mut tx, agent).await?;
    let row = tx.query_opt(&sql::GET_DOOR, &params![org, agent]).await?;
    let read = |row: &Row| -> Result<Door> {
        Ok(Door {
            listen: row.get(0)?,
            received: row.get(1)?,
            known: row.get(2)?,
            shed: row.get(3)?,
            refused: row.get(4)?,
            since_at: row.get(5)?,
            said_at: row.get(6)?,
        })
    };
    row.as_ref().map(read).transpose()
}

/// Senders that called at the door of an agent and are no known devices, the latest first.
///
/// # Errors
/// `NotFound` when the agent is not visible, `Invalid` for a cursor or limit that does not fit.
pub async fn senders(ctx: &Ctx, agent: AgentId, page: &PageQuery) -> Result<Page<Sender>> {
    let limit = page.limit()?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let org = tenant(ctx, &mut tx, agent).await?;
    let mut values = params![org, agent].to_vec();
    let after = LATEST.after(page.after.as_deref(), &mut values)?;
    let text = format!(
        "select s.address, s.total, s.first_at, s.trap, s.snmp, s.speaks_for, s.last_at, s.address from trap_senders s \
         where s.tenant = $1 and s.agent = $2 and {after} order by {} limit {}",
        LATEST.order(),
        limit + 1
    );
    let rows = tx.query(&Sql::built_as("traps senders", text), &values).await?;
    let mut page_of = LATEST.page(rows, limit, |row| {
        Ok(Sender {
            address: row.get(0)?,
            total: row.get(1)?,
            first_at: row.get(2)?,
            trap: row.get(3)?,
            snmp: row.get(4)?,
            speaks_for: row.get(5)?,
            last_at: row.get(6)?,
        })
    })?;
    if page.count {
        let text = "select count(*) from trap_senders s where s.tenant = $1 and s.agent = $2".to_owned();
        let counted = tx.query_one(&Sql::built_as("traps senders count", text), &params![org, agent]).await?;
        page_of.count = Some(counted.get(0)?);
    }
    Ok(page_of)
}

/// Whose agent it is, if that organisation is visible.
async fn tenant(ctx: &Ctx, tx: &mut Tx, agent: AgentId) -> Result<OrgId> {
    ctx.require(Role::User, "see agents")?;
    let row = tx.query_opt(&sql::TENANT, &params![agent]).await?.ok_or_else(AgentId::missing)?;
    let org = row.get(0)?;
    ctx.scope.require(org, AgentId::NOUN)?;
    Ok(org)
}
