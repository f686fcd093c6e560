//! What to ask next, and what to make of the answer. Every answered question brings a row, ends a run, or makes the
//! next question smaller; so a walk ends, whatever the agent does.

use std::collections::HashSet;

use smallvec::SmallVec;

use super::report::{BulkUse, Quirk, Walk, WalkLimits};
use super::runs::{Run, runs};
use crate::ber::Malformed;
use crate::engine::Learnt;
use crate::error::{Error, ErrorStatus};
use crate::oid::Oid;
use crate::pdu::{PduRef, VarBindRef};
use crate::target::Version;
use crate::value::ValueRef;

/// Rows asked for from a device nothing is known of.
const FIRST_ROWS: usize = 40;
/// Rows added after a full answer.
const STEP: usize = 16;
/// Most rows asked for in one answer.
const MOST_ROWS: usize = 400;
/// Bytes of a message that are not rows.
const ENVELOPE: usize = 64;
/// Columns in one GETNEXT.
const NEXT_WIDTH: usize = 8;

/// A question: the runs it is about, and how many rows of each.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) asked: SmallVec<[usize; 8]>,
    /// `None`: GETNEXT.
    pub(super) repetitions: Option<usize>,
    pub(super) version: Version,
    /// One packet only: this is a guess.
    pub(super) guess: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Bulk,
    Next,
}

/// Trying an older version on a device that has not said anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guess {
    None,
    /// v1 is being tried.
    V1,
    /// v1 answered; now GETNEXT in the version asked for.
    V2Again,
}

#[derive(Debug)]
pub(super) struct Walker<'l> {
    limits: &'l WalkLimits,
    pub(super) walk: Walk,
    pub(super) runs: Vec<Run>,
    wanted: Version,
    version: Version,
    mode: Mode,
    guess: Guess,
    heard: bool,
    /// Rows to ask for, all runs together, and the bound that failures have set.
    rows: usize,
    ceiling: usize,
    /// Last number of rows that came through.
    good: usize,
    /// Columns in one GETNEXT.
    width: usize,
    timeouts: u8,
    bytes: usize,
    /// Every object read, once the agent has shown disorder.
    seen: Option<HashSet<Oid>>,
    first_error: Option<Error>,
}

impl<'l> Walker<'l> {
    pub(super) fn new(roots: &[Oid], limits: &'l WalkLimits, version: Version, learnt: Learnt, heard: bool) -> Self {
        let v1 = version == Version::V1 || learnt.v1_only && version == Version::V2c;
        let next = v1 || learnt.no_bulk || limits.bulk == BulkUse::Never;
        let mut walk = Walk::default();
        if learnt.v1_only && version == Version::V2c {
            walk.note(Quirk::V1Only);
        } else if learnt.no_bulk && version != Version::V1 {
            walk.note(Quirk::NoBulk);
        }
        Self {
            limits,
            walk,
            runs: runs(roots),
            wanted: version,
            version: if v1 { Version::V1 } else { version },
            mode: if next { Mode::Next } else { Mode::Bulk },
            guess: Guess::None,
            heard,
            rows: if learnt.max_repetitions == 0 { FIRST_ROWS } else { usize::from(learnt.max_repetitions) },
            ceiling: MOST_ROWS,
            good: usize::from(learnt.max_repetitions),
            width: NEXT_WIDTH,
            timeouts: 0,
            bytes: 0,
            seen: None,
            first_error: None,
        }
    }

    /// What the device has taught us.
    pub(super) fn learnt(&self) -> Learnt {
        Learnt {
            max_repetitions: self.good.min(usize::from(u16::MAX)) as u16,
            no_bulk: self.walk.quirks.contains(&Quirk::NoBulk),
            v1_only: self.walk.quirks.contains(&Quirk::V1Only),
        }
    }

    /// The next question; `None` at the end.
    pub(super) fn plan(&mut self) -> Option<Plan> {
        if self.is_over_limit() {
            self.end_all();
            return None;
        }
        let width = match self.mode {
            Mode::Bulk => self.rows,
            Mode::Next => self.width,
        };
        let open = self.runs.iter().enumerate().filter(|(_, run)| !run.done);
        let asked: SmallVec<[usize; 8]> = open.map(|(place, _)| place).take(width.max(1)).collect();
        if asked.is_empty() {
            return None;
        }
        let repetitions = (self.mode == Mode::Bulk).then(|| (self.rows / asked.len()).max(1));
        self.walk.exchanges += 1;
        Some(Plan { asked, repetitions, version: self.version, guess: self.guess != Guess::None })
    }

    fn is_over_limit(&self) -> bool {
        self.walk.rows.len() >= self.limits.rows
            || self.bytes >= self.limits.bytes
            || self.walk.exchanges >= self.limits.exchanges
    }

    /// Takes in an answer of `length` bytes.
    pub(super) fn answered(&mut self, plan: &Plan, length: usize, pdu: Result<PduRef<'_>, Malformed>) {
        self.heard = true;
        self.bytes += length;
        self.settle_guess();
        let before = self.progress();
        match pdu {
            Err(_) => {
                self.walk.note(Quirk::Garbage);
                self.retreat(plan);
            }
            Ok(pdu) => match pdu.error() {
                Some(status) => self.take_error(plan, &pdu, status),
                None => self.take_rows(plan, length, &pdu),
            },
        }
        if self.progress() == before {
            self.retreat(plan);
        }
    }

    /// Whatever moves the walk on changes this.
    fn progress(&self) -> (usize, usize, Mode, usize, Version) {
        let done = self.runs.iter().filter(|run| run.done).count() + self.walk.endless.len();
        // Fewer rows or columns asked are progress, too; more are not.
        let size =
            if self.mode == Mode::Bulk { MOST_ROWS - self.rows.min(self.ceiling) } else { NEXT_WIDTH - self.width };
        (self.walk.rows.len(), done, self.mode, size, self.version)
    }

    /// An answer came to a guess.
    fn settle_guess(&mut self) {
        match self.guess {
            Guess::None => {}
            // Is it v1 that helped, or GETNEXT? v2c carries more: try it once.
            Guess::V1 => (self.guess, self.version) = (Guess::V2Again, self.wanted),
            Guess::V2Again => {
                self.guess = Guess::None;
                self.walk.note(Quirk::NoBulk);
            }
        }
    }

    /// Asks for less after an answer that helped nothing: fewer rows, GETNEXT, one column, the end.
    fn retreat(&mut self, plan: &Plan) {
        match self.mode {
            Mode::Bulk if self.rows > plan.asked.len().max(1) => self.shrink(2),
            Mode::Bulk => {
                self.walk.note(Quirk::NoBulk);
                self.mode = Mode::Next;
            }
            Mode::Next if plan.asked.len() > 1 => self.width = 1,
            Mode::Next => self.end(plan, 0),
        }
    }

    fn shrink(&mut self, divisor: usize) {
        self.ceiling = self.rows.saturating_sub(1).max(1);
        self.rows = (self.rows / divisor).max(1);
    }

    /// Ends a run before its time.
    fn end(&mut self, plan: &Plan, position: usize) {
        let run = &mut self.runs[plan.asked[position]];
        run.done = true;
        self.walk.unfinished.extend(run.rest().cloned());
        self.walk.incomplete = true;
    }

    /// Ends all runs before their time.
    fn end_all(&mut self) {
        for run in self.runs.iter_mut().filter(|run| !run.done) {
            run.done = true;
            self.walk.unfinished.extend(run.rest().cloned());
            self.walk.incomplete = true;
        }
    }

    fn take_error(&mut self, plan: &Plan, pdu: &PduRef<'_>, status: ErrorStatus) {
        let named = usize::try_from(pdu.index).ok().and_then(|index| index.checked_sub(1));
        let position = named.filter(|position| *position < plan.asked.len());
        let position = if plan.asked.len() == 1 { Some(0) } else { position };
        match (status, self.mode) {
            (ErrorStatus::TOO_BIG, Mode::Bulk) => {
                self.walk.note(Quirk::BulkTooBig);
                self.retreat(plan);
            }
            (ErrorStatus::NO_SUCH_NAME, Mode::Next) => {
                if plan.version != Version::V1 {
                    self.walk.note(Quirk::V1ErrorInV2);
                }
                match position {
                    Some(position) => self.runs[plan.asked[position]].done = true,
                    None => self.retreat(plan),
                }
            }
            (ErrorStatus::TOO_BIG, Mode::Next) => self.retreat(plan),
            (_, Mode::Bulk) => {
                self.walk.note(if status == ErrorStatus::NO_SUCH_NAME { Quirk::V1ErrorInV2 } else { Quirk::GenErr });
                self.retreat(plan);
            }
            (_, Mode::Next) => {
                self.walk.note(Quirk::GenErr);
                self.first_error.get_or_insert(Error::ErrorStatus {
                    target: std::net::SocketAddr::from(([0, 0, 0, 0], 0)),
                    status,
                    index: u32::try_from(pdu.index).unwrap_or(0),
                });
                match position {
                    // Many agents say so at the end of all that they have: nothing need be missing.
                    Some(position) => {
                        self.runs[plan.asked[position]].done = true;
                        self.walk.incomplete = true;
                    }
                    None => self.retreat(plan),
                }
            }
        }
    }

    fn take_rows(&mut self, plan: &Plan, length: usize, pdu: &PduRef<'_>) {
        let (mut count, mut broken) = (0, false);
        let before = self.walk.rows.len();
        plan.asked.iter().for_each(|place| self.runs[*place].leaves = false);
        let places: SmallVec<[(Oid, bool); 8]> =
            plan.asked.iter().map(|place| (self.runs[*place].last.clone(), self.runs[*place].done)).collect();
        for item in pdu.varbinds {
            let Ok(item) = item else {
                broken = true;
                break;
            };
            self.take_row(plan, count % plan.asked.len(), item);
            count += 1;
            if plan.repetitions.is_some() && self.mode == Mode::Next {
                break;
            }
            if self.walk.rows.len() >= self.limits.rows {
                break;
            }
        }
        if plan.repetitions.is_some() && self.mode == Mode::Next {
            // An answer to GETBULK that has shown disorder is not trusted, not even where it looked well.
            self.walk.rows.truncate(before);
            for (place, (last, done)) in plan.asked.iter().zip(places) {
                (self.runs[*place].last, self.runs[*place].done) = (last, done);
            }
            return;
        }
        self.judge(plan, length, count, broken, pdu.varbinds.was_cut());
    }

    /// Draws the conclusions from an answer with `count` rows.
    fn judge(&mut self, plan: &Plan, length: usize, count: usize, broken: bool, cut: bool) {
        if cut || broken {
            self.walk.note(if cut { Quirk::Truncated } else { Quirk::Garbage });
            self.retreat(plan);
        } else if let Some(repetitions) = plan.repetitions {
            self.adapt(plan, count, repetitions * plan.asked.len(), length);
        }
        if count == 0 && !cut && !broken {
            if self.mode == Mode::Bulk {
                self.walk.note(Quirk::EmptyBulk);
                self.walk.note(Quirk::NoBulk);
                self.mode = Mode::Next;
            } else {
                self.retreat(plan);
            }
        }
    }

    /// Additive growth after a full answer, up to what fits the answer aimed at. An agent that itself leaves out
    /// what does not fit needs no such bound.
    fn adapt(&mut self, plan: &Plan, count: usize, asked: usize, length: usize) {
        if count > asked {
            self.walk.note(Quirk::TooManyRows);
        }
        if count == 0 || self.mode != Mode::Bulk {
            return;
        }
        self.good = count.max(1);
        if plan.asked.iter().all(|place| self.runs[*place].done) {
            return;
        }
        let room = self.limits.answer_bytes.saturating_sub(ENVELOPE);
        let fits = room * count / length.saturating_sub(ENVELOPE).max(1);
        let next = if count < asked { count + 2 } else { (self.rows + STEP).min(fits) };
        self.rows = next.clamp(1, self.ceiling.min(MOST_ROWS));
    }

    fn take_row(&mut self, plan: &Plan, position: usize, item: VarBindRef<'_>) {
        let run = &mut self.runs[plan.asked[position]];
        if run.done || run.leaves {
            return;
        }
        if item.value.is_exception() {
            run.done = true;
            if item.value != ValueRef::EndOfMibView {
                self.walk.note(Quirk::ExceptionInWalk);
            }
            return;
        }
        let (inside, onward) = (run.holds(item.oid), item.oid > run.last.as_ref());
        match (inside, onward) {
            (true, true) => {}
            (false, true) => {
                run.done = true;
                return;
            }
            (false, false) => {
                // Back to the start of everything: the agent's way to say that it has come to its end.
                run.done = true;
                self.walk.note(Quirk::NotIncreasing);
                return;
            }
            (true, false) => {
                let repeated = item.oid == run.last;
                self.walk.note(if repeated { Quirk::Repeated } else { Quirk::NotIncreasing });
                if plan.repetitions.is_some() {
                    self.walk.note(Quirk::NoBulk);
                    self.mode = Mode::Next;
                    return;
                }
            }
        }
        self.keep(plan, position, item, onward);
    }

    fn keep(&mut self, plan: &Plan, position: usize, item: VarBindRef<'_>, onward: bool) {
        let row = item.to_owned();
        if !onward && self.seen.is_none() {
            self.seen = Some(self.walk.rows.iter().map(|row| row.oid.clone()).collect());
        }
        if let Some(seen) = &mut self.seen
            && !seen.insert(row.oid.clone())
        {
            self.walk.note(Quirk::Repeated);
            self.end(plan, position);
            return;
        }
        let run = &mut self.runs[plan.asked[position]];
        if let Some(endless) = run.step(row.oid.clone(), self.limits.column_rows) {
            self.walk.note(Quirk::Endless);
            self.walk.endless.push(endless);
            return;
        }
        self.walk.rows.push(row);
    }

    /// Takes in that no answer came, or none that could be used. The error comes back if it ends the walk without
    /// a row to show.
    pub(super) fn failed(&mut self, plan: &Plan, error: Error) -> Result<(), Error> {
        match (&error, self.guess) {
            (Error::Timeout { .. } | Error::Malformed { .. }, Guess::V2Again) => {
                self.guess = Guess::None;
                self.version = Version::V1;
                self.walk.note(Quirk::V1Only);
                Ok(())
            }
            (Error::Timeout { .. }, Guess::None) if !self.heard && self.wanted == Version::V2c => {
                if self.version == Version::V1 {
                    return self.give_up(error);
                }
                self.first_error = Some(error);
                (self.guess, self.version, self.mode) = (Guess::V1, Version::V1, Mode::Next);
                Ok(())
            }
            (Error::Timeout { .. }, Guess::None) if self.mode == Mode::Bulk && self.heard => {
                self.walk.note(Quirk::BulkTimeout);
                self.timeouts += 1;
                if self.timeouts < 2 && self.rows > plan.asked.len() {
                    self.shrink(4);
                } else {
                    self.walk.note(Quirk::NoBulk);
                    self.mode = Mode::Next;
                }
                Ok(())
            }
            (Error::Malformed { .. }, Guess::None) if self.mode == Mode::Bulk => {
                self.walk.note(Quirk::Garbage);
                self.retreat(plan);
                Ok(())
            }
            _ => self.give_up(error),
        }
    }

    fn give_up(&mut self, error: Error) -> Result<(), Error> {
        if self.walk.rows.is_empty() || matches!(error, Error::Stopped { .. } | Error::Busy { .. }) {
            return Err(self.first_error.take().unwrap_or(error));
        }
        self.end_all();
        Ok(())
    }

    /// The end: rows in the order of the tree, or the agent's refusal if there are none.
    pub(super) fn finish(mut self, target: std::net::SocketAddr) -> Result<Walk, Error> {
        if self.walk.rows.is_empty()
            && let Some(Error::ErrorStatus { status, index, .. }) = self.first_error
        {
            return Err(Error::ErrorStatus { target, status, index });
        }
        if self.runs.len() > 1 {
            self.walk.rows.sort_by(|a, b| a.oid.cmp(&b.oid));
            self.walk.rows.dedup_by(|a, b| a.oid == b.oid);
        }
        for list in [&mut self.walk.unfinished, &mut self.walk.endless] {
            list.sort();
            list.dedup();
        }
        Ok(self.walk)
    }
}
