//! Alerts that no reading tells: those that Platen makes itself, and errors, jams and alarms that stand until the device
//! takes them back.

use wire::AlertSeverity;

use super::board::Board;
use super::held::{Held, Incident};
use super::rules::{Condition, Key};
use super::storm::{self, Shared};
use crate::devices::DeviceId;
use crate::devices::intake::Fleet;

/// Group of the alerts that a device tells as errors, jams and alarms.
const TOLD: &str = "told";

impl Board {
    /// Raises an alert that Platen makes itself.
    pub(crate) fn raise_made(
        &mut self,
        fleet: &mut Fleet,
        at: usize,
        reason: &str,
        severity: AlertSeverity,
        text: String,
        when: i64,
    ) {
        let key = Key { group: "platen".into(), part: String::new(), reason: reason.to_owned() };
        self.raise(fleet, at, &Condition { key, severity, code: None, text: Some(text), since: None }, "platen", when);
    }

    /// Raises an alert that Platen makes of one part, a supply by its slot; one that stands goes on.
    pub(crate) fn raise_made_of(
        &mut self,
        fleet: &mut Fleet,
        at: usize,
        (group, part, reason): (&str, &str, &str),
        severity: AlertSeverity,
        text: String,
        when: i64,
    ) {
        let key = Key { group: group.to_owned(), part: part.to_owned(), reason: reason.to_owned() };
        self.raise(fleet, at, &Condition { key, severity, code: None, text: Some(text), since: None }, "platen", when);
    }

    /// Clears what Platen made of one part, but for the reason `keep`.
    pub(crate) fn clear_made_of(&mut self, fleet: &mut Fleet, at: usize, part: &str, keep: Option<&str>, when: i64) {
        let id = fleet.get(at).id;
        let places = self.alerts.get(&id).map(Vec::as_slice).unwrap_or_default().iter().enumerate();
        let due: Vec<usize> = places
            .filter(|(_, held)| held.source == "platen" && held.stands() && held.condition.key.part == part)
            .filter(|(_, held)| keep != Some(held.condition.key.reason.as_str()))
            .map(|(place, _)| place)
            .collect();
        for place in due {
            self.clear(fleet, at, place, when);
        }
    }

    /// Clears an alert that Platen made itself.
    pub(crate) fn clear_made(&mut self, fleet: &mut Fleet, at: usize, reason: &str, when: i64) {
        let id = fleet.get(at).id;
        let made =
            |held: &Held| held.source == "platen" && held.cleared_at.is_none() && held.condition.key.reason == reason;
        if let Some(place) = self.alerts.get(&id).and_then(|all| all.iter().position(made)) {
            self.clear(fleet, at, place, when);
        }
    }

    /// Reasons that stand on a device with their part and whether Platen made them.
    pub(crate) fn standing(&self, device: DeviceId) -> impl Iterator<Item = (&str, &str, bool)> {
        let all = self.alerts.get(&device).map(Vec::as_slice).unwrap_or_default();
        all.iter()
            .filter(|held| held.stands())
            .map(|held| (held.condition.key.reason.as_str(), held.condition.key.part.as_str(), held.source == "platen"))
    }

    /// Raises the silence of a device that has one cause with that of others.
    pub(crate) fn raise_hidden(&mut self, fleet: &mut Fleet, at: usize, cause: &Shared, text: String, when: i64) {
        let device = fleet.get(at).id;
        self.incidents.entry(cause.id).or_insert_with(|| Incident {
            id: cause.id,
            device,
            reason: storm::REASON.to_owned(),
            state: cause.state.clone(),
            severity: AlertSeverity::Critical,
            cause: cause.words.clone(),
            version: cause.version,
            opened_at: cause.opened_at,
            resolved_at: None,
            shared: true,
            dirty: false,
        });
        self.cause = Some(cause.id);
        self.raise_made(fleet, at, "platen-silent", AlertSeverity::Warning, text, when);
        self.cause = None;
    }

    /// Raises an alert for an error, jam or alarm that stands until the device takes it back: its reason and place,
    /// its number and words.
    pub(crate) fn raise_told(
        &mut self,
        fleet: &mut Fleet,
        at: usize,
        (reason, part): (&str, String),
        severity: AlertSeverity,
        (code, text): (Option<i64>, String),
        when: i64,
    ) {
        let key = Key { group: TOLD.into(), part, reason: reason.to_owned() };
        self.raise(fleet, at, &Condition { key, severity, code, text: Some(text), since: Some(when) }, "event", when);
    }

    /// Clears what [`Self::raise_told`] raised in this place, under whatever reason.
    pub(crate) fn clear_told(&mut self, fleet: &mut Fleet, at: usize, part: &str, when: i64) {
        let id = fleet.get(at).id;
        let told = |held: &Held| held.stands() && held.condition.key.group == TOLD && held.condition.key.part == part;
        while let Some(place) = self.alerts.get(&id).and_then(|all| all.iter().position(told)) {
            self.clear(fleet, at, place, when);
            if self.alerts.get(&id).is_some_and(|all| all[place].stands()) {
                // It flaps, and is held to stand until it has been away for long.
                break;
            }
        }
    }
}
