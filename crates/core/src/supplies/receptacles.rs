//! Which way the level of a receptacle runs. RFC 3805 tells the space that is left in it; some makers tell how full it
//! is. Nobody says which, so it is learnt from levels that move steadily, and kept per model.

use std::collections::HashMap;

use serde::Serialize;
use store::{Row, Tx, params};

use super::sql;
use crate::OrgId;
use crate::error::Result;

/// A step larger than this is no filling but an emptied or a changed box.
const STEADY: f64 = 25.0;
/// So many steps one way, and so many times more than the other way, decide.
const STEPS: i64 = 3;
const TIMES: i64 = 4;

/// What a receptacle's level means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The space that is left: 0 is full.
    Space,
    /// How full it is: 100 is full.
    Fill,
}

/// Steps that were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// Upwards.
    pub rising: i64,
    /// Downwards.
    pub falling: i64,
}

impl Steps {
    /// What they tell together; `None` as long as they do not.
    #[must_use]
    pub fn direction(self) -> Option<Direction> {
        let decides = |this: i64, other: i64| this >= STEPS && this >= other * TIMES;
        match (decides(self.rising, self.falling), decides(self.falling, self.rising)) {
            (true, _) => Some(Direction::Fill),
            (_, true) => Some(Direction::Space),
            _ => None,
        }
    }

    /// A level that moved from one figure to another.
    #[must_use]
    pub fn seen(before: f64, now: f64) -> Self {
        let step = now - before;
        let steady = step.abs() <= STEADY;
        Self { rising: i64::from(steady && step > 0.0), falling: i64::from(steady && step < 0.0) }
    }

    fn add(&mut self, more: Self) {
        self.rising += more.rising;
        self.falling += more.falling;
    }
}

/// How full a receptacle is, per cent.
#[must_use]
pub fn filled(level: f64, direction: Direction) -> f64 {
    match direction {
        Direction::Space => 100.0 - level,
        Direction::Fill => level,
    }
}

/// A model's receptacles of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Make {
    pub(super) vendor: String,
    pub(super) model: String,
    pub(super) kind: String,
}

/// What is known of an organisation's models, and what a report adds.
#[derive(Debug, Default)]
pub(super) struct Boxes {
    known: HashMap<Make, Steps>,
    added: HashMap<Make, Steps>,
}

impl Boxes {
    pub(super) async fn load(tx: &mut Tx, tenant: OrgId) -> Result<Self> {
        let mut known = HashMap::new();
        for row in tx.query(&sql::RECEPTACLES, &params![tenant]).await? {
            let make = Make { vendor: row.get(0)?, model: row.get(1)?, kind: row.get(2)? };
            known.insert(make, steps(&row, 3)?.unwrap_or_default());
        }
        Ok(Self { known, added: HashMap::new() })
    }

    /// Which way this make's level runs, with what this report showed.
    pub(super) fn direction(&self, make: &Make) -> Option<Direction> {
        let mut all = self.known.get(make).copied().unwrap_or_default();
        all.add(self.added.get(make).copied().unwrap_or_default());
        all.direction()
    }

    /// Counts a step. What is decided long since costs no more writing.
    pub(super) fn learn(&mut self, make: Make, step: Steps) {
        const ENOUGH: i64 = 100;
        let sure = self.known.get(&make).is_some_and(|steps| steps.rising.max(steps.falling) >= ENOUGH);
        if step != Steps::default() && !sure {
            self.added.entry(make).or_default().add(step);
        }
    }

    pub(super) async fn flush(self, tx: &mut Tx, tenant: OrgId) -> Result<()> {
        let row = |(make, steps): (Make, Steps)| {
            params![tenant, make.vendor, make.model, make.kind, steps.rising, steps.falling].into()
        };
        let rows: Vec<_> = self.added.into_iter().map(row).collect();
        if !rows.is_empty() {
            tx.many(&sql::RECEPTACLE, rows).await?;
        }
        Ok(())
    }
}

/// Steps from two columns, which an outer join leaves empty.
pub(super) fn steps(row: &Row, at: usize) -> Result<Option<Steps>> {
    let (rising, falling): (Option<i64>, Option<i64>) = (row.get(at)?, row.get(at + 1)?);
    Ok(rising.zip(falling).map(|(rising, falling)| Steps { rising, falling }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(levels: &[f64]) -> Option<Direction> {
        let mut steps = Steps::default();
        levels.windows(2).for_each(|pair| steps.add(Steps::seen(pair[0], pair[1])));
        steps.direction()
    }

    #[test]
    fn receptacles_show_by_steady_steps_what_their_level_means() {
        assert_eq!(told(&[10.0, 14.0, 20.0, 31.0]), Some(Direction::Fill));
        assert_eq!(told(&[90.0, 85.0, 80.0, 72.0]), Some(Direction::Space));
        assert_eq!(told(&[90.0, 85.0, 80.0]), None, "two steps may be chance");
        assert_eq!(told(&[100.0, 100.0, 100.0, 100.0]), None, "a level that stands still tells nothing");
        assert_eq!(told(&[80.0, 60.0, 40.0, 20.0, 100.0, 80.0]), Some(Direction::Space), "emptying is no step");
        assert_eq!(told(&[10.0, 20.0, 10.0, 20.0, 10.0, 20.0, 10.0]), None, "both ways is no way");
    }

    #[test]
    fn receptacles_are_full_by_their_direction() {
        assert!((filled(10.0, Direction::Space) - 90.0).abs() < f64::EPSILON);
        assert!((filled(90.0, Direction::Fill) - 90.0).abs() < f64::EPSILON);
    }
}
