//! The reconciler of supplies: foretells, calls people, proposes shipments, keeps the life of parts. It takes no input,
//! may run twice or be killed half-way; devices are looked at when a report changed them, and twice a day.

use std::collections::BTreeMap;

use store::{Value, params};

use super::forecast::{self, Book, Habits};
use super::past::{self, Made};
use super::rules::activity::{Activity, DAY};
use super::rules::shipments::Terms;
use super::rules::thresholds::{CALLING, Facts};
use super::shipments::Need;
use super::thresholds::{self, LimitRule};
use super::{parts, shipments, sql};
use crate::alerts::Board;
use crate::devices::DeviceId;
use crate::devices::intake::Fleet;
use crate::diagnostics::Counters;
use crate::error::Result;
use crate::platform::Platform;
use crate::{AgentId, Ctx, OrgId};

/// Devices of one transaction: what reports wait for must be short.
const BATCH: i64 = 24;
/// Batches of one run; what is left comes a minute later.
const BATCHES: usize = 400;
/// Without any report a device is looked at again after this, µs: days pass.
const AGAIN: i64 = DAY / 2;

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Devices that were looked at.
    pub devices: u64,
    /// Slots with a forecast.
    pub forecasts: u64,
}

/// Looks at all devices that are due. Call it each minute.
///
/// # Errors
/// When the database refuses; what was looked at until then is kept.
pub async fn run(platform: &Platform) -> Result<Looked> {
    let ctx = platform.system("supplies that end and parts that wear");
    let mut done = Looked::default();
    let mut habits: BTreeMap<OrgId, Habits> = BTreeMap::new();
    for _ in 0..BATCHES {
        let mut tx = ctx.db().read(&ctx.scope.view()).await?;
        let rows = tx.query(&sql::DUE, &params![ctx.now, BATCH]).await?;
        drop(tx);
        let mut tenants: BTreeMap<OrgId, Vec<DeviceId>> = BTreeMap::new();
        for row in rows {
            tenants.entry(row.get(0)?).or_default().push(row.get(1)?);
        }
        if tenants.is_empty() {
            break;
        }
        for (tenant, devices) in tenants {
            if let std::collections::btree_map::Entry::Vacant(entry) = habits.entry(tenant) {
                entry.insert(forecast::habits(&ctx, tenant).await?);
            }
            let mut told = Vec::with_capacity(devices.len());
            for device in &devices {
                told.push(parts::told(&ctx, *device).await.unwrap_or_default());
            }
            let looked = look(&ctx, tenant, &devices, &told, &habits[&tenant]).await?;
            done.devices += looked.devices;
            done.forecasts += looked.forecasts;
        }
    }
    Ok(done)
}

/// What holds for all devices of an organisation.
struct House<'a> {
    habits: &'a Habits,
    limits: Vec<LimitRule>,
    terms: Terms,
    ratings: Vec<(String, String, f64)>,
    offset: i64,
}

async fn look(
    ctx: &Ctx,
    tenant: OrgId,
    devices: &[DeviceId],
    told: &[Option<Counters>],
    habits: &Habits,
) -> Result<Looked> {
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let zone = crate::meters::intake::zone_of(&mut tx, tenant).await?;
    let house = House {
        habits,
        limits: thresholds::rules_of(&mut tx, tenant).await?,
        terms: shipments::terms_in(&mut tx, tenant).await?.0,
        ratings: parts::ratings_of(&mut tx, tenant).await?,
        offset: past::offset(&zone, ctx.now),
    };
    let mut seed = [0; 8];
    ctx.ids().random(&mut seed);
    let nobody = AgentId(uuid::Uuid::nil());
    let mut fleet = Fleet::new(tenant, nobody, ctx.now, i64::from_be_bytes(seed) & (i64::MAX >> 2));
    fleet.load_ids(&mut tx, devices).await?;
    let mut board = Board::load(&mut tx, &ctx.platform, tenant, devices, ctx.now.0).await?;
    let (mut book, mut done) = (Book::default(), Looked::default());
    for (device, told) in devices.iter().zip(told) {
        let at = fleet.place(*device).filter(|at| fleet.get(*at).lifecycle != "retired");
        if let Some(at) = at {
            let all = (&mut fleet, &mut board, &mut book);
            done.forecasts += one(ctx, &mut tx, all, at, told.as_ref(), &house).await?;
            done.devices += 1;
            tx.execute(&sql::LOOKED, &params![tenant, *device, ctx.now, ctx.now.0 + AGAIN]).await?;
        } else {
            for statement in [&sql::FORGET_LOOK, &sql::FORGET_FORECASTS, &sql::FORGET_PARTS] {
                tx.execute(statement, &params![tenant, *device]).await?;
            }
        }
    }
    let events = std::mem::take(&mut fleet.events);
    fleet.flush(&mut tx).await?;
    board.flush(&mut tx).await?;
    book.flush(&mut tx).await?;
    crate::events::emit_all(&mut tx, ctx, tenant, &events).await?;
    tx.commit().await?;
    Ok(done)
}

async fn one(
    ctx: &Ctx,
    tx: &mut store::Tx,
    (fleet, board, book): (&mut Fleet, &mut Board, &mut Book),
    at: usize,
    told: Option<&Counters>,
    house: &House<'_>,
) -> Result<u64> {
    let (tenant, device) = (fleet.tenant, fleet.get(at).id);
    let (pages, place) = (fleet.get(at).pages_life, fleet.get(at).place.clone());
    let slots = past::slots(tx, tenant, device, ctx.now).await?;
    let until = slots.iter().map(|slot| slot.read_at).max().or(told.map(|told| told.at.0)).unwrap_or(ctx.now.0);
    let days = past::days(tx, tenant, device, until, house.offset).await?;
    let before = forecast::stored(tx, tenant, device).await?;
    let (season, spread) = (&house.habits.season, house.habits.spread);
    let (mut forecasts, mut needs, mut ends_of) = (0, Vec::new(), Vec::new());
    for slot in &slots {
        let index = &slot.supply.index;
        let known = before.iter().find(|(other, _)| other == index).map(|(_, stored)| *stored);
        let made = slot.outlook(&days, pages, house.offset, season, spread);
        match &made {
            Some(made) => {
                forecasts += 1;
                if let Some(news) = book.take((tenant, device), slot, made, known, ctx.now) {
                    fleet.events.push(("supply.forecast.changed", "device", device.to_string(), news));
                }
            }
            None if known.is_some() => book.drop(tenant, device, index),
            None => {}
        }
        let sure = made.as_ref().filter(|made| made.outlook.doubt <= CALLING);
        let lasts = |made: &Made| ((made.outlook.p50 - ctx.now.0).max(0) as f64 / DAY as f64, made.outlook.doubt);
        let calls = thresholds::apply_slot((fleet, board), at, slot, &house.limits, made.as_ref().map(lasts), ctx.now);
        ends_of.push((slot, made.as_ref().map(|made| (made.outlook.p5, made.outlook.p50, made.outlook.p95))));
        needs.push(Need { slot, ends: sure.map(|made| (made.outlook.p5, made.outlook.p50)), calls: calls.low });
    }
    for (index, _) in before.iter().filter(|(index, _)| !slots.iter().any(|slot| slot.supply.index == *index)) {
        book.drop(tenant, device, index);
    }
    book.score(tx, (tenant, device), &slots).await?;
    shipments::look(ctx, tx, (tenant, device, &place), &needs, &house.terms).await?;
    let activity = Activity::of(&days.pages, days.last, season);
    let model = parts::model_key(&fleet.get(at).vendor, fleet.get(at).model.as_deref());
    let around = parts::Around {
        activity: activity.as_ref(),
        offset: house.offset,
        pages,
        model: &model,
        ratings: &house.ratings,
    };
    let worn = parts::look(ctx, tx, (fleet, at), &ends_of, told, &around).await?;
    for part in &worn {
        let limits = thresholds::limits_of(&house.limits, &model, &part.kind, None);
        let facts = Facts {
            kind: &part.kind,
            class: wire::Class::Consumed,
            left: Some(part.left),
            filled: None,
            days: part.days,
        };
        thresholds::apply((fleet, board), at, ("parts", &part.part, &part.name), &limits, &facts, ctx.now);
    }
    let known: Vec<&str> =
        slots.iter().map(|slot| slot.supply.index.as_str()).chain(worn.iter().map(|part| part.part.as_str())).collect();
    thresholds::clear_gone(fleet, board, at, &known, ctx.now);
    Ok(forecasts)
}

/// Devices of which nothing was ever foretold are looked at: after an upgrade, or a restored backup. Call it once.
///
/// # Errors
/// When the database refuses.
pub async fn begin(platform: &Platform) -> Result<u64> {
    let ctx = platform.system("supplies that nobody has looked at");
    let mut tx = ctx.db().write(&ctx.scope.view()).await?;
    let begun = tx.execute(&sql::LOOK_UNSEEN, &[] as &[Value]).await?;
    tx.commit().await?;
    Ok(begun)
}
