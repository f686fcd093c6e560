//! What a report says of the agent's trap door.

use store::{Tx, Value, params};
use wire::traps::SendersBody;

use super::{MOST_SENDERS, sql};
use crate::Ctx;
use crate::devices::fold::clean;
use crate::error::Result;

/// Adds what was heard since the last message, in the transaction of the report of the agent that asks.
pub(crate) async fn take(tx: &mut Tx, ctx: &Ctx, body: &SendersBody, offset_ms: i64) -> Result<()> {
    let agent = ctx.require_agent()?;
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    let listen = clean(Some(&body.listen)).unwrap_or_default();
    let values = params![
        ctx.home,
        agent,
        listen,
        number(body.received),
        number(body.known),
        number(body.shed),
        number(body.refused),
        ctx.now
    ];
    tx.execute(&sql::DOOR, &values).await?;
    if body.senders.is_empty() {
        return Ok(());
    }
    let moment = |ms: i64| crate::reports::rules::corrected(ms, offset_ms, ctx.now.0).min(ctx.now.0);
    let rows: Vec<Vec<Value>> = body
        .senders
        .iter()
        .map(|sender| {
            let (first, last) = (moment(sender.first_ms), moment(sender.last_ms));
            params![
                ctx.home,
                agent,
                clean(Some(&sender.address)).unwrap_or_default(),
                number(sender.count),
                first,
                last.max(first),
                clean(sender.trap.as_deref()),
                sender.snmp.map(|version| version.as_str()),
                clean(sender.speaks_for.as_deref())
            ]
            .into()
        })
        .collect();
    tx.many(&sql::SENDER, rows).await?;
    tx.execute(&sql::FORGET, &params![ctx.home, agent, MOST_SENDERS]).await?;
    Ok(())
}
