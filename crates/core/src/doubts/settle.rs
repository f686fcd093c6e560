//! Settling a doubt: a person decides, what hangs on it is reckoned anew, and all of it stands in the audit log.

use serde::Deserialize;
use serde_json::{Value as Json, json};
use store::{Tx, params};

use super::{Amounts, DoubtId, DoubtMeter, DoubtRow, Family, intake, service, sql, words};
use crate::audit::{self, Change};
use crate::devices::{self, DeviceId};
use crate::error::{Error, Result};
use crate::meters;
use crate::{AgentId, Ctx, Role};

/// Most pages that one may say were printed over a border.
const MOST: i64 = 100_000_000;

/// What a person decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settlement {
    /// Key of one of the choices.
    pub decision: String,
    /// For the choice `amount`: pages printed over the border, by number of the meter; others stay as assumed.
    #[serde(default)]
    pub amounts: Amounts,
    /// Why, up to 1,000 characters.
    #[serde(default)]
    pub note: Option<String>,
}

/// Settles a doubt; returns its new version. `if_match`: the version that the person saw.
///
/// # Errors
/// `NotFound`, `Forbidden`, `Stale`, `Conflict` when it is settled already, `Invalid` for a decision that it does not offer.
pub async fn settle(ctx: &Ctx, id: DoubtId, wanted: &Settlement, if_match: Option<i64>) -> Result<i64> {
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let (doubt, data) = service::load(ctx, &mut tx, id).await?;
    ctx.require(Role::Manager, "settle doubts")?;
    if if_match.is_some() {
        Error::check_version(if_match, doubt.version)?;
    }
    if doubt.state != "open" {
        return Err(Error::conflict("it is settled already; open it again first"));
    }
    let counters = service::meters(&mut tx, &doubt).await?;
    let choice = words::choices(doubt.kind, &data, &counters).into_iter().find(|choice| choice.key == wanted.decision);
    let choice = choice.ok_or_else(|| {
        let keys: Vec<_> = words::choices(doubt.kind, &data, &counters).iter().map(|choice| choice.key).collect();
        Error::invalid("decision", format!("{:?} is no decision here; there are {}", wanted.decision, keys.join(", ")))
    })?;
    if wanted.note.as_deref().is_some_and(|note| note.chars().count() > 1_000) {
        return Err(Error::invalid("note", "a note has at most 1,000 characters"));
    }
    match doubt.kind.family() {
        Family::Counter => by_counter(ctx, &mut tx, &doubt, &counters, choice.key, &wanted.amounts).await?,
        Family::Identity => by_identity(ctx, &mut tx, &doubt, &data, choice.key).await?,
        Family::Totals => {
            let source = data["private"]["source"].as_str().filter(|_| choice.key == "private");
            bill_by(ctx, &mut tx, &doubt, source).await?;
        }
    }
    let note = devices::fold::clean(wanted.note.as_deref());
    let state = Standing { state: "settled", decision: Some(choice.key), note };
    finish(ctx, &mut tx, &doubt, state, "settled", json!(wanted.amounts)).await?;
    tx.commit().await?;
    Ok(doubt.version + 1)
}

/// Opens a settled doubt again: usage is what it was before the decision. Returns the new version.
///
/// # Errors
/// `NotFound`, `Forbidden`, `Stale`, `Conflict` when it is open, or when the decision cannot be undone.
pub async fn reopen(ctx: &Ctx, id: DoubtId, if_match: Option<i64>) -> Result<i64> {
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let (doubt, _) = service::load(ctx, &mut tx, id).await?;
    ctx.require(Role::Manager, "open doubts again")?;
    if if_match.is_some() {
        Error::check_version(if_match, doubt.version)?;
    }
    let refused = match (doubt.state.as_str(), doubt.decision.as_deref()) {
        ("open", _) => Some("it is open"),
        (_, Some("same" | "split")) => Some("devices that were joined or parted cannot be put back as they were"),
        _ => None,
    };
    if let Some(why) = refused {
        return Err(Error::conflict(why));
    }
    match doubt.kind.family() {
        Family::Counter => {
            let counters = service::meters(&mut tx, &doubt).await?;
            tx.execute(&sql::NO_VERDICT, &params![doubt.org, doubt.id]).await?;
            // The state comes first, so that the new reckoning finds it open.
            finish(ctx, &mut tx, &doubt, Standing::open(), "reopened", Json::Null).await?;
            reckon(ctx, &mut tx, &doubt, &counters).await?;
            tx.execute(&sql::PAGES, &params![doubt.org, doubt.id]).await?;
            tx.commit().await?;
            return Ok(doubt.version + 1);
        }
        Family::Totals => bill_by(ctx, &mut tx, &doubt, None).await?,
        Family::Identity => {}
    }
    finish(ctx, &mut tx, &doubt, Standing::open(), "reopened", Json::Null).await?;
    tx.commit().await?;
    Ok(doubt.version + 1)
}

/// How a doubt stands afterwards.
struct Standing {
    state: &'static str,
    decision: Option<&'static str>,
    note: Option<String>,
}

impl Standing {
    fn open() -> Self {
        Self { state: "open", decision: None, note: None }
    }
}

async fn finish(
    ctx: &Ctx,
    tx: &mut Tx,
    doubt: &DoubtRow,
    to: Standing,
    verb: &'static str,
    amounts: Json,
) -> Result<()> {
    let settled = to.decision.is_some();
    let values = params![
        doubt.org,
        doubt.id,
        to.state,
        to.decision,
        to.note.as_ref(),
        settled.then_some(ctx.now),
        settled.then(|| ctx.actor.name()),
        doubt.version
    ];
    if tx.execute(&sql::SETTLE, &values).await? == 0 {
        return Err(Error::new(crate::Kind::Stale, "it was changed meanwhile"));
    }
    let row = service::load(ctx, tx, doubt.id).await?.0;
    let data = json!({
        "doubt": doubt.id, "kind": doubt.kind, "device": row.device, "decision": to.decision, "pages": row.pages,
        "before": doubt.pages,
    });
    devices::note(ctx, tx, doubt.org, row.device, if settled { "doubt_settled" } else { "doubt_reopened" }, &data)
        .await?;
    let event = if settled { "doubt.settled" } else { "doubt.reopened" };
    crate::events::emit(tx, ctx, doubt.org, event, ("doubt", doubt.id.to_string()), data).await?;
    let before = json!({ "state": doubt.state, "decision": doubt.decision, "pages": doubt.pages });
    let after = json!({
        "state": to.state, "kind": doubt.kind, "decision": to.decision, "pages": row.pages, "amounts": amounts, "note": to.note,
    });
    audit::record(tx, ctx, Change::new(doubt.org, verb, "doubt", doubt.id).before(before).after(after)).await
}

async fn by_counter(
    ctx: &Ctx,
    tx: &mut Tx,
    doubt: &DoubtRow,
    counters: &[DoubtMeter],
    key: &str,
    amounts: &Amounts,
) -> Result<()> {
    if let Some(stranger) = amounts.keys().find(|meter| counters.iter().all(|counter| counter.meter != **meter)) {
        return Err(Error::invalid("amounts", format!("the doubt does not concern meter {stranger}")));
    }
    if let Some(pages) = amounts.values().find(|pages| !(0..=MOST).contains(*pages)) {
        return Err(Error::invalid("amounts", format!("{pages} pages are not between 0 and {MOST}")));
    }
    for counter in counters {
        let mut until = counter.until_at.0;
        let (verdict, bridge) = match key {
            // As assumed: nothing is to be reckoned anew.
            "ignore" if counter.cause == "resumed" => continue,
            "ignore" => {
                let (device, border) = (doubt.device, counter.border_at.0);
                let Some(back) = meters::came_back(tx, doubt.org, device, counter.meter, border).await? else {
                    continue;
                };
                until = back;
                ("ignore", None)
            }
            "amount" => ("bridge", Some(amounts.get(&counter.meter).copied().unwrap_or(counter.assumed))),
            "wrap" => continue,
            "new_start" if matches!(counter.cause.as_str(), "reset" | "set_back" | "board_swap" | "jump") => continue,
            key => ("bridge", words::pages(key, counter)),
        };
        tx.execute(&sql::VERDICT, &params![doubt.org, doubt.id, counter.meter, verdict, bridge, until]).await?;
    }
    reckon(ctx, tx, doubt, counters).await?;
    tx.execute(&sql::PAGES, &params![doubt.org, doubt.id]).await?;
    Ok(())
}

/// Reckons the counters of a doubt anew from its border.
async fn reckon(ctx: &Ctx, tx: &mut Tx, doubt: &DoubtRow, counters: &[DoubtMeter]) -> Result<()> {
    let from: Vec<(i64, i64)> = counters.iter().map(|counter| (counter.meter, counter.border_at.0)).collect();
    for refitted in meters::reckon(tx, doubt.org, doubt.device, ctx.now, &from).await? {
        intake::reconcile(ctx, tx, doubt.org, refitted).await?;
    }
    Ok(())
}

async fn by_identity(ctx: &Ctx, tx: &mut Tx, doubt: &DoubtRow, data: &Json, key: &str) -> Result<()> {
    match key {
        "same" => {
            let older = doubt.other.ok_or_else(|| Error::conflict("the other device is not known any more"))?;
            merge(ctx, tx, doubt, older).await
        }
        "split" => {
            let subject = data["subject"].as_str().unwrap_or_default();
            let mac = data["seen"]["mac"].as_str();
            let second = devices::split(ctx, tx, doubt.org, doubt.device, subject, mac).await?;
            let told = json!({ "device": second, "from": doubt.device });
            crate::events::emit(tx, ctx, doubt.org, "device.split", ("device", second.to_string()), told).await?;
            Ok(())
        }
        "switch" => {
            let agent = data["seen"]["agent"].as_str().unwrap_or_default();
            let subject = data["subject"].as_str().unwrap_or_default();
            devices::give_to(tx, doubt.org, doubt.device, AgentId::parse(agent)?, subject, ctx.now).await
        }
        _ => Ok(()),
    }
}

/// The newer entry joins the older one: its readings, history and names; counted once.
async fn merge(ctx: &Ctx, tx: &mut Tx, doubt: &DoubtRow, older: DeviceId) -> Result<()> {
    let newer = doubt.device;
    tx.execute(&sql::WITHDRAW_OF, &params![doubt.org, newer, doubt.id]).await?;
    devices::join(ctx, tx, doubt.org, newer, older).await?;
    for refitted in meters::adopt(tx, doubt.org, newer, older, ctx.now).await? {
        intake::reconcile(ctx, tx, doubt.org, refitted).await?;
    }
    let told = json!({ "device": older, "merged": newer });
    crate::events::emit(tx, ctx, doubt.org, "device.merged", ("device", older.to_string()), told).await?;
    Ok(())
}

async fn bill_by(ctx: &Ctx, tx: &mut Tx, doubt: &DoubtRow, source: Option<&str>) -> Result<()> {
    devices::bill_by(tx, doubt.org, doubt.device, source).await?;
    meters::bill_by(tx, doubt.org, doubt.device, ctx.now, source).await
}
