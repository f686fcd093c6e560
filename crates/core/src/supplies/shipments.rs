//! Shipments: proposed by the reconciler, one a device; ordered, sent and taken back by people; nothing twice.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use store::{Row, Sql, Tx, Value, params};

use super::past::Slot;
use super::rules::activity::DAY;
use super::rules::shipments::{self as rules, Act, Deed, Ended, Open, State, Terms, Why};
use super::{name_of, sql};
use crate::audit::{self, Change};
use crate::devices::DeviceId;
use crate::devices::fold::clean;
use crate::error::{Error, Result};
use crate::filter::{Field, FieldKind, Filter};
use crate::page::{Key, Page, PageQuery, Sort};
use crate::{Ctx, Kind, Micros, OrgId, Role};

crate::id!(
    /// A shipment.
    ShipmentId,
    "shipment"
);

/// Most shipments of one bulk act.
pub const MOST_ACTS: usize = 500;

/// Fields of the filter of [`list`].
pub const FIELDS: &[Field] = &[
    Field::new(
        "state",
        "s.state",
        FieldKind::Word(&["proposed", "ordered", "shipped", "arrived", "done", "cancelled", "expired"]),
    ),
    Field::new("device", "s.device", FieldKind::Text),
    Field::new("name", "d.label", FieldKind::Text),
    Field::new("place", "s.place", FieldKind::Text),
    Field::new("vendor", "d.vendor", FieldKind::Text),
    Field::new("model", "d.model", FieldKind::Text),
    Field::new("org", "s.tenant", FieldKind::Org),
    Field::new("needed", "s.needed_at", FieldKind::Time),
    Field::new("made", "s.made_at", FieldKind::Time),
];

/// A shipment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shipment {
    /// Its id.
    pub id: ShipmentId,
    /// Organisation.
    pub org: OrgId,
    /// Name of the organisation.
    pub customer: String,
    /// The device.
    pub device: DeviceId,
    /// What people call it.
    pub device_name: String,
    /// Vendor slug.
    pub vendor: String,
    /// Model.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Where it stands, as known when it was proposed.
    pub place: String,
    /// Where it is on its way.
    pub state: State,
    /// When it was proposed.
    pub made_at: Micros,
    /// When the first of its items is needed.
    pub needed_at: Micros,
    /// When it was ordered.
    pub ordered_at: Option<Micros>,
    /// When it left.
    pub shipped_at: Option<Micros>,
    /// When it was there.
    pub arrived_at: Option<Micros>,
    /// When it was over.
    pub ended_at: Option<Micros>,
    /// When it is given up if nobody fits it.
    pub expires_at: Micros,
    /// Who did the last thing to it; `None`: Platen itself.
    pub changed_by: Option<String>,
    /// What they said.
    pub note: Option<String>,
    /// For `If-Match`.
    pub version: i64,
    /// What is in it.
    pub items: Vec<Item>,
}

/// One thing that is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Slot.
    pub index: String,
    /// `yellow toner`.
    pub name: String,
    /// `toner`, `opc` …
    pub kind: String,
    /// Colorant.
    pub color: Option<String>,
    /// The maker's part number, where the device tells it.
    pub part_number: Option<String>,
    /// low, soon or together.
    pub why: String,
    /// When it is needed.
    pub needed_at: Micros,
    /// Bars another order for the slot.
    pub open: bool,
    /// fitted, unneeded, expired or cancelled; `None`: it is open.
    pub ended: Option<String>,
}

/// Which shipments.
#[derive(Clone, Debug, Default)]
pub struct ShipmentQuery {
    /// Condition over [`FIELDS`].
    pub filter: Option<Filter>,
    /// `Some(true)`: those that are not over; `Some(false)`: those that are.
    pub open: Option<bool>,
    /// Which page.
    pub page: PageQuery,
}

const SOONEST: Sort = Sort { name: "shipments.needed", keys: &[Key::up("s.needed_at"), Key::up("s.id")] };
const NEWEST: Sort = Sort { name: "shipments.made", keys: &[Key::down("s.made_at"), Key::down("s.id")] };
const TABLES: &str = "shipments s join devices d on d.tenant = s.tenant and d.id = s.device
    join organisations o on o.tenant = s.tenant and o.id = s.tenant";
const COLUMNS: &str =
    "s.id, s.tenant, o.name, s.device, d.label, d.vendor, d.model, d.serial_no, s.place, s.state, s.made_at,
    s.needed_at, s.ordered_at, s.shipped_at, s.arrived_at, s.ended_at, s.expires_at, s.changed_by, s.note, s.version";

fn read(row: &Row) -> Result<Shipment> {
    let state: String = row.get(9)?;
    Ok(Shipment {
        id: row.get(0)?,
        org: row.get(1)?,
        customer: row.get(2)?,
        device: row.get(3)?,
        device_name: row.get(4)?,
        vendor: row.get(5)?,
        model: row.get(6)?,
        serial: row.get(7)?,
        place: row.get(8)?,
        state: State::from_word(&state)
            .ok_or_else(|| Error::internal(format!("{state:?} is no state of a shipment")))?,
        made_at: row.get(10)?,
        needed_at: row.get(11)?,
        ordered_at: row.get(12)?,
        shipped_at: row.get(13)?,
        arrived_at: row.get(14)?,
        ended_at: row.get(15)?,
        expires_at: row.get(16)?,
        changed_by: row.get(17)?,
        note: row.get(18)?,
        version: row.get(19)?,
        items: Vec::new(),
    })
}

/// One page of shipments: those that are not over by when they are needed, others newest first.
///
/// # Errors
/// `Invalid` for a filter, cursor or limit that does not fit.
pub async fn list(ctx: &Ctx, query: &ShipmentQuery) -> Result<Page<Shipment>> {
    let limit = query.page.limit()?;
    let sort = if query.open == Some(true) { &SOONEST } else { &NEWEST };
    let mut values = Vec::new();
    let mut all = vec![ctx.scope.condition("s", &mut values)];
    all.extend(query.open.map(|open| format!("s.ended_at is {}null", if open { "" } else { "not " })));
    if let Some(filter) = &query.filter {
        all.push(filter.to_sql(FIELDS, &mut values)?);
    }
    let conditions = all.join(" and ");
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut count = None;
    if query.page.count {
        let text = format!("select count(*) from {TABLES} where {conditions}");
        count = Some(tx.query_one(&Sql::built_as("shipments::count", text), &values).await?.get(0)?);
    }
    let after = sort.after(query.page.after.as_deref(), &mut values)?;
    values.push(i64::try_from(limit + 1).unwrap_or(i64::MAX).into());
    let keys: Vec<_> = sort.keys.iter().map(|key| key.column).collect();
    let text = format!(
        "select {COLUMNS}, {} from {TABLES} where {conditions} and {after} order by {} limit ${}",
        keys.join(", "),
        sort.order(),
        values.len()
    );
    let rows = tx.query(&Sql::built_as("shipments::list", text), &values).await?;
    let mut page = sort.page(rows, limit, read)?;
    page.count = count;
    for shipment in &mut page.items {
        shipment.items = items(&mut tx, shipment.org, shipment.id).await?;
    }
    Ok(page)
}

async fn items(tx: &mut Tx, tenant: OrgId, id: ShipmentId) -> Result<Vec<Item>> {
    let rows = tx.query(&sql::ITEMS, &params![tenant, id]).await?;
    rows.iter()
        .map(|row| {
            Ok(Item {
                index: row.get(0)?,
                name: row.get(1)?,
                kind: row.get(2)?,
                color: row.get(3)?,
                part_number: row.get(4)?,
                why: row.get(5)?,
                needed_at: row.get(6)?,
                open: row.get(7)?,
                ended: row.get(8)?,
            })
        })
        .collect()
}

/// One shipment.
///
/// # Errors
/// `NotFound`.
pub async fn get(ctx: &Ctx, id: ShipmentId) -> Result<Shipment> {
    let mut values = Vec::new();
    let scope = ctx.scope.condition("s", &mut values);
    values.push(id.into());
    let text = format!("select {COLUMNS} from {TABLES} where {scope} and s.id = ${}", values.len());
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let row = tx.query_opt(&Sql::built_as("shipments::get", text), &values).await?.ok_or_else(ShipmentId::missing)?;
    let mut shipment = read(&row)?;
    shipment.items = items(&mut tx, shipment.org, id).await?;
    Ok(shipment)
}

/// What an act did, or would do, to one shipment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Which.
    pub id: String,
    /// What people call its device; empty when it is not there.
    pub device_name: String,
    /// Where it was.
    pub from: Option<State>,
    /// Where it is then; `None`: it cannot be done.
    pub to: Option<State>,
    /// Why it cannot be done.
    pub why: Option<String>,
}

/// Does one thing to many shipments, each in its own transaction; with `rehearse` only says what would happen.
///
/// # Errors
/// `Forbidden`; `Invalid` for more than [`MOST_ACTS`].
pub async fn act(ctx: &Ctx, ids: &[String], act: Act, note: Option<&str>, rehearse: bool) -> Result<Vec<Outcome>> {
    ctx.require(Role::Manager, "send supplies")?;
    if ids.len() > MOST_ACTS {
        return Err(Error::invalid("ids", format!("at most {MOST_ACTS} at once")));
    }
    let note = clean(note);
    let mut all = Vec::with_capacity(ids.len());
    for id in ids {
        let done = match ShipmentId::parse(id) {
            Ok(id) => one(ctx, id, act, note.as_deref(), rehearse).await,
            Err(error) => Err(error),
        };
        all.push(match done {
            Ok(outcome) => outcome,
            Err(error) if matches!(error.kind, Kind::NotFound | Kind::Conflict) => {
                Outcome { id: id.clone(), device_name: String::new(), from: None, to: None, why: Some(error.message) }
            }
            Err(error) => return Err(error),
        });
    }
    Ok(all)
}

async fn one(ctx: &Ctx, id: ShipmentId, act: Act, note: Option<&str>, rehearse: bool) -> Result<Outcome> {
    let shipment = get(ctx, id).await?;
    let mut outcome = Outcome {
        id: id.to_string(),
        device_name: shipment.device_name.clone(),
        from: Some(shipment.state),
        to: shipment.state.next(act),
        why: None,
    };
    let Some(next) = outcome.to else {
        outcome.why = Some(format!("{} cannot be done to what is {}", act.as_str(), shipment.state.as_str()));
        return Ok(outcome);
    };
    if rehearse {
        return Ok(outcome);
    }
    let terms = terms_of(ctx, shipment.org).await?.0;
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let expires = ctx.now.0 + terms.expiry_days * DAY;
    let over = next.is_over().then_some(ctx.now);
    let values = params![
        shipment.org,
        id,
        shipment.version,
        next.as_str(),
        (next == State::Ordered).then_some(ctx.now),
        (next == State::Shipped).then_some(ctx.now),
        (next == State::Arrived).then_some(ctx.now),
        over,
        if next.is_over() { shipment.expires_at.0 } else { expires },
        ctx.actor.name(),
        note
    ];
    if tx.execute(&sql::SHIPMENT_STATE, &values).await? == 0 {
        return Err(Error::conflict("somebody changed it at the same moment; look again"));
    }
    if next == State::Cancelled {
        tx.execute(&sql::ITEMS_END, &params![shipment.org, id, "cancelled"]).await?;
        tx.execute(&sql::LOOK, &params![shipment.org, shipment.device, ctx.now]).await?;
    }
    let data = json!({ "shipment": id, "device": shipment.device, "from": shipment.state, "to": next });
    let subject = ("shipment", id.to_string());
    crate::events::emit(&mut tx, ctx, shipment.org, "shipment.changed", subject, data).await?;
    let change = Change::new(shipment.org, next.as_str(), "shipment", id)
        .before(json!({ "state": shipment.state }))
        .after(json!({ "state": next, "note": note }));
    audit::record(&mut tx, ctx, change).await?;
    tx.commit().await?;
    Ok(outcome)
}

/// How an organisation has things sent, with the version for `If-Match` (0: nobody has said).
///
/// # Errors
/// `NotFound` when it is not visible.
pub async fn terms(ctx: &Ctx, org: OrgId) -> Result<(Terms, i64)> {
    ctx.scope.require(org, "organisation")?;
    terms_of(ctx, org).await
}

async fn terms_of(ctx: &Ctx, org: OrgId) -> Result<(Terms, i64)> {
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    terms_in(&mut tx, org).await
}

pub(super) async fn terms_in(tx: &mut Tx, org: OrgId) -> Result<(Terms, i64)> {
    let Some(row) = tx.query_opt(&sql::TERMS, &params![org]).await? else { return Ok((Terms::default(), 0)) };
    let terms = Terms {
        proposes: row.get(0)?,
        delivery_days: row.get(1)?,
        margin_days: row.get(2)?,
        together_days: row.get(3)?,
        interval_days: row.get(4)?,
        expiry_days: row.get(5)?,
    };
    Ok((terms, row.get(6)?))
}

/// Says how an organisation has things sent. Returns the new version.
///
/// # Errors
/// `Forbidden`, `Invalid`, `Stale` when `if_match` is given and older.
pub async fn set_terms(ctx: &Ctx, org: OrgId, terms: Terms, if_match: Option<i64>) -> Result<i64> {
    ctx.scope.require(org, "organisation")?;
    ctx.require(Role::Manager, "say how supplies are sent")?;
    if let Some((field, message)) = terms.fault() {
        return Err(Error::invalid(field, message));
    }
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let (before, version) = terms_in(&mut tx, org).await?;
    if if_match.is_some() {
        Error::check_version(if_match, version)?;
    }
    let values = params![
        org,
        i64::from(terms.proposes),
        terms.delivery_days,
        terms.margin_days,
        terms.together_days,
        terms.interval_days,
        terms.expiry_days,
        version + 1,
        ctx.now
    ];
    tx.execute(&sql::TERMS_SET, &values).await?;
    tx.execute(&sql::LOOK_ALL, &params![org, ctx.now]).await?;
    let change = Change::new(org, "changed", "shipment_terms", org).before(json!(before)).after(json!(terms));
    audit::record(&mut tx, ctx, change).await?;
    tx.commit().await?;
    Ok(version + 1)
}

/// A slot, and what its level and forecast say.
pub(super) struct Need<'a> {
    pub(super) slot: &'a Slot,
    pub(super) ends: Option<(i64, i64)>,
    pub(super) calls: bool,
}

/// Proposes what a device needs, and closes what is over.
pub(super) async fn look(
    ctx: &Ctx,
    tx: &mut Tx,
    (tenant, device, place): (OrgId, DeviceId, &str),
    needs: &[Need<'_>],
    terms: &Terms,
) -> Result<()> {
    let mut open: BTreeMap<String, (ShipmentId, Open)> = BTreeMap::new();
    for row in tx.query(&sql::ITEMS_OPEN, &params![tenant, device]).await? {
        let state = State::from_word(&row.get::<String>(2)?).unwrap_or(State::Expired);
        let (made_at, ordered_at): (i64, Option<i64>) = (row.get(3)?, row.get(4)?);
        let since = ordered_at.unwrap_or(made_at);
        open.insert(row.get(0)?, (row.get(1)?, Open { state, since, expires_at: row.get(5)? }));
    }
    let mut ordered: BTreeMap<String, i64> = BTreeMap::new();
    for row in tx.query(&sql::LAST_ORDERS, &params![tenant, device]).await? {
        ordered.insert(row.get(0)?, row.get(1)?);
    }
    let mut slots: Vec<rules::Slot> = needs
        .iter()
        .map(|need| {
            let index = need.slot.supply.index.clone();
            rules::Slot {
                ends: need.ends,
                calls: need.calls,
                fitted_at: need.slot.changes.iter().map(|change| change.at).max(),
                ordered_at: ordered.get(&index).copied(),
                open: open.get(&index).map(|(_, open)| *open),
                index,
            }
        })
        .collect();
    // A slot that the device tells no more can still run out of time.
    for (index, (_, item)) in &open {
        if !slots.iter().any(|slot| slot.index == *index) {
            let index = index.clone();
            slots.push(rules::Slot {
                index,
                ends: None,
                calls: false,
                fitted_at: None,
                ordered_at: None,
                open: Some(*item),
            });
        }
    }
    let deeds = rules::plan(&slots, terms, ctx.now.0);
    let mut touched = Vec::new();
    for (at, deed) in &deeds {
        if let (Deed::Close(ended), Some((shipment, _))) = (deed, open.get(&slots[*at].index)) {
            tx.execute(&sql::ITEM_END, &params![tenant, *shipment, &slots[*at].index, ended.as_str()]).await?;
            touched.push((*shipment, *ended));
        }
    }
    for (shipment, ended) in touched {
        close_if_over(ctx, tx, (tenant, device), shipment, ended).await?;
    }
    let wanted: Vec<(&Need<'_>, Why)> = deeds
        .iter()
        .filter_map(|(at, deed)| match deed {
            Deed::Propose(why) => Some((needs.get(*at)?, *why)),
            Deed::Close(_) => None,
        })
        .collect();
    if wanted.is_empty() { Ok(()) } else { propose(ctx, tx, (tenant, device, place), &wanted, terms).await }
}

/// A shipment of which nothing is open any more is over.
async fn close_if_over(
    ctx: &Ctx,
    tx: &mut Tx,
    (tenant, device): (OrgId, DeviceId),
    id: ShipmentId,
    ended: Ended,
) -> Result<()> {
    let all = items(tx, tenant, id).await?;
    if all.iter().any(|item| item.open) {
        return Ok(());
    }
    let fitted = all.iter().any(|item| item.ended.as_deref() == Some(Ended::Fitted.as_str()));
    let state = match ended {
        _ if fitted => State::Done,
        Ended::Expired => State::Expired,
        Ended::Fitted | Ended::Unneeded => State::Cancelled,
    };
    tx.execute(&sql::SHIPMENT_END, &params![tenant, id, state.as_str(), ctx.now]).await?;
    let data = json!({ "shipment": id, "device": device, "to": state, "ended": ended.as_str() });
    crate::events::emit(tx, ctx, tenant, "shipment.changed", ("shipment", id.to_string()), data).await?;
    Ok(())
}

async fn propose(
    ctx: &Ctx,
    tx: &mut Tx,
    (tenant, device, place): (OrgId, DeviceId, &str),
    wanted: &[(&Need<'_>, Why)],
    terms: &Terms,
) -> Result<()> {
    let needed = |need: &Need<'_>| need.ends.map_or(ctx.now.0, |(_, middle)| middle.max(ctx.now.0));
    let first = wanted.iter().map(|(need, _)| needed(need)).min().unwrap_or(ctx.now.0);
    let known = tx.query_opt(&sql::PROPOSED, &params![tenant, device]).await?;
    let id = match &known {
        Some(row) => row.get(0)?,
        None => ShipmentId::new(ctx.ids()),
    };
    let values = params![tenant, id, device, place, ctx.now, first, ctx.now.0 + terms.expiry_days * DAY];
    tx.execute(if known.is_some() { &sql::SHIPMENT_GROWS } else { &sql::SHIPMENT }, &values).await?;
    let mut names = Vec::new();
    for (need, why) in wanted {
        let supply = &need.slot.supply;
        let name = name_of(supply);
        let values: Vec<Value> = params![
            tenant,
            id,
            &supply.index,
            device,
            &name,
            &supply.kind,
            supply.color.as_ref(),
            supply.part_number.as_ref(),
            why.as_str(),
            needed(need),
            ctx.now
        ]
        .into();
        tx.execute(&sql::ITEM, &values).await?;
        names.push(name);
    }
    let data = json!({ "shipment": id, "device": device, "items": names, "needed": Micros(first) });
    crate::events::emit(tx, ctx, tenant, "shipment.proposed", ("shipment", id.to_string()), data).await?;
    Ok(())
}

/// How many shipments wait for a person's word.
///
/// # Errors
/// When the database refuses.
pub async fn waiting(ctx: &Ctx) -> Result<u64> {
    let mut values = Vec::new();
    let scope = ctx.scope.condition("s", &mut values);
    let text = format!("select count(*) from shipments s where {scope} and s.state = 'proposed'");
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    Ok(tx.query_one(&Sql::built_as("shipments::waiting", text), &values).await?.get(0)?)
}
