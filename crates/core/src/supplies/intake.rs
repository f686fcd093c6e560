//! What status messages do to supplies: slots are upserted when they change, levels kept on change,
//! changes of cartridges recognised.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::json;
use store::{Tx, Value, params};
use wire::report::StatusBody;
use wire::{Class, Level, RawLevel, Supply};

use super::receptacles::{Boxes, Direction, Make, Steps, filled};
use super::rules::{PREMATURE, Slot, replaced};
use super::sql;
use crate::devices::intake::{Fleet, chunks};
use crate::devices::known::hash;
use crate::devices::rules::{in_lists, letter};
use crate::devices::{DeviceId, SupplyBrief, fold::clean};
use crate::error::Result;
use crate::{Micros, OrgId};

/// A slot as it stands.
#[derive(Clone, Debug)]
struct Held {
    supply: Supply,
    level_at: i64,
    fitted_at: i64,
    fitted_pages: Option<i64>,
}

/// Slots of the devices of one report whose supplies change, and what will be written.
pub(crate) struct Shelf {
    tenant: OrgId,
    slots: HashMap<DeviceId, BTreeMap<String, Held>>,
    dirty: HashSet<(DeviceId, String)>,
    dropped: HashSet<(DeviceId, String)>,
    /// Devices that are looked at soon.
    looks: HashSet<DeviceId>,
    levels: Vec<Vec<Value>>,
    replacements: Vec<Vec<Value>>,
    boxes: Boxes,
    read_at: i64,
}

/// Hash of a device's supplies as told.
pub(crate) fn fingerprint(body: &StatusBody) -> i64 {
    hash(&wire::cbor::encode(&body.supplies))
}

impl Shelf {
    /// Loads the slots of these devices.
    pub(crate) async fn load(tx: &mut Tx, tenant: OrgId, devices: &[DeviceId], now: Micros) -> Result<Self> {
        let mut shelf = Self {
            tenant,
            slots: HashMap::new(),
            dirty: HashSet::new(),
            dropped: HashSet::new(),
            looks: HashSet::new(),
            levels: Vec::new(),
            replacements: Vec::new(),
            boxes: if devices.is_empty() { Boxes::default() } else { Boxes::load(tx, tenant).await? },
            read_at: now.0,
        };
        let ids: Vec<String> = devices.iter().map(ToString::to_string).collect();
        for row in chunks(tenant, &ids) {
            for row in tx.query(&sql::LOAD, &row).await? {
                let held = Held {
                    supply: super::service::read_supply(&row, 1)?,
                    level_at: row.get(14)?,
                    fitted_at: row.get(15)?,
                    fitted_pages: row.get(16)?,
                };
                shelf.slots.entry(row.get(0)?).or_default().insert(held.supply.index.clone(), held);
            }
        }
        Ok(shelf)
    }

    /// Takes over the supplies of a status message.
    pub(crate) fn take(&mut self, fleet: &mut Fleet, at: usize, body: &StatusBody, when: i64) {
        let hash = fingerprint(body);
        if fleet.get(at).alerts_hash != crate::alerts::intake::fingerprint(body) {
            // What the device says of its supplies decides whether we say it.
            self.looks.insert(fleet.get(at).id);
        }
        if fleet.get(at).supplies_hash == hash {
            return;
        }
        let is_whole = wire::report::tells_supplies(&body.quirks);
        let device = fleet.get_mut(at);
        // Half a table is no last word.
        device.supplies_hash = if is_whole { hash } else { 0 };
        device.status_dirty = true;
        let (id, pages) = (device.id, device.pages_life);
        let mut told: Vec<Supply> = body.supplies.iter().map(cleaned).collect();
        let known = self.slots.entry(id).or_default();
        let mut gone: Vec<String> =
            known.keys().filter(|index| !told.iter().any(|s| s.index == **index)).cloned().collect();
        if is_whole || gone.is_empty() {
            device.supplies = brief(&body.supplies);
        }
        if !is_whole {
            // What it leaves out would be gone, and come back as new.
            gone.clear();
            told.retain(|supply| supply.raw.level.is_some() || !known.contains_key(&supply.index));
        }
        // A device that tells of no supply at all withholds them; one that tells of some has lost the others.
        if !told.is_empty() {
            for index in gone {
                self.slots.entry(id).or_default().remove(&index);
                self.dropped.insert((id, index));
            }
        }
        for supply in told {
            self.take_one(fleet, at, id, supply, pages, when);
        }
        self.fill(fleet, at);
    }

    /// How full waste boxes are, for lists, by what their model has shown until now.
    fn fill(&self, fleet: &mut Fleet, at: usize) {
        let device = fleet.get_mut(at);
        let (vendor, model) = (device.vendor.clone(), device.model.clone().unwrap_or_default());
        for supply in device.supplies.iter_mut().filter(|supply| supply.class == Class::Receptacle) {
            let make = Make { vendor: vendor.clone(), model: model.clone(), kind: supply.kind.clone() };
            let direction = self.boxes.direction(&make);
            supply.filled = supply.level.percent().zip(direction).map(|(level, direction)| filled(level, direction));
        }
    }

    fn take_one(&mut self, fleet: &mut Fleet, at: usize, id: DeviceId, supply: Supply, pages: Option<i64>, when: i64) {
        let index = supply.index.clone();
        let before = self.slots.entry(id).or_default().get(&index).cloned();
        if before.as_ref().is_some_and(|held| held.supply == supply) {
            return;
        }
        let mut held = Held { supply, level_at: when, fitted_at: when, fitted_pages: pages };
        let mut changed = true;
        if let Some(before) = &before {
            let direction = self.learn(fleet, at, &before.supply, &held.supply);
            let (old, new) = (slot(&before.supply, direction), slot(&held.supply, direction));
            let evidence = replaced(&old, &new);
            changed = before.supply.level != held.supply.level || before.supply.raw != held.supply.raw;
            if !changed {
                held.level_at = before.level_at;
            }
            if let Some(evidence) = evidence {
                let premature = is_premature(&before.supply);
                let lived = pages.zip(before.fitted_pages).map(|(now, then)| (now - then).max(0));
                let data = json!({
                    "device": id, "index": index, "color": held.supply.color, "kind": held.supply.kind,
                    "old_serial": before.supply.serial, "new_serial": held.supply.serial, "lived": lived,
                    "before": before.supply.level, "after": held.supply.level, "evidence": evidence.as_str(),
                    "premature": premature,
                });
                fleet.note(at, when, "supply_replaced", &data, None);
                fleet.events.push(("supply.replaced", "device", id.to_string(), data));
                self.replacements.push(
                    params![
                        self.tenant,
                        id,
                        &index,
                        when,
                        before.supply.serial.as_ref(),
                        held.supply.serial.as_ref(),
                        before.supply.level.percent(),
                        held.supply.level.percent(),
                        lived,
                        before.fitted_at,
                        evidence.as_str(),
                        &before.supply.kind,
                        before.supply.color.as_ref(),
                        before.supply.part_number.as_ref(),
                        i64::from(premature)
                    ]
                    .into(),
                );
            } else {
                (held.fitted_at, held.fitted_pages) = (before.fitted_at, before.fitted_pages);
            }
        }
        if changed {
            self.level_changed(fleet, id, &held.supply, before.is_some(), pages, when);
        }
        self.dropped.remove(&(id, index.clone()));
        self.dirty.insert((id, index.clone()));
        self.slots.entry(id).or_default().insert(index, held);
    }

    /// What the level of a receptacle means by all that its model has shown, this step among it.
    fn learn(&mut self, fleet: &Fleet, at: usize, before: &Supply, now: &Supply) -> Option<Direction> {
        if now.class != Class::Receptacle {
            return None;
        }
        let device = fleet.get(at);
        let make = Make {
            vendor: device.vendor.clone(),
            model: device.model.clone().unwrap_or_default(),
            kind: now.kind.clone(),
        };
        if let (Some(old), Some(new)) = (before.level.percent(), now.level.percent()) {
            self.boxes.learn(make.clone(), Steps::seen(old, new));
        }
        self.boxes.direction(&make)
    }

    fn level_changed(
        &mut self,
        fleet: &mut Fleet,
        id: DeviceId,
        supply: &Supply,
        known: bool,
        pages: Option<i64>,
        when: i64,
    ) {
        let (value, steps) = figures(supply.level);
        let raw = supply.raw;
        self.levels.push(
            params![
                self.tenant,
                Micros(when).month(),
                id,
                &supply.index,
                when,
                supply.level.kind(),
                value,
                steps,
                raw.unit,
                raw.max,
                raw.level,
                pages
            ]
            .into(),
        );
        if known {
            let data = json!({ "device": id, "index": supply.index, "color": supply.color, "level": supply.level });
            fleet.events.push(("supply.level.changed", "device", id.to_string(), data));
        }
    }

    /// Writes everything.
    pub(crate) async fn flush(self, tx: &mut Tx) -> Result<()> {
        let mut rows = Vec::with_capacity(self.dirty.len());
        for (id, index) in &self.dirty {
            let Some(held) = self.slots.get(id).and_then(|slots| slots.get(index)) else { continue };
            let (supply, (value, steps)) = (&held.supply, figures(held.supply.level));
            rows.push(
                params![
                    self.tenant,
                    *id,
                    index,
                    supply.description.as_ref(),
                    &supply.kind,
                    supply.color.as_ref(),
                    supply.class.as_str(),
                    supply.part_number.as_ref(),
                    supply.serial.as_ref(),
                    supply.level.kind(),
                    value,
                    steps,
                    supply.raw.unit,
                    supply.raw.max,
                    supply.raw.level,
                    held.level_at,
                    held.fitted_at,
                    held.fitted_pages,
                    self.read_at
                ]
                .into(),
            );
        }
        let changed = self.dirty.iter().chain(&self.dropped).map(|(id, _)| *id).chain(self.looks);
        let mut devices: Vec<DeviceId> = changed.collect();
        devices.sort_unstable();
        devices.dedup();
        let looks = devices.iter().map(|id| params![self.tenant, *id, self.read_at].into()).collect();
        let dropped = self.dropped.iter().map(|(id, index)| params![self.tenant, *id, index].into()).collect();
        let writes: [(&store::Sql, Vec<Vec<Value>>); 5] = [
            (&sql::DROP, dropped),
            (&sql::UPSERT, rows),
            (&sql::LEVEL, self.levels),
            (&sql::REPLACEMENT, self.replacements),
            (&sql::LOOK, looks),
        ];
        for (statement, rows) in writes {
            if !rows.is_empty() {
                tx.many(statement, rows).await?;
            }
        }
        self.boxes.flush(tx, self.tenant).await
    }
}

/// The figure and the steps of a level, where it has them.
pub(super) fn figures(level: Level) -> (Option<f64>, Option<i64>) {
    match level {
        Level::Percent { value } => (Some(value), None),
        Level::Staged { value, steps } => (Some(f64::from(value)), Some(i64::from(steps))),
        Level::SomeRemaining | Level::Unknown | Level::Unrestricted => (None, None),
    }
}

/// Whether a cartridge was taken out though much was left in it.
fn is_premature(before: &Supply) -> bool {
    before.class == Class::Consumed && before.level.percent().is_some_and(|left| left > PREMATURE)
}

fn slot(supply: &Supply, direction: Option<Direction>) -> Slot<'_> {
    Slot { class: supply.class, serial: supply.serial.as_deref(), level: supply.level, direction }
}

fn cleaned(supply: &Supply) -> Supply {
    Supply {
        index: clean(Some(&supply.index)).unwrap_or_default(),
        description: clean(supply.description.as_deref()),
        kind: clean(Some(&supply.kind)).unwrap_or_else(|| "other".into()),
        color: clean(supply.color.as_deref()),
        class: supply.class,
        part_number: clean(supply.part_number.as_deref()),
        serial: clean(supply.serial.as_deref()),
        level: supply.level,
        raw: RawLevel { ..supply.raw },
    }
}

/// The supplies that a list row shows, in the order of their letters.
fn brief(supplies: &[Supply]) -> Vec<SupplyBrief> {
    let mut all: Vec<SupplyBrief> = supplies
        .iter()
        .map(|supply| SupplyBrief {
            index: clean(Some(&supply.index)).unwrap_or_default(),
            letter: letter(&supply.kind, supply.color.as_deref(), supply.class),
            kind: clean(Some(&supply.kind)).unwrap_or_default(),
            color: clean(supply.color.as_deref()),
            class: supply.class,
            level: supply.level,
            filled: None,
        })
        .filter(|supply| in_lists(supply.letter))
        .filter(|supply| supply.letter == 'W' || supply.class == Class::Consumed || supply.class == Class::Other)
        .collect();
    all.sort_by_key(|supply| "CMYKW".find(supply.letter));
    all
}
