//! Limits of an organisation, by model and colorant; and the alerts that follow from them, one a part.

use serde::Serialize;
use serde_json::json;
use store::{Tx, params};

use super::past::Slot;
use super::rules::thresholds::{Call, Facts, Limits, USUAL, call, is_end};
use super::sql;
use crate::alerts::Board;
use crate::audit::{self, Change};
use crate::devices::fold::clean;
use crate::devices::intake::Fleet;
use crate::error::{Error, Result};
use crate::{Ctx, Micros, OrgId, Role};

/// Group of the alerts about supplies, as devices call it.
const GROUP: &str = "marker-supplies";
/// Most rules of an organisation.
const MOST: usize = 500;

/// One rule of limits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LimitRule {
    /// Whose.
    pub org: OrgId,
    /// `vendor model`, lower case; empty: all models.
    pub model: String,
    /// Colorant (`black`) or kind (`waste-toner`); empty: all.
    pub what: String,
    /// The limits.
    #[serde(flatten)]
    pub limits: Limits,
    /// For `If-Match`.
    pub version: i64,
}

/// `vendor model` as rules name it.
pub(super) fn model_key(vendor: &str, model: Option<&str>) -> String {
    format!("{vendor} {}", model.unwrap_or_default()).trim().to_lowercase()
}

/// The rules of all that is visible, and what holds where none does.
///
/// # Errors
/// When the database refuses.
pub async fn limits(ctx: &Ctx) -> Result<(Vec<LimitRule>, Limits)> {
    let mut values = Vec::new();
    let scope = ctx.scope.condition("l", &mut values);
    let text = format!(
        "select l.tenant, l.model, l.what, l.almost_empty, l.empty, l.almost_full, l.full_at, l.soon_days, l.version
        from supply_limits l
        where {scope}
        order by l.tenant, l.model, l.what
        limit {MOST}"
    );
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let rows = tx.query(&store::Sql::built_as("supplies::limits", text), &values).await?;
    Ok((rows.iter().map(read).collect::<Result<_>>()?, USUAL))
}

fn read(row: &store::Row) -> Result<LimitRule> {
    Ok(LimitRule {
        org: row.get(0)?,
        model: row.get(1)?,
        what: row.get(2)?,
        limits: Limits {
            almost_empty: row.get(3)?,
            empty: row.get(4)?,
            almost_full: row.get(5)?,
            full: row.get(6)?,
            soon_days: row.get(7)?,
        },
        version: row.get(8)?,
    })
}

/// Sets the limits of a model and colorant in an organisation; all `None` takes the rule away. Returns its version.
///
/// # Errors
/// `Forbidden`, `Invalid`, `Stale` when `if_match` is given and older.
pub async fn set_limits(
    ctx: &Ctx,
    org: OrgId,
    (model, what): (&str, &str),
    limits: Limits,
    if_match: Option<i64>,
) -> Result<i64> {
    ctx.scope.require(org, "organisation")?;
    ctx.require(Role::Manager, "set limits of supplies")?;
    if let Some((field, message)) = limits.fault() {
        return Err(Error::invalid(field, message));
    }
    let key = |text: &str| clean(Some(text)).unwrap_or_default().to_lowercase();
    let (model, what) = (key(model), key(what));
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let before = tx.query_opt(&sql::LIMIT, &params![org, &model, &what]).await?;
    let before = before.as_ref().map(read).transpose()?;
    let version = before.as_ref().map_or(0, |rule| rule.version);
    if if_match.is_some() {
        Error::check_version(if_match, version)?;
    }
    if limits == Limits::default() {
        tx.execute(&sql::LIMIT_DROP, &params![org, &model, &what]).await?;
    } else {
        let values = params![
            org,
            &model,
            &what,
            limits.almost_empty,
            limits.empty,
            limits.almost_full,
            limits.full,
            limits.soon_days,
            version + 1,
            ctx.now
        ];
        tx.execute(&sql::LIMIT_SET, &values).await?;
    }
    // Whoever is concerned is looked at again.
    tx.execute(&sql::LOOK_ALL, &params![org, ctx.now]).await?;
    let subject = [model, what].join("/");
    let change = Change::new(org, "changed", "supply_limits", &subject)
        .before(json!(before.map(|rule| rule.limits)))
        .after(json!(limits));
    audit::record(&mut tx, ctx, change).await?;
    tx.commit().await?;
    Ok(version + 1)
}

/// Rules that hold in an organisation: its own, then those of the organisations above, nearest first.
pub(super) async fn rules_of(tx: &mut Tx, tenant: OrgId) -> Result<Vec<LimitRule>> {
    tx.query(&sql::LIMITS_ABOVE, &params![tenant]).await?.iter().map(read).collect()
}

/// The limits of one supply: the nearest organisation first, and there model and colorant before model, colorant, all.
pub(super) fn limits_of(rules: &[LimitRule], model: &str, kind: &str, color: Option<&str>) -> Limits {
    let fits = |rule: &&LimitRule| {
        let what = rule.what.is_empty() || rule.what == kind || Some(rule.what.as_str()) == color;
        what && (rule.model.is_empty() || rule.model == model)
    };
    let mut found: Vec<(usize, u8, &LimitRule)> = Vec::new();
    let mut orgs: Vec<OrgId> = Vec::new();
    for rule in rules.iter().filter(fits) {
        let near = orgs.iter().position(|org| *org == rule.org).unwrap_or_else(|| {
            orgs.push(rule.org);
            orgs.len() - 1
        });
        let wide = u8::from(rule.model.is_empty()) * 2 + u8::from(rule.what.is_empty());
        found.push((near, wide, rule));
    }
    found.sort_by_key(|(near, wide, _)| (*near, *wide));
    found.into_iter().fold(Limits::default(), |limits, (.., rule)| limits.or(rule.limits))
}

/// What a slot calls for by the device's own word or by ours.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Calls {
    /// The device itself, or a level, says that it is at its end; not a forecast.
    pub(super) low: bool,
}

/// Raises and clears the alert of one part. The device's own word comes first: nobody is told twice.
pub(super) fn apply(
    (fleet, board): (&mut Fleet, &mut Board),
    at: usize,
    (group, part, name): (&str, &str, &str),
    limits: &Limits,
    facts: &Facts<'_>,
    now: Micros,
) -> Calls {
    let device = fleet.get(at).id;
    let (mut told, mut made) = (Vec::new(), None);
    for (reason, of, ours) in board.standing(device) {
        match (ours, of == part) {
            (true, true) => made = Some(reason.to_owned()),
            (false, true) if is_end(reason) => told.push(reason.to_owned()),
            // A bare reason of the device names no part: it speaks of this one if we would say the same.
            (false, false) if of.is_empty() && is_end(reason) => told.push(reason.to_owned()),
            _ => {}
        }
    }
    let wanted = call(limits, facts, made.as_deref());
    let part_told = board.standing(device).any(|(reason, of, ours)| !ours && of == part && is_end(reason));
    let said = |call: &Call| part_told || told.iter().any(|reason| reason == call.reason);
    let low = part_told || wanted.as_ref().is_some_and(|call| call.reason != "platen-supply-soon-empty");
    match wanted.filter(|call| !said(call)) {
        Some(call) => {
            if made.as_deref() != Some(call.reason) {
                let text = words(name, facts);
                board.raise_made_of(fleet, at, (group, part, call.reason), call.severity, text, now.0);
            }
            board.clear_made_of(fleet, at, part, Some(call.reason), now.0);
        }
        None => board.clear_made_of(fleet, at, part, None, now.0),
    }
    Calls { low }
}

/// The alert of a slot.
pub(super) fn apply_slot(
    (fleet, board): (&mut Fleet, &mut Board),
    at: usize,
    slot: &Slot,
    rules: &[LimitRule],
    days: Option<(f64, f64)>,
    now: Micros,
) -> Calls {
    let supply = &slot.supply;
    let device = fleet.get(at);
    let model = model_key(&device.vendor, device.model.as_deref());
    let limits = limits_of(rules, &model, &supply.kind, supply.color.as_deref());
    let left = slot.left();
    let filled = left.filter(|_| slot.direction.is_some()).map(|left| 100.0 - left);
    let facts = Facts { kind: &supply.kind, class: supply.class, left, filled, days };
    apply((fleet, board), at, (GROUP, &supply.index, &super::name_of(supply)), &limits, &facts, now)
}

/// Clears what was made of slots that the device tells no more.
pub(super) fn clear_gone(fleet: &mut Fleet, board: &mut Board, at: usize, known: &[&str], now: Micros) {
    let device = fleet.get(at).id;
    let gone: Vec<String> = board
        .standing(device)
        .filter(|(reason, part, ours)| *ours && !part.is_empty() && is_end(reason) && !known.contains(part))
        .map(|(_, part, _)| part.to_owned())
        .collect();
    for part in gone {
        board.clear_made_of(fleet, at, &part, None, now.0);
    }
}

fn words(name: &str, facts: &Facts<'_>) -> String {
    match (facts.filled, facts.left, facts.days) {
        (Some(filled), ..) => format!("{name} {filled:.0} % full"),
        (None, Some(left), Some((days, _))) if days < 100.0 => {
            format!("{name} {left:.0} %, about {} left", lasts(days))
        }
        (None, Some(left), _) => format!("{name} {left:.0} %"),
        _ => name.to_owned(),
    }
}

/// `4 days`, `5 hours`.
fn lasts(days: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "below ten years")]
    crate::devices::rules::span((days * super::rules::activity::DAY as f64) as i64)
}
