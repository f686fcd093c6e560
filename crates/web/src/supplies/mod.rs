//! Supplies across the fleet, one slot with its forecast, limits, shipments, parts: pages and API.

mod api;
mod forecasts;
mod limits;
mod list;
mod part_api;
mod parts;
mod sheet;
mod ship_api;
mod shipments;

pub(crate) use api::*;
pub(crate) use forecasts::forecasts;
pub(crate) use limits::{limits, set_limits_page, terms_page};
pub(crate) use list::{csv, days, list};
pub(crate) use part_api::*;
pub(crate) use parts::{parts, parts_csv, rate};
pub(crate) use sheet::sheet;
pub(crate) use ship_api::*;
pub(crate) use shipments::{act, shipments, shipments_csv};
