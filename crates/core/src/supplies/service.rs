//! Supplies of a device, now and then.

use store::{Row, Tx, params};
use wire::{Class, Level, RawLevel, Supply};

use super::receptacles::{self, filled};
use super::{Forecast, LevelPoint, Replacement, SupplyHistory, SupplyNow, sql};
use crate::devices::rules::letter;
use crate::devices::{DeviceId, tenant_of};
use crate::error::Result;
use crate::{Ctx, Micros, OrgId};

pub(super) fn level(kind: &str, value: Option<f64>, steps: Option<i64>) -> Level {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "steps are small whole numbers that we wrote"
    )]
    match (kind, value, steps) {
        ("percent", Some(value), _) => Level::Percent { value },
        ("staged", Some(value), Some(steps)) => {
            Level::Staged { value: value as u32, steps: u32::try_from(steps).unwrap_or(0) }
        }
        ("some_remaining", ..) => Level::SomeRemaining,
        ("unrestricted", ..) => Level::Unrestricted,
        _ => Level::Unknown,
    }
}

/// A slot from thirteen columns that begin at `at`.
pub(super) fn read_supply(row: &Row, at: usize) -> Result<Supply> {
    Ok(Supply {
        index: row.get(at)?,
        description: row.get(at + 1)?,
        kind: row.get(at + 2)?,
        color: row.get(at + 3)?,
        class: Class::from_word(&row.get::<String>(at + 4)?).unwrap_or(Class::Other),
        part_number: row.get(at + 5)?,
        serial: row.get(at + 6)?,
        level: level(&row.get::<String>(at + 7)?, row.get(at + 8)?, row.get(at + 9)?),
        raw: RawLevel { unit: row.get(at + 10)?, max: row.get(at + 11)?, level: row.get(at + 12)? },
    })
}

/// The supplies of a device, with forecasts where the past allows.
///
/// # Errors
/// `NotFound` when the device is not visible.
pub async fn current(ctx: &Ctx, device: DeviceId) -> Result<Vec<SupplyNow>> {
    let tenant = tenant_of(ctx, device).await?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    current_in(&mut tx, tenant, device, ctx.now).await
}

pub(crate) async fn current_in(tx: &mut Tx, tenant: OrgId, device: DeviceId, now: Micros) -> Result<Vec<SupplyNow>> {
    let mut all = Vec::new();
    for row in tx.query(&sql::CURRENT, &params![tenant, device]).await? {
        let supply = read_supply(&row, 0)?;
        let (fitted_at, read_at): (Micros, Micros) = (row.get(14)?, row.get(16)?);
        let direction = receptacles::steps(&row, 17)?.and_then(receptacles::Steps::direction);
        let direction = direction.filter(|_| supply.class == Class::Receptacle);
        let made_at: Option<Micros> = row.get(22)?;
        let forecast = match made_at {
            Some(made_at) => Some(Forecast::seen(now, (row.get(19)?, row.get(20)?, row.get(21)?), made_at)),
            None => None,
        };
        all.push(SupplyNow {
            letter: letter(&supply.kind, supply.color.as_deref(), supply.class),
            forecast,
            index: supply.index,
            description: supply.description,
            kind: supply.kind,
            color: supply.color,
            class: supply.class,
            part_number: supply.part_number,
            serial: supply.serial,
            filled: supply.level.percent().zip(direction).map(|(level, direction)| filled(level, direction)),
            level: supply.level,
            raw: supply.raw,
            level_at: row.get(13)?,
            read_at,
            fitted_at,
            fitted_pages: row.get(15)?,
        });
    }
    Ok(all)
}

/// Levels from `from` to before `to`, and all changes of cartridges.
///
/// # Errors
/// `NotFound` when the device is not visible.
pub async fn history(ctx: &Ctx, device: DeviceId, from: Micros, to: Micros) -> Result<SupplyHistory> {
    let tenant = tenant_of(ctx, device).await?;
    let mut tx = ctx.db().read(&ctx.scope.view()).await?;
    let mut found = SupplyHistory::default();
    for row in tx.query(&sql::LEVELS, &params![tenant, device, from, to]).await? {
        found.levels.push(LevelPoint {
            index: row.get(0)?,
            at: row.get(1)?,
            level: level(&row.get::<String>(2)?, row.get(3)?, row.get(4)?),
            pages_life: row.get(5)?,
        });
    }
    for row in tx.query(&sql::REPLACEMENTS, &params![tenant, device]).await? {
        found.replacements.push(Replacement {
            index: row.get(0)?,
            at: row.get(1)?,
            old_serial: row.get(2)?,
            new_serial: row.get(3)?,
            before: row.get(4)?,
            after: row.get(5)?,
            lived_pages: row.get(6)?,
            fitted_at: row.get(7)?,
            evidence: row.get(8)?,
            premature: row.get(9)?,
        });
    }
    Ok(found)
}
