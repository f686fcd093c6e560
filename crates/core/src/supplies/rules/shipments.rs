//! What is sent to a device, and when: one proposal a device, nothing twice. An open item of a slot bars another until a
//! cartridge was fitted that can be the one that was sent, or until it is taken back or given up.

use serde::{Deserialize, Serialize};

use super::activity::DAY;

/// How an organisation has things sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Whether shipments are proposed at all.
    pub proposes: bool,
    /// Days from order to arrival.
    pub delivery_days: i64,
    /// Days that it should lie there before it is needed.
    pub margin_days: i64,
    /// What ends within so many days more goes with it.
    pub together_days: i64,
    /// Days between two orders for one slot at least.
    pub interval_days: i64,
    /// Days until an item that nobody fits is given up.
    pub expiry_days: i64,
}

impl Default for Terms {
    fn default() -> Self {
        Self { proposes: true, delivery_days: 5, margin_days: 3, together_days: 10, interval_days: 7, expiry_days: 60 }
    }
}

impl Terms {
    /// Why these cannot be; `None`: they can.
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, &'static str)> {
        let fields = [
            ("delivery_days", self.delivery_days, 0..=90),
            ("margin_days", self.margin_days, 0..=90),
            ("together_days", self.together_days, 0..=180),
            ("interval_days", self.interval_days, 0..=365),
            ("expiry_days", self.expiry_days, 1..=730),
        ];
        let bad = fields.into_iter().find(|(_, days, range)| !range.contains(days));
        bad.map(|(field, ..)| {
            (field, "days out of range: delivery and margin to 90, together to 180, interval to 365, expiry 1 to 730")
        })
    }

    fn lead(&self) -> i64 {
        (self.delivery_days + self.margin_days) * DAY
    }
}

/// Where a shipment is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for a person's word.
    Proposed,
    /// Ordered.
    Ordered,
    /// On its way.
    Shipped,
    /// At the site.
    Arrived,
    /// All of it was fitted.
    Done,
    /// Taken back.
    Cancelled,
    /// Nobody fitted it in time.
    Expired,
}

/// What people do with a shipment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Orders it.
    Order,
    /// It has left.
    Ship,
    /// It is there.
    Arrive,
    /// Takes it back.
    Cancel,
}

impl Act {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Order, Self::Ship, Self::Arrive, Self::Cancel];

    /// The word in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Ship => "ship",
            Self::Arrive => "arrive",
            Self::Cancel => "cancel",
        }
    }

    /// The act for a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.as_str() == word)
    }
}

impl State {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Proposed, Self::Ordered, Self::Shipped, Self::Arrived, Self::Done, Self::Cancelled, Self::Expired];

    /// The word in the database and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Ordered => "ordered",
            Self::Shipped => "shipped",
            Self::Arrived => "arrived",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// The state for a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Over: bars nothing any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled | Self::Expired)
    }

    /// What an act makes of it; `None`: it cannot be done now.
    #[must_use]
    pub fn next(self, act: Act) -> Option<Self> {
        match (self, act) {
            (Self::Proposed, Act::Order) => Some(Self::Ordered),
            (Self::Ordered, Act::Ship) => Some(Self::Shipped),
            (Self::Ordered | Self::Shipped, Act::Arrive) => Some(Self::Arrived),
            (Self::Proposed | Self::Ordered | Self::Shipped | Self::Arrived, Act::Cancel) => Some(Self::Cancelled),
            _ => None,
        }
    }
}

/// A slot, as far as shipments are concerned. Times are µs.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// Its index.
    pub index: String,
    /// When it will be empty: the early end of the interval and its middle; `None`: nobody can say.
    pub ends: Option<(i64, i64)>,
    /// It calls already: low, empty, almost full, by its level or by the device's own word.
    pub calls: bool,
    /// When a cartridge was last seen to be fitted here, by the time of the reading that showed it.
    pub fitted_at: Option<i64>,
    /// When something was last ordered for it and not taken back.
    pub ordered_at: Option<i64>,
    /// Its open item.
    pub open: Option<Open>,
}

/// An item that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// Where its shipment is.
    pub state: State,
    /// When it was proposed, or ordered once that was done.
    pub since: i64,
    /// When it is given up.
    pub expires_at: i64,
}

/// What to do about a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Propose it, and why.
    Propose(Why),
    /// Close its open item, and how it ended.
    Close(Ended),
}

/// Why something is proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It calls already.
    Low,
    /// It would be empty before it can be there.
    Soon,
    /// It ends a little later than another that must be sent.
    Together,
}

impl Why {
    /// The word in the database and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Soon => "soon",
            Self::Together => "together",
        }
    }
}

/// How an item ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A cartridge was fitted after it was ordered.
    Fitted,
    /// It was proposed, and a cartridge was fitted from elsewhere.
    Unneeded,
    /// Nobody fitted it in time.
    Expired,
}

impl Ended {
    /// The word in the database and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fitted => "fitted",
            Self::Unneeded => "unneeded",
            Self::Expired => "expired",
        }
    }
}

/// What to do about the slots of one device.
#[must_use]
pub fn plan(slots: &[Slot], terms: &Terms, now: i64) -> Vec<(usize, Deed)> {
    let mut deeds = Vec::new();
    let mut free = Vec::new();
    for (at, slot) in slots.iter().enumerate() {
        match slot.open {
            Some(open) => deeds.extend(ended(slot, open, terms, now).map(|ended| (at, Deed::Close(ended)))),
            None if slot.ordered_at.is_none_or(|ordered| now - ordered >= terms.interval_days * DAY) => free.push(at),
            None => {}
        }
    }
    if !terms.proposes {
        return deeds;
    }
    let needs = |at: usize| {
        let slot = &slots[at];
        let soon = slot
            .ends
            .is_some_and(|(early, middle)| early <= now + terms.delivery_days * DAY || middle <= now + terms.lead());
        if slot.calls { Some(Why::Low) } else { soon.then_some(Why::Soon) }
    };
    let wanted: Vec<(usize, Why)> = free.iter().filter_map(|at| Some((*at, needs(*at)?))).collect();
    if wanted.is_empty() {
        return deeds;
    }
    for at in free {
        if let Some((_, why)) = wanted.iter().find(|(other, _)| *other == at) {
            deeds.push((at, Deed::Propose(*why)));
        } else if slots[at].ends.is_some_and(|(_, middle)| middle <= now + terms.lead() + terms.together_days * DAY) {
            deeds.push((at, Deed::Propose(Why::Together)));
        }
    }
    deeds
}

/// Whether the open item of a slot is over.
fn ended(slot: &Slot, open: Open, terms: &Terms, now: i64) -> Option<Ended> {
    let fitted_since = slot.fitted_at.is_some_and(|fitted| fitted > open.since);
    match open.state {
        // What is only proposed can be dropped whenever the slot is well again, also by a report that came late.
        State::Proposed => {
            let well = !slot.calls
                && slot
                    .ends
                    .is_some_and(|(_, middle)| middle > now + terms.lead() + 2 * terms.together_days.max(7) * DAY);
            if fitted_since || well {
                return Some(Ended::Unneeded);
            }
        }
        // A cartridge that was fitted before the order is another one: what was ordered is still to come.
        _ if fitted_since => return Some(Ended::Fitted),
        _ => {}
    }
    (now >= open.expires_at).then_some(Ended::Expired)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slot(days: Option<i64>) -> Slot {
        Slot {
            index: "1.1".into(),
            ends: days.map(|days| (days * DAY * 2 / 3, days * DAY)),
            calls: false,
            fitted_at: None,
            ordered_at: None,
            open: None,
        }
    }

    #[test]
    fn one_proposal_groups_what_ends_before_delivery_and_margin() {
        let slots = [slot(Some(6)), slot(Some(15)), slot(Some(60)), slot(None)];
        let deeds = plan(&slots, &Terms::default(), 0);
        assert_eq!(deeds, [(0, Deed::Propose(Why::Soon)), (1, Deed::Propose(Why::Together))]);
        assert!(plan(&slots[1..], &Terms::default(), 0).is_empty(), "nothing goes by itself that can wait");
        assert!(plan(&slots, &Terms { proposes: false, ..Terms::default() }, 0).is_empty());
        let low = Slot { calls: true, ..slot(None) };
        assert_eq!(plan(&[low], &Terms::default(), 0), [(0, Deed::Propose(Why::Low))]);
    }

    #[test]
    fn an_open_item_bars_another_until_it_is_fitted_or_given_up() {
        let open = |state, since| Some(Open { state, since, expires_at: 60 * DAY });
        let low = Slot { calls: true, ..slot(Some(1)) };
        let terms = Terms::default();
        for state in [State::Proposed, State::Ordered, State::Shipped, State::Arrived] {
            let waiting = Slot { open: open(state, DAY), ..low.clone() };
            assert!(plan(std::slice::from_ref(&waiting), &terms, 9 * DAY).is_empty(), "{state:?}");
            let late = Slot { fitted_at: Some(0), ..waiting.clone() };
            assert!(plan(std::slice::from_ref(&late), &terms, 9 * DAY).is_empty(), "fitted before: {state:?}");
            let fitted = Slot { fitted_at: Some(2 * DAY), ..waiting.clone() };
            let how = if state == State::Proposed { Ended::Unneeded } else { Ended::Fitted };
            assert_eq!(plan(&[fitted], &terms, 9 * DAY), [(0, Deed::Close(how))]);
            assert_eq!(plan(&[waiting], &terms, 61 * DAY), [(0, Deed::Close(Ended::Expired))]);
        }
    }

    #[test]
    fn states_go_forward_only() {
        assert_eq!(State::Proposed.next(Act::Order), Some(State::Ordered));
        assert_eq!(State::Ordered.next(Act::Order), None);
        assert_eq!(State::Shipped.next(Act::Arrive), Some(State::Arrived));
        for state in State::ALL.into_iter().filter(|state| state.is_over()) {
            assert!(Act::ALL.into_iter().all(|act| state.next(act).is_none()), "{state:?}");
        }
        assert!(State::ALL.into_iter().all(|state| State::from_word(state.as_str()) == Some(state)));
    }

    /// What may happen to a slot.
    #[derive(Clone, Debug)]
    enum Step {
        Wait(i64),
        Level(i64),
        Calls(bool),
        Fitted { days_ago: i64 },
        People(Act),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0_i64..20).prop_map(Step::Wait),
            (0_i64..90).prop_map(Step::Level),
            any::<bool>().prop_map(Step::Calls),
            (0_i64..15).prop_map(|days_ago| Step::Fitted { days_ago }),
            (0_usize..4).prop_map(|at| Step::People(Act::ALL[at])),
        ]
    }

    proptest! {
        /// Whatever levels, replacements, late reports and people do: between two orders of a slot the first one was
        /// fitted after it was ordered, taken back, or given up; and never are two open.
        #[test]
        fn no_double_order_under_any_sequence_of_levels_replacements_and_late_reports(
            steps in prop::collection::vec(step(), 1..80),
            interval in 0_i64..30,
        ) {
            let terms = Terms { interval_days: interval, ..Terms::default() };
            let (mut now, mut slot) = (1_000 * DAY, slot(Some(50)));
            // When the order was given that has not ended yet.
            let mut standing: Option<i64> = None;
            let mut last_order: Option<i64> = None;
            for step in steps {
                now += 1;
                match step {
                    Step::Wait(days) => now += days * DAY,
                    Step::Level(days) => slot.ends = Some((now + days * DAY / 2, now + days * DAY)),
                    Step::Calls(calls) => slot.calls = calls,
                    Step::Fitted { days_ago } => {
                        slot.fitted_at = slot.fitted_at.max(Some(now - days_ago * DAY));
                    }
                    Step::People(act) => {
                        if let Some((open, next)) = slot.open.and_then(|open| Some((open, open.state.next(act)?))) {
                            if act == Act::Order {
                                prop_assert!(standing.is_none(), "ordered twice");
                                prop_assert!(last_order.is_none_or(|at| now - at >= interval * DAY));
                                (standing, last_order, slot.ordered_at) = (Some(now), Some(now), Some(now));
                            }
                            let since = if act == Act::Order { now } else { open.since };
                            slot.open = (!next.is_over()).then_some(Open { state: next, since, ..open });
                            if next == State::Cancelled {
                                (standing, last_order, slot.ordered_at) = (None, None, None);
                            }
                        }
                    }
                }
                for (_, deed) in plan(std::slice::from_ref(&slot), &terms, now) {
                    match deed {
                        Deed::Propose(_) => {
                            prop_assert!(slot.open.is_none() && standing.is_none());
                            let expires_at = now + terms.expiry_days * DAY;
                            slot.open = Some(Open { state: State::Proposed, since: now, expires_at });
                        }
                        Deed::Close(ended) => {
                            if ended == Ended::Fitted {
                                prop_assert!(slot.fitted_at > standing, "fitted before it was ordered");
                            }
                            (slot.open, standing) = (None, None);
                        }
                    }
                }
            }
        }
    }
}
