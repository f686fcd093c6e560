//! What a counter's next value means. Usage is never negative, and no difference crosses the border of a segment
//! unseen. A value that does not go on from the last one is kept aside until a second one says which is true.

/// Pages a minute that no device exceeds.
const FASTEST: i64 = 400;
/// Growth that is believed however short the time: devices that count a job only when it is done.
const BURST: i64 = 10_000;
/// A value up to here, beside what the time allows, still looks like a count that began at zero.
const FRESH: i64 = 500;
const MINUTE: i64 = 60 * 1_000_000;
/// What devices say when they have no count: all ones of 31 and 32 bits.
const HOLLOW: [i64; 2] = [0x7fff_ffff, 0xffff_ffff];

/// A counter as it stands: its present segment and what came before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Number of the present segment, from 1.
    pub segment: i64,
    /// Why it began.
    pub reason: Reason,
    /// When it began.
    pub segment_at: i64,
    /// Value at its beginning, less what was counted over the border: negative after a wrap.
    pub first: i64,
    /// Newest believed value.
    pub last: i64,
    /// When that was.
    pub last_at: i64,
    /// Last value of the segment before.
    pub before: Option<i64>,
    /// A value kept aside, and when it was read.
    pub suspect: Option<(i64, i64)>,
}

/// Why a segment began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// First reading.
    Start,
    /// The counter wrapped at 31 or 32 bits.
    Rollover,
    /// It began again near zero.
    Reset,
    /// It fell by little and went on from there: restored from a copy.
    SetBack,
    /// It fell, and went on from the value of another counter.
    BoardSwap,
    /// It rose by more than can be printed, and went on from there.
    Jump,
    /// After a passing fault it went on where it had been.
    Resumed,
    /// A person decided what was counted over the border.
    Manual,
}

impl Reason {
    const ALL: [Self; 8] = [
        Self::Start,
        Self::Rollover,
        Self::Reset,
        Self::SetBack,
        Self::BoardSwap,
        Self::Jump,
        Self::Resumed,
        Self::Manual,
    ];

    /// The word in the database and in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Rollover => "rollover",
            Self::Reset => "reset",
            Self::SetBack => "set_back",
            Self::BoardSwap => "board_swap",
            Self::Jump => "jump",
            Self::Resumed => "resumed",
            Self::Manual => "manual",
        }
    }

    /// The value for a word; unknown words read as [`Reason::Start`].
    pub fn from_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word).unwrap_or(Self::Start)
    }
}

/// What a person decided about one border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// Time of the first reading behind the border.
    pub at: i64,
    /// Time of the reading that ended the doubt.
    pub until: i64,
    /// What to do.
    pub verdict: Verdict,
}

/// What to do at a border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A segment begins, and so many pages were printed since the last reading before it.
    Bridge(i64),
    /// The readings from the border until the end of the doubt are false.
    Ignore,
}

/// A segment that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// From 1.
    pub no: i64,
    /// Why it began.
    pub reason: Reason,
    /// When.
    pub from_at: i64,
    /// Value at its beginning, less what was counted over the border.
    pub first: i64,
    /// When it was read last.
    pub last_at: i64,
    /// Its last value.
    pub last: i64,
}

/// A border that nobody can be sure of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is assumed; [`Reason::Resumed`] also stands for readings in between that were left out.
    pub cause: Reason,
    /// Time of the first reading behind the border.
    pub at: i64,
    /// Time of the reading that decided.
    pub until: i64,
    /// Time of the last believed reading before.
    pub before_at: i64,
    /// Its value.
    pub before: i64,
    /// The first value behind the border.
    pub after: i64,
    /// The value that decided.
    pub until_value: i64,
    /// Pages that are counted over the border as assumed.
    pub assumed: i64,
}

/// What a reading does to a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is believed: so much was used since the one before.
    Took {
        /// When it was read.
        at: i64,
        /// Its value.
        value: i64,
        /// Segment that it belongs to.
        segment: i64,
        /// Usage that it adds.
        delta: i64,
    },
    /// It cannot be true, or not yet: kept aside, counts for nothing.
    Aside {
        /// When it was read.
        at: i64,
        /// Its value.
        value: i64,
        /// The present segment.
        segment: i64,
    },
    /// The reading that was kept aside is believed after all; the fields are those of [`Effect::Took`].
    Promoted {
        /// When it was read.
        at: i64,
        /// Segment that it begins.
        segment: i64,
        /// Usage over the border.
        delta: i64,
    },
    /// The segment before has ended.
    Closed(Stretch),
    /// A border that a person should look at.
    Fault(Fault),
    /// Older than what is known; all since then is reckoned anew.
    Late,
}

/// Growth that `elapsed` µs allow.
pub fn plausible(elapsed: i64) -> i64 {
    BURST.saturating_add(FASTEST.saturating_mul(elapsed.max(0) / MINUTE + 1))
}

impl Track {
    /// A counter met for the first time.
    pub fn start(at: i64, value: i64) -> Self {
        let (segment, reason) = (1, Reason::Start);
        Self { segment, reason, segment_at: at, first: value, last: value, last_at: at, before: None, suspect: None }
    }

    /// Takes the next reading; `decided` is what people have settled about this counter.
    pub fn advance(&mut self, at: i64, value: i64, decided: &[Decided]) -> Vec<Effect> {
        if at <= self.last_at || self.suspect.is_some_and(|(_, then)| at <= then) {
            return vec![Effect::Late];
        }
        let ignored = |d: &&Decided| d.verdict == Verdict::Ignore && d.at <= at && at < d.until;
        if decided.iter().any(|d| ignored(&d)) {
            return vec![Effect::Aside { at, value, segment: self.segment }];
        }
        if let Some(bridge) = bridge_of(decided, at, at) {
            let mut effects = self.begin(Reason::Manual, at, value, bridge);
            effects.push(Effect::Took { at, value, segment: self.segment, delta: bridge });
            return effects;
        }
        if let Some(bridge) = self.resumed(at, value) {
            return self.resume(at, value, bridge);
        }
        match self.suspect {
            Some(suspect) => self.weigh(at, value, suspect, decided),
            None if self.goes_on(at, value) => vec![self.grow(at, value)],
            None => vec![self.put_aside(at, value)],
        }
    }

    fn goes_on(&self, at: i64, value: i64) -> bool {
        value >= self.last && value - self.last <= plausible(at - self.last_at)
    }

    fn grow(&mut self, at: i64, value: i64) -> Effect {
        let delta = value - self.last;
        (self.last, self.last_at, self.suspect) = (value, at, None);
        Effect::Took { at, value, segment: self.segment, delta }
    }

    fn put_aside(&mut self, at: i64, value: i64) -> Effect {
        self.suspect = Some((value, at));
        Effect::Aside { at, value, segment: self.segment }
    }

    /// A reading is kept aside: the next one goes on from it, or from where the counter was, or from neither.
    fn weigh(&mut self, at: i64, value: i64, (other, then): (i64, i64), decided: &[Decided]) -> Vec<Effect> {
        let returned = self.goes_on(at, value);
        let agrees = value >= other && value - other <= plausible(at - then) && !HOLLOW.contains(&other);
        // Time passing makes a jump no likelier: what agrees with a value that could not be true is another count.
        if returned && (other < self.last || !agrees) {
            let (grown, else_grown) = (value - self.last, value - other);
            let unsure = agrees && grown.saturating_mul(4) > else_grown && bridge_of(decided, then, at).is_none();
            let fault = Fault {
                cause: Reason::Resumed,
                at: then,
                until: at,
                before_at: self.last_at,
                before: self.last,
                after: other,
                until_value: value,
                assumed: grown,
            };
            let mut effects = vec![self.grow(at, value)];
            effects.extend(unsure.then_some(Effect::Fault(fault)));
            return effects;
        }
        if !agrees {
            return vec![self.put_aside(at, value)];
        }
        let (cause, assumed) = self.cause(then, other);
        let decided = bridge_of(decided, then, at);
        let (before_at, before) = (self.last_at, self.last);
        let bridge = decided.unwrap_or(assumed);
        let mut effects = self.begin(if decided.is_some() { Reason::Manual } else { cause }, then, other, bridge);
        effects.push(Effect::Promoted { at: then, segment: self.segment, delta: bridge });
        if decided.is_none() {
            let fault =
                Fault { cause, at: then, until: at, before_at, before, after: other, until_value: value, assumed };
            effects.push(Effect::Fault(fault));
        }
        effects.push(self.grow(at, value));
        effects
    }

    /// Why a count that went on at `other` is not the one before, and what was counted over the border.
    fn cause(&self, then: i64, other: i64) -> (Reason, i64) {
        if other >= self.last {
            return (Reason::Jump, 0);
        }
        let elapsed = then - self.last_at;
        for modulus in [1_i64 << 31, 1 << 32] {
            let wrapped = other + modulus - self.last;
            if self.last < modulus && wrapped <= plausible(elapsed) {
                return (Reason::Rollover, wrapped);
            }
        }
        let fell = self.last - other;
        if other <= FRESH + FASTEST * (elapsed / MINUTE + 1) && fell > other {
            (Reason::Reset, 0)
        } else if fell <= (self.last / 20).max(FRESH) {
            (Reason::SetBack, 0)
        } else {
            (Reason::BoardSwap, 0)
        }
    }

    /// After a false segment the old count goes on: pages over the border that were not counted meanwhile.
    fn resumed(&self, at: i64, value: i64) -> Option<i64> {
        let false_ones = [Reason::Reset, Reason::SetBack, Reason::BoardSwap, Reason::Jump];
        let before = self.before.filter(|_| false_ones.contains(&self.reason))?;
        let (grown, used) = (value - before, self.last - self.first);
        if grown < 0 || grown > plausible(at - self.segment_at) {
            return None;
        }
        let far = grown.saturating_mul(4) <= (value - self.last).abs();
        let likelier = if value < self.last {
            self.reason == Reason::Jump && far
        } else {
            before > self.last && far && (used == 0 || !self.goes_on(at, value))
        };
        likelier.then(|| (grown - used).max(0))
    }

    fn resume(&mut self, at: i64, value: i64, bridge: i64) -> Vec<Effect> {
        let (before_at, before) = (self.last_at, self.last);
        let mut effects = self.begin(Reason::Resumed, at, value, bridge);
        effects.push(Effect::Took { at, value, segment: self.segment, delta: bridge });
        let (cause, until, after) = (Reason::Resumed, at, value);
        effects.push(Effect::Fault(Fault {
            cause,
            at,
            until,
            before_at,
            before,
            after,
            until_value: value,
            assumed: bridge,
        }));
        effects
    }

    /// Closes the present segment and begins the next at `value`, with `bridge` pages over the border.
    fn begin(&mut self, reason: Reason, at: i64, value: i64, bridge: i64) -> Vec<Effect> {
        let closed = Stretch {
            no: self.segment,
            reason: self.reason,
            from_at: self.segment_at,
            first: self.first,
            last_at: self.last_at,
            last: self.last,
        };
        *self = Self {
            segment: self.segment + 1,
            reason,
            segment_at: at,
            first: value - bridge,
            last: value,
            last_at: at,
            before: Some(self.last),
            suspect: None,
        };
        vec![Effect::Closed(closed)]
    }
}

fn bridge_of(decided: &[Decided], from: i64, to: i64) -> Option<i64> {
    decided.iter().find_map(|d| match d.verdict {
        Verdict::Bridge(pages) if from <= d.at && d.at <= to => Some(pages),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
